"""Environments of the benchmark's own, made on demand under ``.bench``."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from importlib import invalidate_caches
from pathlib import Path

ROOT = Path(__file__).parents[3]
BENCH = ROOT / ".bench"

#: Variables that keep a process to one thread, and JAX to the CPU.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
) | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}

#: What goes into each environment, one ``pip install`` after another. PyTorch comes first and by
#: itself, so that the wheel of the machine's own index is taken.
PINS: dict[str, tuple[str, ...]] = {
    "ax": ("torch==2.13.0", "ax-platform==1.3.1"),
    # HEBO asks for a NumPy for which GPy must be compiled; without GPy, which its default model
    # does not use, the rest has wheels.
    "hebo": (
        "torch==2.13.0",
        "numpy==1.24.4 scipy==1.11.4 scikit-learn==1.3.2 pandas==2.0.3 pymoo==0.6.0",
        "gpytorch==1.15.2 catboost==1.2.10 disjoint-set==0.9.0",
        "--no-deps HEBO==0.3.6",
    ),
    "ioh": ("--no-deps ioh==0.4.2",),
    # It reads its version with setuptools, which no longer helps in that from 82.
    "mf2": ("setuptools==80.9.0", "--no-deps mf2==2022.6.0"),
    "nevergrad": ("nevergrad==1.0.12",),
    "qdax": ("jax==0.10.2 jaxlib==0.10.2", "qdax==0.5.0"),
    "smac": ("smac==2.4.1",),
    "torchgfn": ("torch==2.13.0", "torchgfn==2.4.1"),
    # It pins an equinox that no newer JAX can import.
    "vizier": ("google-vizier[jax]==0.1.24", "jax==0.10.2 jaxlib==0.10.2 equinox==0.13.8"),
}


def python(name: str) -> str:
    """The interpreter of an environment, which is made first where it is missing or outdated.

    Raises:
        CalledProcessError: an installation failed.
    """
    home = BENCH / name
    interpreter, stamp = home / "bin" / "python", home / "pins.json"
    wanted = json.dumps(PINS[name])
    BENCH.mkdir(exist_ok=True)
    with (BENCH / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making the same one
        if not stamp.exists() or stamp.read_text() != wanted:
            if not interpreter.exists():
                subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            for pin in PINS[name]:
                pip = [str(interpreter), "-m", "pip", "install", "--quiet", *pin.split()]
                subprocess.run(pip, check=True)
            stamp.write_text(wanted)
    return str(interpreter)


def borrow(name: str) -> None:
    """Let this process import what an environment holds, after everything of its own.

    For small libraries without dependencies of their own.
    """
    python(name)
    (site,) = (BENCH / name / "lib").glob("python*/site-packages")
    if str(site) not in sys.path:
        sys.path.append(str(site))
        invalidate_caches()


def pinned(name: str) -> str:
    """The version that an environment pins of what it is named after."""
    found = re.search(rf"{name}[^ =]*==(\S+)", " ".join(PINS[name]), re.IGNORECASE)
    assert found is not None
    return found[1]

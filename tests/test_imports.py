"""``import blackbox`` is light, and the core needs NumPy alone.

Each test runs a fresh interpreter, because this one has long imported everything.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HEAVY = (
    "botorch",
    "cmaes",
    "distributed",
    "gpytorch",
    "matplotlib",
    "moocore",
    "optuna",
    "pandas",
    "plotly",
    "pyarrow",
    "pymoo",
    "ray",
    "ribs",
    "rich",
    "scipy",
    "sklearn",
    "torch",
)

# Makes optional packages look as if they had never been installed.
BLOCK = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {(*HEAVY, "cloudpickle")!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""

PROBLEM = """
import blackbox as bb

class Sphere(bb.Problem):
    space = bb.Space(bb.Real("x", -1, 1, size=2), bb.Categorical("c", ["a", "b"]))
    objectives = [bb.Minimize("f")]
    def evaluate(self, p):
        return float((p["x"] ** 2).sum()) + (p["c"] == "b")

problem = Sphere()
"""


def python(code: str, cwd: Path = ROOT) -> str:
    """What a fresh interpreter prints when it runs the code."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_takes_less_than_three_tenths_of_a_cpu_second() -> None:
    code = "import time; t = time.process_time(); import blackbox; print(time.process_time() - t)"
    # The least of several: everything else the machine does can only add to it.
    assert min(float(python(code)) for _ in range(5)) < 0.3


@pytest.mark.parametrize(
    "statement",
    [
        "import blackbox",
        "import blackbox as bb; bb.Study, bb.Space, bb.Problem, bb.Random, bb.problem, bb.Batch",
        "import blackbox as bb; bb.plot; bb.metrics; bb.executors; bb.testing; bb.problems",
        "import blackbox as bb; bb.Bayes; bb.optuna.TPE; bb.pymoo.NSGA2; bb.Sobol",
    ],
)
def test_names_load_nothing_heavy(statement: str) -> None:
    loaded = python(f"import sys; {statement}; print(*sys.modules)").split()
    assert not set(loaded) & set(HEAVY)


def test_core_works_with_numpy_alone(tmp_path: Path) -> None:
    code = f"""{BLOCK}{PROBLEM}
study = bb.Study(problem, bb.Random(problem, seed=0), "run").run(20)
study.close()
again = bb.Study(problem, bb.Random(problem, seed=0), "run").run(30)
print(study.told, again.told, again.best["f"] <= study.best["f"])
"""
    assert python(code, tmp_path) == "20 30 True"


DOORS = {
    "bayes": ["bb.Bayes(problem, seed=0).ask()", "bb.Sobol(problem, seed=0).ask()"],
    "optuna": ["bb.optuna.TPE(problem, seed=0).ask()"],
    "pymoo": ["bb.pymoo.NSGA2(problem, seed=0).ask()"],
    "plot": ["bb.plot.convergence(study)"],
    "data": ["study.to_dataframe()", "study.to_parquet('x.parquet')"],
    "run": ["bb.Study(problem, bb.Random(problem, seed=0)).run(4, workers=2)"],
}


@pytest.mark.parametrize(
    ("extra", "door"), [(extra, door) for extra, doors in DOORS.items() for door in doors]
)
def test_door_without_its_extra_names_it(extra: str, door: str, tmp_path: Path) -> None:
    code = f"""{BLOCK}{PROBLEM}
from blackbox.errors import MissingExtraError
study = bb.Study(problem, bb.Random(problem, seed=0)).run(3)
try:
    {door}
except MissingExtraError as error:
    print(error)
"""
    assert f"pip install 'blackbox[{extra}]'" in python(code, tmp_path)

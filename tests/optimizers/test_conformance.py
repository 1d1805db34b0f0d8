"""Every optimizer of the package, and every peer behind it, keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import blackbox as bb
from blackbox.testing import Check, checks


@dataclass(frozen=True)
class Entry:
    """An optimizer with arguments that make its model or generations start within the budget."""

    name: str
    make: Callable[[bb.Problem, int | None], bb.Optimizer]
    budget: int = 12
    slow: bool = False


ENTRIES = [
    Entry("Random", lambda p, s: bb.Random(p, seed=s)),
    Entry("Sobol", lambda p, s: bb.Sobol(p, seed=s)),
    Entry("Bayes", lambda p, s: bb.Bayes(p, n_init=4, seed=s), budget=5, slow=True),
    Entry("optuna.Random", lambda p, s: bb.optuna.Random(p, seed=s)),
    Entry("optuna.TPE", lambda p, s: bb.optuna.TPE(p, n_startup_trials=4, seed=s)),
    Entry("optuna.GP", lambda p, s: bb.optuna.GP(p, n_startup_trials=4, seed=s), 5, slow=True),
    Entry("optuna.CMAES", lambda p, s: bb.optuna.CMAES(p, population_size=5, seed=s)),
    Entry("optuna.NSGA2", lambda p, s: bb.optuna.NSGA2(p, population_size=5, seed=s)),
    Entry("pymoo.NSGA2", lambda p, s: bb.pymoo.NSGA2(p, population_size=8, seed=s), 24),
    Entry("pymoo.NSGA3", lambda p, s: bb.pymoo.NSGA3(p, partitions=4, seed=s), 24),
    Entry("pymoo.MOEAD", lambda p, s: bb.pymoo.MOEAD(p, partitions=4, n_neighbors=3, seed=s), 24),
    Entry("pymoo.CMAES", lambda p, s: bb.pymoo.CMAES(p, seed=s), 24),
    Entry("pymoo.DE", lambda p, s: bb.pymoo.DE(p, population_size=8, seed=s), 24),
    Entry("ribs.IsoLine", lambda p, s: bb.ribs.IsoLine(p, cells=(5, 5), batch_size=6, seed=s), 24),
    Entry(
        "ribs.CMAMAE",
        lambda p, s: bb.ribs.CMAMAE(
            p, threshold_min=-2, cells=(5, 5), emitters=2, batch_size=4, seed=s
        ),
        24,
    ),
]


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check, id=f"{entry.name}-{check}", marks=[pytest.mark.slow] if entry.slow else []
        )
        for entry in ENTRIES
        for check in checks(entry.make, budget=entry.budget)
    ],
)
def test_conformance(check: Check) -> None:
    check()


def public() -> set[str]:
    """Public names of the package's optimizers."""
    spaces = {"": bb, "optuna.": bb.optuna, "pymoo.": bb.pymoo, "ribs.": bb.ribs}
    return {
        f"{prefix}{name}"
        for prefix, module in spaces.items()
        for name in module.__all__
        if isinstance(value := getattr(module, name), type)
        and issubclass(value, bb.Optimizer)
        and value is not bb.Optimizer
    }


def test_every_optimizer_of_the_package_is_tried() -> None:
    """A public optimizer stands in the list above, or its own tests run the suite on it."""
    listed = {entry.name for entry in ENTRIES}
    assert listed <= public()
    own = "\n".join(
        text
        for path in sorted(Path(__file__).parent.glob("test_*.py"))
        if path.name != Path(__file__).name and " checks(" in (text := path.read_text("utf-8"))
    )
    missing = {name for name in public() - listed if not re.search(rf"\b{name}[(,]", own)}
    assert not missing, f"run the conformance suite on {sorted(missing)}"

"""kill -9 at random moments: nothing told is lost, nothing told is evaluated again."""

from __future__ import annotations

import pytest

from studies.benchmarks.kills import CASES, kill_studies


@pytest.mark.parametrize(
    "name",
    [
        "Random",
        "Sobol",
        pytest.param("Bayes", marks=pytest.mark.slow),
        pytest.param("pymoo.NSGA2", marks=pytest.mark.slow),
        pytest.param("optuna.TPE", marks=pytest.mark.slow),
    ],
)
def test_killed_studies_lose_nothing(name):
    tally = kill_studies(name, kills=6, seed=1)
    assert tally.kills == 6
    assert tally.told >= CASES[name].rows
    assert tally.lost == 0
    assert tally.again == 0
    assert tally.changed == 0

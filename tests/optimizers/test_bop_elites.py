"""BOP-Elites: the contract, what it asks for, and the map it believes in."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError, TellError
from blackbox.testing import checks


def _make(problem, seed):
    return bb.BOPElites(problem, cells=(4,) * len(problem.measures), n_init=4, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("check", checks(_make, budget=6), ids=str)
def test_conformance(check):
    check()


class Ring(bb.Problem):
    """The measures are the inputs, so every row can be told where to go."""

    space = bb.Space(bb.Real("x", 0, 1), bb.Real("y", 0, 1))
    objectives = [bb.Minimize("f")]
    measures = [bb.Measure("a", 0, 1), bb.Measure("b", 0, 1)]

    def evaluate_batch(self, batch):
        x, y = batch["x"], batch["y"]
        return {"f": (x - 0.4) ** 2 + (y - 0.6) ** 2, "a": x, "b": y}


def _run(optimizer, rounds, n=1):
    for _ in range(rounds):
        batch = optimizer.ask(n)
        optimizer.tell(batch.with_columns(**optimizer.problem.measure(batch)))
    return optimizer


def test_it_fills_a_cell_with_nearly_every_row():
    optimizer = _run(bb.BOPElites(Ring(), cells=(5, 5), n_init=6, seed=0), 26)
    assert len(optimizer.archive) >= 21  # of 25, where 26 uniform rows would fill 16
    assert optimizer.archive.low.tolist() == [0, 0]


def test_rows_of_a_batch_go_to_different_cells():
    optimizer = _run(bb.BOPElites(Ring(), cells=(4, 4), n_init=6, seed=1), 6)
    batch = optimizer.ask(6)
    measured = Ring().evaluate_batch(batch)
    cells = optimizer.archive.cell_of(np.column_stack([measured["a"], measured["b"]]))
    assert len(set(cells)) >= 5


def test_the_predicted_map_holds_more_than_the_told_one_and_is_right():
    optimizer = _run(bb.BOPElites(Ring(), cells=(8, 8), n_init=8, seed=2), 16)
    before = optimizer.state_dict()
    predicted = optimizer.predicted_archive(4000, seed=0)
    assert len(predicted) > 55 > len(optimizer.archive)
    truth = Ring().evaluate_batch(predicted.elites)
    np.testing.assert_allclose(predicted.elites["f"], truth["f"], atol=0.05)
    np.testing.assert_allclose(predicted.measures[:, 0], truth["a"], atol=0.05)
    after = optimizer.state_dict()
    assert after["rng"] == before["rng"]
    mean, deviation = optimizer.predict(predicted.elites)["a"]
    assert np.abs(mean - truth["a"]).max() < 0.05
    assert (deviation >= 0).all()


def test_what_fails_is_avoided_and_what_breaks_a_constraint_is_no_elite():
    class Half(Ring):
        constraints = [bb.Constraint("c", upper=0.5)]

        def evaluate_batch(self, batch):
            found = super().evaluate_batch(batch)
            found["f"] = np.where(batch["x"] > 0.5, np.nan, found["f"])
            return {**found, "c": batch["y"]}

    optimizer = _run(bb.BOPElites(Half(), cells=(4, 4), n_init=6, seed=0), 18)
    elites = optimizer.archive.elites
    assert (elites["x"] <= 0.5).all()
    assert (elites["y"] <= 0.5).all()
    assert len(elites) >= 4  # the cells that are feasible and succeed


def test_bad_arguments_and_no_model_yet():
    for n_init in (-1, 2.0, "x", True, 10**400):
        with pytest.raises(ProblemError, match=f"BOPElites: n_init={n_init!r} must be an int"):
            bb.BOPElites(Ring(), n_init=n_init)
    for floor in (np.nan, np.inf, "x", (1,), [], True, 10**400, np.zeros(2)):
        with pytest.raises(ProblemError, match=r"floor=.* must be finite or None"):
            bb.BOPElites(Ring(), floor=floor)
    for cells in (4, np.int64(4), (0, 2), "x", True):
        with pytest.raises(ProblemError, match="cells="):
            bb.BOPElites(Ring(), cells=cells)
    with pytest.raises(TellError, match="no row"):
        bb.BOPElites(Ring()).predict(Ring().space.draw(1, np.random.default_rng(0)))


def test_the_map_that_models_believe_in_satisfies_the_constraints_they_believe_in():
    class Half(Ring):
        constraints = [bb.Constraint("c", upper=0.5)]

        def evaluate_batch(self, batch):
            return {**super().evaluate_batch(batch), "c": batch["x"]}

    optimizer = _run(bb.BOPElites(Half(), cells=(6, 6), n_init=12, seed=0), 12)
    predicted = optimizer.predicted_archive(2000, seed=0)
    assert len(predicted) > 5
    assert (predicted.elites["c"] <= 0.5).all()
    assert predicted.elites["x"].max() < 0.52
    np.testing.assert_allclose(predicted.elites["c"], predicted.elites["x"], atol=0.02)


def test_models_have_a_map_where_the_problem_has_gradients():
    problem = bb.problem(
        lambda b: {
            "f": b["x"],
            "m": b["x"],
            "df": np.ones((len(b), 1)),
            "dm": np.ones((len(b), 1)),
        },
        bb.Space(bb.Real("x", 0, 1)),
        bb.Maximize("f", gradient="df"),
        batch=True,
        measures=[bb.Measure("m", 0, 1, gradient="dm")],
    )
    optimizer = _run(bb.BOPElites(problem, cells=(5,), n_init=4, seed=0), 4)
    assert len(optimizer.predicted_archive(300)) == 5

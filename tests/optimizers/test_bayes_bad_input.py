"""Bayes always asks valid rows, whatever it was told."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.fidelity_gains import FidelityMES
from blackbox.errors import BlackboxError, ProblemError, SpaceError
from blackbox.surrogates.multi_fidelity import MultiFidelityGP

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Real("z", -1, 1), bb.Categorical("c", ["a", "b", "d"]))
PROBLEM = bb.problem(lambda p: p["x"], SPACE)
ROWS = SPACE.draw(12, np.random.default_rng(0))


def asked_after(y, rows=ROWS, problem=PROBLEM, n=3, **told):
    """Rows asked after these outcomes were told; valid and new."""
    optimizer = bb.Bayes(problem, n_init=0, seed=0)
    optimizer.tell(rows.with_columns(y=np.asarray(y, dtype=float), **told))
    batch = optimizer.ask(n)
    problem.space.check(batch)
    assert len(batch) == n
    return batch


OUTCOMES = {
    "constant": np.full(12, 3.5),
    "constant and huge": np.full(12, 1e300),
    "huge": np.linspace(-1e300, 1e300, 12),
    "largest floats": np.resize([np.finfo(float).max, -np.finfo(float).max], 12),
    "tiny": np.linspace(1e-300, 2e-300, 12),
    "huge and tiny": np.geomspace(1e-300, 1e300, 12),
    "one far away": np.r_[np.zeros(11), 1e300],
    "all failed": np.full(12, np.nan),
    "all failed but one": np.r_[np.full(11, np.inf), 0.0],
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes(name):
    asked_after(OUTCOMES[name])


def test_one_observation():
    asked_after([1.0], ROWS[:1])


def test_duplicates_with_different_outcomes():
    rows = ROWS.take(np.zeros(12, dtype=int))
    asked_after(np.arange(12.0), rows)


def test_near_duplicates():
    x = 0.5 + 1e-13 * np.arange(12)
    asked_after(np.arange(12.0), ROWS.with_columns(x=x, z=np.zeros(12), c=["a"] * 12))


def test_bounds_of_zero_width():
    space = bb.Space(bb.Real("x", 0, 1), bb.Real("fixed", 2, 2), bb.Integer("k", 5, 5))
    problem = bb.problem(lambda p: p["x"], space)
    rows = space.draw(5, np.random.default_rng(0))
    batch = asked_after(np.arange(5.0), rows, problem)
    assert set(batch["fixed"]) == {2.0}
    only = bb.Space(bb.Real("fixed", 2, 2))
    assert len(bb.Bayes(bb.problem(lambda p: 0.0, only), seed=0).ask(3)) == 1


def test_category_never_seen():
    asked_after(np.arange(12.0), ROWS.with_columns(c=["a"] * 12), n=6)
    with pytest.raises(SpaceError, match="c"):
        asked_after(np.arange(12.0), ROWS.with_columns(c=["e"] * 12))


@pytest.mark.slow
def test_ten_thousand_observations():
    space = bb.Space(bb.Real("x", 0, 1, size=4))
    problem = bb.problem(lambda p: float(((p["x"] - 0.3) ** 2).sum()), space)
    rows = space.draw(10_000, np.random.default_rng(0))
    batch = asked_after(problem.measure(rows)["y"], rows, problem, n=1)
    assert problem.measure(batch)["y"][0] < 0.02


def test_the_design_goes_on_while_outcomes_are_alike():
    plateau = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1, size=6)))
    optimizer, rows = bb.Bayes(plateau, n_init=3, seed=0), []
    for _ in range(12):
        batch = optimizer.ask()
        rows.append(batch["x"][0])
        optimizer.tell(batch.with_columns(y=[0.0]))
    design = np.array(rows)
    assert ((design > 0) & (design < 1)).all()  # where a model knows nothing it goes to corners
    assert np.abs(design[1:].mean(axis=0) - 0.5).max() < 0.2  # Sobol points, after the centre


SEVERAL = bb.problem(lambda p: {"f": 0, "g": 0}, SPACE, [bb.Minimize("f"), bb.Minimize("g")])
WINDY = bb.problem(lambda p: 0.0, SPACE, environment=bb.Environment(bb.Real("w", 0, 1)))
REFUSED = {
    "a class for a surrogate": (PROBLEM, {"surrogate": bb.surrogates.ExactGP}, "ExactGP"),
    "an acquisition for a surrogate": (PROBLEM, {"surrogate": bb.acquisitions.EI()}, "surrogates"),
    "a class for an acquisition": (PROBLEM, {"acquisition": bb.acquisitions.EI}, "acquisitions"),
    "a name for an acquisition": (PROBLEM, {"acquisition": "EI"}, "acquisition='EI'"),
    "a class for a design": (PROBLEM, {"init": bb.Random}, "init"),
    "no device": (PROBLEM, {"device": None}, "device=None"),
    "text in an earlier study": (PROBLEM, {"prior": ROWS.with_columns(y="a")}, "numbers"),
    "one objective of two": (SEVERAL, {"acquisition": bb.acquisitions.UCB()}, "EHVI"),
    "a volume of one objective": (PROBLEM, {"acquisition": bb.acquisitions.EHVI()}, "EI"),
    "a point of three objectives": (
        SEVERAL,
        {"acquisition": bb.acquisitions.EHVI(reference=[0, 0, 0])},
        "EHVI: reference=.* must be one number for each of 2 objectives",
    ),
    "a weight too few": (
        SEVERAL,
        {"acquisition": bb.acquisitions.Scalarised([1.0])},
        "Scalarised: weights=.* 2 objectives",
    ),
    "no number of rows": (PROBLEM, {"n_init": 2.5}, "n_init=2.5 must be an int"),
    "no switch": (PROBLEM, {"trust_region": "no"}, "trust_region='no' must be True or False"),
    "no risk": (WINDY, {"acquisition": bb.acquisitions.EI()}, "RiskKG"),
    "no environment": (PROBLEM, {"acquisition": bb.acquisitions.RiskKG()}, "environment"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_arguments_are_refused_before_anything_is_evaluated(name):
    problem, arguments, message = REFUSED[name]
    with pytest.raises(BlackboxError, match=message):
        bb.Bayes(problem, **arguments)


@pytest.mark.parametrize(
    ("recipe", "arguments"),
    [
        (bb.acquisitions.UCB, {"beta": -1}),
        (bb.acquisitions.UCB, {"beta": "a"}),
        (bb.acquisitions.PI, {"margin": float("nan")}),
        (bb.acquisitions.MES, {"samples": 0}),
        (bb.acquisitions.JES, {"samples": 1.5}),
        (bb.acquisitions.KnowledgeGradient, {"candidates": 0}),
        (bb.acquisitions.Thompson, {"features": True}),
        (bb.acquisitions.EHVI, {"reference": "a"}),
        (bb.acquisitions.EHVI, {"reference": (0.0, float("nan"))}),
        (bb.acquisitions.Scalarised, {"weights": ("a", 1.0)}),
        (bb.acquisitions.Scalarised, {"weights": ()}),
        (FidelityMES, {"samples": 0}),
        (bb.surrogates.ExactGP, {"most": 0}),
        (bb.surrogates.ExactGP, {"warp": "no"}),
        (bb.surrogates.LocalGP, {"neighbours": -1}),
        (bb.surrogates.HeteroscedasticGP, {"rounds": 0}),
        (bb.surrogates.SparseGP, {"inducing": 1.5}),
        (bb.surrogates.SparseGP, {"exact": 0}),
        (bb.surrogates.GradientGP, {"most": "a"}),
        (bb.surrogates.TorchGP, {"device": "nowhere"}),
        (bb.surrogates.SaasGP, {"device": 1.5}),
        (MultiFidelityGP, {"coupling": "loose"}),
        (MultiFidelityGP, {"shares": ("plain", "square")}),
        (MultiFidelityGP, {"most": -1}),
    ],
)
def test_wrong_arguments_of_recipes_are_refused(recipe, arguments):
    with pytest.raises(ProblemError, match=f"{recipe.__name__}: {next(iter(arguments))}"):
        recipe(**arguments)

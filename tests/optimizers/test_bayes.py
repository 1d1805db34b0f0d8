"""Bayes: better than random search, exact on resume, never the same failure twice."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import blackbox as bb
from blackbox.acquisitions.base import Belief
from blackbox.errors import ProblemError, StateError, StudyMismatchError, TellError
from blackbox.optimizers.bayes.region import TrustRegion
from blackbox.state import pack, unpack
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data


def branin(p):
    x, y = p["u"], p["v"]
    bowl = (y - 5.1 / (4 * np.pi**2) * x * x + 5 / np.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


def mixed(p):
    r = np.log10(p["lr"]) + 2
    act = {"a": 1.0, "b": 0.6, "c": 0.0, "d": 0.8}[p["act"]]
    return (
        r * r + ((p["width"] - 37) / 20) ** 2 + act * (1 + 0.5 * r) ** 2 + 0.3 * abs(p["depth"] - 4)
    )


SHARES = np.array([0.5, 0.3, 0.15, 0.05, 0.0])

BRANIN = bb.problem(branin, bb.Space(bb.Real("u", -5, 10), bb.Real("v", 0, 15)))
MIXED = bb.problem(
    mixed,
    bb.Space(
        bb.Real("lr", 1e-5, 1, log=True),
        bb.Integer("width", 1, 100),
        bb.Categorical("act", ["a", "b", "c", "d"]),
        bb.Ordinal("depth", [1, 2, 4, 8]),
    ),
)
SIMPLEX = bb.problem(
    lambda p: float(10 * ((p["mix"] - SHARES) ** 2).sum()), bb.Space(bb.Simplex("mix", 5))
)
CONSTRAINED = bb.problem(
    lambda p: (
        (p["m"][0] - 1) ** 2
        + (p["m"][1] - 0.2) ** 2
        + np.log(p["x"]) ** 2
        + (p["k"] - 9) ** 2 / 50
        + (p["c"] == "q")
    ),
    bb.Space(
        bb.Simplex("m", 4),
        bb.Real("x", 1e-3, 10, log=True),
        bb.Integer("k", 1, 9),
        bb.Categorical("c", ["p", "q"]),
        constraints=[
            bb.LinearConstraint({"m[0]": 1, "m[1]": 1}, upper=0.3),
            bb.LinearConstraint({"x": 1, "k": 1}, lower=3, upper=12),
        ],
    ),
)
PROBLEMS = {"branin": BRANIN, "mixed": MIXED, "simplex": SIMPLEX, "constrained": CONSTRAINED}


def best(optimizer, evaluations):
    """The least outcome of a sequential run."""
    values = []
    for _ in range(evaluations):
        batch = optimizer.ask()
        outcomes = optimizer.problem.measure(batch)
        values.append(float(outcomes["y"][0]))
        optimizer.tell(batch.with_columns(**outcomes))
    return min(values)


def medians(problem, evaluations):
    """Median best of Bayes and of Random, three seeds each."""
    return [
        float(np.median([best(kind(problem, seed=seed), evaluations) for seed in range(3)]))
        for kind in (bb.Bayes, bb.Random)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "evaluations", "bayes", "random"),
    [("branin", 0.397887, 30, 0.1, 0.3), ("mixed", 0, 30, 0.1, 0.3), ("simplex", 0, 25, 0.02, 0.1)],
)
def test_median_regret_is_far_below_random(name, least, evaluations, bayes, random):
    found = medians(PROBLEMS[name], evaluations)
    assert found[0] - least < bayes
    assert found[1] - least > random


def warm(problem, rows=8, seed=0, **arguments):
    """Bayes past its initial design, with rows told from outside."""
    optimizer = bb.Bayes(problem, n_init=rows, seed=seed, **arguments)
    batch = problem.space.draw(rows, np.random.default_rng(seed))
    optimizer.tell(batch.with_columns(**problem.measure(batch)))
    return optimizer


@pytest.mark.parametrize("name", PROBLEMS)
def test_resume_is_exact_and_global_state_neither_used_nor_disturbed(name):
    problem = PROBLEMS[name]
    first, again = warm(problem), warm(problem)
    late = first.ask(2)[:1]
    first.tell(late.with_columns(**problem.measure(late)))
    again.load_state_dict(unpack(pack(first.state_dict())))
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = _global_state()
        batch = (first if seed == 1 else again).ask(2)
        assert _global_state() == before
        if seed == 1:
            expected = batch
    assert batch.equals(expected)
    problem.space.check(batch)
    again.load_state_dict(unpack(pack(first.state_dict())))
    assert again.ask().equals(first.ask())


@pytest.mark.parametrize("name", ["ExactGP", "TorchGP", "HeteroscedasticGP"])
def test_a_fit_to_the_same_rows_is_made_again_after_a_resume(name):
    make = partial(warm, BRANIN, surrogate=getattr(bb.surrogates, name)())
    first, again = make(), make()
    first.ask()  # fits; nothing is told before the next one
    again.load_state_dict(unpack(pack(first.state_dict())))
    rows = BRANIN.space.draw(3, np.random.default_rng(1))
    np.testing.assert_array_equal(first.predict(rows)["y"], again.predict(rows)["y"])
    assert again.ask().equals(first.ask())


def _global_state():
    return (
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        np.random.get_state()[2],  # noqa: NPY002
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


def test_pending_rows_are_not_proposed_again():
    optimizer = warm(BRANIN)
    rows = np.concatenate(
        [np.stack([b["u"], b["v"]], 1) for b in (optimizer.ask(3), optimizer.ask())]
    )
    gaps = np.abs(rows[:, None] - rows[None]).max(axis=-1) + 100 * np.eye(4)
    assert gaps.min() > 0.05


def test_failed_rows_are_never_proposed_again():
    # The best place is a corner, and it fails.
    space = bb.Space(bb.Real("x", 0, 1), bb.Categorical("c", ["a", "b"]))
    problem = bb.problem(lambda p: -p["x"] + (p["c"] == "a"), space)
    optimizer = warm(problem, rows=6)
    optimizer.tell(bb.Batch({"x": [1.0], "c": ["b"], "y": [np.nan]}))
    for _ in range(5):
        batch = optimizer.ask()
        assert (batch["x"][0], batch["c"][0]) != (1.0, "b")
        optimizer.tell(batch.with_columns(y=[np.nan]))


def test_nothing_but_failures():
    optimizer = bb.Bayes(BRANIN, n_init=2, seed=0)
    for _ in range(4):
        batch = optimizer.ask(2)
        optimizer.tell(batch.with_columns(y=[0.0, 0.0], ok=[False, False]))
    rows = optimizer.ask(3)
    BRANIN.space.check(rows)
    assert len(np.unique(rows["u"])) == 3


def test_asking_before_anything_is_told():
    rows = bb.Bayes(CONSTRAINED, n_init=0, seed=0).ask(5)
    CONSTRAINED.space.check(rows)
    assert len(np.unique(rows["x"])) == 5


def test_finite_space_is_exhausted_without_repetition():
    space = bb.Space(bb.Integer("a", 0, 3), bb.Categorical("c", ["x", "y", "z"]))
    problem = bb.problem(lambda p: p["a"] + (p["c"] == "x"), space)
    optimizer = bb.Bayes(problem, seed=0)
    seen = []
    while len(batch := optimizer.ask(5)):
        seen += [(row["a"], row["c"]) for row in batch]
        optimizer.tell(batch.with_columns(**problem.measure(batch), ok=np.arange(len(batch)) > 0))
    assert len(seen) == len(set(seen)) == 12


def test_known_noise_decides_whom_to_believe():
    space = bb.Space(bb.Real("x", 0, 1))
    problem = bb.problem(lambda p: {}, space, bb.Minimize("y", noise="se"))
    optimizer = bb.Bayes(problem, n_init=0, seed=0)
    x = np.linspace(0, 1, 9)
    y = (x - 0.3) ** 2
    se = np.full(9, 0.01)
    y[7], se[7] = -1.0, 10.0  # a wild value that says of itself that it is worth nothing
    optimizer.tell(bb.Batch({"x": x, "y": y, "se": se}))
    assert optimizer.ask()["x"][0] == pytest.approx(0.3, abs=0.15)


def test_init_proposes_the_first_rows_and_learns():
    init = bb.optuna.TPE(BRANIN, n_startup_trials=2, seed=1)
    alone = bb.optuna.TPE(BRANIN, n_startup_trials=2, seed=1)
    optimizer = bb.Bayes(BRANIN, init=init, n_init=5, seed=0)
    for _ in range(5):
        batch, expected = optimizer.ask(), alone.ask()
        assert batch.equals(expected)
        optimizer.tell(batch.with_columns(**BRANIN.measure(batch)))
        alone.tell(expected.with_columns(**BRANIN.measure(expected)))
    assert init.asked == 5
    optimizer.ask()
    assert init.asked == 5


def test_ids_of_the_initial_design_are_kept_until_their_rows_are_told():
    optimizer = bb.Bayes(BRANIN, n_init=3, seed=0)
    rows = optimizer.ask(4)
    rows = rows.with_columns(**BRANIN.measure(rows))
    for told, kept in (([1], 2), ([0, 3], 1), ([2], 0)):
        optimizer.tell(rows.take(np.array(told)))
        assert len(optimizer.state_dict()["own"]["init_ids"]) == kept


def test_wrong_arguments():
    with pytest.raises(ProblemError, match="n_init=-1"):
        bb.Bayes(BRANIN, n_init=-1)
    with pytest.raises(ProblemError, match="another problem"):
        bb.Bayes(BRANIN, init=bb.Random(MIXED))
    with pytest.raises(ProblemError, match="device='abacus' cannot be used"):
        bb.Bayes(BRANIN, device="abacus")


def test_prediction_recommendation_and_worth():
    optimizer = bb.Bayes(BRANIN, seed=0)
    with pytest.raises(TellError, match="no row has succeeded"):
        optimizer.recommend()
    optimizer = warm(BRANIN, rows=12)
    rows = BRANIN.space.draw(20, np.random.default_rng(5))
    told = BRANIN.space.draw(12, np.random.default_rng(0))
    mean, deviation = optimizer.predict(told)["y"]
    np.testing.assert_allclose(mean, BRANIN.measure(told)["y"], rtol=1e-3, atol=0.1)
    assert (optimizer.predict(rows)["y"][1] > deviation.max()).all()
    assert optimizer.worth(rows).shape == (20,)
    best = optimizer.recommend()
    assert best.names == ("u", "v")
    assert BRANIN.measure(best)["y"][0] == BRANIN.measure(told)["y"].min()


def test_looking_at_the_model_changes_no_later_ask():
    first, second = warm(BRANIN), warm(BRANIN)
    for _ in range(3):
        first.recommend()
        first.worth(BRANIN.space.draw(3, np.random.default_rng(0)))
        batch, same = first.ask(), second.ask()
        assert batch.equals(same)
        for optimizer in (first, second):
            optimizer.tell(batch.with_columns(**BRANIN.measure(batch)))


def test_constraint_is_learnt():
    # The least value lies where it is forbidden; the best permitted one on the border.
    space = bb.Space(bb.Real("x", 0, 1), bb.Real("z", 0, 1))
    problem = bb.problem(
        lambda p: {"y": (p["x"] - 0.1) ** 2 + (p["z"] - 0.5) ** 2, "c": p["x"] + 0.2 * p["z"]},
        space,
        constraints=[bb.Constraint("c", lower=0.6)],
    )
    optimizer = bb.Bayes(problem, seed=0)
    study = bb.Study(problem, optimizer).run(20)
    least = 0.4**2 / (1 + 0.2**2)  # distance of (0.1, 0.5) to the line, squared
    assert study.best["c"] >= 0.6
    assert study.best["y"] < least + 5e-3
    assert set(optimizer.predict(study.history)) == {"y", "c"}


def test_unknown_feasibility_is_learnt_from_failures():
    space = bb.Space(bb.Real("x", 0, 1, size=2))

    class Crash(bb.Problem):
        objectives = [bb.Minimize("y")]

        def evaluate(self, p):
            return np.nan if p["x"].sum() < 0.8 else float((p["x"] ** 2).sum())

    Crash.space = space
    study = bb.Study(Crash(), bb.Bayes(Crash(), seed=0)).run(25, on_error="record")
    assert study.best["y"] < 0.34  # 0.32 on the border


def test_of_an_earlier_study_only_rows_at_the_target_are_learnt_from():
    space, fidelity = bb.Space(bb.Real("x", 0, 1)), bb.Fidelity(bb.Ordinal("size", [1, 9]), 9)
    problem = bb.problem(lambda p: p["x"] * (p["size"] - 5), space, fidelity=fidelity)
    rows = bb.Batch({"x": np.linspace(0, 1, 12), "size": np.resize([1, 9], 12)})
    rows = rows.with_columns(**problem.measure(rows))
    expected = []
    for prior in (rows, rows[rows["size"] == 9]):
        optimizer = bb.Bayes(problem, prior=[prior], n_init=0, seed=0)
        optimizer.tell(rows[1:4:2])
        expected.append(optimizer.predict(bb.Batch({"x": [0.2, 0.9]}))["y"][0])
    np.testing.assert_array_equal(*expected)


def test_earlier_studies_are_learnt_from():
    shifted = bb.problem(lambda p: branin(p) * 1.3 + 7, BRANIN.space)
    earlier = bb.Study(shifted, bb.Sobol(shifted, seed=0)).run(40)
    prior = bb.Bayes(BRANIN, prior=[earlier], n_init=1, seed=0)
    assert best(prior, 8) < 0.45
    with pytest.raises(ProblemError, match=r"prior\[0\] lacks \['y'\]"):
        bb.Bayes(BRANIN, prior=[earlier.history.select(["u", "v"])])
    with pytest.raises(ProblemError, match="give a list of studies"):
        bb.Bayes(BRANIN, prior=7)


def test_a_resume_with_other_earlier_rows_is_refused(tmp_path):
    def study(prior, candidates=None):
        optimizer = bb.Bayes(BRANIN, prior=prior, candidates=candidates, n_init=1, seed=0)
        return bb.Study(BRANIN, optimizer, tmp_path / "s")

    earlier = bb.Study(BRANIN, bb.Sobol(BRANIN, seed=0)).run(8)
    with study([earlier]) as begun:
        begun.run(2)
    with study([earlier.history]) as resumed:  # the same rows, from another place
        assert resumed.told == 2
    for other in ([earlier.history[:7]], [earlier, earlier], []):
        with pytest.raises(StudyMismatchError, match=r"optimizer.arguments.prior.*: stored"):
            study(other)
    with pytest.raises(StudyMismatchError, match=r"optimizer.arguments.candidates: stored null"):
        study([earlier], bb.Random(BRANIN, seed=0))
    state = bb.Bayes(BRANIN, prior=[earlier], seed=0).state_dict()
    with pytest.raises(StateError, match="build the optimizer as it was first built"):
        bb.Bayes(BRANIN, prior=[earlier.history[:7]], seed=0).load_state_dict(state)


class Slopes(bb.Problem):
    """A bowl of which the gradient is known, on a logarithmic and a plain scale."""

    space = bb.Space(
        bb.Real("a", 1e-3, 1, log=True), bb.Categorical("c", ["p", "q"]), bb.Real("x", -1, 3)
    )
    objectives = [bb.Maximize("y", gradient="dy")]

    def evaluate(self, p):
        z = np.log(p["a"]) + 3
        return {
            "y": -(z**2) - (p["x"] - 1) ** 2 - (p["c"] == "q"),
            "dy": [-2 * z / p["a"], -2 * (p["x"] - 1)],
        }


@pytest.mark.slow
def test_gradients_are_learnt_from():
    optimizer = bb.Bayes(Slopes(), seed=0)
    study = bb.Study(Slopes(), optimizer).run(9)
    assert study.best["y"] > -1e-3


class Windy(bb.Problem):
    """The best design without wind is not the best for all winds."""

    space = bb.Space(bb.Real("x", 0, 1))
    objectives = [bb.Minimize("y")]
    environment = bb.Environment(bb.Real("w", 0, 1), scenarios=8)

    def evaluate(self, p):
        return (p["x"] - 0.3) ** 2 + 0.8 * p["x"] * p["w"]


@pytest.mark.slow
def test_environment_is_optimized_for_its_risk():
    optimizer = bb.Bayes(Windy(), seed=0)
    study = bb.Study(Windy(), optimizer).run(20)
    assert set(study.history.names) >= {"x", "w", "y"}
    assert optimizer.recommend()["x"][0] == pytest.approx(0.1, abs=0.07)


@pytest.mark.parametrize("recipe", [bb.surrogates.ExactGP(), bb.surrogates.LocalGP()], ids=str)
def test_the_risk_is_of_scores_whatever_the_recipe_warps(recipe):
    """The expectation is 5 at x = 0, by way of .01 and 10, and 3 at x = 1: in logs 0 is better."""

    def f(x, w):
        return np.where(w == "a", 0.01 ** (1 - x), 10.0 ** (1 - x)) * 3**x

    class Drift(bb.Problem):
        space = bb.Space(bb.Real("x", 0, 1))
        objectives = [bb.Minimize("f")]
        environment = bb.Environment(bb.Categorical("w", ["a", "b"]))

        def evaluate(self, p):
            return float(f(p["x"], p["w"]))

    optimizer = bb.Bayes(Drift(), surrogate=recipe, n_init=0, seed=0)
    x, w = np.repeat(np.linspace(0, 1, 12), 2), np.tile(["a", "b"], 12)
    optimizer.tell(bb.Batch({"x": x, "w": w, "f": f(x, w)}))
    expectation = f(x, "a") + f(x, "b")
    assert optimizer.recommend()["x"][0] == x[np.argmin(expectation)]


class Taste(bb.Problem):
    """Somebody who can say which of two rows is better."""

    space = bb.Space(bb.Real("x", 0, 1, size=2))
    objectives = [bb.Preference("taste")]

    def evaluate_batch(self, b):
        return {"taste": -((b["x"] - 0.3) ** 2).sum(axis=1)}


@pytest.mark.slow
def test_preferences_are_learnt_from_pairs():
    optimizer = bb.Bayes(Taste(), seed=0)
    assert len(optimizer.ask()) == 2
    optimizer = bb.Bayes(Taste(), seed=0)
    bb.Study(Taste(), optimizer).run(24, batch=2)
    assert np.abs(optimizer.recommend()["x"] - 0.3).max() < 0.15


@pytest.mark.slow
def test_several_objectives_spread_over_the_front():
    problem = bb.problems.ZDT1(4)
    study = bb.Study(problem, bb.Bayes(problem, seed=0)).run(20)
    random = bb.Study(problem, bb.Random(problem, seed=0)).run(20)
    volume = [
        bb.metrics.hypervolume(problem.scores(s.front), [-1.1, -6.0]) for s in (study, random)
    ]
    assert volume[0] > volume[1] + 0.5


def test_the_reference_that_a_problem_declares_is_that_of_the_hypervolume():
    def front(p):
        return {"near": p["x"] ** 2, "far": (p["x"] - 1) ** 2}

    def asked(reference, acquisition=None):
        line = bb.Space(bb.Real("x", -2, 2))
        both = [bb.Minimize("near"), bb.Minimize("far")]
        problem = bb.problem(front, line, both, reference=reference)
        study = bb.Study(problem, bb.Bayes(problem, acquisition=acquisition, seed=0))
        return study.run(16).history["x"].astype(np.float64)[-8:]

    declared = asked(bb.Batch({"near": [0.25], "far": [0.49]}))
    assert (np.abs(declared - 0.4) < 0.11).all()  # between .3 and .5 both are better
    given = asked(None, bb.acquisitions.EHVI(reference=(-0.25, -0.49)))
    np.testing.assert_array_equal(declared, given)
    assert (np.abs(asked(None) - 0.4) > 0.11).any()


def test_trust_region_keeps_proposals_near_the_best_row():
    rng = np.random.default_rng(0)
    space = bb.Space(bb.Real("x", 0, 1, size=12))
    problem = bb.problem(lambda p: float(((p["x"] - 0.4) ** 2).sum()), space)
    optimizer = bb.Bayes(problem, n_init=0, trust_region=True, seed=0)
    rows = space.draw(60, rng)
    values = problem.measure(rows)["y"]
    order = np.argsort(values)  # nothing after the first row is better: the region shrinks
    optimizer.tell(rows.take(order).with_columns(y=values[order]))
    near = np.abs(optimizer.ask()["x"][0] - optimizer.recommend()["x"][0])
    assert 0 < near.max() < 0.3
    assert np.median(near) < 0.1
    with pytest.raises(ProblemError, match="trust_region"):
        bb.Bayes(bb.problems.ZDT1(4), trust_region=True)


def test_trust_region_grows_only_by_rows_better_than_the_initial_design():
    features = Features(bb.Space(bb.Real("x", 0, 1, size=2)))
    x, center = features.draw(12, np.random.default_rng(0)), np.full(2, 0.5)
    region, widths = TrustRegion.of(features), []
    for best in (10.0, -6.0):
        scores = np.array([-7.0, best, -7.0, -7.0, *range(-5, 3)])
        model = ExactGP(warp=False).fit(Data(features, x, scores), None)
        feasible, nothing = np.ones(12, dtype=bool), np.empty((0, 2))
        belief = Belief(features, (model,), (), x, scores[:, None], feasible, nothing)
        box = region.box(belief, center, begun=4)
        widths.append(float(np.sqrt(np.prod(box.upper - box.lower))))
    assert widths[0] == pytest.approx(0.8 / 4)  # eight failures
    assert widths[1] > 0.6  # eight successes, and the cube is an end


def test_trust_region_is_a_ball_of_categories_and_a_box_of_whole_numbers():
    names = [bb.Categorical(f"c{i}", ["p", "q", "r"]) for i in range(10)]
    space = bb.Space(*names, bb.Integer("n", 0, 100), bb.Integer("few", 0, 2))
    problem = bb.problem(lambda p: p["n"] + sum(p[f"c{i}"] == "p" for i in range(10)), space)
    optimizer = bb.Bayes(problem, n_init=0, trust_region=True, seed=0)
    rows = space.draw(220, np.random.default_rng(0))
    values = problem.measure(rows)["y"]
    order = np.argsort(values)  # nothing after the first row is better: the region shrinks
    optimizer.tell(rows.take(order).with_columns(y=values[order]))
    asked, best = optimizer.ask()[0], optimizer.recommend()[0]
    assert sum(asked[p.name] != best[p.name] for p in names) <= 1
    assert abs(asked["n"] - best["n"]) <= 5


def test_recipes_are_part_of_the_fingerprint():
    recipes = [bb.surrogates.ExactGP(), bb.surrogates.ExactGP(warp=False), None]
    specs = [str(bb.Bayes(BRANIN, surrogate=recipe, seed=0).spec()) for recipe in recipes]
    assert len(set(specs)) == 3

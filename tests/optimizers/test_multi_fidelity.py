"""MultiFidelityBayes: cheap rows first, judged by the target, exact, priced, bounded."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.fidelity_gains import FidelityKG, FidelityMES
from blackbox.errors import BlackboxError, ProblemError, StudyMismatchError, TellError
from blackbox.optimizers.multi_fidelity import MultiFidelityBayes, NearShares
from blackbox.optimizers.multi_fidelity.region import Inside, divergence
from blackbox.state import pack, unpack
from blackbox.surrogates.features import Features
from blackbox.surrogates.multi_fidelity import MultiFidelityGP
from blackbox.testing import Check, checks

BEST = np.array([0.5, 0.3, 0.2, 0.0])


class Mixture(bb.Problem):
    """A bowl over mixtures; small models tilt it, or (``noise``) say nothing of it."""

    space = bb.Space(bb.Simplex("mix", ["web", "code", "books", "maths"]))
    objectives = (bb.Minimize("loss"),)
    fidelity = bb.Fidelity(bb.Ordinal("params", [1e6, 6e7, 1e9]), target=1e9)

    def __init__(self, noise=False):
        self._noise = noise

    def cost(self, batch):
        return np.array([{1e6: 0.01, 6e7: 0.1, 1e9: 1.0}[p] for p in batch["params"].tolist()])

    def evaluate(self, p):
        away = float(10 * ((p["mix"] - BEST) ** 2).sum())
        small = {1e6: 1.0, 6e7: 0.3, 1e9: 0.0}[p["params"]]
        if self._noise and small:
            return float(np.sin(1e4 * p["mix"] @ np.array([1.0, 2.0, 3.0, 4.0]))) + 5.0
        return (1 + small) * away + small * (3.0 + 0.5 * float(p["mix"][1]))

    def regret(self, batch):
        return 10 * ((batch["mix"] - BEST) ** 2).sum(axis=1)


def run(optimizer, max_cost, most=40):
    """Ask and tell one by one until the cost is spent."""
    problem, spent, levels = optimizer.problem, 0.0, []
    while len(levels) < most:
        batch = optimizer.ask()
        cost = float(problem.costs(batch).sum())
        if not len(batch) or spent + cost > max_cost:
            break
        optimizer.tell(batch.with_columns(**problem.measure(batch)))
        spent += cost
        levels.append(batch["params"][0])
    return levels


@pytest.mark.parametrize("check", checks(MultiFidelityBayes, budget=5), ids=str)
def test_conformance(check: Check):
    check()


def test_it_is_better_at_three_target_runs_than_bayes_at_eight():
    problem = Mixture()
    ours, theirs = [], []
    for seed in range(3):
        optimizer = MultiFidelityBayes(problem, seed=seed)
        levels = run(optimizer, 3.0)
        assert levels.count(1e6) >= levels.count(1e9)
        ours.append(problem.regret(optimizer.recommend())[0])
        bayes = bb.Bayes(problem, seed=seed)
        run(bayes, 8.0)
        theirs.append(problem.regret(bayes.recommend())[0])
    assert np.median(ours) < np.median(theirs)
    assert max(ours) < 0.02


def test_in_a_study_the_cost_is_kept():
    problem = Mixture()
    study = bb.Study(problem, MultiFidelityBayes(problem, seed=0)).run(max_cost=1.2)
    assert study.cost <= 1.2 + 1e-9
    assert len(study.history) > 5
    assert set(study.history["params"]) & {1e6, 6e7}


@pytest.mark.parametrize("acquisition", [FidelityMES(8), FidelityKG()], ids=str)
def test_other_acquisitions_propose(acquisition):
    optimizer = MultiFidelityBayes(Mixture(), acquisition=acquisition, n_init=3, seed=0)
    assert len(run(optimizer, 3.0, most=6)) == 6


def told(optimizer, n=12, targets=8, seed=0):
    """Cheap rows, then rows at the target one by one."""
    problem, rng = optimizer.problem, np.random.default_rng(seed)
    for count, params in ((n, 1e6), *[(1, 1e9)] * targets):
        rows = problem.space.draw(count, rng).with_columns(params=np.full(count, params))
        optimizer.tell(rows.with_columns(**problem.measure(rows)))
    return optimizer


def test_a_fidelity_that_misleads_is_dropped_and_one_that_helps_is_not():
    helps = told(MultiFidelityBayes(Mixture(), seed=0))
    assert helps.evidence[1e6] > 0
    assert helps.kept == (1e6, 6e7, 1e9)
    misleads = told(MultiFidelityBayes(Mixture(noise=True), seed=0), n=25, targets=14)
    assert misleads.evidence[1e6] < helps.evidence[1e6]
    misleads._learning._evidence[0] = -2.0  # doubted: its rows are learnt from, no more are bought
    assert misleads.kept == (1e6, 6e7, 1e9)
    assert 1e6 not in set(misleads.ask(3)["params"])
    misleads._learning._evidence[0] = -3.1
    assert misleads.kept == (6e7, 1e9)


def test_what_is_not_proven_costs_a_part_of_what_the_target_did_and_is_judged_by_pairs():
    class Dear(Mixture):
        def cost(self, batch):
            return np.array([{1e6: 0.3, 6e7: 0.6, 1e9: 1.0}[p] for p in batch["params"].tolist()])

    optimizer = MultiFidelityBayes(Dear(), seed=0)
    levels = run(optimizer, 6.0)
    spent = np.cumsum([[0.3 * (p == 1e6) + 0.6 * (p == 6e7), float(p == 1e9)] for p in levels], 0)
    assert max(optimizer.evidence.values()) <= 3.0  # nothing is proven yet
    assert (spent[:, 0] <= np.maximum(1.0, 0.5 * spent[:, 1]) + 1e-9).all()
    told = optimizer._told.batch
    dear, cheap = told["mix"][told["params"] == 1e9], told["mix"][told["params"] < 1e9]
    assert len(cheap) >= 2
    assert len(dear) >= 2
    assert all(np.abs(cheap - mix).max(axis=1).min() < 1e-9 for mix in dear[:2])


@pytest.mark.parametrize("seed", range(4))
def test_among_candidates_a_guess_has_to_be_better_by_a_part_of_its_deviation(seed):
    problem = Mixture()
    rows = problem.space.draw(20, np.random.default_rng(seed))
    optimizer = MultiFidelityBayes(problem, candidates=rows, seed=seed)
    known = rows[:4].with_columns(params=np.full(4, 1e9))
    optimizer.tell(known.with_columns(**problem.measure(known)))
    mean, deviation = optimizer.predict(rows)["loss"]
    worst = mean + 0.5 * deviation  # a loss
    best = int(np.argmin(np.abs(rows["mix"] - optimizer.recommend()["mix"]).sum(axis=1)))
    assert best in (int(np.argmin(mean)), int(np.argmin(worst[:4])))
    assert worst[best] <= worst[:4].min() + 1e-9


@pytest.mark.parametrize(
    ("cheap", "level", "rows"), [(0.01, 1e6, 8), (0.2, 1e6, 2), (0.6, 1e9, 8)], ids=str
)
def test_the_initial_design_is_cheap_or_at_the_target(cheap, level, rows):
    class Priced(Mixture):
        def cost(self, batch):
            return np.where(
                batch["params"] == 1e9, 1.0, np.where(batch["params"] == 1e6, cheap, 0.9)
            )

    optimizer = MultiFidelityBayes(Priced(), n_init=8, seed=0)
    assert optimizer.ask(rows)["params"].tolist() == [level] * rows
    assert optimizer._beginning()[1] == rows


def test_costs_are_learnt_from_past_runs():
    class Free(Mixture):
        cost = None  # the problem does not say

    past = bb.Batch({"params": np.array([1e6, 1e6, 1e9]), "seconds": np.array([1.0, 3.0, 200.0])})
    optimizer = MultiFidelityBayes(Free(), cost=past, seed=0)
    costs = optimizer._price.at(np.zeros((1, 4)), np.array([1e6, 6e7, 1e9]))[0]
    # From 2 to 200 over a factor of 1000: the power is log 100 / log 1000 = 2/3.
    np.testing.assert_allclose(costs, [2.0, 2.0 * 60.0 ** (2 / 3), 200.0])
    assert set(run(optimizer, 4.0, most=4)) == {1e6}
    for wrong, match in (
        (past.drop("seconds"), "'cost' or 'seconds'"),
        (past.with_columns(seconds=np.array([1.0, -1.0, 2.0])), "row 1"),
        ([1], "past runs"),
    ):
        with pytest.raises(ProblemError, match=match):
            MultiFidelityBayes(Free(), cost=wrong, seed=0)


@pytest.mark.parametrize(
    "parameter",
    [
        bb.Ordinal("s", [1, 2, 8, 100]),
        bb.Integer("s", 1, 100),
        bb.Real("s", 1, 100),
        bb.Real("s", 1, 100, log=True),
    ],
    ids=str,
)
def test_learnt_costs_are_a_power_law_of_the_fidelity_between_runs_and_beyond(parameter):
    problem = bb.problem(
        lambda p: p["x"], bb.Space(bb.Real("x", 0, 1)), fidelity=bb.Fidelity(parameter, target=100)
    )
    values = parameter.check(np.array([1, 2, 8, 100]))
    for known in ([2, 8], [2, 100], [1, 8, 100]):
        runs = bb.Batch({"s": np.array(known), "cost": 3.0 * np.array(known) ** 1.5})
        price = MultiFidelityBayes(problem, cost=runs, seed=0)._price
        np.testing.assert_allclose(price.at(np.zeros((1, 1)), values)[0], 3.0 * values**1.5)
    one = bb.Batch({"s": np.array([2]), "cost": np.array([7.0])})
    price = MultiFidelityBayes(problem, cost=one, seed=0)._price
    np.testing.assert_allclose(price.at(np.zeros((1, 1)), values)[0], 7.0)


@pytest.mark.parametrize("names", [["a", "b", "c"], [-1, 0, 1]])
def test_learnt_costs_of_a_fidelity_without_powers_go_by_its_place(names):
    fidelity = bb.Fidelity(bb.Ordinal("s", names), target=names[2])
    problem = bb.problem(lambda p: p["x"], bb.Space(bb.Real("x", 0, 1)), fidelity=fidelity)
    runs = bb.Batch({"s": np.array(names)[[0, 2]], "cost": np.array([1.0, 100.0])})
    price = MultiFidelityBayes(problem, cost=runs, seed=0)._price
    costs = price.at(np.zeros((1, 1)), np.array(names))[0]
    np.testing.assert_allclose(costs, [1.0, 10.0, 100.0])


def test_candidates_are_all_that_is_proposed_and_each_once():
    problem, rng = Mixture(), np.random.default_rng(0)
    rows = problem.space.draw(12, rng)
    pool = rows.with_columns(params=np.repeat([1e6, 1e9], 6))
    optimizer = MultiFidelityBayes(problem, candidates=pool, seed=0)
    found = []
    while len(batch := optimizer.ask()):
        optimizer.tell(batch.with_columns(**problem.measure(batch)))
        found.append((batch["mix"][0], batch["params"][0]))
    assert len(found) == 12
    for mix, params in found:
        at = int(np.argmin(np.abs(pool["mix"] - mix).sum(axis=1)))
        np.testing.assert_allclose(pool["mix"][at], mix)
        assert pool["params"][at] == params
    best = pool["mix"][6:][np.argmin(problem.regret(pool[6:]))]
    np.testing.assert_allclose(optimizer.recommend()["mix"][0], best)
    with pytest.raises(ProblemError, match="target"):
        MultiFidelityBayes(problem, candidates=pool[:6], seed=0)
    wrong = pool.with_columns(params=np.full(12, 5.0))
    with pytest.raises(BlackboxError, match="params"):
        MultiFidelityBayes(problem, candidates=wrong, seed=0)


@pytest.mark.parametrize("name", ["candidates", "cost"])
def test_a_resume_with_other_rows_is_refused(tmp_path, name):
    problem, rng = Mixture(), np.random.default_rng(0)
    rows = problem.space.draw(6, rng).with_columns(params=np.full(6, 1e9), cost=np.arange(1.0, 7.0))
    given = rows if name == "cost" else rows.drop("cost")
    with bb.Study(problem, MultiFidelityBayes(problem, seed=0, **{name: given}), tmp_path) as study:
        study.run(2, progress=False)
    same = MultiFidelityBayes(problem, seed=0, **{name: given[np.arange(6)]})
    with bb.Study(problem, same, tmp_path) as study:
        assert study.told == 2
    other = MultiFidelityBayes(problem, seed=0, **{name: given[1:]})
    with pytest.raises(StudyMismatchError, match=name):
        bb.Study(problem, other, tmp_path)


def test_mixtures_stay_near_the_natural_shares():
    natural = np.array([0.7, 0.1, 0.1, 0.1])
    near = NearShares({"mix": natural}, radius=0.05)
    problem = Mixture()
    optimizer = MultiFidelityBayes(problem, region=near, seed=0)
    for _ in range(9):
        batch = optimizer.ask()
        assert divergence(batch["mix"], natural)[0] <= 0.05 + 1e-9
        optimizer.tell(batch.with_columns(**problem.measure(batch)))
    found = optimizer.recommend()["mix"]
    assert divergence(found, natural)[0] <= 0.05 + 1e-9
    assert problem.regret(optimizer.recommend())[0] < problem.regret({"mix": natural[None]})[0]
    for wrong in (
        NearShares({"mix": natural}, 0.0),
        NearShares({"mx": natural}, 0.1),
        NearShares({"mix": [1, 0, 1, 1]}, 0.1),
        NearShares({"mix": [1, 1]}, 0.1),
    ):
        with pytest.raises(ProblemError, match="NearShares"):
            MultiFidelityBayes(problem, region=wrong)


def test_the_gradient_inside_the_region_is_that_of_differences():
    near = NearShares({"mix": [0.4, 0.3, 0.2, 0.1]}, radius=0.1)
    features = Features(Mixture.space)
    weights = np.array([1.0, -2.0, 0.5, 3.0])

    class Bowl:
        def values(self, points):
            return (weights * points**2).sum(axis=1)

        def values_and_gradients(self, points):
            return self.values(points), 2 * weights * points

    function = Inside(Bowl(), near, features)
    points = features.draw(6, np.random.default_rng(0))
    gradients = function.values_and_gradients(points)[1]
    # Along the simplex, where a sum of one is kept.
    for away in np.eye(4)[1:] - np.eye(4)[:1]:
        ends = [function.values(points + sign * 1e-6 * away) for sign in (1, -1)]
        np.testing.assert_allclose(gradients @ away, np.subtract(*ends) / 2e-6, atol=1e-5)


def test_it_stops_where_the_gain_is_not_worth_the_cost():
    problem = Mixture()
    optimizer = MultiFidelityBayes(problem, least_gain=1e3, n_init=4, seed=0)
    assert len(run(optimizer, 5.0)) == 4
    assert len(optimizer.ask()) == 0


def test_resume_is_exact_with_judged_levels_and_pending_rows():
    problem = Mixture()
    first = told(MultiFidelityBayes(problem, seed=3))
    first.ask(2)
    second = MultiFidelityBayes(problem, seed=3)
    second.load_state_dict(unpack(pack(first.state_dict())))
    assert second.evidence == first.evidence
    assert second.ask(2).equals(first.ask(2))


def test_pending_rows_and_batches_are_distinct_and_a_failed_row_is_not_tried_again():
    problem = Mixture()
    optimizer = told(MultiFidelityBayes(problem, seed=0), targets=2)
    batch = optimizer.ask(4)
    rows = np.column_stack([batch["mix"], batch["params"]])
    assert len(np.unique(rows.round(9), axis=0)) == 4
    failed = batch.with_columns(loss=np.full(4, np.nan))
    optimizer.tell(failed)
    again = optimizer.ask()
    row = np.append(again["mix"][0], again["params"][0])
    assert np.abs(rows - row).max(axis=1).min() > 1e-9


class Tasks(Mixture):
    """Two losses that want different mixtures."""

    objectives = (bb.Minimize("a"), bb.Minimize("b"))

    def evaluate(self, p):
        small = {1e6: 1.0, 6e7: 0.3, 1e9: 0.0}[p["params"]]
        return {
            name: 10 * float(((p["mix"] - at) ** 2).sum()) + small
            for name, at in (("a", np.eye(4)[0]), ("b", np.eye(4)[1]))
        }


def test_tasks_have_a_model_each_and_are_weighed():
    problem, mixes = Tasks(), []
    for weights in ([1, 0], [1, 1]):
        optimizer = told(MultiFidelityBayes(problem, weights=weights, seed=0), n=30)
        run(optimizer, 1.0, most=3)
        mixes.append(optimizer.recommend()["mix"][0])
        both = optimizer.predict(optimizer.recommend())
        assert set(both) == {"a", "b"}
    assert mixes[0][0] > 0.8
    np.testing.assert_allclose(mixes[1], [0.5, 0.5, 0, 0], atol=0.15)
    worst = optimizer.recommend("worst")["mix"][0]
    assert abs(worst[0] - worst[1]) < 0.5
    assert len(optimizer.recommend("pareto")) > 1
    with pytest.raises(ProblemError, match="'sum'"):
        optimizer.recommend("best")
    with pytest.raises(ProblemError, match="weights"):
        MultiFidelityBayes(problem, weights=[1, -1])


def test_prediction_at_a_fidelity_and_before_any_row():
    problem = Mixture()
    optimizer = MultiFidelityBayes(problem, seed=0)
    rows = problem.space.draw(5, np.random.default_rng(1))
    with pytest.raises(TellError, match="no row"):
        optimizer.predict(rows)
    told(optimizer, n=30, targets=6)
    small = rows.with_columns(params=np.full(5, 1e6))
    target = rows.with_columns(params=np.full(5, 1e9))
    for batch in (small, target):
        mean, deviation = optimizer.predict(batch)["loss"]
        truth = problem.measure(batch)["loss"]
        np.testing.assert_allclose(mean, truth, atol=1.0)
        assert (deviation > 0).all()
    np.testing.assert_allclose(optimizer.predict(rows)["loss"], optimizer.predict(target)["loss"])


@pytest.mark.parametrize(
    "fidelity",
    [
        bb.Fidelity(bb.Real("epochs", 0.01, 1.0, log=True), target=1.0),
        bb.Fidelity(bb.Categorical("solver", ["rough", "fine"]), target="fine"),
        bb.Fidelity(bb.Integer("steps", 1, 64), target=64),
    ],
    ids=lambda f: f.name,
)
def test_continuous_and_unordered_fidelities(fidelity):
    def loss(p):
        near = {"rough": 0.1, "fine": 1.0}.get(p[fidelity.name], p[fidelity.name])
        return float((p["x"] - 0.3) ** 2 + 0.1 / float(near) ** 0.25)

    def cost(batch):
        return np.array(
            [{"rough": 0.1, "fine": 1.0}.get(v, v) for v in batch[fidelity.name].tolist()], float
        )

    def recommended(seed):
        problem = bb.problem(loss, bb.Space(bb.Real("x", 0, 1)), fidelity=fidelity, cost=cost)
        optimizer = MultiFidelityBayes(problem, seed=seed)
        for _ in range(25):
            batch = optimizer.ask()
            optimizer.tell(batch.with_columns(**problem.measure(batch)))
        outside = bb.Batch({"x": np.array([0.9]), fidelity.name: batch[fidelity.name]})
        optimizer.tell(outside.with_columns(**problem.measure(outside)))
        return optimizer.recommend()["x"][0]

    # A run that has hardly been to the target may be far off; one seed in ten or so is.
    assert abs(np.median([recommended(seed) for seed in range(3)]) - 0.3) < 0.1


def test_one_fidelity_alone_is_bayesian_optimization():
    problem = bb.problem(
        lambda p: float(((p["mix"] - BEST) ** 2).sum()), bb.Space(bb.Simplex("mix", 4))
    )
    optimizer = MultiFidelityBayes(problem, surrogate=MultiFidelityGP("tasks"), seed=0)
    for _ in range(25):
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(**problem.measure(batch)))
    assert problem.measure(optimizer.recommend())["y"][0] < 0.01
    assert optimizer.evidence == {0.0: 0.0}


def test_of_two_designs_worth_the_same_the_cheaper_is_proposed_without_a_fidelity_too():
    def proposed(cost):
        problem = bb.problem(
            lambda p: -((p["x"] - 0.5) ** 2), bb.Space(bb.Real("x", 0, 1)), cost=cost
        )
        pool = bb.Batch({"x": np.array([0.25, 0.5, 0.75])})
        optimizer = MultiFidelityBayes(problem, candidates=pool, n_init=0, seed=0)
        middle = pool[1:2]
        optimizer.tell(middle.with_columns(**problem.measure(middle)))
        return optimizer.ask()["x"][0]

    assert proposed(lambda batch: 1.0 + batch["x"]) == 0.25
    assert proposed(lambda batch: 2.0 - batch["x"]) == 0.75


class Limited(bb.Problem):
    """``f = x`` where ``x <= 0.5`` is feasible at the target."""

    space = bb.Space(bb.Real("x", 0, 1))
    objectives = (bb.Maximize("f"),)
    constraints = (bb.Constraint("c", upper=0.0),)
    fidelity = bb.Fidelity(bb.Ordinal("r", [1, 4]), target=4)

    def cost(self, batch):
        return batch["r"] / 4.0

    def evaluate(self, p):
        return {"f": p["x"], "c": p["x"] - 0.5}


GRID = np.linspace(0.0, 1.0, 9)


def told_limited(x, r, c, *, f=None, pool=None, **options):
    candidates = None if pool is None else bb.Batch({"x": pool})
    optimizer = MultiFidelityBayes(Limited(), seed=0, n_init=0, candidates=candidates, **options)
    optimizer.tell(bb.Batch({"x": x, "r": r, "f": x if f is None else f, "c": c}))
    return optimizer


@pytest.mark.parametrize(
    "pool", [None, GRID, np.linspace(0.0, 1.0, 33)], ids=["all", "told", "more"]
)
class TestConstraints:
    def test_what_breaks_one_at_the_target_is_not_recommended(self, pool):
        optimizer = told_limited(GRID, np.full(9, 4), GRID - 0.5, pool=pool)
        assert optimizer.recommend()["x"][0] == 0.5
        assert all(x <= 0.5 for x in optimizer.recommend("pareto")["x"])

    def test_the_target_decides_where_a_cheap_fidelity_says_otherwise(self, pool):
        x, r = np.tile(GRID, 2), np.repeat([1, 4], 9)
        for cheap in (-1.0, 1.0):
            c = np.concatenate([np.full(9, cheap), GRID - 0.5])
            assert told_limited(x, r, c, pool=pool).recommend()["x"][0] == 0.5

    def test_of_designs_told_cheaply_alone_the_model_of_the_target_decides(self, pool):
        at = GRID[::2]  # cheap rows break the limit by 1 less
        x, r = np.concatenate([GRID, at]), np.repeat([1, 4], [9, 5])
        c = np.concatenate([GRID - 1.5, at - 0.55])
        found = told_limited(x, r, c, pool=pool).recommend()["x"][0]
        assert found <= 0.55
        assert found >= 0.5

    def test_before_the_target_what_was_told_decides(self, pool):
        assert told_limited(GRID, np.full(9, 1), GRID - 0.5, pool=pool).recommend()["x"][0] == 0.5

    def test_nothing_is_recommended_where_nothing_is_feasible(self, pool):
        optimizer = told_limited(GRID, np.full(9, 4), GRID + 0.5, pool=pool)
        assert not len(optimizer.recommend())
        with pytest.raises(TellError, match="tell a feasible one"):
            optimizer.replicates(bb.Batch({"x": np.array([0.1, 0.2])}))

    def test_what_failed_at_the_target_is_not_recommended(self, pool):
        x, r = np.append(GRID, 1.0), np.append(np.full(9, 1), 4)
        f = np.append(GRID, np.nan)
        assert told_limited(x, r, x - 2.0, f=f, pool=pool).recommend()["x"][0] < 1.0


@pytest.mark.parametrize("c", [GRID + 0.5, GRID - 0.5], ids=["infeasible", "feasible"])
def test_the_least_gain_stops_nothing_before_a_design_is_feasible(c):
    optimizer = told_limited(GRID, np.full(9, 4), c, least_gain=1e6)
    assert len(optimizer.ask()) == (c > 0).all()


def test_a_design_drawn_into_the_region_has_to_be_feasible_there():
    class LimitedMixture(Mixture):
        constraints = (bb.Constraint("c", upper=0.0),)

    mix = np.concatenate([np.eye(4), np.full((1, 4), 0.25)])  # the first holds, far outside
    rows = bb.Batch(
        {"mix": mix, "params": np.full(5, 1e9), "loss": mix[:, 1], "c": 0.6 - mix[:, 0]}
    )
    for region, recommended in ((None, 1), (NearShares({"mix": np.full(4, 0.25)}, 0.05), 0)):
        optimizer = MultiFidelityBayes(LimitedMixture(), region=region, n_init=0, seed=0)
        optimizer.tell(rows)
        assert len(optimizer.recommend()) == recommended


@pytest.mark.parametrize("wrong", [{"n_init": -1}, {"least_gain": -1.0}, {"weights": [1, 2]}])
def test_arguments_are_checked(wrong):
    with pytest.raises(ProblemError, match=next(iter(wrong))):
        MultiFidelityBayes(Mixture(), **wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": "abc"},
        {"surrogate": bb.surrogates.ExactGP()},
        {"acquisition": bb.acquisitions.EI()},
        {"candidates": [{"mix": 1}]},
        {"region": 3},
        {"n_init": 2.5},
        {"n_init": "a"},
        {"least_gain": "a"},
        {"cost": bb.Batch({"params": [1e6], "cost": ["a"]})},
        {"cost": bb.Batch({"params": np.zeros(0), "cost": np.zeros(0)})},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_by_name(arguments):
    (name,) = arguments
    with pytest.raises(ProblemError, match=f"MultiFidelityBayes: .*{name}"):
        MultiFidelityBayes(Mixture(), **arguments)

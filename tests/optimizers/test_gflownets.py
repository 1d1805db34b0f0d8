"""GFlowNets behind ask and tell: the contract, the laws, constraints, preferences, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import blackbox as bb
from blackbox.errors import ProblemError, SpaceError, StateError, UnsupportedError
from blackbox.gflownets import (
    DetailedBalance,
    FlowMatching,
    SubTrajectoryBalance,
    TrajectoryBalance,
)
from blackbox.gflownets.losses import uniform_backward
from blackbox.optimizers.gflownets import Policy
from blackbox.state import pack, unpack
from blackbox.testing import checks

QUICK = Policy(hidden=(16,), steps=1)
CATS = [bb.Categorical(name, [0, 1, 2, 3]) for name in "abcd"]
TARGET = np.array([2, 0, 3, 1])


def table(batch):
    return np.column_stack([batch[name] for name in "abcd"])


def matches(batch):
    return {"y": (table(batch) == TARGET).sum(axis=1).astype(float)}


def two(batch):
    rows = table(batch)
    return {"u": (rows == 0).mean(axis=1), "v": (rows == 1).mean(axis=1)}


MATCHES = bb.problem(matches, bb.Space(*CATS), bb.Maximize("y"), batch=True)
TWO = bb.problem(two, bb.Space(*CATS), [bb.Maximize("u"), bb.Maximize("v")], batch=True)
CONSTRAINED = bb.problem(
    lambda b: matches(b) | {"sum": b["a"] + b["b"]},
    bb.Space(*CATS),
    bb.Maximize("y"),
    batch=True,
    constraints=[bb.Constraint("sum", upper=2)],
)
LINEAR = bb.problem(
    lambda b: {"y": b["k"].sum(axis=1).astype(float)},
    bb.Space(
        bb.Integer("k", 0, 5, size=3), constraints=[bb.LinearConstraint({"k": [1, 2, 3]}, upper=9)]
    ),
    bb.Maximize("y"),
    batch=True,
)
SUBJECTS = {
    "GFlowNet": (lambda p, s: bb.GFlowNet(p, n_init=3, batch_size=4, policy=QUICK, seed=s), None),
    "OrderPreservingGFN": (
        lambda p, s: bb.OrderPreservingGFN(p, n_init=3, batch_size=4, policy=QUICK, seed=s),
        None,
    ),
    "PreferenceGFN": (
        lambda p, s: bb.PreferenceGFN(p, n_init=3, batch_size=4, policy=QUICK, seed=s),
        [TWO],
    ),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check}")
        for name, (make, problems) in SUBJECTS.items()
        for check in checks(make, budget=8, problems=problems)
        if not (problems and check.name == "supports")  # none of the suite's own problems is its
    ],
)
def test_conformance(check):
    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    checks(
        lambda p, s: bb.ActiveGFN(p, n_init=3, batch_size=3, rounds=1, policy=QUICK, seed=s),
        budget=4,
    ),
    ids=str,
)
def test_conformance_of_the_active_one(check):
    check()


def run(optimizer, evaluations, batch=10):
    """The rows of a sequential run, with outcomes."""
    told = []
    while sum(map(len, told)) < evaluations:
        rows = optimizer.ask(batch)
        if not len(rows):
            break
        told.append(rows.with_columns(**optimizer.problem.measure(rows)))
        optimizer.tell(told[-1])
    return bb.Batch.concat(told)


@pytest.mark.parametrize("kind", [bb.GFlowNet, bb.OrderPreservingGFN, bb.ActiveGFN])
def test_finds_the_best_of_a_small_table_without_repetition(kind):
    arguments = {"beta": 4.0} if kind is bb.GFlowNet else {}
    rows = run(kind(MATCHES, seed=0, **arguments), 100 if kind is not bb.ActiveGFN else 60)
    assert rows["y"].max() == 4
    assert len(np.unique(table(rows), axis=0)) == len(rows)


@pytest.mark.parametrize(
    ("backbone", "learn_backward"),
    [(DetailedBalance(), True), (SubTrajectoryBalance(), False), (FlowMatching(), False)],
    ids=lambda value: type(value).__name__,
)
def test_order_is_learnt_on_every_backbone(backbone, learn_backward):
    policy = Policy(hidden=(32, 32), learn_backward=learn_backward, steps=4)
    optimizer = bb.OrderPreservingGFN(MATCHES, backbone=backbone, policy=policy, seed=1)
    run(optimizer, 80)
    assert matches(optimizer.sample(400))["y"].mean() > 1.3  # uniform: 1


@pytest.mark.parametrize(
    ("backbone", "weight"),
    [(TrajectoryBalance(), 1.0), (DetailedBalance(), 0.1), (SubTrajectoryBalance(), 0.1)],
    ids=lambda value: type(value).__name__,
)
def test_the_terms_of_the_loss_have_the_weights_of_the_paper(backbone, weight):
    # Balance + weight * order + 0.1 * KL, in units of the order loss.
    policy = Policy(hidden=(16,), learn_backward=True)
    optimizer = bb.OrderPreservingGFN(MATCHES, backbone=backbone, policy=policy, seed=0)
    walks = optimizer.sampler.walk(50)
    _, balance, evaluation = backbone.learnt(optimizer.sampler, walks)
    kl = uniform_backward(*evaluation.backward).detach()
    _, loss = optimizer._read(walks)
    assert float(loss.detach()) == pytest.approx(float(balance.detach() + 0.1 * kl) / weight)
    assert float(kl) > 1e-4


def test_a_monotone_transform_changes_nothing():
    def bent(batch):
        return {"y": np.exp(3 * matches(batch)["y"]) - 100}

    other = bb.problem(bent, bb.Space(*CATS), bb.Maximize("y"), batch=True)
    first, second = (
        run(bb.OrderPreservingGFN(p, policy=QUICK, seed=3), 50) for p in (MATCHES, other)
    )
    assert np.array_equal(table(first), table(second))


@pytest.mark.parametrize("labels", ["rank", "front"])
def test_fronts_are_found(labels):
    optimizer = bb.OrderPreservingGFN(TWO, labels=labels, seed=0)
    rows = run(optimizer, 120)
    assert sum(rows["u"] + rows["v"] == 1) >= 10  # of 16 on the front
    drawn = optimizer.sample(200)
    assert np.mean(two(drawn)["u"] + two(drawn)["v"] == 1) > 0.2  # uniform: 0.06


@pytest.mark.parametrize("labels", ["rank", "front"])
def test_cheap_problems_are_trained_on_directly(labels):
    optimizer = bb.OrderPreservingGFN(TWO, labels=labels, seed=0)
    losses = optimizer.train(100, n=48)
    assert losses.shape == (100,)
    drawn = two(optimizer.sample(200))
    assert np.mean(drawn["u"] + drawn["v"] == 1) > 0.3  # uniform: 0.06


@pytest.mark.parametrize("labels", ["rank", "front"])
def test_no_front_holds_what_breaks_a_constraint(labels):
    problem = bb.problem(
        lambda b: two(b) | {"low": (table(b) <= 1).sum(axis=1).astype(float)},
        bb.Space(*CATS),
        [bb.Maximize("u"), bb.Maximize("v")],
        batch=True,
        constraints=[bb.Constraint("low", upper=2)],
    )
    optimizer = bb.OrderPreservingGFN(problem, labels=labels, seed=0)
    optimizer.train(100, n=48)
    told = bb.OrderPreservingGFN(problem, labels=labels, seed=0)
    run(told, 80)
    for each in (optimizer, told):  # uniform: 0.69
        assert np.mean((table(each.sample(200)) <= 1).sum(axis=1) <= 2) > 0.8


def test_measured_constraints_rank_behind():
    optimizer = bb.OrderPreservingGFN(CONSTRAINED, seed=0)
    run(optimizer, 120)
    drawn = optimizer.sample(200)
    assert np.mean(drawn["a"] + drawn["b"] <= 2) > 0.8  # uniform: 0.38


@pytest.mark.parametrize("order", ["any", "fixed", "grid"])
def test_linear_constraints_are_masks(order):
    optimizer = bb.OrderPreservingGFN(LINEAR, construction=order, policy=QUICK, seed=0)
    rows = run(optimizer, 40)
    assert LINEAR.space.feasible(rows).all()
    assert LINEAR.space.feasible(optimizer.sample(100)).all()


def test_pairwise_answers_are_enough():
    taste = bb.problem(
        lambda b: {"taste": matches(b)["y"]}, bb.Space(*CATS), bb.Preference("taste"), batch=True
    )
    optimizer = bb.OrderPreservingGFN(taste, n_init=0, batch_size=2, seed=0)
    for _ in range(60):
        pair = optimizer.ask()
        liked = matches(pair)["y"]
        answer = np.argsort(np.argsort(liked)) * float(liked[0] != liked[1])
        optimizer.tell(pair.with_columns(taste=answer))
    assert matches(optimizer.sample(200))["y"].mean() > 1.7  # uniform: 1


def test_samples_are_proportional_to_the_reward():
    optimizer = bb.GFlowNet(
        bb.problem(
            lambda b: {"y": 0.2 + (table(b)[:, :2] ** 2).sum(axis=1)},
            bb.Space(*CATS[:2], bb.Categorical("c", [0]), bb.Categorical("d", [0])),
            bb.Maximize("y"),
            batch=True,
        ),
        reward="proportional",
        policy=Policy(hidden=(64, 64), lr=1e-2),
        seed=0,
    )
    optimizer.train(250, n=32)
    optimizer.trainer.slow(0.1)
    optimizer.train(100, n=32)
    grid = np.array(list(itertools.product(range(4), range(4))))
    rewards = 0.2 + (grid**2).sum(axis=1)
    law = rewards / rewards.sum()
    rows = bb.Batch({"a": grid[:, 0], "b": grid[:, 1], "c": [0] * 16, "d": [0] * 16})
    assert np.exp(optimizer.log_prob(rows)) == pytest.approx(law, rel=0.1, abs=1e-3)
    drawn = optimizer.sample(2000)
    counts = np.bincount(drawn["a"] * 4 + drawn["b"], minlength=16)
    assert stats.chisquare(counts, 2000 * law).pvalue > 0.01
    assert optimizer.log_partition == pytest.approx(np.log(rewards.sum()), abs=0.05)


@pytest.mark.parametrize("order", ["any", "fixed"])
def test_completion_is_the_conditional_law(order):
    optimizer = bb.GFlowNet(MATCHES, construction=order, reward="proportional", seed=0, n_init=0)
    rows = np.array(list(itertools.product(range(4), repeat=4)))
    every = bb.Batch({name: rows[:, i] for i, name in enumerate("abcd")})
    optimizer.train(60, n=32)
    given = optimizer.sample(2000, given={"b": 2})
    assert np.all(given["b"] == 2)
    if order == "any":
        return  # exact only at the flow itself
    law = np.exp(optimizer.log_prob(every)) * (rows[:, 1] == 2)
    place = table(given) @ [64, 16, 4, 1]
    kept = rows[:, 1] == 2
    counts = np.bincount(place, minlength=256)[kept]
    expected = 2000 * law[kept] / law.sum()
    assert 0.5 * np.abs(counts - expected).sum() / 2000 < 0.12


@pytest.mark.parametrize("learn_backward", [False, True])
@pytest.mark.parametrize("order", ["grid", None])
def test_completion_favours_nothing_that_is_built_early(order, learn_backward):
    free = bb.Integer("b", 0, 4) if order else bb.Sequence("b", "A", length=(0, 4))
    problem = bb.problem(
        lambda b: {"y": np.ones(len(b))},
        bb.Space(bb.Integer("a", 0, 2), free),
        bb.Maximize("y"),
        batch=True,
    )
    policy = Policy(hidden=(64,), lr=1e-2, learn_backward=learn_backward)
    optimizer = bb.GFlowNet(
        problem, reward="proportional", construction=order, policy=policy, seed=0
    )
    optimizer.train(300, n=32)
    rows = optimizer.sample(2000, given={"a": 2})
    assert np.all(rows["a"] == 2)
    size = rows["b"] if order else (rows["b"] != "").sum(axis=1)
    assert np.bincount(size, minlength=5) / 2000 == pytest.approx(np.full(5, 0.2), abs=0.05)


def test_local_search_trains_too():
    optimizer = bb.GFlowNet(MATCHES, reward="proportional", beta=2, seed=0)
    optimizer.train(60, n=16, local_search=2)
    assert matches(optimizer.sample(200))["y"].mean() > 1.5


def test_preferences_steer_and_exponents_too():
    optimizer = bb.PreferenceGFN(TWO, beta=(1.0, 24.0), seed=0)
    optimizer.train(250, n=48)
    first, second = (optimizer.sample(200, preference=w) for w in ([1, 0], [0, 1]))
    assert two(first)["u"].mean() > two(second)["u"].mean() + 0.4
    assert two(second)["v"].mean() > two(first)["v"].mean() + 0.4
    mild = optimizer.sample(200, preference=[1, 0], beta=1.0)
    assert two(mild)["u"].mean() < two(first)["u"].mean() - 0.1
    rows = first[:5]
    assert np.all(
        optimizer.log_prob(rows, preference=[1, 0]) > optimizer.log_prob(rows, preference=[0, 1])
    )


def test_what_is_minimized_is_trained_on_alike():
    turned = bb.problem(
        lambda b: {name: 1 - values for name, values in two(b).items()},
        bb.Space(*CATS),
        [bb.Minimize("u"), bb.Minimize("v")],
        batch=True,
    )
    losses, others = (bb.PreferenceGFN(p, policy=QUICK, seed=0).train(9) for p in (TWO, turned))
    assert others == pytest.approx(losses)


def test_objectives_of_another_range_are_not_cut_off_in_silence():
    # Cut off to [0, 1] all candidates would be worth the same.
    percent = bb.problem(
        lambda b: {name: 100 * (1 + values) for name, values in two(b).items()},
        bb.Space(*CATS),
        [bb.Maximize("u"), bb.Maximize("v")],
        batch=True,
    )
    optimizer = bb.PreferenceGFN(percent, policy=QUICK, seed=0)
    with pytest.raises(ProblemError, match=r"u is 1\d\d\.0, .* tell rows that show its range"):
        optimizer.train(1)
    rows = optimizer.ask(20)
    optimizer.tell(rows.with_columns(**percent.measure(rows)))
    optimizer.train(1)


@pytest.mark.parametrize("kind", [bb.OrderPreservingGFN, bb.PreferenceGFN])
def test_outcomes_that_are_not_finite_are_refused_before_training(kind):
    problem = bb.problem(
        lambda b: two(b) | {"v": np.where(b["a"] == 1, np.nan, 0.5)},
        bb.Space(*CATS),
        [bb.Maximize("u"), bb.Maximize("v")],
        batch=True,
    )
    optimizer = kind(problem, policy=QUICK, seed=0)
    with pytest.raises(ProblemError, match="is not finite"):
        optimizer.train(1)


def test_an_exponent_of_zero_asks_for_the_uniform_law():
    optimizer = bb.GFlowNet(MATCHES, reward="proportional", beta=0, policy=QUICK, seed=0)
    optimizer.train(100)
    assert optimizer.log_partition == pytest.approx(4 * np.log(4), abs=0.5)


def test_active_sampler_takes_several_objectives():
    optimizer = bb.ActiveGFN(TWO, n_init=10, rounds=2, policy=QUICK, seed=0)
    rows = run(optimizer, 40)
    assert sum(rows["u"] + rows["v"] == 1) >= 8


def test_small_spaces_are_exhausted():
    problem = bb.problem(
        lambda b: {"y": b["a"] * 1.0}, bb.Space(bb.Integer("a", 0, 6)), bb.Maximize("y"), batch=True
    )
    rows = run(bb.OrderPreservingGFN(problem, policy=QUICK, seed=0), 100, batch=3)
    assert sorted(rows["a"].tolist()) == list(range(7))


@pytest.mark.parametrize("kind", [bb.GFlowNet, bb.OrderPreservingGFN])
def test_failed_and_equal_rows(kind):
    optimizer = kind(MATCHES, n_init=2, policy=QUICK, seed=0)
    for value in (1.0, np.nan):
        for n in (1, 5):
            rows = optimizer.ask(n)
            optimizer.tell(rows.with_columns(y=np.full(n, value)))
    assert len(optimizer.ask(3)) == 3


def test_state_holds_the_network_and_goes_on_exactly():
    first = bb.OrderPreservingGFN(MATCHES, n_init=5, seed=0)
    run(first, 20)
    again = bb.OrderPreservingGFN(MATCHES, n_init=5, seed=0)
    again.load_state_dict(unpack(pack(first.state_dict())))
    for _ in range(2):
        rows = first.ask()
        assert again.ask() == rows
        for optimizer in (first, again):
            optimizer.tell(rows.with_columns(**matches(rows)))
    assert first.sample(20) == again.sample(20)


def test_a_network_of_another_shape_is_refused():
    state = bb.OrderPreservingGFN(MATCHES, policy=QUICK, seed=0).state_dict()
    weights = state["own"]["sampler"]["weights"]
    name = next(iter(weights))
    weights[name] = np.zeros((1, *weights[name].shape), dtype=np.float32)
    with pytest.raises(StateError, match="the state is damaged"):
        bb.OrderPreservingGFN(MATCHES, policy=QUICK, seed=0).load_state_dict(state)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (lambda b: -1.0 - matches(b)["y"], "finite number of at least 0"),
        (lambda b: matches(b)["y"] * np.nan, "finite number of at least 0"),
        (lambda b: matches(b)["y"] + np.inf, "finite number of at least 0"),
        (lambda b: matches(b)["y"] * 0, "every reward is 0"),
        ("boltzmann", "standardises by what was told"),
    ],
)
def test_rewards_that_are_none_are_refused_before_training(reward, message):
    optimizer = bb.GFlowNet(MATCHES, reward=reward, seed=0)
    with pytest.raises(ProblemError, match=message):
        optimizer.train(1)


def test_rewards_that_are_none_are_recorded_with_a_warning():
    optimizer = bb.GFlowNet(MATCHES, reward="proportional", policy=QUICK, seed=0)
    rows = optimizer.ask(4)
    with pytest.warns(UserWarning, match="at least 0"):
        optimizer.tell(rows.with_columns(y=[1.0, 2.0, -3.0, 0.0]))
    assert len(optimizer.known) == 4


def test_no_rows_have_no_probabilities():
    none = MATCHES.space.draw(1, np.random.default_rng(0))[:0]
    assert bb.GFlowNet(MATCHES, policy=QUICK).log_prob(none).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bb.GFlowNet(MATCHES, reward="best"), ProblemError, "reward='best'"),
        (lambda: bb.GFlowNet(MATCHES, beta=-1), ProblemError, "beta=-1"),
        (lambda: bb.GFlowNet(MATCHES, device="cuda:77"), ProblemError, "cannot be used"),
        (lambda: bb.GFlowNet(MATCHES, construction="up"), SpaceError, "order='up'"),
        (lambda: bb.GFlowNet(MATCHES, n_init=-1), ProblemError, "n_init=-1"),
        (lambda: bb.GFlowNet(TWO), UnsupportedError, "2 objectives"),
        (lambda: bb.OrderPreservingGFN(MATCHES, labels="best"), ProblemError, "labels='best'"),
        (lambda: bb.OrderPreservingGFN(MATCHES, batch_size=0), ProblemError, "batch_size=0"),
        (lambda: bb.PreferenceGFN(MATCHES), UnsupportedError, "1 objectives"),
        (lambda: bb.PreferenceGFN(TWO, scalarization="x"), ProblemError, "scalarization='x'"),
        (lambda: bb.PreferenceGFN(TWO, scalarization=[]), ProblemError, r"scalarization=\[\]"),
        (lambda: SubTrajectoryBalance(decay="a"), ProblemError, "decay='a' must be a number"),
        (
            lambda: bb.PreferenceGFN(TWO).sample(1, preference=[0.5, 0.6]),
            ProblemError,
            "sum to 1",
        ),
        (lambda: bb.PreferenceGFN(TWO).sample(1, preference=[1]), ProblemError, "2 non-negative"),
        (lambda: bb.PreferenceGFN(TWO).sample(1, beta=3), ProblemError, "beta=3"),
        (lambda: bb.ActiveGFN(MATCHES, rounds=0), ProblemError, "rounds=0"),
        (lambda: bb.ActiveGFN(MATCHES, acquisition="EI"), ProblemError, "acquisition='EI'"),
        (
            lambda: bb.ActiveGFN(TWO, acquisition=bb.acquisitions.EI()),
            UnsupportedError,
            "EI cannot take 2 objectives",
        ),
        (lambda: bb.GFlowNet(MATCHES).sample(0), ProblemError, "n=0"),
        (lambda: bb.GFlowNet(MATCHES).sample(1, given={"a": 9}), SpaceError, "'a'"),
        (lambda: bb.GFlowNet(MATCHES).sample(1, given={"z": 9}), SpaceError, "'z'"),
        (lambda: bb.GFlowNet(MATCHES, backbone="tb"), ProblemError, "backbone='tb'"),
        (lambda: bb.GFlowNet(MATCHES, policy=None), ProblemError, "policy=None"),
        (lambda: bb.PreferenceGFN(TWO, beta=(2, 1)), ProblemError, "the least and the largest"),
        (lambda: bb.PreferenceGFN(TWO, beta=(1,)), ProblemError, "the least and the largest"),
        (lambda: bb.GFlowNet(MATCHES).sample(1, given=[1]), ProblemError, "give a dict"),
        (
            lambda: bb.GFlowNet(MATCHES, reward=lambda b: [1.0, 2.0]).train(1, n=3),
            ProblemError,
            "give a number for each row",
        ),
        (lambda: Policy(hidden=3), ProblemError, "hidden=3"),
        (lambda: Policy(learn_backward="no"), ProblemError, "learn_backward='no'"),
        (lambda: Policy(hidden=(0,)), ProblemError, "hidden=0"),
        (lambda: Policy(lr=2), ProblemError, "lr=2"),
        (
            lambda: bb.GFlowNet(bb.problem(lambda p: 1.0, bb.Space(bb.Real("x", 0, 1)))),
            UnsupportedError,
            "'x' is a Real",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()

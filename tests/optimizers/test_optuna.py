"""Optuna behind ask and tell: the rows are its own, and the rest of the process is left alone."""

from __future__ import annotations

import logging
import random
import sys

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blackbox as bb
from blackbox.errors import MissingExtraError, ProblemError, UnsupportedError
from blackbox.metrics import hypervolume
from blackbox.optimizers.optuna._axes import Axes
from blackbox.state import pack, unpack

REALS = bb.Space(bb.Real("x", -5, 5, size=3), bb.Real("lr", 1e-4, 1, log=True))
MIXED = bb.Space(
    bb.Real("lr", 1e-5, 1, log=True),
    bb.Real("x", -5, 5, size=2),
    bb.Integer("n", 1, 20, log=True),
    bb.Integer("k", -3, 3, size=2),
    bb.Ordinal("depth", [2, 4, 8]),
    bb.Categorical("act", ["relu", None, 3]),
    bb.Simplex("mix", ["web", "code", "books"]),
    bb.Permutation("order", 4),
    bb.Sequence("word", "ACGT", (0, 5)),
    bb.Sequence("code", ["ab", "c"], 2),
)


def bowl(p):
    return float((p["x"] ** 2).sum()) + np.log10(p["lr"] / 1e-2) ** 2


def mixed(p):
    miss = (p["act"] != 3) + (p["depth"] - 4) ** 2 / 4 + float((p["k"] ** 2).sum()) / 4
    return float((p["x"] ** 2).sum()) / 5 + miss + 2 * float(p["mix"][1]) + len(p["word"]) / 2


BOWL = bb.problem(bowl, REALS)
ASCENT = bb.problem(lambda p: -bowl(p), REALS, bb.Maximize("y"))
MIX = bb.problem(mixed, MIXED)
FRONT = bb.problem(
    lambda b: {
        "f": b["x"][:, 0],
        "g": -(1 + 3 * b["x"][:, 1:].sum(1)) * (1 - np.sqrt(b["x"][:, 0] / 2)),
    },
    bb.Space(bb.Real("x", 0, 1, size=4)),
    [bb.Minimize("f"), bb.Maximize("g")],
    batch=True,
)
LIMITED = bb.problem(
    lambda p: {"y": -p["u"] - p["v"], "c": p["u"] ** 2 + p["v"] ** 2},
    bb.Space(bb.Real("u", 0, 4), bb.Real("v", 0, 4)),
    constraints=[bb.Constraint("c", upper=1.0)],
)


def loop(optimizer, rounds, n=1):
    """Every row asked, with its outcomes."""
    rows = []
    for _ in range(rounds):
        batch = optimizer.ask(n)
        rows.append(batch.with_columns(**optimizer.problem.measure(batch)))
        optimizer.tell(rows[-1])
    return bb.Batch.concat(rows)


def best(problem, optimizer, rounds):
    return problem.scores(loop(optimizer, rounds)).max()


def by_chance(problem, rounds, seed):
    return loop(bb.Random(problem, seed=seed), 1, rounds)


@pytest.mark.parametrize(
    ("make", "problem", "rounds", "options"),
    [
        pytest.param(bb.optuna.TPE, ASCENT, 60, {}, id="TPE"),
        pytest.param(bb.optuna.CMAES, BOWL, 100, {}, id="CMAES"),
        pytest.param(bb.optuna.GP, ASCENT, 30, {}, id="GP", marks=pytest.mark.slow),
    ],
)
def test_comes_far_closer_to_the_optimum_than_chance(make, problem, rounds, options):
    found = [-best(problem, make(problem, seed=s, **options), rounds) for s in range(3)]
    chance = [-problem.scores(by_chance(problem, rounds, s)).max() for s in range(20)]
    assert max(found) < np.median(chance) / 2


@pytest.mark.parametrize(
    ("make", "rounds", "options"),
    [(bb.optuna.TPE, 80, {}), (bb.optuna.NSGA2, 300, {"population_size": 25})],
)
def test_front_covers_more_than_chance(make, rounds, options):
    def volume(rows):
        return hypervolume(FRONT.scores(rows), [-1.0, -10.0])

    found = [volume(loop(make(FRONT, seed=s, **options), rounds)) for s in range(2)]
    assert min(found) > max(volume(by_chance(FRONT, rounds, s)) for s in range(10))


def direct(sampler, problem, space, rounds, constrained=False):
    """What Optuna itself does on two or more reals, without this package in between."""
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * len(problem.objectives))
    rows = []
    for _ in range(rounds):
        trial = study.ask(space)
        rows.append(list(trial.params.values()))
        batch = bb.Batch({"u": [trial.params["u"]], "v": [trial.params["v"]]})
        outcomes = problem.measure(batch)
        if constrained:
            trial.set_constraint("c", float(outcomes["c"][0] - 1.0))
        study.tell(trial, [float(outcomes[o.name][0]) for o in problem.objectives])
    return np.array(rows)


PLAIN = bb.problem(
    lambda p: (p["u"] - 1) ** 2 + np.log(p["v"]) ** 2,
    bb.Space(bb.Real("u", -3, 3), bb.Real("v", 1e-3, 10, log=True)),
)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("name", "sampler", "options", "rounds"),
    [
        ("TPE", "TPESampler", {}, 30),
        ("CMAES", "CmaEsSampler", {}, 30),
        ("NSGA2", "NSGAIISampler", {"population_size": 6}, 30),
        ("Random", "RandomSampler", {}, 30),
        pytest.param("GP", "GPSampler", {}, 14, marks=pytest.mark.slow),
    ],
)
def test_told_in_order_the_rows_are_optunas_own(name, sampler, options, rounds):
    space = {
        "u": optuna.distributions.FloatDistribution(-3, 3),
        "v": optuna.distributions.FloatDistribution(1e-3, 10, log=True),
    }
    expected = direct(getattr(optuna.samplers, sampler)(seed=11, **options), PLAIN, space, rounds)
    rows = loop(getattr(bb.optuna, name)(PLAIN, seed=11, **options), rounds)
    np.testing.assert_array_equal(np.column_stack([rows["u"], rows["v"]]), expected)


@pytest.mark.parametrize(
    ("name", "sampler", "options"),
    [("TPE", "TPESampler", {}), ("NSGA2", "NSGAIISampler", {"population_size": 6})],
)
def test_constraints_reach_optuna(name, sampler, options):
    space = {n: optuna.distributions.FloatDistribution(0, 4) for n in "uv"}
    expected = direct(
        getattr(optuna.samplers, sampler)(seed=2, **options), LIMITED, space, 40, constrained=True
    )
    rows = loop(getattr(bb.optuna, name)(LIMITED, seed=2, **options), 40)
    np.testing.assert_array_equal(np.column_stack([rows["u"], rows["v"]]), expected)


@pytest.mark.parametrize("make", [bb.optuna.TPE, bb.optuna.NSGA2])
def test_feasible_rows_become_frequent(make):
    options = {"population_size": 10} if make is bb.optuna.NSGA2 else {}
    shares = [LIMITED.feasible(loop(make(LIMITED, seed=s, **options), 80)).mean() for s in range(3)]
    # A twentieth of the space is feasible, and the objective pulls away from it.
    assert np.median(shares) > 4 * np.pi / 64


@pytest.mark.slow
def test_gp_finds_the_edge_of_the_feasible_region():
    rows = loop(bb.optuna.GP(LIMITED, seed=1), 25)
    assert rows["y"][LIMITED.feasible(rows)].min() == pytest.approx(-np.sqrt(2), abs=0.01)


@pytest.mark.parametrize(
    ("make", "rounds", "options"),
    [(bb.optuna.TPE, 60, {}), (bb.optuna.NSGA2, 200, {"population_size": 20})],
)
def test_mixed_space_is_searched(make, rounds, options):
    found = [best(MIX, make(MIX, seed=s, **options), rounds) for s in range(2)]
    assert min(found) > np.median([MIX.scores(by_chance(MIX, rounds, s)).max() for s in range(10)])


@given(st.integers(0, 2**32))
def test_rows_survive_the_way_to_optuna_and_back(seed):
    rows = MIXED.draw(4, np.random.default_rng(seed))
    axes = Axes(MIXED)
    params = axes.params(rows)
    again = axes.rows(params)
    for name in set(MIXED.names) - {"mix"}:
        assert again.select([name]) == rows.select([name])
    np.testing.assert_allclose(again["mix"], rows["mix"], atol=1e-12)
    for row in params:
        for name, value in row.items():
            assert axes.distributions[name]._contains(
                axes.distributions[name].to_internal_repr(value)
            )


def test_elements_of_vectors_carry_their_labels():
    names = list(Axes(MIXED).distributions)
    assert names[:3] == ["lr", "x[0]", "x[1]"]
    assert "mix[code]" in names
    assert "word[length]" in names
    assert "code[length]" not in names


def test_categories_have_no_distances_for_cma():
    with pytest.raises(UnsupportedError, match="'act' is a Categorical"):
        bb.optuna.CMAES(MIX)


@pytest.mark.parametrize("option", ["with_margin", "lr_adapt"])
def test_experimental_options_warn_nobody(option):
    problem = bb.problem(
        lambda p: p["n"] ** 2 + p["x"] ** 2, bb.Space(bb.Integer("n", -9, 9), bb.Real("x", -1, 1))
    )
    optimizer = bb.optuna.CMAES(problem, seed=0, **{option: True})
    assert problem.scores(loop(optimizer, 80)).max() > -1


def test_failed_rows_fail_in_optuna_too():
    space = bb.Space(bb.Real("u", 0, 1), bb.Real("v", 0, 1))
    problem = bb.problem(lambda p: np.nan if p["u"] > 0.5 else p["v"] - p["u"], space)
    rows = loop(bb.optuna.NSGA2(problem, population_size=8, seed=3), 40)
    study = optuna.create_study(sampler=optuna.samplers.NSGAIISampler(population_size=8, seed=3))
    floats = {n: optuna.distributions.FloatDistribution(0, 1) for n in "uv"}
    for u, v, y in zip(rows["u"], rows["v"], rows["y"], strict=True):
        trial = study.ask(floats)
        assert trial.params == {"u": u, "v": v}
        if np.isnan(y):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, y)
    assert 5 < np.isnan(rows["y"]).sum() < 35


@pytest.mark.parametrize("name", ["TPE", "NSGA2"])
def test_data_from_outside_is_learnt(name):
    problem = bb.problem(
        lambda p: float(((p["x"] - 0.9) ** 2).sum()), bb.Space(bb.Real("x", 0, 1, size=4))
    )
    optimizer = getattr(bb.optuna, name)(
        problem, seed=0, **({"population_size": 10} if name == "NSGA2" else {})
    )
    rng = np.random.default_rng(0)
    far, near = (
        bb.Batch({"x": rng.random((20, 4))}),
        bb.Batch({"x": 0.8 + 0.2 * rng.random((20, 4))}),
    )
    for rows in (far, near):
        optimizer.tell(rows.with_columns(**problem.measure(rows)))
    proposed = loop(optimizer, 10)["x"]
    assert np.median(np.abs(proposed - 0.9)) < 0.15  # by chance: 0.4


def test_a_row_evaluated_elsewhere_counts_where_it_was_evaluated():
    problem = bb.problem(lambda p: abs(p["x"]), bb.Space(bb.Real("x", -1, 1)))
    moved, outside = (bb.optuna.TPE(problem, n_startup_trials=2, seed=0) for _ in range(2))
    rows = bb.Batch({"x": np.linspace(-0.1, 0.1, 12), "y": np.abs(np.linspace(-0.1, 0.1, 12))})
    for optimizer in (moved, outside):
        asked = optimizer.ask(12)
        if optimizer is moved:
            optimizer.tell(rows.with_columns(id=asked["id"]))
        else:
            optimizer.tell(asked.with_columns(y=np.nan))
            optimizer.tell(rows)
    assert moved.ask(5) == outside.ask(5)


def wander(optimizer, rng, rounds=8):
    """Asks of any size, tells in any order, failures, and data from outside."""
    problem, held = optimizer.problem, []
    for _ in range(rounds):
        batch = optimizer.ask(int(rng.integers(1, 8)))
        held.extend(batch.with_columns(**problem.measure(batch))[[i]] for i in range(len(batch)))
        rng.shuffle(held)
        for row in [held.pop() for _ in range(int(rng.integers(0, len(held) + 1)))]:
            optimizer.tell(row.with_columns(ok=bool(rng.random() < 0.8)))
        data = problem.space.draw(2, rng)
        optimizer.tell(data.with_columns(**problem.measure(data)))


@pytest.mark.parametrize(
    ("name", "problem", "options"),
    [
        ("TPE", MIX, {}),
        ("TPE", LIMITED, {}),
        ("NSGA2", MIX, {"population_size": 5}),
        ("NSGA2", FRONT, {"population_size": 5}),
        ("CMAES", BOWL, {"population_size": 5}),
        ("Random", MIX, {}),
        pytest.param("GP", LIMITED, {"n_startup_trials": 3}, marks=pytest.mark.slow),
    ],
)
def test_goes_on_exactly_after_save_and_load(name, problem, options):
    make = getattr(bb.optuna, name)
    optimizer = make(problem, **options)  # without a seed: the state has to carry the key
    wander(optimizer, np.random.default_rng(5), rounds=3 if name == "GP" else 8)
    loaded = make(problem, **options)
    loaded.load_state_dict(unpack(pack(optimizer.state_dict())))
    for _ in range(2):
        a, b = optimizer.ask(3), loaded.ask(3)
        assert a == b
        outcomes = problem.measure(a)
        optimizer.tell(a.with_columns(**outcomes))
        loaded.tell(b.with_columns(**outcomes))
    assert pack(loaded.state_dict()) == pack(optimizer.state_dict())


def test_global_generators_are_neither_used_nor_disturbed():
    runs = []
    kept = np.random.get_state(), random.getstate()  # noqa: NPY002 - it is what is tested
    try:
        for seed in (1, 2):
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
            optimizers = [getattr(bb.optuna, n)(BOWL, seed=4) for n in ("TPE", "CMAES", "NSGA2")]
            runs.append([loop(o, 15) for o in optimizers])
            assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
            assert random.getstate() == before[1]
    finally:
        np.random.set_state(kept[0])  # noqa: NPY002
        random.setstate(kept[1])
    assert runs[0] == runs[1]


def test_optuna_is_silent_and_its_verbosity_is_the_users():
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    handler, level = Keep(), optuna.logging.get_verbosity()
    logger = logging.getLogger("optuna")
    logger.addHandler(handler)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        loop(bb.optuna.CMAES(BOWL, seed=0), 20)
        assert records == []
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
        optuna.create_study()
        assert any("new study" in text for text in records)
    finally:
        logger.removeHandler(handler)
        optuna.logging.set_verbosity(level)


@pytest.mark.parametrize(("name", "module"), [("CMAES", "cmaes"), ("GP", "torch")])
def test_missing_extra_is_named(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"blackbox\[optuna\]"):
        getattr(bb.optuna, name)(BOWL)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("TPE", {"multivariate": "no"}),
        ("TPE", {"constant_liar": 1}),
        ("GP", {"deterministic": "no"}),
        ("CMAES", {"with_margin": "no"}),
        ("CMAES", {"lr_adapt": None}),
        ("NSGA2", {"mutation_prob": 1.5}),
        ("NSGA2", {"crossover_prob": "a"}),
        ("NSGA2", {"swapping_prob": None}),
    ],
)
def test_switches_and_probabilities_are_checked(name, options):
    ((field, value),) = options.items()
    with pytest.raises(ProblemError, match=f"{field}={value!r} must be"):
        getattr(bb.optuna, name)(BOWL, **options)


def test_options_are_checked():
    with pytest.raises(ProblemError, match="population_size=1 must be an int of at least 2"):
        bb.optuna.NSGA2(BOWL, population_size=1)
    with pytest.raises(ProblemError, match="n_startup_trials='many'"):
        bb.optuna.TPE(BOWL, n_startup_trials="many")


def test_fingerprint_tells_the_package():
    assert bb.optuna.Random(BOWL, seed=1).spec() != bb.Random(BOWL, seed=1).spec()
    assert bb.optuna.Random(BOWL, seed=1).spec()["type"] == "optuna.Random"


@pytest.mark.parametrize("multivariate", [True, False])
def test_tpe_learns_where_rows_fail(multivariate):
    # No row is known to be bad there, so their like would be proposed for ever.
    space = bb.Space(bb.Real("x", -1, 1, size=3))
    objectives = [bb.Minimize("f"), bb.Minimize("g")]
    problem = bb.problem(lambda b: {}, space, objectives, batch=True)
    optimizer = bb.optuna.TPE(problem, multivariate=multivariate, seed=0)
    failed = []
    for _ in range(80):
        row = optimizer.ask()
        x = row["x"]
        failed.append(bool(x[0, 0] > 0.5))
        f = np.where(failed[-1], np.nan, (x**2).sum(axis=1))
        optimizer.tell(row.with_columns(f=f, g=((x - 0.3) ** 2).sum(axis=1)))
    assert np.mean(failed[-30:]) < 0.1  # uniform: 0.25

"""Optimizers made of emitters: they conform, illuminate, and learn from late, partial, bad rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import GridArchive, UnstructuredArchive
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.optimizers.quality_diversity.emitters import EvolutionEmitter, ranked
from blackbox.optimizers.quality_diversity.multi_emitter import Bandit
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import pack, unpack
from blackbox.testing import Check, checks
from tests.optimizers.spaces import measured

SMALL = {"cells": (6, 6), "emitters": 3, "batch_size": 4}
MAKES: dict[str, Callable[[bb.Problem, int | None], bb.Optimizer]] = {
    "CMAME": lambda p, s: bb.CMAME(p, **SMALL, seed=s),
    "full": lambda p, s: bb.CMAMAE(p, **SMALL, seed=s),
    "shared": lambda p, s: bb.CMAMAE(p, strategy="shared", **SMALL, seed=s),
    "separable": lambda p, s: bb.CMAMAE(p, strategy="separable", **SMALL, seed=s),
    "low-memory": lambda p, s: bb.CMAMAE(p, strategy="low-memory", **SMALL, seed=s),
    "MultiEmitter": lambda p, s: bb.MultiEmitter(p, **SMALL, seed=s),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check}")
        for name, make in MAKES.items()
        for check in checks(make, budget=30, problems=measured())
    ],
)
def test_conformance(check: Check) -> None:
    check()


SPHERE = bb.problems.SphereProjection(10)


def run(optimizer: bb.Optimizer, rows: int, n: int | None = None) -> bb.Optimizer:
    """Ask and tell until so many rows are told."""
    while optimizer.asked < rows:
        batch = optimizer.ask(n)
        optimizer.tell(batch.with_columns(**optimizer.problem.measure(batch)))
    return optimizer


def scored(optimizer: bb.Optimizer) -> float:
    """QD score per cell."""
    return np.maximum(optimizer.archive.scores, 0).sum() / optimizer.archive.size


@pytest.fixture(scope="module")
def plain() -> float:
    """What MAP-Elites by Gaussian steps scores."""
    variation = Variation(iso=0.02, line=0, exchange=0)
    return scored(run(bb.MapElites(SPHERE, cells=(30, 30), variation=variation, seed=0), 20_000))


@pytest.mark.parametrize("name", [*MAKES])
def test_fills_more_and_better_than_steps_without_direction(name, plain):
    options = {"cells": (30, 30), "emitters": 5, "batch_size": 20, "seed": 1}
    if name == "CMAME":
        optimizer = bb.CMAME(SPHERE, **options)
    elif name == "MultiEmitter":
        optimizer = bb.MultiEmitter(SPHERE, **options)
    else:
        optimizer = bb.CMAMAE(SPHERE, strategy=name, learning_rate=0.1, **options)
    # Gaussian steps: 49 to 52 over seeds; these 58 to 71.
    assert scored(run(optimizer, 20_000)) > 1.05 * plain


@pytest.mark.parametrize("make", [bb.CMAME, bb.CMAMAE])
def test_the_unit_of_the_objective_does_not_matter(make):
    class Small(bb.problems.SphereProjection):
        unit = 2.0**-60

        def evaluate_batch(self, batch):
            made = super().evaluate_batch(batch)
            return {**made, "f": self.unit * made["f"]}

    archives = []
    for problem in (SPHERE, Small(10)):
        optimizer = make(problem, cells=(20, 20), emitters=3, batch_size=20, seed=0)
        archives.append(run(optimizer, 2_000).archive)
    assert np.array_equal(archives[0].elites["x"], archives[1].elites["x"])
    assert np.array_equal(archives[0].scores * Small.unit, archives[1].scores)


def rows(gain, status=0, excess=0.0) -> bb.Batch:
    n = len(gain)
    return bb.Batch(
        {
            "gain": np.array(gain, float),
            "status": np.broadcast_to(np.array(status, np.int8), n),
            "excess": np.broadcast_to(np.array(excess, float), n),
        }
    )


def test_rows_are_ranked_by_gain_and_bad_ones_last():
    told = rows([1.0, np.nan, 3.0, np.nan, 2.0], [1, 0, 1, 0, 2], [0, np.inf, 0, 1.5, 0])
    assert ranked(told, new_first=False).tolist() == [2, 4, 0, 3, 1]
    assert ranked(told, new_first=True).tolist() == [4, 2, 0, 3, 1]


def test_pieces_in_any_order_teach_the_same_as_whole_generations():
    whole, pieces = (bb.CMAMAE(SPHERE, emitters=3, batch_size=6, seed=2) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(6):
        batch = whole.ask()
        held = pieces.ask()
        assert held == batch
        told = batch.with_columns(**SPHERE.measure(batch))
        whole.tell(told)
        for i in rng.permutation(len(told)).tolist():
            pieces.tell(told[[i]])
        for one, other in zip(whole.emitters, pieces.emitters, strict=True):
            assert one.generation == other.generation
            # Thresholds rise row by row, so gains and with them the means may differ a little.
            np.testing.assert_allclose(one.strategy.mean, other.strategy.mean, atol=0.05)
        pieces.load_state_dict(whole.state_dict())


def test_an_emitter_moves_once_enough_rows_of_its_distribution_are_told():
    optimizer = bb.CMAMAE(SPHERE, emitters=2, batch_size=5, seed=3)
    emitters = optimizer.emitters
    first, spare = optimizer.ask(10), optimizer.ask(10)
    assert optimizer.batch_size == 10
    told = [b.with_columns(**SPHERE.measure(b)) for b in (first, spare)]
    optimizer.tell(told[1][:4])
    assert [e.generation for e in emitters] == [0, 0]
    optimizer.tell(told[0][3:6])  # the fifth row of the first emitter, and one of the second
    assert [e.generation for e in emitters] == [1, 0]
    mean = emitters[0].strategy.mean.copy()
    optimizer.tell(told[0][:3])  # late: archived, and no more
    np.testing.assert_array_equal(emitters[0].strategy.mean, mean)
    assert set(optimizer.archive.elites["id"]) & {0, 1, 2}
    optimizer.tell(bb.Batch.concat([told[1][4:], told[0][6:]]))
    assert [e.generation for e in emitters] == [1, 1]


def test_rows_that_never_come_back_hold_nothing_up():
    optimizer = bb.CMAME(SPHERE, emitters=2, batch_size=5, seed=4)
    optimizer.ask()
    run(optimizer, 200)
    assert all(e.generation >= 5 for e in optimizer.emitters)


@pytest.mark.parametrize("name", ["CMAME", "full", "MultiEmitter"])
def test_failed_rows_rank_last_and_cost_nothing(name):
    optimizer = MAKES[name](SPHERE, 5)
    for _ in range(100):
        batch = optimizer.ask()
        outcomes = SPHERE.measure(batch)
        ok = batch["x"][:, 0] < 0.2  # the optimum lies beyond
        outcomes["f"] = np.where(ok, outcomes["f"], np.nan)
        optimizer.tell(batch.with_columns(**outcomes))
    assert len(optimizer.archive) > 5
    assert (optimizer.archive.elites["x"][:, 0] < 0.2).all()
    last = [optimizer.ask(12)["x"][:, 0] for _ in range(5)]
    assert np.mean(np.concatenate(last) < 0.2) > 0.5


def test_where_everything_fails_strategies_start_elsewhere():
    optimizer = bb.CMAMAE(SPHERE, emitters=2, batch_size=4, seed=6)
    for _ in range(10):
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(f=np.nan, m1=0.0, m2=0.0))
    assert [e.starts for e in optimizer.emitters] == [10, 10]
    assert np.abs(optimizer.ask()["x"]).max() > 5
    run(optimizer, 400)
    assert len(optimizer.archive)


def test_constraints_are_come_near_to_and_elites_satisfy_them():
    space = bb.Space(bb.Real("x", -1, 1, size=6))

    def outcomes(b):
        x = b["x"]
        return {"f": -(x**2).sum(1), "m": x[:, 0], "c": x.sum(1)}

    problem = bb.problem(
        outcomes,
        space,
        bb.Maximize("f"),
        measures=[bb.Measure("m", -1, 1)],
        constraints=[bb.Constraint("c", lower=2.5)],  # the centre, where they start, is far off
        batch=True,
    )
    for make in (bb.CMAME, bb.CMAMAE, bb.MultiEmitter):
        optimizer = run(make(problem, cells=(20,), emitters=3, batch_size=10, seed=7), 3000)
        assert len(optimizer.archive) >= 8, make
        assert (optimizer.archive.elites["c"] >= 2.5).all()


@pytest.mark.parametrize("make", [bb.CMAME, bb.CMAMAE, bb.MultiEmitter])
def test_strategies_climb_to_a_feasible_region_that_no_draw_hits(make):
    def outcomes(b):
        x = b["x"]
        away = ((x - 0.93) ** 2).sum(1)  # a ball of 1e-5 of the space, far from the centre
        return {"f": x.sum(1), "m": x[:, 0], "c": away - 0.01}

    problem = bb.problem(
        outcomes,
        bb.Space(bb.Real("x", 0, 1, size=6)),
        bb.Maximize("f"),
        measures=[bb.Measure("m", 0, 1)],
        constraints=[bb.Constraint("c", upper=0)],
        batch=True,
    )
    optimizer = run(make(problem, cells=(10,), emitters=2, batch_size=10, seed=12), 4000)
    assert len(optimizer.archive) > 0


def test_only_strategies_that_share_a_covariance_hold_one_beside_their_own():
    wide = bb.problem(
        lambda p: 0.0, bb.Space(bb.Real("x", 0, 1, size=500)), measures=[bb.Measure("m", 0, 1)]
    )
    sizes = {
        name: len(pack(bb.CMAMAE(wide, cells=(4,), strategy=name, seed=0).state_dict()))
        for name in ("shared", "low-memory")
    }
    assert sizes["low-memory"] < 500**2 < sizes["shared"]


def test_a_strategy_of_which_nothing_enters_starts_from_an_elite():
    archive = GridArchive(SPHERE, 5)
    batch = SPHERE.space.draw(50, np.random.default_rng(0))
    archive.add(batch.with_columns(**SPHERE.measure(batch)))
    optimizer = bb.CMAME(SPHERE, cells=archive, emitters=1, batch_size=4, seed=8)
    emitter = optimizer.emitters[0]
    optimizer.ask()
    points = SPHERE.space.encode(archive.elites)
    assert np.abs(points - emitter.strategy.mean).sum(axis=1).min() < 1e-12
    emitter.tell(rows([-3.0, -1, -2, -4]).with_columns(point=np.full((4, 10), 0.5)))
    assert emitter.strategy is None
    optimizer.ask()
    assert emitter.starts == 2


def test_rows_from_outside_seed_the_starts():
    optimizer = bb.CMAMAE(SPHERE, emitters=4, batch_size=4, sigma=1e-4, seed=9)
    seeds = bb.Batch({"x": np.linspace(-4, 4, 9)[:, None] * np.ones(10)})
    optimizer.tell(seeds.with_columns(**SPHERE.measure(seeds)))
    asked = optimizer.ask()["x"].mean(axis=1)
    assert len(set(np.round(asked).tolist())) > 1


def test_the_floor_sinks_below_all_scores_told():
    optimizer = bb.CMAMAE(SPHERE, emitters=2, batch_size=4, seed=10)
    batch = optimizer.ask()
    told = batch.with_columns(**SPHERE.measure(batch))
    scores = np.arange(8.0)
    optimizer.tell(told.with_columns(f=scores, ok=scores != 0))
    assert optimizer.archive.threshold_min == pytest.approx(1 - 0.06)
    assert optimizer.archive.scores.min() == 1
    run(optimizer, 80)
    assert optimizer.archive.threshold_min <= 0.94
    other = bb.CMAMAE(SPHERE, emitters=2, batch_size=4, seed=10)
    other.load_state_dict(unpack(pack(optimizer.state_dict())))
    assert other.archive.threshold_min == optimizer.archive.threshold_min
    assert bb.CMAMAE(SPHERE, threshold_min=-7.0).archive.threshold_min == -7.0


def test_a_constant_objective_still_fills_cells():
    space = bb.Space(bb.Real("x", -1, 1, size=3))
    problem = bb.problem(
        lambda b: {"f": np.zeros(len(b)), "m": b["x"].sum(1)},
        space,
        bb.Maximize("f"),
        measures=[bb.Measure("m", -3, 3)],
        batch=True,
    )
    for make in (bb.CMAME, bb.CMAMAE, bb.MultiEmitter):
        optimizer = run(
            make(problem, cells=(30,), emitters=3, batch_size=8, sigma=0.1, seed=0), 3000
        )
        assert len(optimizer.archive) > 20, make


def test_thresholds_follow_slowly_and_the_best_is_kept():
    optimizer = run(bb.CMAMAE(SPHERE, cells=(10, 10), threshold_min=0.0, seed=11), 3000)
    archive = optimizer.archive
    assert archive.learning_rate == 0.01
    assert (archive.thresholds < archive.scores).all()


def test_integers_and_log_scales_are_searched():
    space = bb.Space(bb.Real("a", 1e-3, 1e3, log=True), bb.Integer("n", 0, 20, size=3))

    def outcomes(b):
        return {"f": np.abs(np.log10(b["a"])) + b["n"].sum(1) / 10, "m": b["n"][:, 0] * 1.0}

    problem = bb.problem(
        outcomes, space, bb.Minimize("f"), measures=[bb.Measure("m", -0.5, 20.5)], batch=True
    )
    for make in (bb.CMAME, bb.CMAMAE, bb.MultiEmitter):
        optimizer = run(make(problem, cells=(21,), emitters=3, batch_size=10, seed=12), 6000)
        assert len(optimizer.archive) >= 18
        assert optimizer.archive.scores.max() > -1


def test_the_bandit_prefers_what_wins_and_forgets():
    bandit = Bandit(2)
    for wins in (0, 1):
        chosen = []
        for _ in range(600):
            arm = bandit.choose()
            bandit.learn(arm, float(arm == wins))
            chosen.append(arm)
        assert np.mean(np.array(chosen[300:]) == wins) > 0.7


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"emitters": 0}, "emitters=0"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"sigma": 0.0}, "sigma=0.0"),
        ({"emitters": 10**400}, "must be an int of at most 1000000"),
        ({"batch_size": 10**400}, "must be an int of at most"),
        ({"sigma": True}, "sigma=True"),
        ({"sigma": "x"}, "sigma='x'"),
        ({"strategy": "lm"}, "strategy='lm'; give 'full', 'shared', 'separable' or 'low-memory'"),
        ({"strategy": []}, r"strategy=\[\]; give"),
        ({"strategy": np.zeros(2)}, "strategy=array"),
        ({"threshold_min": True}, "threshold_min=True"),
        ({"threshold_min": 10**400}, "must be finite or None"),
        ({"cells": GridArchive(SPHERE, 4, threshold_min=0.0), "learning_rate": "x"}, "rate='x'"),
        ({"threshold_min": np.nan}, "threshold_min=nan"),
        ({"threshold_min": "low"}, "threshold_min='low'"),
        ({"learning_rate": 2.0}, "learning_rate"),
        ({"learning_rate": None}, "learning_rate=None"),
        ({"cells": GridArchive(SPHERE, 4)}, "threshold_min=-inf"),
        ({"cells": UnstructuredArchive(SPHERE, 0.1)}, "no thresholds"),
    ],
)
def test_arguments_are_checked(options, named):
    with pytest.raises(ProblemError, match=named):
        bb.CMAMAE(SPHERE, **options)


def test_other_parameters_are_refused():
    space = bb.Space(bb.Categorical("c", ["a", "b"]))
    problem = bb.problem(lambda p: 0.0, space, measures=[bb.Measure("m", 0, 1)])
    with pytest.raises(UnsupportedError, match="declare it as one of Real, Integer, Ordinal"):
        bb.CMAME(problem)
    with pytest.raises(UnsupportedError, match="measures"):
        bb.CMAMAE(bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1))))


def test_emitters_belong_to_the_optimizer():
    optimizer = bb.CMAME(SPHERE, emitters=3)
    assert len(optimizer.emitters) == 3
    assert all(isinstance(e, EvolutionEmitter) for e in optimizer.emitters)


@pytest.mark.parametrize(
    "losses", [(1e16, 1e16 + 2), (-1.7e308, 1.7e308), (-1.7e308, -1.7e308), (1.7e308, 1.7e308)]
)
def test_no_row_is_lost_where_floats_end(losses):
    problem = bb.problem(
        lambda p: 0.0,
        bb.Space(bb.Real("x", 0, 1)),
        bb.Minimize("f"),
        measures=[bb.Measure("m", 0, 1)],
    )
    optimizer = bb.CMAMAE(problem, cells=(4,), emitters=1, batch_size=4, learning_rate=0.5, seed=0)
    for _ in range(3):
        asked = optimizer.ask(4)
        told = {"f": np.repeat(losses, 2), "m": [0.1, 0.1, 0.6, 0.6]}
        optimizer.tell(asked.with_columns(**told))
        problem.space.check(optimizer.ask(1))
    archive = optimizer.archive
    assert archive.scores.tolist() == [-losses[0], -losses[1]]
    assert np.isfinite(archive.thresholds).all()
    better = optimizer.ask(1).with_columns(f=-1.75e308, m=0.6)
    optimizer.tell(better)
    assert archive.scores[1] == 1.75e308

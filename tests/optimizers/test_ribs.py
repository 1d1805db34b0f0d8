"""pyribs behind ask and tell: what comes out is what its schedulers find when driven by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ribs.archives import CVTArchive, GridArchive, ProximityArchive
from ribs.emitters import (
    EvolutionStrategyEmitter,
    GaussianEmitter,
    GradientArborescenceEmitter,
)
from ribs.schedulers import BanditScheduler, Scheduler

import blackbox as bb
from blackbox.errors import MissingExtraError, ProblemError, UnsupportedError
from blackbox.state import pack, unpack
from blackbox.testing import checks


class Slope(bb.Problem):
    """Parameters of several kinds; measures of unequal ranges."""

    space = bb.Space(
        bb.Real("x", -1, 1, size=3),
        bb.Real("rate", 1e-3, 1, log=True),
        bb.Integer("k", 1, 6),
        bb.Permutation("order", 3),
    )
    objectives = [bb.Minimize("f")]
    measures = [bb.Measure("a", -1, 1), bb.Measure("b", 0, 30)]

    def evaluate_batch(self, batch):
        x = batch["x"]
        cost = (x**2).sum(axis=1) + np.log10(batch["rate"]) ** 2 / 9 + batch["order"][:, 0]
        return {"f": cost, "a": x[:, 0], "b": 4.5 * batch["k"] + x[:, 1]}


SLOPE = Slope()
WIDTH = SLOPE.space.width
HIGH, LOW = np.ones(WIDTH), np.zeros(WIDTH)


def grid(seed, **thresholds):
    return GridArchive(
        solution_dim=WIDTH, dims=(6, 5), ranges=[(-1, 1), (0, 30)], seed=seed, **thresholds
    )


def gaussian(problem, seed):
    archive = grid(seed)
    start = {"sigma": 0.1, "x0": np.full(WIDTH, 0.5), "lower_bounds": LOW, "upper_bounds": HIGH}
    emitters = [GaussianEmitter(archive, batch_size=7, seed=seed + i, **start) for i in (1, 2)]
    return Scheduler(archive, emitters)


def cma(problem, seed):
    archive, elites = grid(seed, learning_rate=0.1, threshold_min=-9.0), grid(seed)
    emitters = [
        EvolutionStrategyEmitter(
            archive, x0=np.full(WIDTH, 0.5), sigma0=0.1, ranker="imp", batch_size=8, seed=seed + i
        )
        for i in (1, 2)
    ]
    return Scheduler(archive, emitters, elites)


def bandit(problem, seed):
    archive = grid(seed)
    start = {"x0": np.full(WIDTH, 0.5), "lower_bounds": LOW, "upper_bounds": HIGH, "batch_size": 5}
    pool = [GaussianEmitter(archive, sigma=s, seed=seed + 1, **start) for s in (0.05, 0.1, 0.3)]
    return BanditScheduler(archive, pool, num_active=2)


def novelty(problem, seed):
    archive = ProximityArchive(
        solution_dim=WIDTH, measure_dim=2, k_neighbors=3, novelty_threshold=0.2, seed=seed
    )
    return Scheduler(archive, [GaussianEmitter(archive, sigma=0.1, x0=HIGH / 2, seed=seed)])


def gradients(problem, seed):
    archive = grid(seed)
    emitter = GradientArborescenceEmitter(archive, x0=HIGH / 2, sigma0=0.1, lr=0.1, seed=seed)
    return Scheduler(archive, [emitter])


def measured(problem, batch):
    return batch.with_columns(**problem.measure(batch))


def run(optimizer, least):
    told = 0
    while told < least:
        batch = optimizer.ask()
        optimizer.tell(measured(optimizer.problem, batch))
        told += len(batch)
    return optimizer


def same(one, other):
    assert len(one)
    for field in one.field_list:
        assert np.array_equal(one.data(field), other.data(field)), field


def tessellated(problem, seed):
    archive = bb.ribs.to_ribs(bb.archives.CVTArchive(problem, 20), seed=seed)
    start = {"x0": np.full(problem.space.width, 0.5), "batch_size": 6, "seed": seed}
    return Scheduler(archive, [GaussianEmitter(archive, sigma=0.1, **start)])


@pytest.mark.parametrize(
    "check",
    checks(lambda problem, seed: bb.ribs.Scheduler(problem, tessellated, seed=seed), budget=24),
    ids=lambda check: check.name,
)
def test_conformance(check):
    check()


@pytest.mark.parametrize("build", [gaussian, cma, bandit, novelty])
def test_archives_are_those_of_the_scheduler_driven_by_hand(build):
    by_hand = build(SLOPE, 3)
    for _ in range(12):
        rows = SLOPE.space.decode(np.clip(by_hand.ask(), 0, 1))
        found = SLOPE.measure(rows)
        by_hand.tell(-found["f"], np.column_stack([found["a"], found["b"]]))
    optimizer = bb.ribs.Scheduler(SLOPE, build, seed=3)
    for _ in range(12):
        optimizer.tell(measured(SLOPE, optimizer.ask()))
    same(optimizer.scheduler.archive, by_hand.archive)
    same(optimizer.scheduler.result_archive, by_hand.result_archive)


def test_pieces_in_any_order_are_the_same_as_whole_generations():
    whole, pieces = (bb.ribs.Scheduler(SLOPE, cma, seed=1) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(5):
        generation = whole.ask()
        whole.tell(measured(SLOPE, generation))
        held = []
        while len(held) < len(generation):
            batch = pieces.ask(min(int(rng.integers(1, 5)), len(generation) - len(held)))
            held.extend(batch[[i]] for i in range(len(batch)))
        assert bb.Batch.concat(held) == generation
        rng.shuffle(held)
        for row in held:
            pieces.tell(measured(SLOPE, row))
    same(pieces.scheduler.result_archive, whole.scheduler.result_archive)


@pytest.mark.parametrize("build", [gaussian, cma, novelty])
def test_failed_rows_enter_no_archive_and_are_learnt_to_be_avoided(build):
    optimizer = bb.ribs.Scheduler(SLOPE, build, seed=0)
    for _ in range(25):
        batch = optimizer.ask()
        optimizer.tell(measured(SLOPE, batch).with_columns(ok=batch["x"][:, 2] < 0))
    for archive in (optimizer.scheduler.archive, optimizer.scheduler.result_archive):
        x = SLOPE.space.decode(np.clip(archive.data("solution"), 0, 1))["x"]
        assert len(x) > 5
        assert (x[:, 2] < 0).all()
    if build is cma:
        assert (optimizer.ask()["x"][:, 2] < 0).mean() > 0.8


def test_a_failed_row_ranks_below_every_other():
    optimizer = bb.ribs.Scheduler(SLOPE, cma, seed=0)
    seen = []
    for emitter in optimizer.scheduler.emitters:
        emitter.tell = lambda **told: seen.append(told)
    batch = optimizer.ask()
    failed = np.arange(len(batch)) % 3 == 0
    optimizer.tell(measured(SLOPE, batch).with_columns(ok=~failed))
    value = np.concatenate([told["add_info"]["value"] for told in seen])
    objective = np.concatenate([told["objective"] for told in seen])
    status = np.concatenate([told["add_info"]["status"] for told in seen])
    assert value[failed].max() < value[~failed].min()
    assert objective[failed].max() < objective[~failed].min()
    assert not status[failed].any()
    assert status[~failed].all()


@pytest.mark.parametrize("build", [gaussian, cma])
def test_goes_on_when_everything_fails(build):
    optimizer = bb.ribs.Scheduler(SLOPE, build, seed=0)
    for _ in range(3):
        optimizer.tell(measured(SLOPE, optimizer.ask()).with_columns(ok=False))
    run(optimizer, 100)
    optimizer.tell(measured(SLOPE, optimizer.ask()).with_columns(ok=False))
    assert len(run(optimizer, 20).archive) > 5


def test_what_does_not_pass_the_least_threshold_is_still_an_elite():
    optimizer = bb.ribs.CMAMAE(
        SLOPE, threshold_min=0.0, cells=(6, 5), emitters=1, batch_size=10, seed=0
    )
    run(optimizer, 60)  # every score is negative
    assert optimizer.scheduler.archive.empty
    assert len(optimizer.archive) > 5
    assert optimizer.archive.scores.max() < 0


def test_data_from_outside_and_spare_rows_enter_at_once():
    optimizer = bb.ribs.IsoLine(SLOPE, cells=(6, 5), batch_size=8, seed=0)
    best = SLOPE.space.check(
        bb.Batch({"x": np.zeros((1, 3)), "rate": [1.0], "k": [4], "order": [[0, 1, 2]]})
    )
    generation = optimizer.ask()
    optimizer.tell(measured(SLOPE, best))
    assert len(optimizer.archive) == 1
    assert optimizer.archive.best["f"] == 0.0
    spares = optimizer.ask(5)
    assert np.abs(spares["x"]).max() < 0.1  # children of the only elite
    optimizer.tell(measured(SLOPE, spares))
    assert optimizer.batch_size == 8
    optimizer.tell(measured(SLOPE, generation))
    assert optimizer.archive.best["f"] == 0.0
    assert len(optimizer.archive) > 5


def test_rows_evaluated_elsewhere_than_proposed_are_data_from_outside():
    optimizer = bb.ribs.IsoLine(SLOPE, cells=(6, 5), batch_size=8, seed=0)
    batch = optimizer.ask().with_columns(x=np.full((8, 3), 0.25))
    optimizer.tell(measured(SLOPE, batch))
    assert (optimizer.archive.elites["x"] == 0.25).all()
    assert len(optimizer.ask()) == 8


@pytest.mark.parametrize("make", [bb.ribs.IsoLine, bb.ribs.CMAMAE])
@pytest.mark.parametrize("cells", [(20, 20), 200])
def test_covers_more_than_chance(make, cells):
    problem = bb.problems.SphereProjection(20)
    arguments = {"threshold_min": 0.0, "emitters": 3} if make is bb.ribs.CMAMAE else {}
    found = run(make(problem, cells=cells, seed=0, **arguments), 6000).archive
    chance = found.like()
    chance.add(measured(problem, bb.Random(problem, seed=0).ask(6000)))
    assert found.size == np.prod(cells)
    assert found.qd_score(-400) > 1.3 * chance.qd_score(-400)


def filled(archive, n=60):
    batch = SLOPE.space.draw(n, np.random.default_rng(1))
    archive.add(measured(SLOPE, batch))
    return archive


@pytest.mark.parametrize(
    "archive",
    [
        bb.archives.GridArchive(SLOPE, (6, 5)),
        bb.archives.GridArchive(SLOPE, (6, 5), learning_rate=0.2, threshold_min=-20.0),
        bb.archives.CVTArchive(SLOPE, 25),
        bb.archives.CVTArchive(SLOPE, 25, learning_rate=0.2, threshold_min=-20.0),
    ],
    ids=["grid", "soft grid", "cvt", "soft cvt"],
)
def test_an_archive_survives_both_ways(archive):
    filled(archive := archive.like())
    filled(archive, 30)  # thresholds move again
    peer = bb.ribs.to_ribs(archive)
    assert len(peer) == len(archive) > 10
    rng = np.random.default_rng(0)
    measures = rng.uniform(archive.low, archive.high, size=(500, 2))
    assert np.array_equal(peer.index_of(measures), archive.cell_of(measures))
    back = bb.ribs.from_ribs(peer, SLOPE)
    assert isinstance(back, type(archive))
    for name in ("cells", "scores", "measures", "thresholds"):
        assert np.array_equal(getattr(back, name), getattr(archive, name)), name
    for name in SLOPE.space.names:
        assert np.allclose(back.elites[name], archive.elites[name], rtol=1e-12), name
    assert np.array_equal(back.elites["f"], archive.elites["f"])
    assert (back.elites["id"] == -1).all()
    # What comes next is judged alike, row by row.
    batch = measured(SLOPE, SLOPE.space.draw(40, rng))
    values = np.column_stack([batch["a"], batch["b"]])
    told = peer.add(SLOPE.space.encode(batch), -batch["f"], values)
    assert np.array_equal(told["status"], back.add(batch).status)
    assert np.array_equal(told["status"], archive.add(batch).status)


def test_pyribs_grid_clips_and_so_does_its_conversion():
    peer = GridArchive(solution_dim=WIDTH, dims=(4, 4), ranges=[(-2, 2), (0, 10)])
    peer.add(np.full((2, WIDTH), 0.5), [1.0, 2.0], [[-9.0, 5.0], [0.0, 99.0]])
    found = bb.ribs.from_ribs(peer, SLOPE)
    assert found.low.tolist() == [-2, 0]  # the archive's ranges, not the problem's
    assert sorted(found.cells) == sorted(peer.data("index"))
    assert sorted(found.elites["f"]) == [-2.0, -1.0]


def test_elites_of_cells_that_differ_compete():
    centroids = [[-1.0, 0.0], [1.0, 0.0], [0.0, 30.0]]
    peer = CVTArchive(solution_dim=WIDTH, centroids=centroids, ranges=[(-1, 1), (0, 30)])
    # Nearer to the last centroid by far in raw units, but not in units of the ranges.
    peer.add(np.full((2, WIDTH), 0.5), [1.0, 2.0], [[1.0, 16.0], [0.9, 1.0]])
    assert len(peer) == 2
    found = bb.ribs.from_ribs(peer, SLOPE)
    assert len(found) == len(np.unique(found.cell_of(peer.data("measures"))))
    assert found.scores.max() == 2.0


def test_problems_without_objective_are_filled():
    class Places(Slope):
        objectives = []

        def evaluate_batch(self, batch):
            found = super().evaluate_batch(batch)
            return {"a": found["a"], "b": found["b"]}

    found = run(bb.ribs.IsoLine(Places(), cells=(6, 5), seed=0), 300).archive
    assert len(found) > 15


def test_what_it_cannot_take():
    category = bb.Space(bb.Real("x", 0, 1), bb.Categorical("c", ["a", "b"]))
    measures = [bb.Measure("m", 0, 1)]
    with pytest.raises(UnsupportedError, match="measures"):
        bb.ribs.IsoLine(bb.problem(lambda b: b["x"], bb.Space(bb.Real("x", 0, 1))))
    with pytest.raises(UnsupportedError, match="Categorical"):
        bb.ribs.IsoLine(bb.problem(lambda b: b["x"], category, measures=measures))
    for wrong in ({"batch_size": 0}, {"iso": -1.0}, {"cells": (3,)}, {"line": np.nan}):
        with pytest.raises(ProblemError):
            bb.ribs.IsoLine(SLOPE, **wrong)
    for wrong in ({"threshold_min": -np.inf}, {"threshold_min": 0.0, "sigma0": 0.0}):
        with pytest.raises(ProblemError):
            bb.ribs.CMAMAE(SLOPE, **wrong)
    with pytest.raises(ProblemError, match="sigma0='x' must be finite"):
        bb.ribs.CMAMAE(SLOPE, threshold_min=0.0, sigma0="x")
    for name, many in {
        "batch_size": 10**400,
        "emitters": 10**400,
        "threshold_min": 10**400,
    }.items():
        with pytest.raises(ProblemError, match=f"{name}=1000"):
            bb.ribs.CMAMAE(SLOPE, **{"threshold_min": 0.0, name: many})
    for es in ("cma", [], np.zeros(2)):
        with pytest.raises(ProblemError, match="give 'cma_es', 'sep_cma_es' or 'lm_ma_es'"):
            bb.ribs.CMAMAE(SLOPE, threshold_min=0.0, es=es)
    with pytest.raises(ProblemError, match="build=3; give a function"):
        bb.ribs.Scheduler(SLOPE, 3)
    with pytest.raises(ProblemError, match="return a scheduler"):
        bb.ribs.Scheduler(SLOPE, lambda problem, seed: None)
    with pytest.raises(ProblemError, match="no gradients"):
        bb.ribs.Scheduler(SLOPE, gradients)
    with pytest.raises(ProblemError, match="solution_dim"):
        bb.ribs.Scheduler(bb.problems.SphereProjection(4), gaussian)
    with pytest.raises(ProblemError, match="GridArchive"):
        bb.ribs.to_ribs(bb.archives.UnstructuredArchive(SLOPE))
    with pytest.raises(ProblemError, match="ProximityArchive"):
        _ = bb.ribs.Scheduler(SLOPE, novelty, seed=0).archive


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ribs", None)
    with pytest.raises(MissingExtraError, match=r"blackbox\[ribs\]"):
        bb.ribs.IsoLine(SLOPE)


def test_a_state_holds_arrays_and_goes_on_with_the_same_archives():
    one = run(bb.ribs.Scheduler(SLOPE, cma, seed=4), 100)
    one.tell(measured(SLOPE, one.ask(5)).with_columns(ok=False))
    two = bb.ribs.Scheduler(SLOPE, cma, seed=4)
    two.load_state_dict(unpack(pack(one.state_dict())))
    same(two.scheduler.archive, one.scheduler.archive)
    same(run(two, 100).scheduler.result_archive, run(one, 100).scheduler.result_archive)


def test_a_study_asked_in_other_pieces_than_generations_resumes(tmp_path):
    def study(path=None):
        return bb.Study(SLOPE, bb.ribs.IsoLine(SLOPE, cells=(4, 4), batch_size=8, seed=0), path)

    whole = study()
    for n in (20, 40):
        whole.run(n, batch=7)
        with study(tmp_path / "s") as parts:
            assert parts.run(n, batch=7).history.equals(whole.history)

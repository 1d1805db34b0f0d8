"""MAP-Elites over any space: it conforms, illuminates, and remembers whom rows were varied from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import CVTArchive, DeepArchive, GridArchive, UnstructuredArchive, _placing
from blackbox.errors import ProblemError, StateError, StudyMismatchError, UnsupportedError
from blackbox.optimizers.quality_diversity.noise import Replicated, _median, corrected
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.testing import Check, checks
from tests.optimizers.spaces import measured

MAKES: dict[str, Callable[[bb.Problem, int | None], bb.Optimizer]] = {
    "grid": lambda p, s: bb.MapElites(p, cells=(4, 4), batch_size=6, n_init=4, seed=s),
    "init": lambda p, s: bb.MapElites(
        p, cells=8, batch_size=6, n_init=4, init=bb.Sobol(p, seed=s), seed=s
    ),
    "splits": lambda p, s: bb.MapElites(
        p, cells=(2, 2), batch_size=6, n_init=4, splits=(4, 11), seed=s
    ),
    "deep": lambda p, s: bb.MapElites(
        p, cells=DeepArchive(GridArchive(p, 3), 2), batch_size=6, n_init=4, seed=s
    ),
    "replicated": lambda p, s: Replicated(
        bb.MapElites(p, cells=(3, 3), batch_size=2, n_init=2, seed=s), 3, seed=s
    ),
}


def applicable(name: str) -> list[Check]:
    made = checks(MAKES[name], budget=14, problems=measured())
    # Replicates are the same rows on purpose.
    return [c for c in made if (name, c.name) != ("replicated", "distinct_while_pending")]


@pytest.mark.parametrize(
    "check", [pytest.param(c, id=f"{name}-{c}") for name in MAKES for c in applicable(name)]
)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.parametrize("check", applicable("grid"), ids=str)
def test_conformance_with_compiled_loops(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_placing, "_COMPILE_AFTER", 0)
    check()


def arm(joints: int = 6) -> bb.Problem:
    """A planar arm: where its tip is, and how alike its angles are."""

    def reach(b: bb.Batch) -> dict[str, np.ndarray]:
        angles = np.cumsum(b["joints"], axis=1)
        return {
            "evenness": -b["joints"].var(axis=1),
            "x": np.cos(angles).mean(axis=1),
            "y": np.sin(angles).mean(axis=1),
        }

    return bb.problem(
        reach,
        bb.Space(bb.Real("joints", -np.pi, np.pi, size=joints)),
        bb.Maximize("evenness"),
        batch=True,
        measures=[bb.Measure("x", -1, 1), bb.Measure("y", -1, 1)],
    )


def run(optimizer: bb.Optimizer, rows: int) -> bb.Optimizer:
    told = 0
    while told < rows:
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(**optimizer.problem.measure(batch)))
        told += len(batch)
    return optimizer


def test_it_fills_far_more_than_random_search_and_better() -> None:
    problem = arm()
    for seed in range(3):
        found = run(bb.MapElites(problem, cells=(20, 20), seed=seed), 4000).archive
        random = GridArchive(problem, (20, 20))
        drawn = bb.Random(problem, seed=seed).ask(4000)
        random.add(drawn.with_columns(**problem.measure(drawn)))
        assert found.coverage > 1.25 * random.coverage
        assert found.qd_score(-10) > 1.4 * random.qd_score(-10)


def test_the_same_seed_gives_the_same_run_with_and_without_compiled_loops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = []
    for after in (10**9, 500):
        monkeypatch.setattr(_placing, "_COMPILE_AFTER", after)
        runs.append(run(bb.MapElites(arm(), cells=(10, 10), seed=4), 1500))
    assert runs[0].archive.elites == runs[1].archive.elites
    assert runs[0].ask() == runs[1].ask()


def test_first_rows_are_drawn_then_elites_are_varied() -> None:
    problem = arm()
    optimizer = bb.MapElites(problem, n_init=10, batch_size=4, seed=0)
    before = optimizer.ask(10)
    assert optimizer.ask(3)["joints"].std() > 1  # nothing was told yet: drawn too
    optimizer.tell(before.with_columns(**problem.measure(before)))
    children = optimizer.ask(50)["joints"]
    away = np.linalg.norm(children[:, None] - before["joints"][None], axis=2).min(axis=1)
    assert np.median(away) < 2


def test_lineage_survives_any_order_of_tells_and_a_resume() -> None:
    problem = arm()
    optimizer = bb.MapElites(problem, n_init=20, batch_size=8, seed=0)
    first = optimizer.ask(20)
    optimizer.tell(first.with_columns(**problem.measure(first)))
    assert set(optimizer.archive.parents) == {-1}
    asked = [optimizer.ask(8) for _ in range(3)]
    chosen = {i: optimizer._lineage._parents[20 + 8 * (i // 8)][i % 8] for i in range(24)}
    assert set(chosen.values()) <= set(first["id"])
    out = bb.Batch.concat(asked)[np.random.default_rng(1).permutation(24)]
    out = out.with_columns(**problem.measure(out))
    optimizer.tell(out[:5])
    again = bb.MapElites(problem, n_init=20, batch_size=8, seed=0)
    again.load_state_dict(optimizer.state_dict())
    for part in (out[5:6], out[6:20], out[20:]):
        again.tell(part)
    for i, parent in zip(again.archive.elites["id"], again.archive.parents, strict=True):
        assert parent == (-1 if i < 20 else chosen[i - 20])
    assert not again._lineage  # nothing is kept of rows that were told


def test_rows_from_outside_enter_and_count_as_first_rows() -> None:
    problem = arm()
    optimizer = bb.MapElites(problem, n_init=5, seed=0)
    rows = problem.space.draw(5, np.random.default_rng(0))
    optimizer.tell(rows.with_columns(**problem.measure(rows)))
    assert len(optimizer.archive) == 5
    away = np.linalg.norm(optimizer.ask(1)["joints"] - rows["joints"], axis=1).min()
    assert away < 2


def test_another_optimizer_proposes_the_first_rows_and_learns_from_them() -> None:
    problem = arm()
    sobol = bb.Sobol(problem, seed=3)
    wanted = bb.Sobol(problem, seed=3).ask(7)
    optimizer = bb.MapElites(problem, n_init=7, init=sobol, seed=0)
    first = optimizer.ask(7)
    assert np.array_equal(first["joints"], wanted["joints"])
    assert len(sobol.pending) == 7
    optimizer.tell(first.with_columns(**problem.measure(first))[::-1])
    assert len(sobol.pending) == 0


def test_cells_stand_for_archives() -> None:
    def kind(m: int, cells: object = None) -> str:
        measures = [bb.Measure(f"m{i}", 0, 1) for i in range(m)]
        problem = bb.problem(lambda p: {}, bb.Space(bb.Real("x", 0, 1)), measures=measures)
        archive = bb.MapElites(problem, cells=cells).archive  # type: ignore[arg-type]
        return f"{type(archive).__name__} {getattr(archive, 'dims', archive.size)}"

    assert kind(1) == "GridArchive (100,)"
    assert kind(2) == "GridArchive (100, 100)"
    assert kind(3, 50) == kind(3, np.int64(50)) == "CVTArchive 50"
    assert kind(3, (2, 3, 4)) == "GridArchive (2, 3, 4)"
    problem = arm()
    for own in (CVTArchive(problem, 30), UnstructuredArchive(problem, 0.2)):
        optimizer = bb.MapElites(problem, cells=own, seed=0)
        run(optimizer, 300)
        assert optimizer.archive is own
        assert len(own) > 5


def test_large_cells_are_split_after_the_given_numbers_of_rows() -> None:
    problem = arm()
    optimizer = bb.MapElites(problem, cells=(4, 4), batch_size=50, splits=(100, 240), seed=0)
    dims = [run(optimizer, 50).archive.dims for _ in range(6)]
    assert dims == [(4, 4), (8, 8), (8, 8), (8, 8), (16, 16), (16, 16)]
    again = bb.MapElites(problem, cells=(4, 4), batch_size=50, splits=(100, 240), seed=0)
    again.load_state_dict(optimizer.state_dict())
    assert again.archive.dims == (16, 16)
    assert run(again, 100).archive.elites == run(optimizer, 100).archive.elites


def test_infeasible_rows_guide_to_a_feasible_region_that_draws_do_not_hit() -> None:
    def measure(b: bb.Batch) -> dict[str, np.ndarray]:
        far = np.linalg.norm(b["x"] - 0.8, axis=1)
        return {"f": b["x"].sum(axis=1), "far": far, "m": b["x"][:, 0]}

    problem = bb.problem(
        measure,
        bb.Space(bb.Real("x", 0, 1, size=10)),
        bb.Maximize("f"),
        batch=True,
        constraints=[bb.Constraint("far", upper=0.15)],
        measures=[bb.Measure("m", 0, 1)],
    )
    soft = GridArchive(problem, 20, learning_rate=0.5, threshold_min=0)
    for cells in ((20,), soft):
        found = run(bb.MapElites(problem, cells=cells, seed=0), 8000).archive
        assert len(found) > 3  # a ball of 1e-9 of the volume
        assert (found.elites["far"] <= 0.15).all()


def test_nearness_prefers_fewer_broken_constraints_then_broken_by_less() -> None:
    problem = bb.problem(
        lambda p: {},
        bb.Space(bb.Real("x", 0, 1)),
        bb.Maximize("f"),
        constraints=[bb.Constraint("c", upper=0), bb.Constraint("d", lower=0)],
        measures=[bb.Measure("m", 0, 1)],
    )
    batch = bb.Batch({"c": [1e9, 0.1, 0.2, 0.0, -1.0], "d": [0.0, -0.1, 5.0, -3.0, 1.0]})
    scores = problem.nearness(batch.with_columns(ok=[True, True, True, True, True]))
    assert np.argsort(-scores[:4]).tolist() == [2, 3, 0, 1]
    assert np.isnan(scores[4])
    assert np.isnan(problem.nearness(batch.with_columns(ok=False))).all()


def noisy(b: bb.Batch) -> dict[str, np.ndarray]:
    """Noise that depends on the calls so far, from a generator of its own."""
    noise = noisy.rng.normal(size=(2, len(b)))  # type: ignore[attr-defined]
    return {"f": -((b["x"] - 0.5) ** 2) + noise[0], "m": b["x"] + 0.05 * noise[1]}


@pytest.fixture
def noisy_problem() -> bb.Problem:
    noisy.rng = np.random.default_rng(0)  # type: ignore[attr-defined]
    return bb.problem(
        noisy,
        bb.Space(bb.Real("x", 0, 1)),
        bb.Maximize("f"),
        batch=True,
        measures=[bb.Measure("m", -0.5, 1.5)],
    )


def test_replicates_are_told_as_their_median_when_all_are_there(noisy_problem: bb.Problem) -> None:
    inner = bb.MapElites(noisy_problem, cells=(1,), batch_size=2, n_init=2, seed=0)
    optimizer = Replicated(inner, 3)
    assert optimizer.batch_size == 6
    batch = bb.Batch.concat([optimizer.ask(2), optimizer.ask(4)])
    assert batch["x"].tolist() == np.repeat(batch["x"][::3], 3).tolist()
    told = batch.with_columns(f=[5.0, 1.0, 3.0, 9.0, np.nan, 7.0], m=0.5)
    optimizer.tell(told[[5, 0, 1, 3]])
    assert len(inner.archive) == 0
    optimizer.tell(told[[2]])
    assert inner.archive.elites["f"].tolist() == [3.0]
    optimizer.tell(told[[4]])  # the failed replicate does not count
    assert inner.archive.elites["f"].tolist() == [8.0]
    assert inner.archive.elites["x"].tolist() == [batch["x"][3]]


def test_corrected_scores_tell_luck_from_quality(noisy_problem: bb.Problem) -> None:
    archive = run(bb.MapElites(noisy_problem, cells=(10,), seed=0), 2000).archive
    assert archive.best is not None
    assert archive.best["f"] > 2  # the best there is in truth is 0
    before = archive.elites
    truth = corrected(archive, 101)
    assert archive.elites == before
    assert np.abs(truth.scores + (truth.elites["x"] - 0.5) ** 2).max() < 0.5
    assert np.isin(truth.elites["id"], before["id"]).all()
    assert np.abs(truth.measures[:, 0] - truth.elites["x"]).max() < 0.03


def test_bad_arguments_are_refused() -> None:
    problem = arm()
    with pytest.raises(UnsupportedError, match="no measures; declare some"):
        bb.MapElites(bb.problem(lambda p: 0.0, problem.space))
    with pytest.raises(ProblemError, match="problem is 3; give a Problem"):
        bb.MapElites(3)  # type: ignore[arg-type]
    for options, message in {
        "batch_size=0": "batch_size=0 must be an int of at least 1",
        "n_init=-1": "n_init=-1 must be an int of at least 0",
        "cells=(3,)": "give one positive int for each of 2 measures",
        "splits=(20, 10)": "must increase",
        "splits=(1.5,)": "give positive ints",
        "variation=None": "variation=None; give a Variation",
        "init=3": "init=3; give an Optimizer or None",
        "cells=9, splits=(10,)": "need a grid",
        "cells=(50, 50), splits=range(1, 25)": "more than there is; take fewer",
        "cells=10**400": "more than there is; take fewer",
        "batch_size=10**400": "must be an int of at most",
        "n_init=10**400": "must be an int of at most",
        "cells='x'": "give one positive int",
    }.items():
        with pytest.raises(ProblemError, match=message):
            eval(f"bb.MapElites(problem, {options})", {"bb": bb, "problem": problem})  # noqa: S307
    with pytest.raises(ProblemError, match="is of another problem"):
        bb.MapElites(problem, cells=GridArchive(measured()[0], 3))
    with pytest.raises(ProblemError, match="is for another problem; build it for this one"):
        bb.MapElites(problem, init=bb.Sobol(measured()[0]))
    with pytest.raises(ProblemError, match="replicates=1 must be an int of at least 2"):
        Replicated(bb.MapElites(problem), 1)
    with pytest.raises(ProblemError, match="replicates=0 must be an int of at least 1"):
        corrected(GridArchive(problem, 3), 0)
    for archive in (3, None, "x", []):
        with pytest.raises(ProblemError, match="give an Archive"):
            corrected(archive)  # type: ignore[arg-type]


@pytest.mark.parametrize("begin", [bb.MapElites, bb.CMAME, bb.CMAMAE])
def test_elites_of_an_earlier_run_are_no_rows_of_this_one(
    begin: Callable[..., bb.Optimizer],
) -> None:
    problem = arm()
    archive = GridArchive(problem, (9, 9), threshold_min=-9)
    run(bb.MapElites(problem, cells=archive, batch_size=10, n_init=20, seed=0), 300)
    earlier = archive.elites
    asked = [(optimizer := begin(problem, cells=archive, batch_size=10, seed=1)).ask()]
    while sum(map(len, asked)) < 300:
        optimizer.tell(asked[-1].with_columns(**problem.measure(asked[-1])))
        asked.append(optimizer.ask())
    elites, joints = archive.elites, bb.Batch.concat(asked)["joints"]
    known = {row.tobytes() for row in earlier["joints"]}
    here = np.array([row.tobytes() not in known for row in elites["joints"]])
    assert 0 < here.sum() < len(elites)
    assert (elites["id"][~here] == -1).all()
    assert (archive.parents[~here] == -1).all()
    np.testing.assert_array_equal(elites["joints"][here], joints[elites["id"][here]])


def test_a_resume_with_other_elites_in_the_archive_is_refused(tmp_path: Path) -> None:
    problem = arm()

    def given(seed: int, n: int = 50) -> GridArchive:
        archive = GridArchive(problem, (9, 9))
        if n:
            rows = problem.space.draw(n, np.random.default_rng(seed))
            archive.add(rows.with_columns(**problem.measure(rows)))
        return archive

    def study(archive: GridArchive) -> bb.Study:
        optimizer = bb.MapElites(problem, cells=archive, batch_size=5, seed=0)
        return bb.Study(problem, optimizer, tmp_path / "s")

    archive = given(0)
    with study(archive) as begun:
        begun.run(120)
    assert archive.elites != given(0).elites  # filled where it stands: what it was given counts
    with study(given(0)) as resumed:
        assert resumed.optimizer.archive.elites == archive.elites  # type: ignore[attr-defined]
    for other in (given(1), given(0, 20), given(0, 0)):
        with pytest.raises(StudyMismatchError, match=r"optimizer.arguments.cells.elites"):
            study(other)
    state = bb.MapElites(problem, cells=given(0), seed=0).state_dict()
    with pytest.raises(StateError, match="build the optimizer as it was first built"):
        bb.MapElites(problem, cells=given(1), seed=0).load_state_dict(state)
    # Whoever wraps the optimizer knows them too.
    specs = [Replicated(bb.MapElites(problem, cells=given(seed))).spec() for seed in (0, 0, 1)]
    assert specs[0] == specs[1] != specs[2]


def test_medians_are_those_of_numpy_and_none_is_infinite() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 7):
        rows = rng.normal(size=(n, 2))
        assert np.array_equal(_median(rows), np.median(rows, axis=0))
        failed = np.array([[np.nan, 1.0]])  # does not count
        assert np.array_equal(_median(np.concatenate([failed, rows])), np.median(rows, axis=0))
    assert np.isnan(_median(np.full((3, 1), np.nan))).all()
    assert _median(np.array([[1.6e308], [1.7e308]])) == pytest.approx(1.65e308)
    assert _median(np.array([[5e-324], [5e-324]])) == 5e-324


def spoilt(state: Any) -> Iterator[Any]:
    """The state, each time with one entry missing or of the wrong type."""
    for key, value in state.items():
        yield {k: v for k, v in state.items() if k != key}
        yield {**state, key: "x"}
        yield {**state, key: np.array([None, "x"], dtype=object)}
        if isinstance(value, dict) and key != "optimizer":
            yield from ({**state, key: part} for part in spoilt(value))


@pytest.mark.parametrize(
    "make",
    [
        *MAKES.values(),
        lambda p, s: bb.NoveltySearch(p, batch_size=6, n_init=4, seed=s),
        lambda p, s: bb.CMAMAE(p, cells=(4, 4), emitters=2, batch_size=4, seed=s),
        lambda p, s: bb.MultiEmitter(p, cells=(4, 4), emitters=2, batch_size=4, seed=s),
    ],
)
def test_no_damaged_state_raises_anything_but_a_state_error(
    make: Callable[[bb.Problem, int | None], bb.Optimizer],
) -> None:
    problem = arm()
    optimizer = run(make(problem, 0), 30)
    optimizer.ask(3)
    state = optimizer.state_dict()
    refused = 0
    for wrong in spoilt(state):
        try:
            make(problem, 0).load_state_dict(wrong)
        except StateError:
            refused += 1
    assert refused > 30
    for wrong in ({**state, "next": "7"}, {**state, "next": 1.5}, {**state, "next": -1}):
        with pytest.raises(StateError, match="is no number of rows"):
            make(problem, 0).load_state_dict(wrong)


def test_arguments_are_part_of_the_fingerprint() -> None:
    problem = arm()
    specs = [
        bb.MapElites(problem, cells=cells, variation=Variation(iso=iso)).spec()
        for cells, iso in [
            ((3, 3), 0.1),
            ((3, 4), 0.1),
            ((3, 3), 0.2),
            (GridArchive(problem, 3), 0.1),
        ]
    ]
    assert all(a != b for i, a in enumerate(specs) for b in specs[:i])


def test_a_row_told_elsewhere_than_proposed_is_no_replicate(noisy_problem: bb.Problem) -> None:
    inner = bb.MapElites(noisy_problem, cells=(1,), batch_size=1, seed=0)
    optimizer = Replicated(inner, 3)
    batch = optimizer.ask(3)
    proposed = batch["x"].tolist()
    moved = [proposed[0], 0.123, proposed[2]]
    optimizer.tell(batch.with_columns(x=moved, f=[1.0, 5.0, 2.0], m=0.5))
    assert inner.archive.elites["x"].tolist() == [0.123]
    assert inner.archive.elites["f"].tolist() == [5.0]
    assert not len(inner.pending)
    batch = optimizer.ask(3)
    optimizer.tell(batch.with_columns(f=[9.0, 6.0, 7.0], m=0.5))
    assert inner.archive.elites["f"].tolist() == [7.0]


def test_gradients_have_no_medians() -> None:
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
    archive = GridArchive(problem, 5)
    drawn = problem.space.draw(9, np.random.default_rng(0))
    archive.add(drawn.with_columns(**problem.measure(drawn)))
    assert np.array_equal(corrected(archive, 2).scores, archive.scores)

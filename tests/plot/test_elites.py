"""Maps of elites, profiles, curves of growth and animations, read back from the Axes."""

from __future__ import annotations

import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from blackbox import plot, problems
from blackbox.archives import CVTArchive, FrontArchive, GridArchive, UnstructuredArchive
from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Maximize, Measure, Minimize, Problem
from blackbox.plot import data
from blackbox.space import Real, Space

MAXIMIZE = (Maximize("f"),)


class Flat(Problem):
    """What is measured is what is put in."""

    def __init__(self, m=2, objectives=MAXIMIZE):
        self.space = Space(Real("x", 0, 1, size=m), Real("y", -1, 1, size=len(objectives) or 1))
        self.objectives = objectives
        self.measures = tuple(Measure(f"m{j}", 0, 1) for j in range(m))

    def evaluate_batch(self, batch):
        found = {o.name: batch["y"][:, j] for j, o in enumerate(self.objectives)}
        return found | {m.name: batch["x"][:, j] for j, m in enumerate(self.measures)}


def rows(problem, x, y):
    """Measured rows at given measures and objectives."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    inputs = {
        "x": x.reshape(len(x), len(problem.measures)),
        "y": y.reshape(len(x), max(1, len(problem.objectives))),
    }
    batch = Batch({"id": np.arange(len(x)), **inputs})
    return batch.with_columns(**problem.measure(batch), ok=np.ones(len(x), dtype=bool))


def drawn(problem, n=200, seed=0):
    rng = np.random.default_rng(seed)
    m = len(problem.measures)
    return rows(problem, rng.random((n, m)), rng.uniform(-1, 1, (n, len(problem.objectives) or 1)))


def filled(archive, n=200, seed=0):
    archive.add(drawn(archive.problem, n, seed))
    return archive


def study(problem, n=200, seed=0, name="A", archive=None):
    optimizer = SimpleNamespace(archive=archive) if archive is not None else None
    history = drawn(problem, n, seed)
    return SimpleNamespace(problem=problem, history=history, name=name, optimizer=optimizer)


# The map


def test_a_grid_shows_each_elite_in_its_cell():
    archive = GridArchive(Flat(), (4, 3))
    archive.add(rows(archive.problem, [[0.1, 0.1], [0.9, 0.5], [0.9, 0.5]], [0.5, -0.5, 0.25]))
    ax = plot.elites(archive)
    (image,) = ax.images
    values = image.get_array()
    assert values.shape == (3, 4)  # the second measure runs upwards
    assert values[0, 0] == 0.5
    assert values[1, 3] == 0.25
    assert values.count() == 2
    assert image.get_extent() == [0, 1, 0, 1]
    assert image.origin == "lower"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("m0", "m1")
    assert ax.figure.axes[1].get_ylabel() == "f (maximize)"


@pytest.mark.parametrize("objective", [Maximize("f"), Minimize("f")])
def test_dark_is_good(objective):
    archive = GridArchive(Flat(1, (objective,)), 2)
    archive.add(rows(archive.problem, [[0.2], [0.7]], [-0.5, 0.5]))
    bars = plot.elites(archive).patches
    good, bad = (bars[1], bars[0]) if objective.sign > 0 else (bars[0], bars[1])
    assert sum(good.get_facecolor()[:3]) < sum(bad.get_facecolor()[:3])


@given(st.integers(1, 5), st.data())
@settings(max_examples=40, deadline=None)
def test_every_cell_of_a_nested_grid_has_a_place_of_its_own(m, choose):
    dims = tuple(choose.draw(st.lists(st.integers(1, 4), min_size=m, max_size=m)))
    names = tuple(f"m{j}" for j in range(m))
    cells = data.Niches(names, np.zeros(m), np.ones(m), dims, np.empty((0, m)))
    size = int(np.prod(dims))
    row, column = cells.flat(np.arange(size))
    tall, wide = cells.nested
    assert tall * wide == size
    assert sorted((row * wide + column).tolist()) == list(range(size))
    # The outermost measure along x decides the block of columns.
    first = np.unravel_index(np.arange(size), dims)[0]
    np.testing.assert_array_equal(column // max(1, wide // dims[0]), first)


def test_four_measures_are_grids_within_the_cells_of_a_grid():
    archive = GridArchive(Flat(4), (2, 3, 4, 5))
    archive.add(rows(archive.problem, [[0.9, 0.1, 0.3, 0.5]], [0.5]))
    ax = plot.elites(archive)
    values = ax.images[0].get_array()
    assert values.shape == (15, 8)
    assert values[0 * 5 + 2, 1 * 4 + 1] == 0.5
    assert ax.get_xlabel() == "m0; within each: m2 0 to 1"
    assert len(ax.lines) == 1 + 2  # between two outer columns, between three outer rows


def test_looking_along_the_other_measures_shows_the_best():
    archive = GridArchive(Flat(3), (2, 2, 2))
    places = [[0.1, 0.1, 0.1], [0.1, 0.9, 0.1], [0.9, 0.1, 0.9]]
    archive.add(rows(archive.problem, places, [0.1, 0.3, -0.5]))
    values = plot.elites(archive, measures=("m2", "m0")).images[0].get_array()
    assert values[0, 0] == 0.3
    assert values[1, 1] == -0.5
    assert values.count() == 2
    with pytest.raises(BatchError, match="give two of"):
        plot.elites(archive, measures=("m0", "m0"))


def test_voronoi_cells_tile_the_ranges_and_hold_their_points():
    problem = Flat()
    archive = CVTArchive(problem, 40)
    corners = data.niches(archive).polygons()
    x, y = (np.array([p[:, j].mean() for p in corners]) for j in (0, 1))
    np.testing.assert_array_equal(archive.cell_of(np.column_stack([x, y])), np.arange(40))

    def area(p):
        return abs(np.dot(p[:, 0], np.roll(p[:, 1], 1)) - np.dot(p[:, 1], np.roll(p[:, 0], 1))) / 2

    assert sum(map(area, corners)) == pytest.approx(1)
    filled(archive, 60)
    ax = plot.elites(archive)
    empty, full = (c for c in ax.collections if isinstance(c, PolyCollection))
    assert len(full.get_paths()) == len(archive)
    assert len(empty.get_paths()) == 40 - len(archive)
    np.testing.assert_array_equal(full.get_array(), archive.elites["f"])


def test_voronoi_cells_of_centroids_on_the_border():
    archive = CVTArchive(Flat(), [[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    assert [len(p) for p in data.niches(archive).polygons()] == [3, 3, 6]


def test_bars_of_one_measure():
    archive = CVTArchive(Flat(1), [[0.7], [0.1], [0.3]])
    archive.add(rows(archive.problem, [[0.75], [0.05]], [0.5, -0.5]))
    bars = sorted(
        (b.get_x(), b.get_width(), b.get_y() + b.get_height()) for b in plot.elites(archive).patches
    )
    np.testing.assert_allclose(bars, [(0, 0.2, -0.5), (0.5, 0.5, 0.5)])


def test_elites_without_cells_are_points():
    archive = filled(UnstructuredArchive(Flat(3), 0.1))
    ax = plot.elites(archive)
    (dots,) = ax.collections
    assert len(dots.get_offsets()) == len(archive)
    assert (np.diff(dots.get_array()) >= 0).all()  # the best on top
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("m0", "m1")


def test_points_outside_the_range_are_in_the_picture():
    archive = filled(UnstructuredArchive(Flat(), 0.1))
    far = rows(archive.problem, [[-0.5, 0.5], [0.5, 3.0]], [[0.1], [0.2]])
    archive.add(far)
    ax = plot.elites(archive)
    assert ax.get_xlim() == pytest.approx((-0.5, 1.0))
    assert ax.get_ylim() == pytest.approx((0.0, 3.0))


def test_what_is_no_archive_is_refused():
    for call in (plot.elites, plot.archive_profile, plot.cell_fronts):
        with pytest.raises(BatchError, match=r"give one, such as study\.optimizer\.archive"):
            call(3)
    for wrong in (3, "map"):
        with pytest.raises(BatchError, match="is no archive"):
            plot.quality_diversity(drawn(Flat()), problem=Flat(), archive=wrong)


@pytest.mark.parametrize("limits", [(1,), "a", ("a", "b"), (0, np.nan), 3])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ProblemError, match=r"limits=.*; give the least and the largest value"):
        plot.elites(filled(GridArchive(Flat(), 5)), limits=limits)


@pytest.mark.parametrize("measures", [3, ["m0"], [["m0"], "m1"]])
def test_measures_that_are_none_are_refused(measures):
    with pytest.raises(BatchError, match=r"give two of \['m0', 'm1', 'm2'\]"):
        plot.elites(filled(GridArchive(Flat(3), 5)), measures=measures)


def test_other_values_can_be_shown():
    archive = filled(GridArchive(Flat(), 5))
    assert plot.elites(archive, value="m0").figure.axes[1].get_ylabel() == "m0"
    for wrong in ("x", "nothing", ["m0"]):
        with pytest.raises(ProblemError, match=f"no value {re.escape(repr(wrong))} to show; Flat"):
            plot.elites(archive, value=wrong)
    ax = plot.elites(archive, limits=(0, 0.5))
    assert ax.images[0].get_clim() == (0, 0.5)


def test_without_an_objective_the_id_is_shown():
    archive = filled(GridArchive(Flat(2, ()), 5), 30)
    ax = plot.elites(archive)
    assert ax.figure.axes[1].get_ylabel() == "id"


def test_fronts_are_shown_by_their_hypervolume_or_an_objective():
    problem = Flat(2, (Maximize("f"), Minimize("g")))
    archive = FrontArchive(problem, (2, 2), front=5)
    archive.add(rows(problem, [[0.1, 0.1], [0.2, 0.2], [0.9, 0.9]], [[0, 0], [1, 1], [-1, 1]]))
    image = plot.elites(archive).images[0].get_array()
    # Over the worst seen, (-1, 1): 1 x 1 of the first alone; the second adds nothing above 1.
    assert image[0, 0] == pytest.approx(1)
    assert image[1, 1] == 0
    assert plot.elites(archive, value="f").images[0].get_array()[0, 0] == 1
    assert plot.elites(archive, value="g").images[0].get_array()[0, 0] == 0


@pytest.mark.parametrize(
    "archive",
    [
        GridArchive(Flat(), 4),
        CVTArchive(Flat(), 4),
        GridArchive(Flat(1), 4),
        GridArchive(Flat(4), 2),
        UnstructuredArchive(Flat()),
        FrontArchive(Flat(2, (Maximize("f"), Minimize("g"))), 3),
    ],
    ids=lambda a: f"{type(a).__name__}-{len(a.low)}",
)
def test_an_empty_archive_is_an_empty_picture_with_a_note(archive):
    ax = plot.elites(archive)
    assert "no elites yet" in [text.get_text() for text in ax.texts]
    ax.figure.canvas.draw()


def test_given_axes_are_drawn_on():
    archive = filled(GridArchive(Flat(), 4))
    ax = Figure().add_subplot()
    assert plot.elites(archive, ax=ax) is ax
    assert plt.get_fignums() == []


# Fronts, parallel coordinates, profiles


def test_each_cell_holds_a_picture_of_its_front():
    problem = Flat(2, (Maximize("f"), Minimize("g")))
    archive = filled(FrontArchive(problem, (3, 4), front=5), 300)
    ax = plot.cell_fronts(archive)
    frames, dots = ax.collections
    assert isinstance(frames, LineCollection)
    assert len(frames.get_paths()) == 12
    points = np.asarray(dots.get_offsets())
    assert len(points) == len(archive.cells)
    np.testing.assert_array_equal(GridArchive(problem, (3, 4)).cell_of(points), archive.cells)
    # To the right is a better f: within a cell the places are in the order of the scores.
    one = archive.cells == archive.cells[0]
    f = archive.elites["f"][one]
    assert (np.argsort(points[one, 0]) == np.argsort(f)).all()
    with pytest.raises(ProblemError, match="1 objectives and 2 measures"):
        plot.cell_fronts(GridArchive(Flat(), 4))
    with pytest.raises(ProblemError, match="at most 900"):
        plot.cell_fronts(filled(FrontArchive(problem, 40, front=2), 3_000))
    plot.cell_fronts(FrontArchive(problem, 3)).figure.canvas.draw()


def test_parallel_coordinates_of_elites():
    archive = filled(GridArchive(Flat(3), 3))
    ax = plot.parallel_coordinates(archive, show_inputs=False)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["m0", "m1", "m2", "f\n(maximize)"]
    assert len(ax.collections[0].get_paths()) == len(archive)
    assert len(plot.parallel_coordinates(archive).get_xticklabels()) == 3 + 1 + 3 + 1


@pytest.mark.parametrize("objective", [Maximize("f"), Minimize("f")])
def test_profile_counts_the_cells_at_least_as_good(objective):
    problem = Flat(1, (objective,))
    archive = GridArchive(problem, 4)
    archive.add(rows(problem, [[0.1], [0.4], [0.6]], [-0.5, 0.0, 0.5]))
    ax = plot.archive_profile(archive)
    (line,) = ax.lines
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    level = 0.25
    share = np.interp(level, x, y)
    assert share == (1 / 4 if objective.sign > 0 else 2 / 4)
    assert y.max() == 3 / 4
    assert ax.xaxis_inverted() == (objective.sign < 0)


def test_profiles_of_methods_have_bands():
    made = {k: [filled(GridArchive(Flat(), 5), 100, s) for s in range(3)] for k in "ab"}
    ax = plot.archive_profile(made)
    assert len(ax.lines) == len(ax.collections) == 2
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    ax = plot.archive_profile(filled(UnstructuredArchive(Flat(), 0.1)))
    assert ax.get_ylabel() == "elites at least as good"
    plot.archive_profile(GridArchive(Flat(), 3))
    with pytest.raises(BatchError, match="nothing to draw"):
        plot.archive_profile({})
    with pytest.raises(ProblemError, match="a profile is of one"):
        plot.archive_profile(FrontArchive(Flat(2, (Maximize("f"), Minimize("g"))), 3))


# Growth

tables = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(st.just(np.nan), st.floats(-1, 1))), max_size=40
)


@given(tables, st.integers(0, 40), st.sampled_from([Maximize("f"), Minimize("f")]))
@settings(deadline=None)
def test_growth_replays_a_history(table, told, objective):
    problem = Flat(1, (objective,))
    archive = GridArchive(problem, 4)
    history = rows(problem, [[x] for x, _ in table] or np.empty((0, 1)), [f for _, f in table])
    grown = data.growth(history, archive)
    # One by one, with a dictionary.
    best: dict[int, tuple[float, int]] = {}
    for i in range(min(told, len(history))):
        score = objective.sign * history["f"][i]
        cell = int(archive.cell_of([[history["m0"][i]]])[0])
        if np.isfinite(score) and (cell not in best or score > best[cell][0]):
            best[cell] = (score, i)
    shown = data.map_at(history, grown, archive, told)
    assert shown.cells.tolist() == sorted(best)
    assert shown.rows.tolist() == [best[cell][1] for cell in sorted(best)]
    if told >= len(history):
        archive.add(history)
        np.testing.assert_array_equal(shown.values, archive.elites["f"])
        traced = data.trace(history, archive, offset=-1.0)
        if len(history):
            assert traced.qd_score[-1] == pytest.approx(archive.qd_score(-1.0))
            assert traced.coverage[-1] == archive.coverage
            if best:
                assert traced.best[-1] == objective.sign * max(b for b, _ in best.values())


def test_curves_of_studies_batches_and_traces():
    problem = Flat()
    archive = GridArchive(problem, 5)
    made = {
        "a": [study(problem, seed=s, archive=archive) for s in range(3)],
        "b": [drawn(problem, 150, 9)],
        "c": [data.Trace([1, 100], [0.0, 30.0], [0.0, 0.5], [0.1, 0.9])],
    }
    panels = plot.quality_diversity(made, problem=problem, offset=-1)
    assert [ax.get_ylabel() for ax in panels] == ["QD score", "coverage", "best"]
    for ax in panels:
        assert [line.get_label() for line in ax.lines] == ["a", "b", "c"]
    line = panels[0].lines[1]
    full = GridArchive(problem, 5)
    full.add(made["b"][0])
    assert line.get_xdata()[-1] == 150
    assert line.get_ydata()[-1] == pytest.approx(full.qd_score(-1.0))
    assert panels[0].lines[2].get_ydata()[-1] == 30
    assert len(panels[0].collections) == 1  # a band where there are several runs
    same = plot.quality_diversity(made["a"], offset=-1, ax=Figure().subplots(1, 3))
    assert [line.get_label() for line in same[0].lines] == ["A"]


def test_growth_that_cannot_be_drawn():
    problem = Flat()
    history = drawn(problem)
    with pytest.raises(BatchError, match="give archive="):
        plot.quality_diversity(history, problem=problem)
    with pytest.raises(BatchError, match="below offset=0"):
        plot.quality_diversity(study(problem, archive=GridArchive(problem, 3)))
    with pytest.raises(ProblemError, match="no fixed cells"):
        plot.quality_diversity(study(problem, archive=UnstructuredArchive(problem)), offset=-1)
    with pytest.raises(BatchError, match="nothing to draw"):
        plot.quality_diversity({})
    with pytest.raises(BatchError, match="differ in shape"):
        plot.quality_diversity(data.Trace([1, 2], [1], [1], [1]))
    several = Flat(2, (Maximize("f"), Minimize("g")))
    with pytest.raises(ProblemError, match="several objectives"):
        data.growth(drawn(several), FrontArchive(several, 3))
    with pytest.raises(ProblemError, match="give 3"):
        plot.quality_diversity(data.Trace([1], [1], [1], [1]), ax=Figure().subplots(1, 2))


@pytest.mark.parametrize("make", [lambda p: GridArchive(p, 6), lambda p: CVTArchive(p, 12)])
def test_an_animation_ends_with_the_whole_map(make, tmp_path):
    from PIL import Image

    problem = Flat()
    archive = make(problem)
    path = plot.animation(study(problem, archive=archive), tmp_path / "grow.gif", frames=4)
    with Image.open(path) as picture:
        assert picture.n_frames >= 4
        frames = []
        for i in range(picture.n_frames):
            picture.seek(i)
            frames.append(np.asarray(picture.convert("RGB"), dtype=int))
    # More and more of the picture differs from the first, which is empty.
    coloured = [np.abs(frame - frames[0]).sum(axis=2).astype(bool).sum() for frame in frames]
    assert (np.diff(coloured) > -0.01 * coloured[-1]).all()
    assert coloured[-1] > 0.3 * frames[0].shape[0] * frames[0].shape[1]
    assert plt.get_fignums() == []


def test_a_short_history_lasts_as_long(tmp_path):
    from PIL import Image

    problem = Flat()
    grid = GridArchive(problem, 3)
    path = plot.animation(drawn(problem, 3), tmp_path / "a.gif", archive=grid, seconds=4)
    with Image.open(path) as picture:
        lasts = []
        for i in range(picture.n_frames):
            picture.seek(i)
            lasts.append(picture.info["duration"])
    assert sum(lasts) == pytest.approx(4000, rel=0.05)


def test_animations_that_cannot_be_drawn(tmp_path):
    problem = Flat(1)
    with pytest.raises(ProblemError, match="two or more measures"):
        plot.animation(drawn(problem), tmp_path / "a.gif", archive=GridArchive(problem, 3))
    with pytest.raises(ProblemError, match="frames=1"):
        plot.animation(drawn(problem), tmp_path / "a.gif", frames=1)
    with pytest.raises(ProblemError, match=r"ends in \.gif"):
        plot.animation(drawn(problem), tmp_path / "a.mp4")
    with pytest.raises(ProblemError, match=r"frames=2\.5"):
        plot.animation(drawn(problem), tmp_path / "a.gif", frames=2.5)
    with pytest.raises(ProblemError, match=r"path=3; give one that ends in \.gif"):
        plot.animation(drawn(problem), 3)
    with pytest.raises(BatchError, match="give a study or a Batch"):
        plot.animation(problems, tmp_path / "a.gif")

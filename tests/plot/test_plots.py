"""What is drawn, read back from the Axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from blackbox import plot, problems
from blackbox.errors import ProblemError
from blackbox.plot.style import PALETTE, apart
from tests.plot.conftest import history_of, told


def texts(ax):
    return [text.get_text() for text in ax.texts]


def offsets(collection):
    return np.asarray(collection.get_offsets())


DRAWINGS = {
    "convergence": lambda ax: plot.convergence(told(problems.Branin()), ax=ax),
    "pareto": lambda ax: plot.pareto(told(problems.BNH()), ax=ax),
    "parallel": lambda ax: plot.parallel_coordinates(told(problems.Tuning()), ax=ax),
    "simplex": lambda ax: plot.simplex(told(problems.Mixture(3)), ax=ax),
    "bars": lambda ax: plot.simplex(told(problems.Mixture(5)), ax=ax),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_draws_on_the_axes_it_is_given_and_makes_them_otherwise(draw):
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert plt.get_fignums() == []
    made = draw(None)
    assert made.figure.number in plt.get_fignums()
    made.figure.canvas.draw()


def test_convergence_draws_medians_and_bands(branin):
    values = np.array([[5.0, 4, 4, 1], [9, 9, 2, 2], [7, 3, 3, 3]])
    studies = [history_of(branin, f=f, name="A") for f in values]
    ax = plot.convergence(studies, band=(0.0, 1.0))
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(line.get_ydata(), [7, 4, 3, 2])
    assert line.get_drawstyle() == "steps-post"
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == 1
    assert corners[:, 1].max() == 9
    assert ax.get_xlabel() == "evaluations"
    assert ax.get_ylabel() == "best f (minimize)"


def test_convergence_names_each_method_at_its_end_in_its_colour(branin):
    ax = plot.convergence({"first": [told(branin, 9)], "second": [told(branin, 9, 1)]})
    assert texts(ax) == ["first", "second"]
    assert [line.get_color() for line in ax.lines] == list(PALETTE[:2])
    assert [text.get_color() for text in ax.texts] == list(PALETTE[:2])
    assert [line.get_label() for line in ax.lines] == ["first", "second"]


def test_convergence_of_one_run_shows_its_outcomes_but_no_failed_row(branin):
    study = told(branin, 20, failed=(0, 5))
    ax = plot.convergence(study)
    dots = offsets(ax.collections[0])
    ok = study.history["ok"]
    np.testing.assert_array_equal(dots[:, 0], np.flatnonzero(ok) + 1)
    np.testing.assert_array_equal(dots[:, 1], study.history["f"][ok])
    np.testing.assert_array_equal(ax.lines[0].get_ydata()[-1:], study.history["f"][ok].min())
    assert texts(ax) == []


def test_convergence_in_regret_is_logarithmic(branin):
    study = told(branin, 30)
    ax = plot.convergence(study, optimum=branin.optimum)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "regret of f"
    regret = study.history["f"].min() - branin.optimum
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(regret)


def test_convergence_cuts_a_first_tenth_that_would_flatten_the_rest(branin):
    falling = np.concatenate([[1000.0], np.linspace(10, 1, 99)])
    ax = plot.convergence(history_of(branin, f=falling))
    low, high = ax.get_ylim()
    assert low < 1
    assert high < 20
    assert ax.lines[0].get_ydata()[0] == 1000  # drawn all the same
    steady = plot.convergence(history_of(branin, f=np.linspace(10, 1, 100)))
    assert steady.get_ylim()[1] > 10


def test_convergence_against_cost_and_of_several_objectives(trade):
    study = told(trade, 20)
    ax = plot.convergence([study, told(trade, 20, 1)], x="cost")
    assert ax.get_xlabel() == "cost"
    assert ax.get_ylabel() == "hypervolume"
    assert (np.diff(ax.lines[0].get_ydata()) >= 0).all()


def test_convergence_of_failures_alone_is_empty(branin):
    ax = plot.convergence(told(branin, 3, failed=range(3)))
    assert len(ax.lines[0].get_xdata()) == 0
    ax.figure.canvas.draw()


def test_pareto_draws_the_front_the_rest_and_the_infeasible():
    bnh = problems.BNH()
    study = told(bnh, 200, failed=(1, 2))
    history = study.history
    ax = plot.pareto(study)
    drawn = {c.get_label(): offsets(c) for c in ax.collections}
    assert set(drawn) == {"dominated", "infeasible", "Pareto front"}
    ok, feasible = history["ok"], bnh.feasible(history)
    assert len(drawn["infeasible"]) == (ok & ~feasible).sum()
    assert len(drawn["dominated"]) + len(drawn["Pareto front"]) == feasible.sum()
    assert min(points.min() for points in drawn.values()) > -1  # failed rows hold -1e9
    assert ax.get_xlabel() == "f1 (minimize)"
    assert ax.get_ylabel() == "f2 (minimize)"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(drawn)


def test_pareto_of_several_runs_draws_the_median_between_two_shares(trade):
    runs = [told(trade, 40, seed, name=name) for name in "AB" for seed in range(5)]
    ax = plot.pareto(runs)
    assert [line.get_label() for line in ax.lines] == ["A, 50% of 5 runs", "B, 50% of 5 runs"]
    assert len(ax.patches) == 2
    assert not ax.collections
    assert ax.get_legend().get_title().get_text() == "band: 25% to 75% of runs"
    assert ax.get_xlabel() == "gain (maximize)"


def test_pareto_of_two_single_runs_draws_their_fronts_alone(trade):
    ax = plot.pareto([told(trade, 30, name="A"), told(trade, 30, 1, name="B")])
    assert [c.get_label() for c in ax.collections] == ["A", "B"]


def test_pareto_in_space():
    problem = problems.DTLZ2(3)
    study = told(problem, 80)
    ax = plot.pareto(study)
    assert ax.name == "3d"
    assert ax.get_zlabel() == "f3 (minimize)"
    shown = sum(len(c._offsets3d[0]) for c in ax.collections)
    assert shown == 80
    ax.figure.canvas.draw()
    several = plot.pareto([told(problem, 20, s, name="A") for s in range(3)])
    assert [c.get_label() for c in several.collections] == ["A, 50% of 3 runs"]
    with pytest.raises(ProblemError, match="projection='3d'"):
        plot.pareto(study, ax=Figure().add_subplot())
    with pytest.raises(ProblemError, match="projection='rectilinear'"):
        plot.pareto(told(problems.BNH()), ax=Figure().add_subplot(projection="3d"))


def test_parallel_coordinates_draw_a_line_a_row_through_every_axis():
    tuning = problems.Tuning()
    study = told(tuning, 50, failed=(0,))
    ax = plot.parallel_coordinates(study)
    (lines,) = (c for c in ax.collections if isinstance(c, LineCollection))
    segments = np.array(lines.get_segments())
    assert segments.shape == (49, 4, 2)
    assert (segments[:, :, 1] >= 0).all()
    assert (segments[:, :, 1] <= 1).all()
    # From the worst to the best: loss, the last axis, falls from one end to the other.
    assert segments[0, -1, 1] == 1
    assert segments[-1, -1, 1] == 0
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["lr", "width", "act", "loss\n(minimize)"]
    assert {"relu", "tanh", "gelu"} <= set(texts(ax))


def test_parallel_coordinates_colour_the_front_alone(trade):
    study = told(trade, 60)
    ax = plot.parallel_coordinates(study, objective="ms")
    colours = ax.collections[0].get_colors()
    grey = np.isclose(colours[:, :3], to_rgba("#C9C9C9")[:3]).all(axis=1)
    front = len(plot.pareto(study).collections[1].get_offsets())
    assert (~grey).sum() == front
    assert not grey[-front:].any()


def test_simplex_of_three_parts_is_a_triangle():
    problem = problems.Mixture(3)
    study = told(problem, 40, failed=(7,))
    ax = plot.simplex(study)
    dots, ring = ax.collections[:2]
    assert offsets(dots).shape == (39, 2)
    assert sorted(dots.get_array()) == sorted(study.history["loss"][study.history["ok"]])
    assert {"web", "code", "books", "best"} <= set(texts(ax))
    ok = study.history[study.history["ok"]]
    best = ok["mix"][ok["loss"].argmin()]
    expected = best @ np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    np.testing.assert_allclose(offsets(ring), [expected])
    assert ax.figure.axes[1].get_ylabel() == "loss (minimize)"
    # Dark is good: of a minimized outcome the small values.
    assert sum(dots.to_rgba(dots.get_array().min())[:3]) < sum(
        dots.to_rgba(dots.get_array().max())[:3]
    )


def test_simplex_of_more_parts_is_bars_of_the_best_mixture():
    problem = problems.Mixture(5)
    study = told(problem, 40)
    ax = plot.simplex(study)
    best = study.history["mix"][study.history["loss"].argmin()]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], best)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0", "1", "2", "3", "4"]


def test_simplex_of_a_problem_without_one():
    with pytest.raises(ProblemError, match=r"no Simplex None; Branin has \[\]"):
        plot.simplex(told(problems.Branin()))
    with pytest.raises(ProblemError, match=r"no Simplex 'max'; Mixture has \['mix'\]"):
        plot.simplex(told(problems.Mixture()), parameter="max")


def test_slices_draw_every_row_in_every_panel():
    tuning = problems.Tuning()
    study = told(tuning, 30, failed=(2,))
    panels = plot.slices(study)
    assert panels.shape == (3,)
    assert [ax.get_xlabel() for ax in panels] == ["lr", "width", "act"]
    assert [ax.get_ylabel() for ax in panels] == ["loss (minimize)", "", ""]
    assert [ax.get_xscale() for ax in panels] == ["log", "log", "linear"]
    ok = study.history[study.history["ok"]]
    for ax in panels:
        y = np.concatenate([offsets(c)[:, 1] for c in ax.collections])
        np.testing.assert_allclose(np.sort(y), np.sort(ok["loss"]))
        (best,) = offsets(ax.collections[1])
        assert best[1] == ok["loss"].min()
    lr = np.concatenate([offsets(c)[:, 0] for c in panels[0].collections])
    np.testing.assert_allclose(np.sort(lr), np.sort(ok["lr"]))
    # Choices are spread, yet every point is nearest to its own.
    act = np.concatenate([offsets(c)[:, 0] for c in panels[2].collections])
    levels, counts = np.unique(np.rint(act), return_counts=True)
    names = np.array(["relu", "tanh", "gelu"])[levels.astype(int)]
    assert dict(zip(names, counts, strict=True)) == {
        name: int((ok["act"] == name).sum()) for name in names
    }
    assert len(np.unique(act)) == len(act)


def test_slices_on_given_axes():
    panels = Figure().subplots(1, 2)
    drawn = plot.slices(told(problems.Branin()), ax=panels)
    assert list(drawn) == list(panels)
    with pytest.raises(ProblemError, match="ax holds 1 Axes; give 2"):
        plot.slices(told(problems.Branin()), ax=panels[0])
    assert len(plot.slices(told(problems.Hartmann6()))) == 6


def test_every_plot_takes_a_batch_and_its_problem(branin):
    history = told(branin, 10).history
    assert plot.convergence(history, problem=branin).lines
    assert plot.parallel_coordinates(history, problem=branin).collections
    assert len(plot.slices([history, history], problem=branin)) == 2


@pytest.mark.parametrize("band", [(0.9, 0.1), (0.5,), 3, ("a", "b")])
@pytest.mark.parametrize("draw", [plot.convergence, plot.quality_diversity, plot.archive_profile])
def test_a_band_that_is_none_is_refused(branin, draw, band):
    with pytest.raises(ProblemError, match="give two quantiles from 0 to 1, the lower one first"):
        draw(told(branin), band=band)


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plot.convergence, {"ax": 3}, "ax=3; give Axes of matplotlib"),
        (plot.slices, {"ax": [1, 2]}, "ax=1; give Axes of matplotlib"),
        (plot.convergence, {"reference": {"f": 1.0}}, "for one give optimum"),
        (plot.parallel_coordinates, {"objective": ["f"]}, r"no objective \['f'\]"),
        (plot.parallel_coordinates, {"show_inputs": "no"}, "show_inputs='no' must be"),
        (plot.pareto, {"levels": (0.5,)}, "give three shares of the runs"),
    ],
)
def test_wrong_arguments_are_named(branin, draw, arguments, message):
    with pytest.raises(ProblemError, match=message):
        draw(told(branin), **arguments)


def test_labels_move_apart_as_little_as_needed():
    np.testing.assert_allclose(apart(np.array([0.5, 0.9]), 0.1), [0.5, 0.9])
    np.testing.assert_allclose(apart(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])
    np.testing.assert_allclose(apart(np.array([0.52, 0.5, 0.9]), 0.1), [0.56, 0.46, 0.9])
    np.testing.assert_allclose(apart(np.array([0.0, 0.0]), 0.1), [0.0, 0.1])
    np.testing.assert_allclose(apart(np.array([1.0, 1.0]), 0.1), [0.9, 1.0])

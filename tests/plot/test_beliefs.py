"""Slices, validation and sensitivity of models, against what they are defined by."""

from __future__ import annotations

import copy
import math
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import norm

import blackbox as bb
from blackbox import plot
from blackbox.errors import ProblemError, TellError
from blackbox.plot import data
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.kernel import Rows
from blackbox.surrogates.posterior import Posterior


class Mixed(bb.Problem):
    """A number, a choice, shares and a vector, one constraint, and a limit on inputs."""

    space = bb.Space(
        bb.Real("u", 1, 100, log=True),
        bb.Categorical("kind", ["a", "b", "c"]),
        bb.Simplex("mix", ["one", "two", "three"]),
        bb.Integer("k", 0, 4, size=2),
        bb.Permutation("order", 3),
        constraints=[bb.LinearConstraint({"mix[one]": 1.0}, upper=0.6)],
    )
    objectives = (bb.Maximize("gain"),)
    constraints = (bb.Constraint("load", upper=9.0),)

    def evaluate(self, p):
        gain = math.log(p["u"]) + (p["kind"] == "b") + p["mix"][0] - 0.1 * p["k"][1]
        return {"gain": gain, "load": float(p["k"].sum()) + math.log(p["u"])}


def bayes(problem, n, seed=0, **options):
    """An optimizer told n random rows."""
    optimizer = bb.Bayes(problem, seed=seed, n_init=0, **options)
    rows = problem.space.draw(n, np.random.default_rng(seed))
    optimizer.tell(rows.with_columns(**problem.measure(rows)))
    return optimizer


@pytest.fixture(scope="module")
def mixed():
    return bayes(Mixed(), 24)


@pytest.fixture(scope="module")
def branin():
    return bayes(bb.problems.Branin(), 12)


def test_posterior_slices_are_what_the_optimizer_predicts(mixed):
    drawn = data.posterior(mixed)
    names = ["u", "kind", "mix[one]", "mix[two]", "mix[three]", "k[0]", "k[1]"]
    assert [one.column.name for one in drawn.slices] == names
    best = mixed.recommend()
    u = drawn.slices[0].column.values
    rows = best.take(np.zeros(len(u), dtype=int)).with_columns(u=u)
    mean, deviation = mixed.predict(rows)["gain"]
    np.testing.assert_allclose(drawn.slices[0].mean, mean)
    model = mixed._looked_at().objectives[0]
    if math.isinf(model.outcomes.c):  # without a warp quantiles are those of a normal
        low, high = drawn.slices[0].bands[0.95]
        np.testing.assert_allclose(low, mean - norm.ppf(0.975) * deviation)
        np.testing.assert_allclose(high, mean + norm.ppf(0.975) * deviation)
    assert drawn.slices[0].at == best["u"][0]
    np.testing.assert_allclose(drawn.here, mixed.predict(best)["gain"][0])
    np.testing.assert_array_equal(drawn.slices[1].column.levels, ["a", "b", "c"])
    np.testing.assert_array_equal(drawn.slices[5].column.values, np.arange(5))


def test_slices_stop_where_a_linear_constraint_is_broken(mixed):
    one = data.posterior(mixed).slices[2]
    np.testing.assert_array_equal(np.isnan(one.mean), one.column.values > 0.6 + 1e-9)
    assert np.isnan(one.bands[0.68]).any()


def test_bands_are_in_order_whichever_way_is_better(branin):
    for one in data.posterior(branin).slices:
        (low, high), (lower, higher) = one.bands[0.68], one.bands[0.95]
        assert (lower <= low).all()
        assert (low <= one.mean).all()
        assert (one.mean <= high).all()
        assert (high <= higher).all()


def test_rows_near_a_slice_are_near(branin):
    first = data.posterior(branin).slices[0]
    here = branin.recommend()["y"][0]
    away = np.abs(branin._told.batch["y"] - here)
    assert (np.diff(first.near[np.argsort(away)]) <= 0).all()
    assert first.near[np.argmin(away)] == 1  # the row that the slice goes through


def test_a_band_without_bounds_leaves_the_axis_but_rows_and_lines_do_not(branin, monkeypatch):
    """Bands of a warped outcome may reach thousands of times as far as everything told."""
    drawn = data.posterior(branin)
    seen = np.concatenate([drawn.values, *[one.mean for one in drawn.slices]])
    widest = max(one.bands[0.95].max() for one in drawn.slices)
    bottom, top = plot.posterior(branin)[0].get_ylim()
    assert bottom < seen.min()
    assert top > max(seen.max(), widest)
    for one in drawn.slices:
        one.bands[0.95][1, :20] += 1e6
    module = sys.modules["blackbox.plot.posterior"]  # a function of the package has its name
    monkeypatch.setattr(module, "sliced", lambda source, outcome: drawn)
    for panel in plot.posterior(branin):
        assert panel.get_ylim()[0] == pytest.approx(bottom, abs=0.1 * (top - bottom))
        assert seen.max() < panel.get_ylim()[1] < 2 * top


def test_a_constraint_has_a_posterior_too(mixed):
    drawn = data.posterior(mixed, "load")
    assert drawn.name == "load ≤ 9"
    np.testing.assert_array_equal(drawn.values, mixed._told.batch["load"])


def test_acquisition_goes_through_the_next_row_and_changes_nothing(mixed):
    before = mixed.rng.bit_generator.state
    drawn = data.acquisition(mixed)
    assert mixed.rng.bit_generator.state == before
    asked = drawn.asked[0]
    next_row = copy.deepcopy(mixed).ask(1)
    assert asked[0] == next_row["u"][0]
    for one, places in zip(drawn.slices, drawn.asked, strict=True):
        at = np.flatnonzero(np.isclose(one.column.values, places[0]))
        np.testing.assert_allclose(one.mean[at], drawn.worth[0], rtol=1e-6)


def test_a_map_of_two_numbers(branin):
    drawn = data.acquisition(branin)
    assert isinstance(drawn, data.Map)
    assert drawn.worth.shape == (len(drawn.y), len(drawn.x))
    spot = bb.Batch({"x": drawn.x[[7]], "y": drawn.y[[30]]})
    np.testing.assert_allclose(drawn.worth[30, 7], branin.worth(spot)[0])
    asked = bb.Batch({"x": drawn.asked[:, 0], "y": drawn.asked[:, 1]})
    assert branin.worth(asked)[0] >= np.nanmax(drawn.worth) - 1e-6


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("objective", [bb.Minimize("f"), bb.Maximize("f")])
def test_leaving_one_out_in_closed_form_is_leaving_it_out(noise, objective):
    shift = np.random.default_rng(1).normal(size=30) * noise

    def bowl(p):
        return float((p["x"] - 0.3) ** 2 * 9 + math.sin(5 * p["y"]) + shift[int(p["x"] * 29)])

    space = bb.Space(bb.Real("x", 0, 1), bb.Real("y", 0, 1))
    optimizer = bayes(bb.problem(bowl, space, objective), 15)
    found = data.leave_one_out(optimizer)
    model = optimizer._looked_at().objectives[0]
    rows, z = model.likelihood.rows, model.likelihood.z
    kernel, variance = model.likelihood.split(model.theta)
    np.testing.assert_allclose(found.observed, optimizer._told.batch["f"])
    for i in range(len(z)):
        keep = np.arange(len(z)) != i
        others = Rows(rows.numbers[keep], rows.codes[keep])
        left = Posterior.profiled(kernel, others, z[keep], variance[keep])
        moments = left.moments(Rows(rows.numbers[[i]], rows.codes[[i]]))
        spread = math.sqrt(moments.deviation[0] ** 2 + variance[i])
        ends = moments.mean[0, 0] + spread * norm.ppf([0.025, 0.975])
        expected = np.sort(objective.sign * model.outcomes.backward(ends))
        np.testing.assert_allclose(found.bands[0.95][:, i], expected, rtol=2e-4, atol=1e-6)
        mean = objective.sign * model.outcomes.backward(moments.mean[0, 0])
        np.testing.assert_allclose(found.mean[i], mean, rtol=1e-4, atol=1e-6)


def test_coverage_counts_the_rows_inside_each_interval(branin):
    found = data.leave_one_out(branin)
    for share, (low, high) in found.bands.items():
        inside = ((low <= found.observed) & (found.observed <= high)).mean()
        at = np.searchsorted(found.levels, share)
        assert found.coverage[at - 1] <= inside <= found.coverage[at] + 1e-12
    assert (np.diff(found.coverage) >= 0).all()
    assert found.coverage[-1] == 1


def test_rows_of_earlier_studies_are_not_validated():
    problem = bb.problems.Branin()
    rows = problem.space.draw(9, np.random.default_rng(5))
    prior = rows.with_columns(**problem.measure(rows))
    surrogate = ExactGP(warp=False)
    found = data.leave_one_out(bayes(problem, 7, prior=[prior], surrogate=surrogate))
    assert len(found.observed) == 7


def test_importance_of_a_sum_and_of_a_product():
    space = bb.Space(bb.Real("x", -1, 1), bb.Real("y", -1, 1), bb.Real("idle", -1, 1))
    added = bb.problem(lambda p: 3 * p["x"] + p["y"], space, bb.Maximize("f"))
    found = data.importances(bayes(added, 40))
    assert found.names == ("x", "y", "idle")
    np.testing.assert_allclose(found.first, [0.9, 0.1, 0], atol=0.02)
    np.testing.assert_allclose(found.total, [0.9, 0.1, 0], atol=0.02)
    product = bb.problem(lambda p: p["x"] * p["y"], space, bb.Maximize("f"))
    found = data.importances(bayes(product, 60))
    assert set(found.names[:2]) == {"x", "y"}
    np.testing.assert_allclose(found.first, 0, atol=0.06)
    np.testing.assert_allclose(found.total, [1, 1, 0], atol=0.06)


def test_importance_takes_elements_of_numbers_apart_and_shares_together(mixed):
    found = data.importances(mixed, samples=64)
    assert set(found.names) == {"u", "kind", "mix", "k[0]", "k[1]", "order"}
    assert found.names[0] == "u"


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_importances_do_not_depend_on_the_unit(unit):
    space = bb.Space(bb.Real("x", 0, 1), bb.Real("y", 0, 1))
    problem = bb.problem(lambda p: unit * p["x"], space, bb.Minimize("f"))
    found = data.importances(bayes(problem, 6))
    assert found.names[0] == "x"
    assert found.total[0] > 0.9


def test_a_constant_has_no_important_parameter():
    flat = bb.problem(lambda p: 7.0, bb.Space(bb.Real("x", 0, 1)), bb.Minimize("f"))
    found = data.importances(bayes(flat, 5))
    assert (found.first == 0).all()
    assert (found.total == 0).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda b: data.posterior(bb.Random(b.problem)), ProblemError, "has no models"),
        (lambda b: data.posterior(b, "g"), ProblemError, "no outcome 'g'; Branin has"),
        (lambda b: data.posterior(b, ["f"]), ProblemError, r"no outcome \['f'\]; Branin has"),
        (lambda b: data.importances(b, samples=100), ProblemError, "power of two"),
        (lambda b: data.posterior(bb.Bayes(b.problem)), TellError, "no row has succeeded"),
        (lambda b: data.leave_one_out(bayes(b.problem, 2)), TellError, "too few"),
        (lambda b: plot.cross_validation(b, ax=plt.subplots(1, 3)[1]), ProblemError, "give 2"),
        (lambda b: plot.posterior(b, ax=plt.subplots()[1]), ProblemError, "holds 1 Axes; give 2"),
    ],
)
def test_bad_input(branin, call, error, message):
    with pytest.raises(error, match=message):
        call(branin)


def test_pictures_are_drawn(mixed, branin):
    panels = plot.posterior(mixed)
    assert len(panels) == 7
    assert panels[0].get_xscale() == "log"
    assert panels[0].get_ylabel() == "gain (maximize)"
    (mean,) = panels[0].lines
    np.testing.assert_allclose(mean.get_ydata(), data.posterior(mixed).slices[0].mean)
    assert len(plot.acquisition(mixed)) == 7
    (one,) = plot.acquisition(branin)
    assert one.figure.axes[1].get_ylabel() == "EI"
    left, right = plot.cross_validation(branin)
    assert "predicted" in left.get_ylabel()
    assert "68% intervals hold" in right.texts[0].get_text()
    ax = plot.importance(mixed)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(data.importances(mixed).names)
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()


def test_pareto_shows_what_is_expected_of_recommended_rows():
    problem = bb.problems.BNH()
    optimizer = bayes(problem, 12, acquisition=bb.acquisitions.EHVI())
    history = optimizer._told.batch
    ax = plot.pareto(history, problem=problem, uncertainty=optimizer)
    (bars,) = ax.containers
    means, deviations = data.recommended(optimizer)
    np.testing.assert_allclose(np.column_stack(bars.lines[0].get_data()), means)
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 0]
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 4 * deviations[:, 0], atol=1e-9)
    rows = optimizer.recommend()
    np.testing.assert_allclose(means[:, 0], optimizer.predict(rows)["f1"][0])
    with pytest.raises(ProblemError, match=r"uncertainty= has objectives \['f'\]"):
        plot.pareto(history, problem=problem, uncertainty=bayes(bb.problems.Branin(), 4))

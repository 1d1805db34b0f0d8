"""The report's pictures. Each function draws one figure from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

import blackbox as bb
from blackbox.plot.style import INK, QUIET, RAMP, SMALL, colour, colour_bar, tidy
from studies.offline_rl.analysis import expected_online_performance
from studies.offline_rl.calibration import LEVELS, Judged
from studies.offline_rl.correlation import spearman
from studies.offline_rl.penalties import PENALTIES

if TYPE_CHECKING:
    from studies.offline_rl.run import Results, Tuned

WIDTH = 8.4  # inches
SHOWN = 400  # points of a scatter
MEMBERS = 7  # models that most figures are about
RARE = (0.9, 0.95, 0.99)


def errors(judged: dict[str, Judged]) -> Figure:
    """Each penalty against the true error, a row for each place."""
    figure, axes = _figure(1.75 * len(judged), len(judged), len(PENALTIES))
    rng = np.random.default_rng(0)
    for i, (place, one) in enumerate(judged.items()):
        at = rng.choice(len(one.error), min(SHOWN, len(one.error)), replace=False)
        for j, name in enumerate(PENALTIES):
            ax = axes[i, j]
            x = np.maximum(one.penalties[name][at], 1e-6)
            ax.scatter(x, np.maximum(one.error[at], 1e-6), s=3, lw=0, alpha=0.5, color=colour(i))
            ax.set(xscale="log", yscale="log")
            r = [one.correlation(name, kind) for kind in ("spearman", "pearson")]
            title = f"{name}\n" if i == 0 else ""
            ax.set_title(f"{title}ρ {r[0]:.2f}, r {r[1]:.2f}", size=SMALL - 1, color=INK)
            tidy(ax)
            ax.tick_params(labelsize=SMALL - 3)
            ax.minorticks_off()
        axes[i, 0].set_ylabel(f"{place}\ntrue error", size=SMALL)
    figure.supxlabel("penalty, in standard deviations of the data", size=SMALL)
    return figure


def by_models(judged: dict[int, dict[str, Judged]]) -> Figure:
    """Both correlations and coverage against what they depend on."""
    figure, axes = _figure(2.9, 1, 3)
    for ax, kind in zip(axes[0], ("spearman", "pearson"), strict=False):
        for i, name in enumerate(PENALTIES):
            means = [
                np.mean([one.correlation(name, kind) for place, one in of.items() if place != OWN])
                for of in judged.values()
            ]
            ax.plot([*judged], means, color=colour(i), marker="o", ms=3, lw=1.4, label=name)
        ax.set(xlabel="models", ylabel=f"{kind}, out of distribution", ylim=(-0.3, 1))
    axes[0, 0].legend(frameon=False, fontsize=SMALL - 2, ncols=2)
    last = axes[0, 2]
    for i, (place, one) in enumerate(judged[MEMBERS].items()):
        shares = [one.covered[level] for level in LEVELS]
        last.plot(LEVELS, shares, color=colour(i), marker="o", ms=3, label=place)
    last.plot([0.5, 1], [0.5, 1], color=QUIET, lw=0.8, ls=":")
    last.set(xlabel="level of the interval", ylabel="share of outcomes within", ylim=(0, 1))
    last.legend(frameon=False, fontsize=SMALL - 1)
    for ax in axes[0]:
        tidy(ax)
    return figure


def by_step(judged: Judged) -> Figure:
    """Quantiles of error and penalties along a rollout; how well the worst errors are found."""
    figure, axes = _figure(2.7, 1, 4)
    steps = np.unique(judged.step)
    shown = {"true error": judged.error, **{k: judged.penalties[k] for k in STEADY}}
    for ax, (name, values) in zip(axes[0], shown.items(), strict=False):
        at = [values[judged.step == step] for step in steps]
        low, middle, high = np.array([np.quantile(v, [0.1, 0.5, 0.9]) for v in at]).T
        ax.fill_between(steps, low, high, alpha=0.2, lw=0, color=colour(0))
        ax.plot(steps, middle, color=colour(0))
        ax.set(xlabel="step of the rollout", ylabel=name, ylim=(0, 1.1 * high.max()))
        tidy(ax)
    last = axes[0, 3]
    for i, name in enumerate(PENALTIES):
        found = [judged.average_precision(name, q) for q in RARE]
        last.plot(range(len(RARE)), found, color=colour(i), marker="o", ms=3, label=name)
    last.set_xticks(range(len(RARE)), [f"{q:.0%}" for q in RARE])
    last.set(xlabel="above which quantile", ylabel="average precision", ylim=(0, 1))
    last.legend(frameon=False, fontsize=SMALL - 3)
    tidy(last)
    return figure


def heat(tuned: Tuned) -> Figure:
    """What the model of Bayes expects over weight and horizon, one map for each penalty."""
    figure, axes = _figure(4.4, 2, 3)
    weights, horizons = tuned.axes
    values = np.array([*tuned.expected.values()])
    limits = {"vmin": values.min(), "vmax": values.max()}
    told = tuned.history
    for ax, (name, expected) in zip(axes.ravel(), tuned.expected.items(), strict=True):
        drawn = ax.pcolormesh(weights, horizons, expected, cmap=RAMP, rasterized=True,
                              shading="nearest", **limits)  # fmt: skip
        own = told[told["penalty"] == name]
        ax.scatter(own["weight"], own["horizon"], s=16, color="white", edgecolor=INK, lw=0.7)
        ax.set(xscale="log", yscale="log", xlabel="weight", ylabel="horizon")
        ax.set_title(name, size=SMALL + 1, color=INK)
        tidy(ax)
        colour_bar(ax, drawn, "return")
    return figure


def progress(results: Results) -> Figure:
    """Best so far, and expected online performance, on each data set."""
    figure, axes = _figure(2.6 * len(results.tuned), len(results.tuned), 2)
    for (name, tuned), (left, right) in zip(results.tuned.items(), axes, strict=True):
        returns = {
            "Bayes": np.array(tuned.history["return"], dtype=float),
            "random": np.array([line["true"] for line in results.pools[name]], dtype=float),
        }
        for i, (who, values) in enumerate(returns.items()):
            best = np.fmax.accumulate(values)
            left.step(np.arange(1, len(best) + 1), best, where="post", color=colour(i), label=who)
            known = expected_online_performance(values[np.isfinite(values)])
            right.plot(np.arange(1, len(known) + 1), known, color=colour(i), label=who)
        for ax in (left, right):
            ax.axhline(np.mean(tuned.published), color=QUIET, lw=1, ls=":", label="published")
            tidy(ax)
        left.set(xlabel="evaluations", ylabel=f"{name}: best true return")
        right.set(xlabel="policies deployed, in any order", ylabel="expected best return")
        left.legend(frameon=False, fontsize=SMALL)
    return figure


def proxies(results: Results) -> Figure:
    """Returns in the model, plain and charged, against true ones."""
    figure, axes = _figure(2.8, 1, 2 * len(results.pools))
    for k, (name, pool) in enumerate(results.pools.items()):
        true = [line["true"] for line in pool]
        for j, kind in enumerate(("model", "penalised")):
            ax = axes[0, 2 * k + j]
            given = [line[kind] for line in pool]
            ax.scatter(given, true, s=14, lw=0, color=colour(k))
            if kind == "penalised":  # of heavy weights far below all returns
                ax.set_xscale("symlog", linthresh=1_000)
            ax.set_title(f"{name}: ρ {spearman(given, true):.2f}", size=SMALL, color=INK)
            ax.set(xlabel=f"{kind} return", ylabel="true return")
            tidy(ax)
            ax.tick_params(axis="x", labelsize=SMALL - 2, rotation=30)
    return figure


def elites(results: Results) -> Figure:
    """The best row of each cell over weight and horizon."""
    figure, axes = _figure(3.6, 1, 1)
    bb.plot.elites(results.elites, ax=axes[0, 0])
    return figure


OWN = "same kind"
STEADY = ("ens_std", "max_aleatoric")


def _figure(height: float, rows: int, columns: int) -> tuple[Figure, npt.NDArray[Any]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes: npt.NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    return figure, axes

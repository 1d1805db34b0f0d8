"""The report's pictures. Each function draws one figure from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

import blackbox as bb
from blackbox.plot.style import INK, QUIET, SMALL, colour, tidy
from studies.map_elites.treatments import TREATMENTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from blackbox.formulation import Floats
    from studies.map_elites.run import Results
    from studies.map_elites.warm import Warm

WIDTH = 8.4  # inches
#: The paper's four metrics, as ``compare_archives`` names them.
METRICS = ("global performance", "global reliability", "precision", "coverage")


def boxes(results: Results) -> Figure:
    """The four metrics of every run, a row for each domain."""
    figure, axes = _figure(2.6 * len(results.domains), len(results.domains), len(METRICS))
    for row, (name, comparison) in zip(axes, results.comparisons.items(), strict=True):
        for ax, metric in zip(row, METRICS, strict=True):
            _boxes(ax, comparison.values[metric])
            ax.set_title(metric, size=SMALL + 1, color=INK)
        row[0].set_ylabel(name, size=SMALL + 2)
    handles = [
        axes[0, 0].scatter([], [], color=colour(i), label=treatment, s=18)
        for i, treatment in enumerate(TREATMENTS)
    ]
    figure.legend(
        handles=handles, ncols=len(handles), loc="outside upper center", frameon=False,
        fontsize=SMALL + 1, handletextpad=0.1,
    )  # fmt: skip
    return figure


def _boxes(ax: Axes, values: dict[str, Floats]) -> None:
    rng = np.random.default_rng(0)
    for i, numbers in enumerate(values.values()):
        ax.boxplot(
            numbers, positions=[i], widths=0.62, showfliers=False,
            medianprops={"color": INK}, boxprops={"color": QUIET},
            whiskerprops={"color": QUIET}, capprops={"color": QUIET},
        )  # fmt: skip
        ax.scatter(i + rng.uniform(-0.16, 0.16, len(numbers)), numbers, s=9, color=colour(i))
    ax.set_xticks([])
    ax.set_xlim(-0.6, len(values) - 0.4)
    tidy(ax)
    ax.tick_params(labelsize=SMALL)


def maps(results: Results, name: str) -> Figure:
    """The map of the first run of each treatment on a domain, in the same colours."""
    groups = results.maps[name]
    figure, axes = _figure(5.4, 2, 2)
    scores = np.concatenate([runs[0].scores for runs in groups.values()])
    limits = float(scores.min()), float(scores.max())
    for ax, (treatment, runs) in zip(axes.ravel(), groups.items(), strict=True):
        bb.plot.elites(runs[0], ax=ax, limits=limits)
        ax.set_title(f"{treatment}: {len(runs[0])} cells", size=SMALL + 2, color=INK)
    return figure


def warm(found: Warm) -> Figure:
    """What warm starts were worth: distances of Bayes, QD scores of MAP-Elites."""
    figure, axes = _figure(3.2, 1, 2)
    left, right = axes[0]
    for i, (label, distances) in enumerate(found.distances.items()):
        _band(left, np.arange(1, distances.shape[1] + 1), distances, label, i)
    left.set(xlabel="evaluations of the broken arm", ylabel="least distance from the target")
    left.set_yscale("log")
    left.yaxis.set_major_formatter(ScalarFormatter())
    left.yaxis.set_minor_formatter(NullFormatter())
    for i, (label, scores) in enumerate(found.scores.items()):
        _band(right, found.marks, scores, label, i)
    right.set(xlabel="evaluations, those of Bayes included", ylabel="QD score per cell")
    right.set_xscale("log")
    right.set_xticks(found.marks, [f"{mark:,}" for mark in found.marks])
    right.xaxis.set_minor_formatter(NullFormatter())
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=SMALL)
    return figure


def _band(ax: Axes, x: Floats, runs: Floats, label: str, i: int) -> None:
    """Median and quartiles over runs."""
    low, middle, high = np.quantile(runs, [0.25, 0.5, 0.75], axis=0)
    ax.fill_between(x, low, high, color=colour(i), alpha=0.2, lw=0)
    ax.plot(x, middle, color=colour(i), label=label, lw=1.6)
    tidy(ax)


def _figure(height: float, rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)

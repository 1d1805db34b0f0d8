"""The report's pictures. Each function draws one figure from the results."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import blackbox as bb
from blackbox.plot.style import FAINT, INK, SMALL, colour, tidy
from studies.gflownets import grids
from studies.gflownets.experiments import OPTIMIZERS
from studies.gflownets.run import Results

WIDTH = 8.4  # inches


def laws(results: Results) -> Figure:
    """For each set of objectives the true front and the laws that both methods learnt."""
    scale = results.scale
    sets = scale.objectives[:4]
    columns = ("true front", *grids.METHODS)
    figure, axes = _figure(2.6 * len(sets), len(sets), len(columns))
    shape = (scale.side, scale.side)
    for line, names in zip(axes, sets, strict=True):
        problem = grids.known(names, scale.side)
        front = bb.metrics.is_nondominated(problem.scores(problem.table))
        drawn = [front / front.sum()]
        for method in grids.METHODS:
            runs = results.of("grid", names=names, method=method)
            drawn.append(np.mean([run["law"] for run in runs], axis=0))
        for ax, law, title in zip(line, drawn, columns, strict=True):
            bb.plot.law(law, shape, ax=ax)
            ax.set_title(title if names is sets[0] else "", size=SMALL + 1, color=INK)
        line[0].set_ylabel("\n".join(names), size=SMALL + 1, color=INK)
    return figure


def hypergrid(results: Results) -> Figure:
    """L1 distance while the sampler is trained, and its law where it can be drawn."""
    runs = results.of("hypergrid")
    side, dimension = results.scale.hypergrid
    figure, axes = _figure(3.0, 1, 2 if dimension == 2 else 1)
    ax = axes[0, 0]
    for run in runs:
        ax.plot(*np.array(run["trace"]).T, color=colour(0), lw=1.2, marker="o", ms=3)
    ax.axhline(0.05, color=FAINT, lw=0.8)
    ax.set(yscale="log", xlabel="trajectories", ylabel="L1 distance from the reward's law")
    tidy(ax)
    if dimension == 2:
        problem = bb.problems.HyperGrid(side, dimension)
        bb.plot.law(runs[0]["law"], (side, side), marks=problem.modes, ax=axes[0, 1])
    return figure


def tables(results: Results) -> Figure:
    """How many candidates are better than the best one found, and the order that was learnt."""
    names = results.scale.tables
    figure, axes = _figure(2.9 * len(names), len(names), 2)
    for line, name in zip(axes, names, strict=True):
        for i, method in enumerate(OPTIMIZERS):
            ranks = 1 + np.array(
                [run["ranks"] for run in results.of("table", table=name, method=method)]
            )
            x = np.arange(1, ranks.shape[1] + 1)
            line[0].fill_between(x, ranks.min(0), ranks.max(0), color=colour(i), alpha=0.15, lw=0)
            line[0].plot(x, np.median(ranks, axis=0), color=colour(i), lw=1.5, label=method)
        line[0].set(yscale="log", xlabel="evaluations", ylabel="rank of the best one found")
        line[0].set_title(name, size=SMALL + 1, color=INK)
        line[0].legend(frameon=False, fontsize=SMALL, labelcolor=INK)
        tidy(line[0])
        run = results.of("table", table=name, method="OP-GFN")[0]
        bb.plot.learnt_order(run["learnt"], run["scores"], ax=line[1])
    return figure


def strings(results: Results) -> Figure:
    """What is drawn for each preference, for the sets of two motifs."""
    sets = [motifs for motifs in results.scale.motifs if len(motifs) == 2]
    figure, axes = _figure(3.4, 1, len(sets))
    for ax, motifs in zip(axes[0], sets, strict=True):
        run = results.of("strings", motifs=motifs)[0]
        scores = np.array(run["scores"])
        weights = np.repeat(run["weights"], scores.shape[1], axis=0)
        points = scores.reshape(-1, 2)
        # Counts are whole numbers: equal points are moved apart a little.
        points = points + np.random.default_rng(0).normal(0, 0.006, points.shape)
        problem = bb.problems.NGrams(motifs, length=results.scale.length)
        rows = bb.Batch({motif: points[:, j] for j, motif in enumerate(motifs)})
        bb.plot.preferences(rows, weights, problem, ax=ax)
    return figure


def molecules(results: Results) -> Figure:
    """Hypervolume against evaluations, for each set of objectives."""
    sets = results.scale.fragments
    figure, axes = _figure(3.0, 1, len(sets))
    for ax, names in zip(axes[0], sets, strict=True):
        for i, method in enumerate(OPTIMIZERS):
            runs = results.of("molecules", names=names, method=method)
            traces = np.array([run["trace"] for run in runs])
            x = np.arange(1, traces.shape[1] + 1)
            ax.fill_between(x, traces.min(0), traces.max(0), color=colour(i), alpha=0.15, lw=0)
            ax.plot(x, np.median(traces, axis=0), color=colour(i), lw=1.5, label=method)
        ax.set(xlabel="evaluations", ylabel="hypervolume")
        ax.set_title(", ".join(names), size=SMALL + 1, color=INK)
        tidy(ax)
    axes[0, 0].legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure


def _figure(height: float, rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)

"""The report's pictures. Each function draws one figure from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import blackbox as bb
from blackbox.plot.style import FAINT, INK, QUIET, SMALL, colour, tidy
from studies.data_mixtures import reading
from studies.data_mixtures.corpus import DOMAINS
from studies.data_mixtures.results import Results, interval, rank_correlation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS = "loss (bits per byte)"
WIDTH = 8.4  # inches
# Domains need colours of their own: those of the optimizers and lines are taken.
DOMAIN_COLOURS = ("#4477AA", "#EE6677", "#228833", "#AA3377", "#66CCEE", "#CCBB44")  # Tol, bright
DASHES = ((0, (5, 3)), (0, (1, 2)))


def mixtures(results: Results) -> Figure:
    """Baselines and what each study found, as bars of shares, with the confirmed losses."""
    rows = [*results.baselines, *results.found]
    figure, (ax,) = _figure(0.9 + 0.34 * len(rows))
    where = np.arange(len(rows))[::-1]
    left = np.zeros(len(rows))
    for j, domain in enumerate(DOMAINS):
        part = np.array([row.mix[j] for row in rows])
        ax.barh(where, part, left=left, height=0.72, color=DOMAIN_COLOURS[j], label=domain)
        for y, share, start in zip(where, part, left, strict=True):
            if share >= 0.05:
                text = f"{100 * share:.0f}"
                ink = "white" if j < 4 else INK  # the last two colours are light
                ax.text(start + share / 2, y, text, ha="center", va="center", size=8, color=ink)
        left += part
    for y, row in zip(where, rows, strict=True):
        ax.text(
            1.015, y, reading.plus_minus(*interval(row.losses)), va="center", size=SMALL, color=INK
        )
    ax.text(1.015, len(rows) - 0.4, LOSS, va="bottom", size=SMALL - 1, color=QUIET)
    ax.set_yticks(where, [row.label for row in rows])
    ax.get_yticklabels()[rows.index(results.best)].set_fontweight("bold")
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    tidy(ax)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.legend(
        ncols=len(DOMAINS), loc="lower left", bbox_to_anchor=(-0.01, 1.0), frameon=False,
        fontsize=SMALL, handlelength=0.9, handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip
    return figure


def convergence(results: Results) -> Figure:
    """Best loss so far against cost: median and range over each optimizer's studies."""
    figure, (ax,) = _figure(3.3)
    runs = {name: [t.history for t in results.of(name)] for name in results.optimizers}
    bb.plot.convergence(runs, ax=ax, problem=results.problem, x="cost", band=(0.0, 1.0))
    for text in list(ax.texts):
        text.remove()  # the ends are named in the legend: the limits change below
    for candidate, dash in zip(results.baselines, DASHES, strict=True):
        ax.axhline(candidate.mean, color=QUIET, lw=1.1, ls=dash, label=candidate.label)
    levels = [c.mean for c in results.baselines] + [c.seen for c in results.found]
    room = max(levels) - min(levels)
    ax.set_ylim(min(levels) - 0.15 * room, max(levels) + 0.9 * room)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("cost (training runs of the target size)")
    ax.set_ylabel("best " + LOSS)
    ax.legend(frameon=False, fontsize=SMALL, loc="upper right")
    return figure


def spread(results: Results) -> Figure:
    """Losses of all mixtures tried beside those of one mixture trained again and again."""
    tried = [(f"tried by {name}", results.points(name)[1]) for name in results.optimizers]
    repeated = [
        (f"{candidate.label}, trained again", candidate.losses)
        for candidate in (*results.baselines, results.best)
    ]
    groups = [(*group, colour(0)) for group in tried] + [(*group, colour(1)) for group in repeated]
    figure, (ax,) = _figure(0.7 + 0.36 * len(groups))
    edge = _edge(results)
    for y, (_, losses, tone) in enumerate(reversed(groups)):
        # Apart by height, in the order of the losses: a crowd of equal losses stays visible.
        lift = 0.3 * (np.argsort(np.argsort(losses)) % 5 - 2) / 2
        inside = losses <= edge
        ax.scatter(losses[inside], (y + lift)[inside], s=15, color=tone, alpha=0.6, lw=0)
        beyond = np.full(int(np.sum(losses > edge)), edge)
        ax.scatter(beyond, (y + lift)[losses > edge], s=22, color=tone, marker=">", lw=0)
    ax.set_yticks(range(len(groups)), [label for label, *_ in reversed(groups)])
    ax.set_xlabel(LOSS)
    tidy(ax)
    ax.grid(axis="x", color=FAINT, lw=0.4)
    ax.set_axisbelow(True)
    return figure


def sizes(results: Results) -> Figure:
    """Loss at each smaller size against the loss at the target, mixture by mixture."""
    target = results.problem.target.params
    smaller = [size for size in results.ladder if size != target]
    figure, axes = _figure(3.0, len(smaller))
    for ax, size in zip(axes, smaller, strict=True):
        x, y = results.ladder[size], results.ladder[target]
        ax.scatter(x, y, s=22, color=colour(0), alpha=0.8, lw=0)
        title = f"rank correlation {rank_correlation(x, y):.2f}"
        ax.set_title(title, size=SMALL + 1, color=INK, loc="left")
        ax.set_xlabel(f"loss with {size:,} parameters")
        tidy(ax)
    axes[0].set_ylabel(f"loss with {target:,} parameters")
    return figure


def fidelities(results: Results) -> Figure:
    """The size of every row against the cost spent before it, study by study."""
    told = [study for study in results.told if study.evidence]
    figure, (ax,) = _figure(0.9 + 0.5 * len(results.problem.sizes))
    sizes = [*results.problem.sizes]
    for i, study in enumerate(told):
        at = np.array([sizes.index(int(size)) for size in study.history["params"]])
        before = np.cumsum(study.history["cost"]) - study.history["cost"]
        lift = 0.5 * (i + 0.5) / len(told) - 0.25
        ax.scatter(before, at + lift, s=12, color=colour(0), alpha=0.6, lw=0)
    ax.set_yticks(range(len(sizes)), [f"{size:,} parameters" for size in sizes])
    ax.set_ylim(-0.5, len(sizes) - 0.5)
    ax.set_xlabel("cost spent (training runs of the target size)")
    tidy(ax)
    return figure


def shares(results: Results) -> Figure:
    """Loss against the share of each domain, for every mixture tried at the target size."""
    figure, axes = _figure(4.4, 3, 2)
    edge = _edge(results)
    for i, name in enumerate(results.optimizers):
        mixes, losses = results.points(name)
        high = losses > edge
        for j, ax in enumerate(axes):
            x, tone = mixes[:, j], colour(i)
            ax.scatter(x[~high], losses[~high], s=14, color=tone, alpha=0.65, lw=0, label=name)
            ax.scatter(x[high], np.full(high.sum(), edge), s=22, color=tone, marker="^", lw=0)
    for j, (ax, domain) in enumerate(zip(axes, DOMAINS, strict=True)):
        ax.axvline(results.best.mix[j], color=INK, lw=0.8, ls=(0, (4, 3)))
        ax.set_title(domain, size=SMALL + 1, color=INK, loc="left")
        ax.set_xlim(-0.02, 1.02)
        tidy(ax)
    for ax in axes[::3]:
        ax.set_ylabel(LOSS)
    for ax in axes[3:]:
        ax.set_xlabel("share")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False,
        fontsize=SMALL, handletextpad=0.1,
    )  # fmt: skip
    return figure


def best_tenth(results: Results) -> Figure:
    """The best mixture of all studies, and how far the best tenth of all mixtures reaches."""
    figure, (ax,) = _figure(2.6)
    history = [told.history for told in results.told]
    bb.plot.simplex(history, ax=ax, problem=results.problem)
    return figure


def _edge(results: Results) -> float:
    """Where an axis of losses ends: a few mixtures as bad as no model must not squeeze the rest."""
    tried = np.concatenate([results.points(name)[1] for name in results.optimizers])
    low, high = np.quantile(tried, (0.0, 0.95))
    return float(min(tried.max(), high + 0.25 * (high - low)))


def _figure(height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure without pyplot, so that nothing global is touched or left open."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns, sharey=True, squeeze=False)))

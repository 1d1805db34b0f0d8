"""The report of a data set whose answers are known, and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import blackbox as bb
from blackbox.plot.style import FAINT, INK, QUIET, SMALL, colour, tidy
from studies.data_mixtures.figures import WIDTH
from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.data_mixtures.offline import (
    MOVED,
    OURS,
    Course,
    Data,
    Known,
    best_course,
    domain_effects,
    expected,
    median_regret,
    natural_shares,
    rank_with_target,
    sizes,
)
from studies.data_mixtures.runs import Floats

_SURE = 1.96
_RECORDED = 1e-6  # deviation of a mixture that was evaluated without noise
_POINTS = 60


def write_report(
    path: Path, name: str, data: Data, problem: Known, courses: Sequence[Course]
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        name: of the data set, as the command takes it.
        data: the data set.
        problem: the problem.
        courses: all studies.
    """
    best = best_course(courses)
    assert best.optimizer is not None
    mix = best.optimizer.recommend()["mix"][0]
    natural = natural_shares(data, problem)
    ours = [course for course in courses if course.name == OURS]
    parts = [
        heading(data.words, 1),
        "<div class='lead'>",
        *[paragraph(text) for text in verdict(data, best.optimizer, mix, natural)],
        "</div>",
        heading("Regret against cost"),
        picture(
            _regrets(courses, data),
            "Median over studies of the true regret of what is recommended, every fidelity "
            "charged. Zero is the best recorded mixture (of the law, its optimum).",
        ),
        table(*_regret_table(courses)),
        heading("Which sizes were bought"),
        picture(_bought(ours), "The size of every row; one line of points a study."),
        heading("Can a smaller model stand in?"),
        table(
            ["size", "rows a study", "rank correlation", "evidence, nats"], _validity(problem, ours)
        ),
        paragraph(
            "Rank correlation: of outcomes at the size with those at the target, over mixtures "
            "known at both; no study sees it. Evidence (median over studies): by how much rows of "
            "the size improved forecasts of the target's; below zero they mislead, above 3 the "
            "size is proven."
        ),
        heading("The best mixture"),
        picture(_mixtures(problem, mix, natural), "Shares of the best mixture and natural ones."),
        picture(
            _effects(problem, domain_effects(best.optimizer, mix), data),
            f"What {100 * MOVED:.0f} points more of a domain, taken from all others in proportion, "
            "change in the outcome expected of the best mixture.",
        ),
        paragraph(f"python -m studies.data_mixtures --data {name}"),
    ]
    path.write_text(page(data.words, parts), encoding="utf-8")


def verdict(
    data: Data, optimizer: bb.MultiFidelityBayes, mix: Floats, natural: Floats
) -> list[str]:
    """The best mixture beside the natural shares, with intervals, and whether they differ."""
    words = "natural shares" if data.natural is not None else "equal shares"
    (sign,) = (objective.sign for objective in optimizer.problem.objectives)
    mean, deviation = expected(optimizer, np.stack([mix, natural]))
    ends = [
        f"{m:.4f} ± {_SURE * d:.4f}" if d > _RECORDED else f"{m:.4f} (recorded)"
        for m, d in zip(mean, deviation, strict=True)
    ]
    gain, half = sign * float(mean[0] - mean[1]), _SURE * float(np.hypot(*deviation))
    interval = f"gain {gain:+.4f}, 95 % interval {gain - half:+.4f} to {gain + half:+.4f}"
    if abs(gain) <= half:
        said = f"It is not distinguishable from {words} ({interval} {data.unit})."
    else:
        said = f"It is {'better' if gain > 0 else 'worse'} than {words} ({interval} {data.unit})."
    (simplex,) = optimizer.problem.space
    order = np.argsort(-mix, kind="stable")
    shares = ", ".join(f"{100 * mix[j]:.0f} % {simplex.labels[j]}" for j in order if mix[j] >= 0.01)
    return [
        f"Best mixture: {shares}.",
        f"Expected at the target: {ends[0]} {data.unit}; {words}: {ends[1]}.",
        said,
    ]


def _most(courses: Sequence[Course]) -> float:
    """What the dearest study spent."""
    return float(max(course.spent[-1] for course in courses))


def _by_method(courses: Sequence[Course]) -> dict[str, list[Course]]:
    names = dict.fromkeys(course.name for course in courses)
    return {name: [c for c in courses if c.name == name] for name in names}


def _regret_table(courses: Sequence[Course]) -> tuple[list[str], list[list[str]]]:
    costs = np.round(_most(courses) * np.array([0.1, 0.25, 0.5, 1.0]), 1)
    rows = []
    for name, each in _by_method(courses).items():
        found = median_regret(each, costs)
        cells = ["–" if np.isnan(value) else f"{value:.4f}" for value in found]
        rows.append([name, str(len(each)), *cells])
    return ["regret at cost", "studies", *(f"{cost:g}" for cost in costs)], rows


def _validity(problem: Known, ours: Sequence[Course]) -> list[list[str]]:
    rows = []
    for size in sizes(problem)[:-1]:
        count = np.mean([np.sum(course.history["params"] == size) for course in ours])
        nats = np.median([course.optimizer.evidence[size] for course in ours if course.optimizer])
        rho = rank_with_target(problem, size)
        shared = "–" if np.isnan(rho) else f"{rho:.2f}"
        rows.append([f"{size:,.0f}", f"{count:.1f}", shared, f"{nats:+.1f}"])
    return rows


def _regrets(courses: Sequence[Course], data: Data) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    ax = figure.subplots()
    costs = np.linspace(0.0, _most(courses), _POINTS)
    for i, (name, each) in enumerate(_by_method(courses).items()):
        ax.step(costs, median_regret(each, costs), where="post", color=colour(i), label=name)
    ax.set_xlabel("cost (runs of the target size)")
    ax.set_ylabel(f"regret ({data.unit})")
    ax.set_ylim(0, None)
    tidy(ax)
    ax.legend(frameon=False, fontsize=SMALL)
    return figure


def _bought(ours: Sequence[Course]) -> Figure:
    sizes = [*ours[0].optimizer.evidence]  # type: ignore[union-attr]
    figure = Figure(figsize=(WIDTH, 0.9 + 0.5 * len(sizes)), layout="constrained")
    ax = figure.subplots()
    for i, course in enumerate(ours):
        at = np.array([sizes.index(size) for size in course.history["params"].tolist()])
        lift = 0.5 * (i + 0.5) / len(ours) - 0.25
        before = np.concatenate([[0.0], course.spent[:-1]])
        ax.scatter(before, at + lift, s=12, color=colour(0), alpha=0.6, lw=0)
    ax.set_yticks(range(len(sizes)), [f"{size:,.0f} parameters" for size in sizes])
    ax.set_ylim(-0.5, len(sizes) - 0.5)
    ax.set_xlabel("cost spent (runs of the target size)")
    tidy(ax)
    return figure


def _mixtures(problem: Known, mix: Floats, natural: Floats) -> Figure:
    names = next(iter(problem.space)).labels
    figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(names)), layout="constrained")
    ax = figure.subplots()
    where = np.arange(len(names))[::-1]
    ax.barh(where + 0.18, mix, height=0.34, color=colour(0), label="best")
    ax.barh(where - 0.18, natural, height=0.34, color=FAINT, label="natural (or equal)")
    ax.set_yticks(where, names)
    ax.set_xlabel("share")
    tidy(ax)
    ax.legend(frameon=False, fontsize=SMALL, loc="lower right")
    return figure


def _effects(problem: Known, effects: Floats, data: Data) -> Figure:
    names = next(iter(problem.space)).labels
    order = np.argsort(-np.abs(effects), kind="stable")
    figure = Figure(figsize=(WIDTH, 0.9 + 0.25 * len(names)), layout="constrained")
    ax = figure.subplots()
    ax.barh(np.arange(len(names))[::-1], effects[order], height=0.66, color=colour(0))
    ax.axvline(0.0, color=QUIET, lw=0.8)
    ax.set_yticks(np.arange(len(names))[::-1], [names[j] for j in order], color=INK)
    ax.set_xlabel(f"change of the outcome ({data.unit})")
    tidy(ax)
    return figure

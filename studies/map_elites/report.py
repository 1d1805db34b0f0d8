"""The report: one HTML file that opens with no server and no network."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.map_elites import figures
from studies.map_elites.figures import METRICS
from studies.map_elites.treatments import TREATMENTS
from studies.map_elites.warm import SEEDED

if TYPE_CHECKING:
    from studies.map_elites.run import Options, Results

OURS = next(iter(TREATMENTS))
SIGNIFICANT = 0.05


def write_report(results: Results, options: Options, seconds: float) -> Path:
    """Write ``report.html`` and its pictures; returns the path of the page."""
    pictures = {"metrics": figures.boxes(results), "warm": figures.warm(results.warm)}
    pictures |= {f"maps_{name}": figures.maps(results, name) for name in results.domains}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(options.out / f"{name}.png", dpi=150)
    parts = [
        heading("MAP-Elites beside its rivals", 1),
        "<div class='lead'>",
        *(paragraph(_verdict(results, name), name.capitalize() + ".") for name in results.domains),
        paragraph("", "Too small a run: the numbers mean nothing." * options.tiny),
        "</div>",
        heading("The four metrics"),
        picture(
            pictures["metrics"],
            "Each point is a run; boxes are quartiles. All are relative to the best that any run "
            "of any treatment found in each cell.",
        ),
        *(part for name in results.domains for part in _numbers(results, name)),
        *(
            picture(
                pictures[f"maps_{name}"],
                f"{name.capitalize()}: the best row of each cell over everything that the first "
                "run of each treatment evaluated.",
            )
            for name in results.domains
        ),
        heading("Warm starts, both ways"),
        *(paragraph(text) for text in _warm(results)),
        picture(pictures["warm"], "Median and quartiles over runs."),
        heading("How it was done"),
        *(paragraph(text) for text in _method(results, options, seconds)),
    ]
    path = options.out / "report.html"
    path.write_text(page("MAP-Elites beside its rivals", parts), encoding="utf-8")
    return path


def _verdict(results: Results, name: str) -> str:
    """Where MAP-Elites is better, and where it is not."""
    comparison = results.comparisons[name]
    sentences = []
    for rival in list(TREATMENTS)[1:]:
        better: list[str] = []
        worse: list[str] = []
        for metric in METRICS:
            ours, theirs = (comparison.values[metric][who] for who in (OURS, rival))
            if comparison.p_values[metric][OURS, rival] < SIGNIFICANT:
                (better if np.median(ours) > np.median(theirs) else worse).append(metric)
        said = f"Beside {rival} {OURS} is better in {_listed(better)}"
        sentences.append(said + (f" and worse in {_listed(worse)}." if worse else "."))
    return " ".join(sentences)


def _listed(names: list[str]) -> str:
    if len(names) == len(METRICS):
        return "all four metrics"
    return ", ".join(names) if names else "none of the metrics"


def _numbers(results: Results, name: str) -> list[str]:
    """Medians of a domain's metrics, and the tests against MAP-Elites."""
    comparison = results.comparisons[name]
    rows = []
    for treatment in TREATMENTS:
        row = [treatment]
        for metric in METRICS:
            row.append(f"{np.median(comparison.values[metric][treatment]):.3f}")
            p = comparison.p_values[metric].get((OURS, treatment))
            row.append("" if p is None else f"{p:.1g}")
        rows.append(row)
    head = [name, *(cell for metric in METRICS for cell in (metric, "p"))]
    return [table(head, rows)]


def _warm(results: Results) -> list[str]:
    found = results.warm
    ends = {how: float(np.median(d[:, -1])) for how, d in found.distances.items()}
    begun = {how: float(np.median(d[:, SEEDED - 1])) for how, d in found.distances.items()}
    first = {how: float(np.median(s[:, 0])) for how, s in found.scores.items()}
    last = {how: float(np.median(s[:, -1])) for how, s in found.scores.items()}

    def said(numbers: dict[str, float]) -> str:
        return ", ".join(f"{value:.3g} {how}" for how, value in numbers.items())

    return [
        "Elites seed Bayesian optimization: an arm was illuminated while it was whole; then a "
        f"joint is stuck, and the tip is to reach a target. A Bayes that begins with the {SEEDED} "
        "elites nearest to the target (they are its init) is compared with one that begins by "
        f"itself. Least distance after the first {SEEDED} rows: {said(begun)}; at the end: "
        f"{said(ends)}.",
        "Bayesian optimization seeds an archive: a Bayes looks for the best of a sphere "
        "projection in 10 dimensions, and its rows, told from outside, are where MAP-Elites "
        f"begins. QD score per cell after {found.marks[0]} evaluations: {said(first)}; after "
        f"{found.marks[-1]}: {said(last)}.",
    ]


def _method(results: Results, options: Options, seconds: float) -> list[str]:
    domains = "; ".join(
        f"{name} ({d.problem.about.lower()}): {d.evaluations:,} evaluations a run, {d.cells[0]} x "
        f"{d.cells[1]} cells" + (f", reached in {len(d.splits)} splits" if d.splits else "")
        for name, d in results.domains.items()
    )
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("numpy", "scipy", "matplotlib"))
    return [
        f"{options.runs} runs of each treatment on each domain. {domains}.",
        "All treatments vary rows in the same way, and each is judged by the best row of each cell "
        "over everything it evaluated. Novelty search with local competition ranks by Pareto "
        "dominance in novelty and in the share of neighbours that score less (Lehman and Stanley "
        "2011); the evolutionary algorithm keeps the 100 best of parents and children.",
        "Metrics are those of Mouret and Clune (2015), Illuminating search spaces by mapping "
        "elites; p is that of the two-sided Mann-Whitney U test against MAP-Elites, not corrected "
        "for the number of tests. The paper's networks and its soft robots are not these, so the "
        "numbers cannot be compared with its figures; the order of the treatments can.",
        f"Python {platform.python_version()}, {versions}. {seconds:.0f} s, less where maps were on "
        "disk.",
    ]

"""The report: one HTML file that opens with no server and no network."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import ProblemError
from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.offline_rl import figures
from studies.offline_rl.correlation import spearman
from studies.offline_rl.penalties import PENALTIES
from studies.offline_rl.recorded import proxies

if TYPE_CHECKING:
    from studies.offline_rl.run import Options, Results, Tuned

TITLE = "Offline model-based reinforcement learning, tuned"


def write_report(results: Results, options: Options, seconds: float) -> Path:
    """Write ``report.html`` and its pictures; returns the path of the page."""
    judged = results.judged[figures.MEMBERS]
    pictures = {
        "progress": figures.progress(results),
        "errors": figures.errors(judged),
        "models": figures.by_models(results.judged),
        "steps": figures.by_step(judged["on the policy"]),
        "proxies": figures.proxies(results),
        "elites": figures.elites(results),
    }
    pictures |= {f"heat_{name}": figures.heat(of) for name, of in results.tuned.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(options.out / f"{name}.png", dpi=150)
    parts = [
        heading(TITLE, 1),
        "<div class='lead'>",
        *(paragraph(_verdict(of), f"{name.capitalize()}.") for name, of in results.tuned.items()),
        paragraph("", "Too small a run: the numbers mean nothing." * options.tiny),
        "</div>",
        heading("Search"),
        picture(pictures["progress"], "Best true return so far, and the expected best of so many "
                "policies deployed in any order. Dotted: the published row."),
        _chosen(results),
        heading("Weight and horizon"),
        *(picture(pictures[f"heat_{name}"], f"{name.capitalize()}: return that the model of Bayes "
                  "expects, dark where it is best; dots are rows evaluated.")
          for name in results.tuned),
        picture(pictures["elites"], "Medium: the best row of each cell over weight and horizon, "
                "found by MAP-Elites with policies trained a quarter as long."),
        heading("Does the penalty know where the model is wrong?"),
        picture(pictures["errors"], "Penalty against true error, seven models; ρ is Spearman's "
                "correlation, r Pearson's. What holds on data of the same kind need not hold "
                "where a policy goes."),
        picture(pictures["models"], "Correlations by the number of models, mean of transfer and "
                "policy; coverage of the ensemble's central intervals."),
        picture(pictures["steps"], "Median and tenths along imagined rollouts; and how well the "
                "largest errors are found by the penalty."),
        _correlations(results),
        heading("Do proxies know which policy is good?"),
        picture(pictures["proxies"], "Random rows: return in the model, plain and charged, against "
                "the truth; one dot each."),
        paragraph(_proxies(results)),
        paragraph(_recorded()),
        heading("How it was done"),
        *(paragraph(text) for text in _method(options, seconds)),
    ]  # fmt: skip
    path = options.out / "report.html"
    path.write_text(page(TITLE, parts), encoding="utf-8")
    return path


def _verdict(of: Tuned) -> str:
    row = of.chosen
    return (
        f"Bayes chooses {row['penalty']} with weight {row['weight']:.2g}, {row['horizon']} steps, "
        f"{row['models']} models: true return {np.mean(of.fresh):.0f} under fresh seeds. The "
        f"published row (max_aleatoric, 1, 5, 7) reaches {np.mean(of.published):.0f}."
    )


def _chosen(results: Results) -> str:
    rows = []
    for name, of in results.tuned.items():
        pool = np.array([line["true"] for line in results.pools[name]], dtype=float)
        told = np.array(of.history["return"], dtype=float)
        cells = [np.nanmax(told), np.mean(of.fresh), np.nanmax(pool), np.mean(of.published)]
        failed = int((~np.isfinite(told)).sum() + (~np.isfinite(pool)).sum())
        rows.append([name, *(f"{value:.0f}" for value in cells), str(failed)])
    head = ["data", "best seen by Bayes", "chosen row, fresh seeds", "best random row"]
    return table([*head, "published, fresh seeds", "failed"], rows)


def _correlations(results: Results) -> str:
    judged = results.judged[figures.MEMBERS]
    rows = [
        [name]
        + [
            f"{one.correlation(name, kind):.2f}"
            for kind in ("spearman", "pearson")
            for one in judged.values()
        ]
        for name in PENALTIES
    ]
    kinds = ("Spearman", "Pearson")
    return table(["penalty", *(f"{kind}, {place}" for kind in kinds for place in judged)], rows)


def _proxies(results: Results) -> str:
    said = []
    for name, pool in results.pools.items():
        true = [line["true"] for line in pool]
        parts = [f"{kind} {spearman([line[kind] for line in pool], true):.2f}"
                 for kind in ("model", "penalised")]  # fmt: skip
        said.append(f"{name}: {', '.join(parts)}")
    return "Spearman's correlation with the true return. " + "; ".join(said) + "."


def _recorded() -> str:
    """The same question asked of NeoRL's runs, where they are at hand."""
    try:
        found = proxies()
    except ProblemError:
        return "NeoRL's recorded runs were not looked at, for BLACKBOX_DATA does not name them."
    names = {"fqe": "fitted Q evaluation", "is": "importance sampling"}
    said = "; ".join(
        f"{names[source]} {np.nanmedian(values):.2f} ({np.nanmin(values):.2f} to "
        f"{np.nanmax(values):.2f})"
        for source, values in found.items()
    )
    return (
        f"NeoRL's recorded runs, {len(found['fqe'])} tasks of 50 configurations: Spearman's "
        f"correlation of offline estimates with the true return, median and range: {said}."
    )


def _method(options: Options, seconds: float) -> list[str]:
    training = options.recipe.training
    packages = ("numpy", "torch", "matplotlib")
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in packages)
    return [
        "After Lu et al. (2022), Revisiting Design Choices in Offline Model-Based Reinforcement "
        "Learning. The task is Pendulum-v1, its data were made by an agent of our own: 2 000 "
        "transitions of a policy half as good as it became (medium), or 400 drawn from what it "
        "did until then (scarce).",
        f"{options.evaluations} evaluations of each search on each set. An evaluation trains a "
        f"policy for {training.updates} updates and spends {training.episodes} episodes in the "
        "task on it: the search is not offline, its number of episodes is evaluations times "
        "these. Bayes looks in a trust region and begins with five random rows. Its choice and "
        "the published row are trained twice more under fresh seeds.",
        f"Python {platform.python_version()}, {versions}. {seconds:.0f} s, less where studies "
        "were on disk.",
    ]

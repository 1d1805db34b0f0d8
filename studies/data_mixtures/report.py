"""The report: one HTML file that opens with no server and no network."""

from __future__ import annotations

import math
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import blackbox as bb
from studies.data_mixtures import corpus, figures, reading
from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.data_mixtures.problem import JUDGED, TARGET
from studies.data_mixtures.results import FRESH, Results, interval
from studies.data_mixtures.size import CONTEXT

if TYPE_CHECKING:
    from studies.data_mixtures.run import Options

_PACKAGES = ("numpy", "torch", "scipy", "gpytorch", "botorch", "scikit-learn", "matplotlib")


def write_report(path: Path, results: Results, options: Options, seconds: float) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        results: all numbers.
        options: of the command.
        seconds: wall time of this command so far.
    """
    parts = [
        *_lead(results, options),
        *_found(results),
        *_matters(results),
        *_sizes(results),
        *_where(results),
        *_method(results, options),
        *_texts(),
        *_failures(results),
        *_circumstances(results, options, seconds),
        *_rows(results),
    ]
    path.write_text(page("Data mixtures", parts), encoding="utf-8")


def _lead(results: Results, options: Options) -> list[str]:
    best, uniform = results.best, results.uniform
    confirmed = (
        f"Found by {best.label}. Trained again under {len(best.losses)} fresh seeds it has a loss "
        f"of {reading.plus_minus(*interval(best.losses))} bits per byte of held-out text; equal "
        f"shares have {reading.plus_minus(*interval(uniform.losses))}."
    )
    tiny = "These models were trained for a blink: the numbers mean little." * options.tiny
    return [
        heading("Which text should a small language model read?", 1),
        "<div class='lead'>",
        paragraph("", f"Best mixture: {reading.describe(best.mix)}."),
        paragraph(confirmed),
        *[paragraph(reading.against(results, baseline)) for baseline in results.baselines],
        *[paragraph(sentence) for sentence in reading.optimizers(results)],
        paragraph("", tiny),
        "</div>",
        paragraph(
            "Every loss in this report is that of a language model that was really trained. "
            "± and intervals are 95 % confidence intervals (Student's t)."
        ),
    ]


def _found(results: Results) -> list[str]:
    head = ["study", "runs", "failed", "cost", "best seen", "confirmed", "regret", "gain", "s"]
    rows = []
    for told, found in zip(results.told, results.found, strict=True):
        counts = [str(len(told.history)), str(int(np.sum(~told.history["ok"])))]
        seen = [f"{told.history['cost'].sum():.1f}", f"{found.seen:.3f}"]
        confirmed = reading.plus_minus(*interval(found.losses))
        gain = reading.plus_minus(*reading.gain(found, results.uniform))
        last = [f"{results.regret(found):.3f}", gain, f"{told.seconds:.0f}"]
        rows.append([told.label, *counts, *seen, confirmed, *last])
    return [
        heading("What was found"),
        picture(
            figures.mixtures(results),
            "Shares in percent, and the loss under fresh training seeds with its 95 % interval. "
            "The best mixture (bold) was chosen by the losses inside the studies, before it was "
            "trained again.",
        ),
        picture(
            figures.convergence(results),
            "Least loss seen inside a study against cost: median and range over the studies of "
            "an optimizer. Grey: baselines, their confirmed losses.",
        ),
        table(head, rows),
        paragraph(
            "Regret: above the least confirmed loss of any mixture here. Gain: below equal "
            "shares, seed by seed. s: wall time of the study. " + reading.optimism(results)
        ),
    ]


def _matters(results: Results) -> list[str]:
    alone = ["loss, bits per byte", *(f"{loss:.3f}" for loss in results.alone)]
    return [
        heading("Does the mixture matter?"),
        paragraph(reading.spread(results)),
        picture(
            figures.spread(results),
            "Each point is a training run at the target size; a triangle lies beyond the axis.",
        ),
        paragraph("Trained on one domain alone (one run each; an untrained model has 8):"),
        table(["domain alone", *corpus.DOMAINS], [alone]),
    ]


def _sizes(results: Results) -> list[str]:
    bought = [paragraph(sentence) for sentence in reading.fidelities(results)]
    if bought:
        words = "The size of every row; one line of points a study."
        bought.append(picture(figures.fidelities(results), words))
    return [
        heading("Can a smaller model stand in?"),
        paragraph(reading.sizes(results)),
        picture(
            figures.sizes(results),
            "Each point is one mixture, trained at both sizes under the studies' training seed.",
        ),
        table(["parameters", "width", "trained on", "cost", "CPU s, median"], _size_rows(results)),
        paragraph("On a CPU a small model takes more time than its operations say."),
        *bought,
    ]


def _size_rows(results: Results) -> list[list[str]]:
    rows = []
    for params, size in results.problem.sizes.items():
        spent = [m.seconds for run, m in results.measured.items() if run.params == params]
        cpu = f"{np.median(spent):.2f}" if spent else "–"
        cost = size.train_flops / results.problem.target.train_flops
        trained = f"{size.train_bytes / 1000:.0f} kB"
        rows.append([f"{params:,}", str(size.width), trained, f"{cost:.3f}", cpu])
    return rows


def _where(results: Results) -> list[str]:
    return [
        heading("Where the optimizers looked"),
        picture(
            figures.shares(results),
            "Every mixture tried at the target size; a triangle lies beyond the axis. Dashed: the "
            "best mixture.",
        ),
        picture(
            figures.best_tenth(results),
            "The best mixture, and a line over the shares in the best tenth of all rows: where it "
            "is long, the share matters little. Dashed: equal shares.",
        ),
    ]


def _method(results: Results, options: Options) -> list[str]:
    parts = " + ".join(f"{share:g} × {name}" for name, share in TARGET.items())
    size = results.problem.target
    return [
        heading("How it was measured"),
        paragraph(
            f"The loss is {parts}: bits per byte on {JUDGED} held-out windows of {CONTEXT} bytes "
            "from each part, at most 8 in a window, since a compressor would store it as it is. "
            "“source” is no training domain: files of packages that no domain reads, with "
            "code, docstrings and comments in one. The model is a gated convolutional network over "
            f"bytes with {size.params:,} parameters, trained on {size.train_bytes / 1000:.0f} kB. "
            "Cost counts training operations, in units of one such run."
        ),
        paragraph(
            f"All runs inside the studies share training seed {results.problem.seed}. The "
            f"confirmation uses seeds {FRESH} to {FRESH + options.repeats - 1}, the same for every "
            "mixture, and compares mixtures seed by seed."
        ),
    ]


def _texts() -> list[str]:
    rows = []
    for name in (*corpus.DOMAINS, *(part for part in TARGET if part not in corpus.DOMAINS)):
        domain = corpus.load(name)
        sizes = [f"{len(part) / 1000:.0f} kB" for part in (domain.train, domain.held_out)]
        documents = " / ".join(map(str, domain.documents))
        rows.append([name, domain.source, *sizes, documents, domain.sha256[:12]])
    head = ["name", "what it is", "training", "held out", "documents", "sha256"]
    return [
        heading("The text"),
        paragraph("Read from the installed packages. No document is in both parts."),
        table(head, rows, words=True),
    ]


def _failures(results: Results) -> list[str]:
    failed = [
        [told.label, f"row {row}", reason.strip().splitlines()[-1]]
        for told in results.told
        for row, reason in told.failures.items()
    ]
    failed += [
        ["after the studies", reading.describe(np.array(run.mix)), measured.reason]
        for run, measured in results.measured.items()
        if math.isnan(measured.loss)
    ]
    shown = table(["where", "what", "reason"], failed, words=True) if failed else paragraph("None.")
    return [heading("Failures"), shown]


def _circumstances(results: Results, options: Options, seconds: float) -> list[str]:
    packages = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    versions = [f"blackbox {bb.__version__}", f"Python {platform.python_version()}", *packages]
    runs = sum(len(told.history) for told in results.told) + len(results.measured)
    rows = [
        ["command", "python -m studies.data_mixtures" + " --tiny" * options.tiny],
        ["optimizers", ", ".join(options.optimizers)],
        ["seeds", ", ".join(map(str, options.seeds))],
        ["budget of a study", f"{options.max_cost:g} training runs of the target size"],
        ["training runs", f"{runs}, {options.jobs} at a time on one thread each"],
        ["wall time", f"{seconds:.0f} s, on {os.cpu_count()} cores; less where it resumed"],
        ["versions", ", ".join(versions)],
        ["problem", results.problem.fingerprint()],
    ]
    return [heading("Circumstances"), table(["what", "value"], rows, words=True)]


def _rows(results: Results) -> list[str]:
    head = ["study", "id", *corpus.DOMAINS, "parameters", "loss", "cost"]
    rows = []
    for told in results.told:
        for row in told.history:
            mix = [f"{share:.3f}" for share in row["mix"]]
            loss = f"{row['loss']:.4f}" if row["ok"] else "failed"
            rest = [f"{row['params']:,}", loss, f"{row['cost']:.3f}"]
            rows.append([told.label, str(row["id"]), *mix, *rest])
    return [
        f"<details><summary>All {len(rows)} rows of the studies</summary>",
        table(head, rows),
        "</details>",
    ]

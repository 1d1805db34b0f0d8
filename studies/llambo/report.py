"""The report: one HTML file whose first line says whether a language model took part."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import blackbox as bb
from studies.benchmarks.bayes.llambo import GIVEN, LLAMBO
from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.llambo.methods import ASKING, CONTROLS, METHODS
from studies.llambo.tasks import task

if TYPE_CHECKING:
    from studies.llambo.run import Done, Options

Floats = npt.NDArray[np.float64]
#: (runs, evaluations) normalised regrets, by task and method.
Regrets = dict[tuple[str, str], Floats]
_LOOKS = (5, 10, 15, 25)


def write_report(path: Path, done: Sequence[Done], options: Options, seconds: float) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        done: all runs.
        options: of the command.
        seconds: wall time of this command so far.
    """
    regrets = normalised(done, options)
    parts = [
        heading("LLAMBO and its kin" + ": no language model took part" * options.silent, 1),
        f"<div class='lead'>{paragraph(first_line(options))}{_summary(regrets)}</div>",
        heading("Regret over the trials"),
        *_pictures(regrets, options),
        heading("Every task"),
        _tables(regrets, options),
        heading("The controls"),
        table(["method", "what it shows"], [[k, v] for k, v in CONTROLS.items()], words=True),
        heading("What the model cost"),
        _costs(done),
        *_reasons(done),
        heading("Circumstances"),
        _circumstances(options, seconds),
    ]
    path.write_text(page("LLAMBO", parts), encoding="utf-8")


def first_line(options: Options) -> str:
    """Whether a language model took part."""
    if options.silent:
        return (
            "No language model took part: a stand-in answered, which regresses on the examples in "
            "each prompt and knows nothing else. The numbers show that everything runs; they say "
            "nothing about how good a language model is."
        )
    return f"The language model {options.model} at {options.base_url} answered every request."


def normalised(done: Sequence[Done], options: Options) -> Regrets:
    """Distance of the best so far to the best outcome, as a share of the range.

    Best and worst are those of a table, or of all runs of a task together, the published included.
    """
    found: Regrets = {}
    for name in options.tasks:
        here = task(name, options.trials)
        sign = here.problem.objectives[0].sign
        length = options.trials + (GIVEN if here.start is not None else 0)
        runs: dict[str, list[Floats]] = {}
        for one in done:
            if one.task == name:
                runs.setdefault(one.method, []).append(sign * one.values[:length])
        for seed in options.seeds:
            if seed in here.published:
                runs.setdefault(LLAMBO, []).append(sign * here.published[seed][:length])
        scores = np.concatenate([values for many in runs.values() for values in many])
        low, high = np.nanmin(scores), np.nanmax(scores)
        if here.range is not None:
            low, high = sorted(sign * np.array(here.range))
        for method, many in runs.items():
            best = [np.fmax.accumulate(values) for values in many]
            regret = [(high - values) / max(high - low, 1e-300) for values in best]
            found[name, method] = np.array([_padded(values, length) for values in regret])
    return found


def _padded(values: Floats, length: int) -> Floats:
    """A run of a finite space that ended early keeps its last value."""
    return np.append(values, np.full(length - len(values), values[-1]))


def _methods(regrets: Regrets) -> list[str]:
    named = {method for _, method in regrets}
    return [method for method in (*METHODS, LLAMBO) if method in named]


def _summary(regrets: Regrets) -> str:
    """The mean of each method over the tasks that all of a kind ran on."""
    rows = []
    for method in _methods(regrets):
        last = [values[:, -1].mean() for (_, m), values in regrets.items() if m == method]
        rows.append([method, str(len(last)), f"{np.mean(last):.3f}"])
    return table(["method", "tasks", "mean normalised regret at the end"], rows)


def _pictures(regrets: Regrets, options: Options) -> list[str]:
    from matplotlib.figure import Figure

    tables = [name for name in options.tasks if task(name, options.trials).range is not None]
    groups = {
        "scikit-learn tasks": [name for name in options.tasks if name not in tables],
        "tables of reactions": tables,
    }
    parts = []
    for group, names in groups.items():
        if not names:
            continue
        figure = Figure(figsize=(7, 4), layout="constrained")
        ax = figure.subplots()
        for number, method in enumerate(_methods(regrets)):
            curves = [regrets[n, method].mean(axis=0) for n in names if (n, method) in regrets]
            if len(curves) < len(names):
                continue
            style = "-" if method in ASKING else "--"
            mean = np.mean(curves, axis=0)
            ax.plot(1 + np.arange(len(mean)), mean, style, color=f"C{number}", label=method)
        ax.set(xlabel="evaluations", ylabel="mean normalised regret", ylim=(0, None))
        ax.legend(fontsize=8, ncols=2)
        parts.append(picture(figure, f"Mean over the {len(names)} {group}. Dashed: no model."))
    return parts


def _tables(regrets: Regrets, options: Options) -> str:
    methods = _methods(regrets)
    rows = []
    for name in options.tasks:
        length = next(v.shape[1] for (n, _), v in regrets.items() if n == name)
        for look in sorted({*(k for k in _LOOKS if k <= length), length}):
            cells = [
                f"{np.median(regrets[name, m][:, look - 1]):.3f}" if (name, m) in regrets else "-"
                for m in methods
            ]
            rows.append([name, str(look), *cells])
    return table(["task", "at", *methods], rows)


def _costs(done: Sequence[Done]) -> str:
    rows = []
    for method in ASKING:
        runs = [one for one in done if one.method == method and one.usage]
        if not runs:
            continue
        faults: Counter[str] = Counter()
        for one in runs:
            faults.update(one.usage["faults"])
        counted = ", ".join(f"{kind} {times}" for kind, times in faults.most_common())
        means = [
            f"{np.mean([one.usage[key] for one in runs]):,.0f}"
            for key in ("requests", "prompt_tokens", "completion_tokens")
        ]
        cost = f"{np.mean([one.usage['cost'] for one in runs]):.4f}"
        own = str(sum(one.own for one in runs))
        rows.append([method, str(len(runs)), *means, cost, own, counted or "none"])
    head = ["method", "runs", "requests", "prompt tokens", "reply tokens", "cost", "own", "faults"]
    return table(head, rows) + paragraph(
        "Requests, tokens and cost are means of a run; 'own' are proposals of all runs that the "
        "model did not make."
    )


def _reasons(done: Sequence[Done]) -> list[str]:
    rows = [[one.task, str(one.seed), one.reasoning] for one in done if one.reasoning]
    if not rows:
        return []
    return [
        heading("The model's last reasons"),
        table(["task", "seed", "reasons"], rows, words=True),
    ]


def _circumstances(options: Options, seconds: float) -> str:
    packages = [f"{name} {metadata.version(name)}" for name in ("numpy", "scikit-learn", "openai")]
    versions = [f"blackbox {bb.__version__}", f"Python {platform.python_version()}", *packages]
    rows = [
        ["model", "none: the stand-in" if options.silent else options.model],
        ["seeds", ", ".join(map(str, options.seeds))],
        ["trials", f"{options.trials}, after {GIVEN} given points in the scikit-learn tasks"],
        ["published runs", f"{LLAMBO}: its authors' evaluations, from the same points"],
        ["wall time", f"{seconds:.0f} s on {os.cpu_count()} cores; less where it resumed"],
        ["versions", ", ".join(versions)],
    ]
    return table(["what", "value"], rows, words=True)

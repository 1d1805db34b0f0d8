"""How a study shows itself: a progress bar while it runs, a page in a notebook."""

from __future__ import annotations

import sys
import time
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.arguments import check_flag
from blackbox.batch import Row
from blackbox.errors import require
from blackbox.study.budget import Budget

if TYPE_CHECKING:
    from blackbox.study.study import Study

_ROWS = 10
_REFRESH = 0.1


class Progress:
    """A progress bar drawn by rich: evaluations, best, cost, time left; a context manager.

    Args:
        study: what runs.
        budget: how far it runs; without a number of evaluations, cost or time is the measure.
        show: True needs rich (extra ``run``); None shows where somebody looks and rich is there.
    """

    def __init__(self, study: Study, budget: Budget, show: bool | None) -> None:
        if show is not None:
            check_flag("progress", show)
        else:
            looked_at = sys.stderr.isatty() or (_in_notebook() and _found("ipywidgets"))
            show = looked_at and _found("rich")
        self._study = study
        self._budget = budget
        self._bar: Any = None
        self._last = 0.0
        if show:
            rich = require("rich.progress", "run")
            console = require("rich.console", "run").Console(stderr=True)
            self._bar = rich.Progress(
                rich.TextColumn("{task.description}"),
                rich.BarColumn(),
                rich.TextColumn("{task.fields[told]}"),
                rich.TextColumn("{task.fields[best]}"),
                rich.TextColumn("{task.fields[cost]}"),
                rich.TimeElapsedColumn(),
                rich.TextColumn("left"),
                rich.TimeRemainingColumn(),
                console=console,
                auto_refresh=False,
            )

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                escape(self._study.name), total=1.0, told="", best="", cost=""
            )
            self.update()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._last = 0.0
            self.update()
            self._bar.stop()

    def update(self) -> None:
        """Draw the study as it stands, at most ten times a second."""
        now = time.monotonic()
        if self._bar is None or now - self._last < _REFRESH:
            return
        self._last = now
        study = self._study
        self._bar.update(
            self._task,
            completed=self._share(),
            told=f"{study.told} told" + (f", {study.failed} failed" if study.failed else ""),
            best=best_text(study),
            cost=f"cost {study.cost:.4g}" if study.problem.has_cost else "",
        )
        self._bar.refresh()

    def _share(self) -> float:
        """How much of the budget that is furthest spent is gone."""
        study, budget = self._study, self._budget
        spent = [
            study.evaluations / budget.evaluations if budget.evaluations else 0.0,
            study.cost / budget.max_cost if budget.max_cost else 0.0,
            study.seconds / budget.max_seconds if budget.max_seconds else 0.0,
        ]
        return min(max(spent), 1.0)


def best_text(study: Study) -> str:
    """The best outcome in words: ``best loss 0.123``; empty where there is none."""
    # With an environment the best is looked for in the whole history: too long for a progress bar.
    best = None if study.problem.environment else _best(study)
    if best is None:
        return ""
    name = study.problem.objectives[0].name
    return f"best {name} {best[name]:.5g}"


def study_html(study: Study) -> str:
    """A small page: totals, the best row, the last rows, and why rows failed."""
    facts = {
        "problem": study.problem.name,
        "optimizer": repr(study.optimizer),
        "told": f"{study.told}" + (f" ({study.failed} failed)" if study.failed else ""),
        "cost": f"{study.cost:.6g}",
        "seconds": f"{study.seconds:.1f}",
        "on disk": "no" if study.path is None else str(study.path),
    }
    parts = [f"<h3>Study {escape(study.name)}</h3>", _table(facts)]
    best = _best(study)
    if best is not None:
        shown = {k: _text(v) for k, v in best.items()}
        parts += ["<h4>Best</h4>", _table(shown)]
    if study.told and (study._keep or study.path is not None):
        parts += ["<h4>Last rows</h4>", study.history[-_ROWS:]._repr_html_()]
    if study.failures:
        last = {f"row {i}": why.strip().splitlines()[-1] for i, why in study.failures.items()}
        parts += ["<h4>Failures</h4>", _table(dict(list(last.items())[-_ROWS:]))]
    return "<div>" + "".join(parts) + "</div>"


def _best(study: Study) -> Row | None:
    """The best row; None also where the problem has no order for one."""
    problem = study.problem
    return None if len(problem.objectives) != 1 or problem.preference else study.best


def _table(facts: dict[str, str]) -> str:
    rows = (
        f"<tr><th style='text-align:left'>{escape(k)}</th><td>{escape(v)}</td></tr>"
        for k, v in facts.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(_text(v) for v in value.tolist()) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _found(module: str) -> bool:
    return find_spec(module) is not None


def _in_notebook() -> bool:
    # IPython is never imported for this: where it runs, it is loaded already.
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"

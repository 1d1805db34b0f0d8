"""The conformance suite's problems with measures, so that every kind of parameter is varied."""

from __future__ import annotations

import blackbox as bb
from blackbox.testing.cases import problems

_MEASURES = [bb.Measure("m1", -1, 1), bb.Measure("m2", 0, 10)]


def measured() -> list[bb.Problem]:
    """Each problem of the suite that may have measures and has at most one objective."""
    made = []
    for problem in problems():
        if problem.preference or problem.environment or len(problem.objectives) > 1:
            continue
        if not problem.measures:
            problem.measures = _MEASURES
        made.append(problem)
    return made

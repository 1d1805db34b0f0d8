"""What a model is told: the problem, the parameters, the outcomes, and every observation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.formulation import Constraint, Problem
from blackbox.formulation.outcomes import Objective
from blackbox.llm.protocol import Request
from blackbox.llm.structured import Fields, digits_for, number
from blackbox.optimizers.llambo.settings import Settings

_SYSTEM = "You are an expert in optimization by experiments. Answer with one JSON object only."
_MOST_TOKENS = 30_000
#: Tokens of a reply beside its rows or numbers.
_FRAME = 64
_REASONS = 700


class Briefing:
    """Writes prompts about one problem.

    Numbers are in the user's units; objectives are said to be minimized or maximized, and are never
    turned round. A failed row is shown with ``null`` in the place of its outcomes.

    Args:
        problem: what is optimized.
        about: what it is, in words.
        settings: how the model is asked.
    """

    def __init__(self, problem: Problem, about: str, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        self.fields = Fields(problem.space, anonymous=settings.anonymous)
        self.outcomes: list[Objective | Constraint] = [*problem.objectives, *problem.constraints]
        self._about = "" if settings.anonymous else about.strip()

    def configurations(
        self,
        observed: Batch,
        pending: Batch,
        count: int,
        target: Sequence[float],
        *,
        reasoning: bool = False,
    ) -> dict[str, Any]:
        """Messages and schema that ask for configurations.

        Args:
            observed: rows told, in the order in which they are shown.
            pending: rows that are being measured.
            count: how many configurations.
            target: outcomes that they should reach, one for each objective; none of them where
                nothing is known.
            reasoning: whether reasons are wanted, too.
        """
        rows = self.fields.write(observed) if len(observed) else []
        pairs = zip(self._outcomes(observed), rows, strict=True)
        shown = [f"{outcome} <- {row}" for outcome, row in pairs]
        names = ", ".join(self.fields.names.values())
        form = '{"configurations": [{...}, ...]}'
        first = "Give"
        if reasoning:
            form = form.replace("{", '{"reasoning": "...", ', 1)
            first = "Give your reasons, then"
        wanted = ", ".join(number(value, 6) for value in target)
        goal = f" that come to the outcomes [{wanted}] or better" * bool(target)
        parts = [
            self._section("Observations, [outcomes] <- [parameters]:", shown),
            self._section("Being measured, do not repeat:", self._rows(pending)),
            f"Task: {first} {count} different new configurations{goal}, in full precision, none of "
            f"them observed before. Reply {form}, each configuration with {names}.",
        ]
        properties: dict[str, Any] = {"reasoning": {"type": "string"}} if reasoning else {}
        properties["configurations"] = _array(self.fields.schema, count)
        tokens = _FRAME + count * self.fields.length + _REASONS * reasoning
        return self._asked(parts, properties, tokens)

    def predictions(self, observed: Batch, candidates: Batch) -> dict[str, Any]:
        """Messages and schema that ask for the outcomes of candidates."""
        q = len(self.outcomes)
        pairs = zip(self.fields.write(observed), self._outcomes(observed), strict=True)
        each = "one number" if q == 1 else f"a list of {q} numbers"
        one: dict[str, Any] = {"type": "number"}
        parts = [
            self._section(
                "Observations, [parameters] -> [outcomes]:",
                [f"{row} -> {outcome}" for row, outcome in pairs],
            ),
            self._section("Candidates:", self._rows(candidates)),
            f'Task: Predict the outcomes of the {len(candidates)} candidates. Reply {{"predictions"'
            f": [...]}}, {each} for each candidate in order.",
        ]
        properties = {"predictions": _array(one if q == 1 else _array(one, q), len(candidates))}
        return self._asked(parts, properties, _FRAME + 12 * q * len(candidates))

    def labels(
        self, observed: Batch, good: npt.NDArray[np.bool_], meaning: str, candidates: Batch
    ) -> dict[str, Any]:
        """Messages and schema that ask which candidates are good.

        Args:
            observed: rows told, in the order in which they are shown.
            good: (n,) whether each is good.
            meaning: what makes a row good.
            candidates: rows to be judged.
        """
        pairs = zip(self.fields.write(observed), good, strict=True)
        parts = [
            self._section(
                "Observations, [parameters] -> class:", [f"{row} -> {int(g)}" for row, g in pairs]
            ),
            self._section("Candidates:", self._rows(candidates)),
            f"Task: Class 1 means {meaning}, class 0 the others. Predict the class of the "
            f'{len(candidates)} candidates. Reply {{"labels": [...]}}, 0 or 1 for each candidate '
            "in order.",
        ]
        properties = {"labels": _array({"type": "integer", "enum": [0, 1]}, len(candidates))}
        return self._asked(parts, properties, _FRAME + 3 * len(candidates))

    def request(self, asked: Mapping[str, Any], n: int, seed: int, **how: Any) -> Request:
        """A request for n texts."""
        s = self.settings
        return Request(
            **asked,
            n=n,
            seed=seed,
            temperature=s.temperature,
            top_p=s.top_p,
            timeout=s.timeout,
            **how,
        )

    def _asked(
        self, parts: Sequence[str], properties: Mapping[str, Any], tokens: int
    ) -> dict[str, Any]:
        about = f"Problem: {self._about}" if self._about else ""
        head = [
            about,
            self._section("Parameters:", self.fields.description),
            self._section("Outcomes:", self._directions()),
        ]
        text = "\n\n".join(part for part in [*head, *parts] if part)
        schema = {
            "type": "object",
            "properties": dict(properties),
            "required": list(properties),
            "additionalProperties": False,
        }
        messages = ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": text})
        most = min(tokens + self.settings.thinking, _MOST_TOKENS)
        return {"messages": messages, "schema": schema, "max_tokens": most}

    def _directions(self) -> list[str]:
        lines = []
        for i, outcome in enumerate(self.outcomes, start=1):
            name = f"Y{i}" if self.settings.anonymous else outcome.name
            if isinstance(outcome, Constraint):
                bounds = {"at least": outcome.lower, "at most": outcome.upper}
                said = [f"{w} {number(v, 15)}" for w, v in bounds.items() if math.isfinite(v)]
                lines.append(f"{name}: must be {' and '.join(said)}")
            else:
                lines.append(f"{name}: {'maximize' if outcome.sign > 0 else 'minimize'}")
        return lines

    def _outcomes(self, observed: Batch) -> list[str]:
        """Outcomes of each row as JSON arrays."""
        if not len(observed):
            return []
        columns: list[list[str]] = []
        for outcome in self.outcomes:
            values: Array = observed[outcome.name]
            digits = digits_for(values[observed["ok"]])
            columns.append([number(v, digits) for v in values.tolist()])
        ok = observed["ok"].tolist()
        rows = zip(*columns, strict=True)
        return [
            "[" + ",".join(row if fine else ["null"] * len(row)) + "]"
            for row, fine in zip(rows, ok, strict=True)
        ]

    def _rows(self, batch: Batch) -> list[str]:
        return self.fields.write(batch) if len(batch) else []

    @staticmethod
    def _section(head: str, lines: Sequence[str]) -> str:
        return "\n".join([head, *lines]) if lines else ""


def _array(items: Mapping[str, Any], count: int) -> dict[str, Any]:
    return {"type": "array", "items": dict(items), "minItems": count, "maxItems": count}

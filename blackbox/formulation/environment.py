"""Conditions that the user of a result cannot choose, and what is made of their outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from blackbox.arguments import MOST, is_number, is_whole
from blackbox.batch import Array, Batch
from blackbox.errors import BlackboxError, ProblemError
from blackbox.space import Categorical, Integer, Ordinal, Parameter, Space

Floats: TypeAlias = npt.NDArray[np.float64]
Risk: TypeAlias = Literal["expectation", "worst", "cvar"]

_DRAWN = 16
_LISTED = 64


class Environment:
    """Inputs outside the space that are chosen while experimenting, and given afterwards.

    The weather, a test case, the patient: an experiment may choose them, whoever uses the result
    may not. A candidate is as good as its risk: the expectation, the worst, or the conditional
    value at risk of its objective over the scenarios (Frazier 2018, arXiv:1807.02811, section 5;
    Toscano-Palmerin and Frazier 2018, arXiv:1803.08661; Cakmak et al. 2020, arXiv:2007.12089).

    Args:
        *parameters: the environment's inputs.
        scenarios: the values they take: columns (s,), as a dict or a Batch; or how many points
            to spread evenly over the parameters (the same ones each time; a finite space of at
            most as many scalar values is listed whole). By default 16, or all values of a finite
            space of at most 64.
        weights: (s,) probabilities of the scenarios, at least 0; divided by their sum. Equal by
            default.
        risk: ``"expectation"``; ``"worst"``, over the scenarios of positive weight; or
            ``"cvar"``, the mean of the worst share ``alpha`` of the outcomes.
        alpha: in (0, 1].

    Attributes:
        space: the Space of the parameters.
        table: Batch of the s scenarios, a column for each parameter.
        weights: (s,) probabilities, summing to one.
        risk: as given.
        alpha: as given.

    Raises:
        ProblemError: an argument is of the wrong type or out of range.
        SpaceError: no parameters, or a name twice.
    """

    space: Space
    table: Batch
    weights: Floats
    risk: Risk
    alpha: float

    def __init__(
        self,
        *parameters: Parameter,
        scenarios: int | Mapping[str, npt.ArrayLike] | Batch | None = None,
        weights: npt.ArrayLike | None = None,
        risk: Risk = "expectation",
        alpha: float = 0.1,
    ) -> None:
        self.space = Space(*parameters)
        self.table = _table(self.space, scenarios)
        self.weights = _weights(weights, len(self.table))
        if risk not in get_args(Risk):
            raise ProblemError(f"risk={risk!r} must be one of {', '.join(get_args(Risk))}")
        if not is_number(alpha) or not 0 < alpha <= 1:
            raise ProblemError(f"alpha={alpha!r} must be a number above 0 and at most 1")
        self.risk = risk
        self.alpha = float(alpha)
        self._listed: bool = isinstance(scenarios, Batch | Mapping)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the environment's columns."""
        return self.space.names

    def draw(self, n: int, rng: np.random.Generator) -> Batch:
        """n scenarios of the table, drawn with their probabilities."""
        return self.table.take(rng.choice(len(self.table), size=n, p=self.weights))

    def risk_of(self, values: npt.ArrayLike, sign: float) -> Floats:
        """(...) risk of the objective's values (..., s), one for each scenario, in their units.

        Args:
            values: (..., s) values; NaN where a scenario that counts is NaN.
            sign: +1 where larger is better, -1 where smaller is.

        Raises:
            ProblemError: the last axis is not s long.
        """
        known = np.asarray(values, dtype=np.float64)
        shares = self.risk_weights(known, sign)
        # A scenario that does not count must not spoil the rest, be it infinite or NaN.
        counted = np.multiply(shares, known, where=shares > 0, out=np.zeros_like(shares))
        risk: Floats = np.add.reduce(counted, axis=-1)
        return risk

    def risk_weights(self, values: npt.ArrayLike, sign: float) -> Floats:
        """(..., s) weights whose sum over the values is the risk; also its derivative by them.

        Arguments and errors as ``risk_of``. Among equally bad scenarios the first counts. For
        ``"cvar"`` the scenario at the border counts in part, so that exactly ``alpha`` counts
        (Rockafellar and Uryasev 2002, proposition 8).
        """
        scores = float(sign) * np.asarray(values, dtype=np.float64)
        if scores.ndim == 0 or scores.shape[-1] != len(self.weights):
            raise ProblemError(
                f"values of shape {scores.shape}; give {len(self.weights)} along the last axis, "
                "one for each scenario"
            )
        if self.risk == "expectation":
            return np.broadcast_to(self.weights, scores.shape).copy()
        # NaN is worst of all: what is not known cannot be counted out.
        scores = np.where(np.isnan(scores), -np.inf, scores)
        scores = np.where(self.weights > 0, scores, np.inf)
        order = np.argsort(scores, axis=-1, kind="stable")
        sorted_weights = self.weights[order]
        if self.risk == "worst":
            first = np.argmax(sorted_weights > 0, axis=-1, keepdims=True)
            share = (np.arange(len(self.weights)) == first).astype(np.float64)
        else:
            before = np.cumsum(sorted_weights, axis=-1) - sorted_weights
            share = np.clip(self.alpha - before, 0.0, sorted_weights)
            share /= share.sum(axis=-1, keepdims=True)
        weights: Floats = np.empty_like(share)
        np.put_along_axis(weights, order, share, axis=-1)
        return weights

    def spec(self) -> dict[str, Any]:
        """The declaration as a plain dict, for fingerprints."""
        # Scenarios spread by ourselves are told by their number: on another machine a logarithm
        # may round otherwise.
        columns = {name: column.tolist() for name, column in self.table.columns().items()}
        return {
            **self.space.spec(),
            "scenarios": columns if self._listed else len(self.table),
            "weights": self.weights.tolist(),
            "risk": self.risk,
            "alpha": self.alpha,
        }

    def __repr__(self) -> str:
        parts = [*map(repr, self.space), f"{len(self.table)} scenarios", f"risk={self.risk!r}"]
        parts += [f"alpha={self.alpha}"] * (self.risk == "cvar")
        return f"Environment({', '.join(parts)})"


def _table(space: Space, scenarios: Any) -> Batch:
    if isinstance(scenarios, Batch | Mapping):
        try:
            table = space.check(Batch(scenarios) if isinstance(scenarios, Mapping) else scenarios)
        except BlackboxError as error:
            raise ProblemError(f"scenarios of the environment: {error}") from error
        if len(table) == 0:
            raise ProblemError("scenarios of the environment are empty; give at least one")
        return table
    if scenarios is not None and not is_whole(scenarios, 1, MOST):
        raise ProblemError(
            f"scenarios={scenarios!r} must be a positive int of at most {MOST}, a dict of columns, "
            "a Batch or None"
        )
    most = _LISTED if scenarios is None else int(scenarios)
    every = [_values(p) for p in space] if space.cardinality <= most else []
    listed = [values for values in every if values is not None]
    if len(listed) == len(space):
        index = np.indices([len(values) for values in listed]).reshape(len(listed), -1)
        columns = {p.name: v[i] for p, v, i in zip(space, listed, index, strict=True)}
        return Batch(columns)
    return space.decode(_spread(_DRAWN if scenarios is None else int(scenarios), space.width))


def _values(parameter: Parameter) -> Array | None:
    """All values of a finite scalar parameter; None for any other."""
    match parameter:
        case Categorical() | Ordinal():
            return parameter.table
        case Integer() if parameter.size is None:
            return np.arange(parameter.low, parameter.high + 1)
    return None


def _spread(n: int, width: int) -> Floats:
    """(n, width) evenly spread points of the unit cube, always the same ones.

    Each coordinate takes the middle of each of n equal intervals once. The first takes them in
    order, the others in that of the additive recurrence of Roberts (2018, "The unreasonable
    effectiveness of quasirandom sequences"), whose steps are powers of a root of
    ``x**width == x + 1``.
    """
    root = 2.0
    for _ in range(64 if width > 1 else 0):
        root = (1.0 + root) ** (1.0 / width)
    steps = root ** -np.arange(1.0, width)
    turns = np.outer(np.arange(n), steps) % 1.0
    ranks = np.column_stack([np.arange(n), turns.argsort(axis=0).argsort(axis=0)])
    return (ranks + 0.5) / n


def _weights(weights: Any, n: int) -> Floats:
    if weights is None:
        return _frozen(np.full(n, 1.0 / n))
    try:
        given = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        given = np.full((), np.nan)
    if given.shape != (n,) or not np.all(np.isfinite(given) & (given >= 0)) or not given.any():
        raise ProblemError(
            f"weights={weights!r}; give {n} finite numbers of at least 0, not all of them 0, one "
            "for each scenario"
        )
    given /= given.max()  # so that the sum of huge weights does not overflow
    return _frozen(given / given.sum())


def _frozen(array: Floats) -> Floats:
    array.setflags(write=False)
    return array

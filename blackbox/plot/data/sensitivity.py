"""How much of an outcome's variation over the space is due to each parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.arguments import is_whole
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.plot.data.beliefs import Source, bayes_of, expected, model_of
from blackbox.plot.data.runs import Floats
from blackbox.space import Integer, Real, Space

_SAMPLES = 1024
_LEAST = 1e-9  # deviation, as a share of the largest value, below which a mean is constant


@dataclass(frozen=True)
class Importance:
    """Variance-based sensitivity of an outcome's posterior mean.

    Args:
        outcome: its label.
        names: the d parameters or elements, the most important first.
        first: (d,) share of the variance due to each parameter alone.
        total: (d,) share that goes when everything but this parameter is fixed: its own and that
            of all interactions it takes part in.
    """

    outcome: str
    names: tuple[str, ...]
    first: Floats
    total: Floats


def importances(
    source: Source, outcome: str | None = None, *, samples: int = _SAMPLES
) -> Importance:
    """Sobol indices of the posterior mean over uniform, independent parameters.

    Quasi-random points A and B of the space; A with parameter i taken from B gives

        first_i = mean(f(B) (f(AB_i) - f(A))) / V     (Saltelli et al. 2010, table 2 (b)),
        total_i = mean((f(A) - f(AB_i))^2) / (2 V)    (Jansen 1999).

    Each element of a vector of numbers counts by itself; a simplex, a permutation and a sequence
    count as a whole. Linear constraints are not looked at, since they make parameters
    dependent. Where the model knows little its mean is flat and everything looks unimportant, so
    look at ``cross_validation`` first.

    Args:
        source: a Bayes optimizer, or a study of one.
        outcome: name of an objective or a constraint; by default the first objective.
        samples: points of A, a power of two.

    Raises:
        ProblemError: no Bayes, no such outcome, or ``samples`` is no power of two.
        TellError: no row has succeeded yet.
    """
    optimizer = bayes_of(source)
    if not is_whole(samples, 2) or samples & (samples - 1):
        raise ProblemError(f"samples={samples!r} must be a power of two of at least 2")
    from scipy.stats import qmc

    belief = optimizer._looked_at()
    model, sign, label = model_of(optimizer, belief, outcome)
    space = belief.features.space
    points = qmc.Sobol(2 * space.width, rng=np.random.default_rng(0)).random(samples)
    a, b = points[:, : space.width], points[:, space.width :]
    parts = [a, b]
    blocks = _blocks(space)
    for block in blocks.values():
        mixed = a.copy()
        mixed[:, block] = b[:, block]
        parts.append(mixed)
    columns = {p.name: p.decode(np.concatenate(parts)[:, space.blocks[p.name]]) for p in space}
    values = expected(model, belief.features.encode(Batch(columns)), sign)
    values = values.reshape(len(parts), samples)
    largest = float(np.abs(values).max())
    values = values / largest if largest > 0 else values  # so that no square overflows
    spread = float(values[:2].std())
    if spread <= _LEAST:
        nothing = np.zeros(len(blocks))
        return Importance(label, tuple(blocks), nothing, nothing)
    # Standardised; the centre makes the estimate of `first` steady.
    values = (values - values[:2].mean()) / spread
    first = (values[1] * (values[2:] - values[0])).mean(axis=1)
    total = np.square(values[2:] - values[0]).mean(axis=1) / 2
    order = np.argsort(-total, kind="stable")
    names = tuple([*blocks][i] for i in order)
    return Importance(label, names, np.clip(first[order], 0.0, None), total[order])


def _blocks(space: Space) -> dict[str, slice]:
    """Columns of the unit cube of everything whose importance is asked for."""
    found = {}
    for p in space:
        block = space.blocks[p.name]
        if isinstance(p, Real | Integer) and p.size is not None:
            for j, label in enumerate(p.labels):
                found[f"{p.name}[{label}]"] = slice(block.start + j, block.start + j + 1)
        else:
            found[p.name] = block
    return found

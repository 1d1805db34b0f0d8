"""From what a kernel compares back to features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.space import Categorical, Parameter, Permutation, Sequence
from blackbox.surrogates import codes
from blackbox.surrogates.features import Features
from blackbox.surrogates.kernel import Rows


def features_of(features: Features, rows: Rows) -> Array:
    """(n, d) features whose ``features.rows`` are these."""
    found = np.repeat(features.draw(1, np.random.default_rng(0)), len(rows), axis=0)
    found[:, features.numbers] = rows.numbers
    start = 0
    for p in features.space:
        if isinstance(p, Categorical | codes.Structured):
            block = features.blocks[p.name]
            widths = [part.shape[1] for part in codes.embed(p, found[:1, block])]
            found[:, block] = _inverse(p, rows.codes[:, start : start + widths[0]])
            start += sum(widths)
    return found


def _inverse(p: Parameter, code: Array) -> Array:
    """(n, k) features of one parameter, of its first (n, q) codes."""
    if isinstance(p, Categorical):
        position: Array = code.argmax(axis=1)[:, None].astype(np.float64)
        return position
    if isinstance(p, Permutation):
        # The sign of each pair of items says which of them comes later.
        i, j = np.triu_indices(p.size, 1)
        later = np.zeros((len(code), p.size))
        for column, (first, second) in enumerate(zip(i, j, strict=True)):
            later[:, first] += code[:, column] > 0
            later[:, second] += code[:, column] < 0
        return (later + 0.5) / p.size
    assert isinstance(p, Sequence)
    a, (low, high) = len(p.alphabet), p.length
    tokens: npt.NDArray[np.intp] = code.reshape(len(code), high, a + 1).argmax(axis=2) - 1
    made = np.where(tokens >= 0, (tokens + 0.5) / a, 0.5)
    if low == high:
        return made
    lengths = (tokens >= 0).sum(axis=1)
    return np.column_stack([(lengths - low + 0.5) / (high - low + 1), made])

"""Variation of vectors with a structure: permutations and sequences."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Array
from blackbox.space import Permutation, Sequence


def crossed_order(p: Permutation, first: Array, second: Array, rng: np.random.Generator) -> Array:
    """Order crossover (Davis 1985): a stretch of the first parent, the rest in the second's order.

    Args:
        p: the parameter, of k items.
        first: (n, k) first parents.
        second: (n, k) second parents.
        rng: source of the stretches.
    """
    n, k = first.shape
    ends = np.sort(rng.integers(0, k + 1, (n, 2)), axis=1)
    start, stop = ends[:, :1], ends[:, 1:]
    # The place of each item, in the parameter's own order of items.
    place, wanted = (np.rint(p.encode(v) * k - 0.5).astype(int) for v in (first, second))
    kept = (place >= start) & (place < stop)
    rest = np.argsort(np.where(kept, k, wanted), axis=1, kind="stable")  # the kept come last
    rank = np.empty_like(rest)
    np.put_along_axis(rank, rest, np.arange(k)[None], axis=1)
    free = np.where(rank < start, rank, rank + stop - start)
    return p.decode((np.where(kept, place, free) + 0.5) / k)


def changed_order(values: Array, rng: np.random.Generator) -> Array:
    """(n, k) orders with two items swapped, or one item moved elsewhere, with equal chances."""
    n, k = values.shape
    if k < 2:
        return values
    rows = np.arange(n)
    i = _whole(rng, 0, np.full(n, k))
    j = (i + _whole(rng, 1, np.full(n, k))) % k
    swap = rng.random(n) < 0.5
    keys = np.broadcast_to(np.arange(k, dtype=np.float64), (n, k)).copy()
    # An item moved takes a place just beyond that of the other.
    keys[rows, i] = np.where(swap, j, j + np.where(j > i, 0.5, -0.5))
    keys[rows[swap], j[swap]] = i[swap]
    moved: Array = np.take_along_axis(values, np.argsort(keys, axis=1), axis=1)
    return moved


def crossed_tokens(first: Array, second: Array, rng: np.random.Generator) -> Array:
    """(n, longest) strings that begin as the first parent and end as the second (one point)."""
    shorter = np.minimum(_lengths(first), _lengths(second))
    cut = _whole(rng, 0, shorter + 1)
    return np.where(np.arange(first.shape[1]) < cut[:, None], first, second)


def changed_tokens(p: Sequence, values: Array, rng: np.random.Generator) -> Array:
    """(n, longest) strings with one token substituted, inserted or deleted.

    The three have equal chances among those that the length permits.
    """
    n, longest = values.shape
    shortest = p.length[0]
    alphabet = np.array(p.alphabet)
    lengths = _lengths(values)
    chances = np.stack([lengths > 0, lengths < longest, lengths > shortest], axis=1)
    chances &= np.array([len(alphabet) > 1, True, True])
    # The largest of random numbers, among those that are permitted.
    act = np.argmax(np.where(chances, rng.random((n, 3)), -1.0), axis=1)
    act[~chances.any(axis=1)] = -1
    at = _whole(rng, 0, np.maximum(lengths + (act == 1), 1))
    columns = np.arange(longest)
    shift = np.where(act == 1, -1, np.where(act == 2, 1, 0))[:, None]
    # An insertion shifts what comes after its place, a deletion also what stands there.
    after = columns >= (at + (act == 1))[:, None]
    source = columns + np.where(after, shift, 0)
    padded = np.concatenate([values, np.full((n, 1), "", dtype=values.dtype)], axis=1)
    made = np.take_along_axis(padded, source, axis=1)
    rows = np.flatnonzero((act == 0) | (act == 1))
    token = _whole(rng, 0, np.full(n, len(alphabet)))
    if len(alphabet) > 1:  # a substitute is another token
        same = (act == 0) & (alphabet[token] == values[np.arange(n), np.minimum(at, longest - 1)])
        other = token + _whole(rng, 1, np.full(n, len(alphabet)))
        token = np.where(same, other % len(alphabet), token)
    made[rows, at[rows]] = alphabet[token[rows]]
    return made


def _lengths(values: Array) -> Array:
    lengths: Array = (values != "").sum(axis=1)
    return lengths


def _whole(rng: np.random.Generator, low: int, high: Array) -> Array:
    """(n,) whole numbers from ``low`` to below (n,) ``high``."""
    drawn: Array = rng.integers(low, high)
    return drawn

"""What has no place on a line: how it is embedded, and what stands one step away from it.

The features of a category are its position in the list; those of a permutation or a string are
their code in the unit cube. Here they become columns whose squared distance counts differences, in
one group or two for each parameter:

* categories: 1 where they differ;
* permutations: the share of pairs of items in another order, Kendall's distance (Jiao and Vert
  2015, *The Kendall and Mallows Kernels for Permutations*);
* strings: the share of places that differ, and apart from it the distance of the frequencies of
  neighbouring tokens, which a shift hardly changes (Leslie, Eskin and Noble 2002, *The Spectrum
  Kernel*).

Notation: n rows, k columns of features of one parameter, a tokens in the alphabet.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.space import Categorical, Permutation, Sequence

Structured = Permutation | Sequence
_PAIRS = 1024  # columns that the pairs of tokens may take
_MOVES = 512  # neighbours tried at once


def embed(p: Categorical | Structured, features: Array) -> list[Array]:
    """(n, q) codes, one matrix for each group, of (n, k) features."""
    if isinstance(p, Categorical):
        return [_one_hot(features[:, :1].astype(np.intp), len(p.values)) / np.sqrt(2.0)]
    if isinstance(p, Permutation):
        i, j = np.triu_indices(p.size, 1)
        signs = np.sign(features[:, i] - features[:, j])
        return [signs / (2.0 * np.sqrt(max(len(i), 1)))]
    tokens = _tokens(p, features)
    a = len(p.alphabet)
    places = _one_hot(tokens + 1, a + 1) / np.sqrt(2.0 * p.size)
    first, second = tokens[:, :-1], tokens[:, 1:]
    if a * a <= _PAIRS and p.size > 1:
        pairs = np.where(second >= 0, first * a + second, -1)
        counts = _counts(pairs, a * a)
    else:
        counts = _counts(tokens, a)
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return [places, np.sqrt(counts / total) / np.sqrt(2.0)]


def steps(p: Structured, features: Array) -> Array:
    """(m, k) features of what differs from (k,) features by one step, at most some hundred.

    Permutations: two items change places, or one moves elsewhere. Strings: a token is replaced,
    removed or inserted.
    """
    made = _orders(features) if isinstance(p, Permutation) else _edits(p, features)
    if len(made) > _MOVES:
        made = made[np.linspace(0, len(made) - 1, _MOVES).astype(np.intp)]
    return made


def everything(p: Structured) -> Array:
    """(m, k) features of every value; call it for small spaces only."""
    if isinstance(p, Permutation):
        orders = np.array([*permutations(range(p.size))])
        return (orders + 0.5) / p.size
    low, high = p.length
    a = len(p.alphabet)
    return np.concatenate(
        [
            _features(p, np.array([*product(range(a), repeat=n)], dtype=np.intp).reshape(a**n, n))
            for n in range(low, high + 1)
        ]
    )


def _one_hot(index: npt.NDArray[np.intp], count: int) -> Array:
    """(n, k * count) of (n, k) positions."""
    hot: Array = (index[:, :, None] == np.arange(count)).reshape(len(index), index.shape[1] * count)
    return hot.astype(np.float64)


def _counts(index: npt.NDArray[np.intp], count: int) -> Array:
    """(n, count) how often each position occurs in each row; negative ones are left out."""
    counts = np.zeros((len(index), count))
    rows, columns = np.nonzero(index >= 0)
    np.add.at(counts, (rows, index[rows, columns]), 1.0)
    return counts


def _tokens(p: Sequence, features: Array) -> npt.NDArray[np.intp]:
    """(n, longest) positions in the alphabet, -1 after the end."""
    low, high = p.length
    a = len(p.alphabet)
    variable = low < high
    index = np.minimum((features[:, int(variable) :] * a).astype(np.intp), a - 1)
    if variable:
        lengths = low + np.minimum((features[:, 0] * (high - low + 1)).astype(np.intp), high - low)
        index = np.where(np.arange(high) < lengths[:, None], index, -1)
    return index


def _features(p: Sequence, tokens: npt.NDArray[np.intp]) -> Array:
    """(m, k) features of (m, length) positions in the alphabet, all of one length."""
    low, high = p.length
    made = np.full((len(tokens), high), 0.5)
    made[:, : tokens.shape[1]] = (tokens + 0.5) / len(p.alphabet)
    if low == high:
        return made
    length = (tokens.shape[1] - low + 0.5) / (high - low + 1)
    return np.column_stack([np.full(len(tokens), length), made])


def _orders(keys: Array) -> Array:
    order = np.argsort(keys, kind="stable")
    k = len(order)
    made = []
    for i, j in zip(*np.triu_indices(k, 1), strict=True):
        swapped = order.copy()
        swapped[[i, j]] = order[[j, i]]
        made.append(swapped)
        if j > i + 1:
            made += [
                np.insert(np.delete(order, i), j, order[i]),
                np.insert(np.delete(order, j), i, order[j]),
            ]
    orders = np.array(made, dtype=np.intp).reshape(-1, k)
    there = np.empty(orders.shape)
    ranks = np.broadcast_to((np.arange(k) + 0.5) / k, orders.shape)
    np.put_along_axis(there, orders, ranks, axis=1)
    return there


def _edits(p: Sequence, features: Array) -> Array:
    tokens = _tokens(p, features[None])[0]
    tokens = tokens[tokens >= 0]
    a, n = len(p.alphabet), len(tokens)
    made = [features[None][:0]]
    if n:
        replaced = np.repeat(tokens[None], n * a, axis=0)
        replaced[np.arange(n * a), np.repeat(np.arange(n), a)] = np.tile(np.arange(a), n)
        made.append(_features(p, replaced[(replaced != tokens).any(axis=1)]))
    if n > p.length[0]:
        made.append(_features(p, np.array([np.delete(tokens, i) for i in range(n)])))
    if n < p.length[1]:
        inserted = [np.insert(tokens, i, t) for i in range(n + 1) for t in range(a)]
        made.append(_features(p, np.array(inserted, dtype=np.intp)))
    return np.concatenate(made)

"""Generated parameters and spaces, the degenerate ones included."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)

SIZES = st.none() | st.integers(1, 4)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT | st.floats(allow_nan=False)
)


def unique(values: list[Any]) -> list[Any]:
    """Without repetition, where 1, 1.0 and True count as equal."""
    return list(dict.fromkeys(values))


@st.composite
def reals(draw: st.DrawFn, name: str = "p") -> Real:
    log = draw(st.booleans())
    smallest, largest = (1e-300, 1e300) if log else (-1e300, 1e300)
    bounds = st.floats(smallest, largest)
    low, high = sorted([draw(bounds), draw(bounds)])
    if draw(st.integers(0, 9)) == 0:
        high = low
    if draw(st.integers(0, 9)) == 0:
        high = math.nextafter(low, math.inf)
    return Real(name, low, high, log=log, size=draw(SIZES))


@st.composite
def integers(draw: st.DrawFn, name: str = "p") -> Integer:
    log = draw(st.booleans())
    smallest, largest = (1, 2**40) if log else (-(2**51), 2**51)
    low = draw(st.integers(smallest, largest))
    most = min(largest, low + 2**40 - 1 if log else low + 2**50 - 1)
    high = draw(st.integers(low, most) | st.just(low) | st.just(min(low + 1, most)))
    return Integer(name, low, high, log=log, size=draw(SIZES))


@st.composite
def categoricals(draw: st.DrawFn, name: str = "p") -> Categorical:
    values = draw(st.lists(SCALARS, min_size=1, max_size=8) | st.just(list(range(10_000))))
    return Categorical(name, unique(values))


@st.composite
def ordinals(draw: st.DrawFn, name: str = "p") -> Ordinal:
    numbers = st.lists(st.floats(allow_nan=False) | st.integers(-100, 100), min_size=1, max_size=8)
    words = st.lists(TEXT, min_size=1, max_size=8)
    values = unique(draw(numbers.map(sorted) | words))
    return Ordinal(name, values)


@st.composite
def simplices(draw: st.DrawFn, name: str = "p") -> Simplex:
    return Simplex(name, draw(st.integers(2, 6) | st.just(["web", "code"]) | st.just(1000)))


@st.composite
def permutations(draw: st.DrawFn, name: str = "p") -> Permutation:
    items = st.lists(SCALARS, min_size=1, max_size=6).map(unique)
    return Permutation(name, draw(st.integers(1, 7) | items | st.just(300)))


@st.composite
def sequences(draw: st.DrawFn, name: str = "p") -> Sequence:
    tokens = st.lists(TEXT.filter(bool), min_size=1, max_size=5, unique=True)
    alphabet = draw(st.sampled_from(["A", "ACGT"]) | tokens)
    low = draw(st.integers(0, 4))
    high = draw(st.integers(max(low, 1), 6))
    length = draw(st.just((low, high)) | st.just(high))
    return Sequence(name, alphabet, length)


KINDS = [reals, integers, categoricals, ordinals, simplices, permutations, sequences]


def parameters(name: str = "p") -> st.SearchStrategy[Parameter]:
    return st.one_of([kind(name) for kind in KINDS])


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    count = draw(st.integers(1, 5))
    return Space(*[draw(parameters(f"p{i}")) for i in range(count)])

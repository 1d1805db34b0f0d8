"""What may be tried: named, typed parameters, and their one encoding to the unit cube."""

from blackbox.space.choices import Categorical, Ordinal
from blackbox.space.linear import LinearConstraint
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Parameter
from blackbox.space.space import Space
from blackbox.space.vectors import Permutation, Sequence, Simplex

__all__ = [
    "Categorical",
    "Integer",
    "LinearConstraint",
    "Ordinal",
    "Parameter",
    "Permutation",
    "Real",
    "Sequence",
    "Simplex",
    "Space",
]

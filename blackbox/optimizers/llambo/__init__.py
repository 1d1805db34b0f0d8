"""Optimizers that ask a language model, and their parts for ``Bayes``.

The surrogate is loaded when it is first used: it needs SciPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from blackbox.optimizers.llambo.guided import LLMGuided
from blackbox.optimizers.llambo.llambo import LLAMBO
from blackbox.optimizers.llambo.settings import Settings

if TYPE_CHECKING:
    from blackbox.optimizers.llambo.surrogate import InContext, ObservedEI

__all__ = ["LLAMBO", "InContext", "LLMGuided", "ObservedEI", "Settings"]


def __getattr__(name: str) -> Any:
    if name not in ("InContext", "ObservedEI"):
        raise AttributeError(f"module 'blackbox.optimizers.llambo' has no attribute {name!r}")
    return getattr(importlib.import_module("blackbox.optimizers.llambo.surrogate"), name)

"""How much a candidate is worth trying, and the search for the one worth most.

Recipes are loaded when they are first used: most need SciPy, some PyTorch and BoTorch.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from blackbox.errors import require

if TYPE_CHECKING:
    from blackbox.acquisitions.base import (
        Acquisition,
        AcquisitionFunction,
        Belief,
        Limit,
        Scenarios,
    )
    from blackbox.acquisitions.confidence import UCB
    from blackbox.acquisitions.entropy import MES
    from blackbox.acquisitions.hypervolume import EHVI
    from blackbox.acquisitions.improvement import EI, PI
    from blackbox.acquisitions.knowledge import KnowledgeGradient, NoisyEI
    from blackbox.acquisitions.risk import RiskKG
    from blackbox.acquisitions.thompson import Thompson
    from blackbox.acquisitions.torch.entropy import JES, PES
    from blackbox.acquisitions.torch.preference import EUBO
    from blackbox.acquisitions.torch.several import ParEGO, Scalarised

_NAMES = {
    "base": ("Acquisition", "AcquisitionFunction", "Belief", "Limit", "Scenarios"),
    "hypervolume": ("EHVI",),
    "improvement": ("EI", "PI"),
    "confidence": ("UCB",),
    "knowledge": ("KnowledgeGradient", "NoisyEI"),
    "entropy": ("MES",),
    "risk": ("RiskKG",),
    "thompson": ("Thompson",),
    "torch.entropy": ("JES", "PES"),
    "torch.preference": ("EUBO",),
    "torch.several": ("ParEGO", "Scalarised"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "EHVI",
    "EI",
    "EUBO",
    "JES",
    "MES",
    "PES",
    "PI",
    "UCB",
    "Acquisition",
    "AcquisitionFunction",
    "Belief",
    "KnowledgeGradient",
    "Limit",
    "NoisyEI",
    "ParEGO",
    "RiskKG",
    "Scalarised",
    "Scenarios",
    "Thompson",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'blackbox.acquisitions' has no attribute {name!r}")
    if _HOME[name] != "base":
        require("scipy", "bayes")
    if _HOME[name].startswith("torch."):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its imports use deprecated parts of PyTorch
            require("torch", "bayes")
            require("botorch", "bayes")
    value = getattr(importlib.import_module(f"blackbox.acquisitions.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

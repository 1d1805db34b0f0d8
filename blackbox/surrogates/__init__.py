"""Models of outcomes: what they take as inputs, and how they are fitted.

Names are loaded when they are first used, so that the fast engine does not import PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blackbox.surrogates.exact import ExactGP
    from blackbox.surrogates.heteroscedastic import HeteroscedasticGP
    from blackbox.surrogates.local import LocalGP
    from blackbox.surrogates.torch.gp import TorchGP
    from blackbox.surrogates.torch.gradients import GradientGP
    from blackbox.surrogates.torch.pairwise import PairwiseGP
    from blackbox.surrogates.torch.saas import SaasGP
    from blackbox.surrogates.torch.sparse import SparseGP
    from blackbox.surrogates.torch.tasks import TaskGP

_HOME = {
    "ExactGP": "blackbox.surrogates.exact",
    "GradientGP": "blackbox.surrogates.torch.gradients",
    "HeteroscedasticGP": "blackbox.surrogates.heteroscedastic",
    "LocalGP": "blackbox.surrogates.local",
    "PairwiseGP": "blackbox.surrogates.torch.pairwise",
    "SaasGP": "blackbox.surrogates.torch.saas",
    "SparseGP": "blackbox.surrogates.torch.sparse",
    "TaskGP": "blackbox.surrogates.torch.tasks",
    "TorchGP": "blackbox.surrogates.torch.gp",
}

__all__ = [
    "ExactGP",
    "GradientGP",
    "HeteroscedasticGP",
    "LocalGP",
    "PairwiseGP",
    "SaasGP",
    "SparseGP",
    "TaskGP",
    "TorchGP",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'blackbox.surrogates' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

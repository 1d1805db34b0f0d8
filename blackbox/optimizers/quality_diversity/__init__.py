"""Optimizers that fill an archive with elites, loaded when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blackbox.optimizers.quality_diversity.bop_elites import BOPElites
    from blackbox.optimizers.quality_diversity.cma_mae import CMAMAE
    from blackbox.optimizers.quality_diversity.cma_maega import CMAMAEGA
    from blackbox.optimizers.quality_diversity.cma_me import CMAME
    from blackbox.optimizers.quality_diversity.dominated import DominatedNovelty
    from blackbox.optimizers.quality_diversity.map_elites import MapElites
    from blackbox.optimizers.quality_diversity.mome import MOME
    from blackbox.optimizers.quality_diversity.multi_emitter import MultiEmitter
    from blackbox.optimizers.quality_diversity.noise import Replicated, corrected
    from blackbox.optimizers.quality_diversity.novelty import NoveltySearch
    from blackbox.optimizers.quality_diversity.variation import Variation

# Each name and the module of this package that defines it.
_HOME = {
    "BOPElites": "bop_elites",
    "CMAMAE": "cma_mae",
    "CMAMAEGA": "cma_maega",
    "CMAME": "cma_me",
    "DominatedNovelty": "dominated",
    "MOME": "mome",
    "MapElites": "map_elites",
    "MultiEmitter": "multi_emitter",
    "NoveltySearch": "novelty",
    "Replicated": "noise",
    "Variation": "variation",
    "corrected": "noise",
}

__all__ = [
    "CMAMAE",
    "CMAMAEGA",
    "CMAME",
    "MOME",
    "BOPElites",
    "DominatedNovelty",
    "MapElites",
    "MultiEmitter",
    "NoveltySearch",
    "Replicated",
    "Variation",
    "corrected",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

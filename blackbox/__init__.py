"""One Problem and one ask/tell loop for Bayesian and quality-diversity optimization.

Names are loaded when they are first used, so that ``import blackbox`` costs little and imports no
optional dependency.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from blackbox import (
        acquisitions,
        archives,
        executors,
        gflownets,
        llm,
        metrics,
        plot,
        problems,
        surrogates,
        testing,
    )
    from blackbox.batch import Batch
    from blackbox.formulation import (
        Constraint,
        Environment,
        Fidelity,
        Maximize,
        Measure,
        Minimize,
        Preference,
        Problem,
        problem,
    )
    from blackbox.optimizer import Optimizer, Supports
    from blackbox.optimizers import optuna, pymoo, ribs
    from blackbox.optimizers.bayes import Bayes
    from blackbox.optimizers.gflownets import (
        ActiveGFN,
        GFlowNet,
        OrderPreservingGFN,
        PreferenceGFN,
    )
    from blackbox.optimizers.llambo import LLAMBO, LLMGuided
    from blackbox.optimizers.multi_fidelity import MultiFidelityBayes
    from blackbox.optimizers.quality_diversity import (
        CMAMAE,
        CMAMAEGA,
        CMAME,
        MOME,
        BOPElites,
        DominatedNovelty,
        MapElites,
        MultiEmitter,
        NoveltySearch,
    )
    from blackbox.optimizers.random import Random
    from blackbox.optimizers.sobol import Sobol
    from blackbox.space import (
        Categorical,
        Integer,
        LinearConstraint,
        Ordinal,
        Permutation,
        Real,
        Sequence,
        Simplex,
        Space,
    )
    from blackbox.study import Study, open_study

# Module, then the names it gives; a name equal to its module's last part is the module itself.
_NAMES = {
    "blackbox.batch": ("Batch",),
    "blackbox.space": (
        "Categorical",
        "Integer",
        "LinearConstraint",
        "Ordinal",
        "Permutation",
        "Real",
        "Sequence",
        "Simplex",
        "Space",
    ),
    "blackbox.formulation": (
        "Constraint",
        "Environment",
        "Fidelity",
        "Maximize",
        "Measure",
        "Minimize",
        "Preference",
        "Problem",
        "problem",
    ),
    "blackbox.optimizer": ("Optimizer", "Supports"),
    "blackbox.optimizers.random": ("Random",),
    "blackbox.optimizers.sobol": ("Sobol",),
    "blackbox.optimizers.bayes": ("Bayes",),
    "blackbox.optimizers.gflownets": (
        "ActiveGFN",
        "GFlowNet",
        "OrderPreservingGFN",
        "PreferenceGFN",
    ),
    "blackbox.optimizers.llambo": ("LLAMBO", "LLMGuided"),
    "blackbox.optimizers.multi_fidelity": ("MultiFidelityBayes",),
    "blackbox.optimizers.quality_diversity": (
        "BOPElites",
        "CMAMAE",
        "CMAMAEGA",
        "CMAME",
        "DominatedNovelty",
        "MapElites",
        "MOME",
        "MultiEmitter",
        "NoveltySearch",
    ),
    "blackbox.study": ("Study", "open_study"),
}
_MODULES = {
    "acquisitions": "blackbox.acquisitions",
    "archives": "blackbox.archives",
    "gflownets": "blackbox.gflownets",
    "llm": "blackbox.llm",
    "optuna": "blackbox.optimizers.optuna",
    "pymoo": "blackbox.optimizers.pymoo",
    "ribs": "blackbox.optimizers.ribs",
    "executors": "blackbox.executors",
    "metrics": "blackbox.metrics",
    "plot": "blackbox.plot",
    "problems": "blackbox.problems",
    "surrogates": "blackbox.surrogates",
    "testing": "blackbox.testing",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "CMAMAE",
    "CMAMAEGA",
    "CMAME",
    "LLAMBO",
    "MOME",
    "ActiveGFN",
    "BOPElites",
    "Batch",
    "Bayes",
    "Categorical",
    "Constraint",
    "DominatedNovelty",
    "Environment",
    "Fidelity",
    "GFlowNet",
    "Integer",
    "LLMGuided",
    "LinearConstraint",
    "MapElites",
    "Maximize",
    "Measure",
    "Minimize",
    "MultiEmitter",
    "MultiFidelityBayes",
    "NoveltySearch",
    "Optimizer",
    "OrderPreservingGFN",
    "Ordinal",
    "Permutation",
    "Preference",
    "PreferenceGFN",
    "Problem",
    "Random",
    "Real",
    "Sequence",
    "Simplex",
    "Sobol",
    "Space",
    "Study",
    "Supports",
    "__version__",
    "acquisitions",
    "archives",
    "executors",
    "gflownets",
    "llm",
    "metrics",
    "open_study",
    "optuna",
    "plot",
    "problem",
    "problems",
    "pymoo",
    "ribs",
    "surrogates",
    "testing",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'blackbox' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

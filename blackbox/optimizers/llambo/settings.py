"""Numbers of the language-model optimizers, with those of LLAMBO's paper as defaults."""

from __future__ import annotations

from dataclasses import dataclass

from blackbox.arguments import check_count, check_flag, check_range


@dataclass(frozen=True)
class Settings:
    """How a model is asked.

    The defaults are those of LLAMBO (Liu et al. 2024, arXiv 2402.03921, appendix D). The ten
    predictions of a candidate come from two orders of the examples, five texts each, and every
    request is about all candidates at once.

    Args:
        candidates: configurations that are sampled, of which the best is proposed.
        completions: texts that they are spread over.
        predictions: predicted outcomes of each candidate.
        orders: orders of the examples that they are spread over.
        alpha: where the outcome lies that the sampler is asked for: so many times the range of
            those seen beyond the best; negative values stay inside.
        quantile: share of the rows that the generative surrogate calls good.
        temperature: of the sampling.
        top_p: share of the probability that is sampled from.
        examples: most rows that a prompt shows, the best ones; all of them up to there.
        thinking: tokens that a text may have beyond its answer, for models that think first.
        timeout: seconds for an attempt.
        anonymous: names and descriptions are withheld: a control, which shows what the model
            knows about the problem beforehand.
        permuted: outcomes are shown in the wrong order: a control, which shows what it learns.

    Raises:
        ProblemError: a number is out of range.
    """

    candidates: int = 20
    completions: int = 4
    predictions: int = 10
    orders: int = 2
    alpha: float = -0.1
    quantile: float = 0.25
    temperature: float = 0.7
    top_p: float = 0.95
    examples: int = 200
    thinking: int = 0
    timeout: float = 60.0
    anonymous: bool = False
    permuted: bool = False

    def __post_init__(self) -> None:
        least = {"candidates": 1, "completions": 1, "predictions": 1, "orders": 1, "examples": 1}
        for name, low in {**least, "thinking": 0}.items():
            check_count(f"Settings: {name}", getattr(self, name), low)
        ranges = {
            "alpha": (-1.0, 10.0),
            "quantile": (1e-6, 1.0),
            "temperature": (0.0, 10.0),
            "top_p": (1e-6, 1.0),
            "timeout": (1e-3, 1e6),
        }
        for name, (lowest, most) in ranges.items():
            check_range(f"Settings: {name}", getattr(self, name), lowest, most)
        for name in ("anonymous", "permuted"):
            check_flag(f"Settings: {name}", getattr(self, name))

"""What an order-preserving GFlowNet could do otherwise, measured beside its defaults."""

from __future__ import annotations

import numpy as np

import blackbox as bb
from blackbox.batch import Array
from blackbox.optimizers.gflownets import Policy


class BestFirst(bb.OrderPreservingGFN):
    """Of the walks that proposals are taken from, those of largest learnt reward come first.

    Args:
        problem: as for ``OrderPreservingGFN``.
        steps: gradient steps for each row told.
        seed: seeds the optimizer's only generator.
    """

    def __init__(self, problem: bb.Problem, *, steps: int = 2, seed: int | None = None) -> None:
        super().__init__(problem, policy=Policy(steps=steps), seed=seed)

    def _sampled(self, n: int) -> Array:
        walks = self._walks(4 * n)
        reward, _, _ = self.backbone.learnt(self.sampler, walks)
        order = np.argsort(-reward.detach().cpu().numpy(), kind="stable")
        best: Array = walks.ends.cpu().numpy()[order]
        return best

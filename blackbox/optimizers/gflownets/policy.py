"""The network of a GFlowNet and how it is trained, as one argument."""

from __future__ import annotations

from dataclasses import dataclass

from blackbox.arguments import check_count, check_flag, check_range
from blackbox.errors import ProblemError


@dataclass(frozen=True)
class Policy:
    """A multilayer perceptron trained by Adam, and how it explores.

    Args:
        hidden: widths of the hidden layers, ReLU between them.
        learn_backward: whether the backward policy is learnt too; else it is uniform over parents.
        lr: learning rate.
        lr_z: learning rate of log Z.
        epsilon: share of random actions in walks that explore.
        steps: gradient steps for each row told, each on 64 known candidates, of which half are
            drawn by rank and half at random, with a fresh path to each.

    Raises:
        ProblemError: an argument is out of its range.
    """

    hidden: tuple[int, ...] = (128, 128)
    learn_backward: bool = False
    lr: float = 3e-3
    lr_z: float = 0.1
    epsilon: float = 0.05
    steps: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, list | tuple):
            raise ProblemError(f"Policy: hidden={self.hidden!r} must be a tuple of widths")
        check_flag("Policy: learn_backward", self.learn_backward)
        for width in self.hidden:
            check_count("Policy: hidden", width, 1)
        check_count("Policy: steps", self.steps, 0)
        check_range("Policy: lr", self.lr, 0, 1)
        check_range("Policy: lr_z", self.lr_z, 0, 1)
        check_range("Policy: epsilon", self.epsilon, 0, 1)

"""The network behind a sampler: what it sees of a state, and what it says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

#: Logit of what a mask forbids. Finite, so that rows without any permitted action have gradients.
FORBIDDEN = -1e9


class Network(nn.Module):
    """One trunk for the forward policy, the backward policy and the flow of states.

    Args:
        features: numbers that describe a state.
        actions: number A of actions.
        hidden: widths of the hidden layers, ReLU between them.
        backward: whether the backward policy is learnt.
        flow: whether the flow of states is.
        condition: numbers that describe what is wanted (a preference, a temperature), if any.
        generator: draws the first weights.
    """

    def __init__(
        self,
        features: int,
        actions: int,
        hidden: Sequence[int],
        *,
        backward: bool,
        flow: bool,
        condition: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.actions = actions
        self.backward = backward
        outputs = actions * (1 + backward) + flow
        self.trunk = _mlp([features + condition, *hidden, outputs], generator)
        self.layers = [layer for layer in self.trunk if isinstance(layer, nn.Linear)]
        #: log Z: a number, or a function of the condition alone.
        self.partition: nn.Module | None = None
        self.log_z = nn.Parameter(torch.zeros(1))
        if condition:
            self.partition = _mlp([condition, *hidden[:1], 1], generator)

    def forward(self, features: Tensor) -> Tensor:
        """(n, outputs): forward logits, backward logits if learnt, log flow if learnt."""
        outputs: Tensor = self.trunk(features)
        return outputs

    def log_partition(self, condition: Tensor | None) -> Tensor:
        """(n,) log Z of each condition, (1,) without one."""
        if self.partition is None or condition is None:
            return self.log_z
        learnt: Tensor = self.partition(condition)
        return self.log_z + learnt[:, 0]


def _mlp(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
        bound = 1 / math.sqrt(max(fan_in, 1))  # PyTorch's own default
        with torch.no_grad():
            for parameter in (linear.weight, linear.bias):
                parameter.uniform_(-bound, bound, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def log_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """(n, A) log probabilities over what the mask permits; about ``FORBIDDEN`` elsewhere."""
    return torch.log_softmax(logits.masked_fill(~mask, FORBIDDEN), dim=1)

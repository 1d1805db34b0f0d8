"""Where paths are walked: in NumPy on a CPU, in PyTorch on a GPU.

A step of a path is some twenty operations on small arrays. On a CPU those of NumPy cost a third of
PyTorch's; on a GPU nothing may leave the device. Both classes have the same methods, which give
arrays of their own kind, and the walks are written once for either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from blackbox.gflownets.network import Network
from blackbox.space.construction import Construction
from blackbox.state import generator_state, restore_generator

#: An array of NumPy or a tensor, as the class at hand has them.
Native: TypeAlias = Any

_TINY = np.float32(1e-30)


class OnCPU:
    """Walks in NumPy.

    Args:
        construction: the steps.
        network: the policies; its weights are shared, not copied.
        seed: of the generator.
    """

    def __init__(self, construction: Construction, network: Network, seed: int) -> None:
        self.construction = construction
        # Views: training writes into the same memory.
        self._layers = [
            (layer.weight.detach().numpy().T, layer.bias.detach().numpy())
            for layer in network.layers
        ]
        self.rng = np.random.default_rng(seed)

    def native(self, tensor: Tensor) -> Native:
        """A tensor as an array of this kind."""
        return tensor.detach().numpy()

    def tensor(self, parts: list[Native]) -> Tensor:
        """Arrays one below the other as a tensor."""
        return torch.from_numpy(np.concatenate(parts))

    def rows(self, n: int) -> Native:
        """(n,) the integers from 0."""
        return np.arange(n)

    def outputs(self, states: Native, condition: Native | None) -> Native:
        """(n, outputs) of the network."""
        x = self.construction.features(states).astype(np.float32)
        if condition is not None:
            x = np.concatenate([x, condition], axis=1)
        for number, (weight, bias) in enumerate(self._layers, 1):
            x = x @ weight
            x += bias
            if number < len(self._layers):
                np.maximum(x, 0, out=x)
        return x

    def choose(self, logits: Native, mask: Native, epsilon: float, temperature: float) -> Native:
        """(n,) an action of each row: the largest logit after Gumbel noise has been added."""
        noise = self.rng.standard_exponential(mask.shape, dtype=np.float32)
        gumbel = -np.log(np.maximum(noise, _TINY))  # the noise may be zero in float32
        scores = _tempered(logits, gumbel, temperature)
        if epsilon > 0:
            free = self.rng.random(len(mask)) < epsilon
            scores = np.where(free[:, None], gumbel, scores)
        return np.where(mask, scores, -np.inf).argmax(1)

    def state(self) -> dict[str, Any]:
        """Of the generator."""
        return generator_state(self.rng)

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        restore_generator(self.rng, state)


class OnDevice:
    """Walks in PyTorch; arguments as for ``OnCPU``, and the steps as tensors.

    Args:
        construction: the steps, on tensors.
        network: the policies.
        device: where they are.
        seed: of the generator.
    """

    def __init__(
        self, construction: TensorSteps, network: Network, device: torch.device, seed: int
    ) -> None:
        self.construction = construction
        self._network = network
        self._device = device
        self.generator = torch.Generator(device).manual_seed(seed)

    def native(self, tensor: Tensor) -> Native:
        """A tensor as an array of this kind."""
        return tensor

    def tensor(self, parts: list[Native]) -> Tensor:
        """Arrays one below the other as a tensor."""
        return torch.cat(parts)

    def rows(self, n: int) -> Native:
        """(n,) the integers from 0."""
        return torch.arange(n, device=self._device)

    def outputs(self, states: Native, condition: Native | None) -> Native:
        """(n, outputs) of the network."""
        x = self.construction.features(states)
        return self._network(x if condition is None else torch.cat([x, condition], dim=1))

    def choose(self, logits: Native, mask: Native, epsilon: float, temperature: float) -> Native:
        """(n,) an action of each row: the largest logit after Gumbel noise has been added."""
        noise = torch.empty(mask.shape, device=self._device)
        gumbel = -noise.exponential_(generator=self.generator).log_()
        scores = _tempered(logits, gumbel, temperature)
        if epsilon > 0:
            draws = torch.rand(len(mask), device=self._device, generator=self.generator)
            scores = torch.where((draws < epsilon)[:, None], gumbel, scores)
        return scores.masked_fill(~mask, -torch.inf).argmax(1)

    def state(self) -> dict[str, Any]:
        """Of the generator."""
        return {"torch": self.generator.get_state().numpy().copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self.generator.set_state(torch.as_tensor(state["torch"]))


class TensorSteps:
    """A construction that takes and gives tensors on a device, whatever it computes with.

    Args:
        construction: the steps.
        device: of the tensors.
    """

    def __init__(self, construction: Construction, device: torch.device) -> None:
        self.actions = construction.actions
        self._construction = construction
        self._device = device
        self._direct = construction.tensors and device.type != "cpu"

    def initial(self, n: int) -> Tensor:
        """(n, width) empty states."""
        return self._given(self._construction.initial(n))

    def terminal(self, states: Tensor) -> Tensor:
        """(n,) bool."""
        return self._given(self._construction.terminal(self._taken(states)))

    def allowed(self, states: Tensor) -> Tensor:
        """(n, A) bool."""
        return self._given(self._construction.allowed(self._taken(states)))

    def parents(self, states: Tensor) -> Tensor:
        """(n, A) bool."""
        return self._given(self._construction.parents(self._taken(states)))

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """(n, width) states one step on."""
        return self._given(self._construction.step(self._taken(states), self._taken(actions)))

    def undo(self, states: Tensor, actions: Tensor) -> Tensor:
        """(n, width) states one step back."""
        return self._given(self._construction.undo(self._taken(states), self._taken(actions)))

    def features(self, states: Tensor) -> Tensor:
        """(n, k) float32."""
        return self._given(self._construction.features(self._taken(states))).float()

    def _taken(self, tensor: Tensor) -> Any:
        return tensor if self._direct else tensor.cpu().numpy()

    def _given(self, answer: Any) -> Tensor:
        if isinstance(answer, Tensor):
            return answer
        return torch.from_numpy(answer).to(self._device)


def _tempered(logits: Native, gumbel: Native, temperature: float) -> Native:
    """Logits with noise; the noise is scaled rather than the logits, so that 0 takes the best."""
    return logits + gumbel if temperature == 1 else logits + temperature * gumbel

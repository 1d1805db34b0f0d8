"""What takes gradient steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from blackbox.gflownets.sampler import Sampler


class Trainer:
    """Adam on a sampler's network, log Z with a learning rate of its own.

    Args:
        sampler: whose network is trained.
        lr: learning rate of the network.
        lr_z: learning rate of log Z.
        weight_decay: of the network.
        clip: largest norm of a gradient, None for no limit.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        lr: float = 1e-3,
        lr_z: float = 0.1,
        weight_decay: float = 0.0,
        clip: float | None = None,
    ) -> None:
        network = sampler.network
        partition = [network.log_z]
        if network.partition is not None:
            partition += network.partition.parameters()
        self._clip = clip
        self._parameters = [*network.trunk.parameters(), *partition]
        self._adam = torch.optim.Adam(
            [
                {"params": list(network.trunk.parameters()), "weight_decay": weight_decay},
                {"params": partition, "lr": lr_z if network.partition is None else lr},
            ],
            lr=lr,
            fused=True,
        )

    def step(self, loss: Tensor) -> None:
        """One gradient step."""
        self._adam.zero_grad()
        loss.backward()
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self._adam.step()

    def slow(self, factor: float) -> None:
        """Multiply the learning rates by a factor."""
        for group in self._adam.param_groups:
            group["lr"] *= factor

    def state(self) -> dict[str, Any]:
        """Adam's moments as arrays."""
        moments = self._adam.state_dict()["state"]
        kept: dict[str, Any] = {
            str(i): {name: value.cpu().numpy().copy() for name, value in own.items()}
            for i, own in moments.items()
        }
        return {"moments": kept, "rates": [group["lr"] for group in self._adam.param_groups]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        groups = self._adam.state_dict()["param_groups"]
        moments = {
            int(i): {name: torch.tensor(value) for name, value in own.items()}
            for i, own in state["moments"].items()
        }
        for group, rate in zip(groups, state["rates"], strict=True):
            group["lr"] = float(rate)
        self._adam.load_state_dict({"state": moments, "param_groups": groups})


@contextmanager
def alone() -> Iterator[None]:
    """One thread, gradients on, float32: whatever the caller has set, it is set again afterwards.

    Networks this small are slower on several threads, and sums in another order would not repeat
    bit by bit.
    """
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(kind)

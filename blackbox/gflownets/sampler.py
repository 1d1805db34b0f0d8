"""The sampler: a construction, a network, and the random walks between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from blackbox.gflownets.native import OnCPU, OnDevice, TensorSteps
from blackbox.gflownets.network import FORBIDDEN, Network, log_softmax
from blackbox.gflownets.walks import Walks, backward, forward
from blackbox.space.construction import Construction


@dataclass(frozen=True)
class Evaluation:
    """What the network says of the states of some walks, with gradients.

    Attributes:
        walks: the walks.
        parents: (N,) positions of the states before each transition.
        log_pf: (N,) forward log probability of each transition.
        log_pb: (N,) backward log probability of each transition.
        log_z: (n,) or (1,) log partition of each path.
        log_flow: (V,) log flow of every state, None where it is not learnt.
        backward: for the states that have several parents, their log backward policies (k, A)
            and their parents (k, A); None where the backward policy is not learnt.
    """

    walks: Walks
    parents: Tensor
    log_pf: Tensor
    log_pb: Tensor
    log_z: Tensor
    log_flow: Tensor | None
    backward: tuple[Tensor, Tensor] | None

    def summed(self, values: Tensor) -> Tensor:
        """(n,) sums of (N,) values over each path."""
        sums = values.new_zeros(self.walks.n)
        return sums.index_add(0, self.walks.row[self.parents], values)


class Sampler:
    """Draws objects step by step with a learnt policy.

    Args:
        construction: how objects are built.
        hidden: widths of the network's hidden layers.
        learn_backward: whether the backward policy is learnt; else it is uniform over parents.
        flow: whether the flow of states is learnt (what some backbones need).
        condition: numbers that describe what is wanted; each path then has a vector of them.
        device: where PyTorch computes.
        seed: seeds the sampler's only generator.
    """

    def __init__(
        self,
        construction: Construction,
        *,
        hidden: Sequence[int] = (128, 128),
        learn_backward: bool = False,
        flow: bool = False,
        condition: int = 0,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.construction = construction
        self.device = torch.device(device)
        self.steps = TensorSteps(construction, self.device)
        self.flow = flow
        weights = torch.Generator().manual_seed(seed)
        width = construction.features(construction.initial(1)).shape[1]
        self.network = Network(
            width,
            construction.actions,
            hidden,
            backward=learn_backward,
            flow=flow,
            condition=condition,
            generator=weights,
        ).to(self.device)
        self._where: OnCPU | OnDevice
        if self.device.type == "cpu":
            self._where = OnCPU(construction, self.network, seed)
        else:
            self._where = OnDevice(self.steps, self.network, self.device, seed)
        # A random linear map modulo 2**64, always the same: equal for equal rows only, but for odds
        # below 1e-7.
        fixed = torch.Generator().manual_seed(0)
        factors = torch.randint(2**62, (construction.width,), generator=fixed)
        self._factors = (2 * factors + 1).to(self.device)

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        epsilon: float = 0.0,
        temperature: float = 1.0,
        condition: Tensor | None = None,
        start: Tensor | None = None,
        permitted: Tensor | None = None,
    ) -> Walks:
        """Paths drawn by the forward policy; those that end without an object are left out.

        Args:
            n: number of paths.
            epsilon: share of actions that are uniform over the allowed ones.
            temperature: scales the noise of the choice: above 1 explores, 0 takes the likeliest.
            condition: (n, c) what is wanted of each path.
            start: (n, width) states to begin with, the empty one by default.
            permitted: (A,) bool, actions that may be taken at all.
        """
        where = self._where
        return forward(
            where,
            where.construction.initial(n) if start is None else where.native(start),
            epsilon=epsilon,
            temperature=temperature,
            condition=None if condition is None else where.native(condition),
            permitted=None if permitted is None else where.native(permitted),
        )

    @torch.no_grad()
    def walk_back(self, ends: Tensor, *, condition: Tensor | None = None) -> Walks:
        """Paths to given objects (n, width), drawn by the backward policy."""
        where = self._where
        wanted = None if condition is None else where.native(condition)
        learnt = self.network.backward
        return backward(where, where.native(ends), learnt=learnt, condition=wanted)

    @torch.no_grad()
    def near(self, ends: Tensor, back: int, *, condition: Tensor | None = None) -> Walks:
        """Walks on from states some steps before given objects (n, width): a local search.

        Steps are taken back by the uniform backward policy and anew by the forward policy (Kim et
        al. 2024, arXiv 2310.02710).

        Args:
            ends: terminal states.
            back: steps taken back.
            condition: (n, c) what is wanted of each path.
        """
        where = self._where
        states = where.native(ends)
        for _ in range(back):
            mask = where.construction.parents(states)
            if not mask.any(1).all():
                break
            states = where.construction.undo(states, where.choose(0.0, mask, 0.0, 1.0))
        return self.walk(len(ends), condition=condition, start=where.tensor([states]))

    def evaluate(self, walks: Walks, condition: Tensor | None = None) -> Evaluation:
        """The network's view of all states of some walks, in one pass over the different ones."""
        first, inverse = self._different(walks, condition)
        states = walks.states[first]
        network, a = self.network, self.construction.actions
        parents = walks.parents
        terminal = walks.actions[first] < 0
        mask_b = self.steps.parents(states)
        several = mask_b.sum(1) > 1
        needed = ~terminal | several if network.backward else ~terminal
        if self.flow:
            needed = torch.ones_like(needed)
        place = torch.cumsum(needed, 0) - 1
        wanted = None if condition is None else condition[walks.row[first[needed]]]
        outputs = self.outputs(states[needed], wanted)
        forward = log_softmax(outputs[:, :a], self.steps.allowed(states[needed]))
        at = place[inverse]
        log_pf = forward.flatten().index_select(0, at[parents] * a + walks.actions[parents])
        children = inverse[parents + 1]
        if network.backward:
            kept = place[several]
            mask = mask_b[several]
            learnt = log_softmax(outputs[:, a : 2 * a].index_select(0, kept), mask)
            spot = (torch.cumsum(several, 0) - 1)[children]
            log_pb = torch.zeros_like(log_pf)
            chosen = several[children]
            taken = spot[chosen] * a + walks.actions[parents][chosen]
            log_pb = log_pb.index_put(
                (torch.nonzero(chosen)[:, 0],), learnt.flatten().index_select(0, taken)
            )
            backward = learnt, mask
        else:
            log_pb = -torch.log(mask_b.sum(1).float())[children]
            backward = None
        flow = outputs[:, -1].index_select(0, at) if self.flow else None
        return Evaluation(
            walks, parents, log_pf, log_pb, self.log_partition(condition), flow, backward
        )

    def log_partition(self, condition: Tensor | None = None) -> Tensor:
        """(n,) log Z of each condition, (1,) without one."""
        return self.network.log_partition(condition)

    def forward_flows(self, states: Tensor, condition: Tensor | None = None) -> Tensor:
        """(n, A) logits of the forward policy, which flow matching reads as log flows of edges."""
        outputs = self.outputs(states, condition)[:, : self.construction.actions]
        return outputs.masked_fill(~self.steps.allowed(states), FORBIDDEN)

    def state(self) -> dict[str, Any]:
        """Weights and generator as arrays."""
        weights = {k: v.cpu().numpy().copy() for k, v in self.network.state_dict().items()}
        return {"weights": weights, "generator": self._where.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        weights = {k: torch.as_tensor(v) for k, v in state["weights"].items()}
        self.network.load_state_dict(weights)
        self._where.load(state["generator"])

    def outputs(self, states: Tensor, condition: Tensor | None) -> Tensor:
        """(n, outputs) of the network, before any mask."""
        features = self.steps.features(states)
        if condition is not None:
            features = torch.cat([features, condition], dim=1)
        outputs: Tensor = self.network(features)
        return outputs

    def _different(self, walks: Walks, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Positions of the different states, and which of them each state is."""
        if condition is not None:
            everything = torch.arange(len(walks.states), device=self.device)
            return everything, everything
        hashed = (walks.states * self._factors).sum(1)
        values, inverse = torch.unique(hashed, return_inverse=True)
        first = torch.empty(len(values), dtype=torch.long, device=self.device)
        first[inverse] = torch.arange(len(inverse), device=self.device)
        return first, inverse

"""The balance conditions at work: their losses on walks, and the reward each of them has learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from blackbox.arguments import check_range
from blackbox.gflownets import losses
from blackbox.gflownets.network import FORBIDDEN
from blackbox.gflownets.sampler import Evaluation, Sampler
from blackbox.gflownets.walks import Walks


class Backbone(ABC):
    """A balance condition, and how it is trained.

    Attributes:
        flow: whether the sampler must learn the flow of states.
    """

    flow: ClassVar[bool] = False

    @abstractmethod
    def loss(
        self, sampler: Sampler, walks: Walks, log_reward: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """The loss of n walks to objects of known log reward (n,)."""

    @abstractmethod
    def learnt(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Evaluation | None]:
        """The log rewards (n,) that the condition implies, and its loss without any reward.

        The condition is solved for R(x) at the last step and has to hold on the steps before it
        (Chen and Mauch 2023). Also the evaluation of the walks, where there is one.
        """

    def log_partition(self, sampler: Sampler) -> Tensor:
        """() log Z as learnt: the flow of the empty state."""
        return sampler.log_partition()[0]


@dataclass(frozen=True)
class TrajectoryBalance(Backbone):
    """Balance of whole paths (Malkin et al. 2022, arXiv 2201.13259)."""

    def loss(
        self, sampler: Sampler, walks: Walks, log_reward: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        e = sampler.evaluate(walks, condition)
        ratio = e.summed(e.log_pf - e.log_pb)
        return losses.trajectory_balance(e.log_z, ratio, torch.zeros_like(ratio), log_reward)

    def learnt(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Evaluation | None]:
        e = sampler.evaluate(walks, condition)
        return e.log_z + e.summed(e.log_pf - e.log_pb), e.log_pf.new_zeros(()), e


@dataclass(frozen=True)
class DetailedBalance(Backbone):
    """Balance of single transitions (Bengio et al. 2021, arXiv 2111.09266)."""

    flow = True

    def loss(
        self, sampler: Sampler, walks: Walks, log_reward: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        e = sampler.evaluate(walks, condition)
        flow = _pinned(e, log_reward)
        return losses.detailed_balance(flow[e.parents], e.log_pf, e.log_pb, flow[e.parents + 1])

    def learnt(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Evaluation | None]:
        e = sampler.evaluate(walks, condition)
        assert e.log_flow is not None
        last = walks.actions[e.parents + 1] < 0
        flow = e.log_flow[e.parents]
        inner = ~last
        residual = losses.detailed_balance(
            flow[inner], e.log_pf[inner], e.log_pb[inner], e.log_flow[e.parents + 1][inner]
        )
        learnt = (flow + e.log_pf - e.log_pb)[last]
        return learnt, residual if bool(inner.any()) else flow.new_zeros(()), e

    def log_partition(self, sampler: Sampler) -> Tensor:
        return _empty_outputs(sampler)[-1]


@dataclass(frozen=True)
class SubTrajectoryBalance(Backbone):
    """Balance of all parts of paths (Madan et al. 2023, arXiv 2209.12782).

    Args:
        decay: lambda, the weight of a part of k steps being ``decay ** k``.

    Raises:
        ProblemError: it is no positive number.
    """

    decay: float = 0.9
    flow = True

    def __post_init__(self) -> None:
        check_range("SubTrajectoryBalance: decay", self.decay, 1e-6, 1e6)

    def loss(
        self, sampler: Sampler, walks: Walks, log_reward: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        e = sampler.evaluate(walks, condition)
        return self._balance(e, _pinned(e, log_reward))

    def learnt(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Evaluation | None]:
        e = sampler.evaluate(walks, condition)
        assert e.log_flow is not None
        return e.log_flow[walks.actions < 0], self._balance(e, e.log_flow), e

    def log_partition(self, sampler: Sampler) -> Tensor:
        return _empty_outputs(sampler)[-1]

    def _balance(self, e: Evaluation, flow: Tensor) -> Tensor:
        walks = e.walks
        count = torch.bincount(walks.row, minlength=walks.n)
        begin = torch.cumsum(count, 0) - count
        place = torch.arange(len(walks.row), device=flow.device) - begin[walks.row]
        steps = int(count.max()) - 1

        def table(values: Tensor, at: Tensor, width: int) -> Tensor:
            blank = values.new_zeros(walks.n, width)
            return blank.index_put((walks.row[at], place[at]), values)

        every = torch.arange(len(walks.row), device=flow.device)
        return losses.subtrajectory_balance(
            table(flow, every, steps + 1),
            table(e.log_pf, e.parents, steps),
            table(e.log_pb, e.parents, steps),
            count - 1,
            self.decay,
        )


@dataclass(frozen=True)
class FlowMatching(Backbone):
    """What flows into a state flows out of it (Bengio et al. 2021, arXiv 2106.04399).

    The logits of the forward policy are the log flows of edges; there is no backward policy.
    """

    def loss(
        self, sampler: Sampler, walks: Walks, log_reward: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        inflow, outflow, ended = self._flows(sampler, walks, condition)
        outflow = outflow.index_put((torch.nonzero(ended)[:, 0],), log_reward)
        return losses.flow_matching(inflow, outflow)

    def learnt(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Evaluation | None]:
        inflow, outflow, ended = self._flows(sampler, walks, condition)
        inner = ~ended
        residual = losses.flow_matching(inflow[inner], outflow[inner])
        return inflow[ended], residual if bool(inner.any()) else inflow.new_zeros(()), None

    def log_partition(self, sampler: Sampler) -> Tensor:
        return torch.logsumexp(sampler.forward_flows(sampler.steps.initial(1)), dim=1)[0]

    def _flows(
        self, sampler: Sampler, walks: Walks, condition: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log inflow and outflow of every state behind a step, and which of them are terminal."""
        behind = walks.parents + 1
        states, rows = walks.states[behind], walks.row[behind]
        ended = walks.actions[behind] < 0
        into, actions = torch.nonzero(sampler.steps.parents(states), as_tuple=True)
        before = sampler.steps.undo(states[into], actions)
        wanted = None if condition is None else condition[rows[into]]
        edges = sampler.forward_flows(before, wanted)[torch.arange(len(into)), actions]
        blank = edges.new_full((len(states), sampler.construction.actions), FORBIDDEN)
        inflow = torch.logsumexp(blank.index_put((into, actions), edges), dim=1)
        inner = torch.nonzero(~ended)[:, 0]
        wanted = None if condition is None else condition[rows[inner]]
        flows = torch.logsumexp(sampler.forward_flows(states[inner], wanted), dim=1)
        return inflow, inflow.new_zeros(len(states)).index_put((inner,), flows), ended


def _pinned(e: Evaluation, log_reward: Tensor) -> Tensor:
    """(V,) log flows of all states, those of objects being their rewards."""
    assert e.log_flow is not None
    ends = torch.nonzero(e.walks.actions < 0)[:, 0]
    return e.log_flow.index_put((ends,), log_reward)


def _empty_outputs(sampler: Sampler) -> Tensor:
    """What the network says of the empty state."""
    return sampler.outputs(sampler.steps.initial(1), None)[0]

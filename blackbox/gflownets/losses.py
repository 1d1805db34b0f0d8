"""The balance conditions of GFlowNets as losses: pure functions of log flows and log policies.

Notation: F(s) the flow of a state, P_F and P_B the forward and the backward policy, Z the flow of
the empty state, R(x) the reward of an object; all of them as natural logarithms. Each loss is zero
at flows that satisfy the condition everywhere, and then objects are sampled in proportion to their
rewards (Bengio et al. 2021, arXiv 2106.04399; *GFlowNet Foundations*, arXiv 2111.09266).
"""

from __future__ import annotations

import torch
from torch import Tensor


def trajectory_balance(log_z: Tensor, log_pf: Tensor, log_pb: Tensor, log_reward: Tensor) -> Tensor:
    """Mean over paths of (log Z + log P_F(path) - log P_B(path | x) - log R(x))^2.

    Malkin et al. 2022, arXiv 2201.13259.

    Args:
        log_z: () or (n,).
        log_pf: (n,) sums over each path.
        log_pb: (n,) sums over each path.
        log_reward: (n,) of the objects.
    """
    return (log_z + log_pf - log_pb - log_reward).square().mean()


def detailed_balance(log_flow: Tensor, log_pf: Tensor, log_pb: Tensor, child: Tensor) -> Tensor:
    """Mean of ``(log F(s) + log P_F(s'|s) - log P_B(s|s') - log F(s'))^2`` over transitions.

    Args:
        log_flow: (N,) of the states before.
        log_pf: (N,).
        log_pb: (N,).
        child: (N,) log flows of the states after; log R(x) where they are terminal.
    """
    return (log_flow + log_pf - log_pb - child).square().mean()


def subtrajectory_balance(
    log_flow: Tensor, log_pf: Tensor, log_pb: Tensor, length: Tensor, decay: float
) -> Tensor:
    """Balance of every part of every path, parts of k steps weighted by ``decay ** k``.

    Madan et al. 2023, arXiv 2209.12782. The weights of each path sum to one.

    Args:
        log_flow: (n, T + 1) of the states of each path; log R(x) at its end.
        log_pf: (n, T).
        log_pb: (n, T).
        length: (n,) steps of each path; what lies beyond is ignored.
        decay: lambda, above 0.
    """
    zero = log_pf.new_zeros(len(log_pf), 1)
    ratio = torch.cat([zero, torch.cumsum(log_pf - log_pb, dim=1)], dim=1)
    level = log_flow - ratio
    gaps = level[:, :, None] - level[:, None, :]  # (n, i, j): the part from state i to state j
    place = torch.arange(log_flow.shape[1], device=log_flow.device)
    steps = place[None, :] - place[:, None]
    inside = (steps > 0) & (place[None, None, :] <= length[:, None, None])
    weight = torch.where(inside, decay ** steps.clamp(min=0).to(gaps.dtype), 0.0)
    weight = weight / weight.sum(dim=(1, 2), keepdim=True)
    return (weight * torch.where(inside, gaps, 0.0).square()).sum(dim=(1, 2)).mean()


def flow_matching(inflow: Tensor, outflow: Tensor) -> Tensor:
    """Mean over states of (log inflow - log outflow)^2.

    Args:
        inflow: (N,) log of the sum of the flows of the edges into each state.
        outflow: (N,) log of the sum of the flows out of it; log R(x) where it is terminal.
    """
    return (inflow - outflow).square().mean()


def bradley_terry(better: Tensor, worse: Tensor, label: Tensor | None = None) -> Tensor:
    """Mean of -log P(better is preferred), P = R(better) / (R(better) + R(worse)).

    Args:
        better: (m,) log rewards.
        worse: (m,) log rewards.
        label: (m,) share of 1 that says the first is better, 1/2 for a tie; by default 1.
    """
    gap = better - worse
    wins = torch.nn.functional.softplus(-gap)
    if label is None:
        return wins.mean()
    return (wins + (1 - label) * gap).mean()


def listwise(log_reward: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of labels that sum to one with softmax(log R) over the list.

    Chen and Mauch 2023, arXiv 2310.00386.

    Args:
        log_reward: (n,).
        label: (n,) probabilities.
    """
    return -(label * torch.log_softmax(log_reward, dim=0)).sum()


def uniform_backward(log_pb: Tensor, mask: Tensor) -> Tensor:
    """Mean over states of ``KL(uniform over the parents || P_B)``.

    Args:
        log_pb: (N, A) log backward policies of states that have parents.
        mask: (N, A) the parents.
    """
    count = mask.sum(dim=1).clamp(min=1)
    cross = -torch.where(mask, log_pb, 0.0).sum(dim=1) / count
    return (cross - torch.log(count.to(log_pb.dtype))).mean()

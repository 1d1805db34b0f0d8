"""Orders as labels: which of several objects are better, whatever the numbers are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from blackbox.batch import Array
from blackbox.gflownets.losses import bradley_terry, listwise


def compared(log_reward: Tensor, ranks: Array) -> Tensor:
    """Bradley-Terry loss over all pairs of a batch.

    Args:
        log_reward: (n,) learnt log rewards.
        ranks: (n,) the smaller the better; equal ranks are ties, whose rewards should be equal.
    """
    order = torch.as_tensor(ranks, device=log_reward.device).to(log_reward.dtype)
    label = 0.5 + 0.5 * torch.sign(order[None, :] - order[:, None])
    # Both ways round, which is the same loss, and each object with itself, which is a constant.
    return bradley_terry(log_reward[:, None], log_reward[None, :], label)


def paired(log_reward: Tensor, ranks: Array, rng: np.random.Generator) -> Tensor:
    """Bradley-Terry loss over n random pairs: each object with its image in a permutation.

    Its noise keeps the policy from closing in early, which all pairs do not (measured on tables of
    one objective; for fronts, where most pairs are ties, all pairs are better).

    Args:
        log_reward: (n,) learnt log rewards.
        ranks: (n,) the smaller the better.
        rng: draws the permutation.
    """
    partner = torch.as_tensor(rng.permutation(len(ranks)), device=log_reward.device)
    order = torch.as_tensor(ranks, device=log_reward.device).to(log_reward.dtype)
    label = 0.5 + 0.5 * torch.sign(order[partner] - order)
    return bradley_terry(log_reward, log_reward[partner], label)


def front_labels(front: Array) -> Array:
    """(n,) probabilities: equal shares for the members of a front, as a label of a list."""
    labels: Array = front / max(int(front.sum()), 1)
    return labels


def fronted(log_reward: Tensor, front: Array) -> Tensor:
    """Cross-entropy of the rewards of a batch with its Pareto front (Chen and Mauch 2023).

    Args:
        log_reward: (n,) learnt log rewards.
        front: (n,) bool, the objects that no other one of the batch dominates.
    """
    label = torch.as_tensor(front_labels(front), device=log_reward.device)
    return listwise(log_reward, label.to(log_reward.dtype))


def dense_ranks(values: Array) -> Array:
    """(n,) ranks from 0 for the largest value, equal ones for equal values, without gaps."""
    _, ranks = np.unique(-values, return_inverse=True)
    return ranks.astype(np.int64)

"""Candidates with some parameters given."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.gflownets.network import FORBIDDEN, log_softmax
from blackbox.gflownets.sampler import Sampler
from blackbox.gflownets.walks import Walks

_WALKS, _LEAST = 8, 256


@torch.no_grad()
def completed(
    sampler: Sampler,
    start: Array,
    permitted: Array,
    n: int,
    rng: np.random.Generator,
    condition: Tensor | None = None,
) -> Array:
    """(n, width) objects, drawn as the sampler would draw those that keep to what is given.

    Walks take permitted actions only. A walk that was forced to do what the policy rarely does
    stands for few of the sampler's own; one to an object that seldom comes by way of the state to
    begin with stands for many. So several times n walks are drawn, and n of them are chosen in
    proportion to the probability of all forced choices, divided by that of the same walk back:
    the sampler's own law, as far as its policies are in balance.

    Args:
        sampler: the sampler.
        start: (1, width) state to begin with.
        permitted: (A,) actions that keep to what is given.
        n: number of objects.
        rng: chooses among the walks.
        condition: (1, c) what is wanted, for a sampler that takes it.

    Raises:
        SpaceError: no walk keeps to what is given.
    """
    m = max(_WALKS * n, _LEAST)
    begin = torch.from_numpy(np.repeat(start, m, axis=0)).to(sampler.device)
    mask = torch.from_numpy(permitted).to(sampler.device)
    wanted = None if condition is None else condition.expand(m, -1)
    walks = sampler.walk(m, condition=wanted, start=begin, permitted=mask)
    if not walks.n:
        raise SpaceError("no candidate keeps to what is given; give less, or another order")
    ends: Array = walks.ends.cpu().numpy()
    inner = walks.parents
    states, a = walks.states[inner], sampler.construction.actions
    own = None if condition is None else condition.expand(len(states), -1)
    log_pf = log_softmax(sampler.outputs(states, own)[:, :a], sampler.steps.allowed(states))
    forced = torch.logsumexp(log_pf.masked_fill(~mask, FORBIDDEN), dim=1)
    forced = forced - _held(sampler, walks, begin[:1], own)
    weights = torch.zeros(walks.n, device=sampler.device).index_add(0, walks.row[inner], forced)
    chance = torch.softmax(weights.double(), dim=0).cpu().numpy()
    chosen: Array = ends[rng.choice(walks.n, size=n, p=chance / chance.sum())]
    return chosen


def _held(sampler: Sampler, walks: Walks, start: Tensor, condition: Tensor | None) -> Tensor:
    """(N,) log probability that a step back of each transition takes back nothing given."""
    states, actions = walks.states[walks.parents + 1], walks.actions[walks.parents]
    mask, a = sampler.steps.parents(states), sampler.construction.actions
    logits = torch.zeros(mask.shape, device=sampler.device)
    if sampler.network.backward:
        logits = sampler.outputs(states, condition)[:, a : 2 * a]
    kept = (mask & ~sampler.steps.parents(start)).scatter(1, actions[:, None], True)
    return torch.logsumexp(log_softmax(logits, mask).masked_fill(~kept, FORBIDDEN), dim=1)

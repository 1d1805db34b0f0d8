"""Exact probabilities, where all states can be written out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.gflownets.network import log_softmax
from blackbox.gflownets.sampler import Sampler
from blackbox.space.construction import MOST_STATES, Graph, enumerated, keys

_CHUNK = 16_384


def terminating(
    sampler: Sampler, graph: Graph | None = None, condition: Tensor | None = None
) -> tuple[Array, Array]:
    """The law of what a sampler draws, by dynamic programming over all states.

    Args:
        sampler: the sampler.
        graph: its construction written out, where that has been done already.
        condition: (c,) what is wanted, for a sampler that takes it.

    Returns:
        The terminal states (k, width) and their probabilities (k,), which sum to one where there
        are no dead ends.

    Raises:
        SpaceError: the construction has too many states.
    """
    graph = written(sampler) if graph is None else graph
    log_pf = _edges(sampler, graph, condition)
    reached = np.zeros(len(graph.states))
    reached[0] = 1.0
    for edges in graph.edges:
        child = graph.child[edges]
        if len(child):
            flow = reached[graph.parent[edges]] * np.exp(log_pf[edges])
            first, last = int(child.min()), int(child.max()) + 1
            reached[first:last] += np.bincount(child - first, flow, minlength=last - first)
    return graph.states[graph.terminal], reached[graph.terminal]


def log_probabilities(
    sampler: Sampler, ends: Array, condition: Tensor | None = None, paths: int = 64
) -> Array:
    """(n,) log probability of drawing each terminal state (n, width).

    Exact where an object has one path only, or all states can be written out; elsewhere the mean
    of P_F(path) / P_B(path | x) over some paths drawn by the backward policy, which is unbiased
    for the probability.

    Args:
        sampler: the sampler.
        ends: terminal states.
        condition: (c,) what is wanted, for a sampler that takes it.
        paths: to each object, for an estimate.
    """
    once = torch.from_numpy(ends).to(sampler.device)
    ratio = _ratios(sampler, once, condition)
    if ratio[1]:
        return ratio[0]
    graph = None
    if not sampler.construction.cardinality > MOST_STATES:
        graph = enumerated(sampler.construction)
    if graph is not None:
        states, probability = terminating(sampler, graph, condition)
        hashed = keys(states)
        order = np.argsort(hashed)
        at = order[np.searchsorted(hashed[order], keys(ends))]
        with np.errstate(divide="ignore"):
            found: Array = np.log(probability[at])
        return found
    several = [ratio[0], *(_ratios(sampler, once, condition)[0] for _ in range(paths - 1))]
    made: Array = np.logaddexp.reduce(several, axis=0) - np.log(paths)
    return made


@torch.no_grad()
def _ratios(sampler: Sampler, ends: Tensor, condition: Tensor | None) -> tuple[Array, bool]:
    """(n,) log P_F(path) - log P_B(path | x) of one path each, and whether there are no others."""
    wanted = None if condition is None else condition.expand(len(ends), -1)
    walks = sampler.walk_back(ends, condition=wanted)
    e = sampler.evaluate(walks, wanted)
    ratio: Array = e.summed(e.log_pf - e.log_pb).double().cpu().numpy()
    return ratio, bool((sampler.steps.parents(walks.states).sum(1) <= 1).all())


def written(sampler: Sampler) -> Graph:
    """The construction of a sampler, written out.

    Raises:
        SpaceError: it has too many states.
    """
    graph = enumerated(sampler.construction)
    if graph is None:
        raise SpaceError("the construction has too many states to be written out")
    return graph


@torch.no_grad()
def _edges(sampler: Sampler, graph: Graph, condition: Tensor | None) -> Array:
    """(E,) log P_F of every edge."""
    log_pf = np.empty(len(graph.parent))
    inner = np.flatnonzero(~graph.terminal)
    for chunk in np.array_split(inner, max(1, len(inner) // _CHUNK)):
        states = torch.from_numpy(graph.states[chunk]).to(sampler.device)
        wanted = None if condition is None else condition.expand(len(chunk), -1)
        logits = sampler.outputs(states, wanted)[:, : sampler.construction.actions].double()
        table = log_softmax(logits, sampler.steps.allowed(states)).cpu().numpy()
        edges = slice(*np.searchsorted(graph.parent, [chunk[0], chunk[-1] + 1]))
        # Terminal states have no edges, so those in between leave no gap.
        row = np.searchsorted(chunk, graph.parent[edges])
        log_pf[edges] = table[row, graph.action[edges]]
    return log_pf

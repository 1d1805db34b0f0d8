"""How well many small directed networks fall apart into modules."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_POWER_STEPS = 40
_SWEEPS = 2


def modularity(adjacency: npt.ArrayLike) -> tuple[Floats, Ints]:
    """Modularity Q of n directed networks, and the modules found in each.

    Q = 1/m sum over i, j in the same module of A_ij - k_i^out k_j^in / m (Leicht and Newman,
    *Community structure in directed networks*, 2008), where m is the number of connections.
    Modules are found by splitting along the leading eigenvector (Newman 2006), which power
    iteration finds for all modules of all networks at once, until no split raises Q; then
    single nodes move to another module where that raises it. The best division is not
    guaranteed, so this is a lower bound of the largest Q.

    Args:
        adjacency: (n, v, v) connections from the first node to the second: 0 for none, else 1.

    Returns:
        (n,) Q, from 0 to below 1; 0 without connections. (n, v) number of each node's module.
    """
    links = np.asarray(adjacency, dtype=np.float64)
    n, v, _ = links.shape
    total = np.maximum(links.sum(axis=(1, 2)), 1.0)
    expected = links.sum(axis=2)[:, :, None] * links.sum(axis=1)[:, None, :]
    surplus = links - expected / total[:, None, None]
    surplus = surplus + surplus.transpose(0, 2, 1)
    modules = np.zeros((n, v), dtype=np.int64)
    active = np.arange(n)
    while len(active):
        split, better = _split(surplus[active], modules[active])
        modules[active] = split
        active = active[better]
    _move(surplus, modules)
    together = modules[:, :, None] == modules[:, None, :]
    quality = (surplus * together).sum(axis=(1, 2)) / (2 * total)
    # A division into one module is always there, and its Q is 0.
    return np.maximum(quality, 0.0), modules


def _split(surplus: Floats, modules: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Every module in two where that raises Q; (n,) whether any was."""
    n, v = modules.shape
    inside = (modules[:, :, None] == modules[:, None, :]).astype(np.float64)
    within = surplus * inside
    within[:, np.arange(v), np.arange(v)] -= within.sum(axis=2)
    # Shifted so that the largest eigenvalue is the one of largest size.
    shift = np.abs(within).sum(axis=2).max(axis=1)[:, None]
    # Any start does that is not an eigenvector; multiples of the golden ratio are no pattern.
    vector = np.broadcast_to((np.arange(1, v + 1) * 0.6180339887) % 1 - 0.5, (n, v))
    for _ in range(_POWER_STEPS):
        vector = (within @ vector[:, :, None])[:, :, 0] + shift * vector
        size = np.sqrt((inside @ (vector**2)[:, :, None])[:, :, 0])
        vector = vector / np.maximum(size, 1e-300)
    side = np.where(vector > 0, 1.0, -1.0)
    gain = (inside @ (side * (within @ side[:, :, None])[:, :, 0])[:, :, None])[:, :, 0]
    moved = (gain > 1e-9) & (side > 0)
    # A module whose nodes are all on one side gains nothing.
    return 2 * modules + moved, moved.any(axis=1)


def _move(surplus: Floats, modules: Ints) -> None:
    """Move single nodes, one after another, to the module where they add most to Q."""
    n, v = modules.shape
    for network in range(n):
        modules[network] = np.unique(modules[network], return_inverse=True)[1]
    # As many modules as nodes, so that one can be left for an empty one in every network alike.
    member = (modules[:, :, None] == np.arange(v)).astype(np.float64)
    rows = np.arange(n)
    for _ in range(_SWEEPS):
        for node in range(v):
            # What the node has in common with each module, itself left out.
            pull = surplus[:, node, None, :] @ member
            pull = pull[:, 0, :] - surplus[:, node, node, None] * member[:, node]
            best = pull.argmax(axis=1)
            now = modules[:, node]
            best = np.where(pull[rows, best] > pull[rows, now] + 1e-9, best, now)
            member[rows, node, now] = 0.0
            member[rows, node, best] = 1.0
            modules[:, node] = best

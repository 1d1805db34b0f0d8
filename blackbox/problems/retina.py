"""The retina problem: modular networks, illuminated by their wiring and their modularity."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.formulation import Maximize, Measure, Problem
from blackbox.problems.modularity import modularity
from blackbox.space import Integer, Space

Floats: TypeAlias = npt.NDArray[np.float64]

_LAYERS = (8, 8, 4, 2, 1)
_STARTS = np.cumsum([0, *_LAYERS])
_NODES = int(_STARTS[-1])
_WEIGHTS = sum(a * b for a, b in itertools.pairwise(_LAYERS))
_STEEPNESS = 20.0
# Networks whose activations are in memory together.
_CHUNK = 256


def _patterns() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """(256, 8) pixels, -1 white and 1 black, and (256,) whether both sides show an object."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1

    def shows(outer: Array, inner: Array) -> Array:
        edge, near = outer.sum(axis=1), inner.sum(axis=1)
        seen: Array = (edge + near >= 3) | ((edge >= 1) & (near == 0))
        return seen

    both = shows(bits[:, :2], bits[:, 2:4]) & shows(bits[:, 6:], bits[:, 4:6])
    return (2 * bits - 1).astype(np.float32), both


class Retina(Problem):
    """A network that says whether a retina of 8 pixels shows an object on the left and the right.

    Each side has 2 x 2 pixels, the first two of the left and the last two of the right in the
    outer column. A side shows an object with three or more black pixels, or with one or two in
    its outer column alone (Kashtan and Alon, *Spontaneous evolution of modularity and network
    motifs*, 2005). The network has layers of 8, 8, 4, 2 and 1 nodes with connections from each
    layer to the next, of weight -2, -1, 1 or 2, or 0 where there is none; nodes have biases from
    -2 to 2 and give tanh(20 (sum of weighted inputs + bias)); black is 1 and white -1, and an
    output above 0 says yes (Clune, Mouret and Lipson, *The evolutionary origins of modularity*,
    2013). ``accuracy`` is the share of the 256 patterns answered rightly. This is the first domain
    of Mouret and Clune (2015), whose text leaves some of this open; so values need not be theirs.

    Measures:

    * ``wiring``: the cost of connections, the sum of their squared lengths, with each hidden node
      where it makes that least; inputs lie in a row at 0 with distances of 1, the output above
      its middle at 4.
    * ``modularity``: Q of the directed network, see ``blackbox.problems.modularity``.
    """

    space = Space(
        Integer("weights", -2, 2, size=_WEIGHTS), Integer("biases", -2, 2, size=_NODES - 8)
    )
    objectives = (Maximize("accuracy"),)
    optimum = 1.0
    about = "Network that tells whether a retina of 8 pixels shows an object on both sides"

    def __init__(self) -> None:
        self._pixels, self._answers = _patterns()
        whole = np.ones((1, _WEIGHTS), dtype=np.int64)
        most = float(_wiring(_links(_matrices(whole)))[0])
        self.measures = (Measure("wiring", 0, most), Measure("modularity", 0, 1))
        self.solution: dict[str, Any] = _by_hand()

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Accuracy, cost and modularity of every network."""
        parts = [self._evaluate(batch[i : i + _CHUNK]) for i in range(0, len(batch), _CHUNK)]
        if not parts:
            return {name: np.empty(0) for name in self.outcomes}
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outcomes}

    def _evaluate(self, batch: Batch) -> dict[str, Array]:
        matrices = _matrices(batch["weights"])
        links = _links(matrices)
        return {
            "accuracy": (self._answer(matrices, batch["biases"]) == self._answers).mean(axis=1),
            "wiring": _wiring(links),
            "modularity": modularity(links)[0],
        }

    def _answer(self, matrices: list[Array], biases: Array) -> Array:
        """(n, 256) whether each network says yes to each pattern."""
        signals: Any = np.broadcast_to(self._pixels, (len(biases), *self._pixels.shape))
        parts = np.split(biases, np.cumsum(_LAYERS[1:])[:-1], axis=1)
        for matrix, bias in zip(matrices, parts, strict=True):
            # Single precision: sums of a few numbers of size one, and speed.
            sums = signals @ matrix.astype(np.float32) + bias[:, None, :].astype(np.float32)
            signals = np.tanh(_STEEPNESS * sums)
        yes: Array = signals[:, :, 0] > 0
        return yes


def _matrices(weights: Array) -> list[Array]:
    """For each layer (n, from, to) weights."""
    sizes = list(itertools.pairwise(_LAYERS))
    ends = np.cumsum([a * b for a, b in sizes])[:-1]
    parts = np.split(weights, ends, axis=1)
    return [part.reshape(-1, *size) for part, size in zip(parts, sizes, strict=True)]


def _links(matrices: list[Array]) -> Floats:
    """(n, v, v) which node is connected to which, 0 or 1."""
    links = np.zeros((len(matrices[0]), _NODES, _NODES))
    for layer, matrix in enumerate(matrices):
        sources, targets = (slice(_STARTS[k], _STARTS[k + 1]) for k in (layer, layer + 1))
        links[:, sources, targets] = matrix != 0
    return links


def _wiring(links: Floats) -> Floats:
    """(n,) least sum of squared lengths: hidden nodes lie at the mean of their neighbours."""
    both = links + links.transpose(0, 2, 1)
    hidden = slice(_STARTS[1], _STARTS[4])
    place = np.zeros((len(links), _NODES, 2))
    place[:, :8, 0] = np.arange(8) - 3.5
    place[:, -1, 1] = 4.0
    laplacian = -both[:, hidden, hidden]
    # A trace of the identity, for nodes that nothing ties to an input or the output.
    count = np.arange(laplacian.shape[1])
    laplacian[:, count, count] += both[:, hidden].sum(axis=2) + 1e-9
    place[:, hidden] = np.linalg.solve(laplacian, both[:, hidden] @ place)
    apart = ((place[:, :, None] - place[:, None, :]) ** 2).sum(axis=3)
    lengths: Floats = (links * apart).sum(axis=(1, 2))
    return lengths


def _by_hand() -> dict[str, Any]:
    """A network that answers every pattern rightly.

    With A black pixels in the outer column and "one" for exactly one in the inner column, a side
    shows an object where A - one is at least 1. The first layer has the "or" and the "and" of each
    column, whose sum counts its pixels and whose difference is "one"; the second layer decides for
    each side; the third is the "and" of both.
    """
    first, second = np.zeros((8, 8), dtype=int), np.zeros((8, 4), dtype=int)
    for column in range(4):
        # Sums of two signals of -1 or 1: above -1 is "or", above 1 is "and".
        first[2 * column : 2 * column + 2, 2 * column : 2 * column + 2] = 1
    second[:4, 0] = [1, 1, -1, 1]
    second[4:, 1] = [-1, 1, 1, 1]
    third = np.zeros((4, 2), dtype=int)
    third[:2, 0] = 1
    last = np.array([[1], [0]])
    biases = np.concatenate([[1, -1] * 4, [1, 1, 0, 0], [-1, 0], [0]])
    parts = (first, second, third, last)
    return {"weights": np.concatenate([p.ravel() for p in parts]), "biases": biases}

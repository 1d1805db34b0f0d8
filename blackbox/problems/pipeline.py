"""A mixed problem of quality diversity whose best map can be enumerated."""

from __future__ import annotations

import itertools

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Maximize, Measure, Problem
from blackbox.space import Categorical, Integer, Permutation, Real, Space

_STEPS = ("clean", "scale", "select")
_SECONDS = np.array([3.0, 2.0, 1.0])
_KEPT = 0.3  # share of the columns that `select` leaves to the steps after it


class Pipeline(Problem):
    """A caricature of a learning pipeline: an order of steps, a model, its depth, its strength.

    Accuracy rises with depth up to each model's own ceiling, falls with the squared distance of
    log10 strength from what model and depth want, and with every step taken too early, which
    matters more to some models than to others. Selecting columns early saves time and costs
    accuracy. Measures are the ``seconds`` a run takes and the model's ``size``, log10 of kB.

    Neither measure depends on the strength, so the best map of any resolution is that of the 144
    rows of ``elites``, and can be compared cell by cell.
    """

    space = Space(
        Permutation("order", _STEPS),
        Categorical("model", ["linear", "forest", "network"]),
        Integer("depth", 1, 8),
        Real("strength", 1e-4, 1, log=True),
    )
    objectives = (Maximize("accuracy"),)
    measures = (Measure("seconds", 0, 16), Measure("size", 0, 3))
    about = "Accuracy of a learning pipeline by its steps, model, depth and regularisation"

    _model = np.array(["linear", "forest", "network"])
    _ceiling = np.array([0.80, 0.90, 0.95])
    _rise = np.array([1.0, 2.0, 4.0])  # depth at which a model has gained most of what it can
    _wanted = np.array([-3.0, -2.0, -2.5])  # log10 strength at depth 0
    _pace = np.array([0.2, 0.5, 1.2])  # seconds for each unit of depth
    _hurt = np.array([[0.04, 0.05, 0.03], [0.0, 0.06, 0.0], [0.05, 0.02, 0.06]])

    def __init__(self) -> None:
        rows = self.elites()
        accuracy = self.evaluate_batch(rows)["accuracy"]
        self.optimum = float(accuracy.max())
        self.solution = rows[int(accuracy.argmax())]

    def elites(self) -> Batch:
        """Every order, model and depth at its best strength, 144 rows."""
        orders = list(itertools.permutations(_STEPS))
        table = list(itertools.product(orders, self._model.tolist(), range(1, 9)))
        depth = np.array([depth for _, _, depth in table])
        model = np.array([model for _, model, _ in table])
        return Batch(
            {
                "order": np.array([order for order, _, _ in table]),
                "model": model,
                "depth": depth,
                "strength": 10 ** self._best_strength(self._which(model), depth),
            }
        )

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Accuracy, seconds and size of every row."""
        which, depth = self._which(batch["model"]), batch["depth"]
        off = np.log10(batch["strength"]) - self._best_strength(which, depth)
        # (n, 3) place of each step in the order.
        place = np.stack([(batch["order"] == step).argmax(axis=1) for step in _STEPS], axis=1)
        early = place[:, [1, 2, 2]] < place[:, [0, 0, 1]]
        accuracy = self._ceiling[which] - 0.3 * np.exp(-depth / self._rise[which])
        width = np.where(place > place[:, 2:], _KEPT, 1.0)
        size = np.stack([5.0 * depth, 2.0**depth, 40.0 * depth])
        return {
            "accuracy": accuracy - 0.02 * off**2 - (early * self._hurt[which]).sum(axis=1),
            "seconds": width @ _SECONDS + self._pace[which] * depth,
            "size": np.log10(size[which, np.arange(len(batch))]),
        }

    def _which(self, model: Array) -> Array:
        which: Array = (model[:, None] == self._model).argmax(axis=1)
        return which

    def _best_strength(self, which: Array, depth: Array) -> Array:
        """(n,) log10 of the strength that suits model and depth: the deeper, the more."""
        best: Array = self._wanted[which] + 0.25 * depth
        return best

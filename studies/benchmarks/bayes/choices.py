"""Mixed and categorical problems after MCBO (Dreczkowski et al. 2023), and published tables."""

from __future__ import annotations

import csv
import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes import data


class _Levels(bb.Problem):
    """A function of numbers of which the first ``k`` are names for places in a hidden order.

    Args:
        base: a ready-made problem of one vector ``x``.
        places: (p,) where on the axis the names stand; their order is drawn for each parameter.
        k: how many coordinates are names.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, base: Any, places: npt.NDArray[np.float64], k: int) -> None:
        x = base.space["x"]
        rng = np.random.default_rng(2)
        self._base, self._k = base, k
        names = [chr(ord("a") + i) for i in range(len(places))]
        self._places = [dict(zip(names, rng.permutation(places), strict=True)) for _ in range(k)]
        named = [bb.Categorical(f"c{i}", names) for i in range(k)]
        # The optimum of the rest is off the centre of its box, as in the regret suite.
        self._shift = rng.uniform(0.1, 0.3, x.width - k) * (x.high - x.low)
        self.space = bb.Space(*named, bb.Real("x", x.low, x.high, size=x.width - k))

    @property
    def name(self) -> str:
        return f"mixed {self._base.name}"

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        columns = [
            np.array([places[name] for name in batch[f"c{i}"].tolist()])
            for i, places in enumerate(self._places)
        ]
        x = np.column_stack([*columns, batch["x"] - self._shift])
        values: dict[str, Array] = self._base.evaluate_batch(Batch({"x": x}))
        return values


class MixedAckley(_Levels):
    """Ackley in ten coordinates, five of them names for 5 places, one of which is the best."""

    def __init__(self) -> None:
        super().__init__(bb.problems.Ackley(10), np.linspace(-32, 32, 5), 5)


class MixedRosenbrock(_Levels):
    """Rosenbrock in six coordinates, three of them names for the places -3 to 3."""

    def __init__(self) -> None:
        super().__init__(bb.problems.Rosenbrock(6), np.linspace(-3, 3, 7), 3)


class PestControl(bb.Problem):
    """A pest on its way through 25 stations, four pesticides or none at each (Oh et al. 2019).

    Pests become tolerant of a pesticide that is used often, and prices fall with the amount. The
    100 simulated summers are the same for every row.
    """

    stages, threshold, simulations = 25, 0.1, 100
    space = bb.Space(*(bb.Categorical(f"s{i}", ["none", *"abcd"]) for i in range(stages)))
    objectives = (bb.Minimize("price"),)
    _names = ("none", "a", "b", "c", "d")
    _price = np.array([0.0, 1.0, 0.8, 0.7, 0.5])
    _discount = np.array([0.0, 0.2, 0.3, 0.3, 0.0])
    _tolerance = np.array([0.0, 1.0, 2.5, 2.0, 0.5]) / 7
    _beta = np.array([1.0, 2.0, 3.0, 3.0, 5.0]) / 7

    def evaluate(self, p: dict[str, Any]) -> float:
        """Price paid, plus the mean number of stations above the threshold."""
        rng = np.random.default_rng(0)
        choices = np.array([self._names.index(p[name]) for name in self.space.names])
        beta, cost = self._beta.copy(), 0.0
        pests = rng.beta(1.0, 30.0, self.simulations)
        for choice in choices:
            spread = rng.beta(1.0, 17 / 3, self.simulations)
            cost += float(np.mean(pests > self.threshold))
            if choice == 0:
                pests = spread * (1 - pests) + pests
                continue
            pests = (1 - rng.beta(1.0, beta[choice], self.simulations)) * pests
            beta[choice] += self._tolerance[choice] / self.stages
            used = np.sum(choices == choice) / self.stages
            cost += float(self._price[choice] * (1 - self._discount[choice] * used))
        return cost


class Network(bb.Problem):
    """A row of HPOLib's table of 62 208 small networks on protein structure (Klein et al. 2019).

    Validation loss, the mean of four training runs.
    """

    objectives = (bb.Minimize("loss"),)

    def __init__(self) -> None:
        folder = ("llm", "hpobench")
        spaces = json.loads(data.path(*folder, "search_spaces.json").read_text())
        self._options: dict[str, list[Any]] = spaces["hpolib"]
        self.space = bb.Space(*(_choice(name, found) for name, found in self._options.items()))
        with np.load(data.path(*folder, "hpolib_protein_structure.npz")) as table:
            losses = table["val_loss"].mean(axis=1, dtype=np.float64)
            self._losses = dict(zip(table["key"].tolist(), losses.tolist(), strict=True))

    def evaluate(self, p: dict[str, Any]) -> float:
        """The loss of a row."""
        return float(self._losses["".join(str(o.index(p[n])) for n, o in self._options.items())])


def _choice(name: str, options: list[Any]) -> bb.Ordinal | bb.Categorical:
    """Numbers have an order, names have none."""
    if all(isinstance(option, int | float) for option in options):
        return bb.Ordinal(name, sorted(options))
    return bb.Categorical(name, options)


#: Of each reaction table the outcome; all are percentages or products of such, maximized.
REACTIONS = {
    "Buchwald_Hartwig": "yield",
    "Suzuki_Doyle": "yield",
    "Reductive_Amination": "percent_conversion",
    "Chan_Lam_Selectivity": "weighted_selectivity",
    "amide_coupling_hte": "yield",
}


class Reaction(bb.Problem):
    """A screen of reaction conditions, measured in the laboratory; the mean of replicates.

    Args:
        table: a key of ``REACTIONS``.
    """

    def __init__(self, table: str) -> None:
        self._table, outcome = table, REACTIONS[table]
        self.objectives = (bb.Maximize("outcome"),)
        self._yields, options = _screen(table, outcome)
        self.space = bb.Space(*(_choice(name, found) for name, found in options.items()))

    @property
    def name(self) -> str:
        return self._table

    def evaluate(self, p: dict[str, Any]) -> float:
        """The outcome of a row; NaN, a failure, for the few conditions that were not run."""
        return self._yields.get(tuple(p[name] for name in self.space.names), float("nan"))


@cache
def _screen(table: str, outcome: str) -> tuple[dict[tuple[Any, ...], float], dict[str, list[Any]]]:
    """Mean outcome by conditions, and the options of each parameter."""
    file = data.path("llm", "reactions", f"{table}.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [{k: _number(v) for k, v in row.items()} for row in csv.DictReader(lines)]
    names = [name for name in rows[0] if name != outcome]
    measured: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        measured.setdefault(tuple(row[name] for name in names), []).append(row[outcome])
    options = {name: sorted({row[name] for row in rows}) for name in names}
    return {key: float(np.mean(values)) for key, values in measured.items()}, options


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text

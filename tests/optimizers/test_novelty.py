"""Novelty search and dominated novelty conform, and explore."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import GridArchive
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.testing import Check, checks
from tests.optimizers.spaces import measured

MAKES: dict[str, Callable[[bb.Problem, int | None], bb.Optimizer]] = {
    "novelty": lambda p, s: bb.NoveltySearch(p, population_size=8, batch_size=6, n_init=4, seed=s),
    "competition": lambda p, s: bb.NoveltySearch(
        p, competition=True, population_size=8, batch_size=6, n_init=4, seed=s
    ),
    "dominated": lambda p, s: bb.DominatedNovelty(p, capacity=8, batch_size=6, n_init=4, seed=s),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check}")
        for name, make in MAKES.items()
        for check in checks(make, budget=14, problems=measured())
    ],
)
def test_conformance(check: Check) -> None:
    check()


def corridor(b: bb.Batch) -> dict[str, np.ndarray]:
    """A place in a long corridor; the objective is best far from where the search begins."""
    place = b["x"].sum(axis=1)
    return {"f": -np.abs(place - 40), "m": place, "n": b["x"][:, 0] - b["x"][:, 1]}


PROBLEM = bb.problem(
    corridor,
    bb.Space(bb.Real("x", -10, 10, size=6)),
    bb.Maximize("f"),
    batch=True,
    measures=[bb.Measure("m", -60, 60), bb.Measure("n", -20, 20)],
)


def found(optimizer: bb.Optimizer, rows: int = 3000) -> GridArchive:
    """Everything told, in a grid for comparison."""
    grid = GridArchive(PROBLEM, (24, 16))
    told = 0
    while told < rows:
        batch = optimizer.ask()
        batch = batch.with_columns(**corridor(batch))
        optimizer.tell(batch)
        grid.add(batch)
        told += len(batch)
    return grid


@pytest.mark.parametrize("name", ["novelty", "competition", "dominated"])
def test_it_reaches_more_than_random_search(name: str) -> None:
    options = {"batch_size": 100, "variation": Variation(iso=0.05, line=0.5), "seed": 1}
    made: bb.Optimizer = {
        "novelty": lambda: bb.NoveltySearch(PROBLEM, **options),
        "competition": lambda: bb.NoveltySearch(PROBLEM, competition=True, **options),
        "dominated": lambda: bb.DominatedNovelty(PROBLEM, capacity=300, **options),
    }[name]()
    random = found(bb.Random(PROBLEM, seed=1), 0)
    drawn = bb.Random(PROBLEM, seed=1).ask(3000)
    random.add(drawn.with_columns(**corridor(drawn)))
    reached = found(made)
    assert reached.coverage > 1.3 * random.coverage
    assert np.ptp(reached.measures[:, 0]) > 1.2 * np.ptp(random.measures[:, 0])


def test_the_population_is_the_most_novel() -> None:
    optimizer = bb.NoveltySearch(PROBLEM, population_size=20, batch_size=50, neighbours=3, seed=0)
    found(optimizer, 600)
    population = optimizer._population
    assert len(population) == 20
    points = optimizer.archive.measures
    span = population.high - population.low
    away = np.linalg.norm((population.measures[:, None] - points) / span, axis=2)
    typical = np.linalg.norm((points[:, None] - points) / span, axis=2)
    novelty, usual = (np.sort(d, axis=1)[:, 1:4].mean(axis=1) for d in (away, typical))
    assert np.median(novelty) > np.quantile(usual, 0.7)


def test_local_competition_keeps_rows_that_beat_their_neighbours() -> None:
    """Quality that the measures do not show: only competition can see it."""

    def hidden(b: bb.Batch) -> dict[str, np.ndarray]:
        return {"f": -np.abs(b["y"]), "m": b["x"]}

    problem = bb.problem(
        hidden,
        bb.Space(bb.Real("x", 0, 1), bb.Real("y", -1, 1)),
        bb.Maximize("f"),
        batch=True,
        measures=[bb.Measure("m", 0, 1)],
    )

    def quality(competition: bool) -> float:
        optimizer = bb.NoveltySearch(problem, competition=competition, batch_size=20, seed=0)
        for _ in range(50):
            batch = optimizer.ask()
            optimizer.tell(batch.with_columns(**hidden(batch)))
        return float(optimizer._population.scores.mean())

    assert quality(False) < -0.2
    assert quality(True) > -0.1


def test_bad_arguments_are_refused() -> None:
    for kind in (bb.NoveltySearch, bb.DominatedNovelty):
        with pytest.raises(UnsupportedError, match="no measures; declare some"):
            kind(bb.problem(lambda p: 0.0, PROBLEM.space))
        with pytest.raises(ProblemError, match="batch_size=0 must be an int of at least 1"):
            kind(PROBLEM, batch_size=0)
        with pytest.raises(ProblemError, match="neighbours='x' must be an int of at least 1"):
            kind(PROBLEM, neighbours="x")
    with pytest.raises(ProblemError, match="capacity=0 must be an int of at least 1"):
        bb.DominatedNovelty(PROBLEM, capacity=0)
    for size in (-1, None, True, 1.5, 10**400):
        with pytest.raises(ProblemError, match=f"NoveltySearch: population_size={size}"):
            bb.NoveltySearch(PROBLEM, population_size=size)  # type: ignore[arg-type]
    for competition in (None, "x", 1, []):
        with pytest.raises(ProblemError, match="must be True or False"):
            bb.NoveltySearch(PROBLEM, competition=competition)  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [1, 2, 15])
def test_novelty_counts_each_other_row_once(k: int) -> None:
    """Rows are in the memory and in the population, and no row is a neighbour of its own."""
    optimizer = bb.NoveltySearch(PROBLEM, neighbours=k, seed=0)
    m = np.concatenate([np.linspace(-60, 60, 11), [-59.9, 0.1, 12.1]])
    rows = PROBLEM.space.draw(len(m), np.random.default_rng(0)).with_columns(f=0.0, m=m, n=0.0)
    rows = rows.with_columns(id=np.arange(len(m)))
    optimizer.archive.add(rows)
    worth = optimizer._population.add(rows).gain
    away = np.sort(np.abs(m[:, None] - m) / 120, axis=1)[:, 1 : k + 1]
    np.testing.assert_allclose(worth, away.mean(axis=1))


def test_a_row_alone_is_no_trouble() -> None:
    optimizer = bb.NoveltySearch(PROBLEM, competition=True, seed=0)
    row = PROBLEM.space.draw(1, np.random.default_rng(0))
    optimizer.tell(row.with_columns(**corridor(row)))
    assert len(optimizer._population) == 1

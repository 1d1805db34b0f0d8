"""The retina problem, its wiring and modularity by hand and by brute force; the walker."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from blackbox import problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.problems.modularity import modularity


def partitions(v):
    """Every division of v nodes into modules, as module numbers."""
    found = [[0]]
    for _ in range(v - 1):
        found = [[*p, k] for p in found for k in range(max(p) + 2)]
    return np.array(found)


def quality(links, modules):
    """Q of Leicht and Newman by its definition, one pair of nodes after another."""
    m = links.sum()
    total = 0.0
    for i in range(len(links)):
        for j in range(len(links)):
            if modules[i] == modules[j]:
                total += links[i, j] - links[i].sum() * links[:, j].sum() / m
    return total / m


def test_modularity_of_two_cycles_in_closed_form():
    # k separate equal modules with all connections inside: Q = 1 - 1/k.
    for k, size in ((2, 4), (3, 3), (5, 3)):
        links = np.kron(np.eye(k), np.roll(np.eye(size), 1, axis=1))
        q, modules = modularity(links[None])
        assert q[0] == pytest.approx(1 - 1 / k)
        blocks = modules[0].reshape(k, size)
        assert (blocks == blocks[:, :1]).all()
        assert len(np.unique(blocks)) == k


def test_modularity_is_near_the_best_division_and_never_above_it():
    rng = np.random.default_rng(0)
    links = (rng.random((40, 7, 7)) < rng.uniform(0.1, 0.6, (40, 1, 1))).astype(float)
    links *= 1 - np.eye(7)
    q, modules = modularity(links)
    every = partitions(7)
    same = every[:, :, None] == every[:, None, :]
    for i in range(40):
        assert q[i] == pytest.approx(max(quality(links[i], modules[i]), 0), abs=1e-12)
        m = links[i].sum()
        surplus = links[i] - np.outer(links[i].sum(axis=1), links[i].sum(axis=0)) / m
        best = (same * surplus).sum(axis=(1, 2)).max() / m
        assert q[i] <= best + 1e-12
        assert q[i] > best - 0.1
    assert modularity(np.zeros((2, 5, 5)))[0].tolist() == [0, 0]


def test_modularity_does_not_depend_on_what_else_is_in_the_batch():
    rng = np.random.default_rng(1)
    links = (rng.random((200, 12, 12)) < rng.uniform(0.05, 0.5, (200, 1, 1))).astype(float)
    whole = modularity(links)[0]
    alone = [modularity(one[None])[0][0] for one in links]
    np.testing.assert_array_equal(whole, alone)


def test_retina_by_a_network_that_knows_the_answer():
    problem = problems.Retina()
    problem.check()
    solution = problem.space.check(Batch({k: np.array([v]) for k, v in problem.solution.items()}))
    found = problem.measure(solution)
    assert found["accuracy"][0] == problem.optimum == 1
    assert found["modularity"][0] > 0.5  # one module a side


def test_retina_patterns():
    """8 of 16 patterns of a side show an object; both sides do in 64 of 256."""
    problem = problems.Retina()
    silent = Batch({"weights": np.zeros((2, 106), int), "biases": np.zeros((2, 15), int)})
    silent = silent.with_columns(biases=np.array([[0] * 15, [0] * 14 + [1]]))
    found = problem.measure(silent)
    # Without connections the answer is always no, or with a bias always yes.
    np.testing.assert_allclose(found["accuracy"], [192 / 256, 64 / 256])
    np.testing.assert_allclose(found["wiring"], 0)
    np.testing.assert_allclose(found["modularity"], 0)


def test_retina_answers_as_a_network_computed_node_by_node():
    problem = problems.Retina()
    row = problem.space.draw(1, np.random.default_rng(3))
    weights, biases = list(row["weights"][0]), list(row["biases"][0])
    right = 0
    for pattern in range(256):
        bits = [(pattern >> k) & 1 for k in range(8)]
        signals = [2.0 * bit - 1 for bit in bits]
        w, b = iter(weights), iter(biases)
        for size in (8, 4, 2, 1):
            table = [[next(w) for _ in range(size)] for _ in signals]
            sums = [
                sum(s * line[j] for s, line in zip(signals, table, strict=True))
                for j in range(size)
            ]
            signals = [np.tanh(20 * (total + next(b))) for total in sums]
        sides = (bits[:2], bits[2:4]), (bits[6:], bits[4:6])
        both = all(
            sum(outer) + sum(inner) >= 3 or (sum(outer) >= 1 and not sum(inner))
            for outer, inner in sides
        )
        right += (signals[0] > 0) == both
    assert problem.measure(row)["accuracy"][0] == right / 256


def test_wiring_of_one_path_in_closed_form():
    # Input at (-0.5, 0) to the output at (0, 4) over three nodes: four equal parts.
    problem = problems.Retina()
    first, second, third, last = (np.zeros(s, int) for s in ((8, 8), (8, 4), (4, 2), (2, 1)))
    first[3, 0] = second[0, 0] = third[0, 0] = last[0, 0] = 1
    loose = np.concatenate([p.ravel() for p in (first, second, third, np.zeros((2, 1), int))])
    path = np.concatenate([p.ravel() for p in (first, second, third, last)])
    rows = Batch({"weights": np.stack([path, loose]), "biases": np.zeros((2, 15), int)})
    # A path that does not reach the output can shrink to nothing.
    np.testing.assert_allclose(problem.measure(rows)["wiring"], [(0.25 + 16) / 4, 0], atol=1e-6)


def test_more_connections_never_cost_less():
    problem = problems.Retina()
    rng = np.random.default_rng(0)
    weights = rng.integers(-2, 3, (30, 106))
    more = np.where(rng.random(weights.shape) < 0.1, 1, weights)
    biases = np.zeros((30, 15), int)
    less, greater = (
        problem.measure(Batch({"weights": w, "biases": biases})) for w in (weights, more)
    )
    assert (greater["wiring"] >= less["wiring"] - 1e-9).all()
    assert (greater["wiring"] <= problem.measures[0].high + 1e-9).all()


WALK = """
import numpy as np
from blackbox import problems
walker = problems.Walker(steps=60)
walker.check()
rows = walker.space.draw(3, np.random.default_rng(0))
found, again = walker.measure(rows), walker.measure(rows[[2, 0]])
for name, values in found.items():
    assert np.isfinite(values).all(), name
    assert (again[name] == values[[2, 0]]).all(), name
for name in ("first_leg", "second_leg"):
    assert ((found[name] >= 0) & (found[name] <= 1)).all()
other = problems.Walker(steps=60, terrain=7).measure(rows)
assert len(set(found["reward"])) == 3 and (other["reward"] != found["reward"]).any()
"""


def missing(*modules):
    return [name for name in modules if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(
    bool(missing("gymnasium", "Box2D", "pygame")), reason="needs gymnasium, Box2D and pygame"
)
def test_walker_is_the_same_whenever_it_walks():
    # In a process of its own: Box2D ends the process where warnings are errors.
    subprocess.run([sys.executable, "-c", WALK], check=True)


def test_walker_of_wrong_length():
    for steps in (0, 1601):
        with pytest.raises(ProblemError, match=f"steps={steps}"):
            problems.Walker(steps)
    with pytest.raises(ProblemError, match="terrain=-1"):
        problems.Walker(5, terrain=-1)

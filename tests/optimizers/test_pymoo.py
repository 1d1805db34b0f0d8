"""pymoo behind ask and tell: whole generations in, pieces out, and the rows are pymoo's own."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.soo.nonconvex.cmaes import CMAES
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.core.population import Population
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.termination import NoTermination
from pymoo.util.ref_dirs import get_reference_directions

import blackbox as bb
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.metrics import hypervolume
from blackbox.optimizers.pymoo import _operators
from blackbox.state import pack, unpack

SPACE = bb.Space(bb.Real("x", -5, 5, size=3), bb.Real("lr", 1e-4, 1, log=True))
MIXED = bb.Space(
    bb.Real("lr", 1e-5, 1, log=True),
    bb.Integer("n", 1, 20, log=True),
    bb.Ordinal("depth", [2, 4, 8]),
    bb.Categorical("act", ["relu", None, 3]),
    bb.Simplex("mix", ["web", "code", "books"]),
    bb.Permutation("order", 4),
    bb.Sequence("word", "ACGT", (0, 5)),
)


def bowl(b):
    return {"y": (b["x"] ** 2).sum(1) + np.log10(b["lr"] / 1e-2) ** 2}


def front(b):
    return {
        "f": b["x"][:, 0],
        "g": -(1 + 3 * b["x"][:, 1:].sum(1)) * (1 - np.sqrt(b["x"][:, 0] / 2)),
    }


def spheres(b):
    return {k: ((b["x"] - i) ** 2).sum(1) + 0 * b["lr"] for i, k in enumerate("fgh")}


def mixed(p):
    miss = (p["act"] != 3) + (p["depth"] - 4) ** 2 / 4 + abs(p["n"] - 5) / 5
    return miss + 2 * float(p["mix"][1]) + len(p["word"]) / 2 + abs(np.log10(p["lr"]) + 2)


BOWL = bb.problem(bowl, SPACE, batch=True)
ASCENT = bb.problem(lambda b: {"y": -bowl(b)["y"]}, SPACE, bb.Maximize("y"), batch=True)
FRONT = bb.problem(
    front,
    bb.Space(bb.Real("x", 0, 1, size=6)),
    [bb.Minimize("f"), bb.Maximize("g")],
    batch=True,
)
SPHERES = bb.problem(spheres, SPACE, [bb.Minimize(k) for k in "fgh"], batch=True)
LIMITED = bb.problem(
    lambda b: {"y": -b["u"] - b["v"], "c": b["u"] ** 2 + b["v"] ** 2, "d": b["u"]},
    bb.Space(bb.Real("u", 0, 4), bb.Real("v", 0, 4)),
    constraints=[bb.Constraint("c", upper=1.0), bb.Constraint("d", lower=0.2, upper=0.6)],
    batch=True,
)
LIMITED_FRONT = bb.problem(
    lambda b: {"f": b["u"], "g": b["v"], "c": b["u"] * b["v"]},
    LIMITED.space,
    [bb.Minimize("f"), bb.Minimize("g")],
    constraints=[bb.Constraint("c", lower=8.0)],
    batch=True,
)
MIX = bb.problem(mixed, MIXED)

SMALL = {
    "NSGA2": {"population_size": 12},
    "NSGA3": {"partitions": 3},
    "MOEAD": {"partitions": 3, "n_neighbors": 4},
    "CMAES": {"population_size": 6, "n_sample_points": 8},
    "DE": {"population_size": 12},
}


def measured(problem, batch):
    return batch.with_columns(**problem.measure(batch))


def loop(optimizer, least, n=None):
    """At least so many rows, told in the order in which they were asked."""
    rows = []
    while sum(map(len, rows)) < least:
        rows.append(measured(optimizer.problem, optimizer.ask(n)))
        optimizer.tell(rows[-1])
    return bb.Batch.concat(rows)[:least]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (bb.pymoo.DE, {"population_size": 20}),
        (bb.pymoo.CMAES, {}),
        (bb.pymoo.NSGA2, SMALL["NSGA2"]),
    ],
)
@pytest.mark.parametrize("problem", [BOWL, ASCENT], ids=["minimize", "maximize"])
def test_comes_far_closer_to_the_optimum_than_chance(make, options, problem):
    found = [-problem.scores(loop(make(problem, seed=s, **options), 400)).max() for s in range(5)]
    chance = [-problem.scores(loop(bb.Random(problem, seed=s), 400, 400)).max() for s in range(20)]
    assert np.median(found) < np.median(chance) / 10


@pytest.mark.parametrize("name", ["NSGA2", "NSGA3", "MOEAD"])
def test_front_covers_more_than_chance(name):
    options = {"population_size": 30} if name == "NSGA2" else {"partitions": 29}
    make, reference = getattr(bb.pymoo, name), [-1.0, -16.0]
    volumes = [
        hypervolume(FRONT.scores(loop(make(FRONT, seed=s, **options), 600)), reference)
        for s in range(2)
    ]
    chance = [
        hypervolume(FRONT.scores(loop(bb.Random(FRONT, seed=s), 600, 600)), reference)
        for s in range(10)
    ]
    assert min(volumes) > max(chance)


class Cube(PymooProblem):
    """A problem as a user of pymoo would write it, on the unit cube, minimized."""

    def __init__(self, problem):
        self.inner = problem
        super().__init__(
            n_var=problem.space.width,
            n_obj=len(problem.objectives),
            n_ieq_constr=len(problem.constraints),
            xl=0.0,
            xu=1.0,
        )

    def _evaluate(self, points, out, *args, **kwargs):
        rows = measured(self.inner, self.inner.space.decode(points))
        out["F"] = -self.inner.scores(rows)
        if self.inner.constraints:
            out["G"] = np.column_stack(
                [
                    np.maximum(c.lower - rows[c.name], rows[c.name] - c.upper)
                    for c in self.inner.constraints
                ]
            )


def direct(algorithm, problem, least):
    """The points that pymoo itself evaluates, without this package in between."""
    cube, points = Cube(problem), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        algorithm.setup(cube, termination=NoTermination())
        while sum(map(len, points)) < least:
            asked = algorithm.ask()
            rows = asked if isinstance(asked, Population) else Population.create(asked)
            algorithm.evaluator.eval(cube, rows)
            points.append(rows.get("X"))
            algorithm.tell(infills=asked)
    return np.concatenate(points)[:least]


def ten():
    return get_reference_directions("das-dennis", 3, n_partitions=3)


@pytest.mark.parametrize(
    ("name", "problem", "algorithm"),
    [
        ("NSGA2", FRONT, lambda: NSGA2(pop_size=12, seed=5)),
        ("NSGA2", LIMITED_FRONT, lambda: NSGA2(pop_size=12, seed=5)),
        ("NSGA3", SPHERES, lambda: NSGA3(ten(), seed=5)),
        ("MOEAD", SPHERES, lambda: MOEAD(ten(), n_neighbors=4, seed=5)),
        ("DE", BOWL, lambda: DE(pop_size=12, CR=0.2, F=0.5, seed=5)),
        ("DE", LIMITED, lambda: DE(pop_size=12, CR=0.2, F=0.5, seed=5)),
    ],
)
def test_told_in_order_the_rows_are_pymoos_own(name, problem, algorithm):
    points = direct(algorithm(), problem, 150)
    rows = loop(getattr(bb.pymoo, name)(problem, seed=5, **SMALL[name]), 150)
    expected = problem.space.decode(points)
    assert rows.select(problem.space.names) == expected


def test_cma_draws_pycmas_numbers_and_leaves_the_global_generator_alone():
    def algorithm():
        made = CMAES(pop_size=6, seed=5)
        made.n_sample_points = 8
        return made

    kept = np.random.get_state()  # noqa: NPY002 - pymoo seeds it, which is what is tested
    try:
        points = direct(algorithm(), BOWL, 120)
        used = np.random.get_state()[2]  # noqa: NPY002
        rows = loop(bb.pymoo.CMAES(BOWL, seed=5, **SMALL["CMAES"]), 120)
        assert np.random.get_state()[2] == used  # noqa: NPY002
    finally:
        np.random.set_state(kept)  # noqa: NPY002
    assert rows.select(SPACE.names) == SPACE.decode(points)


@pytest.mark.parametrize("name", bb.pymoo.__all__)
@pytest.mark.parametrize("seed", [0, 3])
def test_global_generators_are_neither_used_nor_disturbed(name, seed):
    problem = BOWL if name in ("CMAES", "DE") else SPHERES
    runs = []
    kept = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        for other in (1, 2):
            np.random.seed(other)  # noqa: NPY002
            random.seed(other)
            before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
            runs.append(loop(getattr(bb.pymoo, name)(problem, seed=seed, **SMALL[name]), 60))
            assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
            assert random.getstate() == before[1]
    finally:
        np.random.set_state(kept[0])  # noqa: NPY002
        random.setstate(kept[1])
    assert runs[0] == runs[1]


def test_a_failed_row_is_the_worst_of_values_of_any_size():
    # Terraces, on the ground and 1e20 above it: the order is the same.
    def rows_on(height):
        optimizer = bb.pymoo.CMAES(BOWL, seed=2, **SMALL["CMAES"])
        asked = []
        for _ in range(12):
            asked.append(optimizer.ask())
            y = np.where(bowl(asked[-1])["y"] > 9, 2.0**20, 0.0) + height
            y[asked[-1]["x"][:, 0] > 1] = np.nan
            optimizer.tell(asked[-1].with_columns(y=y))
        return bb.Batch.concat(asked)

    assert rows_on(0.0) == rows_on(2.0**67)


@pytest.mark.parametrize(
    ("name", "problem"), [("NSGA2", FRONT), ("NSGA3", SPHERES), ("DE", BOWL), ("CMAES", BOWL)]
)
def test_pieces_in_any_order_are_the_same_as_whole_generations(name, problem):
    make = getattr(bb.pymoo, name)
    whole, pieces = (make(problem, seed=1, **SMALL[name]) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(5):
        generation = whole.ask()
        whole.tell(measured(problem, generation))
        held = []
        while len(held) < len(generation):
            batch = pieces.ask(min(int(rng.integers(1, 5)), len(generation) - len(held)))
            held.extend(batch[[i]] for i in range(len(batch)))
        assert bb.Batch.concat(held) == generation
        rng.shuffle(held)
        for row in held:
            pieces.tell(measured(problem, row))


@pytest.mark.parametrize(
    ("name", "problem"),
    [("NSGA2", FRONT), ("NSGA3", SPHERES), ("MOEAD", SPHERES), ("DE", BOWL), ("CMAES", BOWL)],
)
def test_spare_rows_fill_in_while_a_generation_is_out(name, problem):
    optimizer = getattr(bb.pymoo, name)(problem, seed=1, **SMALL[name])
    loop(optimizer, 60)
    out = [optimizer.ask() for _ in range(4)] + [optimizer.ask(30)]
    rows = bb.Batch.concat(out)
    # MOEA/D and DE breed copies of parents now and then; pymoo leaves them in.
    distinct = len(np.unique(problem.space.encode(rows), axis=0)) / len(rows)
    assert distinct > {"MOEAD": 0.7, "DE": 0.95}.get(name, 0.999)
    rows = measured(problem, rows)
    optimizer.tell(rows[len(rows) // 2 :])
    assert len(optimizer.ask(3)) == 3
    optimizer.tell(rows[: len(rows) // 2])
    loop(optimizer, 60)


@pytest.mark.parametrize(("name", "problem"), [("NSGA2", FRONT), ("DE", BOWL)])
def test_spare_rows_are_bred_not_drawn(name, problem):
    optimizer = getattr(bb.pymoo, name)(problem, seed=1, **SMALL[name])
    loop(optimizer, 600)
    optimizer.ask()
    spares = problem.scores(measured(problem, optimizer.ask(40)))
    drawn = problem.scores(loop(bb.Random(problem, seed=0), 200, 200))
    assert np.median(spares[:, -1]) > np.quantile(drawn[:, -1], 0.9)


@pytest.mark.parametrize("name", ["NSGA2", "NSGA3", "MOEAD", "DE"])
def test_data_from_outside_joins_the_population(name):
    problem = BOWL if name == "DE" else SPHERES
    near = bb.Batch(
        {
            "x": np.full((30, 3), 0.5) + np.linspace(-0.6, 0.6, 30)[:, None],
            "lr": np.geomspace(9e-3, 1.1e-2, 30),
        }
    )
    spread = []
    for told in (False, True):
        optimizer = getattr(bb.pymoo, name)(problem, seed=2, **SMALL[name])
        first = optimizer.ask()
        if told:
            optimizer.tell(measured(problem, near))
        optimizer.tell(measured(problem, first))
        spread.append(np.median(np.abs(optimizer.ask(12)["x"] - 0.5)))
    assert spread[1] < spread[0] / 2


@pytest.mark.parametrize("name", bb.pymoo.__all__)
def test_failed_rows_count_as_worst(name):
    problem = BOWL if name in ("CMAES", "DE") else SPHERES
    optimizer = getattr(bb.pymoo, name)(problem, seed=3, **SMALL[name])
    # The best half of the space, as far as the objectives know, fails.
    failed = 0
    for _ in range(400):
        batch = optimizer.ask(1)
        ok = bool(batch["x"][0, 0] > 1.5)
        failed += not ok
        optimizer.tell(measured(problem, batch).with_columns(ok=ok))
    assert failed < 250
    x = np.concatenate([optimizer.ask(1)["x"] for _ in range(6)])
    assert (x[:, 0] > 1).sum() >= 4


@pytest.mark.parametrize("name", bb.pymoo.__all__)
def test_goes_on_when_everything_fails(name):
    problem = BOWL if name in ("CMAES", "DE") else SPHERES
    optimizer = getattr(bb.pymoo, name)(problem, seed=3, **SMALL[name])
    for _ in range(6):
        batch = optimizer.ask(10)
        optimizer.tell(measured(problem, batch).with_columns(ok=False))
    rows = loop(optimizer, 200)
    scores = problem.scores(rows).sum(1)
    assert np.median(scores[-50:]) > np.median(scores[:50])


@pytest.mark.parametrize(
    ("name", "problem"),
    [("NSGA2", LIMITED_FRONT), ("NSGA3", LIMITED_FRONT), ("DE", LIMITED), ("NSGA2", LIMITED)],
)
def test_constraints_are_learnt(name, problem):
    options = {"partitions": 11} if name == "NSGA3" else SMALL[name]
    rows = loop(getattr(bb.pymoo, name)(problem, seed=0, **options), 400)
    feasible = problem.feasible(rows)
    assert feasible[-100:].mean() > 0.4  # the optimum lies on the edge of the feasible region
    assert problem.feasible(loop(bb.Random(problem, seed=0), 1000, 1000)).mean() < 0.2


def test_nsga3_survives_ties_between_infeasible_rows():
    problem = bb.problem(
        lambda b: {"f": b["u"], "g": b["v"], "c": 0 * b["u"]},
        LIMITED.space,
        [bb.Minimize("f"), bb.Minimize("g")],
        constraints=[bb.Constraint("c", lower=1.0)],  # equally broken everywhere
        batch=True,
    )
    assert len(loop(bb.pymoo.NSGA3(problem, seed=0, partitions=7), 40)) == 40


def test_warning_filters_stay_as_they_are():
    before = list(warnings.filters)
    loop(bb.pymoo.NSGA3(SPHERES, seed=0, **SMALL["NSGA3"]), 60)
    assert warnings.filters == before


@pytest.mark.parametrize("name", ["NSGA2", "DE"])
def test_mixed_space_is_searched(name):
    def best(optimizer, n=None):
        return MIX.scores(loop(optimizer, 300, n)).max()

    make = getattr(bb.pymoo, name)
    found = [best(make(MIX, seed=s, population_size=20)) for s in range(3)]
    chance = [best(bb.Random(MIX, seed=s), 300) for s in range(6)]
    assert np.median(found) > np.median(chance)


def test_categories_are_inherited_whole():
    space = bb.Space(bb.Real("x", 0, 1), bb.Categorical("c", list("abcdefgh")))
    cube = _operators.cube_problem(space, 1, 0)
    assert _operators.categories(space).tolist() == [False, True]
    rng = np.random.default_rng(0)
    parents = np.array([[[0.2, 1 / 16]] * 200, [[0.7, 15 / 16]] * 200])
    children = _operators.crossover(space, eta=15, prob=0.9)._do(cube, parents, random_state=rng)
    assert set(children[..., 1].ravel()) == {1 / 16, 15 / 16}
    assert (children[0, :, 1] + children[1, :, 1] == 1).all()  # what one has the other has not
    points = parents[0]
    mutated = _operators.mutation(space, eta=20)._do(cube, points, random_state=rng)
    changed = mutated[:, 1] != points[:, 1]
    assert 60 < changed.sum() < 140  # one coordinate of two, on average
    counts = np.bincount((mutated[changed, 1] * 8).astype(int), minlength=8)
    assert counts.min() > 0  # redrawn from all, not from the neighbours


def test_equal_rows_are_not_bred_twice():
    problem = bb.problem(
        lambda p: p["n"] + p["k"] + (p["c"] == "b"),
        bb.Space(bb.Integer("n", 0, 9), bb.Integer("k", 0, 9), bb.Categorical("c", ["a", "b"])),
    )
    optimizer = bb.pymoo.NSGA2(problem, seed=0, population_size=30)
    for _ in range(4):
        batch = measured(problem, optimizer.ask())
        assert len(np.unique(problem.space.encode(batch), axis=0)) == len(batch)
        optimizer.tell(batch)


@pytest.mark.parametrize("name", ["NSGA2", "DE"])
def test_small_space_is_never_exhausted(name):
    problem = bb.problem(lambda p: p["n"], bb.Space(bb.Integer("n", 0, 3)))
    optimizer = getattr(bb.pymoo, name)(problem, seed=0, **SMALL[name])
    for n in (5, 20, 5, 20, 5):
        assert len(optimizer.ask(n)) == n
        pending = optimizer.pending
        optimizer.tell(measured(problem, pending))


def test_cma_starts_anew_when_it_has_converged():
    problem = bb.problem(
        lambda b: {"y": (b["x"] ** 2).sum(1)}, bb.Space(bb.Real("x", -5, 5, size=2)), batch=True
    )
    rows = loop(bb.pymoo.CMAES(problem, seed=0), 3000)
    reach = np.abs(rows["x"]).max(1)
    converged = int(np.flatnonzero(reach < 1e-4)[0])
    assert converged < 1000
    assert reach[converged:].max() > 2


def test_cma_refuses_categories():
    with pytest.raises(UnsupportedError, match="'act' is a Categorical"):
        bb.pymoo.CMAES(MIX)


def wander(optimizer, rng, rounds=10):
    """Asks of any size, tells in any order, failures, and data from outside."""
    problem, held = optimizer.problem, []
    for _ in range(rounds):
        batch = measured(problem, optimizer.ask(int(rng.integers(1, 20))))
        held.extend(batch[[i]] for i in range(len(batch)))
        rng.shuffle(held)
        for row in [held.pop() for _ in range(int(rng.integers(0, len(held) + 1)))]:
            optimizer.tell(row.with_columns(ok=bool(rng.random() < 0.8)))
        optimizer.tell(measured(problem, problem.space.draw(2, rng)))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("NSGA2", LIMITED_FRONT),
        ("NSGA2", MIX),
        ("NSGA3", SPHERES),
        ("MOEAD", SPHERES),
        ("DE", MIX),
        ("CMAES", BOWL),
    ],
)
def test_goes_on_exactly_after_save_and_load(name, problem):
    make = getattr(bb.pymoo, name)
    optimizer = make(problem, **SMALL[name])  # without a seed: the state has to carry the key
    wander(optimizer, np.random.default_rng(5))
    loaded = make(problem, **SMALL[name])
    loaded.load_state_dict(unpack(pack(optimizer.state_dict())))
    for n in (3, 25, None):
        a, b = optimizer.ask(n), loaded.ask(n)
        assert a == b
        for one in (optimizer, loaded):
            one.tell(measured(problem, one.pending))
    assert optimizer.ask(9) == loaded.ask(9)
    assert pack(loaded.state_dict()) == pack(optimizer.state_dict())


def test_natural_batch_is_what_is_left_of_the_generation():
    optimizer = bb.pymoo.NSGA2(FRONT, seed=0, population_size=10)
    assert optimizer.batch_size == 10
    optimizer.ask(4)
    assert optimizer.batch_size == 6
    steady = bb.pymoo.MOEAD(FRONT, seed=0, partitions=9)
    assert steady.batch_size == 10
    steady.tell(measured(FRONT, steady.ask()))
    assert steady.batch_size == 1


def test_directions_are_at_most_a_hundred():
    sizes = [len(_operators.reference_directions(m, None)) for m in (2, 3, 4, 8)]
    assert sizes == [100, 91, 84, 36]
    assert len(_operators.reference_directions(3, 3)) == 10


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CMAES", {"sigma": -1}),
        ("CMAES", {"sigma": float("nan")}),
        ("CMAES", {"sigma": "a"}),
        ("DE", {"CR": 1.5}),
        ("DE", {"F": "a"}),
        ("MOEAD", {"prob_neighbor_mating": "a"}),
    ],
)
def test_numbers_are_checked(name, options):
    ((field, value),) = options.items()
    problem = SPHERES if name == "MOEAD" else BOWL
    with pytest.raises(ProblemError, match=f"{field}={value!r} must be"):
        getattr(bb.pymoo, name)(problem, **options)


def test_options_are_checked():
    with pytest.raises(ProblemError, match="population_size=9 must be an int of at least 10"):
        bb.pymoo.NSGA3(SPHERES, partitions=3, population_size=9)
    with pytest.raises(ProblemError, match="variant='best' is unknown"):
        bb.pymoo.DE(BOWL, variant="best")
    with pytest.raises(UnsupportedError, match="declare 2 to inf"):
        bb.pymoo.MOEAD(BOWL)

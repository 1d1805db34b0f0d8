"""The experiments: each is a function of its settings and a seed, and gives numbers."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.optimizers.gflownets import Policy
from blackbox.problems.files import VARIABLE
from studies.benchmarks.gflownets import tables
from studies.benchmarks.gflownets.baselines import RegularizedEvolution
from studies.benchmarks.gflownets.loop import optimize
from studies.gflownets import grids
from studies.gflownets.scale import Scale

#: Settings of one experiment, plain values only, so that they can be a key on disk.
Settings = dict[str, Any]
Numbers = dict[str, Any]


def planned(scale: Scale) -> list[tuple[str, Settings]]:
    """Every experiment with its settings, cheap and telling ones first."""
    every: list[tuple[str, Settings]] = []
    for seed in range(scale.seeds):
        side, dimension = scale.hypergrid
        size = {"side": side, "dimension": dimension, "trajectories": scale.trajectories}
        every.append(("hypergrid", {**size, "seed": seed}))
        for names in scale.objectives:
            for method in grids.METHODS:
                settings = {"names": list(names), "side": scale.side, "method": method}
                every.append(("grid", {**settings, "steps": scale.grid_steps, "seed": seed}))
        if os.environ.get(VARIABLE):
            for table in scale.tables:
                for method in OPTIMIZERS:
                    settings = {"table": table, "method": method, "share": scale.share}
                    every.append(("table", {**settings, "seed": seed}))
        for motifs in scale.motifs:
            settings = {"motifs": list(motifs), "length": list(scale.length)}
            training = {"steps": scale.string_steps, "batch": scale.string_batch}
            every.append(("strings", {**settings, **training, "seed": seed}))
        if os.environ.get(VARIABLE) and importlib.util.find_spec("rdkit"):
            for names in scale.fragments:
                for method in OPTIMIZERS:
                    settings = {"names": list(names), "method": method}
                    every.append(("molecules", {**settings, "n": scale.molecules, "seed": seed}))
    return every


OPTIMIZERS: dict[str, Callable[[bb.Problem, int], bb.Optimizer]] = {
    "OP-GFN": lambda problem, seed: bb.OrderPreservingGFN(
        problem, construction=getattr(problem, "construction", None), seed=seed
    ),
    "evolution": lambda problem, seed: RegularizedEvolution(problem, seed=seed),
    "random": lambda problem, seed: bb.Random(problem, seed=seed),
}


def hypergrid(side: int, dimension: int, trajectories: int, seed: int) -> Numbers:
    """Trajectory balance: L1 distance of the law from the reward's, while it is trained."""
    problem = bb.problems.HyperGrid(side, dimension)
    made = bb.GFlowNet(
        problem,
        reward="proportional",
        construction="grid",
        policy=Policy(hidden=(256, 256), learn_backward=True, lr=1e-3, epsilon=0.0),
        seed=seed,
    )
    trace: list[tuple[int, float]] = []
    law = np.exp(made.log_prob(problem.table))
    for done in np.linspace(0, trajectories // 64, 11).astype(int)[1:]:
        made.train(int(done) - (trace[-1][0] // 64 if trace else 0), n=64)
        law = np.exp(made.log_prob(problem.table))
        trace.append((int(done) * 64, bb.metrics.l1_distance(law, problem.law)))
    found = problem.positions(made.sample(2_000))
    return {
        "trace": trace,
        "law": law.tolist() if dimension == 2 else None,
        "jensen_shannon": bb.metrics.jensen_shannon(law / law.sum(), problem.law),
        "modes": bb.metrics.modes_found(found, problem.modes),
        "of": int(problem.modes.sum()),
    }


def grid(names: list[str], side: int, method: str, steps: int, seed: int) -> Numbers:
    """The law learnt for several objectives, beside the front."""
    return grids.learnt(grids.known(tuple(names), side), method, steps, seed)


def table(table: str, method: str, share: float, seed: int) -> Numbers:
    """A table that holds every answer, as a black box; and the order that was learnt."""
    case = tables.CASES[table]
    problem, evaluations = tables.known(case), max(30, round(share * case.evaluations))
    optimizer = OPTIMIZERS[method](problem, seed)
    told, seconds = optimize(optimizer, evaluations, case.batch)
    positions = problem.positions(told)
    numbers: Numbers = {
        **tables.measures(case, {"positions": positions, "cpu": seconds}),
        "ranks": np.minimum.accumulate(tables.ranks(case)[positions]).tolist(),
    }
    if isinstance(optimizer, bb.OrderPreservingGFN):
        some = np.random.default_rng(0).choice(len(problem.table), 1_000, replace=False)
        # Every candidate has equally many paths, so its log-reward is its log-probability.
        numbers["learnt"] = optimizer.log_prob(problem.table[some]).tolist()
        numbers["scores"] = problem.scores(problem.table[some])[:, 0].tolist()
    return numbers


def strings(motifs: list[str], length: list[int], steps: int, batch: int, seed: int) -> Numbers:
    """MOGFN-PC on strings: what is drawn for each preference of a lattice."""
    problem = bb.problems.NGrams(motifs, length=(length[0], length[1]))
    begun = time.process_time()
    made = bb.PreferenceGFN(problem, beta=48.0, policy=Policy(lr=1e-3, epsilon=0.01), seed=seed)
    losses = made.train(steps, n=batch)
    seconds = time.process_time() - begun
    weights = bb.metrics.lattice_weights(len(motifs), 10 if len(motifs) == 2 else 5)
    drawn, rewards, diversity = [], [], []
    for w in weights:
        rows = made.sample(128, preference=w)
        rows = rows.with_columns(**problem.measure(rows))
        reward = problem.scores(rows) @ w
        best = np.argsort(-reward, kind="stable")[:10]
        drawn.append(problem.scores(rows))
        rewards.append(bb.metrics.top_k_mean(reward, 10))
        diversity.append(bb.metrics.edit_diversity(rows["text"][best]))
    scores = np.concatenate(drawn)
    return {
        "losses": losses[:: max(1, steps // 100)].tolist(),
        "weights": weights.tolist(),
        "scores": [each[:8].tolist() for each in drawn],
        "volume": bb.metrics.hypervolume(scores, 0.0),
        "r2": bb.metrics.r2(scores, 1.0, weights=weights),
        "reward": float(np.mean(rewards)),
        "diversity": float(np.mean(diversity)),
        "cpu": round(seconds, 2),
    }


def molecules(names: list[str], method: str, n: int, seed: int) -> Numbers:
    """Molecules of fragments: hypervolume, and how different the front's molecules are."""
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    problem = bb.problems.Fragments(names)
    told, seconds = optimize(OPTIMIZERS[method](problem, seed), n, 10)
    scores = problem.scores(told)
    best = np.flatnonzero(bb.metrics.is_nondominated(scores))
    made = [molecule for molecule in problem.molecules(told[best]) if molecule is not None]
    prints = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    marks = [prints.GetFingerprint(molecule) for molecule in made]
    alike = [DataStructs.TanimotoSimilarity(a, b) for i, a in enumerate(marks) for b in marks[:i]]
    return {
        "trace": bb.metrics.hypervolume_trace(scores, 0.0).tolist(),
        "front": scores[best].tolist(),
        "smiles": [Chem.MolToSmiles(molecule) for molecule in made],
        "diversity": 1 - float(np.mean(alike)) if alike else 0.0,
        "failed": int(np.isnan(scores).any(axis=1).sum()),
        "cpu": round(seconds, 2),
    }


EXPERIMENTS: dict[str, Callable[..., Numbers]] = {
    "hypergrid": hypergrid,
    "grid": grid,
    "table": table,
    "strings": strings,
    "molecules": molecules,
}

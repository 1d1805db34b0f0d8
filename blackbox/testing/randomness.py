"""Rules about seeds, senses and what must not influence a run."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np

from blackbox.batch import Batch
from blackbox.formulation import Problem
from blackbox.testing.cases import mirrored
from blackbox.testing.harness import Subject, fail, full, same_rows, snapshot


def _seed_globals(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is what is tested
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _global_states() -> dict[str, Any]:
    kind, key, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": (kind, np.asarray(key).tolist(), *rest),
    }
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().tolist()
    return states


def _restore_globals(states: dict[str, Any]) -> None:
    random.setstate(states["random"])
    np.random.set_state(states["numpy.random"])  # noqa: NPY002
    if "torch" in states:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))


def same_seed(subject: Subject, problem: Problem) -> None:
    """The same seed gives the same rows, whatever the global generators do."""
    runs = []
    before = _global_states()
    try:
        for seed in (1, 2):
            _seed_globals(seed)
            runs.append(subject.drive(subject.build(problem)))
    finally:
        _restore_globals(before)
    same_rows(runs[1], runs[0], "same seed, other global generators")


def globals_undisturbed(subject: Subject, problem: Problem) -> None:
    """The global generators are as they were."""
    subject.drive(subject.build(problem))  # once before, so that everything is imported
    kept = _global_states()
    try:
        _seed_globals(20_011)  # a state that nobody who seeds a global generator would leave
        before = _global_states()
        subject.drive(subject.build(problem))
        after = _global_states()
    finally:
        _restore_globals(kept)
    for name, state in before.items():
        if after[name] != state:
            fail(f"the global generator of {name} was used or seeded; draw from self.rng")


def seeds_differ(subject: Subject, problem: Problem) -> None:
    """Another seed gives other rows."""
    runs = [subject.drive(subject.build(problem, seed)) for seed in (0, 1)]
    points = [problem.space.encode(Batch.concat(run)) for run in runs]
    if points[0].shape == points[1].shape and np.array_equal(points[0], points[1]):
        fail("seeds 0 and 1 give the same rows")


def mirror(subject: Subject, problem: Problem) -> None:
    """Maximizing is minimizing the negative: the same rows."""
    swapped = mirrored(problem)
    runs = [subject.drive(subject.build(p)) for p in (problem, swapped)]
    same_rows(runs[1], runs[0], "objectives negated and their senses swapped")


def alone(subject: Subject, problem: Problem) -> None:
    """Another optimizer at work beside it changes nothing."""
    single = subject.drive(subject.build(problem))
    optimizer, neighbour = subject.build(problem), subject.build(problem, seed=1)
    asked = []
    for _ in single:
        asked.append(optimizer.ask())
        for one, batch in ((neighbour, neighbour.ask()), (optimizer, asked[-1])):
            if len(batch):
                one.tell(full(one, batch))
    same_rows(asked, single, "with another optimizer beside it")


def observed(subject: Subject, problem: Problem) -> None:
    """Taking the state, the pending rows or the repr changes nothing."""
    blind = subject.drive(subject.build(problem))
    optimizer = subject.build(problem)
    asked = []
    for _ in blind:
        snapshot(optimizer)
        asked.append(optimizer.ask())
        _ = snapshot(optimizer), optimizer.pending, repr(optimizer), optimizer.spec()
        if len(asked[-1]):
            optimizer.tell(full(optimizer, asked[-1]))
    same_rows(asked, blind, "with its state taken in between")

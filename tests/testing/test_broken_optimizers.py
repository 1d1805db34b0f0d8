"""The conformance suite can fail: each optimizer here breaks one rule, and that rule reports."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import UnsupportedError
from blackbox.optimizers.random import ANY
from blackbox.state import State
from blackbox.testing import ConformanceError, check_optimizer, checks


class Sound(bb.Optimizer):
    """Breaks nothing, and has what the others break: memory, a model of a kind, a natural batch.

    Half of the rows are uniform, the others lie between two told rows, good ones first.
    """

    supports = ANY

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.points = np.empty((0, problem.space.width))
        self.scores = np.empty(0)

    @property
    def batch_size(self) -> int:
        return 2

    def _ask(self, n: int) -> bb.Batch:
        batch = self.problem.space.draw(n, self.rng)
        if len(self.points) < 2 or self.problem.space.constraints:
            return batch
        cube = self.problem.space.encode(batch)
        best = np.argsort(-self.scores, kind="stable")[:4]
        pairs = self.rng.choice(best, (n, 2))
        mixed = self.rng.random((n, 1))
        between = mixed * self.points[pairs[:, 0]] + (1 - mixed) * self.points[pairs[:, 1]]
        cube[::2] = 0.9 * between[::2] + 0.1 * cube[::2]
        return self.problem.space.decode(np.clip(cube, 0, 1))

    def _tell(self, batch: bb.Batch) -> None:
        good = batch[batch["ok"]]
        points = self.problem.space.encode(good)
        scores = self.problem.scores(good).sum(axis=1)
        self.points = np.concatenate([self.points, points])
        self.scores = np.concatenate([self.scores, scores])

    def _state(self) -> State:
        return {"points": self.points, "scores": self.scores}

    def _load_state(self, state: State) -> None:
        self.points, self.scores = np.array(state["points"]), np.array(state["scores"])


class LeavesTheSpace(Sound):
    """Forgets the bounds in batches of seven."""

    def _ask(self, n: int) -> bb.Batch:
        batch = super()._ask(n)
        if n != 7:
            return batch
        p = next(iter(self.problem.space))
        if not isinstance(p, bb.Real):
            return batch
        return batch.with_columns(**{p.name: np.full_like(batch[p.name], p.high + 1)})


class GivesIntegersAsFloats(Sound):
    """Gives another type than the parameter's."""

    def _ask(self, n: int) -> bb.Batch:
        batch = super()._ask(n)
        whole = [p.name for p in self.problem.space if isinstance(p, bb.Integer)]
        return batch.with_columns(**{name: batch[name].astype(float) for name in whole})


class GivesTooMany(Sound):
    """Rounds a batch of seven up to eight."""

    def _ask(self, n: int) -> bb.Batch:
        return super()._ask(8 if n == 7 else n)


class RepeatsPending(Sound):
    """Proposes the same candidate until something is told."""

    def _ask(self, n: int) -> bb.Batch:
        if n > 1:
            return super()._ask(n)
        return self.problem.space.draw(1, np.random.default_rng([len(self.points), self._seed()]))

    def _seed(self) -> int:
        return int(self._arguments["seed"] or 0)


class WaitsForItsGeneration(Sound):
    """Gives nothing while more than fifteen rows are out."""

    def _ask(self, n: int) -> bb.Batch:
        if len(self.pending) > 15:
            return self.problem.space.draw(0, self.rng)
        return super()._ask(n)


class Evaluates(Sound):
    """Looks at the problem behind the study's back."""

    def _ask(self, n: int) -> bb.Batch:
        batch = super()._ask(n)
        if self.problem.inputs == batch.names and not self.problem.preference:
            self.problem.measure(batch)
        return batch


class ChangesTheProblem(Sound):
    """Writes a note into the problem."""

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        self.problem.about += "."


class UsesGlobalNumpy(Sound):
    """Draws from NumPy's global generator."""

    def _ask(self, n: int) -> bb.Batch:
        drawn = np.random.randint(2**31)  # noqa: NPY002 - the fault that is to be found
        return self.problem.space.draw(n, np.random.default_rng(drawn))


class UsesGlobalRandom(Sound):
    """Wastes a number of the global generator, without any use for it."""

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        random.random()


class SeedsTorch(Sound):
    """Seeds torch for all others."""

    def _ask(self, n: int) -> bb.Batch:
        import torch

        torch.manual_seed(0)
        return super()._ask(n)


class IgnoresItsSeed(Sound):
    """Always draws the same numbers."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=0)


class IsNeverTheSame(Sound):
    """Seeds itself from the operating system."""

    def _ask(self, n: int) -> bb.Batch:
        return self.problem.space.draw(n, np.random.default_rng())


class ForgetsSenses(Sound):
    """Takes outcomes as they are, so that it minimizes what should be maximized."""

    def _tell(self, batch: bb.Batch) -> None:
        good = batch[batch["ok"]]
        self.points = np.concatenate([self.points, self.problem.space.encode(good)])
        values = sum((good[o.name] for o in self.problem.objectives), np.zeros(len(good)))
        self.scores = np.concatenate([self.scores, -values])


class SharesItsMemory(Sound):
    """Keeps what it was told in its class."""

    told: list[float] = []

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.told.clear()

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        self.told.append(1.0)

    def _ask(self, n: int) -> bb.Batch:
        batch = super()._ask(n)
        return batch[::-1] if len(self.told) % 2 else batch

    def _state(self) -> State:
        return {**super()._state(), "told": list(self.told)}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self.told[:] = state["told"]


class DrawsWhenLookedAt(Sound):
    """Its generator moves when the state is taken."""

    def _state(self) -> State:
        self.rng.random()
        return super()._state()


class ForgetsItsGenerator(Sound):
    """Draws from a generator of its own that no state holds."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.own = np.random.default_rng(seed)

    def _ask(self, n: int) -> bb.Batch:
        return self.problem.space.draw(n, self.own)


class HidesAnInnerSeed(Sound):
    """Has an optimizer within, whose seed no state gives back."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.inner = bb.Random(problem, seed=int(self.rng.integers(2**31)))

    def _ask(self, n: int) -> bb.Batch:
        return self.inner.ask(n).select(self.problem.space.names)

    def _state(self) -> State:
        return {**super()._state(), "inner": self.inner.state_dict()}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self.inner.load_state_dict(state["inner"])


class ForgetsItsData(Sound):
    """Saves the generator and nothing else."""

    def _state(self) -> State:
        return {}

    def _load_state(self, state: State) -> None:
        pass


class KeepsOldData(Sound):
    """Adds a loaded state to what it knew."""

    def _load_state(self, state: State) -> None:
        self.points = np.concatenate([self.points, state["points"]])
        self.scores = np.concatenate([self.scores, state["scores"]])


class GivesItsOwnArrays(Sound):
    """Its state is a view of arrays that it goes on writing."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.count = np.zeros(1)

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        self.count += len(batch)

    def _state(self) -> State:
        return {**super()._state(), "count": self.count}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self.count = np.array(state["count"])


class WritesIntoLoadedState(GivesItsOwnArrays):
    """Goes on writing into the arrays of a state that it loaded."""

    def _state(self) -> State:
        return {**super()._state(), "count": self.count.copy()}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self.count = state["count"]


class TakesAnyState(Sound):
    """Does not say who it is, so that any state fits."""

    def spec(self) -> dict[str, Any]:
        return {"type": "Other", "arguments": {}}


class SpoiltByHalfAState(Sound):
    """Draws otherwise once a state turned out to lack a part."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.begun = 0

    def _ask(self, n: int) -> bb.Batch:
        self.rng.random(self.begun)
        return super()._ask(n)

    def _load_state(self, state: State) -> None:
        self.begun += 1
        super()._load_state(state)
        self.begun -= 1


class RefusesHalfAStateRudely(Sound):
    """Raises whatever it happens to stumble over."""

    def _load_state(self, state: State) -> None:
        assert "points" in state
        super()._load_state(state)


class WantsItsOrder(Sound):
    """Takes rows of one ask only in the order in which they were asked."""

    def _tell(self, batch: bb.Batch) -> None:
        known = batch["id"][batch["id"] >= 0]
        if np.any(np.diff(known) < 0) and len(known) == len(batch):
            raise ValueError("rows out of order")
        super()._tell(batch)


class WantsItsIds(Sound):
    """Looks up every row by its id, and finds none for data from outside."""

    def _tell(self, batch: bb.Batch) -> None:
        if np.any(batch["id"] < 0) and len(batch) == 5:
            raise KeyError(-1)
        super()._tell(batch)


class BreaksOnNaN(Sound):
    """Takes failed rows for good ones."""

    def _tell(self, batch: bb.Batch) -> None:
        if np.isnan(self.problem.scores(batch)).any():
            raise ValueError("Input contains NaN")
        super()._tell(batch)


class BreaksWhenAllFail(Sound):
    """Looks for the best of no rows."""

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        if self.problem.objectives:
            self.problem.scores(batch[batch["ok"]]).max()


class BreaksOnConstants(Sound):
    """Divides by the spread of the outcomes."""

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        constant = len(self.scores) > 1 and np.ptp(self.scores) == 0
        if constant and self.problem.objectives and not self.problem.space.discrete:
            raise ZeroDivisionError("float division by zero")


class ChangesWhatItIsTold(Sound):
    """Writes into the user's arrays."""

    def _tell(self, batch: bb.Batch) -> None:
        super()._tell(batch)
        for objective in self.problem.objectives:
            values = batch[objective.name]
            if values.base is None:
                values.setflags(write=True)
                values[:] = 0
                values.setflags(write=False)


class TellsTwice(Sound):
    """Overrides a final method, and loses its checks."""

    def tell(self, batch: bb.Batch) -> None:  # type: ignore[misc]
        if not isinstance(batch, bb.Batch):
            return
        super().tell(batch)


class RefusesRudely(Sound):
    """Supports little and says so with the wrong error."""

    supports = bb.Supports(parameters=(bb.Real,), objectives=(1, 1))

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        try:
            super().__init__(problem, seed=seed)
        except UnsupportedError as error:
            raise UnsupportedError("no") from error


_RESUMING = {"resume", "resume_unseeded"}
_RUNS = {
    "alone", "ids_suffice", "load_replaces", "mirror", "observed", "older_state", "same_seed",
}  # fmt: skip
_COMPARING = _RUNS | _RESUMING
# Each with the rules that have to report, and no others. A fault of the generator is also seen by
# rules that compare two runs.
BROKEN = {
    LeavesTheSpace: {"proposals"},
    GivesIntegersAsFloats: {"proposals"},
    GivesTooMany: {"proposals"},
    RepeatsPending: {"distinct_while_pending"},
    WaitsForItsGeneration: {"everything_pending"},
    Evaluates: {"problem_untouched"},
    ChangesTheProblem: {"problem_untouched"},
    UsesGlobalNumpy: {"globals_undisturbed", *_COMPARING},
    UsesGlobalRandom: {"globals_undisturbed"},
    SeedsTorch: {"globals_undisturbed"},
    IgnoresItsSeed: {"seeds_differ"},
    IsNeverTheSame: _COMPARING,
    ForgetsSenses: {"mirror"},
    SharesItsMemory: {"alone", "load_replaces", *_RESUMING},
    DrawsWhenLookedAt: {"observed", "load_replaces", "foreign_state", "refusals", *_RESUMING},
    ForgetsItsGenerator: {"load_replaces", *_RESUMING},
    HidesAnInnerSeed: {"resume_unseeded"},
    ForgetsItsData: {"load_replaces", *_RESUMING},
    KeepsOldData: {"load_replaces", "older_state"},
    GivesItsOwnArrays: {"state_is_a_copy"},
    WritesIntoLoadedState: {"state_is_a_copy"},
    TakesAnyState: {"foreign_state"},
    SpoiltByHalfAState: {"older_state"},
    RefusesHalfAStateRudely: {"older_state"},
    WantsItsOrder: {"any_order"},
    WantsItsIds: {"unasked"},
    BreaksOnNaN: {"failed_rows"},
    BreaksWhenAllFail: {"failed_rows"},
    BreaksOnConstants: {"extreme_outcomes"},
    ChangesWhatItIsTold: {"told_untouched"},
    TellsTwice: {"refusals"},
    RefusesRudely: {"supports"},
}


def failing(make: Any) -> set[str]:
    names = set()
    for check in checks(make):
        try:
            check()
        except ConformanceError:
            names.add(check.name)
    return names


def test_sound_optimizer_passes() -> None:
    check_optimizer(Sound)


@pytest.mark.parametrize(("broken", "expected"), BROKEN.items(), ids=[c.__name__ for c in BROKEN])
def test_broken_optimizer_is_found(broken: type[bb.Optimizer], expected: set[str]) -> None:
    assert failing(broken) == expected

"""Any scheduler of pyribs as an optimizer, asked and told in pieces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives import Archive
from blackbox.batch import Batch
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.formulation import Floats, Problem
from blackbox.optimizer import Supports
from blackbox.optimizers._replay import Peer, Told
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.optimizers.ribs.archives import check_fits, from_ribs
from blackbox.space import Integer, Ordinal, Permutation, Real, Simplex

_UNASKED = np.iinfo(np.int64).max
_FAR = 1e3  # in ranges; pyribs turns measures into 32-bit cell numbers before it clips them
_VARIATION = Variation()

Mask = npt.NDArray[np.bool_]


class Scheduled(Peer):
    """Queues a scheduler's solutions, collects outcomes by id, and tells it all of them at once.

    A failed row enters no archive, and to an emitter it is worse than every other. Spare rows,
    handed out while a generation is incomplete, are children of elites; they and data from outside
    are added to the archives at once and teach the emitters of the next generation. Emitters cannot
    go on from an empty archive: where a generation leaves it empty, a fresh scheduler goes on with
    the next seed.

    Attributes:
        scheduler: pyribs' scheduler, to look at.
    """

    # Emitters move points of a cube, in which categories and tokens would have neighbours.
    supports = Supports(
        parameters=(Real, Integer, Ordinal, Simplex, Permutation), objectives=(0, 1), measures=True
    )
    scheduler: Any

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        if not problem.measures:
            name = type(self).__name__
            raise UnsupportedError(f"{name} cannot take {problem.name}: no measures; declare some")

    @abstractmethod
    def _build(self, seed: int) -> Any:
        """pyribs' scheduler, every part of it seeded."""

    @property
    def archive(self) -> Archive:
        """The elites found so far, converted from pyribs' result archive at every access.

        Raises:
            ProblemError: that is neither a grid nor a Voronoi tessellation; look at ``scheduler``.
        """
        return from_ribs(self.scheduler.result_archive, self.problem)

    @property
    def batch_size(self) -> int:
        """Rows left of the current generation."""
        return len(self._points) - self._asked or len(self._points)

    def _start(self) -> None:
        self._runs = 0
        self._draws = np.random.default_rng(self._key)
        self._spares: dict[int, Floats] = {}
        self.scheduler = self._fresh()
        self._breed()

    def _fresh(self) -> Any:
        made = self._build(self._key + self._runs)
        if not (hasattr(made, "ask") and hasattr(made, "tell")):
            raise ProblemError(f"build returned {made!r}; return a scheduler of pyribs")
        if getattr(made, "_add_mode", "batch") != "batch":
            raise ProblemError("the scheduler has add_mode='single'; build it with 'batch'")
        check_fits(made.result_archive, self.problem)
        return made

    def _breed(self) -> None:
        try:
            with np.errstate(all="ignore"):
                points = self.scheduler.ask()
        except RuntimeError as error:
            raise ProblemError(
                f"the scheduler does not answer ask: {error} Take emitters that need no gradients"
            ) from error
        self._points: Floats = np.asarray(points, dtype=np.float64)
        n = len(self._points)
        if not n:
            raise ProblemError("the scheduler's emitters propose no solutions; give others")
        self._asked, self._waiting = 0, n
        self._ids = np.full(n, _UNASKED)
        self._ok = np.zeros(n, dtype=bool)
        self._scores = np.zeros(n)
        self._measures = np.zeros((n, len(self.problem.measures)))

    def _propose(self, ids: range) -> Batch:
        n = min(len(ids), len(self._points) - self._asked)
        rows = slice(self._asked, self._asked + n)
        self._ids[rows] = ids[:n]
        self._asked += n
        points = self._points[rows]
        if n < len(ids):
            spares = self._spare(len(ids) - n)
            self._spares.update(zip(ids[n:], spares, strict=True))
            points = np.concatenate([points, spares])
        return self.problem.space.decode(np.clip(points, 0.0, 1.0))

    def _spare(self, k: int) -> Floats:
        """(k, width) children of elites; uniform points before there are any."""
        space, archive = self.problem.space, self.scheduler.result_archive
        if archive.empty:
            return self._draws.random((k, space.width))
        elites = np.clip(archive.data("solution"), 0.0, 1.0)
        parents = space.decode(elites[self._draws.integers(len(elites), size=2 * k)]).columns()
        first, second = np.arange(k), np.arange(k, 2 * k)
        return space.encode(_VARIATION.children(space, parents, first, second, self._draws))

    def _learn(self, told: Told) -> None:
        n = len(told.ids)
        scores = told.scores[:, 0] if told.scores.shape[1] else np.zeros(len(told.scores))
        low, high = np.array([(m.low, m.high) for m in self.problem.measures]).T
        far = _FAR * (high - low)
        measures = np.clip(told.measures, low - far, high + far)
        at = np.minimum(np.searchsorted(self._ids, told.ids), len(self._ids) - 1)
        own = self._ids[at] == told.ids
        rows = at[own]
        self._ok[rows] = told.ok[own]
        self._scores[rows], self._measures[rows] = scores[:n][own], measures[:n][own]
        self._waiting -= len(rows)

        points = [self._spares.pop(i) for i in told.ids[~own].tolist()]
        extra = np.concatenate([told.ok & ~own, np.ones(len(told.outside), dtype=bool)])
        if extra.any():
            spares = [p for p, ok in zip(points, told.ok[~own], strict=True) if ok]
            if len(told.outside):  # of a state that was loaded it has no columns else
                spares.extend(self.problem.space.encode(told.outside))
            self._add(np.array(spares), scores[extra], measures[extra])
        if not self._waiting:
            self._advance()

    @property
    def _archives(self) -> list[Any]:
        main, result = self.scheduler.archive, self.scheduler.result_archive
        return [main] if result is main else [main, result]

    def _add(self, points: Floats, scores: Floats, measures: Floats) -> None:
        with np.errstate(all="ignore"):
            for archive in self._archives:
                archive.add(points, scores, measures)

    def _advance(self) -> None:
        main, ok = self.scheduler.archive, self._ok
        least = getattr(main, "threshold_min", -np.inf)
        if main.empty and not (ok & (self._scores > least)).any():
            self._begin_again()
        else:
            with np.errstate(all="ignore"), _screened(self._archives, ok):
                self.scheduler.tell(*self._completed())
        self._breed()

    def _begin_again(self) -> None:
        """Go on with a fresh scheduler; the result archive may hold what the main one refused."""
        ok, found = self._ok, self.scheduler.result_archive
        if ok.any():
            self._add(self._points[ok], self._scores[ok], self._measures[ok])
        self._runs += 1
        self.scheduler = self._fresh()
        if not found.empty:
            self._add(*(found.data(name) for name in ("solution", "objective", "measures")))

    def _completed(self) -> tuple[Floats, Floats]:
        """Scores and measures of the generation, those of failed rows made up."""
        scores, measures, ok = self._scores.copy(), self._measures.copy(), self._ok
        scores[~ok] = max(_below(scores[ok]), -np.finfo(np.float64).max)
        measures[~ok] = measures[ok].mean(axis=0) if ok.any() else 0.0
        return scores, measures


class Scheduler(Scheduled):
    """A scheduler of pyribs, built by the user.

    Its solutions are points of the unit cube of the problem's space: ``problem.space.width`` long,
    and put on the cube's face where an emitter leaves it. Its objective is a score, larger is
    better (0 where the problem has none); measures are in the user's units. Emitters that need
    gradients are not told any.

    A state is loaded by asking and telling a scheduler that is built afresh, as often as the one it
    was taken from.

    Args:
        problem: measures; one objective or none; Real, Integer, Ordinal, Simplex, Permutation.
        build: takes the problem and a seed and returns a scheduler, of which every archive and
            emitter is given a seed made of that one. Called anew where a state is loaded, so it has
            to build the same again.
        seed: seeds the scheduler.

    Raises:
        UnsupportedError: the problem has no measures, or something that pyribs cannot take.
        ProblemError: ``build`` is no function, or returns no scheduler, or one that does not fit
            the problem.
    """

    def __init__(
        self, problem: Problem, build: Callable[[Problem, int], Any], *, seed: int | None = None
    ) -> None:
        super().__init__(problem, seed=seed)
        if not callable(build):
            raise ProblemError(
                f"Scheduler: build={build!r}; give a function of the problem and a seed"
            )
        self._builder = build
        self._start()

    def _build(self, seed: int) -> Any:
        return self._builder(self.problem, seed)


@contextmanager
def _screened(archives: list[Any], ok: Mask) -> Iterator[None]:
    """Show archives only the ok rows of a generation, and let them answer for the others."""
    if ok.all():
        yield
        return
    for archive in archives:
        archive.add = _screen(archive.add, ok)
    try:
        yield
    finally:
        for archive in archives:
            del archive.add


def _screen(add: Callable[..., Any], ok: Mask) -> Callable[..., Any]:
    def screened(**data: Any) -> dict[str, Any]:
        info: dict[str, Any] = {"status": np.zeros(0, dtype=np.int32), "value": np.zeros(0)}
        if ok.any():
            info = add(**{name: v if v is None else v[ok] for name, v in data.items()})
        answer: dict[str, Any] = {}
        for name, values in info.items():
            worst = 0 if name == "status" else _below(values)
            answer[name] = np.full((len(ok), *values.shape[1:]), worst, dtype=values.dtype)
            answer[name][ok] = values
        return answer

    return screened


def _below(values: Floats) -> float:
    """A number clearly less than each of these."""
    least = float(values.min(initial=0.0))
    return least - abs(least) - 1.0

"""Two of pyribs' schedulers, ready to use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from blackbox.archives import Archive, CVTArchive, GridArchive
from blackbox.arguments import check_choice, check_count, is_finite
from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem
from blackbox.optimizers.quality_diversity._elites import archive_of
from blackbox.optimizers.quality_diversity.emitting import MOST_EMITTERS
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.optimizers.ribs.archives import to_ribs
from blackbox.optimizers.ribs.scheduler import Scheduled

Cells = int | Sequence[int] | Archive | None


class IsoLine(Scheduled):
    """MAP-Elites with the Iso+LineDD operator (Vassiliades & Mouret 2018, arXiv 1804.03906).

    Args:
        problem: measures; one objective or none; Real, Integer, Ordinal, Simplex, Permutation.
        cells: cells along each measure for a grid, a number of cells for a Voronoi tessellation, or
            an archive, of which only the cells it was built with are taken. By default 100 along
            each of one or two measures, else 10 000 Voronoi cells.
        batch_size: rows of a generation; the first is uniform.
        iso: standard deviation of the isotropic step, in units of the cube.
        line: standard deviation of the step along the line between two elites.
        seed: seeds pyribs.

    Raises:
        UnsupportedError: the problem has no measures, or something that pyribs cannot take.
        ProblemError: an argument is out of range.
        MissingExtraError: pyribs is not installed (extra ``ribs``).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        cells: Cells = None,
        batch_size: int = 100,
        iso: float = 0.01,
        line: float = 0.2,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._ribs = require("ribs", "ribs")
        self._cells = _soft(archive_of(problem, cells))
        self._size = check_count("batch_size", batch_size, 1)
        self._steps = Variation(iso=iso, line=line)
        self._start()

    def _build(self, seed: int) -> Any:
        first, elites, steps = np.random.SeedSequence(seed).spawn(3)
        archive, width = to_ribs(self._cells, seed=elites), self.problem.space.width
        emitter = self._ribs.emitters.IsoLineEmitter(
            archive,
            iso_sigma=self._steps.iso,
            line_sigma=self._steps.line,
            initial_solutions=np.random.default_rng(first).random((self._size, width)),
            lower_bounds=np.zeros(width),
            upper_bounds=np.ones(width),
            batch_size=self._size,
            seed=steps,
        )
        return self._ribs.schedulers.Scheduler(archive, [emitter])


class CMAMAE(Scheduled):
    """CMA-MAE (Fontaine & Nikolaidis 2023, arXiv 2205.10752): CMA-ES climbs above thresholds.

    Each emitter ranks its rows by how far they are above their cells' thresholds, which rise
    slowly; the elites are kept in an archive of their own. Emitters are not bounded, since pyribs
    would draw again and again near a corner of the cube: rows outside are put on its face.

    Args:
        problem: measures; one objective or none; Real, Integer, Ordinal, Simplex, Permutation.
        threshold_min: threshold of an empty cell: the least score worth keeping (larger is better,
            so minus the value of an objective to be minimized).
        cells: as for ``IsoLine``.
        emitters: number of emitters.
        batch_size: rows of each emitter in a generation.
        sigma0: standard deviation of an emitter's first steps, in units of the cube.
        learning_rate: from 0 to 1, how fast thresholds follow accepted scores.
        es: pyribs' name of the evolution strategy: ``"cma_es"``, ``"sep_cma_es"`` or
            ``"lm_ma_es"``, the latter two for hundreds of parameters.
        seed: seeds pyribs.

    Raises:
        UnsupportedError: the problem has no measures, or something that pyribs cannot take.
        ProblemError: an argument is out of range.
        MissingExtraError: pyribs is not installed (extra ``ribs``).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        threshold_min: float,
        cells: Cells = None,
        emitters: int = 15,
        batch_size: int = 36,
        sigma0: float = 0.1,
        learning_rate: float = 0.01,
        es: str = "cma_es",
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._ribs = require("ribs", "ribs")
        check_choice("es", es, ("cma_es", "sep_cma_es", "lm_ma_es"))
        if not is_finite(sigma0) or sigma0 <= 0:
            raise ProblemError(f"sigma0={sigma0!r} must be finite and above 0")
        cells = archive_of(problem, cells)
        self._cells = _soft(cells)
        self._thresholds = _soft(cells, learning_rate, threshold_min)
        self._emitters = check_count("emitters", emitters, 1, MOST_EMITTERS)
        self._size = check_count("batch_size", batch_size, 2)
        self._sigma0, self._es = float(sigma0), es
        self._start()

    def _build(self, seed: int) -> Any:
        first, second, *seeds = np.random.SeedSequence(seed).spawn(self._emitters + 2)
        archive, elites = to_ribs(self._thresholds, seed=first), to_ribs(self._cells, seed=second)
        emitters = [
            self._ribs.emitters.EvolutionStrategyEmitter(
                archive,
                x0=np.full(self.problem.space.width, 0.5),
                sigma0=self._sigma0,
                ranker="imp",
                es=self._es,
                selection_rule="mu",
                restart_rule="basic",
                batch_size=self._size,
                seed=own,
            )
            for own in seeds
        ]
        return self._ribs.schedulers.Scheduler(archive, emitters, elites)


def _soft(
    cells: Archive, learning_rate: float = 1.0, threshold_min: float = -math.inf
) -> GridArchive | CVTArchive:
    """An empty archive of the same cells with these thresholds."""
    if not isinstance(cells, GridArchive | CVTArchive):
        raise ProblemError(f"cells={cells!r}; give a GridArchive or a CVTArchive")
    thresholds = {"learning_rate": learning_rate, "threshold_min": threshold_min}
    made = type(cells)(cells.problem, **{**cells.arguments(), **thresholds})
    assert isinstance(made, GridArchive | CVTArchive)
    return made

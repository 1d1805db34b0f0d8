"""CMA-ME: evolution strategies that follow what improves the archive."""

from __future__ import annotations

from collections.abc import Sequence

from blackbox.archives import Archive
from blackbox.formulation import Problem
from blackbox.optimizers.quality_diversity._elites import begun
from blackbox.optimizers.quality_diversity.emitters import EvolutionEmitter
from blackbox.optimizers.quality_diversity.emitting import EmitterOptimizer, check_emitters
from blackbox.optimizers.quality_diversity.evolution import FullCMA


class CMAME(EmitterOptimizer):
    """CMA-ME with improvement emitters (Fontaine et al. 2020, arXiv 1912.02400).

    Several CMA-ES run side by side. Each ranks its rows by what they did to the archive: those that
    filled an empty cell first, then by how much they improved on their cell's elite. Where no row
    of a generation entered the archive, the strategy starts again from a random elite.

    Rows that break constraints rank behind all that do not, and failed rows last. Rows may be told
    in any order: a strategy moves once as many rows of its current distribution are told as it
    has in a generation, and rows that come later go to the archive alone.

    Args:
        problem: one objective, at least one measure; real, integer and ordinal parameters.
        cells: cells along each measure, a number of Voronoi cells, or an archive, as in
            ``MapElites``.
        emitters: number of evolution strategies.
        batch_size: rows of a generation of each of them.
        sigma: first standard deviation, as a share of each parameter's range.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has no measures, or other parameters.
        ProblemError: an argument is out of range.
        MissingExtraError: SciPy is not installed (extra ``qd``).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        cells: int | Sequence[int] | Archive | None = None,
        emitters: int = 15,
        batch_size: int = 36,
        sigma: float = 0.02,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed)
        check_emitters(self, emitters, batch_size, sigma)
        self.archive = begun(problem, cells)
        self.emitters = [
            EvolutionEmitter(self.archive, batch_size, lambda mean: FullCMA(mean, sigma), hard=True)
            for _ in range(emitters)
        ]

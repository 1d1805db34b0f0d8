"""Many observations: an exact process of those around the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.arguments import check_count, check_flag
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP, ExactModel
from blackbox.surrogates.model import Data


@dataclass(frozen=True)
class LocalGP:
    """Recipe of the fast engine on the rows that matter for where the search goes on.

    Half of the rows taken are the best ones, the other half those nearest to the best row among the
    others, by squared distance of numbers and codes. (Near rows are
    what local approximate processes take: Gramacy and Apley 2015, *Local Gaussian Process
    Approximation for Large Computer Experiments*; the best ones keep the rest of the space from
    being forgotten.)

    Rows of earlier studies are left out.

    Args:
        neighbours: rows taken.
        warp: whether scores may be warped where that makes them likelier.

    Raises:
        ProblemError: an argument is out of its range.
    """

    neighbours: int = 400
    warp: bool = True

    def __post_init__(self) -> None:
        check_count("LocalGP: neighbours", self.neighbours, 1)
        check_flag("LocalGP: warp", self.warp)

    def fit(self, data: Data, memory: State | None) -> ExactModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.of_this_study()
        return ExactGP(self.warp).fit_to(self._near(data), memory, len(data.y))

    def _near(self, data: Data) -> Data:
        if len(data.y) <= self.neighbours:
            return data
        order = np.argsort(-data.y, kind="stable")
        best, others = order[: self.neighbours // 2], order[self.neighbours // 2 :]
        rows, here = data.features.rows(data.x[others]), data.features.rows(data.x[order[:1]])
        away = ((rows.numbers - here.numbers) ** 2).sum(axis=1)
        away += ((rows.codes - here.codes) ** 2).sum(axis=1)
        near = others[np.argsort(away, kind="stable")[: self.neighbours - len(best)]]
        return data[np.sort(np.concatenate([best, near]))]

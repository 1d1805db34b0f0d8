"""Does a model predict rows that it has not seen, and is it as sure as it should be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.errors import ProblemError, TellError
from blackbox.plot.data.beliefs import BANDS, Source, bayes_of, model_of
from blackbox.plot.data.runs import Floats

_LEVELS = np.linspace(0.0, 1.0, 51)


@dataclass(frozen=True)
class LeaveOneOut:
    """Each row told, predicted from all others.

    Args:
        name: the outcome and which way is better.
        observed: (n,) what was told.
        mean: (n,) predictions.
        bands: share of the probability to the (2, n) ends of the interval of a prediction.
        residuals: (n,) observed less predicted, in standard deviations of the prediction.
        levels: (l,) nominal shares from 0 to 1.
        coverage: (l,) shares of the rows inside the central interval of each nominal share.
    """

    name: str
    observed: Floats
    mean: Floats
    bands: dict[float, Floats]
    residuals: Floats
    levels: Floats
    coverage: Floats


def leave_one_out(source: Source, outcome: str | None = None) -> LeaveOneOut:
    """Exact predictions of each row from all others, in closed form, without refitting.

    With K the covariance of the standardised observations z, noise included, row i is predicted as
    normal of mean ``z_i - [K^-1 r]_i / P_ii`` and variance ``1 / [K^-1]_ii`` (Rasmussen and
    Williams 2006, eq. 5.12; Dubrule 1983, for a mean that is estimated too): r are the
    residuals from the estimated mean, and P is K^-1 without the direction of the mean.
    Hyperparameters and the standardisation stay those of all rows. Of more rows than the engine
    fits, those that it fits are predicted.

    Args:
        source: a Bayes optimizer, or a study of one.
        outcome: name of an objective or a constraint; by default the first objective.

    Raises:
        ProblemError: no Bayes, no such outcome, or its model is not of the fast engine.
        TellError: fewer than three rows have succeeded.
    """
    optimizer = bayes_of(source)
    model, sign, label = model_of(optimizer, optimizer._looked_at(), outcome)
    from scipy.special import ndtr

    from blackbox.surrogates.exact import ExactModel

    if not isinstance(model, ExactModel):
        raise ProblemError(
            f"the model of {label} is a {type(model).__name__}; cross-validation in closed form "
            "needs the surrogate ExactGP"
        )
    # Rows of earlier studies have codes that those of the study at hand have not.
    rows = model.likelihood.rows
    codes = len(model.features.groups)
    own = ~rows.codes[:, codes:].any(axis=1)
    if own.sum() < 3:
        raise TellError(f"{int(own.sum())} rows are too few to leave one out; tell some more")
    z = model.likelihood.z
    half = np.linalg.inv(model.posterior.factor)
    precision = np.einsum("ij,ij->j", half, half)
    ones = half.T @ half.sum(axis=1)  # K^-1 times ones
    projected = precision - ones**2 / ones.sum()
    residuals = (model.posterior.alpha[:, 0] / projected)[own]
    deviation = 1.0 / np.sqrt(precision[own])
    mean = z[own] - residuals

    def units(values: Floats) -> Floats:
        return sign * model.outcomes.backward(values)

    bands = {
        share: np.sort([units(mean - width * deviation), units(mean + width * deviation)], axis=0)
        for share, width in BANDS.items()
    }
    away = residuals / deviation
    inside = 2 * ndtr(np.abs(away)) - 1
    coverage = (inside[None] <= _LEVELS[:, None]).mean(axis=1)
    return LeaveOneOut(label, units(z[own]), units(mean), bands, sign * away, _LEVELS, coverage)

"""Which rows a fit takes where there are more than it can, or some of earlier studies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blackbox as bb
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.local import LocalGP
from blackbox.surrogates.model import Data

LINE = Features(bb.Space(bb.Real("x", 0, 1)))


def waves(n, seed=0):
    """Rows of a function with ten periods."""
    x = LINE.draw(n, np.random.default_rng(seed))
    return x, np.sin(20 * np.pi * x[:, 0])


@pytest.mark.parametrize("recipe", [ExactGP(most=60), LocalGP(neighbours=60)])
def test_hyperparameters_are_fitted_again_when_rows_are_more_than_it_takes(recipe):
    x, y = waves(360)
    few = LINE.draw(60, np.random.default_rng(1)) * 0.02  # on which the function is a line
    early = recipe.fit(Data(LINE, few, np.sin(20 * np.pi * few[:, 0])), None)
    late = recipe.fit(
        Data(LINE, np.concatenate([few, x]), np.concatenate([early.likelihood.z, y])),
        early.memory(),
    )
    assert late.memory()["fitted"] == 420
    assert late.posterior.kernel.lengths[0] < 0.5 * early.posterior.kernel.lengths[0]


@given(
    own=st.integers(1, 80),
    earlier=st.lists(st.integers(1, 80), min_size=1, max_size=3),
    most=st.integers(12, 60),
    shift=st.sampled_from([-1e6, 0.0, 1e6]),
)
def test_every_study_is_thinned_by_itself(own, earlier, most, shift):
    counts = [own, *earlier]
    tasks = np.repeat(np.arange(len(counts)), counts)
    x, y = waves(len(tasks), seed=2)
    thin = Data(LINE, x, y + shift * (tasks > 0), tasks=tasks).thinned(most)
    kept = np.bincount(thin.tasks, minlength=len(counts))
    assert kept.sum() == min(len(tasks), most)
    assert kept.min() >= 1
    assert kept[0] >= min(own, most - most // 4)  # earlier ones claim a quarter
    mine = y[:own]
    best = np.sort(mine)[::-1][: kept[0] // 2]
    assert np.isin(best, thin.y[thin.here]).all()


@pytest.mark.parametrize("name", ["ExactGP", "TorchGP"])
@pytest.mark.parametrize("earlier", [0.01, 2.0])
def test_noise_of_the_next_observation_is_that_of_the_study_at_hand(name, earlier):
    x, y = waves(40)
    tasks = np.repeat([0, 1], [10, 30])
    noise = np.where(tasks == 0, 0.3, earlier)
    model = getattr(bb.surrogates, name)().fit(Data(LINE, x, y, noise, tasks=tasks), None)
    assert np.sqrt(model.noise) * model.outcomes.scale == pytest.approx(0.3)

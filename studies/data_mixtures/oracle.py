"""A continuous oracle: the law fitted to recorded runs, with what small models get wrong.

    L(h, N) = mean over validation sets of [E + 1 / sum_i C_i h_i^gamma_i + A N^-alpha + B D^-beta]
              + residual_N(h) + noise

The law alone ranks mixtures the same at every size, so it says nothing about fidelities. The
residual of a size is a smooth random function of the shares' square roots whose deviation is a
given part of the law's own over uniform mixtures. At the target it is zero, so the optimum is
known. With the parts below rank correlations with the target are .93 and .98, as on recorded runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.problems.files import DataFile, PathLike

LAW = DataFile(
    "admire/dmsl_slimpajama/fitted_law.json",
    "91748a3cde99babd6de84614eeef46be5dc0b6061689276f535b12e20c1d5aea",
    "the law of shared data 'admire', fitted to dmsl_llm_slimpajama.csv of "
    "github.com/meiqwq/Explaining-Data-Mixing-Scaling-Laws (commit c2bf110)",
)
DOMAINS = ("arxiv", "book", "c4", "github", "commoncrawl", "stackexchange", "wikipedia")
#: Validation losses that ``avg7`` averages.
LOSSES = tuple(f"{name}_loss" for name in DOMAINS)
TARGET = 1.235e9
#: Sizes to the part of the law's deviation that they get wrong; cost is the size's share.
SIZES: Mapping[float, float] = {3e7: 0.35, 2e8: 0.18, TARGET: 0.0}
TOKENS = 46.08e9
_WAVES = 64


class MixingLaw(bb.Problem):
    """The loss of a language model of 1.235 billion parameters by the mixture of its data.

    Args:
        noise: standard deviation of an evaluation.
        sizes: models to what each gets wrong; the target alone makes it a problem without
            fidelities.
        seed: of the residuals and the noise.
        path: of the fitted law.
        apart: whether each validation set is an objective of its own; the mean of their noise is as
            large as that of the mean.

    Raises:
        ProblemError: the file is missing, differs, or a size is not positive.
    """

    space = bb.Space(bb.Simplex("mix", DOMAINS))
    about = "Validation loss of a language model by the mixture of its training data (fitted law)"

    def __init__(
        self,
        noise: float = 0.003,
        sizes: Mapping[float, float] | None = None,
        seed: int = 0,
        path: PathLike | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self._names = LOSSES if apart else ("loss",)
        self.objectives = tuple(bb.Minimize(name) for name in self._names)
        self._noise, self._sizes = noise, dict(SIZES if sizes is None else sizes)
        if not all(size > 0 for size in self._sizes):
            raise ProblemError(f"MixingLaw: sizes={[*self._sizes]} must be positive")
        self._law = _read(LAW.find(path))
        self._rng = np.random.default_rng([seed, 1])
        if len(self._sizes) > 1:
            values = sorted(self._sizes)
            self.fidelity = bb.Fidelity(bb.Ordinal("params", values), target=values[-1])
        self._waves = {
            size: _Waves(np.random.default_rng([seed, 2, i]))
            for i, size in enumerate(sorted(self._sizes))
        }

    def cost(self, batch: Batch) -> Array:
        """(n,) parameters in units of the target's; all are trained on as many tokens."""
        if self.fidelity is None:
            return np.ones(len(batch))
        return np.asarray(batch["params"] / self.fidelity.target)

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """A noisy loss of every row."""
        size = batch["params"] if self.fidelity is not None else np.full(len(batch), TARGET)
        losses = self._each(batch["mix"], size)
        for value, part in self._sizes.items():
            at = size == value
            if part and at.any():
                losses[at] += part * self._deviation * self._waves[value](batch["mix"][at])[:, None]
        if len(self._names) == 1:
            losses = losses.mean(axis=1, keepdims=True)
        noise = self._noise * np.sqrt(len(self._names))
        losses = losses + noise * self._rng.standard_normal(losses.shape)
        return dict(zip(self._names, losses.T, strict=True))

    def law(self, mixes: Array, sizes: Array) -> Array:
        """(n,) mean losses without residual and noise."""
        return np.asarray(self._each(mixes, sizes).mean(axis=1))

    def _each(self, mixes: Array, sizes: Array) -> Array:
        """(n, 7) losses on every validation set."""
        columns = []
        for name in LOSSES:
            of = self._law[name]
            mixed = (of["C"] * mixes ** of["gamma"]).sum(axis=1)
            loss = of["E"] + 1.0 / np.maximum(mixed, 1e-9)
            loss = loss + of["A"] * (sizes / 1e8) ** -of["alpha"]
            columns.append(loss + of["B"] * (TOKENS / 1e9) ** -of["beta"])
        return np.column_stack(columns)

    def regret(self, batch: Batch) -> Array:
        """(n,) true losses at the target above the least."""
        return self.law(batch["mix"], np.full(len(batch), TARGET)) - self.optimum[1]

    @cached_property
    def optimum(self) -> tuple[Array, float]:
        """The best mixture and its loss, by local searches from many starts."""
        from scipy.optimize import minimize

        def loss(z: Array) -> float:
            shares = np.exp(z - z.max())
            return float(self.law((shares / shares.sum())[None], np.array([TARGET]))[0])

        starts = np.random.default_rng(0).normal(size=(8, len(DOMAINS)))
        best = min((minimize(loss, z, method="L-BFGS-B") for z in starts), key=lambda r: r.fun)
        shares = np.exp(best.x - best.x.max())
        return shares / shares.sum(), float(best.fun)

    @cached_property
    def _deviation(self) -> float:
        mixes = np.random.default_rng(0).dirichlet(np.ones(len(DOMAINS)), 2000)
        return float(self.law(mixes, np.full(len(mixes), TARGET)).std())


class _Waves:
    """A smooth random function of shares with deviation one over uniform mixtures."""

    def __init__(self, rng: np.random.Generator) -> None:
        k = len(DOMAINS)
        self._directions = rng.standard_normal((_WAVES, k)) * 1.5
        self._phases = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
        self._weights = rng.standard_normal(_WAVES)
        self._shift, self._scale = 0.0, 1.0
        values = self(rng.dirichlet(np.ones(k), 2000))
        self._shift, self._scale = float(values.mean()), float(values.std())

    def __call__(self, mixes: Array) -> Array:
        waves = np.cos(np.sqrt(mixes) @ self._directions.T + self._phases) @ self._weights
        return np.asarray((waves - self._shift) / self._scale)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    law: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: {k: np.asarray(v) for k, v in of.items()} for name, of in law.items()}

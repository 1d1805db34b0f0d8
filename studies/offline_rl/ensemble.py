"""Probabilistic ensembles of dynamics: what a data set says about the task, and how sure it is.

As in MOPO (Yu et al. 2020, arXiv 2005.13239), after PETS (Chua et al. 2018): Gaussian networks with
learnable soft bounds on their log-variance predict the change of the observation and the reward.
Trained in PyTorch, all members at once; used in NumPy on a CPU, in PyTorch on a GPU. Everything is
standardised: outputs, deviations and errors are in units of the data set's standard deviations.

Shapes: N members, n transitions, D = d + 1 outputs (the change of the observation, the reward).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from blackbox.errors import ProblemError, require
from studies.offline_rl.networks import Floats32
from studies.offline_rl.threads import one_thread
from studies.offline_rl.transitions import Transitions, save_arrays

_MIN_LOG_VARIANCE, _MAX_LOG_VARIANCE = -10.0, 0.5
_BOUND_WEIGHT = 0.01  # of the regulariser that pulls the bounds together
_FLOOR = 1e-6  # standard deviations below this count as 1: a constant has nothing to scale


@dataclass(frozen=True)
class EnsembleSettings:
    """How an ensemble is trained. The defaults suit the pendulum; ``PAPER`` is MOPO's.

    Args:
        members: how many are trained; users take the first N.
        hidden: units of each hidden layer.
        epochs: at most.
        patience: epochs without any member's hold-out error falling by 1 % after which it ends.
        batch: transitions of a gradient step.
        lr: Adam's learning rate.
        decay: weight decay of each layer, the last one's repeated.
        held_out: share of the transitions, at most 1 000, by which members are judged.
    """

    members: int = 10
    hidden: tuple[int, ...] = (64, 64)
    epochs: int = 80
    patience: int = 5
    batch: int = 256
    lr: float = 3e-3
    decay: tuple[float, ...] = (2.5e-5, 5e-5, 1e-4)
    held_out: float = 0.2


#: MOPO's network, in a size for a GPU.
PAPER = EnsembleSettings(
    hidden=(200, 200, 200, 200), epochs=1_000, lr=1e-3, decay=(2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
)


class Scale(NamedTuple):
    """Means and standard deviations of inputs (d + a,) and outputs (D,)."""

    input_mean: Floats32
    input_std: Floats32
    output_mean: Floats32
    output_std: Floats32


def scale_of(data: Transitions) -> Scale:
    """By which a data set is standardised."""

    def moments(x: Floats32) -> tuple[Floats32, Floats32]:
        std = x.std(axis=0)
        return x.mean(axis=0), np.where(std < _FLOOR, 1.0, std).astype(np.float32)

    return Scale(*moments(_inputs(data)), *moments(_outputs(data)))


class Ensemble:
    """Trained members: predictions in units of the data set's standard deviations.

    Args:
        scale: of the data set.
        layers: (N, in, out) weights and (N, 1, out) biases.
        bounds: (2, D) least and largest log-variance.
        errors: (N,) hold-out mean squared error of each member.
        device: where predictions are computed; "cpu" is NumPy.
    """

    def __init__(
        self,
        scale: Scale,
        layers: list[tuple[Floats32, Floats32]],
        bounds: Floats32,
        errors: Floats32,
        device: str = "cpu",
    ) -> None:
        self.scale, self.layers, self.bounds, self.errors = scale, layers, bounds, errors
        self.device = device

    def __len__(self) -> int:
        return len(self.errors)

    def first(self, n: int) -> Ensemble:
        """The first n members, so that ensembles of different sizes are nested.

        Raises:
            ProblemError: there are fewer.
        """
        if not 1 <= n <= len(self):
            raise ProblemError(f"models={n}: the ensemble has {len(self)} members")
        layers = [(weight[:n], bias[:n]) for weight, bias in self.layers]
        return Ensemble(self.scale, layers, self.bounds, self.errors[:n], self.device)

    def elites(self, most: int = 5) -> Any:
        """Indices of the members of least hold-out error, at most so many."""
        return np.argsort(self.errors, kind="stable")[:most]

    def predict(self, obs: Floats32, actions: Floats32) -> tuple[Floats32, Floats32]:
        """(N, n, D) means and standard deviations, standardised, of (n, d) and (n, a)."""
        x = np.concatenate([obs, actions], axis=1)
        x = (x - self.scale.input_mean) / self.scale.input_std
        if self.device != "cpu":
            return self._on_device(x)
        for i, (weight, bias) in enumerate(self.layers):
            x = np.matmul(x, weight)
            x += bias
            if i < len(self.layers) - 1:
                x /= 1 + np.exp(-np.maximum(x, -30))  # SiLU
        d = x.shape[-1] // 2
        low, high = self.bounds
        with np.errstate(invalid="ignore"):  # whoever uses them looks whether they are finite
            log_variance = high - np.logaddexp(np.float32(0), high - x[..., d:])
            log_variance = low + np.logaddexp(np.float32(0), log_variance - low)
        return x[..., :d], np.exp(0.5 * log_variance)

    def to_outputs(self, standardised: Floats32) -> Floats32:
        """(n, D) changes and rewards in the task's units."""
        return standardised * self.scale.output_std + self.scale.output_mean

    def standardised(self, data: Transitions) -> Floats32:
        """(n, D) true changes and rewards, in the ensemble's units."""
        return (_outputs(data) - self.scale.output_mean) / self.scale.output_std

    def _on_device(self, x: Floats32) -> tuple[Floats32, Floats32]:
        import torch

        with torch.no_grad():
            mean, log_variance = _forward(torch.as_tensor(x, device=self.device), *self._tensors)
            std = torch.exp(0.5 * log_variance)
            return mean.cpu().numpy(), std.cpu().numpy()

    @cached_property
    def _tensors(self) -> tuple[Any, Any]:
        import torch

        def there(array: Floats32) -> Any:
            return torch.as_tensor(array, device=self.device)

        return [(there(w), there(b)) for w, b in self.layers], there(self.bounds)


def ensemble(
    data: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    seed: int = 0,
    cache: Path | None = None,
    device: str = "cpu",
) -> Ensemble:
    """The ensemble of a data set: trained once, then read from its file.

    Args:
        data: what it learns from.
        settings: of the training.
        seed: of initial weights, bootstrap and batches.
        cache: folder of the files; None keeps none.
        device: where it is trained and used.

    Raises:
        ProblemError: the data set is wrong (see ``Transitions.checked``).
        FloatingPointError: the training diverged.
        MissingExtraError: PyTorch is not installed.
    """
    data.checked()
    settings = EnsembleSettings() if settings is None else settings
    text = json.dumps([data.digest, asdict(settings), seed], sort_keys=True)
    name = f"ensemble-{data.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.npz"
    path = None if cache is None else cache / name
    if path is not None and path.exists():
        return _read(path, device)
    with one_thread():
        made = _train(data, settings, seed, device)
    if path is not None:
        _write(path, made)
    return made


def _train(data: Transitions, settings: EnsembleSettings, seed: int, device: str) -> Ensemble:
    torch = require("torch", "bayes")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _Training(data, settings, seed, device).run()
    finally:
        torch.set_num_threads(threads)


class _Training:
    """Maximum likelihood of all members at once, each on a bootstrap of its own."""

    def __init__(
        self, data: Transitions, settings: EnsembleSettings, seed: int, device: str
    ) -> None:
        import torch

        self.settings, self.device = settings, device
        self.rng = np.random.default_rng(seed)
        self.scale = scale = scale_of(data)
        x = (_inputs(data) - scale.input_mean) / scale.input_std
        y = (_outputs(data) - scale.output_mean) / scale.output_std
        order = self.rng.permutation(len(data))
        held = max(1, min(int(settings.held_out * len(data)), 1_000))
        self.x, self.y, self.held_x, self.held_y = (
            torch.as_tensor(part, dtype=torch.float32, device=device)
            for part in (x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]])
        )
        n, sizes = settings.members, (x.shape[1], *settings.hidden, 2 * y.shape[1])
        self.layers = []
        for a, b in pairwise(sizes):
            # Truncated normal of deviation 1 / (2 sqrt(fan in)), as in PETS.
            weight = np.clip(self.rng.standard_normal((n, a, b)), -2, 2) / (2 * np.sqrt(a))
            self.layers.append((self._free(weight), self._free(np.zeros((n, 1, b)))))
        ones = np.ones(y.shape[1])
        self.low, self.high = (
            self._free(_MIN_LOG_VARIANCE * ones), self._free(_MAX_LOG_VARIANCE * ones),
        )  # fmt: skip
        decays = [*settings.decay, *([settings.decay[-1]] * len(self.layers))]
        groups = [
            {"params": [*layer], "weight_decay": decay}
            for layer, decay in zip(self.layers, decays, strict=False)
        ]
        groups.append({"params": [self.low, self.high], "weight_decay": 0.0})
        self.optimizer = torch.optim.Adam(groups, lr=settings.lr, foreach=True)

    def run(self) -> Ensemble:
        """Train until no member improves; keep each member where its hold-out error was least."""
        n, m = self.settings.members, len(self.x)
        bootstrap = self.rng.integers(m, size=(n, m))
        best = self._errors()
        kept = [[part.detach().clone() for part in layer] for layer in self.layers]
        idle = 0
        for _ in range(self.settings.epochs):
            order = np.take_along_axis(bootstrap, self.rng.random((n, m)).argsort(axis=1), axis=1)
            for start in range(0, m, self.settings.batch):
                self._step(order[:, start : start + self.settings.batch])
            errors = self._errors()
            if not np.isfinite(errors).all():
                raise FloatingPointError("the dynamics model diverged: its error is not finite")
            better = errors < 0.99 * best
            best = np.where(better, errors, best)
            for layer, saved in zip(self.layers, kept, strict=True):
                for part, old in zip(layer, saved, strict=True):
                    old[better] = part.detach()[better]
            idle = 0 if better.any() else idle + 1
            if idle >= self.settings.patience:
                break
        layers = [(w.cpu().numpy(), b.cpu().numpy()) for w, b in kept]
        bounds = np.stack([self.low.detach().cpu().numpy(), self.high.detach().cpu().numpy()])
        return Ensemble(self.scale, layers, bounds, best.astype(np.float32), self.device)

    def _step(self, rows: Any) -> None:
        import torch

        at = torch.as_tensor(rows, device=self.device)
        bounds = torch.stack([self.low, self.high])
        mean, log_variance = _forward(self.x[at], self.layers, bounds)
        loss = ((mean - self.y[at]) ** 2 * torch.exp(-log_variance) + log_variance).mean((1, 2))
        loss = loss.sum() + _BOUND_WEIGHT * (self.high.sum() - self.low.sum())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _errors(self) -> Any:
        """(N,) hold-out mean squared errors."""
        import torch

        with torch.no_grad():
            bounds = torch.stack([self.low, self.high])
            mean, _ = _forward(self.held_x, self.layers, bounds)
            return ((mean - self.held_y) ** 2).mean((1, 2)).cpu().numpy()

    def _free(self, array: Any) -> Any:
        import torch

        made = torch.as_tensor(array, dtype=torch.float32, device=self.device)
        return made.clone().requires_grad_(True)


def _forward(x: Any, layers: Any, bounds: Any) -> tuple[Any, Any]:
    """Means and softly bounded log-variances in PyTorch."""
    from torch.nn import functional as F

    for i, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        if i < len(layers) - 1:
            x = F.silu(x)
    mean, raw = x.chunk(2, dim=-1)
    raw = bounds[1] - F.softplus(bounds[1] - raw)
    return mean, bounds[0] + F.softplus(raw - bounds[0])


def _inputs(data: Transitions) -> Floats32:
    return np.concatenate([data.observations, data.actions], axis=1)


def _outputs(data: Transitions) -> Floats32:
    return np.concatenate([data.following - data.observations, data.rewards[:, None]], axis=1)


def _write(path: Path, made: Ensemble) -> None:
    arrays = {f"scale{i}": part for i, part in enumerate(made.scale)}
    for i, (weight, bias) in enumerate(made.layers):
        arrays |= {f"weight{i}": weight, f"bias{i}": bias}
    save_arrays(path, **arrays, bounds=made.bounds, errors=made.errors)


def _read(path: Path, device: str) -> Ensemble:
    with np.load(path, allow_pickle=False) as file:
        scale = Scale(*(file[f"scale{i}"] for i in range(4)))
        depth = sum(name.startswith("weight") for name in file)
        layers = [(file[f"weight{i}"], file[f"bias{i}"]) for i in range(depth)]
        return Ensemble(scale, layers, file["bounds"], file["errors"], device)

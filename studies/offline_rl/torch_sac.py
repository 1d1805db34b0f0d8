"""The learner of ``sac`` in PyTorch, for a GPU and networks of the papers' sizes."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import LOG_STD, Columns, SACSettings


class _Twins(nn.Module):
    """Two critics side by side."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.nets = nn.ModuleList([_layers(sizes), _layers(sizes)])

    def forward(self, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """(2, n) values."""
        x = torch.cat([obs, actions], dim=1)
        return torch.stack([net(x)[:, 0] for net in self.nets])


class TorchSAC:
    """The same algorithm, parameters and interface as ``SAC``; rows come and go as NumPy arrays.

    Args:
        columns: of the transitions.
        settings: of the training.
        seed: of parameters and noise.
        device: such as "cuda".
    """

    def __init__(self, columns: Columns, settings: SACSettings, seed: int, device: str) -> None:
        d, a = columns.observations, columns.actions
        self.columns, self.settings, self.device = columns, settings, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor = _layers((d, *settings.hidden, 2 * a)).to(device)
            self.critics = _Twins((d + a, *settings.hidden, 1)).to(device)
            self._targets = _Twins((d + a, *settings.hidden, 1)).to(device)
        self._targets.load_state_dict(self.critics.state_dict())
        self._judged = deepcopy(self.actor) if settings.follow < 1 else self.actor
        self._log_alpha = torch.zeros(1, device=device, requires_grad=True)
        self._noise = torch.Generator(device).manual_seed(seed)
        parts: list[list[Any]] = [
            [*self.actor.parameters()], [*self.critics.parameters()], [self._log_alpha],
        ]  # fmt: skip
        self._steps = [torch.optim.Adam(part, lr=settings.lr) for part in parts]

    def act(self, obs: Floats32, rng: np.random.Generator | None = None) -> Floats32:
        """(n, a) actions within -1 and 1 for (n, d); without a generator the judged one's mode."""
        policy = self._judged if rng is None else self.actor
        with torch.no_grad():
            out = policy(torch.as_tensor(obs, device=self.device)).cpu().numpy()
        u, log_std = np.split(out, 2, axis=1)
        if rng is not None:
            noise = rng.standard_normal(u.shape, dtype=np.float32)
            u = u + noise * np.exp(np.clip(log_std, *LOG_STD))
        acted: Floats32 = np.tanh(u)
        return acted

    def update(self, batch: Floats32) -> None:
        """One gradient step of critics, actor and temperature.

        Args:
            batch: (n, w) transitions.

        Raises:
            FloatingPointError: the loss is no longer finite.
        """
        rows = torch.as_tensor(batch, device=self.device)
        d, a = self.columns.observations, self.columns.actions
        obs, action, reward, following, on = torch.split(rows, [d, a, 1, d, 1], dim=1)
        alpha = self._log_alpha.detach().exp()
        with torch.no_grad():
            later, log_p = self._drawn(following)
            least = self._targets(following, later).min(dim=0).values
            wanted = reward[:, 0] + self.settings.gamma * on[:, 0] * (least - alpha * log_p)
        loss = 0.5 * ((self.critics(obs, action) - wanted) ** 2).mean(dim=1).sum()
        self._step(1, loss)
        drawn, log_p = self._drawn(obs)
        self._step(0, (alpha * log_p - self.critics(obs, drawn).min(dim=0).values).mean())
        self._step(2, (self._log_alpha.exp() * (a - log_p.detach())).mean())
        with torch.no_grad():
            _follow(self._targets, self.critics, self.settings.tau)
            if self._judged is not self.actor:
                _follow(self._judged, self.actor, self.settings.follow)
        if not torch.isfinite(loss):
            raise FloatingPointError("SAC: critics or policy are no longer finite")

    def _drawn(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, a) actions drawn from the policy and (n,) their log densities."""
        mean, log_std = self.actor(obs).chunk(2, dim=1)
        log_std = log_std.clamp(*LOG_STD)
        noise = torch.randn(mean.shape, generator=self._noise, device=self.device)
        u = mean + noise * log_std.exp()
        squash = 2 * (np.log(2) - u - F.softplus(-2 * u))
        normal = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
        return torch.tanh(u), (normal - squash).sum(dim=1)

    def _step(self, which: int, loss: torch.Tensor) -> None:
        self._steps[which].zero_grad(set_to_none=True)
        loss.backward()
        self._steps[which].step()


def _follow(follower: nn.Module, leader: nn.Module, share: float) -> None:
    for target, source in zip(follower.parameters(), leader.parameters(), strict=True):
        target.lerp_(source, share)


def _layers(sizes: tuple[int, ...]) -> nn.Sequential:
    made: list[nn.Module] = []
    for a, b in pairwise(sizes):
        made += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*made[:-1])

"""Data sets of transitions, checked, and their files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blackbox.errors import ProblemError
from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import Columns

#: The arrays of a data set, in order.
FIELDS = ("observations", "actions", "rewards", "following", "ended", "starts")
LEAST = 20  # transitions; fewer leave nothing to hold out


@dataclass(frozen=True)
class Transitions:
    """What a behaviour did: n transitions, and where its episodes began.

    Args:
        observations: (n, d).
        actions: (n, a) within -1 and 1.
        rewards: (n,).
        following: (n, d) next observations.
        ended: (n,) whether the task ended there; a cut at the horizon is no end.
        starts: (k, d) observations at the beginning of episodes.
        name: in messages and reports.
    """

    observations: Floats32
    actions: Floats32
    rewards: Floats32
    following: Floats32
    ended: Floats32
    starts: Floats32
    name: str = "data"

    def __len__(self) -> int:
        return len(self.observations)

    @property
    def columns(self) -> Columns:
        """Numbers of an observation and of an action."""
        return Columns(self.observations.shape[1], self.actions.shape[1])

    @cached_property
    def rows(self) -> Floats32:
        """(n, w) transitions as learners take them."""
        parts = [self.observations, self.actions, self.rewards[:, None], self.following]
        return np.concatenate([*parts, 1 - self.ended[:, None]], axis=1).astype(np.float32)

    @cached_property
    def digest(self) -> str:
        """Of the content: another one is another data set."""
        made = hashlib.sha256(np.ascontiguousarray(self.rows).tobytes())
        made.update(np.ascontiguousarray(self.starts).tobytes())
        return made.hexdigest()[:16]

    def checked(self) -> Transitions:
        """These transitions.

        Raises:
            ProblemError: there are too few, shapes differ, a number is not finite, or an action is
                out of range; names the first row that is wrong.
        """
        where = f"data set {self.name!r}"
        if len(self) < LEAST:
            raise ProblemError(f"{where} has {len(self)} transitions; give at least {LEAST}")
        parts = {
            "observations": self.observations,
            "actions": self.actions,
            "rewards": self.rewards,
            "following": self.following,
            "ended": self.ended,
        }
        for field, values in parts.items():
            if len(values) != len(self):
                raise ProblemError(
                    f"{where}: {field} has {len(values)} rows, observations {len(self)}"
                )
            wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
            if wrong.any():
                row = int(np.argmax(wrong))
                raise ProblemError(
                    f"{where}: {field}[{row}] is {values[row]}; {int(wrong.sum())} rows are not "
                    "finite, drop them"
                )
        beyond = (np.abs(self.actions) > 1 + 1e-5).any(axis=1)
        if beyond.any():
            row = int(np.argmax(beyond))
            raise ProblemError(
                f"{where}: actions[{row}] is {self.actions[row]}; scale actions to -1 ... 1"
            )
        if self.following.shape != self.observations.shape:
            raise ProblemError(
                f"{where}: following has shape {self.following.shape}, observations "
                f"{self.observations.shape}"
            )
        if not len(self.starts) or not np.isfinite(self.starts).all():
            raise ProblemError(f"{where}: starts must hold at least one finite observation")
        return self

    def drawn(self, n: int, seed: int) -> Transitions:
        """n of these transitions, drawn without repetition; all of them where there are fewer."""
        if n >= len(self):
            return self
        at = np.sort(np.random.default_rng(seed).choice(len(self), n, replace=False))
        return Transitions(
            self.observations[at], self.actions[at], self.rewards[at], self.following[at],
            self.ended[at], self.starts, self.name,
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write an .npz file; whole or not at all, also with processes side by side."""
        save_arrays(
            path,
            observations=self.observations, actions=self.actions, rewards=self.rewards,
            following=self.following, ended=self.ended, starts=self.starts,
        )  # fmt: skip

    @classmethod
    def of(cls, arrays: Sequence[npt.ArrayLike], name: str = "data") -> Transitions:
        """From arrays in the order of ``FIELDS``."""
        parts = [np.asarray(array, dtype=np.float32) for array in arrays]
        return cls(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], name)

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> Transitions:
        """Read what ``save`` wrote.

        Raises:
            ProblemError: a part is missing.
        """
        with np.load(path, allow_pickle=False) as file:
            missing = [field for field in FIELDS if field not in file]
            if missing:
                raise ProblemError(f"{str(path)!r} lacks {missing}; make it anew")
            return cls.of([file[field] for field in FIELDS], name or path.stem)

    @classmethod
    def joined(cls, parts: list[Transitions], name: str) -> Transitions:
        """Several sets as one."""
        return cls.of(
            [np.concatenate([getattr(p, field) for p in parts]) for field in FIELDS], name
        )


def save_arrays(path: Path, **arrays: object) -> None:
    """Write an .npz file by way of another, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.stem}.{os.getpid()}.draft.npz")
    np.savez_compressed(draft, **arrays)  # type: ignore[arg-type]
    draft.replace(path)

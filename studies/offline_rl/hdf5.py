"""Published data sets in HDF5: those of D4RL and of Minari, for those who have the files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from blackbox.errors import ProblemError, require
from studies.offline_rl.transitions import Transitions


def read_hdf5(path: str | os.PathLike[str], *, scale: float = 1.0) -> Transitions:
    """Transitions of a file.

    D4RL's files are flat: observations, actions, rewards, terminals, and timeouts or next
    observations or both; without the latter the last transition of each episode is left out.
    Minari's hold a group for each episode, with one observation more than actions.

    Args:
        path: of the file.
        scale: largest action of the task; actions are divided by it.

    Raises:
        MissingExtraError: h5py is not installed (extra ``offline-rl``).
        ProblemError: there is no such file, it is neither of the two kinds, or nothing in it says
            where episodes were cut.
    """
    h5py = require("h5py", "offline-rl")
    if not Path(path).is_file():
        raise ProblemError(f"there is no file {str(path)!r}; give the path of an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            if "observations" in file:
                arrays = _flat(file)
            elif any(name.startswith("episode_") for name in file):
                arrays = _episodes(file)
            else:
                raise ProblemError(
                    f"{str(path)!r} holds {sorted(file)[:6]}; give a file of D4RL (observations, "
                    "actions, rewards, terminals) or of Minari (episode_0, episode_1, ...)"
                )
    except OSError as error:
        raise ProblemError(f"{str(path)!r} cannot be read as HDF5: {error}") from error
    arrays[1] = arrays[1] / scale
    return Transitions.of(arrays, Path(path).stem).checked()


def _flat(file: Any) -> list[Any]:
    """Arrays in the order of ``FIELDS``.

    Without next observations the last transition of each episode goes, as in ``qlearning_dataset``
    of D4RL: the observation after it is the first of another episode, and a model would learn that
    jump, even where the task ended.
    """
    missing = [name for name in ("actions", "rewards", "terminals") if name not in file]
    if missing:
        raise ProblemError(f"{file.filename!r} lacks {missing}; give a whole D4RL file")
    obs, actions = np.asarray(file["observations"]), np.asarray(file["actions"])
    rewards, ended = np.asarray(file["rewards"]), np.asarray(file["terminals"]).astype(bool)
    if "timeouts" not in file and "next_observations" not in file:
        raise ProblemError(
            f"{file.filename!r} has neither timeouts nor next_observations, so nothing says where "
            "episodes were cut; add one of them"
        )
    cut = np.asarray(file["timeouts"]).astype(bool) if "timeouts" in file else np.zeros_like(ended)
    last = ended | cut
    starts = obs[np.concatenate([[True], last[:-1]])]
    if "next_observations" in file:
        return [obs, actions, rewards, np.asarray(file["next_observations"]), ended, starts]
    kept = ~last[:-1]
    parts = (obs[:-1], actions[:-1], rewards[:-1], obs[1:], ended[:-1])
    return [part[kept] for part in parts] + [starts]


def _episodes(file: Any) -> list[Any]:
    names = sorted((n for n in file if n.startswith("episode_")), key=lambda n: int(n[8:]))
    parts: list[list[Any]] = [[] for _ in range(6)]
    for name in names:
        episode = file[name]
        missing = [
            part
            for part in ("observations", "actions", "rewards", "terminations")
            if part not in episode
        ]
        if missing:
            raise ProblemError(f"{file.filename!r}, {name} lacks {missing}; give a Minari file")
        if not hasattr(episode["observations"], "shape"):
            raise ProblemError(
                f"{file.filename!r}, {name}: observations are a group; give a task whose "
                "observations are one vector"
            )
        obs = np.asarray(episode["observations"])
        arrays = (
            obs[:-1], np.asarray(episode["actions"]), np.asarray(episode["rewards"]), obs[1:],
            np.asarray(episode["terminations"]), obs[:1],
        )  # fmt: skip
        for store, array in zip(parts, arrays, strict=True):
            store.append(array)
    return [np.concatenate(part) for part in parts]

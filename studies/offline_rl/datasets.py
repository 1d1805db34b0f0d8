"""Data sets made by agents of our own, from a seed in under a minute, and kept on disk.

An agent learns the task online; what it has done and could do on the way makes the sets, after the
pattern of D4RL (Fu et al. 2020, arXiv 2004.07219).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from blackbox.errors import ProblemError
from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import SAC, Policy, SACSettings
from studies.offline_rl.tasks import Pendulum, Task
from studies.offline_rl.transitions import FIELDS, Transitions, save_arrays

QUALITIES = ("random", "medium", "replay", "mixed", "expert")
AMPLE, SCARCE = 2_000, 400
#: Environment variable that names the folder of what is made once; by default below the home.
VARIABLE = "BLACKBOX_CACHE"


@dataclass(frozen=True)
class Apprenticeship:
    """How the agent whose behaviour makes the data learns.

    Args:
        episodes: at once.
        steps: of each of them, the horizon many times over.
        warm: steps of random actions before it learns.
        updates: gradient steps after each step.
        look: steps between two looks at how good it is.
        settings: of the learner.
    """

    episodes: int = 10
    steps: int = 600
    warm: int = 50
    updates: int = 6
    look: int = 50
    settings: SACSettings = field(default_factory=SACSettings)


def cache_folder(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of what is made once: given, named by ``BLACKBOX_CACHE``, or below the home."""
    if path is not None:
        return Path(path)
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "blackbox" / "offline_rl"


def dataset(
    quality: str,
    transitions: int = AMPLE,
    *,
    task: Task | None = None,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    how: Apprenticeship | None = None,
) -> Transitions:
    """A data set of a task, made where it is not on disk yet.

    Args:
        quality: "random" actions; "medium", the agent half as good as it will be; "replay",
            everything it did until then; "mixed", half medium and half expert; "expert".
        transitions: how many: 2 000 are ample for the pendulum, 400 scarce.
        task: the pendulum by default.
        seed: of the agent and of what is drawn.
        cache: folder; see ``cache_folder``.
        how: the agent learns, by default as suits the pendulum.

    Raises:
        ProblemError: an unknown quality.
    """
    if quality not in QUALITIES:
        raise ProblemError(f"no data of quality {quality!r}; there are {', '.join(QUALITIES)}")
    task = Pendulum() if task is None else task
    how = Apprenticeship() if how is None else how
    name = f"{task.name}-{quality}-{transitions}"
    mark = "" if quality == "random" else _mark(how)
    path = cache_folder(cache) / f"{name}-seed{seed}{mark}.npz"
    if path.exists():
        return Transitions.load(path, name)
    rng = np.random.default_rng([seed, QUALITIES.index(quality)])
    if quality == "random":
        made = collect(task, _Uniform(task), transitions, rng)
    else:
        made = _of_agent(task, quality, transitions, _agent(task, seed, path.parent, how), rng)
    made = replace(made, name=name)
    made.save(path)
    return made


def collect(task: Task, policy: Policy, n: int, rng: np.random.Generator) -> Transitions:
    """n transitions of whole episodes (the last ones cut), as many at once as that takes."""
    episodes = -(-n // task.horizon)
    obs = starts = task.begin(episodes, rng)
    alive = np.ones(episodes, dtype=bool)
    kept: list[list[Floats32]] = [[] for _ in range(5)]
    while sum(len(part) for part in kept[0]) < n:
        for _ in range(task.horizon):
            action = policy.act(obs, rng)
            following, reward = task.step(obs, action)
            ended = task.ended(following)
            step = (obs, action, reward, following, ended.astype(np.float32))
            for store, values in zip(kept, step, strict=True):
                store.append(values[alive])
            alive &= ~ended
            obs = following
        obs, alive = task.begin(episodes, rng), np.ones(episodes, dtype=bool)
        starts = np.concatenate([starts, obs])
    arrays = [np.concatenate(parts)[:n] for parts in kept]
    return Transitions.of([*arrays, starts])


@dataclass(frozen=True)
class Agent:
    """What an agent leaves behind: itself halfway and at the end, and what it did until halfway."""

    medium: Policy
    expert: Policy
    replay: Transitions


class _Uniform:
    """Actions drawn uniformly."""

    def __init__(self, task: Task) -> None:
        self._actions = task.columns.actions

    def act(self, obs: Floats32, rng: np.random.Generator | None = None) -> Floats32:
        rng = np.random.default_rng(0) if rng is None else rng
        return rng.uniform(-1, 1, (len(obs), self._actions)).astype(np.float32)


def _of_agent(
    task: Task, quality: str, n: int, agent: Agent, rng: np.random.Generator
) -> Transitions:
    if quality == "replay":
        return agent.replay.drawn(n, int(rng.integers(2**31)))
    if quality == "mixed":
        halves = [collect(task, agent.medium, n // 2, rng)]
        halves.append(collect(task, agent.expert, n - n // 2, rng))
        return Transitions.joined(halves, quality)
    return collect(task, agent.medium if quality == "medium" else agent.expert, n, rng)


def _agent(task: Task, seed: int, folder: Path, how: Apprenticeship) -> Agent:
    """The agent, from its file where there is one."""
    path = folder / f"{task.name}-agent-seed{seed}{_mark(how)}.npz"
    rng = np.random.default_rng([seed, 1_000])
    made = [SAC(task.columns, how.settings, rng) for _ in range(2)]
    if not path.exists():
        _train(task, seed, path, how)
    with np.load(path, allow_pickle=False) as file:
        for policy, name in zip(made, ("medium", "expert"), strict=True):
            policy.actor.flat[:] = file[name]
        replay = Transitions.of([file[field] for field in FIELDS], "replay")
    return Agent(made[0], made[1], replay)


def _mark(how: Apprenticeship) -> str:
    """What tells the files of an agent from those of the usual one."""
    if how == Apprenticeship():
        return ""
    text = json.dumps(asdict(how), sort_keys=True)
    return f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _train(task: Task, seed: int, path: Path, how: Apprenticeship) -> None:
    """Train online, looking at the agent now and then; keep the halfway one and the best."""
    rng = np.random.default_rng([seed, 2_000])
    learner = SAC(task.columns, how.settings, rng)
    uniform = _Uniform(task)
    obs = task.begin(how.episodes, rng)
    begun = [obs]
    age = np.zeros(how.episodes, dtype=int)
    store = np.empty((how.steps * how.episodes, task.columns.width), dtype=np.float32)
    looks: list[tuple[float, int, Floats32]] = []
    for step in range(how.steps):
        action = uniform.act(obs, rng) if step < how.warm else learner.act(obs, rng)
        following, reward = task.step(obs, action)
        ended = task.ended(following)
        at = slice(step * how.episodes, (step + 1) * how.episodes)
        parts = [obs, action, reward[:, None], following, 1 - ended[:, None]]
        store[at] = np.concatenate(parts, axis=1)
        age += 1
        over = ended | (age >= task.horizon)
        age[over] = 0
        fresh = task.begin(how.episodes, rng)
        begun.append(fresh[over])
        obs = np.where(over[:, None], fresh, following)
        if step < how.warm:
            continue
        for _ in range(how.updates):
            learner.update(store[rng.integers(at.stop, size=how.settings.batch)])
        if (step + 1) % how.look == 0:
            value = float(task.returns(learner, 10, np.random.default_rng(seed)).mean())
            looks.append((value, at.stop, learner.actor.flat.copy()))
    values = np.array([value for value, _, _ in looks])
    worst = float(task.returns(uniform, 10, np.random.default_rng(seed)).mean())
    half = int(np.argmax(values >= (worst + values.max()) / 2))
    d, a = task.columns.observations, task.columns.actions
    until = store[: looks[half][1]]
    save_arrays(
        path,
        medium=looks[half][2], expert=looks[int(np.argmax(values))][2],
        observations=until[:, :d], actions=until[:, d : d + a], rewards=until[:, d + a],
        following=until[:, d + a + 1 : -1], ended=1 - until[:, -1],
        starts=np.concatenate(begun), looks=values,
    )  # fmt: skip

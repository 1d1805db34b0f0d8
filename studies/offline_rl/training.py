"""One offline training run: imagined rollouts, soft actor-critic, what the policy is worth."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from studies.offline_rl.ensemble import Ensemble
from studies.offline_rl.imagine import World
from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import SAC, Learner, SACSettings
from studies.offline_rl.tasks import Task
from studies.offline_rl.threads import one_thread
from studies.offline_rl.transitions import Transitions


@dataclass(frozen=True)
class Choice:
    """The hyperparameters that matter.

    Args:
        penalty: a key of ``penalties.PENALTIES``.
        weight: of the penalty, in units of the reward's standard deviation.
        horizon: steps of an imagined rollout.
        models: members of the ensemble, the first so many.
    """

    penalty: str
    weight: float
    horizon: int
    models: int


#: What MOPO's authors use most: the aleatoric penalty, weight 1, five steps, seven models.
PUBLISHED = Choice("max_aleatoric", 1.0, 5, 7)


@dataclass(frozen=True)
class TrainingSettings:
    """Everything else about a run.

    Args:
        updates: of the policy.
        every: updates between two rounds of rollouts.
        imagined: transitions of a round, whatever the horizon, so that its cost depends on none.
        rounds: whose transitions are kept.
        real: share of each batch that is from the data.
        episodes: by which the policy is judged, in the task and in the model.
        sac: settings of the learner.
        limit: seconds a run may take.
    """

    updates: int = 6_000
    every: int = 50
    imagined: int = 800
    rounds: int = 30
    real: float = 0.05
    episodes: int = 50
    sac: SACSettings = field(default_factory=lambda: SACSettings(batch=64, follow=0.005))
    limit: float = float("inf")


@dataclass(frozen=True)
class Worth:
    """What came of a run.

    Args:
        true: mean return in the task; NaN where no episode was spent on it.
        model: mean return in the model.
        penalised: the same with penalties charged.
        penalty: mean penalty of the last round's transitions.
        seconds: CPU seconds of rollouts, updates, true episodes and imagined ones.
    """

    true: float
    model: float
    penalised: float
    penalty: float
    seconds: dict[str, float]


def train(
    task: Task,
    data: Transitions,
    model: Ensemble,
    choice: Choice,
    settings: TrainingSettings,
    seed: int,
    *,
    online: bool = True,
) -> Worth:
    """Train a policy on a model and judge it.

    Args:
        task: that the policy is for.
        data: set that the model was trained on.
        model: at least ``choice.models`` members.
        choice: of hyperparameters.
        settings: of everything else.
        seed: of the run.
        online: whether true episodes are spent on the policy.

    Raises:
        TimeoutError: the limit has passed.
        FloatingPointError: model or policy diverged.
    """
    with one_thread():
        run = _Run(task, data, model, choice, settings, seed)
        learner = run.learn()
        return run.judge(learner, online)


def learn(
    task: Task, data: Transitions, model: Ensemble, choice: Choice, settings: TrainingSettings,
    seed: int,
) -> Learner:  # fmt: skip
    """The policy of ``train``, not judged.

    Raises:
        TimeoutError: the limit has passed.
        FloatingPointError: model or policy diverged.
    """
    with one_thread():
        return _Run(task, data, model, choice, settings, seed).learn()


class _Run:
    def __init__(
        self, task: Task, data: Transitions, model: Ensemble, choice: Choice,
        settings: TrainingSettings, seed: int,
    ) -> None:  # fmt: skip
        self.task, self.data, self.choice, self.settings = task, data, choice, settings
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.world = World(task, model.first(choice.models), data)
        self.device = model.device
        self.penalty = float("nan")
        self.clock = dict.fromkeys(("rollouts", "updates", "true", "model"), 0.0)
        self.deadline = time.monotonic() + settings.limit

    def learn(self) -> Learner:
        """The trained policy."""
        s, rng = self.settings, self.rng
        learner = make_learner(self.data, s.sac, rng, self.device)
        rounds: list[Floats32] = []
        real = round(s.real * s.sac.batch)
        for update in range(s.updates):
            if update % s.every == 0:
                if time.monotonic() > self.deadline:
                    raise TimeoutError(
                        f"stopped after {s.limit:g} s, {update} of {s.updates} updates done"
                    )
                rounds = [*rounds[-s.rounds + 1 :], self._imagined(learner)]
                pool = np.concatenate(rounds)
                begun = time.process_time()
            own = self.data.rows[rng.integers(len(self.data), size=real)]
            theirs = pool[rng.integers(len(pool), size=s.sac.batch - real)]
            learner.update(np.concatenate([own, theirs]))
            if (update + 1) % s.every == 0 or update + 1 == s.updates:
                self.clock["updates"] += time.process_time() - begun
        return learner

    def judge(self, learner: Learner, online: bool) -> Worth:
        """Its returns."""
        s, choice = self.settings, self.choice
        begun = time.process_time()
        true = float("nan")
        if online:
            true = float(self.task.returns(learner, s.episodes, self.rng).mean())
        middle = time.process_time()
        # Of its own, so that it is the same whether true episodes were spent or not.
        rng = np.random.default_rng([self.seed, 1])
        args = (s.episodes, choice.penalty, choice.weight, rng)
        plain, penalised = self.world.returns(learner, *args)
        self.clock["true"], self.clock["model"] = middle - begun, time.process_time() - middle
        found = float(plain.mean()), float(penalised.mean())
        return Worth(true, *found, self.penalty, {k: round(v, 3) for k, v in self.clock.items()})

    def _imagined(self, learner: Learner) -> Floats32:
        begun = time.process_time()
        c = self.choice
        made, self.penalty = self.world.transitions(
            learner, self.settings.imagined, c.horizon, c.penalty, c.weight, self.rng
        )
        self.clock["rollouts"] += time.process_time() - begun
        return made


def make_learner(
    data: Transitions, settings: SACSettings, rng: np.random.Generator, device: str
) -> Learner:
    """NumPy's learner on a CPU, PyTorch's elsewhere."""
    if device == "cpu":
        return SAC(data.columns, settings, rng)
    from studies.offline_rl.torch_sac import TorchSAC

    return TorchSAC(data.columns, settings, int(rng.integers(2**31)), device)

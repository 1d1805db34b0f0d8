"""The problem: which penalty, weight, horizon and number of models make the best policy."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Batch, Row
from blackbox.errors import ProblemError
from studies.offline_rl.datasets import AMPLE, Apprenticeship, cache_folder, dataset
from studies.offline_rl.ensemble import Ensemble, EnsembleSettings, ensemble
from studies.offline_rl.penalties import PENALTIES
from studies.offline_rl.sac import Policy
from studies.offline_rl.tasks import Pendulum, Task
from studies.offline_rl.training import PUBLISHED, Choice, TrainingSettings, Worth, learn, train
from studies.offline_rl.transitions import Transitions

Kind: TypeAlias = Literal["true", "model", "penalised"]
Level: TypeAlias = Literal["updates", "seeds", "data"]
_MODELS = 10


@dataclass(frozen=True)
class Recipe:
    """How data, ensemble and policies are made.

    Args:
        training: of each policy.
        ensemble: of the dynamics, once for a data set.
        agent: whose behaviour makes the data.
        seed: of agent, data set and ensemble.
        cache: folder of data sets and ensembles; see ``datasets.cache_folder``.
        device: where networks are trained and used; "cpu" is NumPy.
    """

    training: TrainingSettings = field(default_factory=TrainingSettings)
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    agent: Apprenticeship = field(default_factory=Apprenticeship)
    seed: int = 0
    cache: str | os.PathLike[str] | None = None
    device: str = "cpu"

    def spec(self) -> dict[str, Any]:
        """What outcomes depend on."""
        made = asdict(self)
        del made["cache"], made["device"], made["training"]["limit"]
        return made


class OfflineMBRL(bb.Problem):
    """Key hyperparameters of offline model-based reinforcement learning.

    After Lu et al. (2022), *Revisiting Design Choices in Offline Model-Based Reinforcement
    Learning* (arXiv 2110.04135): the kind of uncertainty penalty, its weight, the rollout horizon
    and the number of models. An evaluation trains a policy on imagined rollouts and judges it.
    The dynamics are trained once for a data set and kept on disk; N models are its first N.

    A row's seed follows from the row and the problem's seed: the same row gives the same outcome,
    on resume too, and other rows draw other luck. ``replicate`` another seed to see the noise.

    An evaluation raises, and so is a failed row of a study that records errors, where the data set
    is empty, tiny, not finite or out of range, where model or policy diverge, and past the time
    limit of ``recipe.training``.

    Args:
        data: a quality of ``datasets.dataset``, or transitions.
        transitions: of a set that is made: 2 000 are ample for the pendulum, 400 scarce.
        task: the pendulum by default.
        objective: "true" spends episodes in the task on every policy; "model" and "penalised" are
            returns in the model and spend none.
        fidelity: what makes an evaluation cheaper: fewer "updates" of the policy, fewer "seeds",
            or less "data"; None for the target alone.
        seeds: policies that are trained for each row, whose returns are averaged; from two on the
            standard error is told too (not where seeds are the fidelity).
        elites: whether weight and horizon are measures, by which elites differ.
        recipe: settings of everything else.
        seed: of the policies.

    Raises:
        ProblemError: an argument is out of range.
    """

    space = bb.Space(
        bb.Categorical("penalty", [*PENALTIES]),
        bb.Real("weight", 0.05, 50, log=True),
        bb.Integer("horizon", 1, 50, log=True),
        bb.Integer("models", 2, _MODELS),
    )
    objectives = (bb.Maximize("return", noise=True),)

    def __init__(
        self,
        data: str | Transitions = "medium",
        transitions: int = AMPLE,
        *,
        task: Task | None = None,
        objective: Kind = "true",
        fidelity: Level | None = None,
        seeds: int = 1,
        elites: bool = False,
        recipe: Recipe | None = None,
        seed: int = 0,
    ) -> None:
        if objective not in ("true", "model", "penalised"):
            raise ProblemError(
                f"OfflineMBRL: objective={objective!r}; give 'true', 'model' or 'penalised'"
            )
        if seeds < 1:
            raise ProblemError(f"OfflineMBRL: seeds={seeds!r} must be at least 1")
        self.recipe = Recipe() if recipe is None else recipe
        if self.recipe.ensemble.members < _MODELS:
            raise ProblemError(
                f"OfflineMBRL: recipe.ensemble.members={self.recipe.ensemble.members}; the space "
                f"asks for up to {_MODELS}"
            )
        self.task = Pendulum() if task is None else task
        self.objective, self.seeds, self.seed = objective, seeds, seed
        self._source, self._transitions = data, transitions
        self.level = fidelity
        if fidelity is not None:
            full = {"updates": self.recipe.training.updates, "seeds": seeds, "data": transitions}
            if isinstance(data, Transitions):
                full["data"] = len(data)
            self.fidelity = _fidelity(fidelity, full)
        known = seeds > 1 and fidelity != "seeds"
        self.objectives = (bb.Maximize("return", noise="return_sem" if known else True),)
        if elites:
            self.measures = [
                bb.Measure("log10_weight", np.log10(0.05), np.log10(50)),
                bb.Measure("log10_horizon", 0.0, np.log10(50)),
            ]
        self.about = (
            f"Return of a policy trained offline on {self.task.name}: kind and weight of the "
            "penalty on model uncertainty, horizon of imagined rollouts, models of the ensemble"
        )
        self.check()

    @cached_property
    def data(self) -> Transitions:
        """The data set, checked.

        Raises:
            ProblemError: it is empty, tiny, not finite, or out of range.
        """
        if isinstance(self._source, Transitions):
            return self._source.checked()
        made = dataset(
            self._source, self._transitions, task=self.task, seed=self.recipe.seed,
            cache=self.recipe.cache, how=self.recipe.agent,
        )  # fmt: skip
        return made.checked()

    def model(self, transitions: int | None = None) -> Ensemble:
        """The ensemble of the data set, or of so many of its transitions."""
        n = len(self.data) if transitions is None else min(transitions, len(self.data))
        if n not in self._models:
            self._models[n] = ensemble(
                self.data.drawn(n, self.recipe.seed), self.recipe.ensemble, seed=self.recipe.seed,
                cache=cache_folder(self.recipe.cache), device=self.recipe.device,
            )  # fmt: skip
        return self._models[n]

    @cached_property
    def _models(self) -> dict[int, Ensemble]:
        return {}

    def cost(self, batch: Batch) -> npt.NDArray[np.float64]:
        """(n,) cost in evaluations at the target."""
        if self.fidelity is None or self.level == "data":  # fewer data cost as many updates
            return np.ones(len(batch))
        share: npt.NDArray[np.float64] = batch[self.fidelity.name] / self.fidelity.target
        return share

    def episodes(self, batch: Batch) -> npt.NDArray[np.int64]:
        """(n,) episodes in the task that evaluating each row takes: what is not offline about it.

        None where the objective is a return in the model.
        """
        each = self.recipe.training.episodes if self.objective == "true" else 0
        seeds = batch["seeds"] if self.level == "seeds" else np.full(len(batch), self.seeds)
        return np.asarray(each * seeds, dtype=np.int64)

    def evaluate(self, p: Row) -> dict[str, float]:
        """Train the row's policies and judge them.

        Raises:
            ProblemError: the data set is wrong.
            FloatingPointError: model or policy diverged.
            TimeoutError: the time limit has passed.
        """
        seeds = int(p["seeds"]) if self.level == "seeds" else self.seeds
        online = self.objective == "true"
        worths = [self.worth(p, replicate, online=online) for replicate in range(seeds)]
        returns = np.array([getattr(worth, self.objective) for worth in worths])
        told = {"return": float(returns.mean())}
        if self.objectives[0].standard_error:
            told["return_sem"] = float(returns.std(ddof=1) / np.sqrt(seeds))
        if self.measures:
            told["log10_weight"] = float(np.log10(p["weight"]))
            told["log10_horizon"] = float(np.log10(p["horizon"]))
        return told

    def worth(self, p: Row, replicate: int = 0, *, online: bool = True) -> Worth:
        """All that is known of one policy of a row: returns true, modelled and penalised.

        Args:
            p: a row of the space, with the fidelity where there is one.
            replicate: another seed.
            online: whether episodes in the task are spent; else the true return is NaN.
        """
        return train(*self._run(p, replicate), online=online)

    def policy(self, p: Row, replicate: int = 0) -> Policy:
        """The policy that ``worth`` judges, trained again by the same seed: what is deployed.

        Args:
            p: a row of the space, with the fidelity where there is one.
            replicate: another seed.
        """
        return learn(*self._run(p, replicate))

    def _run(
        self, p: Row, replicate: int
    ) -> tuple[Task, Transitions, Ensemble, Choice, TrainingSettings, int]:
        """What a policy's training is determined by, its seed last."""
        transitions = int(p["data"]) if self.level == "data" else len(self.data)
        training = self.recipe.training
        if self.level == "updates":
            training = replace(training, updates=int(p["updates"]))
        choice = Choice(p["penalty"], float(p["weight"]), int(p["horizon"]), int(p["models"]))
        data = self.data.drawn(transitions, self.recipe.seed)
        text = json.dumps([asdict(choice), data.digest, training.updates, self.seed, replicate])
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return self.task, data, self.model(transitions), choice, training, seed

    def spec(self) -> dict[str, Any]:
        """The declaration, with what else the outcomes depend on."""
        given = isinstance(self._source, Transitions)
        named = self._source.digest if isinstance(self._source, Transitions) else self._source
        return {
            **super().spec(),
            "task": self.task.name,
            "data": [named, None if given else self._transitions],
            "objective": self.objective,
            "seeds": [self.seed, self.seeds],
            "recipe": self.recipe.spec(),
        }


def published() -> Row:
    """The row that MOPO's authors use most."""
    return asdict(PUBLISHED)


def _fidelity(level: Level, full: dict[str, int]) -> bb.Fidelity:
    """Steps of two up to the full number."""
    if level not in full:
        raise ProblemError(f"OfflineMBRL: fidelity={level!r}; give {', '.join(full)} or None")
    most = full[level]
    levels = sorted({max(1, most // 4), max(1, most // 2), most})
    if len(levels) < 2:
        raise ProblemError(
            f"OfflineMBRL: fidelity={level!r} with {most} at the target has no cheaper level; give "
            "more"
        )
    return bb.Fidelity(bb.Ordinal(level, levels), target=most)

"""A walker with two legs, simulated by Box2D: gaits that use the legs differently."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from blackbox.batch import Row
from blackbox.errors import ProblemError, require
from blackbox.formulation import Maximize, Measure, Problem
from blackbox.problems.single import dimension
from blackbox.space import Real, Space

_SEEN, _MOVED = 24, 4
_CONTACTS = [8, 13]  # where an observation says whether a leg touches the ground


class Walker(Problem):
    """Gymnasium's BipedalWalker under linear policies; extra ``walker``.

    The policy gives the four torques tanh(W s + b) for the 24 numbers s that the walker observes;
    the inputs are the rows of W and then b, 100 numbers from -1 to 1. ``reward`` is the return of
    one episode: about 300 for crossing the terrain, -100 for falling. The measures
    ``first_leg`` and ``second_leg`` are the shares of steps in which each leg touches the ground.

    Each evaluation makes its own environment and seeds it, so on one machine the same row has
    always the same outcome, in whatever order and process it is evaluated.

    Args:
        steps: steps of an episode at most, from 1 to 1600.
        terrain: seed of the terrain.

    Raises:
        ProblemError: an argument out of range.
        MissingExtraError: gymnasium or Box2D is not installed.
    """

    space = Space(Real("policy", -1, 1, size=_MOVED * (_SEEN + 1)))
    objectives = (Maximize("reward"),)
    measures = (Measure("first_leg", 0, 1), Measure("second_leg", 0, 1))
    about = "Linear policies of a walker with two legs: return, and how much each leg is used"

    def __init__(self, steps: int = 1600, *, terrain: int = 0) -> None:
        if dimension(self, steps, 1, "steps") > 1600:
            raise ProblemError(f"Walker: steps={steps}; an episode ends after 1600")
        self._steps = steps
        self._terrain = dimension(self, terrain, 0, "terrain")
        _make().close()

    def evaluate(self, p: Row) -> dict[str, float]:
        """One episode."""
        weights = np.asarray(p["policy"][: _MOVED * _SEEN]).reshape(_MOVED, _SEEN)
        bias = p["policy"][_MOVED * _SEEN :]
        world = _make()
        try:
            seen, _ = world.reset(seed=self._terrain)
            total, taken, touched = 0.0, 0, np.zeros(2)
            for _ in range(self._steps):
                torques = np.tanh(weights @ seen + bias)
                seen, reward, ended, cut, _ = world.step(torques)
                total, taken = total + float(reward), taken + 1
                touched += seen[_CONTACTS]
                if ended or cut:
                    break
        finally:
            world.close()
        first, second = (touched / taken).tolist()
        return {"reward": total, "first_leg": first, "second_leg": second}


def _make() -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    with warnings.catch_warnings():
        # Box2D's wrappers and pygame warn about themselves, and a warning turned into an error
        # while Box2D loads ends the process.
        warnings.simplefilter("ignore")
        for module in ("Box2D", "pygame"):
            require(module, "walker")
        gymnasium = require("gymnasium", "walker")
        return gymnasium.make("BipedalWalker-v3", disable_env_checker=True).unwrapped

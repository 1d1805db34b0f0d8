"""Three small constructions with rewards that are known, shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import blackbox as bb
from blackbox.space.construction import Construction, Graph, enumerated, keys

torch = pytest.importorskip("torch")


@dataclass
class Target:
    """A construction, written out, and a reward of each of its objects."""

    construction: Construction
    graph: Graph
    rewards: np.ndarray

    @property
    def law(self):
        return self.rewards / self.rewards.sum()

    def positions(self, states):
        hashed = keys(self.graph.states[self.graph.terminal])
        order = np.argsort(hashed)
        return order[np.searchsorted(hashed[order], keys(np.asarray(states)))]

    def log_reward(self, walks):
        return torch.from_numpy(np.log(self.rewards[self.positions(walks.ends)])).float()


SPACES = {
    "grid": (bb.Space(bb.Integer("x", 0, 3, size=2)), "grid"),
    "sets of choices": (bb.Space(*[bb.Categorical(n, [0, 1, 2]) for n in "abc"]), "any"),
    "strings at both ends": (bb.Space(bb.Sequence("s", "xy", (1, 3))), "ends"),
}


@pytest.fixture(params=SPACES)
def target(request):
    space, order = SPACES[request.param]
    construction = space.construction(order)
    graph = enumerated(construction)
    rewards = np.random.default_rng(5).exponential(size=int(graph.terminal.sum())) + 0.1
    return Target(construction, graph, rewards)

"""Uniform random search: the baseline that every optimizer has to beat."""

from __future__ import annotations

from blackbox.batch import Batch
from blackbox.optimizer import ALL_PARAMETERS, Optimizer, Supports
from blackbox.state import State

#: Takes every problem, because it looks at nothing but the space.
ANY = Supports(
    parameters=ALL_PARAMETERS,
    objectives=(0, float("inf")),
    constraints=True,
    linear=True,
    measures=True,
    preference=True,
)


class Random(Optimizer):
    """Independent uniform draws from the space (Bergstra & Bengio 2012, JMLR 13).

    Args:
        problem: any problem.
        seed: seeds the optimizer's only generator.
    """

    supports = ANY

    def _ask(self, n: int) -> Batch:
        return self.problem.space.draw(n, self.rng)

    def _tell(self, batch: Batch) -> None:
        """Random search learns nothing."""

    def _state(self) -> State:
        return {}

    def _load_state(self, state: State) -> None:
        """There is nothing beyond the generator."""

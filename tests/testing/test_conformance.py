"""The faces of the conformance suite: one call, one test a rule, own problems."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.state import State
from blackbox.testing import ConformanceError, check_optimizer, checks
from blackbox.testing.cases import answer, problems


class OutOfBounds(bb.Optimizer):
    """Gives the same point outside the space, and the same whatever the seed."""

    supports = bb.Supports(parameters=(bb.Real,))

    def _ask(self, n: int) -> bb.Batch:
        return bb.Batch({p.name: np.full(n, 99.0) for p in self.problem.space})

    def _tell(self, batch: bb.Batch) -> None:
        pass

    def _state(self) -> State:
        return {}

    def _load_state(self, state: State) -> None:
        pass


def test_one_error_lists_every_broken_rule_with_reasons() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_optimizer(OutOfBounds)
    message = str(caught.value)
    for part in (
        "conformance checks failed",
        "proposals: Rows of",
        "on reals: an ask for 1 rows: a proposal is not in the space: parameter 'x': row 0 is 99.0",
        "seeds_differ: Another seed gives other rows.",
        "distinct_while_pending: Rows that are still out",
        "of 4 rows asked for one by one 1 are distinct",
    ):
        assert part in message
    assert "refusals" not in message


def test_a_failed_rule_is_an_assertion_failure_of_pytest() -> None:
    assert issubclass(ConformanceError, AssertionError)


def test_checks_are_named_after_their_rules() -> None:
    names = [str(check) for check in checks(bb.Random)]
    assert len(set(names)) == len(names) > 20
    assert {"proposals", "resume", "refusals"} <= set(names)


def test_optimizer_that_takes_no_problem_is_reported() -> None:
    class Nothing(OutOfBounds):
        """Takes no parameters at all."""

        supports = bb.Supports(parameters=())

    with pytest.raises(ConformanceError, match="no problem of the suite is supported"):
        check_optimizer(Nothing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"make": 3}, "make=3; give an optimizer's class"),
        ({"budget": 0}, "budget=0 must be an int of at least 1"),
        ({"problems": [3]}, "problem is 3; give a Problem"),
    ],
)
def test_wrong_arguments_are_named(arguments, message) -> None:
    with pytest.raises(ProblemError, match=message):
        check_optimizer(**{"make": bb.Random, **arguments})


def test_own_problems_replace_those_of_the_suite() -> None:
    seen = set()

    def make(problem: bb.Problem, seed: int) -> bb.Optimizer:
        seen.add(problem.name)
        return bb.Random(problem, seed=seed)

    mine = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1)))
    check_optimizer(make, problems=[mine])
    assert seen == {mine.name}


def test_user_problem_with_evaluate_batch_is_not_evaluated() -> None:
    class Whole(bb.Problem):
        space = bb.Space(bb.Real("x", 0, 1))
        objectives = (bb.Maximize("f"),)

        def evaluate_batch(self, batch: bb.Batch) -> dict[str, np.ndarray]:
            raise AssertionError("evaluated")

    check_optimizer(bb.Random, problems=[Whole()])


def test_crash_inside_an_optimizer_is_a_finding_with_its_cause() -> None:
    class Crashes(OutOfBounds):
        """Fails at the first ask."""

        def _ask(self, n: int) -> bb.Batch:
            raise ZeroDivisionError("float division by zero")

    check = next(c for c in checks(Crashes) if c.name == "proposals")
    with pytest.raises(ConformanceError, match="on reals: raises ZeroDivisionError") as caught:
        check()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("problem", problems(), ids=lambda p: p.name)
def test_problems_of_the_suite_are_sound(problem: bb.Problem) -> None:
    problem.check()
    batch = problem.space.draw(50, np.random.default_rng(0))
    if problem.fidelity:
        batch = batch.with_columns(**{problem.fidelity.name: problem.fidelity.target})
    if problem.environment:
        drawn = problem.environment.draw(50, np.random.default_rng(1))
        batch = batch.with_columns(**drawn.columns())
    outcomes = answer(problem, batch)
    assert set(outcomes) == set(problem.outcomes)
    told = batch.with_columns(**outcomes)
    assert all(np.isfinite(values).all() for values in outcomes.values())
    if problem.constraints:
        assert 0 < problem.feasible(told).sum() < len(told)
    for name, gradient in problem.gradients.items():
        assert problem.space.real_labels == ("u",)
        step = 1e-6 * batch["u"]
        sides = [answer(problem, batch.with_columns(u=batch["u"] + s)) for s in (step, -step)]
        slope = (sides[0][name] - sides[1][name]) / (2 * step)
        np.testing.assert_allclose(outcomes[gradient][:, 0], slope, rtol=1e-5, atol=1e-12)


def test_suite_needs_neither_pytest_nor_torch() -> None:
    code = (
        "import sys, blackbox as bb; bb.testing.check_optimizer(bb.Random);"
        "print([m for m in ('pytest', 'torch', 'scipy', 'hypothesis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

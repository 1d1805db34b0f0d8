"""The suite: every rule, on the problems that the optimizer supports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from blackbox.arguments import check_count
from blackbox.errors import ProblemError
from blackbox.formulation import Problem, need_problem
from blackbox.testing import asking, randomness, resuming, telling
from blackbox.testing.cases import problems as all_problems
from blackbox.testing.harness import ConformanceError, Make, Subject, endless

_MAIN = 2


@dataclass(frozen=True)
class _Rule:
    """A rule and where it is tried.

    Args:
        function: raises ``ConformanceError`` where an optimizer breaks the rule on a problem.
        on: gives the problems it is tried on.
    """

    function: Callable[[Subject, Problem], None]
    on: Callable[[Subject], Iterator[Problem]]


def _every(subject: Subject) -> Iterator[Problem]:
    return iter(subject.problems)


def _supported(subject: Subject) -> Iterator[Problem]:
    return subject.supported()


def _main(subject: Subject) -> Iterator[Problem]:
    """The first supported problems: enough for rules that do not depend on the problem."""
    return islice(subject.supported(), _MAIN)


def _first(subject: Subject) -> Iterator[Problem]:
    return islice(subject.supported(), 1)


def _endless(subject: Subject) -> Iterator[Problem]:
    return islice((p for p in subject.supported() if endless(p)), 1)


_RULES = (
    _Rule(asking.supports, _every),
    _Rule(asking.proposals, _supported),
    _Rule(asking.pending, _endless),
    _Rule(asking.distinct_while_pending, _endless),
    _Rule(asking.everything_pending, _main),
    _Rule(asking.problem_untouched, _main),
    _Rule(randomness.same_seed, _main),
    _Rule(randomness.globals_undisturbed, _main),
    _Rule(randomness.seeds_differ, _endless),
    _Rule(randomness.mirror, _first),
    _Rule(randomness.alone, _first),
    _Rule(randomness.observed, _first),
    _Rule(resuming.resume, _main),
    _Rule(resuming.resume_unseeded, _first),
    _Rule(resuming.load_replaces, _first),
    _Rule(resuming.state_is_a_copy, _first),
    _Rule(resuming.foreign_state, _first),
    _Rule(resuming.older_state, _first),
    _Rule(telling.any_order, _first),
    _Rule(telling.ids_suffice, _first),
    _Rule(telling.unasked, _first),
    _Rule(telling.failed_rows, _first),
    _Rule(telling.extreme_outcomes, _first),
    _Rule(telling.told_untouched, _first),
    _Rule(telling.refusals, _endless),
)


@dataclass(frozen=True)
class Check:
    """One rule for one optimizer; calling it raises ``ConformanceError`` if it is broken."""

    rule: _Rule
    subject: Subject

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.rule.function.__name__

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Try the rule on every problem it is for.

        Raises:
            ConformanceError: names each problem on which the rule is broken, with the reason.
        """
        reasons: list[str] = []
        cause: Exception | None = None
        for problem in self.rule.on(self.subject):
            try:
                self.rule.function(self.subject, problem)
            except ConformanceError as error:
                reasons.append(f"on {problem.name}: {error}")
                cause = cause or error
            except Exception as error:  # noqa: BLE001 - whatever an optimizer raises is a finding
                reasons.append(f"on {problem.name}: raises {type(error).__name__}: {error}")
                cause = cause or error
        if reasons:
            summary = (self.rule.function.__doc__ or "").partition("\n")[0]
            raise ConformanceError("\n    ".join([f"{self.name}: {summary}", *reasons])) from cause


def checks(
    make: Make, *, budget: int = 12, problems: Sequence[Problem] | None = None
) -> list[Check]:
    """The checks for one optimizer, to be called one by one.

    Args:
        make: the optimizer's class, or a function that builds one for a problem and a seed, which
            may be None.
        budget: rows told in each run; more than the optimizer's initial design, so that its
            model is tried too.
        problems: problems to try it on, by default small ones of every kind. Outcomes are made
            up; nothing is evaluated.

    Raises:
        ProblemError: an argument is of the wrong type.
    """
    if not callable(make):
        raise ProblemError(f"make={make!r}; give an optimizer's class, or a function that builds")
    check_count("budget", budget, 1)
    for problem in problems or ():
        need_problem(problem)
    subject = Subject(make, tuple(problems or all_problems()), budget)
    return [Check(rule, subject) for rule in _RULES]


def check_optimizer(
    make: Make, *, budget: int = 12, problems: Sequence[Problem] | None = None
) -> None:
    """Run every check on an optimizer; arguments as for ``checks``.

    Raises:
        ConformanceError: lists every check that failed, with the reasons.
    """
    failed: list[str] = []
    made = checks(make, budget=budget, problems=problems)
    for check in made:
        try:
            check()
        except ConformanceError as error:
            failed.append(str(error))
    if failed:
        head = f"{len(failed)} of {len(made)} conformance checks failed:"
        raise ConformanceError("\n  - ".join([head, *failed]))

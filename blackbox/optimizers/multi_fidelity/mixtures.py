"""What users of mixtures need around the search: limits of shares, and runs of other domains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.space import LinearConstraint, Simplex

_LEAST = 1e-9  # share below which a domain is absent


def share_limits(
    simplex: Simplex,
    floors: Mapping[str, float] | None = None,
    caps: Mapping[str, float] | None = None,
) -> list[LinearConstraint]:
    """Constraints of a space that keep shares between floors and caps.

    Args:
        simplex: the mixture.
        floors: domain to its least share.
        caps: domain to its greatest share; one of 1 or more is no cap.

    Returns:
        One constraint for each domain that is limited, for ``Space(..., constraints=...)``.

    Raises:
        ProblemError: an unknown domain, a share outside [0, 1], a floor above its cap, or limits
            that no mixture meets.
    """
    floors, caps = dict(floors or {}), dict(caps or {})
    for what, limits in (("floors", floors), ("caps", caps)):
        for domain, share in limits.items():
            if domain not in simplex.parts:
                raise ProblemError(
                    f"share_limits: {what} name {domain!r}; {simplex.name} has {[*simplex.parts]}"
                )
            if not share >= 0 or (what == "floors" and share > 1):
                raise ProblemError(f"share_limits: {what}[{domain!r}]={share!r}; give a share")
    low = [floors.get(d, 0.0) for d in simplex.parts]
    high = [min(caps.get(d, 1.0), 1.0) for d in simplex.parts]
    for domain, floor, cap in zip(simplex.parts, low, high, strict=True):
        if floor >= cap:
            raise ProblemError(f"share_limits: {domain!r} has floor {floor} and cap {cap}")
    if sum(low) >= 1 or sum(high) <= 1:
        raise ProblemError(
            f"share_limits: floors sum to {sum(low):.4g} and caps to {sum(high):.4g}; shares sum "
            "to 1, so leave room on both sides"
        )
    return [
        LinearConstraint({f"{simplex.name}[{domain}]": 1.0}, lower=floor, upper=cap)
        for domain, floor, cap in zip(simplex.parts, low, high, strict=True)
        if floor > 0 or cap < 1
    ]


def repetition_caps(
    available: Mapping[str, float], tokens: float, epochs: float
) -> dict[str, float]:
    """Greatest shares with which no domain is read more often than it should be.

    The share of a domain is at most ``epochs * available / tokens`` (as Olmix, arXiv 2602.12237).

    Args:
        available: domain to the tokens there are.
        tokens: that a training run at the target reads.
        epochs: how often a domain may be read.

    Raises:
        ProblemError: a number is not positive.
    """
    for name, value in {**available, "tokens": tokens, "epochs": epochs}.items():
        if not value > 0:
            raise ProblemError(f"repetition_caps: {name}={value!r} must be positive")
    return {domain: min(1.0, epochs * n / tokens) for domain, n in available.items()}


def carry_over(
    runs: Batch,
    old: Simplex,
    new: Simplex,
    split: Mapping[str, Mapping[str, float]] | None = None,
) -> Batch:
    """Past runs as runs over other domains, to be told to an optimizer of those.

    A domain that was added had no share. Runs in which a domain that was removed had a share are
    left out: nothing is known of them without it. The share of a domain that was split goes to its
    parts in the proportions in which they were mixed inside it.

    Args:
        runs: rows with a column ``old.name`` and any others, which are kept.
        old: the domains of the runs.
        new: the domains wanted.
        split: domain that was split to its parts and their proportions.

    Returns:
        (k <= n) rows with a column ``new.name``.

    Raises:
        ProblemError: a split names unknown domains, or proportions that are not positive.
    """
    mixes = np.asarray(runs[old.name], dtype=np.float64)
    moved = np.zeros((len(mixes), len(new.parts)))
    lost = np.zeros(len(mixes))
    parts = dict(split or {})
    for name, proportions in parts.items():
        unknown = [d for d in proportions if d not in new.parts]
        if name not in old.parts or unknown or not proportions:
            raise ProblemError(
                f"carry_over: split {name!r} into {[*proportions]}; it must be one of "
                f"{[*old.parts]}, its parts among {[*new.parts]}"
            )
        if not all(share > 0 for share in proportions.values()):
            raise ProblemError(f"carry_over: proportions of {name!r} must be positive")
    for i, domain in enumerate(old.parts):
        into = parts.get(domain, {domain: 1.0} if domain in new.parts else {})
        if not into:
            lost += mixes[:, i]
        for part, share in into.items():
            moved[:, new.parts.index(part)] += mixes[:, i] * share / sum(into.values())
    kept = lost < _LEAST
    carried = runs.drop(old.name)[kept]
    return carried.with_columns(**{new.name: moved[kept] / moved[kept].sum(axis=1, keepdims=True)})

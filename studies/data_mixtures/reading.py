"""The results in sentences: each says what the numbers allow, and no more."""

from __future__ import annotations

import numpy as np

from studies.data_mixtures.corpus import DOMAINS
from studies.data_mixtures.results import (
    Candidate,
    Floats,
    Results,
    interval,
    rank_correlation,
    two_means,
)

UNIT = "bits per byte"


def describe(mix: Floats) -> str:
    """A mixture in words, largest share first; shares below half a percent are left out."""
    order = np.argsort(-mix, kind="stable")
    return ", ".join(f"{100 * mix[j]:.0f} % {DOMAINS[j]}" for j in order if mix[j] >= 0.005)


def plus_minus(mean: float, half: float) -> str:
    """A mean with its interval; the interval only where there is one."""
    return f"{mean:.3f} ± {half:.3f}" if np.isfinite(half) else f"{mean:.3f}"


def compare(difference: float, half: float, what: str, than: str) -> str:
    """Whether a loss is lower or higher than another, or cannot be told from it.

    Args:
        difference: the other loss minus this one.
        half: half the width of the 95 % interval of the difference.
        what: this one, as the subject of a sentence.
        than: the other.
    """
    if not np.isfinite(half):
        return f"{what} cannot be told from {than}: too few runs succeeded."
    ends = f"95 % interval {difference - half:+.3f} to {difference + half:+.3f}"
    if abs(difference) <= half:
        return f"{what} is not distinguishable from {than} (gain {difference:+.3f} {UNIT}, {ends})."
    word = "lower" if difference > 0 else "higher"
    return f"{what} is {word} than {than} by {abs(difference):.3f} {UNIT} (gain {ends})."


def gain(candidate: Candidate, baseline: Candidate) -> tuple[float, float]:
    """Baseline minus candidate under the same fresh seeds: mean and half its 95 % interval."""
    return interval(baseline.losses - candidate.losses)


def against(results: Results, baseline: Candidate) -> str:
    """The best mixture beside a baseline."""
    return compare(*gain(results.best, baseline), "Its loss", f"that of {baseline.label}")


def optimizers(results: Results) -> list[str]:
    """Each pair of optimizers by the confirmed losses of their studies."""
    names = results.optimizers
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return [_pair(results, a, b) for a, b in pairs]


def _pair(results: Results, a: str, b: str) -> str:
    means = results.means(a), results.means(b)
    if min(map(len, means)) < 2:
        return f"{a} and {b} are not compared: that takes two studies of each at least."
    what, than = (
        f"{start}the mixtures that {name} found ({len(mean)} studies, mean {np.nanmean(mean):.3f})"
        for start, name, mean in zip(("The loss of ", "that of "), (a, b), means, strict=True)
    )
    text = compare(*two_means(means[1], means[0]), what, than)
    reached = overtaken(results, a, b)
    if reached is None:
        return text
    whole = max(float(np.sum(told.history["cost"])) for told in results.of(b))
    return f"{text} In the median, {a} took {reached:.0f} of {whole:.0f} runs to see a loss as low."


def overtaken(results: Results, a: str, b: str) -> float | None:
    """Cost at which the median best loss of a first is at most b's final one; None if never."""
    target = results.problem.target.params
    final = np.median([told.best_so_far(target)[1][-1] for told in results.of(b)])
    runs = [told.best_so_far(target) for told in results.of(a)]
    for cost in np.unique(np.concatenate([costs for costs, _ in runs])):
        # Rows that each study had paid for by then.
        paid = [int(np.searchsorted(costs, cost + 1e-9, side="right")) for costs, _ in runs]
        best = [losses[n - 1] if n else np.inf for n, (_, losses) in zip(paid, runs, strict=True)]
        if np.median(best) <= final:
            return float(cost)
    return None


def spread(results: Results) -> str:
    """Whether mixtures differ by more than training luck."""
    losses = results.ladder[results.problem.target.params]
    tried = losses[np.isfinite(losses)]
    repeated = [c.losses[np.isfinite(c.losses)] for c in (*results.baselines, *results.found)]
    within = [one.var(ddof=1) for one in repeated if len(one) > 1]
    if len(tried) < 2 or not within:
        return "Too few runs succeeded to compare the mixture's effect with training luck."
    effect, luck = float(tried.std(ddof=1)), float(np.sqrt(np.mean(within)))
    text = (
        f"{len(tried)} mixtures from the studies' beginnings range from {tried.min():.3f} to "
        f"{tried.max():.3f} {UNIT}, with a standard deviation of {effect:.3f}; that of one mixture "
        f"trained again under other seeds is {luck:.3f}."
    )
    if luck == 0:
        return text
    if effect <= 2 * luck:
        return f"{text} The mixture's effect is not clearly above training luck."
    return f"{text} The mixture matters {effect / luck:.0f} times as much as training luck."


def optimism(results: Results) -> str:
    """How far the losses that the studies chose by were too good."""
    mean, half = interval(np.array([found.mean - found.seen for found in results.found]))
    ends = f" (95 % interval {mean - half:+.3f} to {mean + half:+.3f})" if half < np.inf else ""
    return (
        "A study's best loss is the least of many noisy ones. Trained again under fresh seeds, "
        f"these mixtures differ from it by {mean:+.3f} {UNIT} on average{ends}."
    )


def sizes(results: Results) -> str:
    """How well the smaller models rank mixtures."""
    target = results.problem.target
    texts = []
    for params, size in results.problem.sizes.items():
        if size is target:
            continue
        rho = rank_correlation(results.ladder[params], results.ladder[target.params])
        cost = 100 * size.train_flops / target.train_flops
        texts.append(f"{rho:.2f} with {params:,} parameters at {cost:.1f} % of the cost")
    n = len(results.ladder[target.params])
    return f"Rank correlation with the target size over {n} mixtures: {', '.join(texts)}."


def fidelities(results: Results) -> list[str]:
    """Which sizes each optimizer that chooses them bought, and what their rows were worth."""
    sentences = []
    for name in results.optimizers:
        told = [study for study in results.of(name) if study.evidence]
        if not told:
            continue
        bought = [
            np.concatenate([t.history["params"] for t in told]) == s for s in told[0].evidence
        ]
        counts = ", ".join(
            f"{rows.sum() / len(told):.1f} of {size:,} parameters"
            for size, rows in zip(told[0].evidence, bought, strict=True)
        )
        smaller = [s for s in told[0].evidence if s != results.problem.target.params]
        nats = ", ".join(
            f"{np.median([t.evidence[s] for t in told]):+.1f} for {s:,} parameters" for s in smaller
        )
        sentences.append(
            f"{name} bought {counts} on average. Forecasts of the target's rows with those of a "
            f"smaller size rather than without, in nats (median; below 0 they mislead): {nats}."
        )
    return sentences

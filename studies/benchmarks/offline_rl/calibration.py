"""Which penalty knows best where the model is wrong, by the number of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.offline_rl.tuning import STUDY
from studies.offline_rl.calibration import LEVELS, Judged, judge, on_policy
from studies.offline_rl.datasets import AMPLE, dataset
from studies.offline_rl.ensemble import EnsembleSettings, ensemble
from studies.offline_rl.penalties import PENALTIES
from studies.offline_rl.sac import SAC
from studies.offline_rl.tasks import Pendulum
from studies.offline_rl.threads import one_thread
from studies.offline_rl.training import Choice, TrainingSettings, learn

SETS = ("random", "medium", "replay")
OTHERS = (*SETS, "expert")
MODELS = (2, 3, 5, 7, 10)
KINDS = ("spearman", "pearson")


def calibrated(
    trained_on: str,
    seed: int,
    *,
    transitions: int = AMPLE,
    settings: EnsembleSettings | None = None,
    training: TrainingSettings | None = None,
) -> dict[str, Any]:
    """Correlations and coverage of an ensemble trained on one set, place by place.

    The places: fresh data of its own kind; data of every other quality; where a policy goes that
    was trained in the model without a penalty. The last two are out of distribution.
    """
    task, rng = Pendulum(), np.random.default_rng(seed)
    data = dataset(trained_on, transitions)
    whole = ensemble(data, settings, seed=seed)
    fresh = {quality: dataset(quality, transitions, seed=100) for quality in OTHERS}
    free = Choice("ens_std", 0.0, 20, min(7, len(whole)))
    training = TrainingSettings(updates=2_000) if training is None else training
    with one_thread():
        policy = learn(task, data, whole, free, training, seed)
        assert isinstance(policy, SAC)
        found: dict[str, Any] = {}
        for n in MODELS:
            model = whole.first(n)
            places = {quality: judge(model, part, rng) for quality, part in fresh.items()}
            places["policy"] = on_policy(task, model, data, policy, rng)
            found[str(n)] = {place: _numbers(judged) for place, judged in places.items()}
    return found


def _numbers(judged: Judged) -> dict[str, Any]:
    return {
        **{k: {p: judged.correlation(p, k) for p in PENALTIES} for k in KINDS},
        "covered": [judged.covered[level] for level in LEVELS],
        "found": {p: judged.average_precision(p, 0.9) for p in PENALTIES},
    }


def work(case: str, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """All numbers of an ensemble."""
    return calibrated(case, seed)


def table(results: Results) -> Path:
    """Mean correlations over the out-of-distribution places, with intervals; where it differs."""
    own = _means(results, "spearman", "7", inside=True)
    tables: dict[str, list[dict[str, Any]]] = {
        f"{kind.capitalize()}, out of distribution": [
            {"penalty": p} | {f"N = {n}": _interval(_means(results, kind, str(n))[p])
                              for n in MODELS}
            for p in PENALTIES
        ]
        for kind in KINDS
    }  # fmt: skip
    tables["Seven models, place by place (Spearman; last column precision)"] = [
        {
            "penalty": p,
            "own kind of data": _interval(own[p]),
            "other data": _interval(_means(results, "spearman", "7", place="data")[p]),
            "on the policy": _interval(_means(results, "spearman", "7", place="policy")[p]),
            "worst tenth found": _interval(_means(results, "found", "7")[p]),
        }
        for p in PENALTIES
    ]
    tables["Coverage of central intervals, seven models"] = [
        {"place": text} | {f"{level:.0%}": f"{share:.2f}" for level, share in zip(
            LEVELS, _coverage(results, place), strict=True)}
        for place, text in (("own", "own kind of data"), ("data", "other data"),
                            ("policy", "on the policy"))
    ]  # fmt: skip
    return write_table(
        "orl_calibration",
        "Penalties beside the true error of a dynamics model",
        tables,
        [
            "Pendulum. Ensembles trained on 2 000 random, medium or replay transitions, a case "
            "each. Error: distance of the ensemble's mean from the true change and reward, in "
            "standard deviations of the data. Out of distribution: fresh data of the other "
            "qualities (with expert), and 20 steps of a policy trained in the model without a "
            "penalty, the truth from the task itself: 4 places a case.",
            "Mean over places and cases of each seed, with its 95 % interval (Student's) over "
            "seeds, which differ in ensemble and policy, not in data.",
            _verdict(results),
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch"),
        command="offline_rl calibration",
    )


def _verdict(results: Results) -> str:
    """What the numbers say of the paper's claims."""
    means = {p: np.mean(v) for p, v in _means(results, "spearman", "7").items()}
    order = sorted(means, key=lambda p: -means[p])
    said = ", ".join(f"{p} {means[p]:.2f}" for p in order)
    same = "as here" if means["ens_std"] > means["max_aleatoric"] else "not so here"
    gaps = []
    for place, text in (("data", "on other data"), ("policy", "on the policy")):
        of = _means(results, "spearman", "7", place=place)
        gap = float(np.mean(of["ens_std"]) - np.mean(of["max_pairwise"]))
        gaps.append(f"{abs(gap):.2f} {'ahead' if gap > 0 else 'behind'} {text}")
    return (
        f"Order by Spearman at N = 7: {said}. Lu et al. (2022) find the ensemble standard "
        "deviation (ens_std) to correlate better with the error than the penalty of MOPO "
        f"(max_aleatoric), {same}, and to be close to that of MOReL (max_pairwise): here it is "
        f"{' and '.join(gaps)}. Their tasks are those of MuJoCo."
    )


def _means(
    results: Results, kind: str, n: str, *, inside: bool = False, place: str = ""
) -> dict[str, list[float]]:
    """Of each penalty the mean over places and cases, seed by seed."""
    found: dict[str, list[float]] = {p: [] for p in PENALTIES}
    cases = results.cases
    runs = [results.by_seed(case, NAME) for case in cases]
    for seed in sorted(set.intersection(*map(set, runs))) if runs else ():
        for p in PENALTIES:
            values = [
                numbers[kind][p]
                for case, of in zip(cases, runs, strict=True)
                for where, numbers in of[seed][n].items()
                if _wanted(case, where, inside, place)
            ]
            found[p].append(float(np.mean(values)))
    return found


def _wanted(case: str, where: str, inside: bool, place: str) -> bool:
    if inside or where == case:
        return inside and where == case
    return not place or (where == "policy") == (place == "policy")


def _coverage(results: Results, place: str) -> list[float]:
    shares = [
        numbers["covered"]
        for case in results.cases
        for run in results.runs(case, NAME)
        for where, numbers in run["7"].items()
        if _wanted(case, where, place == "own", "" if place == "own" else place)
    ]
    return [float(share) for share in np.mean(shares, axis=0)]


def _interval(values: list[float]) -> str:
    n = len(values)
    if n < 2:
        return f"{np.mean(values):.2f}"
    half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return f"{np.mean(values):.2f} ± {half:.2f}"


NAME = "ensemble"
SUITE = Suite(
    "calibration", {s: s for s in SETS}, {NAME: Algorithm(calibrated, STUDY)}, work, table, seeds=5
)

"""Archives of several methods, each run several times, compared by every metric at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_number, is_whole
from blackbox.errors import BatchError, require
from blackbox.metrics.illumination import Elites, Run, elites_of, illumination, same_cells
from blackbox.metrics.pareto import hypervolume
from blackbox.metrics.quality_diversity import cqd_score, moqd_score
from blackbox.metrics.scores import Floats, count, numbers

if TYPE_CHECKING:
    import pandas as pd

#: Archives, or (cells, scores) pairs, by method; a list alone is of one method.
Archives: TypeAlias = Sequence[Run] | Mapping[str, Run | Sequence[Run]]

_TARGETS = 256


@dataclass(frozen=True)
class Comparison:
    """Metrics of runs by method.

    Args:
        values: metric to method to (r,) its runs' values.
        intervals: metric to method to the ends of the interval of the mean; NaN for one run.
        p_values: metric to a pair of methods to the two-sided p of the Mann-Whitney U test.
        level: confidence of the intervals.
    """

    values: dict[str, dict[str, Floats]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    p_values: dict[str, dict[tuple[str, str], float]]
    level: float

    def to_dataframe(self) -> pd.DataFrame:
        """One row a metric and method: runs, mean, its interval, p against each other method.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = require("pandas", "data")
        rows = []
        for metric, methods in self.values.items():
            for method, values in methods.items():
                low, high = self.intervals[metric][method]
                row = {"metric": metric, "method": method, "runs": len(values)}
                row |= {"mean": _mean(values), "low": low, "high": high}
                for pair, p in self.p_values[metric].items():
                    if method in pair:
                        row[f"p against {pair[method == pair[0]]}"] = p
                rows.append(row)
        return cast("pd.DataFrame", pandas.DataFrame(rows))

    def __str__(self) -> str:
        lines = []
        for metric, methods in self.values.items():
            lines.append(metric)
            width = max(map(len, methods))
            for method, values in methods.items():
                low, high = self.intervals[metric][method]
                spread = f"  [{low:.4g}, {high:.4g}]" if len(values) > 1 else ""
                lines.append(f"  {method:<{width}}  {_mean(values):.4g}{spread}")
            for (one, other), p in self.p_values[metric].items():
                lines.append(f"  {one} against {other}: p = {p:.2g}")
        return "\n".join(lines)


def compare_archives(
    archives: Archives,
    *,
    offset: float = 0.0,
    reference: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Comparison:
    """Every metric of quality diversity over a set of runs, with intervals and tests.

    The metrics are the four of ``illumination``, against the best that all runs given here found;
    the share of all cells that are filled; the best score; the QD score; and, as far as the runs
    have measures, the CQD score at 256 uniform targets with scores from ``offset`` to the best of
    all. For archives whose cells hold Pareto fronts they are the MOQD score, the hypervolume
    of all elites together, and the two shares of cells.

    Intervals are percentile bootstrap intervals of the mean over a method's runs, with the best of
    all runs held fixed; a few runs make them too narrow. Tests are two-sided Mann-Whitney U tests
    of each pair of methods, not corrected for their number.

    Args:
        archives: by method one archive or a list; a list alone is of one method. All of the same
            cells. In place of an archive a pair of (n,) cells and (n,) scores will do.
        offset: the least possible score.
        reference: (m,) reference point of hypervolumes, in scores; by default the worst seen.
        level: confidence of the intervals.
        resamples: bootstrap samples.
        seed: seeds the bootstrap and the targets.

    Raises:
        BatchError: nothing to compare, different cells, or a score below the offset.
        MissingExtraError: SciPy is not installed and there are several methods, or moocore and
            cells hold fronts.
    """
    groups = _groups(archives)
    if not is_number(level) or not 0 < level < 1:
        raise BatchError(f"level={level!r}; give a number above 0 and below 1")
    if not is_whole(seed, 0):
        raise BatchError(f"seed={seed!r}; give an int of at least 0")
    resamples = count("resamples", resamples)
    runs = [run for group in groups.values() for run in group]
    same_cells(runs)
    fronts = [numbers("scores", r[1] if isinstance(r, tuple) else r.scores).ndim == 2 for r in runs]
    rng = np.random.default_rng(seed)
    if all(fronts) and all(_columns(run) > 1 for run in runs):
        whole = _of_fronts(runs, reference)
    else:
        whole = _of_elites(runs, offset, rng)
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
    values = {
        metric: {name: found[owner == i] for i, name in enumerate(groups)}
        for metric, found in whole.items()
    }
    intervals = {
        metric: {name: _interval(v, level, resamples, rng) for name, v in methods.items()}
        for metric, methods in values.items()
    }
    pairs = list(itertools.combinations(groups, 2))
    p_values = {
        metric: {(a, b): _p_value(methods[a], methods[b]) for a, b in pairs}
        for metric, methods in values.items()
    }
    return Comparison(values, intervals, p_values, level)


def _groups(archives: Archives) -> dict[str, list[Run]]:
    named = archives if isinstance(archives, Mapping) else {"archive": archives}
    groups = {str(k): list(v) if isinstance(v, list) else [v] for k, v in named.items()}
    if not groups or not all(groups.values()):
        raise BatchError("there is nothing to compare: give at least one archive of each method")
    return cast("dict[str, list[Run]]", groups)


def _of_elites(runs: list[Run], offset: float, rng: np.random.Generator) -> dict[str, Floats]:
    """Metric to (r,) values, for cells with one elite each."""
    maps = [elites_of(run) for run in runs]
    lit = illumination(runs, offset=offset)
    found: dict[str, Floats] = {
        "global performance": lit.global_performance,
        "global reliability": lit.global_reliability,
        "precision": lit.precision,
        "coverage": lit.coverage,
        "best": np.array([scores.max(initial=-math.inf) for _, scores in maps]),
        "QD score": np.array([(scores - offset).sum() for _, scores in maps]),
    }
    archives = [run for run in runs if not isinstance(run, tuple)]
    if len(archives) < len(runs):
        return found
    found["filled"] = _filled(archives)
    most = float(found["best"].max())
    if most > offset:
        low, high = archives[0].low, archives[0].high
        targets = rng.uniform(low, high, (_TARGETS, len(low)))
        score = partial(cqd_score, low=low, high=high, least=offset, most=most, targets=targets)
        found["CQD score"] = np.array([score(np.ravel(a.scores), a.measures) for a in archives])
    return found


def _of_fronts(runs: list[Run], reference: npt.ArrayLike | None) -> dict[str, Floats]:
    """Metric to (r,) values, for cells with Pareto fronts."""
    maps = [run if isinstance(run, tuple) else (run.cells, run.scores) for run in runs]
    pooled = np.concatenate([numbers("scores", scores) for _, scores in maps])
    if not len(pooled):
        raise BatchError("no run has an elite; there is nothing to compare")
    point = np.nanmin(pooled, axis=0) if reference is None else reference
    cells = [set(np.asarray(c)[np.asarray(c) >= 0].tolist()) for c, _ in maps]
    found = {
        "MOQD score": np.array([moqd_score(s, c, point) for c, s in maps]),
        "hypervolume": np.array([hypervolume(s, point) for _, s in maps]),
        "coverage": np.array([len(c) for c in cells]) / len(set().union(*cells)),
    }
    archives = [run for run in runs if not isinstance(run, tuple)]
    return found | ({"filled": _filled(archives)} if len(archives) == len(runs) else {})


def _filled(archives: list[Elites]) -> Floats:
    """(r,) share of all cells that are filled."""
    return np.array([len(np.unique(a.cells)) / a.size for a in archives])


def _columns(run: Run) -> int:
    scores = numbers("scores", run[1] if isinstance(run, tuple) else run.scores)
    return scores.shape[1] if scores.ndim == 2 else 1


def _mean(values: Floats) -> float:
    return float(values.mean())


def _interval(
    values: Floats, level: float, resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979)."""
    if len(values) < 2:
        return math.nan, math.nan
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _p_value(one: Floats, other: Floats) -> float:
    both = np.concatenate([one, other])
    if np.isnan(both).any():
        return math.nan
    if (both == both[0]).all():
        return 1.0
    test: Callable[..., tuple[float, float]] = require("scipy.stats", "qd").mannwhitneyu
    return float(test(one, other, alternative="two-sided")[1])

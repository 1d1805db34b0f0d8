"""Problems of recorded runs: what may be evaluated is what was trained.

Files are not part of the project: they lie below the folder that ``BLACKBOX_DATA`` names, in
``admire``, and their SHA-256 is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

import blackbox as bb
from blackbox.acquisitions.search import keys
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.problems.files import DataFile
from studies.data_mixtures.runs import Floats, Runs, Table

_REGMIX = "data/ of github.com/sail-sg/regmix (commit b004d3a)"
_IFT = "admire_ift_runs/ of github.com/xo28/ADMIRE-BayesOpt (commit dc17795)"


def _file(name: str, sha256: str, source: str) -> DataFile:
    return DataFile(f"admire/{name}", sha256, source)


#: Size to the tables of mixtures and losses of the Pile runs.
PILE_FILES: dict[float, list[tuple[DataFile, DataFile]]] = {
    size: [
        (
            _file(f"regmix/{kind}_mixture_{name}.csv", mixture, _REGMIX),
            _file(f"regmix/{kind}_pile_loss_{name}.csv", loss, _REGMIX),
        )
        for kind, name, mixture, loss in tables
    ]
    for size, tables in {
        1e6: [
            (
                "train",
                "1m",
                "04a32ef4ab594376bf90e11404c033668f887c351d6a03ad3744824c7296a2d8",
                "49a959aa07ce5c20831d5abe3a7896ff0cd90a398bd407c8913fd5588be0465a",
            ),
            (
                "test",
                "1m",
                "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8",
                "e027b1674f60140a65a87b5e4a59ab5f09dc33e8fd02c080682678074b160f53",
            ),
        ],
        6e7: [
            (
                "test",
                "60m",
                "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8",
                "8fe69d59ab7dd4fae4736459f4265ec93c7ed1ad1eca407346052560edc72b5b",
            )
        ],
        1e9: [
            (
                "test",
                "1B",
                "dd38052949c0a5f84165bdcb3ae3a331c7f07efd9bb83848bd579dfc4ce75a2c",
                "b2451e2b7fa15400688edc39e4d32f21ccbe0fb356e07d62a0e9ccddf247114f",
            )
        ],
    }.items()
}
PILE_DOMAINS = (
    "arxiv", "freelaw", "nih_exporter", "pubmed_central", "wikipedia_en", "dm_mathematics",
    "github", "philpapers", "stackexchange", "enron_emails", "gutenberg_pg_19", "pile_cc",
    "ubuntu_irc", "europarl", "hackernews", "pubmed_abstracts", "uspto_backgrounds",
)  # fmt: skip
#: Shares of the Pile's domains as RegMix (mixture_config/config_1b/human.yaml) gives them.
NATURAL = (
    0.1052, 0.0386, 0.0052, 0.1071, 0.0919, 0.0198,
    0.0427, 0.0027, 0.0929, 0.0030, 0.0199, 0.1121,
    0.0074, 0.0043, 0.0075, 0.0845, 0.0420,
)  # fmt: skip
IFT_FILE = _file(
    "admire_ift/admire_ift_runs.csv",
    "703b061d36203c297b311c1d03adcb46a9497a2fc1b3e86f81a55b047a205686",
    _IFT,
)
IFT_SIZES = {"Qwen2.5-0.5B": 0.5e9, "Qwen2.5-3B": 3e9, "Qwen2.5-7B": 7e9}
IFT_IN_DISTRIBUTION = 10  # the first of the 17 tasks

Sense: TypeAlias = Literal["min", "max"]


@dataclass(frozen=True)
class Outcome:
    """What is optimized on recorded runs: the mean of some metrics.

    Args:
        metrics: their names.
        sense: "min" for losses, "max" for scores.
        apart: whether each metric is an objective of its own, so that it gets its own model; else
            their mean is the only one.
    """

    metrics: tuple[str, ...]
    sense: Sense
    apart: bool = True


class Recorded(bb.Problem):
    """Recorded runs as a problem; its evaluations repeat, so their noise is known to be none.

    Args:
        runs: the table.
        outcome: what is optimized, at the largest size.
        costs: of a run of each size.

    Raises:
        ProblemError: a size has no cost, or the outcome names an unknown metric.
    """

    about = "Recorded runs of language models by the mixture of their training data"

    def __init__(self, runs: Runs, outcome: Outcome, costs: Mapping[float, float]) -> None:
        self.runs, self.outcome, self._costs = runs, outcome, dict(costs)
        for size in np.unique(runs.sizes).tolist():
            if size not in self._costs:
                raise ProblemError(f"Recorded: no cost for size {size:g}; give one in costs")
        for name in outcome.metrics:
            if name not in runs.metrics:
                raise ProblemError(f"Recorded: no metric {name!r}; there are {[*runs.metrics]}")
        kind = bb.Minimize if outcome.sense == "min" else bb.Maximize
        self._names = outcome.metrics if outcome.apart else ("mean",)
        self.space = bb.Space(bb.Simplex("mix", runs.domains))
        self.objectives = [kind(name, noise=f"{name} noise") for name in self._names]
        sizes = sorted(set(runs.sizes.tolist()))
        self.fidelity = bb.Fidelity(bb.Ordinal("params", sizes), target=sizes[-1])
        self._place = {
            (key, size): i
            for i, (key, size) in enumerate(
                zip(keys(runs.mixes).tolist(), runs.sizes.tolist(), strict=True)
            )
        }
        # Runs of one mixture and size: the last is the one that is looked up.

    @property
    def candidates(self) -> Batch:
        """The rows that may be evaluated."""
        return Batch({"mix": self.runs.mixes, "params": self.runs.sizes.astype(np.float64)})

    @property
    def target(self) -> Floats:
        """(n,) which runs are at the target."""
        return np.asarray(self.runs.sizes == self.runs.sizes.max())

    def cost(self, batch: Batch) -> Array:
        """(n,) cost of each row."""
        return np.array([self._costs[size] for size in batch["params"].tolist()])

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The recorded outcomes.

        Raises:
            ProblemError: a mixture was never run at this size.
        """
        at = self._places(batch)
        found: dict[str, Array] = {}
        for name in self._names:
            columns = self.outcome.metrics if name == "mean" else (name,)
            found[name] = np.mean([self.runs.metrics[c][at] for c in columns], axis=0)
        return found | {f"{name} noise": np.zeros(len(batch)) for name in self._names}

    def regret(self, batch: Batch) -> Array:
        """(n,) how much worse the mixtures are at the target than the best recorded there."""
        target = batch.with_columns(params=np.full(len(batch), self.runs.sizes.max()))
        means = self.means
        best = means[self.target].min() if self.outcome.sense == "min" else means[self.target].max()
        return np.asarray(np.abs(means[self._places(target)] - best))

    @property
    def means(self) -> Floats:
        """(n,) the mean of the outcome's metrics in each run."""
        return np.asarray(np.mean([self.runs.metrics[m] for m in self.outcome.metrics], axis=0))

    def _places(self, batch: Batch) -> Array:
        wanted = zip(keys(batch["mix"]).tolist(), batch["params"].tolist(), strict=True)
        places = np.array([self._place.get(pair, -1) for pair in wanted])
        absent = np.flatnonzero(places < 0)
        if len(absent):
            row = int(absent[0])
            mix = dict(zip(self.runs.domains, batch["mix"][row].round(4).tolist(), strict=True))
            raise ProblemError(
                f"Recorded: row {row}, column 'params': {mix} was never run at "
                f"{batch['params'][row]:g}; choose among .candidates"
            )
        return places


def pile_runs() -> Runs:
    """RegMix's runs on 17 domains of the Pile: 768 of 1M, 256 of 60M and 64 of 1B parameters.

    Raises:
        ProblemError: a file is missing, differs, or a cell is wrong.
    """
    parts = []
    for size, tables in PILE_FILES.items():
        for mixture, loss in tables:
            shares, losses = Table(mixture.find()), Table(loss.find())
            if shares.texts("index") != losses.texts("index"):
                raise ProblemError(
                    f"{losses.path}, column 'index': not the runs of {shares.path.name}"
                )
            columns = shares.domains("train_the_pile_", PILE_DOMAINS)
            metrics = {
                name.removeprefix("metric/the_pile_").removesuffix("_val_loss"): name
                for name in losses.names
                if name.startswith("metric/")
            }
            values = {short: losses.numbers(name) for short, name in metrics.items()}
            mixes = shares.shares(columns)
            parts.append(Runs(PILE_DOMAINS, mixes, np.full(len(mixes), size), values))
    return Runs.joined(parts)


def ift_runs() -> Runs:
    """ADMIRE's 460 runs of instruction tuning on 19 sources: 256, 128 and 76 models.

    Means over tasks are computed from the tasks: three rows of the table's own are off by 0.02.

    Raises:
        ProblemError: the file is missing, differs, or a cell is wrong.
    """
    table = Table(IFT_FILE.find())
    models = table.texts("model")
    unknown = [i for i, model in enumerate(models) if model not in IFT_SIZES]
    if unknown:
        raise ProblemError(
            f"{table.path}, line {unknown[0] + 2}, column 'model': unknown {models[unknown[0]]!r}"
        )
    columns = {n.removeprefix("ratio_"): n for n in table.names if n.startswith("ratio_")}
    tasks = [n for n in table.names if n.startswith("metric_") and "::" in n]
    metrics = {name.removeprefix("metric_").split(":")[0]: table.numbers(name) for name in tasks}
    metrics["minutes"] = table.numbers("train_time")
    sizes = np.array([IFT_SIZES[model] for model in models])
    return Runs(tuple(columns), table.shares(columns), sizes, metrics)


def pile(target: str = "avg13", *, apart: bool = True) -> Recorded:
    """The Pile runs: "pile_cc", the loss on Common Crawl, or "avg13", the mean of all 13.

    Cost is the share of parameters.

    Raises:
        ProblemError: as ``pile_runs``; or an unknown target.
    """
    runs = pile_runs()
    metrics = _chosen(target, {"pile_cc": ("pile_cc",), "avg13": tuple(runs.metrics)})
    costs = {size: size / 1e9 for size in PILE_FILES}
    return Recorded(runs, Outcome(metrics, "min", apart and len(metrics) > 1), costs)


def ift(target: str = "mean", *, apart: bool = True) -> Recorded:
    """The instruction-tuning runs: "mean" of 17 tasks, "id" of the first ten, "ood" of the others.

    Cost is the mean training time, in units of the largest model's.

    Raises:
        ProblemError: as ``ift_runs``; or an unknown target.
    """
    runs = ift_runs()
    tasks = tuple(name for name in runs.metrics if name != "minutes")
    known = {"mean": tasks, "id": tasks[:IFT_IN_DISTRIBUTION], "ood": tasks[IFT_IN_DISTRIBUTION:]}
    minutes = {s: runs.metrics["minutes"][runs.sizes == s].mean() for s in IFT_SIZES.values()}
    costs = {size: float(time / max(minutes.values())) for size, time in minutes.items()}
    return Recorded(runs, Outcome(_chosen(target, known), "max", apart), costs)


def _chosen(target: str, known: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    if target not in known:
        raise ProblemError(f"target={target!r}: one of {[*known]}")
    return tuple(known[target])

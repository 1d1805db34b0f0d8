"""Molecules built of fragments, judged by RDKit (extra ``molecules``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import require
from blackbox.formulation import Maximize, Problem
from blackbox.problems.assembly import Assembly
from blackbox.problems.exhaustive import distinct
from blackbox.problems.files import DataFile, PathLike
from blackbox.problems.single import dimension
from blackbox.space import Integer, Space
from blackbox.space import Sequence as String

_SCALES = ("qed", "sa", "weight")


class Fragments(Problem):
    """Trees of molecular fragments, from a vocabulary with attachment points.

    The vocabulary of 72 fragments and the scales are those of the fragment task of multi-objective
    GFlowNets (Jain et al. 2023): each objective lies in [0, 1] and is maximized.

    * qed: quantitative estimate of drug-likeness (Bickerton et al. 2012);
    * sa: (10 - SA) / 9 of the synthetic accessibility SA (Ertl and Schuffenhauer 2009);
    * weight: 1 - (W - 300) / 700 of the weight W in dalton, clipped to [0, 1].

    A row lists the fragments; fragment j + 1 is bound by its attachment point ``by[j]`` to open
    attachment point number ``site[j]`` of what stands, both counted modulo how many there are.
    Every row is a molecule, and several rows can be the same one. ``construction`` builds each
    tree step by step. A molecule that RDKit refuses is a failed row.

    Args:
        objectives: some of those above, one or more.
        most: fragments at most, at least 2.
        path: ``fragments72.json``, a list of {"smiles": text, "attach": [atom, ...]}; by default
            below the folder that ``BLACKBOX_DATA`` names.

    Raises:
        ProblemError: an unknown objective, ``most`` out of range, or a file that is missing or
            differs.
        MissingExtraError: on evaluation, where RDKit is not installed.
    """

    file: ClassVar[DataFile] = DataFile(
        "gfn/fragments72.json",
        "2631da6fb88a37c363ac736ac45adf58f5c3aea677de2becb92f006cb2951a89",
        "src/gflownet/models/bengio2021flow.py of github.com/recursionpharma/gflownet (commit "
        "f064713), as JSON",
    )
    about = "Molecules of fragments: drug-likeness, ease of synthesis, low weight"

    def __init__(
        self,
        objectives: Sequence[str] = _SCALES,
        most: int = 8,
        path: PathLike | None = None,
    ) -> None:
        listed = distinct(self.name, "objectives", objectives, _SCALES)
        dimension(self, most, 2, "most")
        vocabulary = json.loads(self.file.find(path).read_text(encoding="utf-8"))
        self._smiles = [str(fragment["smiles"]) for fragment in vocabulary]
        self._attach: list[list[int]] = [fragment["attach"] for fragment in vocabulary]
        points = [len(atoms) for atoms in self._attach]
        self.space = Space(
            String("fragments", self._smiles, (1, most)),
            Integer("site", 0, (most - 1) * max(points) - 1, size=most - 1),
            Integer("by", 0, max(points) - 1, size=most - 1),
        )
        self.construction = Assembly(self.space, points)
        self.objectives = tuple(Maximize(name) for name in listed)
        self.reference = Batch({name: [0.0] for name in listed})

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The objectives of every row; NaN for a molecule that RDKit refuses."""
        measured = [self._judged(molecule) for molecule in self.molecules(batch)]
        return {o.name: np.array([one[o.name] for one in measured]) for o in self.objectives}

    def molecules(self, batch: Batch) -> list[Any]:
        """RDKit's molecule of each row; None where it refuses one."""
        require("rdkit", "molecules")
        states = self.construction.encode(self.space.check(batch))
        return [self._built(*tree) for tree in self.construction.trees(states)]

    def _built(self, fragments: list[int], bonds: list[tuple[int, int, int, int]]) -> Any:
        """The molecule of a tree whose bonds are (fragment, point, fragment, point)."""
        from rdkit import Chem

        parts = [self._parts[f] for f in fragments]
        first = np.concatenate([[0], np.cumsum([part.GetNumAtoms() for part in parts])])
        joined = Chem.RWMol()
        for part in parts:
            joined.InsertMol(part)
        for i, p, j, q in bonds:
            ends = (
                int(first[i]) + self._attach[fragments[i]][p],
                int(first[j]) + self._attach[fragments[j]][q],
            )
            for end in ends:  # a hydrogen that is written out makes room
                atom = joined.GetAtomWithIdx(end)
                atom.SetNumExplicitHs(max(0, atom.GetNumExplicitHs() - 1))
            joined.AddBond(*ends, Chem.BondType.SINGLE)
        molecule = joined.GetMol()
        flaw = Chem.SanitizeMol(molecule, catchErrors=True)
        return molecule if flaw == Chem.SanitizeFlags.SANITIZE_NONE else None

    @cached_property
    def _parts(self) -> list[Any]:
        from rdkit import Chem

        return [Chem.MolFromSmiles(smiles) for smiles in self._smiles]

    def _judged(self, molecule: Any) -> dict[str, float]:
        if molecule is None:
            return dict.fromkeys(_SCALES, np.nan)
        from rdkit.Chem import QED, rdMolDescriptors
        from rdkit.Contrib.SA_Score import sascorer

        weight = 1 - (rdMolDescriptors._CalcMolWt(molecule) - 300) / 700
        return {
            "qed": QED.default(molecule),  # type: ignore[no-untyped-call]
            "sa": (10 - sascorer.calculateScore(molecule)) / 9,
            "weight": float(np.clip(weight, 0, 1)),
        }

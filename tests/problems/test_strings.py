"""Strings: motifs counted by hand, and structures of DNA whose folds are plain."""

from __future__ import annotations

import re

import numpy as np
import pytest

from blackbox import problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError


class TestNGrams:
    def test_overlaps_count_and_padding_does_not(self):
        problem = problems.NGrams(("AA", "ACA"), "ACD", (3, 7))
        problem.check()
        text = problem.space.check(Batch({"text": ["AAAAACA", "ACACADA", "DDD"]}))
        found = problem.measure(text)
        np.testing.assert_allclose(found["AA"], np.array([4, 0, 0]) / 3)
        np.testing.assert_allclose(found["ACA"], np.array([1, 2, 0]) / 2)

    def test_counts_are_those_of_regular_expressions(self):
        problem = problems.NGrams(("AV", "VC", "CA"))
        rows = problem.space.draw(300, np.random.default_rng(0))
        texts = ["".join(row) for row in rows["text"]]
        for motif, shares in problem.measure(rows).items():
            counts = [len(re.findall(f"(?={motif})", text)) for text in texts]
            np.testing.assert_allclose(shares * 18, counts)

    @pytest.mark.parametrize("motifs", [(), ("AV", "AV"), ("",), ("AB",), ("A" * 37,), 3, (1, 2)])
    def test_bad_motifs(self, motifs):
        with pytest.raises(ProblemError, match="give different strings of letters"):
            problems.NGrams(motifs)

    def test_one_length(self):
        assert problems.NGrams(("AV",), length=4).space["text"].length == (4, 4)


class TestAptamer:
    def test_a_hairpin_folds_and_a_poly_a_does_not(self):
        pytest.importorskip("RNA", reason="needs the extra aptamers")
        problem = problems.Aptamer(("energy", "pairs", "hairpins", "length"), (0, 30))
        problem.check()
        two = "GGGGAAAACCCC" + "AAA" + "GGGGAAAACCCC"
        strands = problem.space.check(Batch({"dna": ["GGGGAAAACCCC", two, "A" * 30, ""]}))
        found = problem.measure(strands)
        assert found["pairs"].tolist() == [4, 8, 0, 0]
        assert found["hairpins"].tolist() == [1, 2, 0, 0]
        assert found["length"].tolist() == [12, 27, 30, 0]
        assert found["energy"][1] < 2 * found["energy"][0] < -2
        assert found["energy"][2:].tolist() == [0, 0]

    def test_the_parameters_of_rna_are_put_back(self):
        rna = pytest.importorskip("RNA", reason="needs the extra aptamers")
        before = rna.fold("GGGGAAAACCCC")
        problem = problems.Aptamer()
        rows = problem.space.draw(3, np.random.default_rng(0))
        problem.measure(rows)
        assert rna.fold("GGGGAAAACCCC") == before

    def test_bad_objectives(self):
        with pytest.raises(ProblemError, match="give different names"):
            problems.Aptamer(("energy", "weight"))

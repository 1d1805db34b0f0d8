"""Molecules of fragments: every edge of the construction, and what RDKit makes of known rows."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from blackbox import problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.problems.files import DataFile
from blackbox.space.construction import enumerated

VOCABULARY = [
    {"smiles": "C", "attach": [0]},
    {"smiles": "CC", "attach": [0, 1]},
    {"smiles": "c1c[nH]cc1", "attach": [0, 2, 3]},
]


@pytest.fixture
def fragments(tmp_path):
    """The problem with a vocabulary of three fragments."""
    path = tmp_path / "fragments.json"
    path.write_text(json.dumps(VOCABULARY))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    kind = type("Fragments", (problems.Fragments,), {"file": DataFile("f", digest, "nowhere")})
    return lambda *arguments: kind(*arguments, path=path)


def row(tree, most):
    """A row of fragments, sites and points."""
    names, site, by = tree
    pad = [0] * (most - 1 - len(site))
    smiles = [VOCABULARY[i]["smiles"] for i in names] + [""] * (most - len(names))
    return {"fragments": smiles, "site": [*site, *pad], "by": [*by, *pad]}


def rows(*trees, most):
    made = [row(tree, most) for tree in trees]
    return Batch({name: [one[name] for one in made] for name in made[0]})


class TestConstruction:
    def test_every_edge_leads_there_and_back(self, fragments):
        made = fragments(("qed",), 3).construction
        graph = enumerated(made)
        assert graph is not None
        assert graph.completable.all(), "there are no dead ends"
        parent, child = graph.states[graph.parent], graph.states[graph.child]
        np.testing.assert_array_equal(made.undo(child, graph.action), parent)
        mask = np.zeros((len(graph.states), made.actions), dtype=bool)
        mask[graph.child, graph.action] = True
        np.testing.assert_array_equal(made.parents(graph.states), mask)
        np.testing.assert_array_equal(
            made.terminal(graph.states), ~made.allowed(graph.states).any(1)
        )
        assert len(np.unique(made.features(graph.states), axis=0)) == len(graph.states)
        assert len(graph.levels) == made.depth + 1

    def test_the_number_of_trees_is_that_of_counting(self, fragments):
        """Of at most three: 3 roots; then picks times open points, sites in either order."""
        graph = enumerated(fragments(("qed",), 3).construction)
        points, picks = (1, 2, 3), 6
        pairs = sum(p * picks for p in points)
        # The third hangs on another point of the root (unordered), or on the second.
        both_on_root = sum(p * (p - 1) // 2 * picks**2 for p in points)
        chains = sum(p * sum(q * (q - 1) for q in points) for p in points) * picks
        assert graph.terminal.sum() == 3 + pairs + both_on_root + chains

    def test_rows_and_states_stand_for_each_other(self, fragments):
        problem = fragments(("qed",), 5)
        made = problem.construction
        drawn = problem.space.draw(300, np.random.default_rng(0))
        states = made.encode(drawn)
        assert made.terminal(states).all()
        written = made.decode(states)
        np.testing.assert_array_equal(made.encode(problem.space.check(written)), states)
        walked = made.draw(300, np.random.default_rng(1))
        np.testing.assert_array_equal(made.encode(made.decode(walked)), walked)


class TestProblem:
    def test_molecules_by_hand(self, fragments):
        chem = pytest.importorskip("rdkit.Chem", reason="needs the extra molecules")
        problem = fragments(("qed", "sa", "weight"), 4)
        problem.check()
        made = rows(
            ([0], [], []),
            ([1, 1], [0], [0]),  # butane
            ([0, 0, 0], [0, 0], [0, 0]),  # methane has one point: the third finds no place
            ([2, 0], [1], [0]),  # on the nitrogen, whose written hydrogen makes room
            ([2, 0, 1], [0, 0], [0, 1]),
            most=4,
        )
        smiles = [chem.MolToSmiles(molecule) for molecule in problem.molecules(made)]
        wanted = ["C", "CCCC", "CC", "Cn1cccc1", "CCn1ccc(C)c1"]
        assert smiles == [chem.CanonSmiles(text) for text in wanted]
        found = problem.measure(made)
        assert found["weight"].tolist() == [1] * 5
        assert all(((v >= 0) & (v <= 1)).all() for v in found.values())

    def test_a_molecule_that_rdkit_refuses_is_a_failed_row(self, fragments, monkeypatch):
        pytest.importorskip("rdkit", reason="needs the extra molecules")
        problem = fragments(("qed",), 2)
        monkeypatch.setattr(problem, "molecules", lambda batch: [None] * len(batch))
        assert np.isnan(
            problem.measure(problem.space.draw(2, np.random.default_rng(0)))["qed"]
        ).all()

    def test_bad_input(self, fragments):
        with pytest.raises(ProblemError, match="most=1"):
            fragments(("qed",), 1)
        with pytest.raises(ProblemError, match="give different names"):
            fragments(("activity",))
        with pytest.raises(ProblemError, match="SHA-256"):
            problems.Fragments(path=__file__)

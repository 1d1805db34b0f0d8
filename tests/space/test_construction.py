"""Constructions: every graph is written out and checked edge by edge."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import SpaceError
from blackbox.space.construction import Construction, enumerated, keys

CATS = [bb.Categorical("a", ["l", "r", None]), bb.Categorical("b", [False, True])]
LEVELS = bb.Ordinal("o", [1, 10, 100])
WHOLE = bb.Integer("k", -1, 1, size=2)
MANY = bb.Integer("m", 5, 49)
FIXED = bb.Sequence("s", "ACG", 3)
FREE = bb.Sequence("f", "xy", (1, 3))
TOUR = bb.Permutation("t", ["u", "v", "w"])
SUM = bb.LinearConstraint({"k": [1, 2], "o": 0.1}, lower=-1, upper=2)

MADE = {
    "slots": (bb.Space(*CATS, LEVELS), "any"),
    "slots in order": (bb.Space(*CATS, LEVELS, WHOLE), "fixed"),
    "mixed kinds of values": (bb.Space(LEVELS, *CATS, bb.Real("r", 2, 2)), None),
    "digits": (bb.Space(MANY, CATS[1]), "any"),
    "digits in order": (bb.Space(MANY, CATS[1]), "fixed"),
    "grid": (bb.Space(WHOLE, LEVELS), "grid"),
    "subsets": (bb.Space(bb.Integer("in", 0, 1, size=4)), "grid"),
    "fixed string": (bb.Space(FIXED), None),
    "fixed string in any order": (bb.Space(FIXED), "any"),
    "string": (bb.Space(FREE), None),
    "empty string": (bb.Space(bb.Sequence("f", "xyz", (0, 2))), None),
    "both ends": (bb.Space(FREE), "ends"),
    "both ends, one length": (bb.Space(FIXED), "ends"),
    "permutation": (bb.Space(TOUR), None),
    "composite": (bb.Space(FREE, CATS[0], TOUR), "any"),
    "composite in order": (bb.Space(CATS[1], FREE, LEVELS, TOUR), "fixed"),
    "two strings": (bb.Space(FIXED, bb.Sequence("q", "AC", 2), CATS[1]), None),
    "linear": (bb.Space(WHOLE, LEVELS, constraints=[SUM]), "any"),
    "linear in order": (bb.Space(WHOLE, LEVELS, constraints=[SUM]), "fixed"),
    "linear grid": (bb.Space(WHOLE, LEVELS, constraints=[SUM]), "grid"),
    "linear digits": (
        bb.Space(MANY, WHOLE, constraints=[bb.LinearConstraint({"m": 1, "k": 3}, upper=20)]),
        "any",
    ),
}


@pytest.fixture(params=MADE)
def made(request):
    space, order = MADE[request.param]
    return space, space.construction(order)


def graph_of(construction):
    graph = enumerated(construction)
    assert graph is not None
    return graph


def test_every_edge_leads_there_and_back(made):
    _, construction = made
    graph = graph_of(construction)
    parents, children = graph.states[graph.parent], graph.states[graph.child]
    assert np.array_equal(construction.step(parents, graph.action), children)
    assert np.array_equal(construction.undo(children, graph.action), parents)
    marked = np.zeros((len(graph.states), construction.actions), dtype=bool)
    marked[graph.child, graph.action] = True
    assert np.array_equal(construction.parents(graph.states), marked)


def test_states_end_exactly_where_nothing_is_allowed(made):
    _, construction = made
    graph = graph_of(construction)
    assert np.array_equal(~construction.allowed(graph.states).any(axis=1), graph.terminal)
    assert len(graph.levels) <= construction.depth + 1


def test_terminal_states_are_the_candidates(made):
    space, construction = made
    graph = graph_of(construction)
    ends = graph.states[graph.terminal]
    batch = construction.decode(ends)
    assert batch.names == space.names
    assert space.check(batch).equals(batch)
    assert np.array_equal(construction.encode(batch), ends)
    assert len(ends) == construction.cardinality
    if space.polytope is None:
        assert len(ends) == space.cardinality
    else:
        free = bb.Space(*space).construction("any")
        everything = free.decode(graph_of(free).states[graph_of(free).terminal])
        assert len(ends) == space.feasible(everything).sum()


def test_features_tell_states_apart(made):
    _, construction = made
    graph = graph_of(construction)
    inner = graph.states[~graph.terminal]
    features = np.asarray(construction.features(inner))
    assert len(np.unique(features, axis=0)) == len(inner)


def test_the_last_tokens_of_a_string_look_alike_wherever_they_stand():
    construction = bb.Space(bb.Sequence("text", "abc", (2, 7))).construction()
    assert isinstance(construction, Construction)

    def recent(tokens):  # newest first, behind the places counted from the beginning
        state = construction.initial(1)
        for token in tokens:
            state = construction.step(state, np.array([token]))
        return np.asarray(construction.features(state))[0, 7 * 3 : -1].reshape(-1, 3)

    assert not recent([]).any()
    assert recent([1]).sum() == 1
    np.testing.assert_array_equal(recent([2, 1])[:2], np.eye(3)[[1, 2]])
    np.testing.assert_array_equal(recent([0, 1, 2, 1, 0]), recent([2, 2, 0, 1, 2, 1, 0][1:]))
    assert not (recent([0, 1, 2]) == recent([0, 2, 1])).all()


def test_arguments_are_not_written_into(made):
    _, construction = made
    graph = graph_of(construction)
    for name, column in (("step", graph.parent), ("undo", graph.child)):
        states = graph.states[column]
        before = states.copy()
        getattr(construction, name)(states, graph.action)
        assert np.array_equal(states, before)


def test_tensors_are_answered_in_kind(made):
    torch = pytest.importorskip("torch")
    _, construction = made
    if not construction.tensors:
        return
    graph = graph_of(construction)
    states = torch.from_numpy(graph.states)
    for name in ("terminal", "allowed", "parents", "features"):
        answer = getattr(construction, name)(states)
        assert np.array_equal(answer.numpy(), getattr(construction, name)(graph.states))
    actions = torch.from_numpy(graph.action)
    for name, column in (("step", graph.parent), ("undo", graph.child)):
        answer = getattr(construction, name)(states[torch.from_numpy(column)], actions)
        expected = getattr(construction, name)(graph.states[column], graph.action)
        assert np.array_equal(answer.numpy(), expected)


def test_random_walks_give_objects(made):
    _, construction = made
    drawn = construction.draw(50, np.random.default_rng(0))
    assert drawn.shape == (50, construction.width)
    assert construction.terminal(drawn).all()


def test_keys_are_different_for_different_rows():
    states = np.stack(np.meshgrid(*[np.arange(-1, 9)] * 5), axis=-1).reshape(-1, 5)
    assert len(np.unique(keys(states))) == len(states)


def test_many_values_cost_few_actions():
    construction = bb.Space(bb.Integer("k", 0, 999)).construction()
    assert (construction.actions, construction.depth, construction.cardinality) == (30, 3, 1000)


def test_large_constrained_space_works_without_enumeration():
    limit = bb.LinearConstraint({"k": 1}, upper=30)
    space = bb.Space(bb.Integer("k", 0, 9, size=12), constraints=[limit])
    construction = space.construction("fixed")
    batch = construction.decode(construction.draw(100, np.random.default_rng(0)))
    assert space.feasible(batch).all()


def test_dead_ends_of_a_large_space_are_named():
    # 10 k + o = 37 or so: only the interplay of both says which k has an o.
    bounds = bb.LinearConstraint({"k": 7, "o": 20}, lower=100.5, upper=101.5)
    parts = [bb.Integer("k", 0, 19), bb.Ordinal("o", list(range(20)))]
    free = bb.Categorical("c", [str(i) for i in range(30)])
    rest = [bb.Categorical(f"c{i}", [str(i) for i in range(30)]) for i in range(4)]
    space = bb.Space(*rest, free, *parts, constraints=[bounds])
    with pytest.warns(UserWarning, match="k="):
        construction = space.construction("fixed")
    batch = construction.decode(construction.draw(20, np.random.default_rng(0)))
    assert space.feasible(batch).all()


def test_impossible_constraints_are_refused():
    def never(states):
        return (states < 0).any(axis=1)

    with pytest.raises(SpaceError, match="no candidate"):
        bb.Space(*CATS).construction(possible=never)


def test_predicates_of_the_user_become_masks():
    def no_repeats(states):
        tokens = states[:, :-1]  # the last entry says whether the string has stopped
        return ~((tokens[:, 1:] >= 0) & (tokens[:, 1:] == tokens[:, :-1])).any(axis=1)

    construction = bb.Space(FIXED).construction(possible=no_repeats)
    graph = graph_of(construction)
    assert graph.terminal.sum() == construction.cardinality == 3 * 2 * 2


def test_a_predicate_that_changes_its_mind_is_refused():
    def odd(states):
        return (states >= 0).sum(axis=1) != 1

    def second_only(states):
        return (states[:, 0] < 0) | (states[:, 1] >= 0)

    with pytest.raises(SpaceError, match="no candidate"):
        bb.Space(*CATS).construction(possible=odd)
    with pytest.raises(SpaceError, match="possible='odd'; give a function of states"):
        bb.Space(*CATS).construction(possible="odd")
    with pytest.raises(SpaceError, match="false for one that leads to it"):
        bb.Space(*CATS).construction(possible=second_only)


@pytest.mark.parametrize(
    ("space", "order", "message"),
    [
        (bb.Space(bb.Real("x", 0, 1)), None, "continuous"),
        (bb.Space(bb.Simplex("x", 3)), None, "continuous"),
        (bb.Space(*CATS), "grid", "Integer and Ordinal"),
        (bb.Space(*CATS), "sideways", "order='sideways'"),
        (bb.Space(*CATS), ["any"], r"order=\['any'\]"),
    ],
)
def test_bad_input(space, order, message):
    with pytest.raises(SpaceError, match=message):
        space.construction(order)


class Loose(Construction):
    """Paths of different lengths to the same state."""

    width, actions, depth = 1, 2, 2

    def initial(self, n):
        return np.zeros((n, 1), dtype=np.int64)

    def terminal(self, states):
        return states[:, 0] == 2

    def allowed(self, states):
        return np.column_stack([states[:, 0] < 2, states[:, 0] == 0])

    def step(self, states, actions):
        return states + 1 + actions[:, None]

    parents = undo = features = decode = encode = None


def test_paths_of_different_lengths_are_refused():
    with pytest.raises(SpaceError, match="equally many steps"):
        enumerated(Loose())

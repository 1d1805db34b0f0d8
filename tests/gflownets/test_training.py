"""Trained samplers draw what they should: against enumeration, with a chi-square test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import blackbox as bb
from blackbox.gflownets.backbones import (
    DetailedBalance,
    FlowMatching,
    SubTrajectoryBalance,
    TrajectoryBalance,
)
from blackbox.gflownets.exact import log_probabilities, terminating
from blackbox.gflownets.sampler import Sampler
from blackbox.gflownets.training import Trainer, alone
from blackbox.space.construction import enumerated

CASES = [
    (TrajectoryBalance(), False),
    (TrajectoryBalance(), True),
    (DetailedBalance(), False),
    (DetailedBalance(), True),
    (SubTrajectoryBalance(), True),
    (FlowMatching(), False),
]


def trained(target, backbone, learn_backward, steps=300):
    sampler = Sampler(
        target.construction,
        hidden=(96, 96),
        learn_backward=learn_backward,
        flow=backbone.flow,
        seed=1,
    )
    trainer = Trainer(sampler, lr=1e-2, lr_z=0.1)
    with alone():
        for i in range(steps):
            if i > steps - 200:
                trainer.slow(0.985)
            walks = sampler.walk(48, epsilon=0.1)
            trainer.step(backbone.loss(sampler, walks, target.log_reward(walks)))
    return sampler


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{type(c[0]).__name__}-{c[1]}")
def test_samples_follow_the_reward(target, case):
    backbone, learn_backward = case
    sampler = trained(target, backbone, learn_backward)
    n = 2000
    drawn = target.positions(sampler.walk(n).ends)
    counts = np.bincount(drawn, minlength=len(target.rewards))
    assert stats.chisquare(counts, n * target.law).pvalue > 0.01
    z = float(backbone.log_partition(sampler).detach())
    assert z == pytest.approx(np.log(target.rewards.sum()), abs=0.05)


def test_the_exact_law_is_that_of_the_walks(target):
    sampler = Sampler(target.construction, hidden=(16,), seed=2)
    states, law = terminating(sampler, target.graph)
    assert law.sum() == pytest.approx(1)
    n = 4000
    counts = np.bincount(target.positions(sampler.walk(n).ends), minlength=len(law))
    assert stats.chisquare(counts, n * law).pvalue > 0.01
    assert np.exp(log_probabilities(sampler, states)) == pytest.approx(law, rel=1e-4)


def test_log_probability_of_trees_is_exact_and_otherwise_estimated(monkeypatch):
    tree = bb.Space(bb.Permutation("p", 4)).construction()
    sampler = Sampler(tree, hidden=(16,), seed=0)
    states, law = terminating(sampler)
    assert np.exp(log_probabilities(sampler, states)) == pytest.approx(law, rel=1e-4)
    several = bb.Space(*[bb.Categorical(n, [0, 1]) for n in "abc"]).construction()
    sampler = Sampler(several, hidden=(16,), seed=0)
    states, law = terminating(sampler)
    monkeypatch.setattr("blackbox.gflownets.exact.enumerated", lambda _: None)
    found = np.exp(log_probabilities(sampler, states, paths=400))
    assert found == pytest.approx(law, rel=0.1)


def test_epsilon_and_temperature():
    construction = bb.Space(bb.Categorical("a", range(4))).construction()
    sampler = Sampler(construction, hidden=(8,), seed=0)
    with torch.no_grad():
        sampler.network.layers[-1].bias += torch.tensor([0.0, 1.0, 2.0, 3.0])
    logits = sampler.outputs(torch.tensor([[-1]]), None)[0].detach().double()
    policy = torch.softmax(logits, 0).numpy()

    def law(**arguments):
        ends = sampler.walk(4000, **arguments).ends.numpy()[:, 0]
        return np.bincount(ends, minlength=4)

    assert stats.chisquare(law(), 4000 * policy).pvalue > 0.01
    mixed = 0.4 * 0.25 + 0.6 * policy
    assert stats.chisquare(law(epsilon=0.4), 4000 * mixed).pvalue > 0.01
    warm = torch.softmax(logits / 2, 0).numpy()
    assert stats.chisquare(law(temperature=2), 4000 * warm).pvalue > 0.01
    assert law(temperature=0)[3] == 4000


def test_backward_walks_end_where_they_should_and_are_uniform():
    construction = bb.Space(*[bb.Categorical(n, [0, 1]) for n in "abc"]).construction("any")
    sampler = Sampler(construction, hidden=(8,), seed=0)
    ends = torch.tensor([[0, 1, 1]]).repeat(1200, 1)
    walks = sampler.walk_back(ends)
    assert torch.equal(walks.ends, ends)
    assert walks.n == 1200
    assert torch.equal(torch.bincount(walks.row), torch.full((1200,), 4))
    first = walks.actions[walks.parents].reshape(1200, 3)
    counts = np.unique(first.numpy(), axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01


def test_local_search_moves_the_last_steps_only():
    construction = bb.Space(bb.Sequence("s", "ACGT", 6)).construction()
    sampler = Sampler(construction, hidden=(8,), seed=0)
    ends = sampler.walk(50).ends
    near = sampler.near(ends, 2).ends
    assert torch.equal(near[:, :4], ends[:, :4])
    assert not torch.equal(near, ends)


def test_walks_into_dead_ends_are_left_out():
    class Trap(type(bb.Space(bb.Categorical("a", range(3))).construction())):
        def allowed(self, states):
            return super().allowed(states) & ~(states[:, :1] == 1)

    construction = Trap([bb.Categorical(n, range(3)) for n in "ab"], "fixed")
    walks = Sampler(construction, hidden=(8,), seed=0).walk(300)
    assert 0 < walks.n < 300
    assert not (walks.ends[:, 0] == 1).any()
    assert torch.equal(torch.unique(walks.row), torch.arange(walks.n))


def test_state_goes_on_exactly():
    construction = bb.Space(bb.Integer("x", 0, 5, size=2)).construction("grid")

    def go(sampler, trainer, steps):
        for _ in range(steps):
            walks = sampler.walk(8)
            reward = walks.ends.float().sum(1)
            trainer.step(TrajectoryBalance().loss(sampler, walks, reward))
        return sampler.state()["weights"]

    first = Sampler(construction, hidden=(16,), learn_backward=True, seed=4)
    again = Sampler(construction, hidden=(16,), learn_backward=True, seed=5)
    trainer, other = Trainer(first), Trainer(again)
    go(first, trainer, 3)
    again.load(first.state())
    other.load(trainer.state())
    expected, found = go(first, trainer, 3), go(again, other, 3)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


@pytest.mark.gpu
def test_cuda_learns_the_same_law(target):
    sampler = Sampler(
        target.construction, hidden=(48, 48), learn_backward=True, device="cuda", seed=1
    )
    trainer = Trainer(sampler, lr=6e-3, lr_z=0.1)
    for _ in range(300):
        walks = sampler.walk(256, epsilon=0.1)
        rewards = torch.from_numpy(target.rewards[target.positions(walks.ends.cpu())])
        log_reward = torch.log(rewards).float().cuda()
        trainer.step(TrajectoryBalance().loss(sampler, walks, log_reward))
    law = terminating(sampler, target.graph)[1]
    assert np.abs(law - target.law).sum() < 0.05


def test_hypergrid_reaches_its_law():
    construction = bb.Space(bb.Integer("x", 0, 7, size=2)).construction("grid")
    graph = enumerated(construction)
    ends = graph.states[graph.terminal]

    def reward(states):
        away = np.abs(states[:, :-1] / 7 - 0.5)
        inner = ((away > 0.3) & (away < 0.4)).all(1)
        return 0.1 + 0.5 * (away > 0.25).all(1) + 2 * inner

    sampler = Sampler(construction, hidden=(64, 64), learn_backward=True, seed=0)
    trainer = Trainer(sampler, lr=3e-3, lr_z=0.1)
    for _ in range(400):
        walks = sampler.walk(32)
        log_reward = torch.from_numpy(np.log(reward(walks.ends.numpy()))).float()
        trainer.step(TrajectoryBalance().loss(sampler, walks, log_reward))
    law = reward(ends) / reward(ends).sum()
    assert np.abs(terminating(sampler, graph)[1] - law).sum() < 0.1

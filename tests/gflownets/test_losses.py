"""Losses against flows that are known exactly, written out edge by edge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blackbox.gflownets import losses
from blackbox.gflownets.backbones import (
    DetailedBalance,
    FlowMatching,
    SubTrajectoryBalance,
    TrajectoryBalance,
)
from blackbox.gflownets.sampler import Sampler
from blackbox.space.construction import keys

BACKBONES = [TrajectoryBalance(), DetailedBalance(), SubTrajectoryBalance(0.8), FlowMatching()]


class Table(torch.nn.Module):
    """A network that knows the exact flow of every state and edge, for a backward policy."""

    def __init__(self, target, share, *, backward, flow):
        super().__init__()
        graph, construction = target.graph, target.construction
        n, a = len(graph.states), construction.actions
        flows = np.zeros(n)
        flows[graph.terminal] = target.rewards
        edges = np.zeros(len(graph.parent))
        for level in reversed(graph.edges):
            edges[level] = flows[graph.child[level]] * share[level]
            np.add.at(flows, graph.parent[level], edges[level])
        logits, back = np.zeros((n, a)), np.zeros((n, a))
        logits[graph.parent, graph.action] = np.log(edges)
        back[graph.child, graph.action] = np.log(share)
        columns = [logits] + [back] * backward + [np.log(flows)[:, None]] * flow
        self.table = torch.from_numpy(np.concatenate(columns, axis=1)).float()
        self.table.requires_grad_()
        self.backward, self.actions, self.layers = backward, a, []
        self._order = np.argsort(keys(graph.states))
        self._keys = keys(graph.states)[self._order]
        self.total = float(np.log(flows[0]))

    def forward(self, states):
        at = self._order[np.searchsorted(self._keys, keys(states.numpy()))]
        return self.table[torch.from_numpy(at)]

    def log_partition(self, condition):
        del condition
        return torch.tensor([self.total])


def exact(target, *, learn_backward, flow):
    """A sampler whose network is the table, for a uniform or a random backward policy."""
    graph = target.graph
    weight = np.ones(len(graph.parent))
    if learn_backward:
        weight = np.random.default_rng(1).uniform(0.2, 1.0, len(graph.parent))
    share = weight / np.bincount(graph.child, weight)[graph.child]
    sampler = Sampler(target.construction, hidden=(8,), learn_backward=learn_backward, flow=flow)
    sampler.network = Table(target, share, backward=learn_backward, flow=flow)
    sampler.steps.features = lambda states: states
    return sampler


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("learn_backward", [False, True])
def test_loss_is_zero_at_the_exact_flow_and_only_there(target, backbone, learn_backward):
    sampler = exact(target, learn_backward=learn_backward, flow=backbone.flow)
    walks = Sampler(target.construction, hidden=(8,), seed=3).walk(50)
    log_reward = target.log_reward(walks)
    assert float(backbone.loss(sampler, walks, log_reward).detach()) < 1e-10
    loss = backbone.loss(sampler, walks, log_reward + torch.linspace(0, 1, walks.n))
    assert float(loss.detach()) > 1e-3
    loss.backward()
    assert float(sampler.network.table.grad.abs().sum()) > 0


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("learn_backward", [False, True])
def test_the_reward_is_read_off_the_balance(target, backbone, learn_backward):
    sampler = exact(target, learn_backward=learn_backward, flow=backbone.flow or True)
    walks = Sampler(target.construction, hidden=(8,), seed=3).walk(50)
    learnt, residual, _ = backbone.learnt(sampler, walks)
    assert torch.allclose(learnt, target.log_reward(walks), atol=1e-4)
    assert float(residual.detach()) < 1e-9


def test_subtrajectory_balance_is_the_sum_over_all_parts():
    rng = np.random.default_rng(0)
    flow, pf, pb = rng.normal(size=(2, 4)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    length, decay, expected = [3, 2], 0.7, 0.0
    for row, steps in enumerate(length):
        gaps, weights = [], []
        for i in range(steps):
            for j in range(i + 1, steps + 1):
                part = (pf - pb)[row, i:j].sum()
                gaps.append((flow[row, i] + part - flow[row, j]) ** 2)
                weights.append(decay ** (j - i))
        expected += np.dot(gaps, weights) / np.sum(weights) / 2
    tensors = [torch.from_numpy(a) for a in (flow, pf, pb)]
    found = losses.subtrajectory_balance(*tensors, torch.tensor(length), decay)
    assert float(found) == pytest.approx(expected)


def test_bradley_terry_and_lists_agree_on_pairs():
    reward = torch.tensor([0.3, -1.2])
    pair = losses.bradley_terry(reward[:1], reward[1:])
    assert float(pair) == pytest.approx(float(losses.listwise(reward, torch.tensor([1.0, 0.0]))))
    tie = losses.bradley_terry(reward[:1], reward[1:], torch.tensor([0.5]))
    even = losses.listwise(reward, torch.tensor([0.5, 0.5]))
    assert float(tie) == pytest.approx(float(even))


def test_uniform_backward_is_a_divergence():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    logits = torch.tensor([[0.5, 0.5, 9.0], [0.0, 1.0, 2.0]])
    log_pb = torch.log_softmax(logits.masked_fill(~mask, -1e9), dim=1)
    uniform = mask / mask.sum(1, keepdim=True)
    kl = torch.where(mask, uniform * (torch.log(uniform) - log_pb), 0.0).sum(1).mean()
    assert float(losses.uniform_backward(log_pb, mask)) == pytest.approx(float(kl))

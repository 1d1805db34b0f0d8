"""Offline model-based RL: tasks, data, learners, ensembles, penalties, rollouts."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from blackbox.errors import MissingExtraError, ProblemError
from studies.offline_rl import ensemble as ensembles
from studies.offline_rl.analysis import expected_online_performance
from studies.offline_rl.calibration import LEVELS, judge, on_policy
from studies.offline_rl.correlation import pearson, spearman
from studies.offline_rl.datasets import QUALITIES, Apprenticeship, collect, dataset
from studies.offline_rl.ensemble import Ensemble, EnsembleSettings, ensemble
from studies.offline_rl.hdf5 import read_hdf5
from studies.offline_rl.imagine import World
from studies.offline_rl.networks import Adam, Perceptrons
from studies.offline_rl.penalties import PENALTIES, Predicted, charged
from studies.offline_rl.sac import SAC, Columns, SACSettings, _log_density
from studies.offline_rl.tasks import Pendulum
from studies.offline_rl.torch_sac import TorchSAC
from studies.offline_rl.training import Choice, TrainingSettings, train
from studies.offline_rl.transitions import Transitions

SMALL = SACSettings(hidden=(8, 8), batch=32)
AGENT = Apprenticeship(steps=60, warm=20, updates=1, look=10, settings=SMALL)
TINY = EnsembleSettings(members=4, hidden=(16, 16), epochs=5, batch=32)
SHORT = TrainingSettings(updates=20, every=10, imagined=100, episodes=3, sac=SMALL)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return dataset("random", 300, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def model(data):
    return ensemble(data, TINY)


class Still:
    """A policy that does nothing."""

    def act(self, obs, rng=None):
        return np.zeros((len(obs), 1), dtype=np.float32)


class TestPendulum:
    def test_every_step_is_that_of_gymnasium(self):
        gymnasium = pytest.importorskip("gymnasium")
        environment, task = gymnasium.make("Pendulum-v1"), Pendulum()
        rng = np.random.default_rng(0)
        obs, _ = environment.reset(seed=0)
        for _ in range(200):
            action = rng.uniform(-1, 1, 1).astype(np.float32)
            following, reward = task.step(obs[None], action[None])
            obs, expected, *_ = environment.step(2 * action)
            np.testing.assert_allclose(following[0], obs, atol=2e-5)
            assert reward[0] == pytest.approx(expected, abs=2e-5)

    def test_returns_are_sums_of_whole_episodes(self):
        # Hanging still costs pi^2 a step.
        class Hanging(Pendulum):
            def begin(self, n, rng):
                return np.tile(np.array([-1, 0, 0], dtype=np.float32), (n, 1))

        returns = Hanging().returns(Still(), 3, np.random.default_rng(0))
        np.testing.assert_allclose(returns, -200 * math.pi**2, rtol=1e-4)


@pytest.mark.parametrize("name", ["Hopper-v5", "HalfCheetah-v5", "Walker2d-v5"])
def test_a_simulator_set_to_an_observation_goes_on_from_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log where it runs
    pytest.importorskip("mujoco")
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("imageio")
    from studies.offline_rl.mujoco import MuJoCo

    task, environment = MuJoCo(name), gymnasium.make(name)
    rng = np.random.default_rng(0)
    obs, _ = environment.reset(seed=0)
    compared = 0
    for seed in range(60):
        action = rng.uniform(-1, 1, task.columns.actions).astype(np.float32)
        following, reward = task.step(obs[None].astype(np.float32), action[None])
        inside = np.abs(obs).max() < 10  # beyond, observations of velocities are cut
        obs, expected, over, *_ = environment.step(action * environment.action_space.high)
        if inside:
            compared += 1
            np.testing.assert_allclose(following[0], obs, atol=1e-3)
            assert reward[0] == pytest.approx(expected, abs=1e-3)
        assert task.ended(obs[None].astype(np.float32))[0] == over
        if over:
            obs, _ = environment.reset(seed=seed)
    assert compared > 10


class TestNetworks:
    def test_gradients_are_those_of_torch(self):
        rng = np.random.default_rng(0)
        nets = Perceptrons(2, (3, 5, 4, 2), rng)
        x = rng.standard_normal((7, 3)).astype(np.float32)
        wanted = rng.standard_normal((2, 7, 2)).astype(np.float32)
        grad = np.empty_like(nets.flat)
        out = nets.forward(x)
        by_input = nets.backward(wanted, grad, inputs=True)

        free = torch.tensor(nets.flat, requires_grad=True)
        inputs = torch.tensor(np.stack([x, x]), requires_grad=True)
        y, start = inputs, 0
        for i, (weight, bias) in enumerate(nets.layers):
            parts = []
            for shape in (weight.shape, bias.shape):
                parts.append(free[start : start + math.prod(shape)].reshape(shape))
                start += math.prod(shape)
            y = y @ parts[0] + parts[1]
            y = torch.relu(y) if i < 2 else y
        np.testing.assert_allclose(out, y.detach(), atol=1e-5)
        (y * torch.tensor(wanted)).sum().backward()
        np.testing.assert_allclose(grad, free.grad, atol=1e-5)
        np.testing.assert_allclose(by_input, inputs.grad, atol=1e-5)

    def test_adam_is_that_of_torch(self):
        rng = np.random.default_rng(0)
        ours = rng.standard_normal(6).astype(np.float32)
        theirs = torch.tensor(ours, requires_grad=True)
        step, other = Adam(6, 0.01), torch.optim.Adam([theirs], lr=0.01)
        ours = ours.copy()
        for _ in range(5):
            grad = rng.standard_normal(6).astype(np.float32)
            step.step(ours, grad)
            theirs.grad = torch.tensor(grad)
            other.step()
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-4)


class TestSAC:
    def test_log_density_is_that_of_a_squashed_normal(self):
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((6, 2)).astype(np.float32)
        mean, log_std = rng.standard_normal((2, 6, 2)).astype(np.float32)
        u = mean + np.exp(log_std) * noise
        normal = torch.distributions.Normal(torch.tensor(mean), torch.tensor(log_std).exp())
        squashed = torch.distributions.TransformedDistribution(
            normal, [torch.distributions.TanhTransform(cache_size=1)]
        )
        expected = squashed.log_prob(torch.tanh(torch.tensor(u, dtype=torch.float64))).sum(1)
        np.testing.assert_allclose(_log_density(noise, log_std, u), expected, rtol=2e-3)

    @pytest.mark.parametrize("kind", ["numpy", "torch"])
    def test_it_learns_which_action_is_best(self, kind):
        # One step, reward -(a - 0.5 s)^2: the best action is half the observation.
        columns, rng = Columns(1, 1), np.random.default_rng(0)
        settings = SACSettings(hidden=(32, 32), batch=128, lr=1e-2)
        learner = (
            SAC(columns, settings, rng)
            if kind == "numpy"
            else TorchSAC(columns, settings, 0, "cpu")
        )
        obs, action = rng.uniform(-1, 1, (2, 2_000, 1)).astype(np.float32)
        reward = -10 * (action - 0.5 * obs) ** 2
        rows = np.concatenate([obs, action, reward, obs, np.zeros_like(obs)], axis=1)
        for _ in range(300):
            learner.update(rows[rng.integers(len(rows), size=settings.batch)])
        acted = learner.act(np.array([[-0.8], [0.0], [0.8]], dtype=np.float32))
        np.testing.assert_allclose(acted[:, 0], [-0.4, 0, 0.4], atol=0.15)

    @pytest.mark.parametrize("kind", ["numpy", "torch"])
    def test_the_judged_policy_is_an_average_of_the_latest(self, kind):
        columns, rng = Columns(1, 1), np.random.default_rng(0)
        rows = rng.uniform(-1, 1, (3, 32, columns.width)).astype(np.float32)

        def acts(follow, updates):
            settings = replace(SMALL, hidden=(), follow=follow)  # linear: averages are of outputs
            learner = (
                SAC(columns, settings, np.random.default_rng(0))
                if kind == "numpy"
                else TorchSAC(columns, settings, 0, "cpu")
            )
            for batch in rows[:updates]:
                learner.update(batch)
            return np.arctanh(learner.act(np.ones((1, 1), dtype=np.float32)))

        expected = acts(1.0, 0)
        for updates in (1, 2, 3):
            expected = expected + 0.3 * (acts(1.0, updates) - expected)
        np.testing.assert_allclose(acts(0.3, 3), expected, rtol=1e-4)

    @pytest.mark.parametrize("kind", ["numpy", "torch"])
    def test_it_says_so_when_it_diverges(self, kind):
        columns, rng = Columns(1, 1), np.random.default_rng(0)
        learner = (
            SAC(columns, SMALL, rng) if kind == "numpy" else TorchSAC(columns, SMALL, 0, "cpu")
        )
        with pytest.raises(FloatingPointError, match="no longer finite"):
            learner.update(np.full((8, columns.width), np.nan, dtype=np.float32))


def broken(data, field, value):
    arrays = getattr(data, field).copy()
    arrays[7] = value
    return replace(data, **{field: arrays})


class TestTransitions:
    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("rewards", np.nan, r"rewards\[7\] is nan; 1 rows are not finite"),
            ("observations", np.inf, r"observations\[7\]"),
            ("actions", 1.5, r"actions\[7\] is \[1.5\]; scale actions"),
        ],
    )
    def test_what_is_wrong_is_named(self, data, field, value, said):
        with pytest.raises(ProblemError, match=said):
            broken(data, field, value).checked()

    def test_too_few_are_refused(self, data):
        with pytest.raises(ProblemError, match="has 0 transitions; give at least 20"):
            Transitions.of([np.empty((0, 3)), np.empty((0, 1)), *[np.empty(0)] * 4]).checked()
        with pytest.raises(ProblemError, match="has 5 transitions"):
            data.drawn(5, 0).checked()

    def test_a_file_gives_back_what_was_saved(self, data, tmp_path):
        data.save(tmp_path / "set.npz")
        assert Transitions.load(tmp_path / "set.npz").digest == data.digest
        np.savez(tmp_path / "half.npz", observations=data.observations)
        with pytest.raises(ProblemError, match="lacks"):
            Transitions.load(tmp_path / "half.npz")

    def test_rows_hold_whether_it_goes_on(self, data):
        ended = np.zeros(len(data), dtype=np.float32)
        ended[3] = 1
        obs, action, reward, following, on = data.columns.split(replace(data, ended=ended).rows)
        np.testing.assert_array_equal(obs, data.observations)
        np.testing.assert_array_equal(action, data.actions)
        np.testing.assert_array_equal(reward, data.rewards)
        np.testing.assert_array_equal(following, data.following)
        np.testing.assert_array_equal(on, 1 - ended)


class TestDatasets:
    @pytest.mark.parametrize("quality", QUALITIES)
    def test_a_seed_makes_a_set_that_is_true_to_the_task(self, quality, tmp_path):
        made = dataset(quality, 120, cache=tmp_path, how=AGENT).checked()
        assert len(made) == 120
        following, rewards = Pendulum().step(made.observations, made.actions)
        np.testing.assert_allclose(made.following, following, atol=1e-4)
        np.testing.assert_allclose(made.rewards, rewards, atol=1e-4)
        again = dataset(quality, 120, cache=tmp_path / "other", how=AGENT)
        kept = dataset(quality, 120, cache=tmp_path, how=AGENT)
        assert again.digest == made.digest == kept.digest

    def test_another_agent_makes_another_set_in_the_same_folder(self, tmp_path):
        other = replace(AGENT, updates=2)
        made = [dataset("expert", 60, cache=tmp_path, how=how) for how in (AGENT, other)]
        alone = dataset("expert", 60, cache=tmp_path / "alone", how=other)
        assert made[1].digest == alone.digest != made[0].digest

    def test_only_what_there_is(self):
        with pytest.raises(ProblemError, match="random, medium, replay, mixed, expert"):
            dataset("bad")

    def test_episodes_are_cut_where_they_end(self):
        class Ends(Pendulum):
            def ended(self, obs):
                return obs[:, 2] > 0

        made = collect(Ends(), Still(), 60, np.random.default_rng(0))
        np.testing.assert_array_equal(made.ended, made.following[:, 2] > 0)
        assert len(made) == 60
        assert (made.observations[:, 2] <= 1).all()  # nothing is kept of an episode that ended


class TestEnsemble:
    def test_it_learns_and_is_kept(self, data, tmp_path, monkeypatch):
        settings = replace(TINY, epochs=40)
        made = ensemble(data, settings, cache=tmp_path)
        assert made.errors.max() < 0.5  # of a variance of 1
        monkeypatch.setattr(ensembles, "_train", None)
        again = ensemble(data, settings, cache=tmp_path)
        for ours, theirs in zip(made.layers, again.layers, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(made.errors, again.errors)

    def test_numpy_predicts_what_torch_was_trained_to(self, model, data):
        x = np.concatenate([data.observations, data.actions], axis=1)
        x = (x - model.scale.input_mean) / model.scale.input_std
        layers = [(torch.tensor(w), torch.tensor(b)) for w, b in model.layers]
        mean, log_variance = ensembles._forward(torch.tensor(x), layers, torch.tensor(model.bounds))
        ours, std = model.predict(data.observations, data.actions)
        np.testing.assert_allclose(ours, mean, atol=1e-5)
        np.testing.assert_allclose(std, (0.5 * log_variance).exp(), rtol=1e-4)
        other = Ensemble(*(getattr(model, a) for a in ("scale", "layers", "bounds", "errors")))
        other.device = "cpu:0"  # PyTorch's way, as on a GPU
        np.testing.assert_allclose(
            other.predict(data.observations, data.actions)[0], ours, atol=1e-5
        )

    def test_log_variance_stays_within_its_bounds(self, model, data):
        far = replace(data, observations=1e3 * data.observations)
        for part in (data, far):
            _, std = model.predict(part.observations, part.actions)
            low, high = np.exp(0.5 * model.bounds)
            assert (std >= 0.999 * low).all()
            assert (std <= 1.42 * high).all()  # the softplus adds log 2 at most

    def test_small_ones_are_the_first_of_large_ones(self, model, data):
        whole, _ = model.predict(data.observations, data.actions)
        part, _ = model.first(2).predict(data.observations, data.actions)
        np.testing.assert_allclose(part, whole[:2], atol=1e-6)
        with pytest.raises(ProblemError, match="models=5: the ensemble has 4"):
            model.first(5)

    def test_elites_err_least(self, model):
        errors = np.array([0.3, 0.1, 0.2, 0.4], dtype=np.float32)
        made = Ensemble(model.scale, model.layers, model.bounds, errors)
        assert made.elites(2).tolist() == [1, 2]
        assert made.first(2).elites().tolist() == [1, 0]

    def test_wrong_data_are_refused(self, data):
        with pytest.raises(ProblemError, match="not finite"):
            ensemble(broken(data, "rewards", np.nan), TINY)


def predicted(means, stds, outcome=None):
    means, stds = np.array(means, dtype=np.float32), np.array(stds, dtype=np.float32)
    outcome = means[0] if outcome is None else np.array(outcome, dtype=np.float32)
    return Predicted(means, stds, outcome)


# Two members, one row, two outputs.
PAIR = predicted([[[0.0, 0.0]], [[3.0, 4.0]]], [[[1.0, 2.0]], [[2.0, 1.0]]])


class TestPenalties:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("max_aleatoric", math.sqrt(5)),
            ("max_pairwise", 5.0),
            ("ens_std", math.sqrt(2.5 + 2.25 + 2.5 + 4)),
            ("ens_var", math.hypot(2.5 + 2.25, 2.5 + 4)),
            # KL(N(0, 1) || N(3, 4)) + KL(N(0, 4) || N(4, 1)), and the other way round, halved.
            (
                "loo_kl",
                0.25
                * (
                    (math.log(4) + (1 + 9) / 4 - 1)
                    + (math.log(1 / 4) + (4 + 16) / 1 - 1)
                    + (math.log(1 / 4) + (4 + 9) / 1 - 1)
                    + (math.log(4) + (1 + 16) / 4 - 1)
                ),
            ),
            # log-likelihoods at (0, 0) differ by the second member's distance.
            ("ll_var", ((9 / 4 + 16) / 2 / 2) ** 2),
        ],
    )
    def test_by_hand(self, name, value):
        np.testing.assert_allclose(PENALTIES[name](PAIR), [value], rtol=1e-5)

    @pytest.mark.parametrize("members", [1, 4])
    def test_without_disagreement_the_aleatoric_part_is_left(self, members):
        rng = np.random.default_rng(0)
        means = np.repeat(rng.standard_normal((1, 5, 3)), members, axis=0)
        stds = np.repeat(rng.uniform(0.1, 1, (1, 5, 3)), members, axis=0)
        p = predicted(means, stds)
        for name in ("max_pairwise", "loo_kl", "ll_var"):
            np.testing.assert_allclose(PENALTIES[name](p), 0, atol=2e-5)
        norm = np.sqrt((stds[0] ** 2).sum(axis=1))
        for name in ("max_aleatoric", "ens_std"):
            np.testing.assert_allclose(PENALTIES[name](p), norm, rtol=1e-5)
        expected = np.sqrt((stds[0] ** 4).sum(axis=1))
        np.testing.assert_allclose(PENALTIES["ens_var"](p), expected, rtol=1e-5)

    def test_disagreement_does_not_mind_the_order_of_members(self):
        swapped = Predicted(PAIR.means[::-1], PAIR.stds[::-1], PAIR.outcome)
        for penalty in PENALTIES.values():
            np.testing.assert_allclose(penalty(swapped), penalty(PAIR), rtol=1e-5)

    def test_what_is_unbounded_is_charged_as_a_logarithm(self):
        for name, penalty in PENALTIES.items():
            expected = np.log1p(penalty(PAIR)) if name in ("loo_kl", "ll_var") else penalty(PAIR)
            np.testing.assert_allclose(charged(name, PAIR), expected)

    def test_they_do_not_depend_on_the_units_of_the_data(self, data, tmp_path):
        unit = np.array([10, 0.1, 3], dtype=np.float32)
        scaled = replace(
            data, observations=data.observations * unit, following=data.following * unit,
            rewards=100 * data.rewards,
        )  # fmt: skip
        for one, other in [(ensemble(data, TINY), ensemble(scaled, TINY))]:
            ours = Predicted(*one.predict(data.observations, data.actions), np.zeros(4))
            theirs = Predicted(*other.predict(scaled.observations, scaled.actions), np.zeros(4))
            for name in ("max_aleatoric", "max_pairwise", "ens_std"):
                np.testing.assert_allclose(
                    PENALTIES[name](ours), PENALTIES[name](theirs), rtol=0.02, atol=0.01
                )


class TestWorld:
    def test_rewards_are_charged_by_weight_and_unit(self, model, data):
        world = World(Pendulum(), model, data)
        free, mean = world.transitions(Still(), 60, 3, "ens_std", 0.0, np.random.default_rng(0))
        made, same = world.transitions(Still(), 60, 3, "ens_std", 2.0, np.random.default_rng(0))
        reward = Columns(3, 1).split(made)[2] - Columns(3, 1).split(free)[2]
        assert mean == same
        assert reward.mean() == pytest.approx(-2 * float(data.rewards.std()) * mean, rel=1e-4)

    @pytest.mark.parametrize("horizon", [1, 7, 50])
    def test_a_round_is_as_large_whatever_the_horizon(self, model, data, horizon):
        world = World(Pendulum(), model, data)
        made, _ = world.transitions(Still(), 300, horizon, "ens_std", 1, np.random.default_rng(0))
        assert 300 <= len(made) < 300 + horizon

    def test_observations_stay_near_the_data(self, model, data):
        world = World(Pendulum(), model, replace(data, starts=100 * data.starts))
        width = np.ptp(data.observations, axis=0)
        for step in world.rollout(
            Still(), data.observations[:9] + 50, 5, "ens_std", np.random.default_rng(0)
        ):
            assert (step.following <= data.observations.max(axis=0) + width + 1e-4).all()

    def test_rollouts_end_where_the_task_does(self, model, data):
        class Ends(Pendulum):
            def ended(self, obs):
                return obs[:, 2] > 0

        world = World(Ends(), model, data)
        steps = [
            *world.rollout(Still(), data.observations[:50], 4, "ens_std", np.random.default_rng(0))
        ]
        for one, after in itertools.pairwise(steps):
            assert len(after.observations) == (one.ended == 0).sum()

    def test_a_model_that_is_not_finite_is_no_world(self, model, data):
        layers = [(w * np.float32("nan"), b) for w, b in model.layers]
        bad = Ensemble(model.scale, layers, model.bounds, model.errors)
        with pytest.raises(FloatingPointError, match="a rollout is not finite"):
            World(Pendulum(), bad, data).transitions(
                Still(), 10, 2, "ens_std", 1.0, np.random.default_rng(0)
            )


class TestTraining:
    def test_the_same_seed_trains_the_same_policy(self, model, data):
        args = (Pendulum(), data, model, Choice("ens_std", 1.0, 5, 3), SHORT)
        one, same, other = (train(*args, seed) for seed in (0, 0, 1))
        assert one.true == same.true != other.true
        assert one.penalised < one.model
        assert np.isfinite([one.true, one.model, one.penalised, one.penalty]).all()
        assert math.isnan(train(*args, 0, online=False).true)

    def test_it_stops_past_its_limit(self, model, data):
        settings = replace(SHORT, limit=0.0)
        with pytest.raises(TimeoutError, match="stopped after 0 s, 0 of 20 updates done"):
            train(Pendulum(), data, model, Choice("ens_std", 1.0, 5, 3), settings, 0)

    def test_torch_takes_the_place_of_numpy_on_a_device(self, model, data):
        other = Ensemble(model.scale, model.layers, model.bounds, model.errors, "cpu:0")
        found = train(Pendulum(), data, other, Choice("ens_std", 1.0, 5, 3), SHORT, 0)
        assert np.isfinite([found.true, found.model]).all()


class TestCalibration:
    def test_correlations_are_those_of_scipy(self, model, data):
        judged = judge(model, data, np.random.default_rng(0))
        for name, values in judged.penalties.items():
            expected = stats.spearmanr(values, judged.error).statistic
            assert judged.correlation(name, "spearman") == pytest.approx(expected, abs=1e-6)
            expected = stats.pearsonr(values.astype(float), judged.error.astype(float)).statistic
            assert judged.correlation(name, "pearson") == pytest.approx(expected, abs=1e-6)

    def test_the_error_itself_finds_every_error(self, model, data):
        judged = judge(model, data, np.random.default_rng(0))
        judged.penalties["oracle"] = judged.error
        assert judged.average_precision("oracle", 0.9) == 1
        judged.penalties["liar"] = -judged.error
        assert judged.average_precision("liar", 0.9) < 0.1

    def test_coverage_of_a_right_model_is_its_level(self):
        # A model that says N(0, 1) of standardised outputs that are N(0, 1).
        rng = np.random.default_rng(0)
        obs = np.zeros((4_000, 2), dtype=np.float32)
        deltas = rng.standard_normal((4_000, 3)).astype(np.float32)
        true = Transitions.of(
            [obs, obs[:, :1], deltas[:, 2], obs + deltas[:, :2], obs[:, 0], obs[:1]]
        )
        scale = ensembles.scale_of(true)
        weight, bias = np.zeros((2, 3, 6), np.float32), np.zeros((2, 1, 6), np.float32)
        bounds = np.array([[-30] * 3, [30] * 3], dtype=np.float32)
        made = Ensemble(scale, [(weight, bias)], bounds, np.zeros(2, dtype=np.float32))
        covered = judge(made, true, rng).covered
        np.testing.assert_allclose([covered[level] for level in LEVELS], LEVELS, atol=0.02)

    def test_on_the_policy_the_truth_comes_from_the_task(self, model, data):
        judged = on_policy(
            Pendulum(), model, data, Still(), np.random.default_rng(0), steps=4, n=30
        )
        np.testing.assert_array_equal(judged.step, np.repeat([1, 2, 3, 4], 30))
        assert judged.error.min() > 0


def test_expected_online_performance_is_the_mean_of_all_draws():
    returns = [3.0, -1.0, 4.0, 1.5, 5.0]
    expected = [
        np.mean([max(draw) for draw in itertools.combinations(returns, k)]) for k in range(1, 6)
    ]
    np.testing.assert_allclose(expected_online_performance(returns), expected)
    assert len(expected_online_performance([])) == 0


def test_correlations_of_ties_constants_and_failures():
    x, y = [1, 2, 2, 3, 5, 5], [0.1, 4, -1, 2, 2, 8]
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman([1, 2, np.nan, 3], [10, 20, 0, 30]) == pytest.approx(1)
    assert pearson([1, 1, 1], [1, 2, 3]) == 0
    assert math.isnan(spearman([1, 2], [1, 2]))


class TestHDF5:
    def test_without_h5py_the_extra_is_named(self, monkeypatch, tmp_path):
        import sys

        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(MissingExtraError, match="offline-rl"):
            read_hdf5(tmp_path / "set.hdf5")

    def test_d4rl_with_next_observations_and_without(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        obs = np.arange(60, dtype=np.float32).reshape(30, 2)
        parts = {
            "observations": obs, "actions": np.full((30, 1), 0.2), "rewards": np.arange(30.0),
            "terminals": np.arange(30) == 9, "timeouts": np.arange(30) == 19,
        }  # fmt: skip
        with h5py.File(tmp_path / "a.hdf5", "w") as file:
            for name, values in parts.items():
                file[name] = values
        made = read_hdf5(tmp_path / "a.hdf5", scale=0.4)
        # The end at 9, the cut at 19 and the file's end have no next observation.
        assert len(made) == 27
        np.testing.assert_allclose(made.actions, 0.5)
        assert made.starts[:, 0].tolist() == [0, 20, 40]
        np.testing.assert_array_equal(made.following, made.observations + 2)
        assert not made.ended.any()
        with h5py.File(tmp_path / "a.hdf5", "a") as file:
            del file["timeouts"]
        with pytest.raises(ProblemError, match="neither timeouts nor next_observations"):
            read_hdf5(tmp_path / "a.hdf5", scale=0.4)
        with h5py.File(tmp_path / "a.hdf5", "a") as file:
            file["next_observations"] = obs + 0.5
        made = read_hdf5(tmp_path / "a.hdf5", scale=0.4)
        assert len(made) == 30
        assert made.ended.sum() == 1
        np.testing.assert_array_equal(made.following, obs + 0.5)

    def test_minari(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
            for i in (0, 1, 10, 2):
                episode = file.create_group(f"episode_{i}")
                episode["observations"] = 100.0 * i + np.arange(22.0).reshape(11, 2)
                episode["actions"] = np.zeros((10, 1))
                episode["rewards"] = np.full(10, float(i))
                episode["terminations"] = np.arange(10) == 9
        made = read_hdf5(tmp_path / "main_data.hdf5")
        assert made.rewards[::10].tolist() == [0, 1, 2, 10]
        assert made.starts[:, 0].tolist() == [0, 100, 200, 1000]
        np.testing.assert_array_equal(made.following[:9], made.observations[1:10])
        assert made.ended.sum() == 4

    def test_other_files_are_refused(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "other.hdf5", "w") as file:
            file["x"] = np.zeros(3)
        with pytest.raises(ProblemError, match="give a file of D4RL"):
            read_hdf5(tmp_path / "other.hdf5")
        with pytest.raises(ProblemError, match="there is no file"):
            read_hdf5(tmp_path / "none.hdf5")
        (tmp_path / "text.hdf5").write_text("no")
        with pytest.raises(ProblemError, match="cannot be read as HDF5"):
            read_hdf5(tmp_path / "text.hdf5")

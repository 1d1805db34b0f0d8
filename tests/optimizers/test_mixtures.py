"""Limits of shares, runs of other domains, and how often to repeat."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError, TellError
from blackbox.optimizers.multi_fidelity import (
    MultiFidelityBayes,
    NearShares,
    carry_over,
    repetition_caps,
    share_limits,
)

MIX = bb.Simplex("mix", ["web", "code", "books"])


def problem(space, noise=0.0):
    rng = np.random.default_rng(0)

    def loss(p):
        return float(((np.array(p["mix"]) - [0.1, 0.2, 0.7]) ** 2).sum() + noise * rng.normal())

    return bb.problem(loss, space)


class TestLimits:
    def test_everything_proposed_and_recommended_lies_between_floors_and_caps(self):
        caps = repetition_caps({"books": 2e9, "web": 1e12}, tokens=1e10, epochs=2)
        assert caps == {"books": 0.4, "web": 1.0}
        limits = share_limits(MIX, floors={"code": 0.25}, caps=caps)
        assert len(limits) == 2
        made = problem(bb.Space(MIX, constraints=limits))
        region = NearShares({"mix": [0.4, 0.3, 0.3]}, 0.5)
        optimizer = MultiFidelityBayes(made, n_init=3, region=region, seed=0)
        for _ in range(7):
            row = optimizer.ask(1)
            optimizer.tell(row.with_columns(**made.measure(row)))
            for mix in (row["mix"][0], optimizer.recommend()["mix"][0]):
                assert mix[1] >= 0.25 - 1e-9
                assert mix[2] <= 0.4 + 1e-9
        # The best mixture has 70 % books: the cap binds.
        assert optimizer.recommend()["mix"][0][2] == pytest.approx(0.4, abs=0.03)

    @pytest.mark.parametrize(
        ("floors", "caps", "says"),
        [
            ({"wob": 0.1}, {}, "floors name 'wob'"),
            ({"web": 1.2}, {}, r"floors\['web'\]=1.2"),
            ({}, {"web": -0.1}, r"caps\['web'\]=-0.1"),
            ({"web": 0.5}, {"web": 0.4}, "'web' has floor 0.5 and cap 0.4"),
            ({"web": 0.5, "code": 0.6}, {}, "floors sum to 1.1"),
            ({}, {"web": 0.3, "code": 0.3, "books": 0.3}, "caps to 0.9"),
        ],
    )
    def test_limits_that_make_no_sense_are_refused(self, floors, caps, says):
        with pytest.raises(ProblemError, match=says):
            share_limits(MIX, floors, caps)

    def test_tokens_and_epochs_are_positive(self):
        with pytest.raises(ProblemError, match="epochs=0"):
            repetition_caps({"web": 1.0}, tokens=1.0, epochs=0)


class TestCarryOver:
    RUNS = bb.Batch(
        {"mix": np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), "loss": np.array([1.0, 2.0])}
    )

    def test_an_added_domain_had_no_share(self):
        new = bb.Simplex("mix", ["maths", "web", "code", "books"])
        carried = carry_over(self.RUNS, MIX, new)
        np.testing.assert_allclose(carried["mix"], [[0, 0.5, 0.5, 0], [0, 0.2, 0.3, 0.5]])
        assert carried["loss"].tolist() == [1.0, 2.0]

    def test_runs_that_read_a_removed_domain_are_left_out(self):
        carried = carry_over(self.RUNS, MIX, bb.Simplex("shares", ["code", "web"]))
        np.testing.assert_allclose(carried["shares"], [[0.5, 0.5]])
        assert carried["loss"].tolist() == [1.0]

    def test_a_split_domain_goes_to_its_parts(self):
        new = bb.Simplex("mix", ["news", "blogs", "code", "books"])
        carried = carry_over(self.RUNS, MIX, new, {"web": {"news": 3, "blogs": 1}})
        np.testing.assert_allclose(carried["mix"][1], [0.15, 0.05, 0.3, 0.5])
        for split, says in (
            ({"wob": {"news": 1}}, "split 'wob'"),
            ({"web": {"noise": 1}}, "'noise'"),
            ({"web": {"news": 0.0}}, "positive"),
        ):
            with pytest.raises(ProblemError, match=says):
                carry_over(self.RUNS, MIX, new, split)

    def test_carried_runs_are_a_warm_start(self):
        new = bb.Simplex("mix", ["web", "code", "books", "maths"])
        made = problem(bb.Space(MIX))
        rows = made.space.draw(12, np.random.default_rng(0))
        runs = rows.with_columns(**made.measure(rows))
        wider = bb.problem(lambda p: 0.0, bb.Space(new))
        optimizer = MultiFidelityBayes(wider, seed=0)
        optimizer.tell(carry_over(runs, MIX, new))
        best = optimizer.recommend()["mix"][0]
        assert best[2] > 0.45


class TestReplicates:
    def test_what_is_hard_to_tell_apart_takes_more(self):
        made = problem(bb.Space(MIX), noise=0.02)
        optimizer = MultiFidelityBayes(made, seed=0)
        with pytest.raises(TellError, match="no row"):
            optimizer.replicates(made.space.draw(1, np.random.default_rng(0)))
        rows = made.space.draw(40, np.random.default_rng(1))
        optimizer.tell(rows.with_columns(**made.measure(rows)))
        best = optimizer.recommend()
        near = bb.Batch({"mix": 0.9 * best["mix"] + 0.1 * np.array([[0.4, 0.4, 0.2]])})
        far = bb.Batch({"mix": np.array([[0.9, 0.1, 0.0]])})
        needed = optimizer.replicates(bb.Batch.concat([near, far, best]))
        assert needed[0] > needed[1] >= 1
        assert np.isinf(needed[2])

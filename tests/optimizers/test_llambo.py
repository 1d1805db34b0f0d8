"""LLAMBO and its kin: prompts that tell all, proposals that are valid, formulas that are right."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from scipy import integrate, stats

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.llm import Reply, Request
from blackbox.llm.conversation import Conversation, Text
from blackbox.optimizers.bayes import InRegion, Justified, Only, Transient
from blackbox.optimizers.llambo import InContext, ObservedEI, Settings, reading
from blackbox.optimizers.llambo.predicting import discriminative, generative
from blackbox.optimizers.llambo.prompts import Briefing
from blackbox.optimizers.llambo.scalar import Scalar
from blackbox.testing import StandIn, checks
from blackbox.testing.stand_in_brain import Brain
from blackbox.testing.stand_in_prompt import understood

FEW = Settings(candidates=4, completions=2, predictions=2)
EVERYTHING = bb.Space(
    bb.Real("rate", 1e-5, 1, log=True),
    bb.Integer("depth", 1, 8),
    bb.Ordinal("width", [16, 32, 64]),
    bb.Categorical("act", ["relu", "gelu", None]),
    bb.Simplex("mix", ["web", "code", "books"]),
    bb.Permutation("tour", 4),
    bb.Sequence("dna", "ACGT", (2, 6)),
)


class Log:
    """A model that keeps every request and answers as another."""

    def __init__(self, model=None) -> None:
        self.model, self.seen = model or Brain(), []

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        return self.model(request)

    @property
    def prompts(self) -> list[str]:
        return [request.messages[1]["content"] for request in self.seen]


def branin(about: str = "") -> bb.Problem:
    base = bb.problems.Branin()
    return bb.problem(base.evaluate_batch, base.space, bb.Minimize("f"), batch=True, about=about)


def told(problem, optimizer, n, seed=0):
    """Tell random rows with made-up outcomes; the last one failed."""
    rng = np.random.default_rng(seed)
    rows = problem.space.draw(n, rng)
    outcomes = {name: rng.normal(size=n) * 10 for name in problem.outcomes}
    rows = rows.with_columns(**outcomes, ok=np.arange(n) < n - 1)
    optimizer.tell(rows)
    return rows


VARIANTS = {
    "discriminative": lambda p, s: bb.LLAMBO(p, Brain(), n_init=3, settings=FEW, seed=s),
    "generative": lambda p, s: bb.LLAMBO(
        p, Brain(), n_init=2, warm_start=False, surrogate="generative", settings=FEW, seed=s
    ),
    "sampler": lambda p, s: bb.LLAMBO(p, Brain(), surrogate=None, settings=FEW, seed=s),
    "guided": lambda p, s: bb.LLMGuided(p, Brain(), batch=2, settings=FEW, seed=s),
    "silent": lambda p, s: bb.LLMGuided(p, lambda request: None, seed=s),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            c, id=f"{name}-{c}", marks=[] if name == "discriminative" else [pytest.mark.slow]
        )
        for name, make in VARIANTS.items()
        for c in checks(make, budget=6)
    ],
)
def test_conformance(check) -> None:
    check()


def test_prompts_hold_every_observation_in_the_users_units_with_directions() -> None:
    problem = bb.problem(
        lambda p: {}, EVERYTHING, [bb.Maximize("acc"), bb.Minimize("ms")],
        constraints=[bb.Constraint("memory", upper=16)], about="a network",
    )  # fmt: skip
    log = Log()
    optimizer = bb.LLAMBO(problem, log, seed=0)
    rows = told(problem, optimizer, 9)
    optimizer.ask()
    assert len(log.seen) == 3
    for text in log.prompts:
        assert "Problem: a network" in text
        assert "\nacc: maximize\nms: minimize\nmemory: must be at most 16\n" in text
        prompt = understood(text)
        shown = {json.dumps(r): o for r, o in zip(prompt.rows, prompt.outcomes, strict=True)}
        assert len(shown) == 9
        for row, written in zip(rows, optimizer._briefing.fields.write(rows), strict=True):
            seen = shown[json.dumps(json.loads(written))]
            want = [row["acc"], row["ms"], row["memory"]] if row["ok"] else [np.nan] * 3
            assert seen == pytest.approx(want, rel=1e-5, nan_ok=True)
            assert json.loads(written)[0] == pytest.approx(row["rate"], rel=1e-4)


def test_examples_stand_in_another_order_in_each_request() -> None:
    log = Log()
    problem = branin()
    optimizer = bb.LLAMBO(problem, log, seed=0)
    told(problem, optimizer, 12)
    optimizer.ask()
    optimizer.ask()
    orders = [tuple(map(json.dumps, understood(text).rows)) for text in log.prompts]
    assert len({frozenset(order) for order in orders}) == 1
    assert len(set(orders)) == len(orders) == 6


def test_only_the_best_examples_are_shown_where_there_are_too_many() -> None:
    log, problem = Log(), branin()
    optimizer = bb.LLAMBO(problem, log, settings=Settings(examples=5), seed=0)
    rows = told(problem, optimizer, 20)
    optimizer.ask()
    shown = np.sort(understood(log.prompts[0]).outcomes[:, 0])
    assert shown == pytest.approx(np.sort(rows["f"][rows["ok"]])[:5], rel=1e-4)


def test_of_several_objectives_none_decides_by_its_unit_which_examples_are_shown() -> None:
    problem = bb.problem(
        lambda p: {},
        bb.Space(bb.Real("x", 0, 1)),
        [bb.Maximize("share"), bb.Minimize("price")],
        constraints=[bb.Constraint("c", upper=0)],
    )
    log = Log()
    optimizer = bb.LLAMBO(problem, log, settings=Settings(examples=2), n_init=0, seed=0)
    # Good in both, bad in both, cheap and of no use, best in both but not allowed.
    columns = {
        "share": [0.9, 0.1, 0.0, 1.0],
        "price": [2e3, 9e3, 1e3, 1e3],
        "c": [-1.0, -1.0, -1.0, 1.0],
    }
    optimizer.tell(bb.Batch({"x": [0.1, 0.3, 0.5, 0.7], **columns}))
    optimizer.ask()
    assert sorted(understood(log.prompts[0]).outcomes[:, 0]) == [0.0, 0.9]


def test_pending_rows_are_named() -> None:
    log, problem = Log(), branin()
    optimizer = bb.LLMGuided(problem, log, seed=0)
    first = optimizer.ask()
    optimizer.ask()
    row = optimizer._briefing.fields.write(first)[0]
    assert f"Being measured, do not repeat:\n{row}\n" in log.prompts[-1]


class TestTarget:
    @pytest.mark.parametrize("kind", [bb.Minimize, bb.Maximize])
    @pytest.mark.parametrize("shift", [0.0, -100.0, 1.0])
    def test_it_is_the_best_moved_by_alpha_times_the_range(self, kind, shift) -> None:
        problem = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1)), kind("f"))
        values = shift + np.array([0.2, 0.5, 1.0])
        rows = bb.Batch({"x": [0.1, 0.2, 0.3], "f": values, "ok": [True] * 3})
        scalar = Scalar(problem, rows, np.ones(1))
        for alpha in (-0.1, 0.1):
            sign = problem.objectives[0].sign
            best = values.max() if sign > 0 else values.min()
            assert scalar.target(alpha) == pytest.approx([best + sign * alpha * 0.8])

    @pytest.mark.parametrize("value", [5.0, -5.0, 0.0])
    def test_equal_outcomes_have_a_tenth_of_their_size_as_range(self, value) -> None:
        problem = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1)), bb.Maximize("f"))
        rows = bb.Batch({"x": [0.1, 0.2], "f": [value, value], "ok": [True] * 2})
        [target] = Scalar(problem, rows, np.ones(1)).target(0.1)
        assert target == pytest.approx(value + 0.1 * (0.1 * abs(value) or 1.0))

    def test_it_stands_in_the_prompt(self) -> None:
        log, problem = Log(), branin()
        optimizer = bb.LLAMBO(problem, log, seed=0)
        rows = told(problem, optimizer, 9)
        optimizer.ask()
        f = rows["f"][rows["ok"]]
        assert understood(log.prompts[0]).target == pytest.approx(
            (f.min() + 0.1 * np.ptp(f),), rel=1e-4
        )


class TestExpectedImprovement:
    problem = bb.problem(
        lambda p: {},
        bb.Space(bb.Real("x", 0, 1)),
        bb.Minimize("f"),
        constraints=[bb.Constraint("c", upper=0)],
    )
    rows = bb.Batch(
        {"x": [0.1, 0.2, 0.3], "f": [1.0, 3.0, 0.5], "c": [-1.0, -1.0, 5.0], "ok": [True] * 3}
    )

    def test_it_is_the_integral(self) -> None:
        predicted = np.random.default_rng(0).normal([[[0.5, -1]], [[1.5, 1]]], 0.4, (2, 9, 2))
        scalar = Scalar(self.problem, self.rows, np.ones(1))
        found = scalar.improvement(predicted)
        # The best feasible outcome is 1; worth is a straight line of the outcome.
        slope = -scalar.worth(np.array([[0.0]]))[0] + scalar.worth(np.array([[1.0]]))[0]
        for value, draws in zip(found, predicted.transpose(1, 0, 2), strict=True):
            f = stats.norm(draws[:, 0].mean(), draws[:, 0].std(ddof=1))
            c = stats.norm(draws[:, 1].mean(), draws[:, 1].std(ddof=1))
            ei = integrate.quad(lambda y, f=f: (1.0 - y) * f.pdf(y), -12, 1.0, limit=200)[0]
            assert value == pytest.approx(slope * ei * c.cdf(0), rel=1e-3, abs=1e-7)

    def test_missing_predictions_are_passed_over(self) -> None:
        predicted = np.array([[[0.9, -1], [np.nan, np.nan]], [[0.7, -1], [np.nan, np.nan]]])
        found = Scalar(self.problem, self.rows, np.ones(1)).improvement(predicted)
        assert found[0] == pytest.approx(found[1])
        nothing = Scalar(self.problem, self.rows, np.ones(1)).improvement(predicted * np.nan)
        assert np.isfinite(nothing).all()

    def test_several_objectives_become_one_that_every_dominating_row_increases(self) -> None:
        problem = bb.problem(
            lambda p: {}, bb.Space(bb.Real("x", 0, 1)), [bb.Minimize("f"), bb.Maximize("g")]
        )
        rows = bb.Batch({"x": [0.1, 0.2], "f": [1.0, 3.0], "g": [0.0, 9.0], "ok": [True] * 2})
        rng = np.random.default_rng(0)
        for _ in range(20):
            scalar = Scalar.drawn(problem, rows, rng)
            a = rng.normal(size=2)
            assert scalar.worth(a + rng.random(2)) > scalar.worth(a)


class TestPredictions:
    problem = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1)), bb.Maximize("f"))
    x = np.linspace(0, 1, 11)
    rows = bb.Batch({"x": x, "f": -((x - 0.6) ** 2), "ok": np.ones(11, bool)})
    candidates = bb.Batch({"x": [0.05, 0.58, 0.93]})

    def test_many_candidates_in_one_request_for_each_order(self) -> None:
        log = Log()
        briefing = Briefing(self.problem, "", Settings())
        found = discriminative(
            Conversation(log), briefing, self.rows, self.candidates, np.random.default_rng(0)
        )
        assert found.shape == (10, 3, 1)
        assert [request.n for request in log.seen] == [5, 5]
        assert np.argmax(found[:, :, 0].mean(axis=0)) == 1
        assert found[:, :, 0].mean(axis=0) == pytest.approx(
            -((self.candidates["x"] - 0.6) ** 2), abs=0.05
        )

    @pytest.mark.parametrize("logprobs", [True, False])
    def test_labels_by_probabilities_or_by_counting(self, logprobs) -> None:
        def model(request: Request) -> Reply:
            reply = Brain()(request)
            return reply if logprobs else Reply(reply.texts)

        worth = self.rows["f"]
        found = generative(
            Conversation(model), Briefing(self.problem, "", Settings()), self.rows, worth,
            self.candidates, np.random.default_rng(0),
        )  # fmt: skip
        assert np.argmax(found) == 1
        assert ((found >= 0) & (found <= 1)).all()

    def test_probability_of_the_label_token(self) -> None:
        tokens = (
            ('{"labels": [', {}), ("1", {"1": math.log(0.6), "0": math.log(0.2)}), (", ", {}),
            ("0", {"0": math.log(0.9)}), (", 1]}", {" 1": -0.1}),
        )  # fmt: skip
        text = Text('{"labels": [1, 0, 1]}', tokens)
        assert reading.labels(text, 3).value == pytest.approx([0.75, 0.0, 1.0])
        assert reading.labels(Text(text.text), 3).value.tolist() == [1, 0, 1]

    def test_tokens_that_the_text_has_lost_shift_no_probability(self) -> None:
        tokens = (
            ("\n\n", {}), ('{"labels":[', {}), ("1", {"1": math.log(0.6), "0": math.log(0.4)}),
            (",", {}), ("0", {"0": math.log(0.7), "1": math.log(0.3)}), ("]}", {}),
        )  # fmt: skip
        text = Text('{"labels":[1,0]}', tokens)
        assert reading.labels(text, 2).value == pytest.approx([0.6, 0.3])
        assert reading.labels(Text(text.text, tokens[2:]), 2).value.tolist() == [1, 0]

    def test_scientific_notation_is_read(self) -> None:
        text = Text('{"predictions": [1e-3, -2.5E+2, 0, "high", null]}')
        value = reading.predictions(text, 5, 1).value
        assert value[:3, 0].tolist() == [0.001, -250.0, 0.0]
        assert np.isnan(value[3:]).all()


class TestWarmStart:
    def test_the_design_is_asked_for_once_and_zero_shot(self) -> None:
        log, problem = Log(), branin(about="two numbers")
        optimizer = bb.LLAMBO(problem, log, n_init=4, seed=0)
        for _ in range(4):
            optimizer.ask()
        assert len(log.seen) == 1
        assert "Observations" not in log.prompts[0]
        assert "Give 4 different" in log.prompts[0]

    def test_context_is_what_is_said_about_the_problem(self) -> None:
        card = bb.llm.data_card(np.eye(4), [0, 1, 0, 1], full=True)
        prompts = {}
        for about in ("", "a tree", f"a tree. {card}"):
            log = Log()
            bb.LLAMBO(branin(), log, about, seed=0).ask()
            prompts[about] = log.prompts[0]
        none, partial, full = prompts.values()
        assert "Problem:" not in none
        assert "4 samples" not in partial
        assert "Skewness" in full

    def test_sobol_without_a_model(self) -> None:
        log = Log()
        optimizer = bb.LLAMBO(branin(), log, warm_start=False, seed=0)
        optimizer.ask(5)
        assert not log.seen

    def test_as_the_beginning_of_bayes(self) -> None:
        problem, log = branin(), Log()
        init = bb.LLAMBO(problem, log, n_init=3, seed=0)
        optimizer = bb.Bayes(problem, init=init, n_init=3, seed=0)
        study = bb.Study(problem, optimizer).run(5)
        assert len(log.seen) == 1
        assert study.told == 5


class TestControls:
    def test_anonymous_prompts_say_nothing(self) -> None:
        log, problem = Log(), bb.problems.Tuning()
        optimizer = bb.LLAMBO(problem, log, settings=Settings(anonymous=True), seed=0)
        told(problem, optimizer, 8)
        optimizer.ask()
        for text in log.prompts:
            assert not re.search(r"\b(lr|width|act|loss|network)\b", text)
            assert "X1: number" in text
            assert "Y1: minimize" in text

    def test_permuted_feedback_shows_the_same_outcomes_elsewhere(self) -> None:
        log, problem = Log(), branin()
        optimizer = bb.LLAMBO(problem, log, settings=Settings(permuted=True), seed=0)
        rows = told(problem, optimizer, 12)
        optimizer.ask()
        prompt = understood(log.prompts[0])
        right = dict(zip(optimizer._briefing.fields.write(rows), rows["f"].tolist(), strict=True))
        shown = dict(zip(map(json.dumps, prompt.rows), prompt.outcomes[:, 0], strict=True))
        pairs = [(right[k.replace(" ", "")], v) for k, v in shown.items()]
        assert sum(v == pytest.approx(r, rel=1e-4) for r, v in pairs) < 6


class TestBadModels:
    @pytest.mark.parametrize(
        "model",
        [
            lambda request: None,
            lambda request: "",
            lambda request: "Je ne parle pas JSON.",
            lambda request: "__import__('os').system('touch owned')",
            lambda request: '{"configurations": "all of them", "predictions": 7, "labels": {}}',
            lambda request: '{"configurations": [{"x": "../../etc/passwd"}]}',
            lambda request: 1 / 0,
            lambda request: "[" * 10**6,
            lambda request: "\ud800",
        ],
    )
    def test_ask_goes_on_without_them(self, model, tmp_path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        problem = branin()
        optimizer = bb.LLAMBO(problem, model, n_init=2, settings=FEW, seed=0)
        study = bb.Study(problem, optimizer, "run").run(7)
        assert study.told == 7
        assert sum(entry["own"] for entry in optimizer.record) == 7
        assert optimizer.usage.faults["own proposal"] == 7
        assert [path.name for path in tmp_path.iterdir()] == ["run"]

    def test_a_model_that_fails_costs_little(self) -> None:
        """Without the model the Gaussian process proposes, so the run is one of Bayes."""
        problem = branin()
        optimizer = bb.LLAMBO(problem, lambda request: None, seed=0)
        assert bb.Study(problem, optimizer).run(20).best["f"] < 1.0

    def test_repeated_and_infeasible_proposals_are_not_made(self) -> None:
        c = bb.LinearConstraint({"x": 1.0, "y": 1.0}, upper=1.0)
        space = bb.Space(bb.Real("x", 0, 1), bb.Real("y", 0, 1), constraints=[c])
        problem = bb.problem(lambda p: p["x"], space, bb.Minimize("f"))
        rows = [{"x": 0.9, "y": 0.9}, {"x": 0.1, "y": 0.2}, {"x": 0.1, "y": 0.2}]
        optimizer = bb.LLMGuided(problem, lambda r: json.dumps({"configurations": rows}), seed=0)
        batch = optimizer.ask(3)
        assert space.feasible(batch).all()
        assert batch["x"][0] == 0.1
        assert len(np.unique(batch["x"])) == 3
        assert optimizer.usage.faults["constraint broken"] >= 1
        assert optimizer.usage.faults["duplicate"] >= 1

    def test_no_cap_is_exceeded_and_the_run_goes_on(self) -> None:
        with StandIn() as server, bb.llm.Chat(server.base_url, "m", backoff=0) as llm:
            problem = branin()
            optimizer = bb.LLAMBO(problem, llm, max_tokens=9000, seed=0)
            study = bb.Study(problem, optimizer).run(12)
        assert study.told == 12
        assert 0 < server.tokens <= 9000
        assert optimizer.usage.tokens == server.tokens
        assert optimizer.usage.faults["budget"] > 0


class TestGuided:
    def test_reasons_are_kept(self) -> None:
        space = bb.Space(bb.Categorical("base", ["A", "B"]), bb.Categorical("ligand", ["X", "Y"]))
        problem = bb.problem(lambda p: 1.0, space, bb.Maximize("yield"))
        optimizer = bb.LLMGuided(problem, Brain(), "a coupling", batch=2, seed=0)
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(**{"yield": [1.0, 2.0]}))
        assert len(optimizer.ask()) == 2
        assert "Of 2 results" in optimizer.record[1]["reasoning"]
        assert len(optimizer.ask()) == 0  # all four are known

    def test_a_reason_that_is_no_text_is_none(self) -> None:
        text = Text('{"reasoning": {"a": 1}, "configurations": [{"x": 0.5}]}')
        space = bb.Space(bb.Real("x", 0, 1))
        from blackbox.llm.structured import Fields

        assert reading.configurations(text, Fields(space), 1).value.reasoning == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"llm": "gpt-4"}, "llm='gpt-4' is no language model"),
        ({"about": None}, "about=None; give a text"),
        ({"n_init": -1}, "n_init=-1 must be"),
        ({"warm_start": "no"}, "warm_start='no' must be True or False"),
        ({"surrogate": "gp"}, "surrogate='gp'; give 'discriminative'"),
        ({"settings": {}}, r"settings={}; give Settings\(...\)"),
        ({"max_tokens": -5}, "max_tokens=-5 must be"),
        ({"max_cost": 1.0}, "has no prices"),
    ],
)
def test_bad_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ProblemError, match=message):
        bb.LLAMBO(**{"problem": branin(), "llm": Brain(), **arguments})


@pytest.mark.parametrize(
    ("name", "value"),
    [("candidates", 0), ("orders", True), ("alpha", -2), ("timeout", True), ("permuted", "no")],
)
def test_bad_settings_are_refused(name, value) -> None:
    with pytest.raises(ProblemError, match=f"Settings: {name}="):
        Settings(**{name: value})


def test_a_cap_may_be_raised_and_the_model_not_changed() -> None:
    specs = [bb.LLAMBO(branin(), Brain(), max_tokens=n, seed=0).spec() for n in (1, 2)]
    assert specs[0] == specs[1]
    assert specs[0]["arguments"]["llm"] == "stand-in"
    assert bb.LLAMBO(branin(), lambda r: "", seed=0).spec() != specs[0]


class TestInsideBayes:
    def sampler(self, problem, seed=0, **how):
        return bb.LLAMBO(problem, Brain(**how), surrogate=None, settings=FEW, seed=seed)

    @pytest.mark.parametrize("rule", [Justified, Transient, InRegion, Only])
    def test_each_rule_runs_and_resumes(self, rule) -> None:
        problem = branin()

        def make():
            return bb.Bayes(problem, n_init=3, candidates=rule(self.sampler(problem)), seed=0)

        optimizer = make()
        for _ in range(5):
            batch = optimizer.ask()
            optimizer.tell(batch.with_columns(**problem.measure(batch)))
        other = make()
        other.load_state_dict(optimizer.state_dict())
        assert optimizer.ask(2) == other.ask(2)

    def test_a_proposal_is_accepted_where_bayes_agrees(self) -> None:
        """With any tolerance the other's row is taken, with none never a worse one."""
        problem = branin()
        for tolerance, same in ((1e9, True), (-1e9, False)):
            advice = Justified(self.sampler(problem), tolerance)
            optimizer = bb.Bayes(problem, n_init=3, candidates=advice, seed=0)
            batch = optimizer.ask(3)
            optimizer.tell(batch.with_columns(**problem.measure(batch)))
            theirs = self.sampler(problem)
            theirs.load_state_dict(advice.optimizer.state_dict())
            rows = theirs.suggest()
            batch = optimizer.ask()
            assert (batch["x"][0] in rows["x"]) is same

    @pytest.mark.slow
    def test_several_objectives(self) -> None:
        pytest.importorskip("botorch")
        problem = bb.problem(
            lambda p: {"f": p["x"], "g": (p["x"] - 1) ** 2},
            bb.Space(bb.Real("x", 0, 1)), [bb.Minimize("f"), bb.Minimize("g")],
        )  # fmt: skip
        sampler = self.sampler(problem)
        study = bb.Study(problem, bb.Bayes(problem, n_init=3, candidates=sampler, seed=0)).run(5)
        assert study.told == 5
        with pytest.raises(ProblemError, match="needs one objective"):
            bb.Bayes(problem, candidates=InRegion(sampler))

    def asked(self, space, rule):
        """Rows asked for after a good row and many bad ones, which shrink the trust region."""
        problem = bb.problem(lambda p: 0.0, space, bb.Maximize("f"))
        advice = rule and rule(bb.Random(problem, seed=0))
        optimizer = bb.Bayes(problem, n_init=5, candidates=advice, seed=0)
        rows = space.draw(220, np.random.default_rng(1))
        optimizer.tell(rows.with_columns(f=-np.arange(220.0)))
        return optimizer.ask(4)

    @pytest.mark.parametrize(
        "space",
        [
            bb.Space(bb.Simplex("m", 3)),
            bb.Space(bb.Permutation("p", 7)),
            bb.Space(bb.Categorical("c", range(300))),
        ],
        ids=["shares", "permutation", "name"],
    )
    def test_what_the_trust_region_leaves_free_is_accepted(self, space) -> None:
        assert self.asked(space, InRegion) == self.asked(space, Only)

    def test_the_trust_region_is_a_ball_of_categories(self) -> None:
        """Of ten names a draw changes more than the one that may change by now."""
        names = [bb.Categorical(f"c{i}", ["p", "q", "r"]) for i in range(10)]
        space = bb.Space(*names, bb.Integer("few", 0, 2))
        assert self.asked(space, InRegion) == self.asked(space, None)

    def test_a_silent_model_leaves_bayes_as_it_is(self) -> None:
        problem = branin()
        runs = []
        for candidates in (None, bb.LLAMBO(problem, lambda r: None, surrogate=None, seed=0)):
            optimizer = bb.Bayes(problem, n_init=3, candidates=candidates, seed=0)
            runs.append(bb.Study(problem, optimizer).run(6).history)
        assert runs[0] == runs[1]
        assert sum(entry["own"] for entry in candidates.record) == 0

    def test_what_cannot_advise_is_refused(self) -> None:
        problem = branin()
        other = bb.problems.Tuning()
        with pytest.raises(ProblemError, match="is for another problem"):
            bb.Bayes(problem, candidates=bb.Random(other))
        with pytest.raises(ProblemError, match="give an Optimizer"):
            bb.Bayes(problem, candidates="llambo")
        with pytest.raises(ProblemError, match="Justified: tolerance='a' must be a number"):
            Justified(bb.Random(problem), "a")
        with pytest.raises(ProblemError, match="Transient: half_life=0 must be a number from"):
            Transient(bb.Random(problem), 0)
        both = self.sampler(problem)
        with pytest.raises(ProblemError, match="build two"):
            bb.Bayes(problem, init=both, candidates=both)

    def test_a_surrogate_in_context_asks_for_the_candidates_alone(self) -> None:
        problem, log = branin(), Log()
        surrogate = InContext(log, settings=FEW, seed=0)
        optimizer = bb.Bayes(
            problem, surrogate=surrogate, acquisition=ObservedEI(), n_init=4, seed=0,
            candidates=Only(self.sampler(problem)),
        )  # fmt: skip
        study = bb.Study(problem, optimizer).run(6)
        assert study.told == 6
        assert {len(understood(text).candidates) for text in log.prompts} <= {1, 2, 3, 4}
        assert surrogate.usage.requests == len(log.seen) == 4
        mean, deviation = optimizer.predict(study.history)["f"]
        assert mean == pytest.approx(study.history["f"], rel=1e-3, abs=0.1)
        assert (deviation < 0.1 * np.ptp(study.history["f"])).all()

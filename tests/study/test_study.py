"""The loop: budgets, failures, what is told and what stays pending."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import (
    EvaluationError,
    ProblemError,
    StorageError,
    StudyLockedError,
    StudyMismatchError,
    TellError,
)
from blackbox.study.table import Table

SPACE = bb.Space(bb.Real("x", -1, 1), bb.Categorical("kind", ["a", "b"]))


class Quadratic(bb.Problem):
    space = SPACE
    objectives = [bb.Minimize("f")]

    def evaluate(self, p):
        return p["x"] ** 2 + (p["kind"] == "b")


class Batched(bb.Problem):
    space = SPACE
    objectives = [bb.Maximize("f")]

    def __init__(self):
        self.sizes = []

    def evaluate_batch(self, b):
        self.sizes.append(len(b))
        return {"f": -(b["x"] ** 2)}


class Priced(Quadratic):
    def cost(self, b):
        return np.where(b["kind"] == "a", 1.0, 3.0)


class Flaky(Quadratic):
    """Raises on the third row, gives NaN on the fifth."""

    def __init__(self):
        self.calls = 0

    def evaluate(self, p):
        self.calls += 1
        if self.calls == 3:
            raise ValueError("the reactor is cold")
        return float("nan") if self.calls == 5 else super().evaluate(p)


def study_of(problem: bb.Problem, *args, **kwargs) -> bb.Study:
    return bb.Study(problem, bb.Random(problem, seed=0), *args, **kwargs)


def test_run_tells_every_row_and_finds_the_best():
    study = study_of(Quadratic()).run(30)
    history = study.history
    assert study.told == len(history) == 30
    assert history["id"].tolist() == list(range(30))
    values = history["x"] ** 2 + (history["kind"] == "b")
    assert np.array_equal(history["f"], values)
    assert study.best["f"] == values.min()
    assert set(study.best) == {"id", "x", "kind", "f"}
    assert type(study.best["x"]) is float


def test_budgets_are_totals_over_the_studys_life():
    study = study_of(Quadratic()).run(10)
    assert study.run(10).told == 10
    assert study.run(25).told == 25


def test_batch_problems_get_batches_and_the_last_one_is_cut():
    problem = Batched()
    study = study_of(problem).run(10, batch=4)
    assert problem.sizes == [4, 4, 2]
    assert study.best["f"] == -(study.history["x"] ** 2).min()


def test_cost_is_never_exceeded_and_counted():
    study = study_of(Priced()).run(max_cost=20)
    assert study.cost == study.history["cost"].sum() <= 20
    # Random asks for a row of cost 1 or 3: at most 2 units of the budget can be left.
    assert study.cost > 17
    assert np.array_equal(study.history["cost"], np.where(study.history["kind"] == "a", 1, 3))
    pending = study.optimizer.pending
    assert len(pending) <= 1
    assert study.run(max_cost=40).cost > 37
    assert study.history["id"].tolist() == list(range(study.told))


class PricedBatches(bb.Problem):
    space = SPACE
    objectives = [bb.Minimize("f")]

    def cost(self, b):
        return 2.5 + 2 * b["x"]

    def evaluate_batch(self, b):
        return {"f": b["x"]}


def test_what_the_cost_budget_cuts_off_is_not_passed_over_for_later_rows(tmp_path):
    how = {"max_cost": 20, "batch": 5}
    whole = study_of(PricedBatches()).run(**how)
    # In order, without a gap: rows of a later ask may be cheap enough, but come later.
    assert whole.history["id"].tolist() == list(range(whole.told))
    assert len(whole.optimizer.pending) < 5
    with study_of(PricedBatches(), tmp_path / "s") as study:
        for told in study.steps(**how):
            if len(told) < 5:
                break
    with study_of(PricedBatches(), tmp_path / "s") as study:
        assert study.run(**how).history.equals(whole.history)
    more = whole.run(max_cost=40, batch=5).history
    assert more["id"].tolist() == list(range(len(more)))


def test_no_evaluation_starts_after_an_ask_that_outlasts_the_time():
    class Thinking(bb.Random):
        def _ask(self, n):
            time.sleep(0.2)
            return super()._ask(n)

    problem = Quadratic()
    study = bb.Study(problem, Thinking(problem, seed=0)).run(max_seconds=0.1)
    assert study.told == 0
    assert study.optimizer.pending["id"].tolist() == [0]
    assert study.run(1).history["id"].tolist() == [0]


def test_wall_time_stops_the_run_and_nothing_starts_after_it():
    class Slow(Quadratic):
        def evaluate(self, p):
            time.sleep(0.05)
            return 0.0

    study = study_of(Slow()).run(1000, max_seconds=0.3)
    assert 1 <= study.told <= 7
    assert study.seconds >= 0.3
    assert study.run(1000, max_seconds=0.3).told == study.told


@pytest.mark.parametrize(
    "wrong", [{}, {"evaluations": 0}, {"max_cost": -1.0}, {"max_seconds": "1"}]
)
def test_a_run_without_a_proper_budget_is_refused_at_once(wrong):
    with pytest.raises(ProblemError, match=r"evaluations|max_cost|max_seconds"):
        study_of(Quadratic()).steps(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"workers": 1.5}, {"timeout": 0}, {"retries": -1}, {"on_error": "ignore"}],
)
def test_arguments_out_of_range_are_named(wrong):
    with pytest.raises(ProblemError, match=next(iter(wrong))):
        study_of(Quadratic()).steps(5, **wrong)


def test_an_exception_stops_the_run_and_leaves_its_row_pending():
    problem = Flaky()
    study = study_of(problem)
    with pytest.raises(EvaluationError, match=r"row 2 failed.*the reactor is cold") as caught:
        study.run(10)
    assert isinstance(caught.value.__cause__, ValueError)
    assert study.told == 2
    assert study.optimizer.pending["id"].tolist() == [2]
    study.run(10)
    assert study.history["id"].tolist() == list(range(10))


def test_recorded_errors_and_nan_are_failed_rows_with_their_reason():
    study = study_of(Flaky()).run(10, on_error="record")
    history = study.history
    assert np.flatnonzero(~history["ok"]).tolist() == [2, 4]
    assert np.isnan(history["f"][[2, 4]]).all()
    assert study.failed == 2
    assert "the reactor is cold" in study.failures[2]
    assert study.best["f"] == np.nanmin(history["f"])


def test_answers_of_the_wrong_form_name_the_outcomes():
    class Wrong(Quadratic):
        def evaluate(self, p):
            return {"loss": 1.0}

    with pytest.raises(EvaluationError, match=r"gave outcomes \['loss'\].*declares \['f'\]"):
        study_of(Wrong()).run(1)


def test_steps_can_be_left_and_taken_up_again():
    study = study_of(Quadratic())
    for told in study.steps(20):
        assert len(told) == 1
        if study.told == 7:
            break
    assert study.told == 7
    assert study.run(20).history["id"].tolist() == list(range(20))


def test_ask_and_tell_by_hand_take_outside_data_and_repeats():
    study = study_of(Quadratic())
    asked = study.ask(3)
    study.tell(asked[[2, 0]].with_columns(f=[2.0, 0.5]))
    study.tell(bb.Batch({"x": [0.0], "kind": ["a"], "f": [-1.0]}))
    assert study.history["id"].tolist() == [2, 0, -1]
    assert len(study.tell(asked[:1].with_columns(f=[0.5]))) == 0
    with pytest.raises(TellError, match=r"id 0 was told before with f=0.5, now f=9.0"):
        study.tell(asked[:1].with_columns(f=[9.0]))
    assert study.told == 3
    assert study.best["f"] == -1.0
    assert study.run(5).evaluations == 5
    assert study.told == 6


def test_best_counts_only_feasible_rows_at_the_target():
    class Hard(bb.Problem):
        space = bb.Space(bb.Real("x", 0, 1))
        objectives = [bb.Maximize("f")]
        constraints = [bb.Constraint("g", upper=0.5)]
        fidelity = bb.Fidelity(bb.Ordinal("size", [1, 10]), target=10)

        def evaluate(self, p):
            assert p["size"] == 10
            return {"f": p["x"], "g": p["x"]}

    study = study_of(Hard()).run(50)
    x = study.history["x"]
    assert study.best["f"] == x[x <= 0.5].max()
    assert study.best["size"] == 10


def test_front_holds_the_undominated_rows():
    class Two(bb.Problem):
        space = bb.Space(bb.Real("x", 0, 1, size=2))
        objectives = [bb.Minimize("a"), bb.Maximize("b")]

        def evaluate_batch(self, b):
            return {"a": b["x"][:, 0], "b": b["x"][:, 1]}

    study = study_of(Two()).run(60, batch=20)
    history, front = study.history, study.front
    scores = study.problem.scores(history)
    beaten = [any((s >= t).all() and (s > t).any() for s in scores) for t in scores]
    assert set(front["id"]) == set(history["id"][~np.array(beaten)])
    with pytest.raises(ProblemError, match=r"use study\.front"):
        _ = study.best


def test_an_optimizer_of_another_problem_is_refused():
    other = Batched()
    with pytest.raises(ProblemError, match=r"was built for Batched, not for Quadratic"):
        bb.Study(Quadratic(), bb.Random(other, seed=0))


def test_evaluate_gets_sequences_without_padding():
    seen = []

    def length(p):
        seen.append("".join(p["word"]))
        return len(p["word"])

    problem = bb.problem(length, bb.Space(bb.Sequence("word", "AB", (1, 4))))
    study = study_of(problem).run(20)
    assert np.array_equal(study.history["y"], [len(word) for word in seen])
    assert 0 < min(map(len, seen)) < max(map(len, seen)) <= 4


def test_empty_history_has_its_columns():
    history = study_of(Priced()).history
    assert len(history) == 0
    assert history.names == ("id", "x", "kind", "f", "cost", "ok")


# --- on disk --------------------------------------------------------------------------------


def interrupted(problem: bb.Problem, path, evaluations: int, stops: list[int]) -> bb.Batch:
    """The history of a study that was left and reopened after so many rows."""
    for stop in [*stops, evaluations]:
        with study_of(problem, path) as study:
            steps: Iterator[bb.Batch] = study.steps(evaluations, batch=3)
            for _ in steps:
                if study.told >= stop:
                    break
            steps.close()
    return study.history


def test_the_same_lines_resume_and_the_history_is_that_of_one_run(tmp_path):
    whole = study_of(Priced()).run(40, batch=3).history
    assert interrupted(Priced(), tmp_path / "s", 40, [0, 1, 7, 20, 21]).equals(whole)


def test_a_resumed_study_knows_its_totals(tmp_path):
    with study_of(Flaky(), tmp_path / "s") as study:
        study.run(10, on_error="record")
        facts = study.best, study.cost, study.failures, study.told, study.failed
        seconds = study.seconds
    with study_of(Flaky(), tmp_path / "s") as again:
        assert (again.best, again.cost, again.failures, again.told, again.failed) == facts
        assert 0 < again.seconds <= seconds


def test_a_study_without_a_seed_resumes_too(tmp_path):
    problem = Quadratic()
    with bb.Study(problem, bb.Random(problem), tmp_path / "s") as study:
        study.run(5)
        expected = study.optimizer.ask(3)
    with bb.Study(problem, bb.Random(problem), tmp_path / "s") as study:
        assert study.ask(3).drop("id").equals(expected.drop("id"))


def test_history_can_live_on_disk_alone(tmp_path):
    kept = study_of(Quadratic()).run(20).history
    with study_of(Quadratic(), tmp_path / "s", keep_history=False) as study:
        study.run(12, batch=5)
    with study_of(Quadratic(), tmp_path / "s", keep_history=False) as study:
        assert (study.told, study.best["f"]) == (12, kept["f"][:12].min())
        study.tell(bb.Batch({"x": [0.0], "kind": ["a"], "f": [-1.0]}))
        study.run(20, batch=5)
        assert study.history[study.history["id"] >= 0].equals(kept)
    with study_of(Quadratic(), tmp_path / "s", keep_history=False) as study:
        assert (study.told, study.evaluations, study.best["f"]) == (21, 20, -1.0)
    # Closed, it is still read from the disk: ten million rows must not come into memory here.
    assert len(study._table) == 0
    assert len(study.history) == 21
    assert study.failures == {}


def test_reasons_are_kept_where_history_is_not():
    study = study_of(Flaky(), keep_history=False).run(10, on_error="record")
    assert list(study.failures) == [2]
    assert "reactor is cold" in study._repr_html_()
    assert "the reactor is cold" in study.failures[2]


@pytest.mark.parametrize("keep_history", [True, False])
def test_a_closed_study_takes_nothing_that_it_could_not_write(tmp_path, keep_history):
    with study_of(Quadratic(), tmp_path / "s", keep_history=keep_history) as study:
        asked = study.run(3).ask(1)
    calls = (
        lambda: study.run(6),
        lambda: next(study.steps(6)),
        lambda: study.ask(1),
        lambda: study.tell(asked.with_columns(f=[1.0])),
    )
    for call in calls:
        with pytest.raises(StorageError, match=r"s' was closed: build it again"):
            call()
    assert study.told == len(study.history) == len(bb.open_study(tmp_path / "s").history) == 3


def test_inputs_in_another_order_are_another_study(tmp_path):
    """A checkpoint holds points of the unit cube, whose coordinates would change places."""

    class Other(Quadratic):
        name = "Quadratic"
        space = bb.Space(SPACE["kind"], SPACE["x"])

    study_of(Quadratic(), tmp_path / "s").run(3).close()
    with pytest.raises(StudyMismatchError, match=r"in the order \['x', 'kind'\], not \['kind', 'x"):
        study_of(Other(), tmp_path / "s")
    with study_of(Quadratic(), tmp_path / "s") as study:
        assert study.told == 3


def test_another_problem_or_optimizer_is_refused_with_every_difference(tmp_path):
    study_of(Quadratic(), tmp_path / "s").close()
    problem = Quadratic()
    problem.objectives = [bb.Maximize("f")]
    with pytest.raises(StudyMismatchError, match=r"(?s)Minimize.*Maximize"):
        study_of(problem, tmp_path / "s")
    with pytest.raises(StudyMismatchError, match=r"(?s)seed.*0.*1"):
        bb.Study(Quadratic(), bb.Random(Quadratic(), seed=1), tmp_path / "s")


@pytest.mark.parametrize("keep_history", [True, False])
@pytest.mark.parametrize("begun", ["Free", "Priced"])
def test_a_cost_that_comes_or_goes_is_refused(tmp_path, begun, keep_history):
    class Free(Quadratic):
        name = "Bowl"

    class Priced(Free):
        def cost(self, batch):
            return np.full(len(batch), 2.0)

    first, second = (Free(), Priced()) if begun == "Free" else (Priced(), Free())
    study_of(first, tmp_path / "s").run(3).close()
    with pytest.raises(StudyMismatchError, match=r"was told (no )?costs, and Bowl defines"):
        study_of(second, tmp_path / "s", keep_history=keep_history)
    with study_of(first, tmp_path / "s", keep_history=keep_history) as study:
        assert study.told == 3


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path):
    with study_of(Quadratic(), tmp_path / "s") as study:
        study.run(3)
        with pytest.raises(StudyLockedError):
            study_of(Quadratic(), tmp_path / "s")
        assert bb.open_study(tmp_path / "s").history.equals(study.history)


def test_a_used_optimizer_cannot_begin_a_durable_study(tmp_path):
    problem = Quadratic()
    optimizer = bb.Random(problem, seed=0)
    optimizer.ask()
    with pytest.raises(StudyMismatchError, match=r"freshly built"):
        bb.Study(problem, optimizer, tmp_path / "s")
    assert not (tmp_path / "s").exists()


class Forgetful(bb.Random):
    """Proposes other rows each time it is built, as a library of another version might."""

    builds = 0

    def __init__(self, problem, *, seed=None):
        super().__init__(problem, seed=seed)
        type(self).builds += 1
        self.rng = np.random.default_rng(self.builds)
        self.heard = 0

    def _tell(self, batch):
        self.heard += len(batch)

    def _load_state(self, state):
        pass


def test_an_optimizer_that_does_not_repeat_itself_is_told_everything_again(tmp_path):
    problem = Quadratic()
    with bb.Study(problem, Forgetful(problem, seed=0), tmp_path / "s") as study:
        study.run(5)
        study.ask(2)
        history = study.history
        for file in (tmp_path / "s").glob("state-*"):
            file.unlink()
        study._journal._writer._log.connection.execute("DELETE FROM checkpoints")
    optimizer = Forgetful(problem, seed=0)
    with pytest.warns(UserWarning, match="does not repeat its proposals"):
        study = bb.Study(problem, optimizer, tmp_path / "s")
    with study:
        assert study.history.equals(history)
        assert optimizer.heard == 5
        assert study.optimizer.pending["id"].tolist() == [5, 6]
        study.run(10)
        assert sorted(study.history["id"]) == list(range(10))


@pytest.mark.parametrize("kind", [bb.Sobol, bb.Bayes])
def test_a_checkpoint_that_cannot_be_loaded_is_passed_over(tmp_path, kind):
    problem = Quadratic()
    whole = bb.Study(problem, kind(problem, seed=0)).run(9)
    with bb.Study(problem, kind(problem, seed=0), tmp_path / "s") as study:
        study.run(6)
        older = {**study.optimizer.state_dict(), "own": {"of": "an older version"}}
        study._journal._writer.checkpoint(older)
    with bb.Study(problem, kind(problem, seed=0), tmp_path / "s") as study:
        study.run(9)
        for name in ("id", "x", "kind", "f"):
            assert study.history[name].tolist() == whole.history[name].tolist()


def test_inputs_told_otherwise_than_asked_are_kept(tmp_path):
    with study_of(Quadratic(), tmp_path / "s") as study:
        asked = study.ask(2)
        study.tell(asked.with_columns(x=[0.25, 0.5], f=[1.0, 2.0]))
        assert study.history["x"].tolist() == [0.25, 0.5]
        assert study.history["kind"].tolist() == asked["kind"].tolist()
        history = study.history
    with study_of(Quadratic(), tmp_path / "s") as study:
        assert study.history.equals(history)
    with study_of(Quadratic(), tmp_path / "s", keep_history=False) as study:
        assert study.history.equals(history)
        assert study.best == {"id": 0, "x": 0.25, "kind": asked[0]["kind"], "f": 1.0}


# --- the growing table ----------------------------------------------------------------------


def test_table_widens_text_and_keeps_mixed_types():
    table = Table()
    table.append(bb.Batch({"t": ["a"], "o": [1]}))
    table.append(bb.Batch({"t": ["longer", "b"], "o": [2, 3]}))
    before = table.batch
    table.append(bb.Batch({"t": ["é"], "o": np.array([None], dtype=object)}))
    assert table.batch["t"].tolist() == ["a", "longer", "b", "é"]
    assert table.batch["o"].tolist() == [1, 2, 3, None]
    assert before["o"].dtype == np.int64
    assert len(before) == 3


# --- how it shows itself --------------------------------------------------------------------


def test_html_escapes_and_shows_best_and_failures():
    class Named(Flaky):
        name = "<script>"

    page = study_of(Named(), name="a<b").run(6, on_error="record")._repr_html_()
    assert "<script>" not in page
    assert "a&lt;b" in page
    assert "the reactor is cold" in page
    assert "Best" in page


def test_progress_draws_told_best_and_cost(capsys):
    study_of(Priced()).run(5, progress=True)
    drawn = capsys.readouterr().err
    assert "5 told" in drawn
    assert "best f" in drawn
    assert "cost" in drawn

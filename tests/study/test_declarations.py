"""Studies of problems with gradients, an environment or a preference: told, kept, resumed."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError, TellError
from blackbox.state import State


class Steep(bb.Problem):
    """Derivatives by one number and one vector; that of the vector fails now and then."""

    space = bb.Space(bb.Real("x", -1, 1), bb.Integer("k", 0, 3), bb.Real("v", 0, 1, size=2))
    objectives = [bb.Minimize("f", gradient="f_grad")]
    constraints = [bb.Constraint("c", upper=9, gradient="c_grad")]

    def evaluate(self, p):
        if p["k"] == 3:
            raise ValueError("no mesh")
        known = p["v"] if p["k"] else np.full(2, math.nan)
        value = p["x"] ** 2 + (p["v"] ** 2).sum() / 2
        slopes = [2 * p["x"], *known]
        return {"f": value, "f_grad": slopes, "c": p["x"], "c_grad": [1.0, 0.0, 0.0]}


class Windy(bb.Problem):
    """Best at another place in each wind."""

    space = bb.Space(bb.Integer("x", 0, 4))
    objectives = [bb.Minimize("f")]
    environment = bb.Environment(
        bb.Categorical("wind", ["calm", "storm"]), bb.Real("push", 0, 8, size=2), risk="worst",
        scenarios={"wind": ["calm", "storm", "storm"], "push": [[0, 0], [2, 4], [0, 8]]},
        weights=[2, 1, 0],
    )  # fmt: skip

    def evaluate(self, p):
        return float(abs(p["x"] - p["push"][0])) + (p["wind"] == "storm")


class Taste(bb.Problem):
    """Nobody can say how sweet, but everybody which is sweeter: the values are ranks."""

    space = bb.Space(bb.Real("sugar", 0, 1))
    objectives = [bb.Preference("taste")]

    def evaluate_batch(self, b):
        return {"taste": np.argsort(np.argsort(-abs(b["sugar"] - 0.6)))}


class Judge(bb.Random):
    """Remembers which rows were told together, in the terms of their inputs."""

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.groups: list[dict[str, list[float]]] = []

    def _tell(self, batch: bb.Batch) -> None:
        self.groups.append({n: batch[n].tolist() for n in ("sugar", "taste")})

    def _state(self) -> State:
        return {"groups": self.groups}

    def _load_state(self, state: State) -> None:
        self.groups = [dict(g) for g in state["groups"]]


class Fickle(Judge):
    """Proposes other rows each time it is built, as a library of another version might."""

    built = 0

    def _ask(self, n: int) -> bb.Batch:
        return self.problem.space.draw(n, np.random.default_rng([self.built, self.asked]))


def run(problem: bb.Problem, path=None, make: type[bb.Optimizer] = bb.Random, **how: Any):
    with bb.Study(problem, make(problem, seed=0), path) as study:
        return study.run(on_error="record", **how)


@pytest.mark.parametrize("problem", [Steep(), Windy(), Taste()], ids=lambda p: p.name)
@pytest.mark.parametrize("keep", [True, False])
def test_a_resumed_study_equals_an_uninterrupted_one(problem, keep, tmp_path):
    for stop in (2, 6, 16):
        with bb.Study(
            problem, bb.Random(problem, seed=0), tmp_path / "s", keep_history=keep
        ) as study:
            study.run(stop, batch=2, on_error="record")
    whole = run(problem, batch=2, evaluations=16)
    assert study.history == whole.history
    assert bb.open_study(tmp_path / "s").history == whole.history
    assert study.failed == whole.failed == (whole.history["ok"] == 0).sum()


@pytest.mark.parametrize("problem", [Steep(), Windy(), Taste()], ids=lambda p: p.name)
def test_an_empty_history_has_the_columns_of_a_full_one(problem):
    study = bb.Study(problem, bb.Random(problem, seed=0))
    empty, full = study.history, study.run(3, batch=3, on_error="record").history
    assert empty.names == full.names
    for name in full.names:
        assert empty[name].shape[1:] == full[name].shape[1:], name
        assert empty[name].dtype.kind == full[name].dtype.kind, name
    study._repr_html_()


def test_gradients_come_back_from_worker_processes_and_failed_rows_have_none():
    with ProcessPoolExecutor(2) as pool:
        far = run(Steep(), evaluations=12, executor=pool, workers=2)
    near = run(Steep(), evaluations=12)
    found, wanted = far.history, near.history
    assert found.take(np.argsort(found["id"])) == wanted
    failed = wanted["k"] == 3
    assert np.array_equal(~wanted["ok"], failed)
    assert 0 < failed.sum() < 12
    assert np.isnan(wanted["f_grad"][failed]).all()
    exact = np.column_stack([2 * wanted["x"], wanted["v"]])
    exact[wanted["k"] == 0, 1:] = np.nan
    np.testing.assert_array_equal(wanted["f_grad"][~failed], exact[~failed])
    assert far.best["f_grad"].shape == (3,)


def test_gradients_are_exported_by_the_names_of_their_coordinates(tmp_path):
    run(Steep(), tmp_path / "s", evaluations=4)
    stored = bb.open_study(tmp_path / "s")
    stored.to_csv(tmp_path / "rows.csv")
    head = (tmp_path / "rows.csv").read_text().splitlines()[0].split(",")
    assert head[-7:] == [
        *(f"f_grad[{x}]" for x in ("x", "v[0]", "v[1]")),
        *(f"c_grad[{x}]" for x in ("x", "v[0]", "v[1]")),
        "ok",
    ]


def test_optuna_gets_gradients_as_attributes_and_the_environment_as_parameters():
    optuna = pytest.importorskip("optuna")
    from blackbox.storage.export import to_optuna

    storage = optuna.storages.InMemoryStorage()
    for problem in (Steep(), Windy()):
        study = run(problem, evaluations=6)
        to_optuna(problem, study.history, storage, problem.name, study.failures)
    steep, windy = (optuna.load_study(study_name=n, storage=storage) for n in ("Steep", "Windy"))
    for trial in steep.trials:
        assert ("c_grad" in trial.user_attrs) == (trial.params["k"] != 3)
        assert ("f_grad" in trial.user_attrs) == (trial.params["k"] in (1, 2))
    assert windy.trials[0].params.keys() == {"x", "wind", "push[0]", "push[1]"}


def test_a_repeat_with_another_gradient_is_refused():
    problem = Steep()
    study = bb.Study(problem, bb.Random(problem, seed=0))
    told = study.ask(1).with_columns(f=1.0, f_grad=[[1, math.nan, 0]], c=0.0, c_grad=[[1, 0, 0]])
    study.tell(told)
    assert len(study.tell(told)) == 0
    with pytest.raises(TellError, match="id 0 was told before with f_grad="):
        study.tell(told.with_columns(f_grad=[[1, 2, 0]]))


def outside(x: int, push: float, wind: str = "storm", f: float | None = None) -> dict[str, Any]:
    value = abs(x - push) + (wind == "storm") if f is None else f
    return {"x": x, "wind": wind, "push": [push, 4 if push == 2 else 0], "f": value}


def tell_rows(study: bb.Study, *rows: dict[str, Any]) -> None:
    study.tell(bb.Batch({name: [row[name] for row in rows] for name in rows[0]}))


def test_best_is_the_least_risk_of_candidates_told_in_every_weighed_scenario():
    problem = Windy()
    study = bb.Study(problem, bb.Random(problem, seed=0))
    assert study.best is None
    tell_rows(study, outside(0, 0, "calm"), outside(1, 2))
    assert study.best is None  # each of them in one wind only
    tell_rows(study, outside(0, 2))
    assert study.best == {"x": 0, "f": 3.0}
    tell_rows(study, outside(1, 0, "calm"), outside(2, 3), outside(2, 0, "calm"))
    assert study.best == {"x": 1, "f": 2.0}  # 2 was never told in the storm of the table
    tell_rows(study, outside(1, 2, f=6.0), outside(4, 2, f=math.nan))
    assert study.best == {"x": 0, "f": 3.0}  # repeats are averaged: 1 has the mean 4
    assert "Best" in study._repr_html_()


def test_best_by_expectation_weighs_the_scenarios():
    class Mean(Windy):
        environment = bb.Environment(
            *Windy.environment.space, scenarios=Windy.environment.table, weights=[2, 1, 0]
        )
        objectives = [bb.Maximize("f")]

    problem = Mean()
    study = bb.Study(problem, bb.Random(problem, seed=0))
    for x, calm, storm in ((0, 1.0, 5.0), (1, 3.0, 2.0)):
        tell_rows(study, outside(x, 0, "calm", calm), outside(x, 2, f=storm))
    assert study.best == {"x": 1, "f": pytest.approx(8 / 3)}


def test_rows_of_different_scenarios_have_no_front_and_show_no_best_while_running(capsys):
    pytest.importorskip("rich")
    problem = Windy()
    study = bb.Study(problem, bb.Random(problem, seed=0)).run(3, progress=True)
    with pytest.raises(ProblemError, match="rows of Windy come from different scenarios; use"):
        _ = study.front
    assert "best" not in capsys.readouterr().err


def test_another_environment_or_gradient_is_another_study(tmp_path):
    run(Windy(), tmp_path / "s", evaluations=2)
    other = Windy()
    other.environment = bb.Environment(*Windy.environment.space, risk="worst")
    with pytest.raises(bb_error("StudyMismatchError"), match="environment"):
        run(other, tmp_path / "s", evaluations=2)
    run(Steep(), tmp_path / "t", evaluations=2)
    plain = Steep()
    plain.constraints = [bb.Constraint("c", upper=9, gradient="c_slope")]
    with pytest.raises(bb_error("StudyMismatchError"), match="gradient"):
        run(plain, tmp_path / "t", evaluations=2)


def bb_error(name: str) -> type[Exception]:
    import blackbox.errors

    kind: type[Exception] = getattr(blackbox.errors, name)
    return kind


def test_rows_evaluated_together_are_told_together_and_again_on_a_resume(tmp_path):
    whole = run(Taste(), make=Judge, evaluations=10, batch=4).optimizer.groups
    assert [len(g["sugar"]) for g in whole] == [4, 4, 2]
    for stop in (4, 10):
        study = run(Taste(), tmp_path / "s", make=Judge, evaluations=stop, batch=4)
    assert study.optimizer.groups == whole
    assert study.optimizer.groups[0]["taste"] != sorted(study.optimizer.groups[0]["taste"])
    with bb.Study(Taste(), Judge(Taste(), seed=0), tmp_path / "s") as again:
        assert again.optimizer.groups == whole


def test_rows_under_way_at_a_crash_are_judged_together(tmp_path):
    problem = Taste()
    with bb.Study(problem, Judge(problem, seed=0), tmp_path / "s") as study:
        study.ask(4)
    study = run(problem, tmp_path / "s", make=Judge, evaluations=4)
    assert (
        study.optimizer.groups == run(problem, make=Judge, evaluations=4, batch=4).optimizer.groups
    )


def test_an_optimizer_that_does_not_repeat_itself_is_told_the_same_groups(tmp_path):
    problem, optimizer = Taste(), Fickle(Taste(), seed=0)
    with bb.Study(problem, optimizer, tmp_path / "s") as study:
        study.run(6, batch=3)
        asked = study.ask(1).with_columns(taste=0.0)
        beside = bb.Batch({"id": [-1], "sugar": [0.25], "taste": [1.0]})
        study.tell(bb.Batch.concat([asked, beside]))
        for file in (tmp_path / "s").glob("state-*"):
            file.unlink()
        study._journal._writer._log.connection.execute("DELETE FROM checkpoints")
    other = Fickle(problem, seed=0)
    other.built = 1
    with pytest.warns(UserWarning, match="does not repeat its proposals"):
        bb.Study(problem, other, tmp_path / "s").close()
    assert other.groups == optimizer.groups
    assert [len(g["sugar"]) for g in other.groups] == [3, 3, 2]


def test_a_preference_has_no_best_row():
    study = run(Taste(), make=Judge, evaluations=4, batch=4)
    for ask in ("best", "front"):
        with pytest.raises(ProblemError, match=f"{ask}: Taste has a preference, whose values only"):
            getattr(study, ask)
    assert "Best" not in study._repr_html_()


def test_a_preference_told_by_hand_cannot_be_run():
    class ByHand(bb.Problem):
        space = Taste.space
        objectives = Taste.objectives

    problem = ByHand()
    study = bb.Study(problem, Judge(problem, seed=0))
    with pytest.raises(ProblemError, match="ByHand defines no evaluate_batch, which orders its"):
        study.run(4, on_error="record")
    study.tell(study.ask(3).with_columns(taste=[0, 2, 2]))
    assert study.told == 3
    assert study.optimizer.groups[0]["taste"] == [0, 2, 2]


def test_a_candidate_is_compared_again_as_a_row_from_outside():
    problem = Taste()
    study = bb.Study(problem, Judge(problem, seed=0))
    first = study.ask(2).with_columns(taste=[0, 1])
    study.tell(first)
    assert len(study.tell(first)) == 0
    new = study.ask(1).with_columns(taste=0.0)
    champion = first[1:]
    with pytest.raises(TellError, match=r"id 1 was told before; to compare .* outside .id -1"):
        study.tell(bb.Batch.concat([champion, new]))
    study.tell(bb.Batch.concat([champion.with_columns(id=-1), new]))
    assert study.optimizer.groups[1]["sugar"] == [first["sugar"][1], new["sugar"][0]]

"""Histories for other programs: everything arrives, exactly, where there is a place for it."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage.export import to_csv, to_optuna, to_parquet

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)


class Everything(bb.Problem):
    """Every kind of parameter, two objectives, a constraint of two bounds, a measure."""

    space = bb.Space(
        bb.Real("lr", 1e-5, 1, log=True),
        bb.Real("w", -1, 1, size=2),
        bb.Integer("width", 16, 64, log=True),
        bb.Ordinal("depth", [1, 2, 4]),
        bb.Categorical("act", ["relu", "gelu", None, True]),
        bb.Simplex("mix", ["web", "code", "books"]),
        bb.Permutation("order", 3),
        bb.Sequence("word", "ab", (1, 3)),
    )
    objectives = (bb.Maximize("acc", noise="sem"), bb.Minimize("ms"))
    constraints = (bb.Constraint("memory", lower=1, upper=16),)
    measures = (bb.Measure("size", 0, 1),)
    fidelity = bb.Fidelity(bb.Ordinal("steps", [10, 100]), target=100)

    def evaluate(self, p: bb.batch.Row) -> dict[str, float]:
        raise NotImplementedError


PROBLEM = Everything()


def told(n: int = 12) -> Batch:
    """A history in which every tenth row failed."""
    rng = np.random.default_rng(0)
    drawn = PROBLEM.space.draw(n, rng)
    ok = np.arange(n) % 10 != 3
    outcomes = {name: np.where(ok, rng.random(n), np.nan) for name in ("acc", "ms", "sem", "size")}
    return Batch(
        {
            "id": np.arange(n),
            **drawn.columns(),
            "steps": np.full(n, 100),
            **outcomes,
            "memory": np.where(ok, 20 * rng.random(n), np.nan),
            "cost": np.full(n, 2.5),
            "ok": ok,
        }
    )


STORAGES = {
    "sqlite": lambda path: f"sqlite:///{path}/optuna.db",
    "journal": lambda path: optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path / "optuna.log"))
    ),
}


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
def test_an_optuna_study_holds_everything(tmp_path: Path, storage) -> None:
    history = told()
    to_optuna(PROBLEM, history, storage(tmp_path), "net", {3: "Traceback: out of memory"})
    study = optuna.load_study(study_name="net", storage=storage(tmp_path))
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert len(study.trials) == len(history)
    for trial, row in zip(study.trials, history, strict=True):
        assert trial.user_attrs["id"] == row["id"]
        assert trial.user_attrs["cost"] == 2.5
        assert trial.params["lr"] == row["lr"]
        assert [trial.params[f"w[{i}]"] for i in range(2)] == row["w"].tolist()
        assert trial.params["width"] == row["width"]
        assert trial.params["depth"] == row["depth"]
        assert trial.params["act"] is row["act"] or trial.params["act"] == row["act"]
        mix = [trial.params[f"mix[{part}]"] for part in ("web", "code", "books")]
        assert mix == row["mix"].tolist()
        assert [trial.params[f"order[{i}]"] for i in range(3)] == row["order"].tolist()
        assert "".join(trial.params[f"word[{i}]"] for i in range(3)) == "".join(row["word"])
        assert trial.params["steps"] == 100
        assert (trial.state.name == "COMPLETE") == row["ok"]
        if row["ok"]:
            assert trial.values == [row["acc"], row["ms"]]
            assert trial.user_attrs["size"] == row["size"]
            assert trial.user_attrs["sem"] == row["sem"]
            assert trial.constraints == {
                "memory <= 16": row["memory"] - 16,
                "memory >= 1": 1 - row["memory"],
            }
        else:
            why = "Traceback: out of memory" if row["id"] == 3 else "failed"
            assert trial.user_attrs["reason"] == why
    feasible = PROBLEM.feasible(history)
    assert {t.user_attrs["id"] for t in study.best_trials} <= set(history["id"][feasible].tolist())


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optuna_draws_and_weighs_the_study(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    pytest.importorskip("sklearn")
    url = STORAGES["sqlite"](tmp_path)
    to_optuna(PROBLEM, told(), url, "net")
    study = optuna.load_study(study_name="net", storage=url)
    draw = optuna.visualization
    assert draw.plot_pareto_front(study).data
    first = {"target": lambda trial: trial.values[0], "target_name": "acc"}
    for plot in (draw.plot_slice, draw.plot_parallel_coordinate, draw.plot_edf):
        assert plot(study, **first).data
    assert draw.plot_contour(study, params=["lr", "mix[web]"], **first).data
    weights = optuna.importance.get_param_importances(
        study,
        params=["lr", "width", "mix[web]", "depth"],
        target=first["target"],
        evaluator=optuna.importance.FanovaImportanceEvaluator(n_trees=8, seed=0),
    )
    assert math.isclose(sum(weights.values()), 1)


def test_an_existing_optuna_study_is_left_alone(tmp_path: Path) -> None:
    url = STORAGES["sqlite"](tmp_path)
    to_optuna(PROBLEM, told(3), url, "net")
    with pytest.raises(StorageError, match="holds a study 'net' already: give another"):
        to_optuna(PROBLEM, told(3), url, "net")
    to_optuna(PROBLEM, told(0), url, "other")
    assert len(optuna.load_study(study_name="net", storage=url).trials) == 3


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/a.db", "nonsense"])
def test_a_storage_that_optuna_cannot_use(url: str) -> None:
    with pytest.raises(StorageError, match="Optuna cannot"):
        to_optuna(PROBLEM, told(3), url, "net")


@pytest.mark.parametrize("write", [to_csv, to_parquet])
@pytest.mark.parametrize(
    ("path", "message"),
    [(3, "path=3; give the path"), ("", "path=''"), (".", "'.': it is a folder")],
)
def test_a_path_that_names_no_file(write: Any, path: Any, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        write(told(3), path)


def test_what_is_no_storage_of_optuna() -> None:
    with pytest.raises(StorageError, match="storage is 3; give a URL such as 'sqlite:"):
        to_optuna(PROBLEM, told(3), 3, "net")  # type: ignore[arg-type]


def test_optuna_needs_an_objective(tmp_path: Path) -> None:
    class OnlyMeasures(Everything):
        objectives = ()

    with pytest.raises(StorageError, match="has no objectives"):
        to_optuna(OnlyMeasures(), told(3), STORAGES["sqlite"](tmp_path), "net")
    assert list(tmp_path.iterdir()) == []


def test_csv_keeps_every_digit_and_any_text(tmp_path: Path) -> None:
    words = ['say "hi",\nfriend', "", "ñ日"]
    batch = Batch(
        {
            "id": [0, 1, 2],
            "x": [0.1 + 0.2, math.nan, -math.inf],
            "v": np.arange(6.0).reshape(3, 2) / 3,
            "word": words,
            "o": np.array([None, 1, "a"], dtype=object),
            "ok": [True, False, True],
        }
    )
    to_csv(batch, tmp_path / "h.csv", {"v": ["web", "code"]})
    with open(tmp_path / "h.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "x", "v[web]", "v[code]", "word", "o", "ok"]
    assert [row["word"] for row in rows] == words
    assert [row["o"] for row in rows] == ["", "1", "a"]
    assert [row["ok"] for row in rows] == ["True", "False", "True"]
    np.testing.assert_array_equal([float(row["x"]) for row in rows], batch["x"])
    assert [float(row["v[code]"]) for row in rows] == batch["v"][:, 1].tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.csv"]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    batch = Batch(
        {
            "id": [2**62, 1, 2],
            "x": [0.1 + 0.2, math.nan, -math.inf],
            "v": np.arange(6.0).reshape(3, 2) / 3,
            "word": ["a", "", "ñ\0日"],
            "bad": ["\ud800", "b", "c"],
            "mixed": np.array([None, 1, "a"], dtype=object),
            "steps": np.array([1, 2.5, 10], dtype=object),
            "numbers": np.array([None, 1.5, 2.0], dtype=object),
            "ok": [True, False, True],
        }
    )
    to_parquet(batch, tmp_path / "h.parquet", {"v": ["web", "code"]})
    table = parquet.read_table(tmp_path / "h.parquet").to_pydict()
    assert list(table)[:4] == ["id", "x", "v[web]", "v[code]"]
    assert table["id"] == [2**62, 1, 2]
    np.testing.assert_array_equal(table["x"], batch["x"])
    assert table["word"] == ["a", "", "ñ\0日"]
    assert table["bad"] == ["?", "b", "c"]
    assert table["mixed"] == [None, "1", "a"]
    assert table["steps"] == [1.0, 2.5, 10.0]
    assert table["numbers"] == [None, 1.5, 2.0]
    assert table["ok"] == [True, False, True]


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_a_failed_export_leaves_the_old_file(tmp_path: Path, write) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*absent"):
        write(told(3), tmp_path / "absent" / "h")
    target = tmp_path / "folder"
    (target / "inner").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot write"):
        write(told(3), target)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_an_export_of_no_rows(tmp_path: Path, write) -> None:
    write(told(0), tmp_path / "h")
    assert (tmp_path / "h").stat().st_size > 0

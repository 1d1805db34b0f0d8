"""Recorded exchanges: replayed without a request, torn lines survived, keys nowhere."""

from __future__ import annotations

import json

import pytest

import blackbox as bb
from blackbox.errors import StorageError
from blackbox.llm import Chat, Conversation, ModelError, Recorded, Reply, Request
from blackbox.testing import StandIn
from blackbox.testing.stand_in_brain import Brain

REQUEST = Request(({"role": "user", "content": "hello"},), n=2)
REPLY = Reply(("a", "b"), 1, 2, ((("a", {"a": -0.1}),), ()), ("truncated",))


def test_an_exchange_is_made_once(tmp_path) -> None:
    calls = []

    def model(request: Request) -> Reply:
        calls.append(request)
        if request.seed:
            raise ModelError("quota", "pay", again=False, lasting=True, faults=("x",))
        return REPLY

    for _ in range(2):
        recorded = Recorded(model, tmp_path / "llm.jsonl")
        assert recorded(REQUEST) == REPLY
        with pytest.raises(ModelError) as caught:
            recorded(Request(REQUEST.messages, seed=1))
        error = caught.value
        assert (error.kind, error.again, error.lasting, error.faults) == (
            "quota",
            False,
            True,
            ("x",),
        )
    assert len(calls) == 2
    assert len(recorded) == 2


def test_a_torn_line_costs_only_itself(tmp_path) -> None:
    path = tmp_path / "llm.jsonl"
    Recorded(lambda request: REPLY, path)(REQUEST)
    with path.open("a") as file:
        file.write('{"key": "abc", "repl')
    again = Recorded(lambda request: "new", path)
    assert again(REQUEST) == REPLY
    again(Request(REQUEST.messages, seed=5))
    assert len(Recorded(None, path)) == 2


def test_what_another_model_said_is_not_its_answer(tmp_path) -> None:
    def other(request: Request) -> Reply:
        return Reply(("c", "d"))

    path = tmp_path / "llm.jsonl"
    Recorded(lambda request: REPLY, path)(REQUEST)
    for _ in range(2):
        assert Recorded(other, path)(REQUEST).texts == ("c", "d")
    assert Recorded(lambda request: REPLY, path)(REQUEST) == REPLY


def test_without_a_model_it_replays_only(tmp_path) -> None:
    with pytest.raises(StorageError, match="does not exist; give the file of a recorded run"):
        Recorded(None, tmp_path / "none.jsonl")
    path = tmp_path / "sub" / "llm.jsonl"
    Recorded(lambda request: REPLY, path)(REQUEST)
    replay = Recorded(None, path)
    assert replay(REQUEST) == REPLY
    with pytest.raises(ModelError, match="not recorded"):
        replay(Request(REQUEST.messages, n=3))


def test_a_timeout_is_recorded_and_not_answered_late(tmp_path) -> None:
    import threading

    late = threading.Event()

    def model(request: Request) -> str:
        late.wait(5)
        return "late"

    path = tmp_path / "llm.jsonl"
    recorded = Recorded(model, path)
    quick = Request(REQUEST.messages, timeout=0.05)
    with pytest.raises(ModelError, match="timeout"):
        recorded.answer(quick)
    late.set()
    with pytest.raises(ModelError, match="timeout"):
        Recorded(None, path).answer(quick)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        Recorded(lambda request: "x", tmp_path / "file" / "llm.jsonl")
    with pytest.raises(StorageError, match="path=3; give the path of a file"):
        Recorded(None, 3)


def run(problem, llm, path, n=8):
    optimizer = bb.LLAMBO(problem, llm, seed=3, max_tokens=10**6)
    with bb.Study(problem, optimizer, path) as study:
        return study.run(n).history, optimizer


def test_a_recorded_run_replays_with_no_request_and_holds_no_key(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-key")
    problem = bb.problems.Tuning()
    folder = tmp_path / "run"
    with StandIn() as server, Chat(server.base_url, "m", backoff=0) as chat:
        server.faults.extend(["", "500", "truncated", "null content", "n ignored"])
        history, optimizer = run(problem, Recorded(chat, folder / "llm.jsonl"), folder)
        made = server.requests
    assert made > 10
    for llm in (Recorded(None, folder / "llm.jsonl"), Recorded(chat, folder / "llm.jsonl")):
        again, other = run(problem, llm, tmp_path / f"again{len(list(tmp_path.iterdir()))}")
        assert again == history
        assert other.record == optimizer.record
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert not any(b"planted" in path.read_bytes() for path in files)


def test_a_study_that_was_stopped_goes_on_exactly(tmp_path) -> None:
    problem = bb.problems.Tuning()
    whole, _ = run(problem, Brain(), tmp_path / "whole", 9)
    llm = Recorded(Brain(), tmp_path / "parts" / "llm.jsonl")
    run(problem, llm, tmp_path / "parts", 6)
    parts, _ = run(problem, Recorded(Brain(), llm._path), tmp_path / "parts", 9)
    assert parts == whole


def test_lines_say_what_was_exchanged(tmp_path) -> None:
    path = tmp_path / "llm.jsonl"
    Conversation(Recorded(lambda request: REPLY, path)).complete([REQUEST])
    line = json.loads(path.read_text().strip())
    assert line["request"]["messages"] == [{"role": "user", "content": "hello"}]
    assert line["reply"]["texts"] == ["a", "b"]
    assert line["key"] == REQUEST.key

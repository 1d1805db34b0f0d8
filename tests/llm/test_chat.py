"""The client against the stand-in: what it sends, what a server may refuse, what goes wrong."""

from __future__ import annotations

import threading
import time

import pytest

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.llm import Chat, ModelError, Request
from blackbox.testing import StandIn

PROMPT = """Parameters:
x: number 0 to 1

Outcomes:
f: minimize

Task: Give 2 different new configurations. Reply {"configurations": [{...}, ...]}, each with x."""
REQUEST = Request(({"role": "user", "content": PROMPT},), n=3, timeout=5, schema={"type": "object"})


@pytest.fixture
def server():
    with StandIn(hang=5) as made:
        yield made


@pytest.fixture
def llm(server):
    with Chat(server.base_url, "m", backoff=0) as made:
        yield made


def test_several_texts_come_in_one_request(server, llm) -> None:
    reply = llm(REQUEST)
    assert len(reply.texts) == 3
    assert len(set(reply.texts)) == 3
    assert server.requests == 1
    assert reply.prompt_tokens + reply.completion_tokens == server.tokens
    assert llm(REQUEST).texts == reply.texts


def test_what_a_server_refuses_is_left_out_from_then_on(server, llm) -> None:
    server.faults.extend(["unsupported parameter"] * 4)
    reply = llm(REQUEST)
    assert reply.faults == ("refused parameter",) * 4
    assert server.requests == 5
    llm(REQUEST)
    assert server.requests == 6


def test_the_older_name_of_the_token_limit_is_tried(monkeypatch) -> None:
    llm = Chat("http://localhost:1", "m")
    assert llm._parameters(REQUEST)["max_completion_tokens"] == REQUEST.max_tokens
    llm._refused.add("max_completion_tokens")
    sent = llm._parameters(REQUEST)
    assert sent["max_tokens"] == REQUEST.max_tokens
    assert "max_completion_tokens" not in sent
    llm._refused.add("max_tokens")
    assert "max_tokens" not in llm._parameters(REQUEST)
    llm.close()


@pytest.mark.parametrize(
    ("fault", "kind", "again", "billed"),
    [
        ("429", "rate limit", True, False),
        ("quota", "quota", False, False),
        ("500", "server error", True, False),
        ("cut", "connection", True, True),
        ("html", "not JSON", True, True),
        ("no choices", "no choices", True, True),
    ],
)
def test_each_failure_has_a_kind(server, llm, fault, kind, again, billed) -> None:
    server.faults.append(fault)
    with pytest.raises(ModelError) as caught:
        llm(REQUEST)
    error = caught.value
    assert (error.kind, error.again, error.billed) == (kind, again, billed)
    assert error.lasting == (fault == "quota")


def test_the_time_a_server_names_is_kept(server, llm) -> None:
    server.faults.append("429 retry-after")
    with pytest.raises(ModelError) as caught:
        llm(REQUEST)
    assert caught.value.wait == 0.01


def test_a_server_that_hangs_is_left_in_time(server, llm) -> None:
    server.faults.append("hang")
    quick = Request(REQUEST.messages, timeout=0.1)
    with pytest.raises(ModelError, match="timeout"):
        llm.answer(quick)


def test_what_was_refused_before_a_timeout_is_counted(server, llm) -> None:
    server.faults.extend(["unsupported parameter", "unsupported parameter", "hang"])
    with pytest.raises(ModelError, match="timeout") as caught:
        llm.answer(Request(REQUEST.messages, timeout=0.3))
    assert caught.value.faults == ("refused parameter",) * 2


def test_logprobs_are_read(server, llm) -> None:
    text = PROMPT.replace("Task: Give", "Candidates:\n[0.5]\n\nTask: Class 1 ... Give")
    text = text.replace("configurations", "labels").replace("2 different new", "1 candidates")
    labels = Request(({"role": "user", "content": text},), logprobs=True)
    reply = llm(labels)
    tokens = [token for token, _ in reply.logprobs[0]]
    assert "".join(tokens) == reply.texts[0]
    assert set(reply.logprobs[0][1][1]) == {"0", "1"}


def test_a_server_that_is_not_there_is_an_error_of_its_kind() -> None:
    with Chat("http://127.0.0.1:9/v1", "m") as llm, pytest.raises(ModelError) as caught:
        llm(REQUEST)
    assert caught.value.kind == "connection"
    assert not caught.value.billed


def test_a_wrong_path_lasts(server) -> None:
    class NotFound:
        code, message, status_code = None, "no such model", 404

    import openai

    with Chat(server.base_url, "m") as llm:
        error = openai.NotFoundError.__new__(openai.NotFoundError)
        error.code, error.message, error.status_code = None, "no such model", 404
        assert llm._failure(error, REQUEST).lasting


def test_requests_keep_to_the_rate() -> None:
    llm = Chat("http://localhost:1", "m", requests_per_minute=1200)
    start = time.monotonic()
    threads = [threading.Thread(target=llm.wait_turn, args=(REQUEST,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 4 * 0.05
    llm.close()


def test_what_is_sent_again_keeps_to_the_rate(server) -> None:
    server.faults.extend(["unsupported parameter"] * 2)
    with Chat(server.base_url, "m", requests_per_minute=600) as llm:
        start = time.monotonic()
        for _ in range(2):
            llm.wait_turn(REQUEST)
            llm.answer(REQUEST)
        assert server.requests == 4
        assert time.monotonic() - start >= 3 * 0.1


class TestKeys:
    def test_a_key_is_needed_elsewhere(self, monkeypatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with pytest.raises(ProblemError, match="OPENAI_API_KEY is not set; put the key of https"):
            Chat("https://api.example.com/v1", "m")
        monkeypatch.setenv("MY_KEY", "secret")
        Chat("https://api.example.com/v1", "m", key="MY_KEY").close()

    def test_a_key_is_shown_nowhere(self, monkeypatch, server) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
        with Chat(server.base_url, "m") as llm:
            assert "planted" not in repr(llm)
            assert "planted" not in str(llm._error("x", ValueError("bad key sk-planted")))
            assert llm._mask('{"echo": "sk-planted"}') == '{"echo": "***"}'
            problem = bb.problems.Branin()
            optimizer = bb.LLAMBO(problem, llm, seed=0)
            assert "planted" not in f"{optimizer!r} {optimizer.spec()} {optimizer.state_dict()}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "localhost:8000"}, "is no address; give one such as"),
        ({"base_url": "ftp://x/v1"}, "is no address"),
        ({"base_url": None}, "is no address"),
        ({"base_url": "http://user:pass@localhost/v1"}, "holds a password"),
        ({"model": ""}, "give the model's name"),
        ({"prices": (-1, 0)}, "prices=-1 must be a finite number of at least 0"),
        ({"prices": 3}, "prices=3; give those of prompts and of texts"),
        ({"prices": ("a", 1)}, "prices='a' must be"),
        ({"key": None}, "key=None; give the name of an environment variable"),
        ({"backoff": float("nan")}, "backoff=nan must be"),
        ({"concurrency": 1.5}, "concurrency=1.5 must be an int of at least 1"),
        ({"requests_per_minute": 0}, "requests_per_minute=0 must be a number from"),
        ({"requests_per_minute": "a"}, "requests_per_minute='a' must be"),
    ],
)
def test_bad_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        Chat(**{"base_url": "http://localhost/v1", "model": "m", **arguments})
    assert "pass@" not in str(caught.value)

"""The stand-in reads prompts as they are written, regresses on them, and does every fault once."""

from __future__ import annotations

import json

import numpy as np
import pytest

import blackbox as bb
from blackbox.llm import Chat, Request
from blackbox.llm.structured import Fields
from blackbox.optimizers.llambo import Settings
from blackbox.optimizers.llambo.prompts import Briefing
from blackbox.testing import StandIn
from blackbox.testing.stand_in_brain import Brain
from blackbox.testing.stand_in_faults import CONTENTS, FAULTS
from blackbox.testing.stand_in_prompt import understood

SPACE = bb.Space(
    bb.Real("learning rate: first", 1e-5, 1, log=True),
    bb.Real("x", -5, 10, size=2),
    bb.Integer("depth", 1, 8),
    bb.Ordinal("width", [16, 32, 64]),
    bb.Categorical("act", ["relu", "gelu", None]),
    bb.Simplex("mix", ["web", "code", "books"]),
    bb.Permutation("tour", ["a", "b", "c"]),
    bb.Sequence("dna", "ACGT", (1, 4)),
    bb.Sequence("words", ["in", "out"], 2),
)
PROBLEM = bb.problem(lambda p: {}, SPACE, [bb.Maximize("a"), bb.Minimize("b")])
BRIEFING = Briefing(PROBLEM, "", Settings())
ROWS = SPACE.draw(12, np.random.default_rng(0))
ROWS = ROWS.with_columns(a=ROWS["depth"] * 1.0, b=np.arange(12.0), ok=np.arange(12) != 3)


def ask(asked, n=1, seed=0, **how):
    brain = Brain(**how)
    reply = brain(Request(asked["messages"], n=n, seed=seed))
    return [json.loads(text) for text in reply.texts]


def test_what_it_proposes_is_in_every_space() -> None:
    fields = Fields(SPACE)
    for observed in (ROWS, ROWS[:0]):
        asked = BRIEFING.configurations(observed, ROWS[:0], 6, [8.0, 0.0] if len(observed) else [])
        for reply in ask(asked, n=4):
            rows = [fields.read(row) for row in reply["configurations"]]
            assert len(fields.batch(rows)) == 6


def test_it_reads_what_is_written() -> None:
    prompt = understood(BRIEFING.predictions(ROWS, ROWS[:2])["messages"][1]["content"])
    assert [axis.name for axis in prompt.axes] == list(SPACE.names)
    assert prompt.signs == (1.0, -1.0)
    assert prompt.outcomes[:, 1].tolist()[:3] == [0, 1, 2]
    assert np.isnan(prompt.outcomes[3]).all()
    assert len(prompt.candidates) == 2


def test_predictions_at_examples_are_their_outcomes() -> None:
    asked = BRIEFING.predictions(ROWS, ROWS[:3])
    [reply] = ask(asked)
    assert np.array(reply["predictions"])[:, 1] == pytest.approx([0, 1, 2], abs=0.2)


def test_samples_gather_where_the_outcome_is_good() -> None:
    line = bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1)), bb.Minimize("f"))
    x = np.linspace(0, 1, 21)
    rows = bb.Batch({"x": x, "f": (x - 0.8) ** 2, "ok": np.ones(21, bool)})
    asked = Briefing(line, "", Settings()).configurations(rows, rows[:0], 50, [0.0])
    [reply] = ask(asked)
    found = [row["x"] for row in reply["configurations"]]
    assert np.median(np.abs(np.array(found) - 0.8)) < 0.2
    [reply] = ask(asked, knowledge={"x": 0.1})
    assert np.mean([row["x"] < 0.3 for row in reply["configurations"]]) > 0.25


def test_the_same_prompt_and_seed_give_the_same_text() -> None:
    asked = BRIEFING.configurations(ROWS, ROWS[:0], 3, [])
    assert ask(asked, 3, 5) == ask(asked, 3, 5)
    assert ask(asked, 3, 5) != ask(asked, 3, 6)
    texts = ask(asked, 3, 5)
    assert texts[0] != texts[1]


COUNTED = {
    "429": "rate limit",
    "429 retry-after": "rate limit",
    "quota": "quota",
    "500": "server error",
    "hang": "timeout",
    "cut": "connection",
    "html": "not JSON",
    "no choices": "no choices",
    "null content": "no content",
    "no usage": "no usage",
    "n ignored": "fewer texts",
    "unsupported parameter": "refused parameter",
    "truncated": "truncated",
    "instructions": "no JSON",
} | {name: name for name in CONTENTS if name not in ("truncated", "instructions")}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_done_survived_and_counted(fault) -> None:
    problem = bb.problems.Tuning()
    settings = Settings(timeout=0.3 if fault == "hang" else 5.0, candidates=6, predictions=4)
    with StandIn() as server, Chat(server.base_url, "m", backoff=0) as llm:
        optimizer = bb.LLAMBO(problem, llm, n_init=2, settings=settings, seed=0)
        for _ in range(3):
            server.faults.append(fault)
            batch = optimizer.ask()
            optimizer.tell(batch.with_columns(**problem.measure(batch)))
            server.faults.clear()
        faults = optimizer.usage.faults
        assert server.injected[fault] >= 1
        assert faults[COUNTED[fault]] >= server.injected[fault]
        assert (
            sum(entry["faults"].get(COUNTED[fault], 0) for entry in optimizer.record)
            == (faults[COUNTED[fault]])
        )


def test_faults_by_chance_are_repeatable() -> None:
    seen = []
    for _ in range(2):
        server = StandIn(rate=0.5, seed=3)
        seen.append([server.next_fault() for _ in range(40)])
        server.close()
    assert seen[0] == seen[1]
    assert 8 < sum(fault is not None for fault in seen[0]) < 32


def test_a_prompt_of_somebody_else_is_refused() -> None:
    messages = ({"role": "user", "content": "What is the capital of France?"},)
    with StandIn() as server, Chat(server.base_url, "m") as llm:
        refused = pytest.raises(bb.llm.ModelError, match="refused request")
        with refused:
            llm(Request(messages))

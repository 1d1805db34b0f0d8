"""Requests and prompt tokens of a run, what the prompts hold, and a replay without requests."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.llm import Chat, Recorded, Reply, Request
from blackbox.testing import StandIn
from blackbox.testing.cases import problems
from blackbox.testing.harness import outside
from blackbox.testing.stand_in_brain import CHARACTERS_PER_TOKEN, Brain
from blackbox.testing.stand_in_prompt import understood
from studies.benchmarks.bayes.llambo import GIVEN, TRIALS
from studies.benchmarks.common.report import write_table
from studies.llambo.tasks import tuning

#: The released code: 2 requests of the sampler and 20 of the surrogate in each trial.
RELEASED = 550
#: Prompt tokens of the released code on the task with the fewest and with the most parameters.
RELEASED_TOKENS = {"SVM": 340_000, "RandomForest": 720_000}
KEY = "sk-planted-in-the-environment"


def main() -> Path:
    """Measure and write the table."""
    logging.getLogger("blackbox.llm").setLevel(logging.CRITICAL)
    tables = {
        "One run of 25 trials": [
            _cost(f"{dataset} {model}")
            for model in RELEASED_TOKENS
            for dataset in ("breast", "digits", "iris", "wine")
        ],
        "Observations in the prompts": [_observations()],
        "Replay": [_replay()],
    }
    return write_table(
        "llambo_requests",
        "LLAMBO: requests, prompts and replay",
        tables,
        [
            f"Runs: LLAMBO's scikit-learn tasks from its own {GIVEN} given points, {TRIALS} "
            "trials, a description with a data card, 20 candidates, 10 predictions of each in 2 "
            "orders of the examples.",
            f"Tokens are characters divided by {CHARACTERS_PER_TOKEN}, the JSON schema not "
            "counted, for both. Released code: computed from its prompts and its authors' runs.",
            "Observations: after 12 rows were told, every prompt was taken apart; 'found' are rows "
            "whose values and outcomes stand in it to the digits shown, in the user's units.",
            "Replay: a durable study of 15 evaluations over HTTP with faults, run again from its "
            "record; a key was in the environment.",
            "No language model took part: a stand-in answered.",
        ],
        libraries=("numpy", "openai", "scikit-learn"),
        command="llambo requests",
    )


def _cost(name: str) -> dict[str, Any]:
    here = tuning(name, TRIALS)
    problem = here.problem
    optimizer = bb.LLAMBO(problem, Brain(), here.about, n_init=GIVEN, seed=0)
    assert here.start is not None
    optimizer.tell(here.start(0))
    for _ in range(TRIALS):
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(**problem.measure(batch)))
    usage, released = optimizer.usage, RELEASED_TOKENS[name.split()[1]]
    return {
        "task": name,
        "requests": usage.requests,
        "released requests": RELEASED,
        "of those": f"{usage.requests / RELEASED:.1%}",
        "prompt tokens": usage.prompt_tokens,
        "released tokens": released,
        "of these": f"{usage.prompt_tokens / released:.1%}",
        "own proposals": sum(entry["own"] for entry in optimizer.record),
    }


class _Log:
    def __init__(self) -> None:
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        return Brain()(request)


def _observations() -> dict[str, Any]:
    """Over all problems of the conformance suite that LLAMBO takes: kinds of every sort."""
    prompts = told = found = directions = taken = 0
    for problem in problems():
        if bb.LLAMBO.supports.mismatches(problem):
            continue
        taken += 1
        log = _Log()
        optimizer = bb.LLAMBO(problem, log, n_init=0, seed=0)
        rows = outside(optimizer, 12)
        optimizer.tell(rows)
        optimizer.ask()
        written = optimizer._briefing.fields.write(rows)
        names = [o.name for o in problem.objectives] + [c.name for c in problem.constraints]
        for text in (request.messages[1]["content"] for request in log.seen):
            prompt = understood(text)
            prompts += 1
            told += len(rows)
            shown = list(zip(map(_compact, prompt.rows), prompt.outcomes, strict=True))
            for row, line in zip(rows, written, strict=True):
                want = [row[name] for name in names]
                close = (np.allclose(o, want, rtol=1e-5) for r, o in shown if r == line)
                found += any(close)
            directions += all(
                f"{o.name}: {'maximize' if o.sign > 0 else 'minimize'}\n" in text + "\n"
                for o in problem.objectives
            )
    return {
        "problems": taken,
        "prompts": prompts,
        "observations": told,
        "found": found,
        "prompts with all directions": directions,
    }


def _compact(row: list[Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).replace(".0,", ",")


def _replay() -> dict[str, Any]:
    os.environ["OPENAI_API_KEY"] = KEY
    problem = bb.problems.Tuning()

    def run(llm: Any, folder: Path) -> bb.Batch:
        with bb.Study(problem, bb.LLAMBO(problem, llm, seed=0), folder) as study:
            return study.run(15).history

    with tempfile.TemporaryDirectory() as name, StandIn(rate=0.2, hang=0.0) as server:
        folder = Path(name)
        record = folder / "first" / "llm.jsonl"
        with Chat(server.base_url, "stand-in", backoff=0.0) as chat:
            first = run(Recorded(chat, record), folder / "first")
            made = server.requests
            second = run(Recorded(chat, record), folder / "second")
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {
            "requests": made,
            "requests of the replay": server.requests - made,
            "same rows": "yes" if second == first else "no",
            "files": len(files),
            "files with the key": sum(KEY.encode() in path.read_bytes() for path in files),
        }

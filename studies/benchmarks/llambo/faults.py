"""Ten thousand asks while everything goes wrong that can."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.llm import Chat
from blackbox.optimizers.llambo import Settings
from blackbox.testing import StandIn
from blackbox.testing.cases import answer, problems
from blackbox.testing.stand_in_faults import FAULTS
from studies.benchmarks.common.report import write_table

ASKS = 10_000
LENGTH = 20  # asks of one run
CAP = 30_000  # tokens of one run
TIMEOUT = 0.5  # s; a machine that does other things answers late
#: Kinds under which the record counts each fault; a number that is much too large is no number.
COUNTED = {
    "429": ("rate limit",),
    "429 retry-after": ("rate limit",),
    "quota": ("quota",),
    "500": ("server error",),
    "html": ("not JSON",),
    "no choices": ("no choices",),
    "hang": ("timeout",),
    "cut": ("connection",),
    "null content": ("no content",),
    "no usage": ("no usage",),
    "n ignored": ("fewer texts",),
    "unsupported parameter": ("refused parameter",),
    "truncated": ("truncated",),
    "out of range": ("out of range", "wrong type"),
    "wrong type": ("wrong type",),
    "unknown category": ("unknown category",),
    "missing key": ("missing key",),
    "duplicate": ("duplicate",),
    "too few": ("too few",),
    "too many": ("too many",),
    "prose": ("prose",),
    "instructions": ("no JSON",),
}


def main(asks: int = ASKS) -> Path:
    """Measure and write the table."""
    logging.getLogger("blackbox.llm").setLevel(logging.CRITICAL)
    start = time.perf_counter()
    total: Counter[str] = Counter()
    injected: Counter[str] = Counter()
    recorded: Counter[str] = Counter()
    kinds = [p for p in problems() if not bb.LLAMBO.supports.mismatches(p)]
    kinds = [p for p in kinds if len(p.objectives) == 1]
    for run in range(-(-asks // LENGTH)):
        total += _run(kinds[run % len(kinds)], run, injected, recorded)
    rows = [
        {
            "fault": fault,
            "done": injected[fault],
            "recorded as": " or ".join(COUNTED[fault]),
            "recorded": sum(recorded[kind] for kind in COUNTED[fault]),
        }
        for fault in FAULTS
    ]
    summary = {
        name: total[name]
        for name in ("asks", "exceptions", "rows", "invalid rows", "repeated rows", "own proposals")
    }
    runs = {
        name: total[name]
        for name in ("runs", "runs over the cap", "runs with a fault not recorded", "requests")
    }
    return write_table(
        "llambo_faults",
        "LLAMBO while everything goes wrong",
        {"Asks": [summary], "Runs": [runs], "Faults": rows},
        [
            f"Each run: {LENGTH} asks on one of {len(kinds)} problems of every kind, over HTTP, at "
            f"most {CAP:,} tokens; each request has a fault with a chance between 0 and 0.7, of "
            "kinds drawn for the run.",
            "A run is over the cap if the server billed more tokens than that.",
            "A fault is not recorded if the record of a run counts fewer of its kind than the "
            "server did. Kinds are shared by faults; 'recorded' adds what the stand-in does by "
            "itself (it repeats rows) and repairs that failed again. A fault that comes after the "
            f"timeout of {TIMEOUT} s counts as a timeout.",
            "Own proposals: rows that came from Bayes or Sobol because the model gave none.",
            f"{time.perf_counter() - start:.0f} s.",
            "No language model took part: a stand-in answered.",
        ],
        seeds=(),
        libraries=("numpy", "openai"),
        command="llambo faults",
    )


def _run(
    problem: bb.Problem, seed: int, injected: Counter[str], recorded: Counter[str]
) -> Counter[str]:
    rng = np.random.default_rng(seed)
    kinds = tuple(str(k) for k in rng.choice(FAULTS, rng.integers(1, len(FAULTS)), replace=False))
    found: Counter[str] = Counter(runs=1)
    settings = Settings(candidates=6, completions=2, predictions=4, timeout=TIMEOUT)
    surrogate: Any = ("discriminative", "generative")[seed % 2]
    with (
        StandIn(
            rate=float(rng.uniform(0, 0.7)), kinds=kinds, seed=seed, hang=3 * TIMEOUT
        ) as server,
        Chat(server.base_url, "stand-in", backoff=0.0) as llm,
    ):
        optimizer = bb.LLAMBO(
            problem,
            llm,
            n_init=3,
            surrogate=surrogate,
            settings=settings,
            max_tokens=CAP,
            seed=seed,
        )
        for _ in range(LENGTH):
            found["asks"] += 1
            try:
                batch = optimizer.ask()
            except Exception:  # noqa: BLE001 - what is counted here
                found["exceptions"] += 1
                continue
            _look(optimizer, batch, found)
            if len(batch):
                optimizer.tell(batch.with_columns(**answer(problem, batch)))
        counted = Counter(optimizer.usage.faults)
        if sum((Counter(e["faults"]) for e in optimizer.record), Counter()) != counted:
            found["runs with a fault not recorded"] += 1
    needed: Counter[tuple[str, ...]] = Counter()
    for fault, times in server.injected.items():
        needed[COUNTED[fault]] += times
    late = counted["timeout"] - server.injected["hang"]  # other faults that were not waited for
    missed = [n - sum(counted[kind] for kind in names) for names, n in needed.items()]
    if sum(n for n in missed if n > 0) > late:
        found["runs with a fault not recorded"] += 1
    injected.update(server.injected)
    recorded.update(counted)
    found["runs over the cap"] += server.tokens > CAP
    found["requests"] += server.requests
    found["own proposals"] += sum(entry["own"] for entry in optimizer.record)
    return found


def _look(optimizer: bb.LLAMBO, batch: bb.Batch, found: Counter[str]) -> None:
    """Count rows that are outside the space or were proposed before."""
    found["rows"] += len(batch)
    try:
        optimizer.problem.space.check(batch)
    except ValueError:
        found["invalid rows"] += len(batch)
        return
    x = optimizer._encode(batch)
    found["repeated rows"] += int(np.sum(~optimizer._search.fresh(x, optimizer._x)))

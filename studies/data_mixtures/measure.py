"""Training runs outside any optimization: baselines, repeats under fresh seeds, small models.

Each result is a line of a file, added when it is there, so that a run that was killed goes on where
it was. A line that a crash cut short is measured again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studies.data_mixtures.problem import DataMixture


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        mix: shares in the order of the domains.
        params: size of the model.
        seed: training seed.
    """

    mix: tuple[float, ...]
    params: int
    seed: int

    @classmethod
    def of(cls, mix: Iterable[float], params: int, seed: int) -> Run:
        """A run from any vector of shares."""
        return cls(tuple(float(share) for share in mix), int(params), int(seed))


@dataclass(frozen=True)
class Measured:
    """What came of a run.

    Attributes:
        loss: bits per byte, NaN when the run failed.
        seconds: CPU seconds it took.
        reason: why it failed, or empty.
    """

    loss: float
    seconds: float
    reason: str = ""


def measure(
    problem: DataMixture, runs: Sequence[Run], executor: Executor, path: Path
) -> dict[Run, Measured]:
    """Do the runs that the file does not hold yet, and give the results of all of them."""
    known = _read(path, problem.fingerprint())
    futures = {
        executor.submit(train_once, DataMixture([*problem.sizes.values()], run.seed), run): run
        for run in dict.fromkeys(runs)
        if run not in known
    }
    with path.open("a", encoding="utf-8") as file:
        for future in as_completed(futures):
            run, error = futures[future], future.exception()
            result = Measured(math.nan, 0.0, repr(error)) if error else future.result()
            known[run] = result
            file.write(_line(problem.fingerprint(), run, result) + "\n")
            file.flush()
    return {run: known[run] for run in runs}


def train_once(problem: DataMixture, run: Run) -> Measured:
    """One evaluation; a function of the module, so that any executor can send it."""
    start = time.process_time()
    loss = problem.evaluate({"mix": run.mix, "params": run.params})["loss"]
    return Measured(loss, time.process_time() - start)


def _line(fingerprint: str, run: Run, result: Measured) -> str:
    loss = None if math.isnan(result.loss) else result.loss
    values = {"problem": fingerprint, "mix": run.mix, "params": run.params, "seed": run.seed}
    values |= {"loss": loss, "seconds": round(result.seconds, 3), "reason": result.reason}
    return json.dumps(values)


def _read(path: Path, fingerprint: str) -> dict[Run, Measured]:
    """Results of this very problem; another text or size makes them worthless."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        # Lines that follow must not glue themselves to one cut short.
        text = text[: text.rfind("\n") + 1]
        path.write_text(text, encoding="utf-8")
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return {
        Run.of(line["mix"], line["params"], line["seed"]): Measured(
            math.nan if line["loss"] is None else line["loss"], line["seconds"], line["reason"]
        )
        for line in lines
        if line["problem"] == fingerprint and line["loss"] is not None
    }

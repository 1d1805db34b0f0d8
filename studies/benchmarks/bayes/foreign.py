"""A peer in a process of its own, behind the same ask and tell as every other optimizer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Batch
from blackbox.optimizers._replay import Peer, Told
from studies.benchmarks.common.environments import ONE_THREAD, ROOT, python

#: Of a run, where its problem does not say otherwise.
EVALUATIONS = 100


class WorkerError(Exception):
    """A worker raised, or died; the message holds its traceback."""


class Worker:
    """A process that answers JSON lines; it serves one optimizer after another.

    Args:
        name: module of ``workers`` that it runs.
        environment: where its packages are; None for the environment of this process.
    """

    def __init__(self, name: str, environment: str | None) -> None:
        interpreter = sys.executable if environment is None else python(environment)
        self._process = subprocess.Popen(
            [interpreter, "-W", "ignore", "-m", f"studies.benchmarks.bayes.workers.{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | ONE_THREAD,
            text=True,
        )
        self.served: Foreign | None = None

    def request(self, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Raises:
            WorkerError: the worker raised or died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"the worker died with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


# Importing a peer takes seconds, so a worker outlives its optimizer and serves the next.
_workers: dict[str, Worker] = {}


def close_workers() -> None:
    """End every worker of this process."""
    while _workers:
        _workers.popitem()[1].close()


class Foreign(Peer):
    """A peer that runs as a worker process, told points of the unit cube.

    One at a time for each worker: a second one takes the process over from the first. A problem's
    ``reference`` point of the hypervolume is passed on, and how many ``evaluations`` it will have.

    Args:
        problem: Real parameters only.
        worker: module of ``workers``.
        environment: where its packages are; None for the environment of this process.
        seed: seeds the peer.
    """

    supports = bb.Supports(parameters=(bb.Real,), objectives=(1, float("inf")), constraints=True)

    def __init__(
        self,
        problem: bb.Problem,
        worker: str,
        environment: str | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._name, self._environment = worker, environment
        self.cpu = 0.0  # seconds of the worker's processor so far
        self._start()

    @property
    def resident(self) -> int:
        """Bytes of memory that the worker occupies."""
        return int(self._request(memory=True)["memory"])

    def _start(self) -> None:
        worker = _workers.get(self._name)
        if worker is None:
            worker = _workers[self._name] = Worker(self._name, self._environment)
        worker.served = self
        self._worker = worker
        reference = getattr(self.problem, "reference", None)
        if reference is not None:
            reference = (-self.problem.scores(reference)[0]).tolist()
        self._request(
            start={
                "width": self.problem.space.width,
                "objectives": len(self.problem.objectives),
                "constraints": len(self.problem.constraints),
                "reference": reference,
                "evaluations": getattr(self.problem, "evaluations", EVALUATIONS),
                "seed": self._key,
            }
        )

    def _propose(self, ids: range) -> Batch:
        points = np.array(self._request(ask=list(ids))["points"], dtype=np.float64)
        return self.problem.space.decode(np.clip(points, 0.0, 1.0))

    def _learn(self, told: Told) -> None:
        n = len(told.ids)
        ids = [i for i, ok in zip(told.ids.tolist(), told.ok, strict=True) if ok]
        kept = np.append(np.flatnonzero(told.ok), np.arange(n, n + len(told.outside)))
        outside = self.problem.space.encode(told.outside) if len(told.outside) else np.empty((0, 0))
        self._request(
            tell={
                "ids": ids,
                "outside": outside.tolist(),
                "values": (-told.scores[kept]).tolist(),
                "slack": told.slack[kept].tolist(),
            }
        )

    def _request(self, **message: Any) -> dict[str, Any]:
        if self._worker.served is not self:
            raise WorkerError(f"{self._name}: another optimizer has taken this worker over")
        try:
            answer = self._worker.request(**message)
        except WorkerError:
            self._worker.close()
            _workers.pop(self._name, None)
            raise
        self.cpu += answer.get("cpu", 0.0)
        return answer

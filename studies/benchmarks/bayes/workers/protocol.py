"""The protocol of a worker: one JSON message a line in, one answer a line out.

Runs in environments that hold neither NumPy nor this package as a rule, so it uses the standard
library alone. Messages are ``{"start": {width, objectives, constraints, reference,
evaluations, seed}}``, ``{"ask": [ids]}`` (answered by points of the unit cube),
``{"tell": {ids, outside, values, slack}}`` (values are minimized, a constraint is satisfied where
its slack is at most 0) and ``{"memory": true}``. Each answer brings the processor's seconds that it
took.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

Point = list[float]


class Peer(ABC):
    """An optimizer of another package on the unit cube.

    Args:
        width: coordinates of a point.
        objectives: how many values a point has, all minimized.
        constraints: how many constraints.
        reference: reference point of the hypervolume, as values, where there is one.
        evaluations: how many there will be, for those that plan ahead.
        seed: seeds it.
    """

    def __init__(
        self,
        width: int,
        objectives: int,
        constraints: int,
        reference: Point | None,
        evaluations: int,
        seed: int,
    ) -> None:
        self.width, self.objectives, self.constraints = width, objectives, constraints
        self.reference, self.evaluations, self.seed = reference, evaluations, seed

    @abstractmethod
    def propose(self) -> tuple[Point, Any]:
        """The next point, and whatever the peer needs to recognise it."""

    def propose_batch(self, n: int) -> list[tuple[Point, Any]]:
        """The next ``n`` points, told together; by default one after another."""
        return [self.propose() for _ in range(n)]

    @abstractmethod
    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        """Learn an outcome; the handle is None for a point that was not proposed."""


def serve(kind: Callable[..., Peer]) -> None:
    """Answer messages until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a peer prints is no answer
    peer: Peer | None = None
    open_points: dict[int, tuple[Point, Any]] = {}
    for line in sys.stdin:
        message = json.loads(line)
        start = time.process_time()
        answer: dict[str, Any] = {}
        try:
            if "start" in message:
                peer, open_points = kind(**message["start"]), {}
            elif "memory" in message:
                answer["memory"] = resident()
            else:
                assert peer is not None
                answer = _answer(peer, open_points, message)
        except Exception:  # noqa: BLE001 - the other side records it
            answer = {"error": traceback.format_exc()}
        answer["cpu"] = time.process_time() - start
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(
    peer: Peer, open_points: dict[int, tuple[Point, Any]], message: dict[str, Any]
) -> dict[str, Any]:
    if "ask" in message:
        made = peer.propose_batch(len(message["ask"]))
        open_points.update(zip(message["ask"], made, strict=True))
        return {"points": [point for point, _ in made]}
    told = message["tell"]
    points = [open_points.pop(i) for i in told["ids"]] + [(p, None) for p in told["outside"]]
    for (point, handle), values, slack in zip(points, told["values"], told["slack"], strict=True):
        peer.learn(point, handle, values, slack)
    return {}


def resident() -> int:
    """Bytes of memory that this process occupies."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

"""What may be stored: ids that fit what was asked and told before."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import StorageError, TellError
from blackbox.storage.ids import Ids, States


def ids_of(batch: Batch) -> Ids:
    """The batch's ids.

    Raises:
        StorageError: it has none, or of another type.
    """
    if "id" not in batch:
        raise StorageError(f"a batch without column 'id' (it has {list(batch.names)})")
    ids = batch["id"]
    if ids.dtype != np.int64 or ids.ndim != 1:
        raise StorageError(f"column 'id' is {ids.dtype}{list(ids.shape)}; give int64 (n,)")
    return ids


def check_asked(ids: Ids, known: States) -> None:
    """Refuse ids that cannot be asked.

    Raises:
        StorageError: an id is negative, was asked before, or stands twice.
    """
    for problem, wrong in (("are negative", ids < 0), ("were asked before", known != 0)):
        if wrong.any():
            raise StorageError(f"ask: ids {_shown(ids[wrong])} {problem}; nothing was stored")
    _check_unique("ask", ids)


def check_told(ids: Ids, known: States, reasons: Collection[int]) -> None:
    """Refuse ids that cannot be told.

    Raises:
        TellError: an id was never asked, was told before, or stands twice; a reason has no row.
    """
    for problem, wrong in (
        ("must be -1 (from outside) or above", ids < -1),
        ("were never asked", (known == 0) & (ids >= 0)),
        ("were told before", known < 0),
    ):
        if wrong.any():
            raise TellError(f"tell: ids {_shown(ids[wrong])} {problem}; nothing was stored")
    _check_unique("tell", ids[ids >= 0])
    unknown = set(reasons) - set(ids.tolist()) if reasons else set()
    if unknown:
        raise TellError(f"tell: reasons for ids {sorted(unknown)[:10]} that are not in the batch")


def _check_unique(doing: str, ids: Ids) -> None:
    if len(ids) < 2 or bool((np.diff(ids) > 0).all()):
        return
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        kind = TellError if doing == "tell" else StorageError
        raise kind(f"{doing}: ids {_shown(values[counts > 1])} stand twice; give each row once")


def _shown(ids: Ids) -> str:
    more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
    return f"{ids[:10].tolist()}{more}"

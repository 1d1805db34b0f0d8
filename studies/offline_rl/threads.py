"""One thread for everything that multiplies matrices."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep NumPy and PyTorch to one thread, and give them back what they had.

    The matrices here are so small that more threads only wait for each other; evaluations side by
    side are what uses several cores. NumPy is reached through threadpoolctl; where that is not
    installed, set OPENBLAS_NUM_THREADS=1 before NumPy is imported.
    """
    blas = nullcontext()
    if importlib.util.find_spec("threadpoolctl"):
        from threadpoolctl import threadpool_limits

        blas = threadpool_limits(1, user_api="blas")
    with blas:
        yield

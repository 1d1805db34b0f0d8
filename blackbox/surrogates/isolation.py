"""Borrowing PyTorch without leaving a trace in its global state."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from blackbox.surrogates.posterior import SingularError

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.exceptions.errors import ModelFittingError
    from linear_operator.utils.errors import NanError, NotPSDError

#: What a covariance matrix that cannot be factorised makes these libraries raise.
NUMERICAL_ERRORS = (
    torch.linalg.LinAlgError,  # type: ignore[attr-defined]
    ModelFittingError,
    NanError,
    NotPSDError,
)


@contextmanager
def isolated(seed: int, device: str) -> Iterator[None]:
    """Seeded global generators inside, untouched ones outside; numerical warnings are silent.

    One thread inside: matrices of some hundred rows are slower on several, the more so on busy
    cores, and sums in another order would not repeat bit by bit.

    Whatever a covariance that cannot be factorised makes these libraries raise comes out as
    ``SingularError``.

    BoTorch draws from PyTorch's global generator here and there. Its warnings speak of jitter and
    of iteration limits, both of which are handled where they arise.

    Args:
        seed: of PyTorch's generators inside.
        device: whose generators are kept besides the CPU's.
    """
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Not torch.manual_seed: that would also reseed the devices that were not kept.
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(cuda[0]):
                torch.cuda.manual_seed(seed)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        except NUMERICAL_ERRORS as error:
            raise SingularError(str(error)) from error
        finally:
            torch.set_num_threads(threads)

"""What every test may rely on."""

from __future__ import annotations

import importlib.util
import os

import pytest
from hypothesis import settings

# Pictures are drawn to files here, never on a screen; and several processes share few cores.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is slow now and then; a deadline for each example would only measure its load.
settings.register_profile("blackbox", deadline=None)
settings.load_profile("blackbox")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--network", action="store_true", help="run the tests that need the network")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run; torch is imported only if some test asks for a GPU."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu and not _cuda():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
    if not config.getoption("--network"):
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="give --network to run it"))


def _cuda() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()

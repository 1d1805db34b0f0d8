"""PyTorch is borrowed without a trace, and its numerical errors speak one language."""

from __future__ import annotations

import pytest
import torch

from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.posterior import SingularError


def test_isolation_leaves_global_state_alone():
    before = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    drawn = []
    for _ in range(2):
        with isolated(7, "cpu"):
            drawn.append(float(torch.rand(1)))
    after = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    assert drawn[0] == drawn[1]
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_a_matrix_without_a_factor_is_a_singular_error():
    threads = torch.get_num_threads()
    with pytest.raises(SingularError), isolated(0, "cpu"):
        torch.linalg.cholesky(-torch.eye(2))
    assert torch.get_num_threads() == threads

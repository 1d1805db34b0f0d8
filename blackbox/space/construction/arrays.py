"""The few array operations that NumPy and PyTorch spell differently.

Small batches on a CPU are faster in NumPy; large ones belong on a GPU, masks and all. The built-in
constructions are written once for both: they index, compare and sum, and take the rest from here.
PyTorch is imported only where somebody brings a tensor, who has then imported it already.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.batch import Array


class Constants:
    """Arrays that answer in kind: NumPy's for NumPy states, tensors on the device of tensors.

    Args:
        **arrays: the constants by name.
    """

    def __init__(self, **arrays: Array) -> None:
        self._numpy = arrays
        self._tensors: dict[str, dict[str, Any]] = {}

    def on(self, states: Any) -> dict[str, Any]:
        """The constants where ``states`` are."""
        if isinstance(states, np.ndarray):
            return self._numpy
        device = str(states.device)
        if device not in self._tensors:
            import torch

            self._tensors[device] = {
                name: torch.as_tensor(array, device=states.device)
                for name, array in self._numpy.items()
            }
        return self._tensors[device]


def copied(states: Any) -> Any:
    """A copy to write into."""
    return states.copy() if isinstance(states, np.ndarray) else states.clone()


def numbered(states: Any) -> Any:
    """(n,) positions of the rows."""
    if isinstance(states, np.ndarray):
        return np.arange(len(states))
    import torch

    return torch.arange(len(states), device=states.device)


def joined(parts: list[Any]) -> Any:
    """Blocks of columns side by side."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1)
    import torch

    return torch.cat(parts, dim=1)


def filled(states: Any, width: int, value: bool) -> Any:
    """(n, width) booleans, all the same."""
    if isinstance(states, np.ndarray):
        return np.full((len(states), width), value)
    import torch

    return torch.full((len(states), width), value, device=states.device)

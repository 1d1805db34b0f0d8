"""Small networks in plain NumPy, several of one shape side by side: faster on a CPU than PyTorch.

At these sizes an update is a few dozen products of small matrices, and most of what a framework
does between them is bookkeeping. Everything is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats32: TypeAlias = npt.NDArray[np.float32]


class Perceptrons:
    """K multilayer perceptrons with rectified units, all parameters in one vector.

    Args:
        k: how many.
        sizes: of input, hidden layers and output.
        rng: draws the parameters, uniform within 1 / sqrt(fan in).

    Attributes:
        flat: (p,) all parameters; the layers are views of it.
    """

    def __init__(self, k: int, sizes: Sequence[int], rng: np.random.Generator) -> None:
        self.k, self.sizes = k, tuple(sizes)
        layers = list(pairwise(self.sizes))
        self.flat = np.empty(sum(k * (a + 1) * b for a, b in layers), dtype=np.float32)
        self.layers = self.views(self.flat)
        for weight, bias in self.layers:
            bound = 1 / np.sqrt(weight.shape[1])
            weight[:] = rng.uniform(-bound, bound, weight.shape)
            bias[:] = rng.uniform(-bound, bound, bias.shape)
        self._inputs: list[Floats32] = []

    def views(self, flat: Floats32) -> list[tuple[Floats32, Floats32]]:
        """Weights (k, in, out) and biases (k, 1, out) of each layer within a (p,) vector."""
        found, start = [], 0
        for a, b in pairwise(self.sizes):
            middle, end = start + self.k * a * b, start + self.k * (a + 1) * b
            weight = flat[start:middle].reshape(self.k, a, b)
            found.append((weight, flat[middle:end].reshape(self.k, 1, b)))
            start = end
        return found

    def copy(self) -> Perceptrons:
        """The same networks with parameters of their own."""
        made = Perceptrons(self.k, self.sizes, np.random.default_rng(0))
        made.flat[:] = self.flat
        return made

    def forward(self, x: Floats32) -> Floats32:
        """(k, n, out) for (n, in) inputs of all or (k, n, in) of each; kept for ``backward``."""
        self._inputs = []
        for i, (weight, bias) in enumerate(self.layers):
            self._inputs.append(x)
            x = np.matmul(x, weight)
            x += bias
            if i < len(self.layers) - 1:
                np.maximum(x, 0, out=x)
        return x

    def backward(
        self, grad: Floats32, into: Floats32 | None = None, *, inputs: bool = False
    ) -> Floats32:
        """Gradients of what was passed forward last.

        Args:
            grad: (k, n, out) by the output of the first n rows that went forward.
            into: (p,) where the gradient by the parameters goes; None computes none.
            inputs: whether the gradient by the inputs is wanted.

        Returns:
            (k, n, in) by the inputs, or what was reached before them.
        """
        sought = None if into is None else self.views(into)
        n = grad.shape[1]
        ones = np.ones((1, n), dtype=np.float32)
        for i in reversed(range(len(self.layers))):
            x = self._inputs[i][..., :n, :]
            if sought is not None:
                np.matmul(np.swapaxes(x, -1, -2), grad, out=sought[i][0])
                np.matmul(ones, grad, out=sought[i][1])  # several times faster than a sum
            if i or inputs:
                across = np.swapaxes(self.layers[i][0], -1, -2)
                # Of one output the product is an outer one, which BLAS is slow at.
                grad = grad * across if grad.shape[-1] == 1 else np.matmul(grad, across)
            if i:
                grad *= x > 0
        return grad


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on one vector.

    Args:
        size: of the vector.
        lr: learning rate.
    """

    def __init__(self, size: int, lr: float) -> None:
        self._lr, self._steps = lr, 0
        self._mean = np.zeros(size, dtype=np.float32)
        self._square = np.zeros(size, dtype=np.float32)
        self._room = np.empty(size, dtype=np.float32)

    def step(self, flat: Floats32, grad: Floats32) -> None:
        """Move the (p,) vector in place against its gradient."""
        self._steps += 1
        room = self._room
        self._mean += np.multiply(np.subtract(grad, self._mean, out=room), 0.1, out=room)
        np.multiply(grad, grad, out=room)
        self._square += np.multiply(np.subtract(room, self._square, out=room), 0.001, out=room)
        np.sqrt(self._square, out=room)
        room /= np.float32(np.sqrt(1 - 0.999**self._steps))
        room += np.float32(1e-8)
        np.divide(self._mean, room, out=room)
        room *= np.float32(self._lr / (1 - 0.9**self._steps))
        flat -= room

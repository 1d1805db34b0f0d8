"""How large a model is, how long it is trained and what that costs; needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

KERNEL = 3  # taps of one convolution
DILATIONS = (1, 3)  # one layer each; together they see 9 bytes
CONTEXT = 32  # bytes predicted in one window
WINDOWS = 12  # windows in one batch


@dataclass(frozen=True)
class Size:
    """A model and how long it is trained.

    Attributes:
        width: channels.
        steps: batches of ``WINDOWS * CONTEXT`` bytes.
    """

    width: int
    steps: int

    @property
    def params(self) -> int:
        """Number of trained parameters."""
        w = self.width
        layer = w + (KERNEL * w + 1) * 2 * w + (w + 1) * w
        return 256 * w + len(DILATIONS) * layer + w + (w + 1) * 256

    @property
    def train_bytes(self) -> int:
        """Bytes predicted in training."""
        return self.steps * WINDOWS * CONTEXT

    @property
    def train_flops(self) -> float:
        """Operations of training.

        6 for each byte and parameter (Kaplan et al., "Scaling Laws for Neural Language Models",
        2020, section 2.1, https://arxiv.org/abs/2001.08361). The embedding does not count: it is
        looked up, not multiplied.
        """
        return 6.0 * (self.params - 256 * self.width) * self.train_bytes

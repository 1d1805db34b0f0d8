"""A byte-level language model small enough to be trained for real inside an optimization.

A gated convolutional network (Dauphin et al., "Language Modeling with Gated Convolutional
Networks", ICML 2017, https://arxiv.org/abs/1612.08083): an embedding of the 256 bytes, layers of
causal dilated convolution with gated linear units and a residual path, a linear read-out. With one
CPU core and a few seconds it reads text better than a transformer or a recurrent network of the
same cost (README.md has the comparison).

Notation: w width, B windows in a batch, T bytes predicted in a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from studies.data_mixtures.size import CONTEXT, DILATIONS, KERNEL, WINDOWS, Size

Bytes = npt.NDArray[np.uint8]
GOLDEN = (math.sqrt(5) - 1) / 2


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: sums in one order, and no fight for the cores between workers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class GatedConvNet(nn.Module):
    """Logits of the next byte at each position, from the bytes up to it.

    Args:
        width: channels.
        seed: of the initial weights; torch's global generator is neither used nor disturbed.
    """

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embed = skip_init(nn.Embedding, 256, width)
        nn.init.normal_(self.embed.weight, std=0.5, generator=generator)
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in DILATIONS)
        taps = [_linear(KERNEL * width, 2 * width, generator) for _ in DILATIONS]
        self.taps = nn.ModuleList(taps)
        self.mixes = nn.ModuleList([_linear(width, width, generator) for _ in DILATIONS])
        self.norm = nn.RMSNorm(width)
        self.head = _linear(width, 256, generator)
        # An untrained model then says 1/256 for each byte: 8 bits, and training starts there.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T) bytes as int64 -> (B, T, 256) logits."""
        h = self.embed(x)
        t = h.shape[1]
        layers = zip(DILATIONS, self.norms, self.taps, self.mixes, strict=True)
        for dilation, norm, taps, mix in layers:
            past = F.pad(norm(h), (0, 0, (KERNEL - 1) * dilation, 0))
            # One product of matrices instead of a Conv1d: faster on a CPU at these sizes.
            seen = torch.cat([past[:, i * dilation : i * dilation + t] for i in range(KERNEL)], -1)
            h = h + mix(F.glu(taps(seen), -1))
        logits: Tensor = self.head(self.norm(h))
        return logits


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with PyTorch's own initial distribution, drawn from a generator of ours."""
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


def schedule(mix: npt.NDArray[np.float64], lengths: Sequence[int], n: int, seed: int) -> Tensor:
    """Where the n training windows start, in the domains' texts laid end to end.

    The number of windows from each domain follows the mixture to within a few windows (a Kronecker
    sequence instead of independent draws), and the j-th window of a domain is the same in every
    mixture. So two mixtures differ by what they share out, and not by luck.

    Returns:
        (n,) int64 offsets.
    """
    start = np.random.default_rng([seed, len(mix)]).random()
    which = np.searchsorted(np.cumsum(mix), (start + GOLDEN * np.arange(n)) % 1.0, side="right")
    # Rounding may leave the last cumulative sum just below one.
    which = np.minimum(which, int(np.flatnonzero(mix)[-1]))
    first = np.concatenate([[0], np.cumsum(lengths)])
    offsets = np.empty(n, dtype=np.int64)
    for domain, length in enumerate(lengths):
        mine = which == domain
        places = np.random.default_rng([seed, domain]).integers(0, length - CONTEXT, n)
        offsets[mine] = first[domain] + places[: mine.sum()]
    return torch.from_numpy(offsets)


def train(
    texts: Sequence[Bytes], mix: npt.NDArray[np.float64], size: Size, seed: int
) -> GatedConvNet:
    """Train one model on a mixture of texts.

    Args:
        texts: one array of bytes for each domain.
        mix: (k,) share of the training windows that each domain gives; sums to one.
        size: width and number of steps.
        seed: of the initial weights and of the windows.
    """
    net = GatedConvNet(size.width, seed)
    data = torch.from_numpy(np.concatenate(list(texts)))
    starts = schedule(mix, [len(text) for text in texts], size.steps * WINDOWS, seed)
    rate = 0.048 / math.sqrt(size.width)
    adam = torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.98), fused=True)
    window = torch.arange(CONTEXT + 1)
    for step in range(size.steps):
        # Warm up over the first tenth, then hold, then fall to zero over the last six tenths.
        done = step / size.steps
        adam.param_groups[0]["lr"] = rate * min(1.0, (done + 1 / size.steps) * 10, (1 - done) / 0.6)
        places = starts[step * WINDOWS : (step + 1) * WINDOWS, None] + window
        batch = data[places].long()
        logits = net(batch[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, 256), batch[:, 1:].reshape(-1))
        adam.zero_grad()
        loss.backward()
        adam.step()
    return net


@torch.no_grad()
def bits_per_byte(net: GatedConvNet, text: Bytes, windows: int) -> float:
    """Mean code length of a text under a model, in bits for each byte.

    Measured on windows of ``CONTEXT`` bytes spread evenly over the text. A window costs at most 8
    bits a byte: a compressor stores a block as it is when the model makes it longer. Without this
    a model that never saw a letter loses 17 bits on it, and one such model would set the scale of
    a study.
    """
    starts = np.linspace(0, len(text) - CONTEXT - 1, windows).astype(np.int64)
    total = 0.0
    for part in np.array_split(starts, -(-windows // 128)):
        batch = torch.from_numpy(text[part[:, None] + np.arange(CONTEXT + 1)]).long()
        logits = net(batch[:, :-1])
        nats = F.cross_entropy(logits.transpose(1, 2), batch[:, 1:], reduction="none").mean(1)
        total += float((nats / math.log(2)).clamp(max=8.0).sum())
    return total / windows

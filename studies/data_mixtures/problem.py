"""The problem: which mixture of six texts prepares a small language model best for a seventh."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from studies.data_mixtures import corpus
from studies.data_mixtures.size import Size

if TYPE_CHECKING:
    from blackbox.batch import Batch, Row

#: Held-out text that a trained model is judged by, with its share in the loss. "source" is no
#: training domain: files of packages that no domain reads, code and docstrings and comments in one.
TARGET = {"source": 0.7, "docstrings": 0.3}
#: The target read as a mixture of training domains: the guess that needs no optimization. Files as
#: they stand have no domain of their own; bare code comes nearest.
PROPORTIONAL = {"code": 0.7, "docstrings": 0.3}
#: Bytes read in training grow as the square root of the model's operations a byte.
SIZES = (Size(12, 115), Size(24, 195), Size(48, 340))
#: The same in a blink, to see that everything runs; the losses mean little.
TINY = (Size(6, 16), Size(8, 20), Size(12, 32))
JUDGED = 640  # held-out windows of each part of the target that a model is judged by


class DataMixture(bb.Problem):
    """Trains a byte-level language model on a mixture of texts and measures it on another text.

    The loss is in bits per byte of held-out text, averaged over the parts of ``TARGET``; an
    untrained model has 8. An evaluation is a real training run on one thread and is repeated to
    the bit by the same mixture, size, seed and version of PyTorch.

    All evaluations of a problem share its training seed: initialisation, and for each domain the
    order of its windows. That makes a part of training luck common to all mixtures, so that it
    drops out when they are compared (README.md has the measurement). The rest is frozen into the
    losses, and an optimizer will find mixtures that profit from it: confirm what it finds under
    other seeds.

    Args:
        sizes: models from the cheapest to the target.
        seed: training seed.
    """

    about = "shares of six text domains in the training data of a byte-level language model"

    def __init__(self, sizes: Sequence[Size] = SIZES, seed: int = 0) -> None:
        self.sizes = {size.params: size for size in sizes}
        self.seed = seed
        self.space = bb.Space(bb.Simplex("mix", corpus.DOMAINS))
        self.objectives = [bb.Minimize("loss")]
        params = list(self.sizes)
        self.fidelity = bb.Fidelity(bb.Ordinal("params", params), target=params[-1])

    @property
    def target(self) -> Size:
        """The size for which the mixture is wanted."""
        return list(self.sizes.values())[-1]

    def cost(self, batch: Batch) -> npt.NDArray[np.float64]:
        """(n,) cost in units of one training run of the target size, by training operations."""
        whole = self.target.train_flops
        return np.array([self.sizes[int(p)].train_flops / whole for p in batch["params"]])

    def evaluate(self, p: Row) -> dict[str, float]:
        """Train on ``p["mix"]`` (k,) at size ``p["params"]``; the loss in bits per byte."""
        # Here, so that reading and reporting a study does without PyTorch.
        from studies.data_mixtures.model import bits_per_byte, one_thread, train

        texts = [corpus.load(name).train for name in corpus.DOMAINS]
        mix = np.asarray(p["mix"], dtype=np.float64)
        with one_thread():
            net = train(texts, mix, self.sizes[int(p["params"])], self.seed)
            losses = {
                name: bits_per_byte(net, corpus.load(name).held_out, JUDGED) for name in TARGET
            }
        return {"loss": sum(share * losses[name] for name, share in TARGET.items())}

    def spec(self) -> dict[str, Any]:
        """The declaration, with what else the losses depend on: sizes, seed and the text itself.

        So a study is not resumed with other text (after an upgrade of NumPy, say).
        """
        texts = {name: corpus.load(name).sha256 for name in (*corpus.DOMAINS, *TARGET)}
        sizes = [[size.width, size.steps] for size in self.sizes.values()]
        training = {"sizes": sizes, "seed": self.seed, "target": TARGET, "texts": texts}
        return {**super().spec(), "training": training}

    def fingerprint(self) -> str:
        """A short hash of ``spec``."""
        text = json.dumps(self.spec(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def mixture(shares: dict[str, float]) -> npt.NDArray[np.float64]:
    """(k,) shares in the order of ``corpus.DOMAINS``; a domain that is not named has none."""
    return np.array([shares.get(name, 0.0) for name in corpus.DOMAINS])

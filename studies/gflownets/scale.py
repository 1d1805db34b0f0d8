"""How much of everything is done: seconds, minutes, or what the papers did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of all experiments.

    Args:
        name: for the report and the results' folder.
        seeds: repetitions of each experiment.
        side: cells along each axis of the grids of several objectives.
        objectives: sets of them.
        grid_steps: gradient steps on these.
        hypergrid: (side, dimension) of the grid with one reward.
        trajectories: trained on there, 64 a gradient step.
        share: of each table's budget.
        tables: which of the benchmark's tables.
        motifs: sets of them.
        length: shortest and longest string.
        string_steps: gradient steps on strings.
        string_batch: new strings of each.
        fragments: sets of objectives of molecules.
        molecules: evaluated.
    """

    name: str
    seeds: int
    side: int
    objectives: tuple[tuple[str, ...], ...]
    grid_steps: int
    hypergrid: tuple[int, int]
    trajectories: int
    share: float
    tables: tuple[str, ...]
    motifs: tuple[tuple[str, ...], ...]
    length: tuple[int, int]
    string_steps: int
    string_batch: int
    fragments: tuple[tuple[str, ...], ...]
    molecules: int


_PAIRS = (("branin", "currin"), ("branin", "shubert"), ("currin", "beale"))
_NATS = "NATS-Bench CIFAR-10"

TINY = Scale(
    "tiny",
    seeds=1,
    side=8,
    objectives=_PAIRS[:1],
    grid_steps=20,
    hypergrid=(8, 2),
    trajectories=1_280,
    share=0.15,
    tables=(_NATS,),
    motifs=(("A", "V"),),
    length=(4, 6),
    string_steps=10,
    string_batch=16,
    fragments=(("qed", "sa"),),
    molecules=30,
)

SMALL = Scale(
    "small",
    seeds=2,
    side=32,
    objectives=_PAIRS,
    grid_steps=500,
    hypergrid=(20, 2),
    trajectories=45_000,
    share=1.0,
    tables=(_NATS, "TFBind8 SIX6"),
    motifs=(("A", "V"),),
    length=(16, 18),
    string_steps=300,
    string_batch=64,
    fragments=(("qed", "sa"),),
    molecules=200,
)

#: What the papers did, where the data is here: Chen and Mauch (2023), Jain et al. (2023).
FULL = Scale(
    "full",
    seeds=5,
    side=32,
    objectives=(
        *_PAIRS,
        ("branin", "beale"),
        ("currin", "shubert"),
        ("shubert", "beale"),
        ("branin", "currin", "shubert"),
        ("branin", "currin", "beale"),
        ("branin", "shubert", "beale"),
        ("currin", "shubert", "beale"),
        ("branin", "currin", "shubert", "beale"),
    ),
    grid_steps=1_000,
    hypergrid=(8, 4),
    trajectories=130_000,
    share=1.0,
    tables=(_NATS, "NATS-Bench ImageNet16-120", "TFBind8 SIX6", "QM9 strings"),
    motifs=(("A", "V"), ("A", "V", "C"), ("A", "V", "C", "W")),
    length=(16, 18),
    string_steps=10_000,
    string_batch=128,
    fragments=(("qed", "sa"), ("qed", "weight"), ("sa", "weight")),
    molecules=2_000,
)

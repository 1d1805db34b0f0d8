"""How good a set of outcomes is, and how fast it became so.

Everything here takes *scores*, the (n, m) array of ``problem.scores(batch)``: one column per
objective, larger is better. Reference points and reference fronts are scores too. A row with a
NaN (a failed evaluation) is never in a front and never improves a number. Metrics of laws take
probabilities of the candidates of a problem's ``table``, those of diversity their columns.
"""

from blackbox.metrics.comparison import Comparison, compare_archives
from blackbox.metrics.diversity import (
    edit_diversity,
    hamming_diversity,
    pc_entropy,
    top_k_mean,
)
from blackbox.metrics.illumination import Elites, Illumination, illumination
from blackbox.metrics.indicators import (
    epsilon_additive,
    epsilon_multiplicative,
    gd_plus,
    igd_plus,
    lattice_weights,
    r2,
)
from blackbox.metrics.laws import jensen_shannon, l1_distance, modes_found, pareto_mass
from blackbox.metrics.pareto import (
    attainment,
    hypervolume,
    hypervolume_trace,
    is_nondominated,
    nondominated_ranks,
)
from blackbox.metrics.quality_diversity import (
    archive_profile,
    coverage,
    cqd_score,
    moqd_score,
    qd_score,
)
from blackbox.metrics.regret import best_so_far, incumbents, inference_regret, simple_regret

__all__ = [
    "Comparison",
    "Elites",
    "Illumination",
    "archive_profile",
    "attainment",
    "best_so_far",
    "compare_archives",
    "coverage",
    "cqd_score",
    "edit_diversity",
    "epsilon_additive",
    "epsilon_multiplicative",
    "gd_plus",
    "hamming_diversity",
    "hypervolume",
    "hypervolume_trace",
    "igd_plus",
    "illumination",
    "incumbents",
    "inference_regret",
    "is_nondominated",
    "jensen_shannon",
    "l1_distance",
    "lattice_weights",
    "modes_found",
    "moqd_score",
    "nondominated_ranks",
    "pareto_mass",
    "pc_entropy",
    "qd_score",
    "r2",
    "simple_regret",
    "top_k_mean",
]

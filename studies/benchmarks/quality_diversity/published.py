"""CMA-MAE after 5.4 million evaluations of the sphere in 100 dimensions: the published figure."""

from __future__ import annotations

import blackbox as bb
from studies.benchmarks.common.suites import Suite
from studies.benchmarks.quality_diversity.score import ALGORITHMS, table
from studies.benchmarks.quality_diversity.settings import Setting, illuminate

SUITE = Suite(
    "published",
    {"sphere 100": Setting(lambda: bb.problems.SphereProjection(100), evaluations=5_400_000)},
    {name: ALGORITHMS[name] for name in ("CMAMAE", "pyribs CMA-MAE")},
    illuminate,
    table,
)

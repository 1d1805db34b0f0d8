"""What makes another version of what the benchmark measures."""

OURS = (
    "blackbox/archives/**/*.py",
    "blackbox/optimizers/quality_diversity/**/*.py",
    "blackbox/acquisitions/elites.py",
)

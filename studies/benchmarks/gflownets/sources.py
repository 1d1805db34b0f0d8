"""What makes another version of what the benchmark measures."""

GFLOWNETS = (
    "blackbox/gflownets/**/*.py",
    "blackbox/optimizers/gflownets/**/*.py",
    "blackbox/space/construction/**/*.py",
)
BASELINES = ("studies/benchmarks/gflownets/baselines.py",)

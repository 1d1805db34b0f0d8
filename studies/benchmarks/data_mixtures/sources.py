"""What makes another version of what the benchmark measures."""

OURS = (
    "blackbox/optimizers/multi_fidelity/*.py",
    "blackbox/surrogates/fidelity*.py",
    "blackbox/surrogates/multi_fidelity.py",
    "blackbox/surrogates/shares.py",
    "blackbox/acquisitions/multi_fidelity.py",
    "blackbox/acquisitions/fidelity_gains.py",
)
_OF_ALL = "studies/benchmarks/data_mixtures/methods.py"
BASELINES = (_OF_ALL, "studies/benchmarks/data_mixtures/regressions.py")
RELEASED = (_OF_ALL, "studies/benchmarks/data_mixtures/released.py")

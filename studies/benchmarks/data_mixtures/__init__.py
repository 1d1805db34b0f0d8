"""Optimizers of data mixtures beside what others do, every fidelity charged."""

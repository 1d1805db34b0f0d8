"""Surrogates on GPyTorch and BoTorch: what the fast engine does not do, and its own exported."""

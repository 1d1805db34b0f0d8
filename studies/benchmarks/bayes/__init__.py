"""Bayes beside its peers: regret, time, mixed and constrained, several objectives, noise."""

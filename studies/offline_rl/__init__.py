"""Offline model-based reinforcement learning, its key hyperparameters chosen by optimization."""

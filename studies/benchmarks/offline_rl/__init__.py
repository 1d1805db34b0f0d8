"""Offline model-based reinforcement learning, its tuning, and search in mixed spaces."""

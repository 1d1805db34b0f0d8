"""Optimizers that ask a language model: LLAMBO, and proposals with reasons."""

from blackbox.optimizers.llambo.guided import LLMGuided
from blackbox.optimizers.llambo.llambo import LLAMBO
from blackbox.optimizers.llambo.settings import Settings

__all__ = ["LLAMBO", "LLMGuided", "Settings"]

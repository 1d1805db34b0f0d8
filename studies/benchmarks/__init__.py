"""Measurements behind the figures of the documentation: one module, one command, one table."""

"""Peers that cannot live in this package's environment, each a process that answers JSON lines."""

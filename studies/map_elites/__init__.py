"""MAP-Elites beside its rivals, as in the paper that introduced it."""

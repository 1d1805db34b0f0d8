"""How much a candidate is worth trying, and the search for the one worth most."""

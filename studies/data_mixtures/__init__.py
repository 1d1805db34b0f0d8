"""A live data-mixture study: which share of which text a small language model should read."""

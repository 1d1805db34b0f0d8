"""Models of outcomes: what they take as inputs, and how they are fitted."""

"""What the language-model optimizers cost and survive, measured against a stand-in."""

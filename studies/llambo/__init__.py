"""LLAMBO and other uses of a language model, with their controls."""

"""One folder for each published system that this project rebuilds, and the benchmarks."""

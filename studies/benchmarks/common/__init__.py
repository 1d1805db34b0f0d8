"""What the benchmarks share: environments of peers, a store of results, suites, tables."""

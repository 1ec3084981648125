"""Studies of many runs: sweeps, comparisons with recordings and published trials, benchmarks."""

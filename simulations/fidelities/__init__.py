"""Two ways to simulate the same crowd of phones: as objects, and as columns."""

"""The authority's store for tests and trials, in dictionaries."""

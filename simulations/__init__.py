"""A crowd simulator that drives the tracetogether library."""

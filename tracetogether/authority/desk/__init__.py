"""The tracers' work: lists, calls, merges, exports and imports."""

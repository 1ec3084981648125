"""What tracers look at and do: lists, calls, merges, exports and imports."""

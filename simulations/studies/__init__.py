"""Many runs, and comparisons with what was measured elsewhere."""

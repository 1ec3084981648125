"""Passes of the health code, and what their holders read."""

"""Scenarios: the declared keys, and strict TOML read into frozen values."""

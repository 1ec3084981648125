"""Passes (健康码): signed words that a gate checks without a network, and what holders read."""

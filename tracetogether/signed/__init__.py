"""Signed words that anybody can check without a network: COSE messages, HC1 texts, trust lists."""

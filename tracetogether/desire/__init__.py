"""DESIRE (Inria, arXiv 2008.01621): a token for each encounter; bytes <-> values, no I/O.

Two phones that hear each other's public key compute the same two tokens, which nobody else can: a
passive listener learns nothing.
"""

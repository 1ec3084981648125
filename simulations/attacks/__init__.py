"""Attacks on tracing protocols, each measured on the protocols' own code beside exact expectations.

``victims`` is the one place that names all protocols.
"""

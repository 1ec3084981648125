"""Attacks on tracing protocols, each measured on the protocols' own code beside exact expectations.

``deployments`` is the one place that names all protocols, ``library`` lists all attacks.
"""

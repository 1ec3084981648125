"""The same crowd of phones played in two ways: as objects, and as columns."""

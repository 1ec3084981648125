"""Scores: contact lists made by the authority's code, compared with the ground truth."""

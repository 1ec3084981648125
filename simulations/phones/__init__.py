"""Phones: models, operating systems, owners, routines, TempIDs, battery."""

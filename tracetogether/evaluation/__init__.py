"""How well estimators do on recordings with known distances: scenes, folds, metrics, tables."""

"""Other people's estimators, each from its published description, behind one interface."""

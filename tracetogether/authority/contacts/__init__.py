"""From what logs say of the people heard to a list of contacts in order; knows no case."""

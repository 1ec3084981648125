"""What cases report of their visits and trips, and the warnings that everybody downloads."""

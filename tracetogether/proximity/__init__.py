"""From signal strength to distance to minutes, always with an interval."""

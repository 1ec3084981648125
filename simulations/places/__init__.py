"""Where people can be and are: rooms, layouts, positions by tick, who is near on the floor."""

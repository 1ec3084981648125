"""Where people can be and are: rooms, seats, positions by tick, and who is near on the floor."""

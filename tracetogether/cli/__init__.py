"""The command `tracetogether`."""

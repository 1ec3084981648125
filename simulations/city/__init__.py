"""An epidemic in a whole city whose contacts are computed when needed and never stored."""

"""What the chain found, held against what happened."""

"""What the authority answers for: keys, forgetting on time, counts."""

"""What the authority answers for: keys, forgetting on time, restored backups, counts."""

"""What phones bring and fetch: registration, TempIDs, PINs, uploads, opened records."""

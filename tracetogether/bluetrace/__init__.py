"""The BlueTrace protocol: TempIDs, payloads, handshake, upload file; bytes <-> values, no I/O."""

"""The health authority as pure code: issuance, intake, tracing, retention; time is passed in."""

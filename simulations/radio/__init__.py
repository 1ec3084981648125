"""The radio between two phones: channel, shadowing, horizon, and what a scan receives."""

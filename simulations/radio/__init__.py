"""The radio between two phones: channel, shadowing, horizon, what a scan can hear."""

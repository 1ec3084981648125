"""Bluetooth proximity contact tracing: TempIDs, calibrated nearness, contact logs, uploads."""

__version__ = "0.1.0"

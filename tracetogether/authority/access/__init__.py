"""Permissions, credentials, sign-in, rate limits and the audit log."""

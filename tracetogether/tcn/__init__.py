"""The TCN protocol 0.4 (temporary contact numbers); bytes <-> values, no I/O.

A report discloses a ratchet's state and is signed. No time is bound to a number: a number that was
played back counts whenever it was heard.
"""

"""ROBERT 1.1, in the form of StopCovid: the server makes the tokens and judges the contacts.

Bytes <-> values, no I/O. The rooms: ``skinny`` (the one cipher that the cryptography library
lacks), ``keys``, ``air``, ``report``, ``near``, ``status``.
"""

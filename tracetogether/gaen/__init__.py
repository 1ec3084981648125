"""The Apple/Google Exposure Notification protocol (GAEN): bytes <-> values, no I/O.

Sources: cryptography specification v1.2, Bluetooth specification v1.2 (April 2020), export file
format v1. The rooms: ``keys``, ``air``, ``exchange``, ``report``, ``export``, ``near``,
``windows``, ``risk``, ``corona_warn``.
"""

"""What a phone keeps in SQLite files: its contact log and its visits.

What is committed survives a kill at any moment.
"""

from tracetogether.adapters.sqlite_log.contacts import SqliteContactLog, salvage
from tracetogether.adapters.sqlite_log.visits import SqliteVisitLog

__all__ = ["SqliteContactLog", "SqliteVisitLog", "salvage"]

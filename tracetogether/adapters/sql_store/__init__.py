"""The authority's store in SQL: an SQLite file, or PostgreSQL by its URL; no secret in clear."""

from tracetogether.adapters.sql_store.migrating import SCHEMA_REVISION, migrate
from tracetogether.adapters.sql_store.store import SqlStore

__all__ = ["SCHEMA_REVISION", "SqlStore", "migrate"]

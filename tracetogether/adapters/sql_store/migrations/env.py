"""Runs the migrations in the transaction of the connection that ``migrate`` hands to Alembic."""  # noqa: INP001 - Alembic loads it by its path

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()

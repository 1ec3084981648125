"""What a restored backup must not undo, in tables: withdrawals, operators, used tokens, counts."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.adapters.sql_store.sign_in_tables import SESSIONS
from tracetogether.adapters.sql_store.tables import (
    COUNTS,
    OPERATORS,
    PINS,
    SETTINGS,
    USED_TOKENS,
    USERS,
    WITHDRAWALS,
)
from tracetogether.authority.access.operators import Operator


class StandingRows(Rows):
    """Rows that are carried over from the present database into a restored one."""

    # --- withdrawals (credentials.UserStore, retention.AgeingStore) ---

    def add_withdrawal(self, digest: bytes, now: float) -> None:
        """Write down that a user withdrew; a later time replaces an earlier one."""
        row = self._database.insert(WITHDRAWALS).values(digest=digest, at_s=now)
        with self._transactions.writing() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["digest"], set_={"at_s": now})
            )
            self._transactions.revoked("withdrawn", digest.hex())

    def withdrawals(self) -> Sequence[tuple[bytes, float]]:
        """Return digests of those who withdrew, and when."""
        with self._transactions.reading() as connection:
            return [(digest, at) for digest, at in connection.execute(WITHDRAWALS.select())]

    def drop_withdrawals(self, before: float) -> int:
        """Forget withdrawals before that time; return how many went."""
        return self._drop(WITHDRAWALS, WITHDRAWALS.c.at_s < before)

    # --- restoring.RestorableStore ---

    def all_users(self) -> Iterable[str]:
        """Return all user ids."""
        with self._transactions.reading() as connection:
            return list(connection.execute(sa.select(USERS.c.user_id)).scalars())

    def put_operator(self, operator: Operator) -> None:
        """Write down an operator in place of the one of that name."""
        values = {
            "roles": " ".join(sorted(role.value for role in operator.roles)),
            "added_at_s": operator.added_at,
            "token_digest": operator.token_digest,
            "disabled": operator.disabled,
        }
        row = self._database.insert(OPERATORS).values(name=operator.name, **values)
        with self._transactions.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))

    def drop_all_pins(self) -> int:
        """Forget every PIN, open or not; return how many went."""
        return self._drop(PINS, sa.true())

    def drop_all_sessions(self) -> int:
        """Forget every operator's session; return how many went."""
        return self._drop(SESSIONS, sa.true())

    def used_tokens(self) -> Sequence[tuple[str, float]]:
        """Return the ids of used upload tokens, and when each was used."""
        with self._transactions.reading() as connection:
            return [(token_id, at) for token_id, at in connection.execute(USED_TOKENS.select())]

    def add_used_tokens(self, used: Iterable[tuple[str, float]]) -> int:
        """Write down used upload tokens; return how many were new."""
        return sum(self._added(USED_TOKENS, token_id=one, used_at_s=at) for one, at in used)

    def all_counts(self) -> Sequence[tuple[str, bytes, int, int]]:
        """Return name, subject, window and count of everything that is counted."""
        with self._transactions.reading() as connection:
            return [tuple(row) for row in connection.execute(COUNTS.select())]

    def raise_counts(self, counts: Sequence[tuple[str, bytes, int, int]]) -> None:
        """Raise counts to those given, where they are lower."""
        with self._transactions.writing() as connection:
            for some in parts_of(counts):
                rows = [
                    {"name": name, "subject": subject, "window_s": window_s, "count": count}
                    for name, subject, window_s, count in some
                ]
                insert = self._database.insert(COUNTS)
                higher = insert.excluded["count"]
                change = insert.on_conflict_do_update(
                    index_elements=["name", "subject", "window_s"],
                    set_={"count": higher},
                    where=COUNTS.c.count < higher,
                )
                connection.execute(change, rows)

    def settings(self) -> dict[str, str]:
        """Return all values that were written down under names."""
        with self._transactions.reading() as connection:
            return dict(connection.execute(SETTINGS.select()).all())

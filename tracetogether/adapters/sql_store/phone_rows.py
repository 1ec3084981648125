"""What phones bring, in tables: users, upload PINs, sealed uploads."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.adapters.sql_store.tables import LISTS_DUE, PINS, UPLOADS, USED_TOKENS, USERS
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload
from tracetogether.units import utc_day


class PhoneRows(Rows):
    """Users, PINs and uploads."""

    # --- users (access.UserStore) ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        return self._added(USERS, user_id=user_id, credential_digest=credential_digest)

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        wanted = sa.select(USERS.c.user_id).where(USERS.c.credential_digest == credential_digest)
        with self._transactions.reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
        return found

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        return bool(self.registered([user_id]))

    def registered(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are users."""
        found: set[str] = set()
        with self._transactions.reading() as connection:
            for some in parts_of(user_ids):
                wanted = sa.select(USERS.c.user_id).where(USERS.c.user_id.in_(some))
                found.update(connection.execute(wanted).scalars())
        return found

    def remove_user(self, user_id: str) -> bool:
        """Forget a user, and all that hangs on him; False if there is none."""
        return self._drop(USERS, USERS.c.user_id == user_id) == 1

    # --- upload PINs (pins.PinStore) ---

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        values = {
            "case_id": pin.case_id,
            "day": pin.day,
            "digest": pin.digest,
            "expiry_s": pin.expiry,
            "tries_left": pin.tries_left,
            "used": pin.used,
            "attempt": pin.attempt,
        }
        row = self._database.insert(PINS).values(user_id=pin.user_id, **values)
        with self._transactions.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=values))

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN, used or not, and return it; None if none is open."""
        change = (
            PINS.update()
            .where(PINS.c.user_id == user_id, PINS.c.tries_left > 0, PINS.c.expiry_s > now)
            .values(tries_left=PINS.c.tries_left - 1)
            .returning(*PINS.c)
        )
        with self._transactions.writing() as connection:
            row = connection.execute(change).first()
        return None if row is None else UploadPin(*row)

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; False if it was used or replaced meanwhile."""
        change = (
            PINS.update()
            .where(
                PINS.c.user_id == pin.user_id,
                PINS.c.digest == pin.digest,
                PINS.c.used.is_(False),
            )
            .values(used=True, attempt=attempt)
        )
        return self._changed(change)

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        done = sa.and_(PINS.c.used, PINS.c.attempt == b"")
        return self._drop(PINS, sa.or_(done, PINS.c.tries_left < 1, PINS.c.expiry_s <= now))

    # --- uploads (intake.UploadStore) ---

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there or was."""
        day = utc_day(upload.received_at)
        with self._transactions.writing() as connection:
            if not self._added(USED_TOKENS, token_id=upload.token_id, used_at_s=upload.received_at):
                return False
            self._database.make_day(connection, day)
            connection.execute(
                UPLOADS.insert().values(
                    day=day,
                    token_id=upload.token_id,
                    case_id=upload.case_id,
                    user_id=upload.user_id,
                    received_at_s=upload.received_at,
                    wrapped_key=upload.wrapped_key,
                    sealed=upload.sealed,
                )
            )
            due = {"came_at_s": upload.received_at, "tried_at_s": 0.0}
            row = self._database.insert(LISTS_DUE).values(case_id=upload.case_id, **due)
            connection.execute(row.on_conflict_do_update(index_elements=["case_id"], set_=due))
        return True

    def claim_due_list(self, now: float, tried_before: float) -> tuple[str, float] | None:
        """Return a case whose list is due, and when its log came; it is noted as tried now."""
        wanted = (
            sa.select(LISTS_DUE.c.case_id, LISTS_DUE.c.came_at_s)
            .where(LISTS_DUE.c.tried_at_s < tried_before)
            .order_by(LISTS_DUE.c.came_at_s)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._transactions.writing() as connection:
            found = connection.execute(wanted).first()
            if found is None:
                return None
            connection.execute(
                LISTS_DUE.update()
                .where(LISTS_DUE.c.case_id == found.case_id)
                .values(tried_at_s=now)
            )
        return found.case_id, found.came_at_s

    def due_list_done(self, case_id: str, came_at: float) -> None:
        """Note that a case's list was found, unless another log came after ``came_at``."""
        self._drop(
            LISTS_DUE,
            sa.and_(LISTS_DUE.c.case_id == case_id, LISTS_DUE.c.came_at_s <= came_at),
        )

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        with self._transactions.reading() as connection:
            found = connection.execute(_of_case(UPLOADS.select(), case_id))
            return [SealedUpload(*row[1:]) for row in found]

    def upload_ids(self, case_id: str) -> Sequence[tuple[str, float]]:
        """Return token ids and times of receipt of a case's uploads, in their order."""
        wanted = _of_case(sa.select(UPLOADS.c.token_id, UPLOADS.c.received_at_s), case_id)
        with self._transactions.reading() as connection:
            return [(token_id, received) for token_id, received in connection.execute(wanted)]

    def all_upload_ids(self) -> Sequence[tuple[str, str]]:
        """Return case id and token id of every upload, sorted."""
        wanted = sa.select(UPLOADS.c.case_id, UPLOADS.c.token_id)
        with self._transactions.reading() as connection:
            return sorted((case_id, token_id) for case_id, token_id in connection.execute(wanted))

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        with self._transactions.writing() as connection:
            gone = self._database.drop_days(connection, UPLOADS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone + self._drop(UPLOADS, UPLOADS.c.received_at_s < before)

    def drop_tokens(self, before: float) -> int:
        """Forget the ids of upload tokens used before that time; return how many went."""
        return self._drop(USED_TOKENS, USED_TOKENS.c.used_at_s < before)


def _of_case(wanted: Any, case_id: str) -> Any:  # noqa: ANN401 - a select in, a select out
    return wanted.where(UPLOADS.c.case_id == case_id).order_by(
        UPLOADS.c.received_at_s, UPLOADS.c.token_id
    )

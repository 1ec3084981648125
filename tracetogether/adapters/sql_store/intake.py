"""Upload PINs, sealed uploads and lists that are due in tables."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import LISTS_DUE, PINS, UPLOADS, USED_TOKENS
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload
from tracetogether.units import utc_day

_PIN: Final = RowFormat(PINS, UploadPin)
_UPLOAD: Final = RowFormat(UPLOADS, SealedUpload)


class IntakeTables(TableAccess):
    """What ``intake.store.IntakeStore`` adds to a store of cases."""

    # --- upload PINs ---

    def put_pin(self, pin: UploadPin) -> None:
        """Store a PIN; it replaces the user's earlier one."""
        self._put(PINS, _PIN.values(pin))

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Use up one try of the user's PIN, used or not; return the PIN, None if none is open."""
        change = (
            PINS.update()
            .where(PINS.c.user_id == user_id, PINS.c.tries_left > 0, PINS.c.expiry_s > now)
            .values(tries_left=PINS.c.tries_left - 1)
            .returning(*PINS.c)
        )
        with self._transactions.writing() as connection:
            row = connection.execute(change).mappings().first()
        return None if row is None else _PIN.item(row)

    def pin(self, user_id: str) -> UploadPin | None:
        """Return the stored part of the user's last PIN, or None."""
        row = self._first(PINS.select().where(PINS.c.user_id == user_id))
        return None if row is None else _PIN.item(row)

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; return False if it was used or replaced before."""
        change = PINS.update().where(
            PINS.c.user_id == pin.user_id, PINS.c.digest == pin.digest, PINS.c.used.is_(False)
        )
        return self._changed(change.values(used=True, attempt=attempt))

    def drop_pins(self, now: float) -> int:
        """Delete PINs that can't be used any more; return how many."""
        done = sa.and_(PINS.c.used, PINS.c.attempt == b"")
        return self._drop(PINS, sa.or_(done, PINS.c.tries_left < 1, PINS.c.expiry_s <= now))

    # --- uploads ---

    def add_upload(self, upload: SealedUpload) -> bool:
        """Store an upload, and mark its case's list as due; False if its token was used before."""
        at, day = upload.received_at, utc_day(upload.received_at)
        with self._transactions.writing() as connection:
            if not self._added(USED_TOKENS, {"token_id": upload.token_id, "used_at_s": at}):
                return False
            self._database.make_day(connection, day)
            connection.execute(UPLOADS.insert().values(day=day, **_UPLOAD.values(upload)))
            due = {"case_id": upload.case_id, "came_at_s": at, "tried_at_s": 0.0}
            self._put(LISTS_DUE, due)
        return True

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads by time of receipt."""
        return [_UPLOAD.item(row) for row in self._all(_of_case(UPLOADS.select(), case_id))]

    def upload_ids(self, case_id: str) -> Sequence[tuple[str, float]]:
        """Return token ids and times of receipt of a case's uploads, by time of receipt."""
        wanted = _of_case(sa.select(UPLOADS.c.token_id, UPLOADS.c.received_at_s), case_id)
        return [(row["token_id"], row["received_at_s"]) for row in self._all(wanted)]

    def all_upload_ids(self) -> Sequence[tuple[str, str]]:
        """Return case id and token id of every upload, sorted."""
        rows = self._all(sa.select(UPLOADS.c.case_id, UPLOADS.c.token_id))
        return sorted((row["case_id"], row["token_id"]) for row in rows)

    def drop_uploads(self, before: float) -> int:
        """Delete uploads received before that time; return how many."""
        with self._transactions.writing() as connection:
            gone = self._database.drop_days(connection, UPLOADS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone + self._drop(UPLOADS, UPLOADS.c.received_at_s < before)

    def drop_tokens(self, before: float) -> int:
        """Delete the ids of upload tokens used before that time; return how many."""
        return self._drop(USED_TOKENS, USED_TOKENS.c.used_at_s < before)

    # --- lists that are due ---

    def claim_due_list(self, now: float, tried_before: float) -> tuple[str, float] | None:
        """Return the case that has waited longest, and when its log came; mark it as tried now."""
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
            change = LISTS_DUE.update().where(LISTS_DUE.c.case_id == found.case_id)
            connection.execute(change.values(tried_at_s=now))
        return found.case_id, found.came_at_s

    def due_list_done(self, case_id: str, came_at: float) -> None:
        """Mark a case's list as found, unless another log came after ``came_at``."""
        which = sa.and_(LISTS_DUE.c.case_id == case_id, LISTS_DUE.c.came_at_s <= came_at)
        self._drop(LISTS_DUE, which)


def _of_case(wanted: sa.Select[Any], case_id: str) -> sa.Select[Any]:
    return wanted.where(UPLOADS.c.case_id == case_id).order_by(
        UPLOADS.c.received_at_s, UPLOADS.c.token_id
    )

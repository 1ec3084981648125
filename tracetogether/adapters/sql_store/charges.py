"""Charges and the codes that nobody has used yet, in tables."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import CHARGE_CODES, CHARGES, USERS
from tracetogether.authority.status.charges import Charge, KeptConsent

_CHARGE: Final = RowFormat(CHARGES, Charge)
_CONSENT: Final = RowFormat(CHARGE_CODES, KeptConsent)


class ChargeTables(TableAccess):
    """``status.charge_store.ChargeStore`` in SQL."""

    def lock(self, guardian: str) -> None:
        """Let nobody else add a charge to this phone until the transaction ends."""
        wanted = USERS.select().where(USERS.c.user_id == guardian).with_for_update()
        with self._transactions.writing():
            self._first(wanted)

    def add_consent(self, consent: KeptConsent) -> bool:
        """Store a code that was given out; return False if there is the same one."""
        return self._added(CHARGE_CODES, _CONSENT.values(consent))

    def take_consent(self, digest: bytes) -> KeptConsent | None:
        """Delete and return the consent with this digest, or None."""
        gone = CHARGE_CODES.delete().where(CHARGE_CODES.c.digest == digest)
        with self._transactions.writing() as connection:
            row = connection.execute(gone.returning(*CHARGE_CODES.c)).mappings().first()
        return None if row is None else _CONSENT.item(row)

    def drop_consent(self, charge_id: str) -> int:
        """Delete the unused code of a charge; return how many there were."""
        return self._drop(CHARGE_CODES, CHARGE_CODES.c.charge_id == charge_id)

    def drop_consents(self, now: float) -> int:
        """Delete codes that have expired; return how many."""
        return self._drop(CHARGE_CODES, CHARGE_CODES.c.expiry_s <= now)

    def add_charge(self, charge: Charge) -> bool:
        """Store a charge; return False if its id is taken."""
        return self._added(CHARGES, _CHARGE.values(charge))

    def all(self) -> Sequence[Charge]:
        """Return all charges, the oldest first."""
        return self._charges(CHARGES.select())

    def consents(self) -> Sequence[KeptConsent]:
        """Return all codes that nobody has used yet, by their charges."""
        rows = self._all(CHARGE_CODES.select().order_by(CHARGE_CODES.c.charge_id))
        return [_CONSENT.item(row) for row in rows]

    def of(self, guardian: str) -> Sequence[Charge]:
        """Return the charges of a phone, the oldest first."""
        return self._charges(CHARGES.select().where(CHARGES.c.guardian == guardian))

    def _charges(self, wanted: sa.Select[Any]) -> Sequence[Charge]:
        rows = self._all(wanted.order_by(CHARGES.c.added_at_s, CHARGES.c.charge_id))
        return [_CHARGE.item(row) for row in rows]

    def drop_charge(self, charge_id: str) -> bool:
        """Delete a charge, and leave nothing of it in the database; return False without one.

        The list beside the database gets its number, so that no backup brings it back.
        """
        with self._transactions.writing():
            dropped = self._drop(CHARGES, CHARGES.c.charge_id == charge_id) == 1
            if dropped:
                self._transactions.revoked("charge", charge_id)
        return dropped

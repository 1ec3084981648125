"""An authority on a store of its own, phones and their logs, for the tests of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.fresh_stores import fresh_store
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.uploads import UploadReceipt
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import sha256
from tracetogether.keyring import KeyRing
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOW = 1_588_550_400.0  # 2020-05-04 00:00:00 UTC
NOON = NOW + SECONDS_PER_DAY / 2
DAY = int(NOW // SECONDS_PER_DAY)
OPERATOR_TOKEN = "operator-token-of-the-tests"


@dataclass
class World:
    """An authority and all that it keeps."""

    keys: KeyRing
    store: AuthorityStore
    authority: Authority
    saved: list[int | None] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        entropy: Entropy,
        *,
        since: float = NOW - 30 * SECONDS_PER_DAY,
        store: AuthorityStore | None = None,
    ) -> Self:
        """Return a new authority whose keys begin at ``since``."""
        saved: list[int | None] = []
        keys = KeyRing.generate(since, entropy=entropy)
        store = fresh_store() if store is None else store
        authority = Authority.assemble(
            keys,
            name="SG_MOH",
            store=store,
            save_keys=lambda ring: saved.append(ring.oldest_day),
            entropy=entropy,
        )
        authority.staff.add("operator", ALL_ROLES, OPERATOR_TOKEN, since, by=CONSOLE)
        return cls(keys, store, authority, saved)

    def user(self) -> str:
        """Register a user."""
        return self.authority.issuance.register().user_id

    def heard(self, user_id: str, start: float, minutes: float, **how: float) -> list[Sighting]:
        """Return the records of a phone that heard the user for some minutes."""
        return heard(self.authority, user_id, start, minutes, **how)

    def token(self, case: Case, body: bytes, now: float) -> str:
        """Return a token for the case's user to upload ``body``."""
        pin = self.authority.pins.issue(case, now, by=CONSOLE)
        return self.authority.intake.redeem_pin(case.user_id, pin, sha256(body), now)

    def take(self, case: Case, rows: Sequence[Sighting] | bytes, now: float) -> UploadReceipt:
        """Upload a log for a case."""
        body = rows if isinstance(rows, bytes) else write_upload(rows)
        return self.authority.intake.take_upload(self.token(case, body, now), body, now)


def heard(
    authority: Authority,
    user_id: str,
    start: float,
    minutes: float,
    *,
    rssi_dbm: float = -55.0,
    every_s: float = 20.0,
) -> list[Sighting]:
    """Return the records of a phone that heard the user for some minutes."""
    count = int(minutes * 60 / every_s)
    batch = authority.issuance.batch(user_id, start)
    rows = []
    for i in range(count):
        time = start + i * every_s
        if batch.at(time) is None:
            batch = authority.issuance.batch(user_id, time)
        tempid = batch.at(time)
        assert tempid is not None
        wobble = (i * 7 % 5) - 2.0
        rows.append(
            Sighting(
                time,
                tempid.text,
                rssi_dbm + wobble,
                peer_model="Pixel 3a",
                observer_model="iPhone 8",
            )
        )
    return rows

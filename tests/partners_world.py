"""Two authorities that exchange records, for tests."""

from dataclasses import dataclass, field
from typing import Self

from tests.authority_world import NOON, World, heard
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.handover.taking import Taken
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import sha256
from tracetogether.keyring import KeyRing
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

ANN = Caller("ann", frozenset({Role.KEYHOLDER}))
BEN = Caller("ben", frozenset({Role.KEYHOLDER}))
LATER = NOON + SECONDS_PER_HOUR


def authority_of(code: str, prefix: bytes) -> Authority:
    """Return an authority on a store of its own; its keys begin 20 days before noon."""
    entropy = counted_entropy(prefix)
    return Authority.assemble(
        KeyRing.generate(NOON - 20 * SECONDS_PER_DAY, entropy=entropy),
        name=code,
        store=fresh_store(),
        save_keys=lambda _: None,
        entropy=entropy,
    )


def recognise(here: Authority, there: Authority, now: float = NOON, *, address: str = "") -> None:
    """Let one authority recognise the other for records, as two people do."""
    code = there.partners.organisation
    key = there.passes.list_key(by=CONSOLE)
    here.partners.add(
        there.passes.trust_list(now),
        now,
        days=30,
        purposes=frozenset({"records"}),
        address=address,
        by=ANN,
    )
    here.partners.confirm(code, there.partners.own_fingerprint(key), now, by=BEN)


@dataclass
class Border:
    """Singapore and Australia, who recognise each other, and people of both."""

    home: Authority = field(default_factory=lambda: authority_of("SG_MOH", b"home"))
    abroad: Authority = field(default_factory=lambda: authority_of("AU_DTA", b"away"))

    @classmethod
    def open(cls) -> Self:
        border = cls()
        recognise(border.home, border.abroad)
        recognise(border.abroad, border.home)
        return border

    def rows(
        self, whose: Authority, user: str, start: float, minutes: float = 40
    ) -> list[Sighting]:
        """Return what a phone here heard of a user of one of the two."""
        from dataclasses import replace

        code = whose.partners.organisation
        found = heard(whose, user, start, minutes)
        return [replace(row, organisation=code) for row in found]

    def upload(self, rows: list[Sighting], now: float = NOON) -> str:
        """Open a case at home, upload a log for it, and return the case's id."""
        user = self.home.issuance.register().user_id
        case = self.home.casework.open_case(user, now, by=CONSOLE)
        pin = self.home.pins.issue(case, now, by=CONSOLE)
        body = write_upload(rows)
        token = self.home.intake.redeem_pin(user, pin, sha256(body), now)
        self.home.intake.take_upload(token, body, now)
        self.home.finder.work_off(now)
        return case.case_id

    def send(self, now: float = LATER) -> list[Taken]:
        """Send all that waits at home to Australia."""
        self.home.record_sending.pack(now)
        found = []
        for batch in self.home.record_sending.to_send("AU_DTA", now):
            taken = self.abroad.record_taking.from_partner("SG_MOH", batch.message, now)
            self.home.record_sending.sent(batch, now)
            found.append(taken)
        self.abroad.finder.work_off(now)
        return found


def world_of(authority: Authority) -> World:
    """Return an authority as the ``World`` that other helpers take."""
    return World(authority.custody.keys, authority.store, authority)

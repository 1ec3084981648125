"""What places tell others: the device of a place beside a phone, and the authority with a log.

Phones hand their values in to the real driver of a node that only speaks. Its owner looks at all
that the node has to show afterwards. What the same phones leave in a node that listens is the
control: there the same look tells who was there.
"""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

from simulations.streams import Streams
from simulations.studies.leaks_of_visits import mutual_bits
from simulations.studies.ledger_rows import LedgerRow
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.bluetrace.payload import CentralPayload, encode_write
from tracetogether.bluetrace.upload import write_upload
from tracetogether.contactlog import MemoryContactLog
from tracetogether.crypto import sha256
from tracetogether.device import PayloadWritten
from tracetogether.errors import LinkError, RadioError
from tracetogether.node import Node
from tracetogether.node.radio import Radio, Report
from tracetogether.parameters import CHANCE_BITS, STAY_BITS
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_HOUR

_PHONES: Final = 64
_DEVICES: Final = 50
_HOURS: Final = 10
_PLACES: Final = 4


def place_rows(authority: Authority, start: float, seed: int) -> list[LedgerRow]:
    """Return what places tell their operators, a landlord of fifty, and the authority.

    Args:
        authority: a service whose keys know ``start``.
        start: epoch seconds, in the morning.
        seed: of all draws.
    """
    issuance = authority.issuance
    users = [issuance.register().user_id for _ in range(_PHONES)]
    values = [written_by(issuance.batch(user, start), start) for user in users]
    chance = Streams(seed).generator("ledger", "places")
    ways = [
        tuple(chance.random(_DEVICES) < 0.1) for _ in range(_PHONES)
    ]  # which devices each phone passes
    stays, read = _stays(authority, start, chance.integers(_PLACES, size=_HOURS).tolist())
    return [
        LedgerRow(
            feature="place",
            actor="the place's operator",
            learns="which phone was there",
            bits=mutual_bits(users, [seen_at([value], start, listens=False) for value in values]),
            budget=CHANCE_BITS,
            accepted=False,
            played=f"{_PHONES} phones write to the device; its owner looks at all that it has",
        ),
        LedgerRow(
            feature="place",
            actor="a landlord with 50 devices",
            learns="the way of a phone",
            bits=mutual_bits(
                ways,
                [
                    tuple(
                        seen_at([value] if passes else [], start, listens=False) for passes in way
                    )
                    for value, way in zip(values, ways, strict=True)
                ],
            ),
            budget=CHANCE_BITS,
            accepted=False,
            played=f"{_PHONES} phones pass some of {_DEVICES} devices, compared by all they have",
        ),
        LedgerRow(
            feature="place",
            actor="the authority, of a case",
            learns="where the case was in an hour",
            bits=mutual_bits(stays, read),
            budget=STAY_BITS,
            accepted=True,
            played=f"a log of {_HOURS} hours at {_PLACES} places is uploaded; the service's stays",
        ),
    ]


def seen_at(values: Sequence[bytes], now: float, *, listens: bool) -> str:
    """Return all that a node shows its owner after phones wrote values to it.

    Args:
        values: what the phones wrote.
        now: epoch seconds.
        listens: False for the device of a place; True for a node as a phone, which keeps a log.
    """
    log = MemoryContactLog()
    node = Node(
        BlueTraceExchange(model="device", organisation="SG_MOH"),
        log,
        open_radio=_no_radio,
        fetch=_no_batch,
        clock=lambda: now,
        chance=lambda: 0.5,
        peripheral_only=not listens,
    )
    for number, value in enumerate(values):
        written = PayloadWritten(f"peer {number}", value)
        node.report(written)
        if listens:  # as the driver hands it in while it runs
            node.device.receive(written, now=now)
    rows = [astuple(row) for row in log.rows()]  # a repr leaves tokens out
    return repr((rows, sorted(node.counts.items()), node.troubles, node.device.rejections))


def written_by(batch: TempIDBatch, now: float) -> bytes:
    """Return what a phone with these TempIDs writes to a device that it heard."""
    tempid = batch.at(now)
    if tempid is None:
        raise AssertionError("a batch that was just issued has a TempID for now")
    return encode_write(CentralPayload(tempid.text, "phone", "SG_MOH", -60.0))


async def _no_radio(_: Report) -> Radio:
    raise RadioError("nothing is sent here")


async def _no_batch() -> object:
    raise LinkError("nothing is fetched here")


def _stays(authority: Authority, start: float, where: list[int]) -> tuple[list[int], list[int]]:
    """Return at which place a case was in each hour, and what the service's stays say."""
    places = [authority.places.add(f"P{n}", "", start, by=CONSOLE)[0] for n in range(_PLACES)]
    case = authority.casework.open_case(authority.issuance.register().user_id, start, by=CONSOLE)
    rows = []
    for hour, number in enumerate(where):
        at = start - (len(where) - hour) * SECONDS_PER_HOUR
        batch = authority.issuance.batch(places[number].user_id, at)
        for step in range(0, int(SECONDS_PER_HOUR) - 1_200, 60):
            tempid = batch.at(at + step)
            if tempid is not None:
                rows.append(Sighting(at + step, tempid.text, -70.0))
    body = write_upload(rows)
    pin = authority.pins.issue(case, start, by=CONSOLE)
    token = authority.intake.redeem_pin(case.user_id, pin, sha256(body), start)
    authority.intake.take_upload(token, body, start)
    said = [-1] * len(where)
    for stay in authority.stays.stays_of(case):
        hour = int((stay.begin - start) // SECONDS_PER_HOUR) + len(where)
        said[hour] = [place.place_id for place in places].index(stay.place.place_id)
    return where, said

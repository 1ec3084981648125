"""Signed packages of warnings and of trips: written, read, refused."""

import os
from dataclasses import replace

import pytest

from tracetogether.crypto import SigningKey
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.presence.packages import (
    WarningPackage,
    heard_digest,
    read_package,
    write_package,
)
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.trips import (
    Trip,
    TripDay,
    TripWarning,
    divided_trips,
    read_trips,
    write_trips,
)
from tracetogether.signed.trust import PASS, WARNINGS, TrustedKey, TrustList

KEY = SigningKey.generate()
KID = KEY.public.kid
HOUR = 450_000
PLACE = bytes(range(32))


def trusting(*purposes: str, organisation: str = "SG_MOH", until: float = 2e9) -> TrustList:
    row = TrustedKey(KID, KEY.public, organisation, "SG", frozenset(purposes), 0, until)
    return TrustList([row])


TRUST = trusting(WARNINGS)
SEALED = tuple(SealedVisit.seal(PLACE, WarnedTime(HOUR * 6 + at, 3), os.urandom) for at in range(3))
PACKAGE = WarningPackage(
    HOUR, "SG", (*SEALED, SealedVisit.fake(os.urandom)), (heard_digest("T"),), 24, "SG_MOH"
)


def test_a_package_comes_back_in_an_order_that_says_nothing() -> None:
    found = read_package(write_package(PACKAGE, KEY, KID), TRUST)
    turned = replace(PACKAGE, visits=PACKAGE.visits[::-1])
    assert found == read_package(write_package(turned, KEY, KID), TRUST)
    assert set(found.visits) == set(PACKAGE.visits)
    assert (found.hour, found.since, found.region) == (HOUR, HOUR - 23, "SG")
    assert found.heard == PACKAGE.heard
    assert found.issued == (HOUR + 1) * 3600


@pytest.mark.parametrize(
    "trust",
    [
        trusting(PASS),
        trusting(WARNINGS, organisation="AU_DTA"),
        trusting(WARNINGS, until=1e9),
        TrustList([]),
    ],
    ids=["another purpose", "another organisation", "a key that is over", "nobody"],
)
def test_nobody_else_may_warn(trust: TrustList) -> None:
    with pytest.raises(TrustError):
        read_package(write_package(PACKAGE, KEY, KID), trust)


def test_a_changed_package_is_refused() -> None:
    data = write_package(PACKAGE, KEY, KID)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises((TrustError, UnreadableMessageError)):
            read_package(changed, TRUST)


def test_warnings_and_trips_are_not_taken_for_each_other() -> None:
    day = TripDay(18_000, organisation="SG_MOH")
    with pytest.raises(UnreadableMessageError):
        read_package(write_trips(day, KEY, KID), TRUST)
    with pytest.raises(UnreadableMessageError):
        read_trips(write_package(PACKAGE, KEY, KID), TRUST)


def test_a_day_of_trips_comes_back_whole_or_divided() -> None:
    trips = tuple(
        TripWarning.of(Trip.of(f"G{number}", "2020-01-25", "5"), 4, 8) for number in range(1, 600)
    )
    day = TripDay(18_286, "SG", trips, organisation="SG_MOH")
    found = read_trips(write_trips(day, KEY, KID), TRUST)
    assert set(found.trips) == set(trips)
    assert list(divided_trips(day, most_bytes=len(trips) * 36)) == [None]
    parts = divided_trips(day, most_bytes=len(trips) * 36 - 1)
    assert len(parts) == 257
    first = read_trips(write_trips(parts[None], KEY, KID), TRUST)
    assert first.divided
    assert not first.trips
    joined = [row for prefix, part in parts.items() if prefix is not None for row in part.trips]
    assert set(joined) == set(trips)
    wanted = TripWarning.of(Trip.of("G77", "2020-01-25", "5"))
    part = read_trips(write_trips(parts[wanted.place[0]], KEY, KID), TRUST)
    assert part.prefix == wanted.place[0]
    assert wanted.place in {row.place for row in part.trips}

"""Trips by train and flight: which car of which service on which day, and who sat how near.

Anybody can guess a trip, so its id is no secret: who downloads a day's list can try all trains.
A case's trip is therefore published only if many were aboard, and its place only as a band of rows
with about as many seats. How near one sat is reckoned on the phone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey, sha256
from tracetogether.errors import InvalidRequestError, UnreadableMessageError
from tracetogether.presence.packages import cut, read_signed_warnings
from tracetogether.presence.sealed import ID_BYTES
from tracetogether.signed import cose
from tracetogether.signed.claims import HCERT, ISSUED, ISSUER, OWN_TRIPS, map_of, text_of
from tracetogether.signed.trust import TrustList
from tracetogether.units import SECONDS_PER_DAY

MOST_ROW: Final = 999
_DOMAIN: Final = b"tracetogether/v1/trip/"
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_VERSION: Final = 1
_DAY, _REGION, _PREFIX, _TRIPS = range(2, 6)
_ROW_BYTES: Final = 2
_ENTRY_BYTES: Final = ID_BYTES + 2 * _ROW_BYTES
_PREFIXES: Final = 256
_WORD: Final = re.compile(r"[A-Z0-9]{0,8}", re.ASCII)
_SERVICE: Final = re.compile(
    r"([A-Z]{0,3}|[A-Z][0-9]|[0-9][A-Z])0*([1-9][0-9]{0,4})([A-Z]?)", re.ASCII
)
_TRAIN: Final = re.compile(r"[GDCZTKYLS]?[0-9]{1,4}")
_FLIGHT: Final = re.compile(r"([A-Z][A-Z0-9]|[0-9][A-Z])[0-9]{1,4}")
CHINA_RAILWAY: Final = "CR"


@dataclass(frozen=True, slots=True)
class Trip:
    """A car of a train, or a whole aircraft, on one day. Make it by ``Trip.of``.

    Attributes:
        carrier: who runs it: "CR", "SQ".
        service: the train or flight: "G1234", "SQ322".
        date: the day on which it leaves its first stop, ISO: "2020-01-25".
        car: the car of a train: "5"; "" for a flight.
    """

    carrier: str
    service: str
    date: str
    car: str = ""

    @classmethod
    def of(cls, service: str, day: str, car: str = "", carrier: str = "") -> Self:
        """Return a trip in its one form, so that two people who mean the same write the same.

        Args:
            service: as on the ticket; blanks, lower case and leading zeros don't matter.
            day: the day on which it leaves its first stop: "2020-01-25".
            car: of a train.
            carrier: "" takes China Railway for a letter and up to four digits, and the airline
                for two characters and up to four digits.

        Raises:
            InvalidRequestError: a value has another form; says which one.
        """
        plain = _plain(service)
        found = _SERVICE.fullmatch(plain)
        if found is None:
            raise InvalidRequestError(
                "{service!r} is no train or flight: write it as on the ticket, such as G1234",
                "trip-service",
                service=service,
            )
        plain = "".join(found.groups())
        who = _plain(carrier) or _carrier_of(plain)
        if not who or not _WORD.fullmatch(who):
            raise InvalidRequestError(
                "say who runs {service}: the carrier has 1 to 8 letters or digits, such as CR",
                "trip-carrier",
                service=plain,
            )
        wagon = _plain(car).lstrip("0")
        if not _WORD.fullmatch(wagon):
            raise InvalidRequestError(
                "{car!r} is no car: write its number, such as 5", "trip-car", car=car
            )
        return cls(who, plain, _iso_day(day), wagon)

    @property
    def is_train(self) -> bool:
        """Whether it is a train: one with a car, or one of China Railway."""
        return bool(self.car) or self.carrier == CHINA_RAILWAY

    @property
    def location_id(self) -> bytes:
        """Return 32 bytes out of the trip's words; no secret."""
        words = f"{self.carrier}/{self.service}/{self.date}/{self.car}"
        return sha256(_DOMAIN + words.encode())

    @property
    def day(self) -> int:
        """Return the day's number since 1970."""
        return day_number(self.date)


@dataclass(frozen=True, slots=True)
class TripWarning:
    """A trip of a case, as it is published.

    Attributes:
        place: SHA-256 of the trip's id, 32 bytes.
        first_row, last_row: the band of rows that holds the case's; 0 and 0 if not published.
    """

    place: bytes
    first_row: int = 0
    last_row: int = 0

    def __post_init__(self) -> None:
        rows = self.first_row, self.last_row
        good = rows == (0, 0) or 0 < rows[0] <= rows[1] <= MOST_ROW
        if len(self.place) != ID_BYTES or not good:
            raise UnreadableMessageError("a trip of a case has no such rows", "trips-form")

    @classmethod
    def of(cls, trip: Trip, first_row: int = 0, last_row: int = 0) -> Self:
        """Return what is published of a case's trip."""
        return cls(sha256(trip.location_id), first_row, last_row)


@dataclass(frozen=True, slots=True)
class TripDay:
    """The trips of cases of one day, as everybody downloads them.

    Attributes:
        day: number of the day since 1970 on which the trips were.
        region: which region; "" for the whole country.
        trips: the warnings, in the order of their places.
        prefix: None for the whole day, or for a day that is divided: then ``divided`` is set and
            there are no trips here. Else the first byte of the places in this part.
        divided: the day takes too many bytes; ask for the parts.
        organisation: who warns, as the trust list names it.
        issued: when it was made, epoch seconds.
    """

    day: int
    region: str = ""
    trips: tuple[TripWarning, ...] = field(default=(), repr=False)
    prefix: int | None = None
    divided: bool = False
    organisation: str = ""
    issued: int = 0


def write_trips(trips: TripDay, key: SigningKey, kid: bytes) -> bytes:
    """Return a day's trips as a signed message (COSE_Sign1); keep it, and give it to everybody.

    Args:
        trips: the day. Its organisation must not be empty.
        key: the authority's key with the purpose "warnings".
        kid: the key's name in the trust list.
    """
    rows = sorted(
        row.place + row.first_row.to_bytes(_ROW_BYTES) + row.last_row.to_bytes(_ROW_BYTES)
        for row in trips.trips
    )
    content = {
        1: _VERSION,
        _DAY: trips.day,
        _REGION: trips.region,
        _PREFIX: "divided" if trips.divided else trips.prefix,
        _TRIPS: b"".join(rows),
    }
    issued = trips.issued or (trips.day + 1) * SECONDS_PER_DAY
    claims = {ISSUER: trips.organisation, ISSUED: issued, HCERT: {OWN_TRIPS: content}}
    return cose.sign(write_cbor(claims), key, kid)


def read_trips(data: bytes, trust: TrustList) -> TripDay:
    """Read a day's trips.

    Args:
        data: what was downloaded.
        trust: who may warn: the purpose "warnings".

    Raises:
        UnreadableMessageError: it is no such list, or of another version.
        TrustError: nobody signed it who may warn, or in another organisation's name.
    """
    claims, organisation = read_signed_warnings(data, trust)
    content = map_of(claims, HCERT, OWN_TRIPS)
    if content is None or content.get(1) != _VERSION:
        raise UnreadableMessageError("this is no list of trips", "trips-form")
    day, prefix, rows = content.get(_DAY), content.get(_PREFIX), content.get(_TRIPS)
    divided = prefix == "divided"
    if not (
        isinstance(day, int)
        and isinstance(rows, bytes)
        and not len(rows) % _ENTRY_BYTES
        and (divided or prefix is None or (isinstance(prefix, int) and 0 <= prefix < _PREFIXES))
    ):
        raise UnreadableMessageError("a list of trips lacks a value", "trips-form")
    issued = claims[ISSUED]
    return TripDay(
        day=day,
        region=text_of(content, _REGION),
        trips=tuple(map(_trip_in, cut(rows, _ENTRY_BYTES))),
        prefix=prefix if isinstance(prefix, int) else None,
        divided=divided,
        organisation=organisation,
        issued=int(issued) if isinstance(issued, int | float) else 0,
    )


def divided_trips(trips: TripDay, most_bytes: int) -> Mapping[int | None, TripDay]:
    """Return what is published of a day: prefix -> part; None -> what is downloaded first.

    Args:
        trips: the whole day.
        most_bytes: a day whose trips take more is divided into 256 parts.
    """
    if len(trips.trips) * _ENTRY_BYTES <= most_bytes:
        return {None: trips}
    parts: dict[int, list[TripWarning]] = {prefix: [] for prefix in range(_PREFIXES)}
    for row in trips.trips:
        parts[row.place[0]].append(row)
    common = (trips.day, trips.region)
    found: dict[int | None, TripDay] = {
        None: TripDay(*common, (), None, True, trips.organisation, trips.issued)  # noqa: FBT003
    }
    for prefix, rows in parts.items():
        part = TripDay(*common, tuple(rows), prefix, False, trips.organisation, trips.issued)  # noqa: FBT003
        found[prefix] = part
    return found


def day_number(iso: str) -> int:
    """Return the number since 1970 of a day such as "2020-01-25".

    Raises:
        InvalidRequestError: it is no day.
    """
    try:
        return date.fromisoformat(iso).toordinal() - _EPOCH_DAY
    except ValueError:
        raise InvalidRequestError(
            "{day!r} is no day: write it as 2020-01-25", "trip-day", day=iso
        ) from None


def _iso_day(day: str) -> str:
    return date.fromordinal(day_number(day) + _EPOCH_DAY).isoformat()


def _carrier_of(service: str) -> str:
    if _TRAIN.fullmatch(service):
        return CHINA_RAILWAY
    found = _FLIGHT.fullmatch(service)
    return found[1] if found else ""


def _plain(text: str) -> str:
    return re.sub(r"[\s\-_]", "", text).upper()


def _trip_in(entry: bytes) -> TripWarning:
    rows = (int.from_bytes(part) for part in cut(entry[ID_BYTES:], _ROW_BYTES))
    return TripWarning(entry[:ID_BYTES], *rows)

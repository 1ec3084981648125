"""The contact-log file that a phone uploads: OpenTrace's JSON, read and written.

``{"records": [{timestamp, msg, modelC, modelP, rssi, txPower, org, v}], "events": [...]}``.
Android writes whole numbers, escapes ``=`` and adds row ids; iOS writes floats and nulls.
Phones disagree in more than that, so one bad record never costs the others.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NoReturn

import msgspec
import numpy as np

from tracetogether.errors import InvalidUploadError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.parameters import MAX_UPLOAD_RECORDS
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import Bools, Codes, Floats

_MILLISECONDS_FROM: Final = 1e10  # timestamps beyond are milliseconds (OpenTrace's rule)


@dataclass(frozen=True, slots=True)
class UploadRecords:
    """The well-formed records of a file, in columns of length n and in the file's order.

    Attributes:
        index: (n,) position of each record in the file.
        time: (n,) epoch seconds.
        token: n tokens, "" where none was given; anything that a phone heard may stand there.
        model_central, model_peripheral: phone models as the record names them.
        organisation: the authority that the token is said to belong to.
        rssi_dbm, tx_power_dbm: (n,) float64, NaN where not given.
        malformed: how many records were not of the right form and are left out.
    """

    index: Codes
    time: Floats
    token: tuple[str, ...] = field(repr=False)
    model_central: Labels
    model_peripheral: Labels
    organisation: Labels
    rssi_dbm: Floats
    tx_power_dbm: Floats
    malformed: int

    def __len__(self) -> int:
        return len(self.time)

    def sightings(
        self,
        *,
        own_model: str | None = None,
        peer: Labels | None = None,
        rows: Bools | None = None,
    ) -> Sightings:
        """Return the records as sightings, in their order.

        Args:
            own_model: the uploader's phone model. A record names the models of both phones, not
                which is whose: without this it is the one that the records have in common.
            peer: who was heard in each of the n records, once the tokens are opened; the tokens
                themselves otherwise.
            rows: (n,) which records to take; all otherwise.

        Records without a valid RSSI are dropped and counted (Sightings.from_columns).
        """
        own, other = self._models(own_model)
        take = slice(None) if rows is None else rows
        peers = Labels.encode(self.token) if peer is None else peer
        return Sightings.from_columns(
            time=self.time[take],
            peer=peers.take(take),
            rssi_dbm=self.rssi_dbm[take],
            tx_power_dbm=self.tx_power_dbm[take],
            observer_model=own.take(take),
            peer_model=other.take(take),
        )

    def _models(self, own_model: str | None) -> tuple[Labels, Labels]:
        """Return the uploader's and the other phone's model of each record."""
        count = len(self)
        both = Labels.concat([self.model_central, self.model_peripheral])
        central, peripheral = both.codes[:count], both.codes[count:]
        own = (
            both.names.index(own_model)
            if own_model in both.names
            else self._common_model(central, peripheral, len(both.names))
        )
        if own == UNKNOWN:
            return Labels.constant(None, count), Labels.constant(None, count)
        other = np.where(central == own, peripheral, np.where(peripheral == own, central, UNKNOWN))
        return (
            Labels(np.full(count, own, dtype=np.int32), both.names),
            Labels(other.astype(np.int32), both.names),
        )

    def _common_model(self, central: Codes, peripheral: Codes, names: int) -> int:
        """Return the code of the uploader's model; unknown where two fit equally well."""
        # Only a central knows the advertised power, and in its record it is modelC itself.
        as_central = central[np.isfinite(self.tx_power_dbm) & (central != UNKNOWN)]
        if as_central.size:
            return int(np.bincount(as_central, minlength=names).argmax())
        present = np.bincount(central[central != UNKNOWN], minlength=names)
        elsewhere = (peripheral != UNKNOWN) & (peripheral != central)
        present += np.bincount(peripheral[elsewhere], minlength=names)
        if not names or np.count_nonzero(present == present.max()) > 1:
            return UNKNOWN
        return int(present.argmax())


@dataclass(frozen=True, slots=True)
class ContactLogFile:
    """An uploaded contact log.

    Attributes:
        records: what the phone heard.
        events: how many status events ("Scanning Started") came with it.
        token: the upload token inside the file, where an OpenTrace app put it; None otherwise.
    """

    records: UploadRecords
    events: int
    token: str | None = field(repr=False)


def parse_upload(body: bytes) -> ContactLogFile:
    """Read an uploaded file.

    Raises:
        InvalidUploadError: it is not JSON, has no list of records, or more of them than a phone
            can have heard.
    """
    typed = _typed(body)
    if typed is not None:
        return typed
    try:
        file = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        msg = "the file is not JSON in UTF-8: export the log anew and upload that"
        raise InvalidUploadError(msg) from None
    if not isinstance(file, dict) or not isinstance(file.get("records"), list):
        msg = 'the file has no list "records": this is no contact log'
        raise InvalidUploadError(msg)
    rows = file["records"]
    _check_count(len(rows))
    token, events = file.get("token"), file.get("events")
    return ContactLogFile(
        records=_columns(rows),
        events=len(events) if isinstance(events, list) else 0,
        token=token if isinstance(token, str) else None,
    )


def write_upload(rows: Iterable[Sighting]) -> bytes:
    """Return the file of a phone's sightings, as OpenTrace's Android app lays it out."""
    records = []
    for number, row in enumerate(rows, start=1):
        own, peer = row.observer_model or "", row.peer_model or ""
        record: dict[str, object] = {
            "id": number,
            "modelC": own if row.as_central else peer,
            "modelP": peer if row.as_central else own,
            "msg": row.peer,
            "org": row.organisation,
            "rssi": _whole(row.rssi_dbm),
            "timestamp": int(row.time),
        }
        if row.tx_power_dbm is not None:
            record["txPower"] = _whole(row.tx_power_dbm)
        record["v"] = row.version
        records.append(record)
    text = json.dumps({"records": records, "events": []}, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else value


class _Row(msgspec.Struct, gc=False):
    """A record in which every field that is there has the type that it should have."""

    timestamp: float
    msg: str | None = None
    modelC: str | None = None  # noqa: N815 - OpenTrace's name
    modelP: str | None = None  # noqa: N815 - OpenTrace's name
    org: str | None = None
    rssi: float | None = None
    txPower: float | None = None  # noqa: N815 - OpenTrace's name


class _File(msgspec.Struct):
    records: list[_Row]
    events: Any = None
    token: Any = None


_DECODER: Final = msgspec.json.Decoder(_File)


def _typed(body: bytes) -> ContactLogFile | None:
    """Read a file whose records are all of the right form, in a quarter of the time; else None.

    What this does not take, the patient way takes or refuses.
    """
    try:
        body.decode("utf-8")  # msgspec does not look into fields that it skips
        file = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    rows = file.records
    _check_count(len(rows))
    # None becomes NaN in a column of numbers.
    time = np.array([*map(attrgetter("timestamp"), rows)], dtype=np.float64)
    return ContactLogFile(
        records=UploadRecords(
            index=np.arange(len(rows), dtype=np.int32),
            time=np.where(time > _MILLISECONDS_FROM, time / 1000, time),
            token=tuple([row.msg or "" for row in rows]),
            model_central=Labels.encode([*map(attrgetter("modelC"), rows)]),
            model_peripheral=Labels.encode([*map(attrgetter("modelP"), rows)]),
            organisation=Labels.encode([*map(attrgetter("org"), rows)]),
            rssi_dbm=np.array([*map(attrgetter("rssi"), rows)], dtype=np.float64),
            tx_power_dbm=np.array([*map(attrgetter("txPower"), rows)], dtype=np.float64),
            malformed=0,
        ),
        events=len(file.events) if isinstance(file.events, list) else 0,
        token=file.token if isinstance(file.token, str) else None,
    )


def _check_count(records: int) -> None:
    if records > MAX_UPLOAD_RECORDS:
        msg = f"the file has {records} records; at most {MAX_UPLOAD_RECORDS} are taken"
        raise InvalidUploadError(msg)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _columns(rows: Sequence[object]) -> UploadRecords:
    """Return the well-formed ones of ``rows`` as columns."""
    read = [_fields(row) if isinstance(row, Mapping) else None for row in rows]
    kept = [fields for fields in read if fields is not None]
    return UploadRecords(
        index=np.array([i for i, fields in enumerate(read) if fields is not None], dtype=np.int32),
        time=np.array([fields[0] for fields in kept], dtype=np.float64),
        token=tuple(fields[1] for fields in kept),
        model_central=Labels.encode([fields[2] for fields in kept]),
        model_peripheral=Labels.encode([fields[3] for fields in kept]),
        organisation=Labels.encode([fields[4] for fields in kept]),
        rssi_dbm=np.array([fields[5] for fields in kept], dtype=np.float64),
        tx_power_dbm=np.array([fields[6] for fields in kept], dtype=np.float64),
        malformed=len(rows) - len(kept),
    )


_Fields = tuple[float, str, str, str, str, float, float]


def _fields(row: Mapping[str, object]) -> _Fields | None:
    """Return time, token, models, organisation, RSSI and power; None if the form is wrong."""
    time = _number(row.get("timestamp"))
    token = row.get("msg") or ""
    texts = [row.get(key) or "" for key in ("modelC", "modelP", "org")]
    if math.isnan(time) or not isinstance(token, str):
        return None
    central, peripheral, organisation = (text if isinstance(text, str) else "" for text in texts)
    return (
        time / 1000 if time > _MILLISECONDS_FROM else time,
        token,
        central,
        peripheral,
        organisation,
        _number(row.get("rssi")),
        _number(row.get("txPower")),
    )


def _number(value: object) -> float:
    """Return a JSON number as a float, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan

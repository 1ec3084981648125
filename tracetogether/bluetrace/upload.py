"""The contact-log file that a phone uploads: OpenTrace's JSON, read and written.

``{"records": [{timestamp, msg, modelC, modelP, rssi, txPower, org, v}], "events": [...]}``.
Android writes whole numbers, escapes ``=`` and adds row ids; iOS writes floats and nulls.
Phones disagree in more than that, so one bad record never costs the others.
"""

import codecs
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from tracetogether.bluetrace.json_bounds import (
    batches_of_items,
    count_items,
    is_utf8,
    item_ends,
    members,
    without_lone_surrogates,
)
from tracetogether.errors import InvalidUploadError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.parameters import MAX_UPLOAD_RECORDS
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import Bools, Codes, Floats, Ints

_MILLISECONDS_FROM: Final = 1e10  # timestamps beyond are milliseconds (OpenTrace's rule)
_LONGEST: Final = 1 << 20  # bytes of a record; no phone hears more than 512 at once
_SHORT: Final = 1_000  # bytes of JSON that make few objects, whatever they are


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
        by_radio: bool = False,
    ) -> Sightings:
        """Return the records as sightings, in their order.

        Args:
            own_model: the uploader's phone model. A record names the models of both phones, not
                which is whose: without this it is the one that the records have in common.
            peer: who was heard in each of the n records, once the tokens are opened; the tokens
                themselves otherwise.
            rows: (n,) which records to take; all otherwise.
            by_radio: ``observer_model`` is the model that measured the level, ``peer_model`` the
                one that sent. In every record the central measured and the peripheral sent: a
                peripheral writes down the level that the central reports.

        Records without a valid RSSI are dropped and counted (Sightings.from_log).
        """
        own, other = (
            (self.model_central, self.model_peripheral) if by_radio else self._models(own_model)
        )
        take = slice(None) if rows is None else rows
        peers = Labels.encode(self.token) if peer is None else peer
        return Sightings.from_log(
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
            else common_model(central, peripheral, self.tx_power_dbm, len(both.names))
        )
        if own == UNKNOWN:
            return Labels.constant(None, count), Labels.constant(None, count)
        other = np.where(central == own, peripheral, np.where(peripheral == own, central, UNKNOWN))
        return (
            Labels(np.full(count, own, dtype=np.int32), both.names),
            Labels(other.astype(np.int32), both.names),
        )


def common_model(
    central: Codes | Ints, peripheral: Codes | Ints, tx_power_dbm: Floats, names: int
) -> int:
    """Return the code of the uploader's model; UNKNOWN where two fit equally well.

    Args:
        central: (n,) codes of the centrals' models; UNKNOWN where a record names none.
        peripheral: (n,) those of the peripherals.
        tx_power_dbm: (n,) advertised power; NaN where it is unknown.
        names: how many models there are.
    """
    # Only a central knows the advertised power, and in its record it is modelC itself.
    as_central = central[np.isfinite(tx_power_dbm) & (central != UNKNOWN)]
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
        events_json: the list "events" as it came: it is not read; b"" if there is none.
        token: the upload token inside the file, where an OpenTrace app put it; None otherwise.
    """

    records: UploadRecords
    events_json: bytes = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def events(self) -> int:
        """How many status events ("Scanning Started") came with it, counted when asked for."""
        return count_items(self.events_json) if self.events_json[:1] == b"[" else 0


def parse_upload(body: bytes) -> ContactLogFile:
    """Read an uploaded file.

    Only what is used is made into objects, and no more records than a phone can have heard:
    a file that is something else costs little more than its own bytes. It is read in steps of
    about a millisecond, between which other threads run. What is not used is not checked.

    Raises:
        InvalidUploadError: it is not JSON, has no list of records, or more of them than a phone
            can have heard.
    """
    if not is_utf8(body):
        raise InvalidUploadError(_NO_JSON)
    file = members(body.removeprefix(codecs.BOM_UTF8))
    if file is None:
        msg = _NO_RECORDS if body.strip()[-1:] == b"]" else _NO_JSON
        raise InvalidUploadError(msg) from None
    named = {_key(key): value for key, value in file.items()}
    records = named.get("records", b"")
    if records[:1] != b"[":
        raise InvalidUploadError(_NO_RECORDS)
    count, ends = item_ends(records, MAX_UPLOAD_RECORDS)
    if count > MAX_UPLOAD_RECORDS:
        msg = f"the file has {count} records; at most {MAX_UPLOAD_RECORDS} are taken"
        raise InvalidUploadError(msg)
    token = _value(msgspec.Raw(named.get("token", b"")))
    return ContactLogFile(
        records=_joined([_read(batch) for batch in batches_of_items(records, ends, _LONGEST)]),
        events_json=named.get("events", b""),
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


class _AnyRow(msgspec.Struct, gc=False):
    """A record whose fields may be anything."""

    timestamp: msgspec.Raw = msgspec.Raw()
    msg: msgspec.Raw = msgspec.Raw()
    modelC: msgspec.Raw = msgspec.Raw()  # noqa: N815 - OpenTrace's name
    modelP: msgspec.Raw = msgspec.Raw()  # noqa: N815 - OpenTrace's name
    org: msgspec.Raw = msgspec.Raw()
    rssi: msgspec.Raw = msgspec.Raw()
    txPower: msgspec.Raw = msgspec.Raw()  # noqa: N815 - OpenTrace's name


_ROWS: Final = msgspec.json.Decoder(list[_Row])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANY_ROW: Final = msgspec.json.Decoder(_AnyRow)
_NO_JSON: Final = "the file is not JSON in UTF-8: export the log again and upload that"
_NO_RECORDS: Final = 'the file has no list "records": this is no contact log'


def _key(written: bytes) -> str:
    """Return a member's name."""
    try:
        return msgspec.json.decode(written, type=str)
    except msgspec.DecodeError:
        raise InvalidUploadError(_NO_JSON) from None


def _read(batch: bytes) -> UploadRecords:
    """Read a JSON array of some records."""
    for read in (bytes, without_lone_surrogates):
        array = read(batch)
        try:
            found = _typed(array)
            return _columns(array) if found is None else found
        except RecursionError:
            break
        except msgspec.DecodeError:
            continue
    raise InvalidUploadError(_NO_JSON) from None


def _joined(parts: Sequence[UploadRecords]) -> UploadRecords:
    """Return the records of consecutive parts of a file."""
    lengths = [len(part) + part.malformed for part in parts]
    begins = np.cumsum([0, *lengths])
    return UploadRecords(
        index=_column(
            [part.index + begin for part, begin in zip(parts, begins, strict=False)], np.int32
        ),
        time=_column([part.time for part in parts], np.float64),
        token=tuple(chain.from_iterable(part.token for part in parts)),
        model_central=Labels.concat([part.model_central for part in parts]),
        model_peripheral=Labels.concat([part.model_peripheral for part in parts]),
        organisation=Labels.concat([part.organisation for part in parts]),
        rssi_dbm=_column([part.rssi_dbm for part in parts], np.float64),
        tx_power_dbm=_column([part.tx_power_dbm for part in parts], np.float64),
        malformed=sum(part.malformed for part in parts),
    )


def _column(parts: Sequence[npt.NDArray[Any]], kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts], dtype=kind)


def _typed(array: bytes) -> UploadRecords | None:
    """Read records that are all of the right form, in a quarter of the time; else None.

    What this does not take, the patient way takes or refuses.
    """
    try:
        read = _ROWS.decode(array)
    except (msgspec.DecodeError, RecursionError):
        return None
    # None becomes NaN in a column of numbers.
    time = np.array([*map(attrgetter("timestamp"), read)], dtype=np.float64)
    return UploadRecords(
        index=np.arange(len(read), dtype=np.int32),
        time=np.where(time > _MILLISECONDS_FROM, time / 1000, time),
        token=tuple([row.msg or "" for row in read]),
        model_central=Labels.encode([*map(attrgetter("modelC"), read)]),
        model_peripheral=Labels.encode([*map(attrgetter("modelP"), read)]),
        organisation=Labels.encode([*map(attrgetter("org"), read)]),
        rssi_dbm=np.array([*map(attrgetter("rssi"), read)], dtype=np.float64),
        tx_power_dbm=np.array([*map(attrgetter("txPower"), read)], dtype=np.float64),
        malformed=0,
    )


def _columns(array: bytes) -> UploadRecords:
    """Return the well-formed ones of a JSON array of records as columns."""
    read = [_fields(row) for row in _ITEMS.decode(array)]
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
        malformed=len(read) - len(kept),
    )


_Fields = tuple[float, str, str, str, str, float, float]


def _fields(item: msgspec.Raw) -> _Fields | None:
    """Return time, token, models, organisation, RSSI and power; None if the form is wrong."""
    row = _row(item)
    if row is None:
        return None
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


def _row(item: msgspec.Raw) -> Mapping[str, object] | None:
    """Return the fields of a record, if it is an object; a long one's lists stay text."""
    if len(memoryview(item)) <= _SHORT and isinstance(row := _value(item), Mapping):
        return row
    try:
        fields = msgspec.structs.asdict(_ANY_ROW.decode(item))
    except msgspec.ValidationError:  # no object
        return None
    return {name: _value(value) for name, value in fields.items()}


def _value(value: msgspec.Raw) -> object:
    """Return a JSON value; of a long list or object only that it is one."""
    if len(memoryview(value)) > _SHORT and bytes(memoryview(value)[:1]) in {b"[", b"{"}:
        return value
    if not value:
        return None
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:  # a number that fits no float
        return math.nan


def _number(value: object) -> float:
    """Return a JSON number as a float, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan

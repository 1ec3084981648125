"""Which records of a contact log are sent: leave periods out, and preview before sending."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, Final

import click

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.contactlog import thinned
from tracetogether.errors import InvalidUploadError, StoreError
from tracetogether.parameters import MAX_UPLOAD_BYTES, MAX_UPLOAD_RECORDS
from tracetogether.sightings import Sighting

_SQLITE: Final = b"SQLite format 3\x00"
_MILLISECONDS_FROM: Final = 1e10  # as the authority reads them
_LATEST: Final = 1e14


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records are sent, by their time in UTC.

    Attributes:
        since, until: send only records in [since, until), epoch seconds.
        left_out: send none of these spans.
    """

    since: float = -inf
    until: float = inf
    left_out: tuple[tuple[float, float], ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Choice()

    def sends(self, time: float) -> bool:
        """Return whether a record of that time is sent."""
        return self.since <= time < self.until and not any(
            start <= time < end for start, end in self.left_out
        )


@dataclass(frozen=True, slots=True)
class DayOfLog:
    """How much a UTC day of a log holds, and how much of it would be sent."""

    date: str
    records: int
    would_send: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent."""

    days: tuple[DayOfLog, ...]
    records: int
    sent: int
    bytes_sent: int

    @property
    def fits(self) -> bool:
        """Whether the authority takes a log of this size."""
        return self.bytes_sent <= MAX_UPLOAD_BYTES and self.sent <= MAX_UPLOAD_RECORDS

    def to_json(self) -> dict[str, object]:
        """Return this as the command line prints it."""
        return {
            "records": self.records,
            "would_send": self.sent,
            "bytes": self.bytes_sent,
            "most_bytes": MAX_UPLOAD_BYTES,
            "most_records": MAX_UPLOAD_RECORDS,
            "fits": self.fits,
            "days": [asdict(day) for day in self.days],
        }


def moment(text: str, *, end: bool = False) -> float:
    """Return epoch seconds from a UTC date, with or without a time.

    Args:
        text: as ``datetime.fromisoformat`` reads it.
        end: a date without a time stands for the end of that day, not its start.

    Raises:
        BadParameter: the text is neither.
    """
    try:
        found = datetime.fromisoformat(text)
        is_date = len(text) <= len("2020-05-04")
        if is_date and end:
            found = datetime.combine(date.fromisoformat(text) + timedelta(1), found.time())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        msg = f"{text!r} is not a time: give 2020-05-04 or 2020-05-04T08:00 (UTC)"
        raise click.BadParameter(msg) from None


def span(text: str) -> tuple[float, float]:
    """Return a span from FROM..TO; a date as TO includes that whole day.

    Raises:
        BadParameter: the text has another form, or the span ends before it starts.
    """
    first, dots, last = text.partition("..")
    start, end = moment(first.strip()), moment(last.strip() or first.strip(), end=True)
    if not dots or end <= start:
        msg = (
            f"{text!r} is not a period: give FROM..TO, such as 2020-05-04T18:00..2020-05-05T08:00 "
            "or 2020-05-04..2020-05-04"
        )
        raise click.BadParameter(msg)
    return start, end


def preview(log: Path, choice: Choice) -> Preview:
    """Return what would be sent of a log of any size.

    Raises:
        StoreError: the log can't be read.
        InvalidUploadError: it is not a contact log.
    """
    held, sent, body = _chosen(log, choice)
    days: dict[str, list[int]] = {}
    for place, records in enumerate((held, sent)):
        for record in records:
            time = _time(record)
            name = (
                "no date" if isnan(time) else datetime.fromtimestamp(time, UTC).date().isoformat()
            )
            counts = days.setdefault(name, [0, 0, 0])
            counts[place] += 1
            if place:
                counts[2] += len(_text(record).encode()) + 1
    rows = tuple(DayOfLog(name, *counts) for name, counts in sorted(days.items()))
    return Preview(rows, len(held), len(sent), len(body) if sent else 0)


def upload_body(log: Path, choice: Choice, *, alone: bool = True) -> bytes:
    """Return the JSON to send. It is read before the PIN is used, since reading can fail.

    An OpenTrace file is returned unchanged if all of its records are sent. If a phone's database
    has more than the authority takes, its oldest records are thinned (``contactlog.thinned``).

    Args:
        log: the phone's database, or a file.
        choice: what is sent.
        alone: whether nothing else goes with it, so that a log without records is refused.

    Raises:
        StoreError: the log can't be read.
        InvalidUploadError: it is not a contact log, has nothing to send, or is too large.
    """
    _, sent, body = _chosen(log, choice)
    if not sent and alone:
        msg = f"{log} has no sightings"
        if not choice.everything:
            msg = f"{log} has no records left to send: leave less out"
        raise InvalidUploadError(f"{msg}; there is nothing to upload, and the PIN is still valid")
    if len(body) > MAX_UPLOAD_BYTES or len(sent) > MAX_UPLOAD_RECORDS:
        msg = (
            f"the log is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB or "
            f"{MAX_UPLOAD_RECORDS:,} records: --dry-run shows the size of each day; leave days out "
            "with --since, --until or --leave-out; the PIN is still valid"
        )
        raise InvalidUploadError(msg)
    parse_upload(body)
    return body


def _chosen(log: Path, choice: Choice) -> tuple[list[Any], list[Any], bytes]:
    """Return a log's records, those to be sent, and the JSON to send."""
    try:
        with log.open("rb") as file:
            start = file.read(len(_SQLITE))
            body = start if start == _SQLITE else start + file.read()
    except OSError as error:
        msg = f"can't read the contact log {log}: {error.strerror}"
        raise StoreError(msg) from None
    if start == _SQLITE:
        with SqliteContactLog.open(log, read_only=True) as phone:
            rows = phone.rows()
        chosen = [row for row in rows if choice.sends(int(row.time))]
        body, whole = fitting_body(chosen), write_upload(rows)
        return json.loads(whole)["records"], json.loads(body)["records"], body
    said = _read(log, body)
    held = said["records"]
    if choice.everything:
        return held, held, body
    sent = [record for record in held if choice.sends(_time(record))]
    return held, sent, _text({**said, "records": sent}).encode()


def fitting_body(rows: list[Sighting]) -> bytes:
    """Return the JSON of ``rows``, thinned until the authority takes it, if that can be."""
    body = write_upload(rows)
    while len(body) > MAX_UPLOAD_BYTES or len(rows) > MAX_UPLOAD_RECORDS:
        fewer = min(MAX_UPLOAD_RECORDS, len(rows) * MAX_UPLOAD_BYTES // (len(body) + 1))
        kept = thinned(rows, fewer)
        if len(kept) == len(rows):
            break
        rows, body = kept, write_upload(kept)
    return body


def _read(log: Path, body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if said is None:
        msg = (
            f"{log} is not a contact log: give the phone's database (.db), or its log in "
            "OpenTrace's JSON (UTF-8)"
        )
        raise InvalidUploadError(msg)
    if not isinstance(said, dict) or not isinstance(said.get("records"), list):
        parse_upload(body[:MAX_UPLOAD_BYTES])  # raises an error that names the fault
        msg = f"{log} is not a contact log: export it again"
        raise InvalidUploadError(msg)
    return said


def _time(record: object) -> float:
    """Return a record's time in seconds, or NaN, which no choice sends, if it has none."""
    found = record.get("timestamp") if isinstance(record, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < _LATEST:
        return nan
    return found / 1000 if found > _MILLISECONDS_FROM else float(found)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

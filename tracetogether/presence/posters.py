"""Posters: the QR code at a venue's door, which a phone notes as a visit.

A poster's content is the Corona-Warn-App's ``QRCodePayload``, byte for byte; only the address in
front of it is another. The place's id is a digest of the content, whose seed is random: who has
not seen the poster can't compute the id. Everything behind ``#`` stays on the phone, because no
browser sends that part of an address.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from tracetogether.crypto import sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.parameters import VISITS
from tracetogether.plain_text import hidden_in
from tracetogether.protobuf import (
    BYTES,
    VARINT,
    bytes_field,
    last_bytes,
    last_number,
    last_text,
    number_field,
    read_fields,
)
from tracetogether.units import SECONDS_PER_MINUTE, Entropy

OWN: Final = "tracetogether"
CORONA_WARN: Final = "corona-warn-app"
NOTIFY_ME: Final = "notify-me"
NHS: Final = "nhs"
NZ: Final = "nz"

MOST_CHARACTERS: Final = 4_296  # a QR code of version 40 at level L holds no more
KINDS: Final = (
    "unspecified", "other", "shop", "food-service", "craft", "workplace", "school",
    "public-building", "cultural-event", "club-activity", "private-event", "worship",
)  # fmt: skip
"""What a place is, for people only; a poster holds the number of its row."""

_SCHEME: Final = "tracetogether:visit?v=1#"
_OWN_PATH: Final = "/visit"
_GUID: Final = b"CWA-GUID"
_VERSION: Final = 1
_NOTIFY_ME_VERSION: Final = 3
_MOST_SEED: Final = 64
_LAST_SECOND: Final = 253_402_300_800  # year 10000: dates of Python end there
_PAYLOAD: Final = {1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES}
_LOCATION: Final = {1: VARINT, 2: BYTES, 3: BYTES, 5: VARINT, 6: VARINT}
_NOTIFY_ME_LOCATION: Final = {1: VARINT, 2: BYTES, 3: BYTES, 4: VARINT, 5: VARINT}
_CROWD_NOTIFIER: Final = {1: VARINT, 2: BYTES, 3: BYTES}
_VENDOR: Final = {1: VARINT, 2: VARINT, 3: VARINT}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Poster:
    """What a poster says. Its texts are a stranger's: show them by ``plain_text.visible`` only.

    Attributes:
        description: the place's name.
        address: where it is; "" if it says nothing.
        location_id: 32 bytes that only those know who have seen the poster. Secret: who has them
            can read the warnings of the place.
        form: whose poster it is: "tracetogether", "corona-warn-app", "notify-me", "nhs" or "nz".
        kind: what the place is, a number of ``KINDS`` or of a later version.
        start: from when it counts, epoch seconds; None if always.
        end: until when; None if for good.
        default_minutes: after how long a visit ends without a scan; None if it says nothing.
        payload: the content as it was read; empty for the forms "nhs" and "nz".
        text: the code's text as it was read; as secret as the id.
    """

    description: str
    address: str
    location_id: bytes = field(repr=False)
    form: str
    kind: int = 0
    start: int | None = None
    end: int | None = None
    default_minutes: int | None = None
    payload: bytes = field(default=b"", repr=False)
    text: str = field(default="", repr=False)

    def counts_at(self, now: float) -> bool:
        """Return whether the poster counts at ``now`` (epoch seconds)."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)

    @property
    def default_s(self) -> int:
        """After how many seconds a visit ends without another scan."""
        if not self.default_minutes:
            return VISITS.default_s
        return min(self.default_minutes * SECONDS_PER_MINUTE, VISITS.longest_s)


def make_poster(
    description: str,
    address: str = "",
    *,
    entropy: Entropy,
    kind: int = 0,
    start: int | None = None,
    end: int | None = None,
    default_minutes: int | None = None,
    public_key: bytes = b"",
) -> Poster:
    """Make a new poster.

    Args:
        description: the place's name, at most 100 characters.
        address: where it is, at most 100 characters.
        entropy: a source of secret bytes, for the seed.
        kind: a number of ``KINDS``.
        start: from when it counts, epoch seconds.
        end: until when.
        default_minutes: after how long a visit ends without a scan, at most a day.
        public_key: a key that apps of the Corona-Warn-App expect; none of our programs uses it.

    Raises:
        UnreadableMessageError: a text or number breaks a rule of posters; the code says which one.
    """
    location = (
        number_field(1, _VERSION)
        + bytes_field(2, description.encode(errors="replace"))
        + (bytes_field(3, address.encode(errors="replace")) if address else b"")
        + (number_field(5, start) if start else b"")
        + (number_field(6, end) if end else b"")
    )
    crowd = number_field(1, _VERSION)
    crowd += bytes_field(2, public_key) if public_key else b""
    crowd += bytes_field(3, entropy(VISITS.seed_bytes))
    vendor = number_field(1, _VERSION)
    vendor += number_field(2, kind) if kind else b""
    vendor += number_field(3, default_minutes) if default_minutes else b""
    payload = number_field(1, _VERSION)
    for number, part in ((2, location), (3, crowd), (4, vendor)):
        payload += bytes_field(number, part)
    poster = read_payload(payload, OWN)
    return replace(poster, text=poster_url(poster))


def poster_url(poster: Poster, host: str = "") -> str:
    """Return the text of a poster's QR code.

    Args:
        poster: a poster with a payload.
        host: a host whose page explains the code to people without the app, such as
            "health.example"; "" names none, and only the app opens it.

    Raises:
        ValueError: the poster has no payload (forms "nhs" and "nz").
    """
    if not poster.payload:
        msg = f"a poster of the form {poster.form!r} can't be written"
        raise ValueError(msg)
    content = base64.urlsafe_b64encode(poster.payload).rstrip(b"=").decode()
    return (f"https://{host}{_OWN_PATH}?v=1#" if host else _SCHEME) + content


def read_poster(text: str) -> Poster:
    """Return the poster of a QR code's text: ours, Corona-Warn-App's, NotifyMe's.

    ``posters_of_others.read_any_poster`` reads those of the NHS and of New Zealand too.

    Raises:
        UnreadableMessageError: it is none; the code says why: "poster-form", "poster-too-long",
            "poster-version", "poster-base64", "poster-texts", "poster-times", "poster-seed" or one
            of "protobuf-...".
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableMessageError("the text is longer than a QR code", "poster-too-long")
    form, content = _form_and_content(text.strip())
    if not _BASE64URL.fullmatch(content):
        raise UnreadableMessageError("the poster's content is no Base64", "poster-base64")
    bare = content.rstrip("=")
    try:
        payload = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raise UnreadableMessageError("the poster's content is no Base64", "poster-base64") from None
    return replace(read_payload(payload, form), text=text.strip())


def _form_and_content(text: str) -> tuple[str, str]:
    """Return whose poster an address is, and what stands behind its ``#``."""
    unknown = UnreadableMessageError("this code is no poster of a place", "poster-form")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise unknown from None
    where = parts.scheme, host, parts.path
    match where:
        case ("tracetogether", "", "visit"):
            form, version = OWN, "v=1"
        case ("https", "e.coronawarn.app", "" | "/"):
            form, version = CORONA_WARN, "v=1"
        case ("https", "qr.notify-me.ch", "" | "/"):
            form, version = NOTIFY_ME, "v=3"
        case ("https", _, path) if path == _OWN_PATH and host:
            form, version = OWN, "v=1"
        case _:
            raise unknown
    if parts.query != version:
        raise UnreadableMessageError("a poster of an unknown version", "poster-version")
    return form, parts.fragment


def location_id_of(payload: bytes) -> bytes:
    """Return the id of the place whose poster holds ``payload`` (Corona-Warn-App's rule).

    Example:
        >>> location_id_of(b"").hex()[:8]
        '5301c106'
    """
    return sha256(_GUID + payload)


def read_payload(payload: bytes, form: str) -> Poster:
    """Return the poster that holds ``payload``.

    Args:
        payload: a ``QRCodePayload`` of the Corona-Warn-App, or of NotifyMe.
        form: "tracetogether", "corona-warn-app" or "notify-me".

    Raises:
        UnreadableMessageError: it is none, or breaks a rule; the code says which one.
    """
    notify_me = form == NOTIFY_ME
    whole = read_fields(payload, _PAYLOAD, "the poster")
    if last_number(whole, 1) != (_NOTIFY_ME_VERSION if notify_me else _VERSION):
        raise UnreadableMessageError("a poster of an unknown version", "poster-version")
    what = "the poster's place"
    fields = _NOTIFY_ME_LOCATION if notify_me else _LOCATION
    place = read_fields(last_bytes(whole, 2), fields, what)
    description, address = last_text(place, 2, what), last_text(place, 3, what)
    check_texts(description, address)
    start, end = (last_number(place, number) for number in ((4, 5) if notify_me else (5, 6)))
    if max(start, end) >= _LAST_SECOND or 0 < end <= start:
        raise UnreadableMessageError("the poster ends before it begins", "poster-times")
    crowd = read_fields(last_bytes(whole, 3), _CROWD_NOTIFIER, "the poster's keys")
    if not 0 < len(last_bytes(crowd, 3)) <= _MOST_SEED:
        raise UnreadableMessageError(
            "the poster's seed has not 1 to {most} bytes", "poster-seed", most=_MOST_SEED
        )
    kind, minutes = 0, 0
    if not notify_me:  # NotifyMe's country data say nothing that is used here
        vendor = read_fields(last_bytes(whole, 4), _VENDOR, "the poster's kind of place")
        kind, minutes = last_number(vendor, 2), last_number(vendor, 3)
    if minutes > VISITS.longest_s // SECONDS_PER_MINUTE:
        raise UnreadableMessageError("the poster's visits last longer than a day", "poster-times")
    return Poster(
        description=description,
        address=address,
        location_id=location_id_of(payload),
        form=form,
        kind=kind,
        start=start or None,
        end=end or None,
        default_minutes=minutes or None,
        payload=payload,
    )


def check_texts(description: str, address: str) -> None:
    """Return if a poster may have these texts.

    Raises:
        UnreadableMessageError: the place has no name, a text has more than 100 characters, or a
            character that is not shown.
    """
    if not description.strip():
        raise UnreadableMessageError("the poster's place has no name", "poster-texts")
    for text in (description, address):
        if len(text) > VISITS.text_characters or hidden_in(text):
            raise UnreadableMessageError(
                "a text of the poster has more than {most} characters, or hidden ones",
                "poster-texts",
                most=VISITS.text_characters,
            )

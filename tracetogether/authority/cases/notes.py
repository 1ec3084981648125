"""Tracers' notes on cases and contacts, sealed under the key of the day."""

import os
from base64 import b32encode
from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.store import DeskStore
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import InvalidRequestError, KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.plain_text import one_newline
from tracetogether.units import Entropy, utc_day

MAX_NOTE_CHARACTERS: Final = 2_000
"""Unicode code points: a letter, a Chinese character, an emoji and a line break are one each."""
_PURPOSE: Final = "note"


@dataclass(frozen=True, slots=True)
class SealedNote:
    """A note as it is kept.

    Attributes:
        note_id: random, sixteen characters.
        case_id: on which case.
        contact_id: on which contact of it; "" if on the case itself.
        day: UTC day whose key seals the text; the note goes when uploads of it do.
        at: epoch seconds.
        by: name of the operator.
        sealed: IV, then the text.
    """

    note_id: str
    case_id: str
    contact_id: str
    day: int
    at: float
    by: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it is read; ``text`` is None if the key of its day is gone."""

    note_id: str
    contact_id: str
    at: float
    by: str
    text: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notes:
    """Stores and reads notes; ``FollowUp.note`` and ``Desk.notes_on`` check the permissions."""

    keys: KeyRing
    store: DeskStore
    audit: Audit
    entropy: Entropy = os.urandom

    def add(self, case_id: str, contact_id: str, text: str, now: float, *, by: str) -> Note:
        """Store a note. The audit log records that there is one, without its text.

        Raises:
            InvalidRequestError: it is empty, or has more than 2,000 characters.
        """
        text = one_newline(text)
        if not text.strip() or len(text) > MAX_NOTE_CHARACTERS:
            msg = "a note has 1 to {most:,} characters: this one has {count:,}"
            raise InvalidRequestError(msg, "note-length", most=MAX_NOTE_CHARACTERS, count=len(text))
        note_id = b32encode(self.entropy(10)).decode()
        day, iv = utc_day(now), self.entropy(IV_BYTES)
        sealed = iv + self.keys.aead(_PURPOSE, day).seal(iv, text.encode(), note_id.encode())
        with self.audit.atomic():
            self.store.add_note(SealedNote(note_id, case_id, contact_id, day, now, by, sealed))
            about = {"contact_id": contact_id} if contact_id else {}
            self.audit.record("note.added", now, by=by, subject=case_id, **about)
        return Note(note_id, contact_id, now, by, text)

    def read(self, case_id: str) -> tuple[Note, ...]:
        """Return the notes on a case and its contacts, the oldest first."""
        return tuple(
            Note(kept.note_id, kept.contact_id, kept.at, kept.by, self._text(kept))
            for kept in self.store.notes(case_id)
        )

    def _text(self, note: SealedNote) -> str | None:
        iv, sealed = note.sealed[:IV_BYTES], note.sealed[IV_BYTES:]
        try:
            text = self.keys.aead(_PURPOSE, note.day).open(iv, sealed, note.note_id.encode())
        except (KeyRingError, SealError):
            return None
        return text.decode()

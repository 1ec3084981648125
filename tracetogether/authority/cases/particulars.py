"""Name, telephone number and language of a contact or case, sealed; a blank changes none."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tracetogether.authority.cases.followed import KeptContact
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import ConflictError, InvalidRequestError, KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy

MAX_NAME_CHARACTERS: Final = 200
Field = Literal["name", "phone"]
FIELDS: Final[tuple[Field, ...]] = ("name", "phone")
NO_LANGUAGE: Final = "und"
"""The code for a language that is not known: typed, it deletes the stored one."""
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
OF_CONTACT: Final = "particulars"
OF_CASE: Final = "case-particulars"
"""For what a key seals: a contact's sealed text can't be opened as that of a case."""


@dataclass(frozen=True, slots=True)
class NameAndPhone:
    """What is stored about who a contact is, or whose case it is.

    Attributes:
        name, phone: "" if not stored.
        language: code of the language that the person speaks, such as "ms"; "" if not stored.
        also: names and telephone numbers of contacts that were merged into this one, where they
            differ.
        changed: field -> version of the contact or case at which it was last changed.
        wrong: telephone numbers at which a call found somebody else, or nobody.
    """

    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    also: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    changed: Mapping[str, int] = field(default_factory=dict)
    wrong: tuple[str, ...] = field(default=(), repr=False)
    language: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        """Return whether anything is stored."""
        return bool(self.name or self.phone or self.also or self.language)

    def value(self, which: str) -> str:
        """Return the name, the telephone number or the language."""
        return {"name": self.name, "phone": self.phone, "language": self.language}[which]

    def with_fields(self, version: int, **values: str) -> "NameAndPhone":
        """Return these with some fields changed, at a version of the contact."""
        changed = {**self.changed, **dict.fromkeys(values, version)}
        return replace(self, **values, changed=changed)  # type: ignore[arg-type]

    def with_number(self, *, wrong: bool) -> "NameAndPhone":
        """Return these after a call that found whether the stored number is wrong."""
        others = tuple(number for number in self.wrong if number != self.phone)
        return replace(self, wrong=(*others, self.phone) if wrong and self.phone else others)


def opened_particulars(kept: KeptContact, keys: KeyRing) -> NameAndPhone:
    """Return what is stored of a contact; nothing if the key of the day is destroyed."""
    return opened_from(kept.particulars, kept.contact_id, kept.day, keys)


def opened_from(
    particulars: bytes, owner_id: str, day: int, keys: KeyRing, *, purpose: str = OF_CONTACT
) -> NameAndPhone:
    """Return what is sealed; nothing if there is nothing, or the key of ``day`` is destroyed.

    Args:
        particulars: IV, then ciphertext, as ``sealed_particulars`` returns it.
        owner_id: id of the contact or case that it is of.
        day: UTC day whose key seals it.
        keys: the authority's keys.
        purpose: ``OF_CONTACT`` or ``OF_CASE``.
    """
    if not particulars:
        return NameAndPhone()
    iv, sealed = particulars[:IV_BYTES], particulars[IV_BYTES:]
    try:
        text = keys.aead(purpose, day).open(iv, sealed, owner_id.encode())
    except (KeyRingError, SealError):
        return NameAndPhone()
    said = json.loads(text)
    also = tuple((name, phone) for name, phone in said.get("also", ()))
    wrong = tuple(said.get("wrong", ()))
    language = said.get("language", "")
    return NameAndPhone(said["name"], said["phone"], also, said.get("changed", {}), wrong, language)


def sealed_particulars(
    said: NameAndPhone,
    owner_id: str,
    day: int,
    keys: KeyRing,
    entropy: Entropy,
    *,
    purpose: str = OF_CONTACT,
) -> bytes:
    """Return IV and ciphertext of name and telephone number; b"" if there is nothing.

    The id of the contact or case that they are of is bound to them.

    Raises:
        KeyRingError: the key of ``day`` was destroyed.
    """
    if not said:
        return b""
    kept = {
        "name": said.name,
        "phone": said.phone,
        "also": said.also,
        "changed": {**said.changed},
        "wrong": said.wrong,
        "language": said.language,
    }
    iv = entropy(IV_BYTES)
    sealed = keys.aead(purpose, day).seal(iv, json.dumps(kept).encode(), owner_id.encode())
    return iv + sealed


def described(
    said: NameAndPhone, typed: Mapping[str, str], clear: Collection[str], version: int | None
) -> dict[str, str]:
    """Return the fields that change, with their new values.

    Args:
        said: what is stored.
        typed: field -> typed text; a blank changes nothing.
        clear: fields to be deleted.
        version: of the contact, as the caller saw it; None if unknown.

    Raises:
        InvalidRequestError: a text is too long, or a field is both typed and deleted.
        ConflictError: a stored value would be replaced that the sender may not have read.
    """
    new = {name: text.strip() for name, text in typed.items() if text.strip()}
    if any(len(text) > MAX_NAME_CHARACTERS for text in new.values()):
        msg = "a name and a telephone number have up to {most} characters"
        raise InvalidRequestError(msg, "name-length", most=MAX_NAME_CHARACTERS)
    if "language" in new:
        new["language"] = "" if new["language"] == NO_LANGUAGE else language_asked(new["language"])
    if not new.keys().isdisjoint(clear):
        msg = "give a new value or delete the old one, not both"
        raise InvalidRequestError(msg, "typed-and-deleted")
    new |= dict.fromkeys(clear, "")
    changed = {name: text for name, text in new.items() if text != said.value(name)}
    if version is None and any(said.value(name) for name in changed):
        msg = "a value is stored already: read it, and send its version with your change"
        raise ConflictError(msg, "value-stored-already")
    return changed


def language_asked(text: str) -> str:
    """Return a language's code as it is kept.

    Raises:
        InvalidRequestError: it is none.
    """
    code = text.strip().lower()
    if not _LANGUAGE.fullmatch(code):
        msg = "write a language as its code of two or three letters, such as ms or yue"
        raise InvalidRequestError(msg, "language-code")
    return code


def joined_particulars(
    stays: NameAndPhone, gone: NameAndPhone, version: int
) -> tuple[NameAndPhone, tuple[str, ...], int]:
    """Return the names and telephone numbers of two contacts that are one person.

    Fields that only ``gone`` has are copied; different values are added to ``also``. A number that
    a call to one of them found to be wrong is wrong for both.

    Returns:
        Both together, which fields were copied, and how many pairs were added to ``also``.
    """
    fields = (*FIELDS, "language")
    taken = [name for name in fields if gone.value(name) and not stays.value(name)]
    said = stays.with_fields(version, **{name: gone.value(name) for name in taken})
    other = (
        gone.name if gone.name != said.name else "",
        gone.phone if gone.phone != said.phone else "",
    )
    beside = [*([other] if any(other) else []), *gone.also]
    new = [pair for pair in beside if pair not in said.also]
    wrong = tuple(dict.fromkeys((*said.wrong, *gone.wrong)))
    return replace(said, also=(*said.also, *new), wrong=wrong), tuple(taken), len(new)


def separated_particulars(
    stays: NameAndPhone, gone: NameAndPhone, taken: Collection[str], also: int, version: int
) -> NameAndPhone:
    """Undo ``joined_particulars``; fields that were changed since keep their values."""
    back = {name: "" for name in taken if stays.value(name) == gone.value(name)}
    said = stays.with_fields(version, **back)
    kept = said.also[: len(said.also) - also] if also else said.also
    # Only a mark on the number that stays still says something about it.
    wrong = tuple(
        number for number in said.wrong if number == said.phone or number not in gone.wrong
    )
    return replace(said, also=kept, wrong=wrong)

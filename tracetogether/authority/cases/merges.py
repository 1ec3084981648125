"""The record of a merge: each changed field, so that the merge can be undone exactly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, Final, TypeVar

from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.cases.followed import ContactState, KeptContact, Priority
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import ConflictError, KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy

_PURPOSE: Final = "merge"
_ELSEWHERE: Final = frozenset({"version", "particulars", "person", "tag", "who", "day"}) | {
    *("by_pseudonym", "by_name", "by_phone", "by_language")
}
_Row = TypeVar("_Row", Case, KeptContact)
Changes = Mapping[str, tuple[Any, Any]]
"""Field -> its value before and after, as JSON has them."""


@dataclass(frozen=True, slots=True)
class Join:
    """One contact that was merged into another.

    Attributes:
        gone, stays: their ids.
        of_gone, of_stays: what changed in them.
        days: days whose outcome was copied.
        taken: which of name and telephone number were copied.
        also: number of pairs of name and telephone number that were added to the stored ones.
    """

    gone: str
    stays: str
    of_gone: Changes
    of_stays: Changes
    days: tuple[int, ...] = ()
    taken: tuple[str, ...] = ()
    also: int = 0


@dataclass(frozen=True, slots=True)
class Merge:
    """What one merge changed.

    Attributes:
        joins: rows of contacts that went into others.
        moved: ids of contacts that went to the other case as they were.
        notes: note id -> case and contact before, case and contact after.
        case_gone, case_stays: what changed in the cases; empty if contacts were merged.
        case_id: of the case that was merged; "" if contacts were.
        case_taken: which of name and telephone number of the case were copied.
        case_also: number of their pairs that were added to the stored ones.
    """

    joins: tuple[Join, ...] = ()
    moved: tuple[str, ...] = ()
    notes: Mapping[str, tuple[str, str, str, str]] = field(default_factory=dict)
    case_gone: Changes = field(default_factory=dict)
    case_stays: Changes = field(default_factory=dict)
    case_id: str = ""
    case_taken: tuple[str, ...] = ()
    case_also: int = 0


@dataclass(frozen=True, slots=True)
class SealedMerge:
    """A merge as it is kept.

    Attributes:
        gone: id of the case or contact that was merged.
        stays: id of the one that it went into.
        case_id: of the case that stays; the record goes with it.
        day: UTC day whose key seals the record; it goes as notes of that day do.
        at: epoch seconds.
        by: name of the operator.
        sealed: IV, then the record as JSON.
    """

    gone: str
    stays: str
    case_id: str
    day: int
    at: float
    by: str
    sealed: bytes = field(repr=False)


def changes(before: _Row, after: _Row) -> Changes:
    """Return the fields that differ between two states of one row."""
    old, new = _plain(before), _plain(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def put_back(row: _Row, changed: Changes) -> tuple[_Row, tuple[str, ...]]:
    """Return a row as it was before a change, and the fields that were changed since.

    Those keep the value that they have now.
    """
    now = _plain(row)
    before = {name: old for name, (old, new) in changed.items() if now[name] == new}
    left = tuple(name for name, (_, new) in changed.items() if now[name] != new)
    return replace(row, **{name: _typed(row, name, old) for name, old in before.items()}), left


def _plain(row: Case | KeptContact) -> dict[str, Any]:
    values = {column.name: getattr(row, column.name) for column in fields(row)}
    values = {name: value for name, value in values.items() if name not in _ELSEWHERE}
    for name, value in values.items():
        match value:
            case Enum():
                values[name] = value.value
            case tuple():
                values[name] = list(value)
            case _:
                pass
    return values


def _typed(row: Case | KeptContact, name: str, value: Any) -> Any:  # noqa: ANN401 - of any field
    match name:
        case "state":
            return (CaseState if isinstance(row, Case) else ContactState)(value)
        case "priority":
            return Priority(value)
        case "reasons":
            return tuple(value)
        case _:
            return value


def sealed_merge(
    merge: Merge,
    pair: tuple[str, str],
    case_id: str,
    day: int,
    now: float,
    by: str,
    keys: KeyRing,
    entropy: Entropy,
) -> SealedMerge:
    """Return a merge as it is kept; ``pair`` has the ids of what goes and of what stays."""
    said = {
        "joins": [{name: getattr(join, name) for name in Join.__slots__} for join in merge.joins],
        "moved": merge.moved,
        "notes": merge.notes,
        "case_gone": merge.case_gone,
        "case_stays": merge.case_stays,
        "case_id": merge.case_id,
        "case_taken": merge.case_taken,
        "case_also": merge.case_also,
    }
    iv = entropy(IV_BYTES)
    sealed = keys.aead(_PURPOSE, day).seal(iv, json.dumps(said).encode(), pair[0].encode())
    return SealedMerge(*pair, case_id, day, now, by, iv + sealed)


def opened_merge(kept: SealedMerge, keys: KeyRing) -> Merge:
    """Return what a merge changed.

    Raises:
        ConflictError: the key of its day is gone.
    """
    iv, sealed = kept.sealed[:IV_BYTES], kept.sealed[IV_BYTES:]
    try:
        text = keys.aead(_PURPOSE, kept.day).open(iv, sealed, kept.gone.encode())
    except (KeyRingError, SealError):
        msg = "the merge can't be undone: the key of that day was deleted"
        raise ConflictError(msg, "merge-key-gone") from None
    said = json.loads(text)
    return Merge(
        joins=tuple(Join(**join) for join in said["joins"]),
        moved=tuple(said["moved"]),
        notes={name: tuple(places) for name, places in said["notes"].items()},
        case_gone=said["case_gone"],
        case_stays=said["case_stays"],
        case_id=said["case_id"],
        case_taken=tuple(said.get("case_taken", ())),  # earlier releases kept none
        case_also=said.get("case_also", 0),
    )

"""Names that a user writes: which are known, which is meant, and ``FIELD=COLUMN`` pairs."""

from collections.abc import Collection
from difflib import get_close_matches

from tracetogether.errors import InvalidReadingsError


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name; "" if none is near."""
    nearest = get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def unknown_name(name: str, known: Collection[str], what: str) -> str:
    """Return an error message for a name that is not among the known ones.

    >>> unknown_name("scne", ["scene", "time"], "field")
    "there is no field 'scne'; did you mean 'scene'? Known are scene, time."
    """
    hint = did_you_mean(name, known) or "."
    return f"there is no {what} {name!r}{hint} Known are {', '.join(known)}."


def columns_of_fields(text: str | None, known: Collection[str]) -> dict[str, str]:
    """Return field -> column from ``FIELD=COLUMN`` pairs with commas between them.

    Raises:
        InvalidReadingsError: a pair has another form, or a field is unknown or named twice.
    """
    columns: dict[str, str] = {}
    for part in text.split(",") if text else ():
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not (field and equals and column):
            msg = f"{part!r} is not FIELD=COLUMN, where FIELD is one of {', '.join(known)}"
            raise InvalidReadingsError(msg)
        if field not in known:
            raise InvalidReadingsError(unknown_name(field, known, "field"))
        if field in columns:
            raise InvalidReadingsError(f"the field {field!r} is named twice")
        columns[field] = column
    return columns

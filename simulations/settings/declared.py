"""What declares keys of a scenario: a meaning with limits, and types that several keys share."""

from typing import Annotated

from msgspec import Meta


def about(meaning: str, *, ge: float | None = None, le: float | None = None) -> Meta:
    """Return a key's meaning, with the least and the greatest value that are allowed."""
    return Meta(ge=ge, le=le, description=meaning)


Share = Annotated[float, Meta(ge=0, le=1)]
SpreadDb = Annotated[float, Meta(ge=0, le=15)]
"""Standard deviation of a loss."""

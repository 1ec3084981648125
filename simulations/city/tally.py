"""Counts of a run by name, which are added up over shards."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self


@dataclass(slots=True)
class Tally:
    """Whole numbers by name; subclasses are data classes whose fields are the counts.

    >>> from dataclasses import dataclass
    >>> @dataclass(slots=True)
    ... class Found(Tally):
    ...     pairs: int = 0
    >>> Found.total([Found(2), Found(3)]).to_json()
    {'pairs': 5}
    """

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """Return the sums over shards."""
        return cls(*(sum(getattr(part, field.name) for part in parts) for field in fields(cls)))

"""Pages of lists: every offset leads to a page with rows, if there are any."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class HasTotal(Protocol):
    """A page of a list, which knows how many rows the whole list has."""

    @property
    def total(self) -> int:
        """How many rows there are on all pages."""
        ...


_Page = TypeVar("_Page", bound=HasTotal)
_Row = TypeVar("_Row")


def page_at(read: Callable[[int], _Page], offset: int, limit: int) -> _Page:
    """Return the page at ``offset``, or the last one if the list is shorter by now."""
    found = read(offset)
    return found if offset < max(found.total, 1) else read(last_offset(found.total, limit))


def rows_at(rows: Sequence[_Row], offset: int, limit: int) -> tuple[Sequence[_Row], int]:
    """Return the rows of the page at ``offset``, or of the last page, and where they begin."""
    begin = min(offset, last_offset(len(rows), limit))
    return rows[begin : begin + limit], begin


def last_offset(total: int, limit: int) -> int:
    """Return where the last page of a list begins."""
    return max(total - 1, 0) // limit * limit

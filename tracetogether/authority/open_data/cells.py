"""What is counted for everybody, and by how much one person can change each figure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tracetogether.parameters import OPEN_DATA


@dataclass(frozen=True, slots=True)
class OpenFigure:
    """One figure of a day.

    Attributes:
        name: in files.
        about: what it counts.
        most: by how much one person more or less changes it; the scale of its noise follows.
    """

    name: str
    about: str
    most: int = 1


_CONTACTS: Final = OPEN_DATA.contacts_of_a_case + 1  # the person's own contacts, and the person
_OF_EACH: Final = f"each once, at most {OPEN_DATA.contacts_of_a_case} for each case"
_PHONE: Final = 2  # a phone is counted once a UTC day; a local day lies in two of them

PASSES_FETCHED: Final = "passes_fetched"
NOTICES: Final = "notices"

FIGURES: Final = (
    OpenFigure("cases_declared", "People whose case was opened, without unconfirmed ones."),
    OpenFigure("contacts_found", f"People found as contacts to be called, {_OF_EACH}.", _CONTACTS),
    OpenFigure(
        "contacts_reached", f"Those of them reached within 24 hours, {_OF_EACH}.", _CONTACTS
    ),
    OpenFigure(NOTICES, "People whose passes came with advice, or were withheld."),
    OpenFigure(PASSES_FETCHED, "Phones that asked for passes.", _PHONE),
    OpenFigure("visits_published", "People whose visits to places were published as warnings."),
    OpenFigure("restricted", "People on whom a restriction was confirmed, on any ground."),
    OpenFigure("restricted_case", "Those of them restricted by their own case."),
    OpenFigure("restricted_order", "Those of them restricted by an order."),
    OpenFigure("restricted_without_evidence", "Those of them restricted without evidence."),
    OpenFigure("appeals", "People whose appeal was decided, with any outcome."),
    OpenFigure("appeals_lifted", "Those of them whose restriction was lifted."),
    OpenFigure("appeals_corrected", "Those of them whose restriction was shortened."),
    OpenFigure("appeals_upheld", "Those of them whose restriction stayed."),
)
"""In the order of the file. A total has noise of its own: it is no sum of its parts."""

FIGURE_NAMED: Final = {figure.name: figure for figure in FIGURES}


def people_in_pairs(pairs: Iterable[tuple[str, str]], of_a_case: int) -> int:
    """Count contacts so that no single person changes the count by much.

    A plain count changes by hundreds with one case that has hundreds of contacts. So each contact
    counts once, each case lets in at most ``of_a_case`` of them, and pairs are taken in their
    order while both have room. If a case goes, each pair that it had frees its contact for a later
    pair. That one takes the room of another pair, which frees that pair's contact, and so on. Each
    such chain takes and gives in turn, so it changes the count by at most one. There are at most
    ``of_a_case`` chains for a person as a case, and one for the same person as a contact.

    Args:
        pairs: (case's person, contact's person), in an order that doesn't depend on who else is
            there, such as that of random ids.
        of_a_case: the most contacts of one case.
    """
    room: Counter[str] = Counter()
    met: set[str] = set()
    for case, contact in pairs:
        if contact not in met and room[case] < of_a_case:
            room[case] += 1
            met.add(contact)
    return len(met)

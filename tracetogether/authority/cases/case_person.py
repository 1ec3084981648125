"""Who a case is: the name and telephone number of its person, sealed for the case."""

from dataclasses import dataclass, field

from tracetogether.authority.cases.particulars import (
    OF_CASE,
    NameAndPhone,
    opened_from,
    sealed_particulars,
)
from tracetogether.authority.cases.person_index import digests_for
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy, utc_day


@dataclass(frozen=True, slots=True)
class CasePerson:
    """Name and telephone number of a case's person as they are kept.

    Attributes:
        case_id: whose; the row goes with the case.
        day: UTC day of the last change, whose key seals the row; the row goes as notes do.
        sealed: IV, then name and telephone number as JSON, sealed.
        by_name, by_phone: digests under the day's key, by which a search finds the case; b"" if
            there is nothing to find.
    """

    case_id: str
    day: int
    sealed: bytes = field(repr=False)
    by_name: bytes = field(default=b"", repr=False)
    by_phone: bytes = field(default=b"", repr=False)

    @classmethod
    def of(
        cls, said: NameAndPhone, case_id: str, now: float, keys: KeyRing, entropy: Entropy
    ) -> "CasePerson":
        """Return name and telephone number sealed under the key of the day of ``now``.

        Raises:
            KeyRingError: the key of that day was destroyed.
        """
        day = utc_day(now)
        sealed = sealed_particulars(said, case_id, day, keys, entropy, purpose=OF_CASE)
        return cls(case_id, day, sealed, *digests_for(said, day, keys))

    def opened(self, keys: KeyRing) -> NameAndPhone:
        """Return name and telephone number; nothing if the key of the day is destroyed."""
        return opened_from(self.sealed, self.case_id, self.day, keys, purpose=OF_CASE)


def opened_case_person(kept: CasePerson | None, keys: KeyRing) -> NameAndPhone:
    """Return what is stored of a case's person; nothing if there is no row."""
    return NameAndPhone() if kept is None else kept.opened(keys)

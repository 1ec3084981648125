"""Find the one who rings back: by telephone number, name, pseudonym or user id."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import Limit, Limits
from tracetogether.authority.access.operator_limits import take_of_operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import KeptContact, person_key
from tracetogether.authority.cases.person_index import digests_of
from tracetogether.authority.desk.people import CallList, PersonToCall
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.errors import InvalidRequestError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import SEARCHES_AN_HOUR
from tracetogether.units import SECONDS_PER_HOUR

SEARCHES: Final = Limit("people-searches", SEARCHES_AN_HOUR, SECONDS_PER_HOUR)
MAX_CHARACTERS: Final = 200
_MOST: Final = 20
_READ_OUT: Final = re.compile(r"(\S{4} ){6}\S{4}-\S")
"""An id in groups of four with its check character; names have no such groups."""


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case whose person fits a search."""

    pseudonym: str
    case: Case


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """Who fits a search, as far as the caller needs to know.

    Attributes:
        people: those near the caller's cases, or near cases that are assigned to nobody.
        cases: cases whose own person fits, of the caller or of nobody, the newest first.
        with_colleagues: whether somebody else fits, of or near cases of colleagues only.
        more: whether too many people fit to show all.
    """

    people: tuple[PersonToCall, ...] = ()
    cases: tuple[FoundCase, ...] = ()
    with_colleagues: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class PeopleSearch:
    """Finds followed people, and cases, by what they say on the telephone."""

    keys: KeyRing
    people: CallList
    store: CallingStore
    limits: Limits
    audit: Audit

    def find(self, text: str, now: float, *, by: Caller) -> FoundPeople:
        """Return who has this telephone number, name, pseudonym or user id.

        The audit log has who searched by what and found whom, without the text. Names and numbers
        stay hidden: to take the call reveals them.

        Args:
            text: a number with five digits or more, of which the last eight count; a whole name,
                in any order of words; a user id, also as it is read out; or a pseudonym, which
                finds contacts only.
            now: epoch seconds.
            by: the caller.

        Raises:
            AccessDeniedError: the roles of ``by`` do not allow it.
            InvalidRequestError: the text is empty or too long, or names nobody, or it is a user id
                with a mistake.
            RateLimitedError: the caller has searched too often in this hour.
        """
        by.require(Action.FIND_PERSON)
        text = text.strip()
        if len(text) > MAX_CHARACTERS:
            msg = "a search has up to {most} characters"
            raise InvalidRequestError(msg, "search-length", most=MAX_CHARACTERS)
        digests = digests_of(text, now, self.keys)
        if not digests:
            msg = "write a whole telephone number, a name, a pseudonym or a user id"
            raise InvalidRequestError(msg, "search-empty")
        user_id = _user_id(text)
        who = person_key(user_id, self.keys)
        act = "searches.exceeded"
        take_of_operator(SEARCHES, act, now, self.limits, self.audit, by=by)
        with self.audit.atomic():
            lines = self.store.calls.found(who, digests, _MOST + 1)
            shown = self.people.lines(lines[:_MOST], now, by, nobodys=True)
            cases, more, hidden = self._cases(user_id, digests, [each.first for each in shown], by)
            found = FoundPeople(
                people=tuple(shown),
                cases=cases,
                with_colleagues=hidden or len(shown) < len(lines[:_MOST]),
                more=more or len(lines) > _MOST,
            )
            names = (*(each.pseudonym for each in shown), *(each.pseudonym for each in cases))
            self.audit.record(
                "person.searched",
                now,
                by=by.name,
                asked=" ".join(field.removeprefix("by_") for field in digests),
                found=" ".join(dict.fromkeys(names)),
                with_colleagues=found.with_colleagues,
            )
        return found

    def _cases(
        self,
        user_id: str,
        digests: Mapping[str, list[bytes]],
        shown: Sequence[KeptContact],
        by: Caller,
    ) -> tuple[tuple[FoundCase, ...], bool, bool]:
        """Return the cases whose person fits, or is one of the people who are shown.

        Returns:
            Those of the caller and of nobody, whether there are more, and whether there are cases
            of colleagues.
        """
        desk = self.people.desk
        fitting = desk.store.cases_by_person(user_id, digests, _MOST + 1)
        own = [case for some in desk.own_cases(shown, by).values() for case in some]
        every = {case.case_id: case for case in (*own, *fitting[:_MOST])}
        kept = [
            case for case in every.values() if case.merged_into not in every and not case.origin
        ]
        mine = [
            FoundCase(desk.name_of(case.user_id), case)
            for case in sorted(kept, key=lambda case: (-case.opened_at, case.case_id))
            if not case.assigned_to or by.needs_to_know(case.assigned_to)
        ]
        return tuple(mine), len(fitting) > _MOST, len(mine) < len(kept)


def _user_id(text: str) -> str:
    """Return the user id that a text is, if it is one; a name of 28 letters may look like one.

    Raises:
        InvalidRequestError: it is an id as it is read out, and its check character doesn't fit.
    """
    try:
        return read_user_id(text)
    except InvalidRequestError:
        if _READ_OUT.fullmatch(text):
            raise
        return text

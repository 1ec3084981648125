"""The graph over all cases: which met, which know the same people, who may have infected whom."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Self

from starlette.responses import Response

from tracetogether.adapters.operator_pages.case_map import Bond, Spot, case_map
from tracetogether.adapters.operator_pages.listing import last_offset, rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import likely_text, minutes_text, percent_text
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.contacts.transmission import ASSUMPTIONS, Candidate
from tracetogether.authority.tracing.graph import ContactGraph
from tracetogether.authority.tracing.one_case import POLICIES

CASES_A_PAGE: Final = 25
_MOST_MET: Final = 45
_MOST_SHARED: Final = 12  # they cross everything, and say least
_ROWS_A_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class MetCases:
    """Two cases whose people met."""

    first: Case
    second: Case
    contact: Contact


@dataclass(frozen=True, slots=True)
class Shared:
    """Somebody whom several cases met; nothing here says who it is."""

    pseudonym: str
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TablePage:
    """A page of one of the tables; the address names where each of them begins."""

    rows: Sequence[Any]
    offset: int
    total: int

    @classmethod
    def of(cls, request: PageRequest, name: str, rows: Sequence[Any]) -> Self:
        """Return the page that the address asks for."""
        some, offset = rows_at(rows, request.number(name, 0), _ROWS_A_PAGE)
        return cls(some, offset, len(rows))


def show_graph(request: PageRequest) -> Response:
    """Show what joins the newest cases that have logs, and those before them page by page."""
    policy_name = request.http.query_params.get("policy", "singapore")
    policy = request.authority.tracing.policy(policy_name)
    offset = request.number("offset", 0)
    graphs, caller = request.authority.graphs, request.caller
    found = graphs.graph(policy, by=caller, skip=offset, most=CASES_A_PAGE)
    if not found.asked and found.cases_left_out:  # the list is shorter by now
        offset = last_offset(found.cases_left_out, CASES_A_PAGE)
        found = graphs.graph(policy, by=caller, skip=offset, most=CASES_A_PAGE)
    request.authority.audit.record(
        "graph.shown", request.now, by=request.caller.name, cases=found.cases
    )
    met, shared = _met(found), _shared(found)
    bonds = _bonds(request, met, shared, found)
    drawn = [
        *[bond for bond in bonds if bond.kind != "shared"][:_MOST_MET],
        *[bond for bond in bonds if bond.kind == "shared"][:_MOST_SHARED],
    ]
    spots = [
        Spot(case.case_id, f"{request.base}/cases/{case.case_id}", case.day) for case in found.asked
    ]
    met_rows, ranking, shared_rows = (
        TablePage.of(request, name, rows)
        for name, rows in (("met", met), ("ranking", found.candidates), ("shared", shared))
    )
    return request.render(
        "who_met.html",
        found=found,
        picture=case_map(spots, drawn, request.t("Cases and the links between them")),
        drawn=len(drawn),
        bonds=len(bonds),
        met=met_rows,
        shared=shared_rows,
        ranking=ranking,
        rows_a_page=_ROWS_A_PAGE,
        assumptions=ASSUMPTIONS,
        policy=policy,
        policy_name=policy_name,
        policies=list(POLICIES),
        offset=offset,
        limit=CASES_A_PAGE,
        total=found.cases + found.cases_left_out,
    )


def _cases_of(found: ContactGraph) -> Mapping[str, list[Case]]:
    asked = {case.case_id for case in found.asked}
    cases = defaultdict[str, list[Case]](list)
    for person in found.people:
        if own := [case for case in person.cases if case.case_id in asked]:
            cases[person.pseudonym] = own
    return cases


def _met(found: ContactGraph) -> list[MetCases]:
    """Return the pairs of cases that met, the likeliest close contacts first."""
    cases = _cases_of(found)
    return [
        MetCases(first, second, meeting.contact)
        for meeting in found.meetings
        for first in cases.get(meeting.first, ())
        for second in cases.get(meeting.contact.pseudonym, ())
    ]


def _shared(found: ContactGraph) -> list[Shared]:
    """Return who was near several of the cases and is none of them, the best known first."""
    own, known = _cases_of(found), defaultdict(set)
    for meeting in found.meetings:
        if meeting.contact.pseudonym not in own:
            known[meeting.contact.pseudonym].add(meeting.case_id)
    several = [Shared(name, tuple(sorted(ids))) for name, ids in known.items() if len(ids) > 1]
    return sorted(several, key=lambda person: (-len(person.cases), person.pseudonym))


def _bonds(
    request: PageRequest, met: list[MetCases], shared: list[Shared], found: ContactGraph
) -> list[Bond]:
    """Return the lines of the picture, those that say most first.

    Each case's likeliest source; then close contacts; then cases that know the same people.
    """
    sources: dict[str, Candidate] = {}
    for candidate in found.candidates:
        case_id = candidate.infected.case_id
        best = sources.get(case_id)
        if best is None or candidate.share.median > best.share.median:
            sources[case_id] = candidate
    ranked = {
        frozenset((source.infector.case_id, case)): source for case, source in sources.items()
    }
    bonds, joined = [], set()
    for pair in met:
        ids = frozenset((pair.first.case_id, pair.second.case_id))
        source = ranked.get(ids)
        if len(ids) < 2 or ids in joined or not (source or pair.contact.close_contact):
            continue
        said = request.t(
            "{case} and {other} met: {share} likely a close contact, {minutes} min nearby",
            case=pair.first.case_id,
            other=pair.second.case_id,
            share=likely_text(pair.contact.probability),
            minutes=minutes_text(pair.contact.minutes),
        )
        if source is not None:
            said += "; " + request.t(
                "{infected} may have been infected by {infector}: {share}",
                infected=source.infected.case_id,
                infector=source.infector.case_id,
                share=percent_text(source.share.median),
            )
        thick = 1.2 + min(pair.contact.minutes.median, 240) / 80
        kind = "met" if source is None else "high"
        bonds.append(Bond(pair.first.case_id, pair.second.case_id, kind, thick, said))
        joined.add(ids)
    common = Counter(pair for person in shared for pair in combinations(person.cases, 2))
    for (first, last), count in sorted(common.items(), key=lambda item: (-item[1], item[0])):
        if frozenset((first, last)) not in joined:
            said = request.t.plural(
                "{case} and {other} both met {count} person",
                "{case} and {other} both met {count} people",
                count,
                case=first,
                other=last,
            )
            bonds.append(Bond(first, last, "shared", 1 + min(count, 10) / 5, said))
    return sorted(bonds, key=lambda bond: ("high", "met", "shared").index(bond.kind))


PAGES = (Page("GET", "/graph", show_graph),)

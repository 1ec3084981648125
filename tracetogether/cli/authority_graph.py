"""`tracetogether authority case graph|onward`: the contact lists of all cases together."""

import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.contacts.transmission import ASSUMPTIONS
from tracetogether.authority.tracing.graph import ContactGraph
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    count_text,
    folder_option,
    offset_option,
)
from tracetogether.cli.console import answer, fixed, interval_text, percent, right, table
from tracetogether.cli.options import as_json
from tracetogether.plain_text import counted
from tracetogether.units import Interval

policy_option = click.option(
    "--policy",
    type=click.Choice(list(POLICIES)),
    default="singapore",
    show_default=True,
    help="Policy that decides which contact is close.",
)


@click.command(cls=FolderCommand)
@policy_option
@offset_option
@folder_option
@as_json
def graph(policy: str, offset: int, folder: Path, *, as_json: bool) -> None:
    """Show who met whom in the newest 1,000 cases, and rank who may have infected whom."""
    with opened_folder(folder) as service:
        found = service.graphs.graph(service.tracing.policy(policy), skip=offset, by=CONSOLE)
        service.audit.record("graph.shown", time.time(), by=CONSOLE.name, cases=found.cases)

    from tracetogether.shapes.contacts import Graph  # noqa: PLC0415 - pydantic is optional

    answer(
        lambda: Graph.of(found).json_value("offset", "total"),
        *_shown(found, offset),
        as_json=as_json,
    )


@click.command(cls=FolderCommand)
@click.argument("case_id")
@policy_option
@folder_option
@as_json
def onward(case_id: str, policy: str, folder: Path, *, as_json: bool) -> None:
    """List the second degree: whom contacts of CASE_ID met later who are cases with a log."""
    with opened_folder(folder) as service:
        case = service.casework.case(case_id, by=CONSOLE)
        found = service.graphs.second_degree(case, service.tracing.policy(policy), by=CONSOLE)
        service.audit.record(
            "contacts.onward_listed", time.time(), by=CONSOLE.name, subject=case.case_id
        )
    shown = table(
        found,
        (fixed("person"), lambda onward: onward.contact.pseudonym),
        (fixed("through"), lambda onward: onward.through),
        (right("chain"), lambda onward: percent(onward.chain_probability)),
        (right("likely"), lambda onward: percent(onward.contact.probability)),
        (right("minutes near"), lambda onward: interval_text(onward.contact.minutes)),
        (right("days after"), lambda onward: str(onward.days_after)),
        title=f"Met by contacts of case {case_id} after they had met it: second degree",
        caption="likely: to be a close contact of the person in between; chain: that times how "
        "likely that person is a close contact of the case",
    )

    def as_document() -> object:
        from tracetogether.shapes.contacts import OnwardLine  # noqa: PLC0415 - pydantic is optional

        lines = [OnwardLine.of(onward).json_value() for onward in found]
        return {"case_id": case_id, "contacts": lines}

    answer(as_document, shown, as_json=as_json)


def _shown(found: ContactGraph, offset: int) -> Iterator[Table | str]:
    cases = {person.pseudonym for person in found.people if person.cases}
    yield table(
        found.meetings,
        (fixed("person"), lambda meeting: meeting.first),
        (fixed("met"), lambda meeting: _marked(meeting.contact.pseudonym, cases)),
        (right("likely"), lambda meeting: percent(meeting.contact.probability)),
        (right("minutes near"), lambda meeting: interval_text(meeting.contact.minutes)),
        (fixed("first"), lambda meeting: meeting.contact.days[0].date[5:]),
        (fixed("last"), lambda meeting: meeting.contact.days[-1].date[5:]),
        ("seen by", lambda meeting: meeting.contact.seen_by),
        title=f"{counted(len(found.people), 'people')}, {counted(found.cases, 'cases with logs')}",
    )
    yield "* is a case too; likely: to be a close contact; in brackets 5 % to 95 %"
    if found.cases_left_out:
        total = found.cases + found.cases_left_out
        yield count_text(found.cases, offset, total, "cases with logs")
    if not found.candidates:
        yield "No two cases met on days that fit an infection."
        return
    yield table(
        found.candidates,
        (fixed("infected"), lambda candidate: candidate.infected.person),
        (fixed("perhaps by"), lambda candidate: candidate.infector.person),
        (right("share"), lambda candidate: _percents(candidate.share)),
        (right("this way"), lambda candidate: percent(candidate.direction)),
        ("likeliest", lambda candidate: candidate.likeliest_date),
        title="Who may have infected whom: a ranking, not a finding",
    )
    yield "share: of all sources, recorded or not. Assumptions:"
    for assumption in ASSUMPTIONS:
        yield f"- {assumption.text} ({assumption.source})"


def _marked(pseudonym: str, cases: set[str]) -> str:
    return pseudonym + "*" * (pseudonym in cases)


def _percents(share: Interval) -> str:
    return f"{percent(share.median)} ({percent(share.low)}-{percent(share.high)})"

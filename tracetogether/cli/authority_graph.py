"""`tracetogether authority case graph|onward`: lists of contacts put together."""

import time
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from tracetogether.authority.access.operators import CONSOLE
from tracetogether.authority.contacts.transmission import ASSUMPTIONS
from tracetogether.authority.tracing.graph import ContactGraph, Onward
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    as_json,
    folder_option,
    offset_option,
    print_shown,
)
from tracetogether.cli.console import out, print_json

policy_option = click.option(
    "--policy",
    type=click.Choice(list(POLICIES)),
    default="singapore",
    show_default=True,
    help="When a contact counts as close.",
)


@click.command(cls=FolderCommand)
@policy_option
@offset_option
@folder_option
@as_json
def graph(policy: str, offset: int, folder: Path, *, as_json: bool) -> None:
    """Show who met whom among the newest 1,000 cases, and rank who may have infected whom."""
    with opened_folder(folder) as service:
        found = service.graphs.graph(POLICIES[policy], skip=offset)
        service.audit.record("graph.shown", time.time(), by=CONSOLE.name, cases=found.cases)
    if as_json:
        from tracetogether.shapes.contacts import Graph  # noqa: PLC0415 - pydantic is optional

        print_json(Graph.of(found).json_value("offset", "total"))
    else:
        _print_graph(found, offset)


@click.command(cls=FolderCommand)
@click.argument("case_id")
@policy_option
@folder_option
@as_json
def onward(case_id: str, policy: str, folder: Path, *, as_json: bool) -> None:
    """List whom the contacts of CASE_ID met after it, where they have uploaded themselves."""
    with opened_folder(folder) as service:
        case = service.casework.case(case_id)
        found = service.graphs.second_degree(case, POLICIES[policy])
        service.audit.record(
            "contacts.onward_listed", time.time(), by=CONSOLE.name, subject=case.case_id
        )
    if as_json:
        from tracetogether.shapes.contacts import OnwardLine  # noqa: PLC0415 - pydantic is optional

        lines = [OnwardLine.of(line).json_value() for line in found]
        print_json({"case_id": case_id, "contacts": lines})
    else:
        _print_onward(case_id, found)


def percent(share: float) -> str:
    """Return a probability in three characters: no more is claimed than is known."""
    return "<1%" if share < 0.01 else ">99%" if share > 0.99 else f"{share:.0%}"


def _print_graph(found: ContactGraph, offset: int) -> None:
    console = out()
    meetings = Table(
        Column("person", no_wrap=True),
        Column("met", no_wrap=True),
        Column("likely", justify="right"),
        Column("minutes near", justify="right"),
        Column("first", no_wrap=True),
        Column("last", no_wrap=True),
        "seen by",
        title=f"{len(found.people)} people, {found.cases} cases with logs",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    cases = {one.pseudonym for one in found.people if one.cases}
    for one in found.meetings:
        contact = one.contact
        meetings.add_row(
            one.first,
            contact.pseudonym + ("*" if contact.pseudonym in cases else ""),
            percent(contact.probability),
            f"{contact.minutes.median:.0f} ({contact.minutes.low:.0f}-{contact.minutes.high:.0f})",
            contact.days[0].date[5:],
            contact.days[-1].date[5:],
            contact.seen_by,
        )
    console.print(meetings)
    console.print("* is a case too; likely: to be a close contact; in brackets 5 % to 95 %")
    if found.cases_left_out:
        print_shown(found.cases, offset, found.cases + found.cases_left_out, "cases with logs")
    if not found.candidates:
        console.print("No two cases met on days that fit an infection.")
        return
    ranking = Table(
        Column("infected", no_wrap=True),
        Column("perhaps by", no_wrap=True),
        Column("share", justify="right"),
        Column("this way", justify="right"),
        "likeliest",
        title="Who may have infected whom: a ranking, no finding",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for line in found.candidates:
        share = line.share
        ranking.add_row(
            line.infected.person,
            line.infector.person,
            f"{percent(share.median)} ({percent(share.low)}-{percent(share.high)})",
            percent(line.direction),
            line.likeliest_date,
        )
    console.print(ranking)
    console.print("share: of all sources, recorded or not. Taken for granted:")
    for assumption in ASSUMPTIONS:
        console.print(f"- {assumption.text} ({assumption.source})", soft_wrap=True)


def _print_onward(case_id: str, found: tuple[Onward, ...]) -> None:
    table = Table(
        Column("person", no_wrap=True),
        Column("through", no_wrap=True),
        Column("likely", justify="right"),
        Column("minutes near", justify="right"),
        Column("days after", justify="right"),
        title=f"Met by contacts of case {case_id} after they had met it",
        caption="likely: to be a close contact of the one in between",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for one in found:
        minutes = one.contact.minutes
        table.add_row(
            one.contact.pseudonym,
            one.through,
            percent(one.contact.probability),
            f"{minutes.median:.0f} ({minutes.low:.0f}-{minutes.high:.0f})",
            str(one.days_after),
        )
    out().print(table)

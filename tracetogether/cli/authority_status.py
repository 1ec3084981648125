"""`tracetogether authority order`, `restriction` and `appeal`: two people, one person at a time."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from tracetogether.authority.access.permissions import CONSOLE, Caller
from tracetogether.authority.cases.case import day_of
from tracetogether.authority.service import Authority
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restricting import ShownRestriction
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    count_text,
    folder_option,
    offset_option,
)
from tracetogether.cli.console import answer, fixed, say, table
from tracetogether.cli.options import EXISTING_FILE, as_json, moment_of
from tracetogether.errors import AccessDeniedError
from tracetogether.local_days import LocalDays
from tracetogether.plain_text import counted
from tracetogether.whole_file import read_secret

_Command = TypeVar("_Command", bound=Callable[..., Any])
_TOKEN = "TRACETOGETHER_OPERATOR_TOKEN"  # noqa: S105 - name of a variable
Moment = Callable[[LocalDays], float]
_OUTCOMES = [state.value for state in AppealState if state is not AppealState.OPEN]


def _moment(_: click.Context, option: click.Parameter, text: str | None) -> Moment | None:
    """Return a function that gives epoch seconds, once the authority's time zone is known."""
    if text is None:
        return None
    name = option.opts[0]
    moment_of(text, name)  # a wrong one is refused before anything is opened
    return lambda days: moment_of(text, name, days)


def moment_option(
    name: str, about: str, *, required: bool = False
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option for a time in the authority's time zone.

    The command gets a function of the authority's ``days``.
    """
    return click.option(name, metavar="TIME", callback=_moment, help=about, required=required)


def _token_option(otherwise: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--token-file",
        type=EXISTING_FILE,
        help="File with the token of the operator who does this; only its owner may read it. "
        f"Without it: {_TOKEN}, or {otherwise}.",
    )


def operator_option(command: _Command) -> _Command:
    """Add --token-file to a command for which an operator answers by name."""
    return _token_option("the command asks")(command)


def own_work_option(command: _Command) -> _Command:
    """Add --token-file to a command that the console may do too."""
    return _token_option("the console, which has no cases of its own")(command)


def _yes_option(about: str) -> Callable[[_Command], _Command]:
    return click.option("--yes", is_flag=True, help=f"Don't ask. {about}")


@contextmanager
def acting(
    service: Authority, token_file: Path | None, now: float, *, console: bool = False
) -> Iterator[Caller]:
    """Yield the operator whose token is given; a refusal for lack of a role is audited.

    The console can't restrict people: two people must answer for that by their names. With
    ``console``, the command may also be the console's: without a token, it acts for nobody.
    """
    if console and token_file is None and not os.environ.get(_TOKEN):
        yield CONSOLE
        return
    if token_file is not None:
        token = read_secret(token_file).strip()
    else:
        token = os.environ.get(_TOKEN) or click.prompt("Operator token", hide_input=True, err=True)
    operator = service.access.operator(token)
    try:
        yield operator.caller
    except AccessDeniedError as error:
        if error.code == "roles-do-not-allow":
            _, _, name = click.get_current_context().command_path.partition("authority ")
            service.audit.record("command.refused", now, by=operator.name, command=name)
        raise


# --- orders ---


@click.group()
def order() -> None:
    """Register orders that people can be restricted by, list and end them."""


order.command_class = FolderCommand


@order.command("add")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in OrderKind]), required=True,
    help="contact: a negative test ends its restrictions. border: for arrivals.",
)  # fmt: skip
@click.option("--legal-basis", required=True, help="Law or decision, with its number.")
@click.option("--place", required=True, help="Place where the people were.")
@moment_option("--from", "Beginning of the time when they were there.", required=True)
@moment_option("--to", "End of that time.", required=True)
@moment_option("--ends", "End of the order, at most 60 days from now.", required=True)
@click.option("--people", type=int, required=True, help="Most people that it restricts, 500.")
@operator_option
@folder_option
@as_json
def add_order(
    kind: str,
    legal_basis: str,
    place: str,
    ends: Moment,
    people: int,
    token_file: Path | None,
    folder: Path,
    *,
    as_json: bool,
    **window: Moment,
) -> None:
    """Register an order. Other people than the one who registers it restrict by it."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        added = service.orders.add(
            OrderKind(kind),
            legal_basis,
            place,
            (window["from"](service.days), window["to"](service.days)),
            ends(service.days),
            people,
            now,
            by=by,
        )
        until = service.days.text(added.ends_at)
    answer(
        {"order_id": added.order_id},
        f"Order {added.order_id}: at most {counted(people, 'people')} until {until}",
        as_json=as_json,
    )


@order.command("list")
@folder_option
@as_json
def list_orders(folder: Path, *, as_json: bool) -> None:
    """List all orders that are kept, the newest first."""
    now = time.time()
    with opened_folder(folder) as service:
        orders, days = service.orders.all(by=CONSOLE), service.days
    shown = table(
        orders,
        (fixed("order"), lambda order: order.order_id),
        ("kind", lambda order: order.kind.value),
        ("legal basis", lambda order: order.legal_basis),
        ("place", lambda order: order.place),
        ("people", lambda order: f"{order.people} of {order.most_people}"),
        (f"ends ({days.name})", lambda order: days.text(order.ended_at or order.ends_at)),
        ("in force", lambda order: "yes" if order.in_force(now) else "no"),
    )

    from tracetogether.shapes.status import OrderLine  # noqa: PLC0415 - pydantic is optional

    answer(lambda: [OrderLine.of(order).json_value() for order in orders], shown, as_json=as_json)


@order.command("end")
@click.argument("order_id")
@_yes_option("Every restriction by the order ends, and can't be set again by it.")
@operator_option
@folder_option
def end_order(order_id: str, folder: Path, token_file: Path | None, *, yes: bool) -> None:
    """End the order ORDER_ID, and every restriction that rests on it."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            question = f"End order {order_id}, and every restriction by it?"
            click.confirm(question, abort=True, err=True)
        ended = service.orders.end(order_id, now, by=by)
    say(f"Order {order_id} is over, and {counted(ended, 'restrictions')} with it")


# --- restrictions ---


@click.group()
def restriction() -> None:
    """Set a restriction on one person, confirm what somebody else set, lift it."""


restriction.command_class = FolderCommand


@restriction.command("set")
@click.argument("user_id")
@click.option(
    "--ground", type=click.Choice([ground.value for ground in Ground]), required=True,
    help="What it rests on.",
)  # fmt: skip
@click.option(
    "--reference", required=True, help="Id of the person's open case, or of a registered order."
)
@click.option(
    "--evidence", type=click.Choice([kind.value for kind in RestrictionEvidence]), required=True,
    help="What you saw. none: only by an order of kind border.",
)  # fmt: skip
@moment_option("--until", "End, at most 14 days after the beginning.", required=True)
@moment_option("--begins", "Beginning, within 7 days.  [default: now]")
@operator_option
@folder_option
@as_json
def set_restriction(
    user_id: str,
    ground: str,
    reference: str,
    evidence: str,
    until: Moment,
    begins: Moment | None,
    token_file: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> None:
    """Set a restriction on the person USER_ID: no passes, once another person confirms it.

    One person sets at most 20 a day. The audit log records refused attempts too.
    """
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        new = service.restrictions.set(
            user_id,
            Ground(ground),
            reference,
            RestrictionEvidence(evidence),
            until(service.days),
            now,
            begins_at=None if begins is None else begins(service.days),
            by=by,
        )
    answer(
        {"restriction_id": new.restriction_id},
        f"Restriction {new.restriction_id} waits for a reviewer: "
        f"tracetogether authority restriction confirm {new.restriction_id}",
        as_json=as_json,
    )


@restriction.command("confirm")
@click.argument("restriction_id")
@operator_option
@folder_option
def confirm_restriction(restriction_id: str, folder: Path, token_file: Path | None) -> None:
    """Confirm RESTRICTION_ID, which somebody else set: it is in force from now on."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        found = service.restrictions.confirm(restriction_id, now, by=by)
        until = service.days.text(found.until)
    say(f"Restriction {found.restriction_id} is confirmed; it ends at {until}")


@restriction.command("lift")
@click.argument("restriction_id")
@_yes_option("The person can't be restricted by the same reference again.")
@operator_option
@folder_option
def lift_restriction(
    restriction_id: str, folder: Path, token_file: Path | None, *, yes: bool
) -> None:
    """End the restriction RESTRICTION_ID, or refuse it if it waits for its confirmation."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            question = f"Lift {restriction_id}? The same reference can't restrict this person again"
            click.confirm(question, abort=True, err=True)
        service.restrictions.lift(restriction_id, now, by=by)
    say(f"Restriction {restriction_id} is lifted; the phone gets passes at its next request")


@restriction.command("list")
@offset_option
@folder_option
@as_json
def list_restrictions(offset: int, folder: Path, *, as_json: bool) -> None:
    """List restrictions that are not over by pseudonym, 50 at most, the newest first."""
    now = time.time()
    with opened_folder(folder) as service:
        page = service.restrictions.page(now, offset=offset, by=CONSOLE)
        days = service.days
    shown = table(
        page.restrictions,
        (fixed("restriction"), lambda row: row.restriction.restriction_id),
        (fixed("person"), lambda row: row.pseudonym),
        (fixed("state"), lambda row: row.state.value),
        ("rests on", _grounds),
        (f"until ({days.name})", lambda row: days.text(row.restriction.until)),
        ("set by, confirmed by", _two_people),
    )

    from tracetogether.shapes.status import RestrictionLines  # noqa: PLC0415 - optional

    count = count_text(len(page.restrictions), offset, page.total, "restrictions")
    answer(lambda: RestrictionLines.of(page).json_value(), shown, count, as_json=as_json)


def _grounds(row: ShownRestriction) -> str:
    found = row.restriction
    return f"{found.ground.value} {found.reference}, {found.evidence.value}"


@restriction.command("test")
@click.argument("user_id")
@click.option(
    "--date", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", required=True,
    help="Day of the sample, in the authority's time zone.",
)  # fmt: skip
@click.option("--laboratory", required=True, help="Name of the laboratory.")
@operator_option
@folder_option
@as_json
def report_test(
    user_id: str,
    date: datetime,
    laboratory: str,
    folder: Path,
    token_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Report a negative test of USER_ID: it lifts restrictions by orders of kind contact."""
    now = time.time()
    result = LaboratoryResult(negative=True, day=day_of(date.date()), laboratory=laboratory)
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        lifted = service.laboratory.report(user_id, result, now, by=by)
    ids = [found.restriction_id for found in lifted]
    answer(
        {"lifted": ids}, f"Lifted: {', '.join(ids) if ids else 'no restriction'}", as_json=as_json
    )


@restriction.command("figures")
@folder_option
@as_json
def figures(folder: Path, *, as_json: bool) -> None:
    """Print the public numbers of people at the last midnight, cut to full tens."""
    now = time.time()
    with opened_folder(folder) as service:
        found, days = service.figures.restriction_figures(now), service.days
    counts: list[tuple[str, int | None]] = [
        *((f"in force, ground {ground}", count) for ground, count in found.in_force.items()),
        ("in force without evidence", found.without_evidence),
        *((f"appeals {state}", count) for state, count in found.appeals.items()),
        ("appeals undecided after 48 hours", found.overdue),
    ]
    shown = table(
        counts,
        (f"at {days.text(found.at)} ({days.name})", lambda row: row[0]),
        ("count", lambda row: "under 10" if row[1] is None else f"{row[1]} or more"),
    )

    from tracetogether.shapes.status import RestrictionFiguresShape  # noqa: PLC0415 - optional

    answer(lambda: RestrictionFiguresShape.of(found).json_value(), shown, as_json=as_json)


# --- appeals ---


@click.group()
def appeal() -> None:
    """List appeals, and decide those against what others set and confirmed."""


appeal.command_class = FolderCommand


@appeal.command("list")
@folder_option
@as_json
def list_appeals(folder: Path, *, as_json: bool) -> None:
    """List all appeals, the open ones first. After 48 hours passes come again by themselves."""
    now = time.time()
    with opened_folder(folder) as service:
        appeals, days = service.appeals.all(now, by=CONSOLE), service.days
    shown = table(
        appeals,
        (fixed("appeal"), lambda row: row.appeal.appeal_id),
        (fixed("person"), lambda row: row.about.pseudonym),
        (fixed("restriction"), lambda row: row.about.restriction.restriction_id),
        ("state", lambda row: "overdue" if row.overdue else row.appeal.state.value),
        (f"due ({days.name})", lambda row: days.text(row.due_at)),
        ("not by", lambda row: _two_people(row.about)),
    )

    from tracetogether.shapes.status import ShownAppealLine  # noqa: PLC0415 - optional

    answer(
        lambda: [ShownAppealLine.of(row).json_value() for row in appeals],
        shown,
        counted(len(appeals), "appeals"),
        as_json=as_json,
    )


def _two_people(row: ShownRestriction) -> str:
    return f"{row.restriction.set_by}, {row.restriction.confirmed_by or '-'}"


@appeal.command("decide")
@click.argument("appeal_id")
@click.argument("outcome", type=click.Choice(_OUTCOMES))
@moment_option("--until", "Earlier end of the restriction, for corrected only.")
@_yes_option("A decision can't be taken back.")
@operator_option
@folder_option
def decide_appeal(
    appeal_id: str,
    outcome: str,
    until: Moment | None,
    folder: Path,
    token_file: Path | None,
    *,
    yes: bool,
) -> None:
    """Decide APPEAL_ID: lifted, corrected (an earlier end) or upheld.

    Neither who set nor who confirmed the restriction can, nor who decided an earlier appeal.
    """
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            question = f"Decide appeal {appeal_id}: {outcome}? It can't be taken back"
            click.confirm(question, abort=True, err=True)
        end = None if until is None else until(service.days)
        service.appeals.decide(appeal_id, AppealState(outcome), now, until=end, by=by)
    say(f"Appeal {appeal_id}: {outcome}")

"""`tracetogether authority policy`: how likely a contact must be, and what calls find."""

import time
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.contacts.costs import Cut
from tracetogether.authority.desk.policies import Costs
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_graph import policy_option
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.console import answer, percent, right, say, table
from tracetogether.cli.options import as_json
from tracetogether.plain_text import counted


@click.group()
def policy() -> None:
    """Show the policies, set how likely a close contact must be, compare calls and finds."""


policy.command_class = FolderCommand


@policy.command("show")
@folder_option
@as_json
def show_policies(folder: Path, *, as_json: bool) -> None:
    """Show all policies, and the least chance of a close contact."""
    with opened_folder(folder) as service:
        policies = service.policies.all(by=CONSOLE)
    least = next(iter(policies.values())).least_chance

    def document() -> object:
        from tracetogether.shapes.contacts import Policy  # noqa: PLC0415 - pydantic is optional

        lines = {name: Policy.of(line).json_value() for name, line in policies.items()}
        return {"least_chance": least, "policies": lines}

    shown = table(
        policies.items(),
        ("policy", lambda item: item[0]),
        ("near", lambda item: item[1].near),
        (right("minutes"), lambda item: f"{item[1].minutes:g}"),
        caption=f"A contact is close if these minutes or more are {percent(least)} likely or more.",
    )
    answer(document, shown, as_json=as_json)


@policy.command("set")
@click.option(
    "--least-chance",
    type=float,
    required=True,
    metavar="CHANCE",
    help="From 0.01 to 0.99; 0.3 is the default. Running servers use it at once.",
)
@folder_option
def set_policy(least_chance: float, folder: Path) -> None:
    """Set how likely the policy's minutes must be for a close contact, under every policy.

    The contacts of open cases are judged again. The audit log records the change.
    """
    with opened_folder(folder) as service:
        cases = service.policies.set_least_chance(least_chance, time.time(), by=CONSOLE)
    say(
        f"A contact is close from {percent(least_chance)} on; "
        f"{counted(cases, 'open cases')} judged again"
    )


@policy.command("cost-curve")
@policy_option
@click.option("--case", "case_id", default="", help="Count this case only.  [default: open cases]")
@click.option("--cost", type=float, metavar="AMOUNT", help="What one call costs.")
@click.option(
    "--value",
    type=float,
    metavar="AMOUNT",
    help="What one contact found is worth, in the same unit. With --cost it gives the least "
    "chance to call: cost / value.",
)
@folder_option
@as_json
def cost_curve(
    policy: str,
    case_id: str,
    cost: float | None,
    value: float | None,
    folder: Path,
    *,
    as_json: bool,
) -> None:
    """Show how many calls are expected to find how many contacts, by the lists' own chances."""
    with opened_folder(folder) as service:
        costs = service.policies.costs(policy, case_id, by=CONSOLE)
        service.audit.record("costs.shown", time.time(), by=CONSOLE.name, subject=case_id)

    from tracetogether.shapes.policies import (  # noqa: PLC0415 - pydantic is optional
        CostCurveShape,
        cut_of,
    )

    cut, gain = cut_of(costs, cost, value)
    answer(
        lambda: CostCurveShape.of_costs(costs, cost, value).json_value(),
        _shown(costs, cut),
        _said(cut, gain),
        as_json=as_json,
    )


def _shown(costs: Costs, cut: Cut) -> Table:
    def marked(line: Cut, text: str) -> Text:
        return Text(text, "bold" if line.least_chance == cut.least_chance else "")

    return table(
        costs.curve.cuts(cut.least_chance),
        (right("call from"), lambda line: marked(line, percent(line.least_chance))),
        (right("calls"), lambda line: marked(line, f"{line.calls:,}")),
        (right("contacts found"), lambda line: marked(line, f"{line.found:,.1f}")),
        (right("missed"), lambda line: marked(line, f"{line.missed:,.1f}")),
        (right("contacts of 100 called"), lambda line: marked(line, _share(line.precision))),
        ("", lambda line: "<- here" if line.least_chance == cut.least_chance else ""),
        title=f"Calls and contacts expected: {costs.policy.near} for {costs.policy.minutes:g} min "
        f"or more ({counted(costs.cases, 'cases')}, {len(costs.curve.chance):,} on the lists)",
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _said(cut: Cut, gain: float | None) -> str:
    why = (
        "the least chance that is set"
        if gain is None
        else f"the cost of a call over the value of a contact found; expected gain {gain:,.1f}"
    )
    return f"Call from {percent(cut.least_chance)} on: {why}."

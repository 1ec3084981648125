"""`tracetogether simulate cost-curve`: calls against contacts found, promised and in truth."""

import click
from rich.text import Text

from simulations.settings.scenario import load_scenario
from simulations.studies.costs import (
    CUT_AT,
    CallResult,
    average_precision,
    call_results,
    play_lists,
    precision_at,
)
from tracetogether.authority.contacts.costs import chance_to_call
from tracetogether.cli.console import answer, percent, progress, right, table
from tracetogether.cli.options import FiniteNumber, as_json
from tracetogether.cli.simulate_options import caution, seeds_option, setting, shown
from tracetogether.plain_text import counted

_RECALL = 0.34  # of the train carriage's default cut, as published with version 0.1


@click.command("cost-curve")
@click.argument("scenario")
@setting
@seeds_option(default=5, most=1000)
@click.option(
    "--one-case",
    is_flag=True,
    help="Take one case in each run, a person with contacts, as `tracetogether demo` does.",
)
@click.option("--cost", type=float, metavar="AMOUNT", help="What one call costs.")
@click.option(
    "--value",
    type=float,
    metavar="AMOUNT",
    help="What one contact found is worth, in the same unit: the list is cut at cost / value.",
)
@click.option(
    "--recall",
    type=FiniteNumber(0, 1, min_open=True),
    metavar="SHARE",
    default=_RECALL,
    show_default=True,
    help="Also print the precision of the calls that find this share of all contacts.",
)
@as_json
def cost_curve(
    scenario: str,
    settings: dict[str, str],
    seeds: int,
    cost: float | None,
    value: float | None,
    recall: float,
    *,
    one_case: bool,
    as_json: bool,
) -> None:
    """Show how many calls find how many contacts in SCENARIO, as lists promise and in truth.

    Each person with the app is a case in turn, in runs with the seeds 1, 2, and so on. Lists are
    cut at each least chance. The lists promise the sum of their chances.
    """
    crowd = load_scenario(scenario, settings)
    caution(crowd)
    costs = None if cost is None and value is None else (cost or 0.0, value or 0.0)
    least = CUT_AT if costs is None else chance_to_call(*costs)
    with progress(f"{counted(seeds, 'runs')} of {crowd.name}") as advance:
        runs = play_lists(crowd, range(1, seeds + 1), advance, one_case=one_case)
    results = call_results(runs, least)
    (cut,) = [line for line in results if line.least_chance == least]
    gain = None if costs is None else cut.gain(*costs)
    average, at_recall = average_precision(runs), precision_at(runs, recall)
    policy = crowd.policy

    def marked(line: CallResult, text: str) -> Text:
        return Text(text, "bold" if line is cut else "")

    answer(
        {
            "scenario": crowd.name,
            "seeds": seeds,
            "policy": policy.name,
            "contacts": sum(lists.contacts for lists in runs),
            "cut": cut.to_json(),
            "gain": gain,
            "average_precision": average,
            "recall": recall,
            "precision_at_recall": at_recall,
            "curve": [line.to_json() for line in results],
        },
        table(
            results,
            (right("call from"), lambda line: marked(line, percent(line.least_chance))),
            (right("calls"), lambda line: marked(line, f"{line.calls:,}")),
            (right("promised"), lambda line: marked(line, f"{line.promised:,.0f}")),
            (right("found"), lambda line: marked(line, f"{line.found:,}")),
            (right("recall"), lambda line: marked(line, shown(line.recall))),
            (right("precision"), lambda line: marked(line, shown(line.precision))),
            title=f"Calls and contacts in {crowd.name}, {counted(seeds, 'seeds')}",
            caption=f"contact: within {policy.within_m:g} m for {policy.minutes:g} min or more; "
            "promised: sum of the chances of those called; in brackets 5 % to 95 % over runs",
        ),
        f"Average precision {_share(average)}; at recall {recall:g} precision {_share(at_recall)}.",
        f"Call from {percent(least)} on: "
        + ("the default." if gain is None else f"cost over value; gain in truth {gain:,.0f}."),
        as_json=as_json,
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"

"""Write the table of docs/explanation/costs.md again: `python docs/explanation/write_costs.py`.

Some minutes of computing: the train carriage with twenty seeds.
"""

from pathlib import Path

from simulations.settings.scenario import load_scenario
from simulations.studies.costs import (
    CallLists,
    average_precision,
    call_results,
    play_lists,
    precision_at,
)

PAGE = Path(__file__).with_name("costs.md")
BEGIN, END = "<!-- calls in the train carriage -->", "<!-- end of calls -->"
SEEDS = range(1, 21)
SHOWN = (0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
RECALL = 0.34


def share(of: object) -> str:
    """Return a share with its interval."""
    if of is None:
        return "–"
    return f"{of.median:.2f}" + ("" if of.low is None else f" ({of.low:.2f}–{of.high:.2f})")


def table(runs: list[CallLists]) -> str:
    """Return the table of some runs."""
    lines = [
        "| call from | calls | promised | found | recall | precision |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {100 * row.least_chance:.0f} % | {row.calls:,} | {row.promised:,.0f} | {row.found:,} | "
        f"{share(row.recall)} | {share(row.precision)} |"
        for row in call_results(runs)
        if row.least_chance in SHOWN
    ]
    average, there = average_precision(runs), precision_at(runs, RECALL)
    said = (
        f"Average precision {average:.3f}; at a recall of {RECALL:g} the precision is {there:.3f}."
    )
    return "\n".join([*lines, "", said])


def gains(runs: list[CallLists], cost: float, value: float) -> str:
    """Return the gain in truth where the rule cuts, and a tenth above and below."""
    chances = [round(cost / value + step, 2) for step in (0.1, 0.0, -0.1)]
    rows = {row.least_chance: row for row in call_results(runs, *chances)}
    above, here, below = (f"{rows[least].gain(cost, value):,.0f}" for least in chances)
    at = [f"{100 * least:.0f} %" for least in chances]
    return (
        f"- cost {cost:g}, value {value:g}: cut at {at[1]}, the gain is {here}; at {at[0]} it is "
        f"{above}, at {at[2]} {below}"
    )


def written(everybody: list[CallLists], one_case: list[CallLists]) -> str:
    """Return the part of the page between the marks."""
    return (
        f"{BEGIN}\nEverybody with the app as a case in turn, {len(SEEDS)} seeds:\n\n"
        f"{table(everybody)}\n\nGains in truth:\n\n{gains(everybody, 3, 10)}\n"
        f"{gains(everybody, 1, 5)}\n\nOne case in each run, a person with contacts, as "
        f"`tracetogether demo` takes it, {len(SEEDS)} seeds:\n\n{table(one_case)}\n{END}"
    )


if __name__ == "__main__":
    crowd = load_scenario("train-carriage")
    both = [play_lists(crowd, SEEDS, lambda *_: None, one_case=single) for single in (False, True)]
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + written(*both) + rest.partition(END)[2], "utf-8")

"""`tracetogether simulate bench`: how fast this machine plays crowds."""

import click

from simulations.provenance import provenance
from simulations.studies.bench import Timing, additions_per_s, bench, times_as_fast
from tracetogether.cli.console import answer, note, progress, right, table
from tracetogether.cli.options import FiniteNumber, WholeNumber, as_json, number_option


@click.command("bench")
@number_option(
    "--people", "Number of people who leave the stadium.", default=10_000, least=100, most=200_000
)
@click.option(
    "--reach",
    "reach_m",
    type=FiniteNumber(1),
    default=10.0,
    show_default=True,
    metavar="METRES",
    help="Greatest distance of the radio, in metres (channel.reach_m).",
)
@click.option(
    "--also",
    "scaling",
    metavar="NUMBER",
    type=WholeNumber(100, 200_000),
    multiple=True,
    help="Also time a crowd of this size at the same density. Repeatable.",
)
@number_option(
    "--objects",
    "Number of people to time with one object per phone; 0 skips this.",
    default=1_000,
    least=0,
    most=10_000,
)
@as_json
def bench_crowds(
    people: int, reach_m: float, scaling: tuple[int, ...], objects: int, *, as_json: bool
) -> None:
    """Measure the CPU time of a crowd, from movement to scores, in one process.

    Also times movement alone, JuPedSim with the same number of people (if installed), one bare
    SimPy process for each phone, and the crowd with one object for each phone. For equal sizes it
    prints how many times faster columns are than objects.
    """
    speed = additions_per_s()

    def report(timing: Timing) -> None:
        note(f"{timing.what}, {timing.people:,}: {timing.cpu_s:.2f} s")

    absent: list[str] = []
    with progress("Timing crowds", bar=False):
        rows = bench(
            people,
            reach_m=reach_m,
            scaling=scaling,
            objects=objects,
            on_done=report,
            on_absent=absent.append,
        )
    ratios = times_as_fast(rows)
    measured = {
        "additions_per_s": round(speed),
        "reach_m": reach_m,
        "rows": [row.to_json() for row in rows],
        "times_as_fast": {str(size): ratio for size, ratio in ratios.items()},
        "left_out": absent,
        "versions": dict(provenance().versions),
        "code_and_tables": provenance().digest,
    }
    answer(
        measured,
        table(
            rows,
            ("what", lambda row: row.what),
            (right("people"), lambda row: f"{row.people:,}"),
            (right("CPU s"), lambda row: f"{row.cpu_s:.2f}"),
            (right("people s per CPU s"), lambda row: f"{row.people_s_per_cpu_s:,.0f}"),
            (right("only while there"), lambda row: f"{row.there_s_per_cpu_s:,.0f}"),
            (right("peak MB"), lambda row: f"{row.peak_mb:,.0f}"),
        ),
        *(
            f"{size:,} people in columns are {ratio:.1f} times as fast as in objects."
            for size, ratio in ratios.items()
        ),
        *absent,
        f"This machine adds {speed:,.0f} numbers a second in a plain Python loop.",
        as_json=as_json,
    )

"""`tracetogether simulate bench`: how fast crowds are played here, beside objects and peers."""

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulations.provenance import provenance
from simulations.studies.bench import Timing, additions_per_s, bench, times_as_fast
from tracetogether.cli.console import err, out, print_json


@click.command("bench")
@click.option(
    "--people",
    type=click.IntRange(100, 200_000),
    default=10_000,
    show_default=True,
    help="Size of the crowd that leaves the stadium.",
)
@click.option(
    "--reach",
    "reach_m",
    type=click.FloatRange(1),
    default=10.0,
    show_default=True,
    metavar="METRES",
    help="How far the radio goes (channel.reach_m).",
)
@click.option(
    "--also",
    "scaling",
    type=click.IntRange(100, 200_000),
    multiple=True,
    help="Another size, at the same density, for how cost grows; may be repeated.",
)
@click.option(
    "--objects",
    type=click.IntRange(0, 10_000),
    default=1_000,
    show_default=True,
    help="People in the same crowd with an object per phone; 0 leaves it out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bench_crowds(
    people: int, reach_m: float, scaling: tuple[int, ...], objects: int, *, as_json: bool
) -> None:
    """Time the whole chain on a crowd, in CPU time of one process.

    Beside it: movement alone, JuPedSim stepping as many people where it is installed, a
    bare SimPy process per phone, and the crowd with an object per phone. Where both were played
    with as many people, it says how many times as fast the columns are.
    """
    speed = additions_per_s()

    def told(timing: Timing) -> None:
        err().print(f"{timing.what}, {timing.people:,}: {timing.cpu_s:.2f} s")

    absent: list[str] = []
    rows = bench(
        people,
        reach_m=reach_m,
        scaling=scaling,
        objects=objects,
        on_done=told,
        on_absent=absent.append,
    )
    ratios = times_as_fast(rows)
    if as_json:
        print_json(
            {
                "additions_per_s": round(speed),
                "reach_m": reach_m,
                "rows": [row.to_json() for row in rows],
                "times_as_fast": {str(size): ratio for size, ratio in ratios.items()},
                "left_out": absent,
                "versions": dict(provenance().versions),
                "code_and_tables": provenance().digest,
            }
        )
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    for heading in ("people", "CPU s", "people s per CPU s", "only while there", "peak MB"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.what,
            f"{row.people:,}",
            f"{row.cpu_s:.2f}",
            f"{row.people_s_per_cpu_s:,.0f}",
            f"{row.there_s_per_cpu_s:,.0f}",
            f"{row.peak_mb:,.0f}",
        )
    out().print(table)
    for size, ratio in ratios.items():
        out().print(f"{size:,} people in columns are {ratio:.1f} times as fast as in objects.")
    for line in absent:
        out().print(line, soft_wrap=True)
    out().print(
        f"This machine adds {speed:,.0f} numbers a second in a plain Python loop.", soft_wrap=True
    )

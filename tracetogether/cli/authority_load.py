"""`tracetogether authority load`: phones that fetch batches from a server, counted and timed."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import click
import numpy as np

from tracetogether.cli.console import out, print_json
from tracetogether.parameters import BATCHES_AN_HOUR

_MOST_FETCHES: Final = 20_000
_MOST_SECONDS: Final = 60


@click.command()
@click.argument("url")
@click.option(
    "--fetches",
    type=click.IntRange(1, _MOST_FETCHES),
    default=1_000,
    show_default=True,
    help="How many batches to fetch at most.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1, _MOST_SECONDS),
    default=10,
    show_default=True,
    help="How long to go on at most.",
)
@click.option(
    "--phones-at-once",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many ask at the same time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def load(url: str, fetches: int, seconds: int, phones_at_once: int, *, as_json: bool) -> None:
    """Let phones register at URL, on this machine, and fetch batches, and say how fast they came.

    Bounded in count and in time. The phones that it registers withdraw at the end.
    """
    latencies, elapsed = _fetch(url, fetches, seconds, phones_at_once)
    half, most, nearly_all = np.quantile(latencies, [0.5, 0.95, 0.99]).tolist()
    said = {
        "fetches": len(latencies),
        "seconds": elapsed,
        "fetches_per_s": len(latencies) / elapsed,
        "latency_ms_50": half * 1e3,
        "latency_ms_95": most * 1e3,
        "latency_ms_99": nearly_all * 1e3,
        "cores": os.cpu_count(),
    }
    if as_json:
        print_json(said)
        return
    out().print(
        f"{len(latencies)} batches in {elapsed:.1f} s: {said['fetches_per_s']:.0f}/s, none failed; "
        f"latency {half * 1e3:.1f} ms (50 %), {most * 1e3:.1f} ms (95 %), "
        f"{nearly_all * 1e3:.1f} ms (99 %)",
        soft_wrap=True,
    )


def _fetch(url: str, fetches: int, seconds: int, at_once: int) -> tuple[list[float], float]:
    """Return the latency of each fetch in seconds, and how long all took. Any failure is raised."""
    # Imported here: the authority's other commands start faster without.
    from tracetogether.adapters.http_client import AuthorityClient  # noqa: PLC0415

    lock = threading.Lock()
    left = fetches
    each = BATCHES_AN_HOUR // 2  # a phone that asks more often is refused

    def phone_after_phone(_: int) -> list[float]:
        nonlocal left
        latencies: list[float] = []
        while time.monotonic() < until:
            with lock:
                share = min(each, left)
                left -= share
            if not share:
                break
            with AuthorityClient(url, retries=0) as phone:
                phone.register()
                for _ in range(share):
                    began = time.perf_counter()
                    phone.fetch_batch()
                    latencies.append(time.perf_counter() - began)
                    if time.monotonic() >= until:
                        break
                phone.withdraw()
        return latencies

    began = time.monotonic()
    until = began + seconds
    with ThreadPoolExecutor(at_once) as pool:
        found = [one for some in pool.map(phone_after_phone, range(at_once)) for one in some]
    return found, time.monotonic() - began

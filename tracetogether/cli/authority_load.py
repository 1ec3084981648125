"""`tracetogether authority load`: measure how fast a server answers phones."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final

import click
import numpy as np

from tracetogether.cli.console import answer
from tracetogether.cli.options import as_json, number_option
from tracetogether.parameters import BATCHES_AN_HOUR

_MOST_FETCHES: Final = 20_000
_MOST_SECONDS: Final = 60


@click.command()
@click.argument("url")
@number_option(
    "--fetches", "Maximum number of batches to fetch.", default=1_000, most=_MOST_FETCHES
)
@number_option("--seconds", "Maximum duration, in seconds.", default=10, most=_MOST_SECONDS)
@number_option(
    "--phones-at-once", "Number of phones that ask at the same time.", default=8, most=64
)
@as_json
def load(url: str, fetches: int, seconds: int, phones_at_once: int, *, as_json: bool) -> None:
    """Measure how fast the server at URL, on this machine, answers phones that fetch batches.

    The registered phones withdraw at the end.
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
    answer(
        said,
        f"{len(latencies)} batches in {elapsed:.1f} s: {said['fetches_per_s']:.0f}/s, none failed; "
        f"latency {half * 1e3:.1f} ms (50 %), {most * 1e3:.1f} ms (95 %), "
        f"{nearly_all * 1e3:.1f} ms (99 %)",
        as_json=as_json,
    )


def _fetch(url: str, fetches: int, seconds: int, at_once: int) -> tuple[list[float], float]:
    """Return the latency of each fetch, and the time of all, in seconds. Raise any failure."""
    # Imported here, so that the authority's other commands start faster.
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
        latencies = list(chain.from_iterable(pool.map(phone_after_phone, range(at_once))))
    return latencies, time.monotonic() - began

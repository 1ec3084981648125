"""Kill a phone (SIGKILL) at random moments, again and again: its log has all it reported.

python -m tests.rehearsals.kill --times 30
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.radio_world import BRISK, clock, world
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.cli.node_log import NodeLog
from tracetogether.sightings import Sighting


@dataclass(frozen=True, slots=True)
class Killed:
    """The result of a rehearsal.

    Attributes:
        times: how often the phone was killed.
        reported: sightings that it reported before.
        kept: sightings in the log at the end.
        lost: reported sightings that are not in the log.
    """

    times: int
    reported: int
    kept: int
    lost: int


async def live(path: Path) -> None:
    """Meet two others forever; print each sighting on a line after it is stored."""

    def tell(row: Sighting) -> None:
        print(json.dumps([row.time, row.peer]), flush=True)

    timings = replace(BRISK, blacklist_s=0.05)
    async with world() as here:
        SqliteContactLog.open(path, now=clock()).close()
        with closing(NodeLog(path, print, tell, now=clock())) as log:
            here.start("ann", log=log, timings=timings, advertise_every_s=0.02)
            for name in ("bob", "cat"):
                here.start(name, timings=timings, advertise_every_s=0.02)
            await asyncio.Event().wait()


def kill_again_and_again(times: int, folder: Path, seed: int = 1) -> Killed:
    """Let a process live on one log, kill it at random moments, and compare.

    Raises:
        AssertionError: the log is damaged, or the process ended before it was killed.
    """
    rng = np.random.default_rng(seed)
    path = folder / "phone.db"
    reported: set[tuple[float, str]] = set()
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.rehearsals.kill", "--live", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            assert first, process.stderr.read()
            timer = threading.Timer(float(rng.exponential(0.3)), process.kill)
            timer.start()
            lines = [first, *process.stdout]
            timer.join()
        assert process.returncode == -signal.SIGKILL
        whole = [line for line in lines if line.endswith("]\n")]
        reported |= {(float(at), str(peer)) for at, peer in map(json.loads, whole)}
        with sqlite3.connect(path) as base:
            assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        base.close()
    with SqliteContactLog.open(path, read_only=True) as log:
        kept = {(row.time, row.peer) for row in log.rows()}
    return Killed(times, len(reported), len(kept), len(reported - kept))


def main() -> None:
    """Run the rehearsal and print its result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.live:
        asyncio.run(live(chosen.live))
        return
    with tempfile.TemporaryDirectory() as folder:
        result = kill_again_and_again(chosen.times, Path(folder))
    print(result)
    sys.exit(1 if result.lost else 0)


if __name__ == "__main__":
    main()

"""`tracetogether gate init` and `gate run`: a gate that checks passes without a network."""

import sys
import threading
import time
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from tracetogether.cli.console import answer, note, out
from tracetogether.cli.gate_folder import (
    DEFAULT_FOLDER,
    GateSettings,
    create_gate,
    load_lists,
    network_is_there,
    refresh,
)
from tracetogether.cli.gate_scanning import clear_screen, scanned, unseen_keys
from tracetogether.cli.options import FOLDER, allow_plain_http, as_json
from tracetogether.errors import TraceTogetherError
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.verdicts import Admitted

_REFRESH_S: Final = 600.0
_SHOWN_S: Final = 5.0  # a verdict is cleared after this time
_STYLES: Final = {"pass": "bold black on green", "not now": "bold black on yellow"}
_OTHER_STYLE: Final = "bold white on red"


@click.command("init")
@click.argument("url")
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=FOLDER,
    default=DEFAULT_FOLDER,
    show_default=True,
    help="New folder for the gate's lists.",
)
@allow_plain_http
@as_json
def init(url: str, folder: Path, *, allow_plain_http: bool, as_json: bool) -> None:
    """Fetch the lists of the authority at URL: its keys, and the revoked passes.

    Compare the fingerprint that is printed with the authority's own, by telephone. Later lists
    must be signed by the same key.
    """
    key = create_gate(folder, url, allow_plain_http=allow_plain_http, now=time.time())
    answer(
        {"dir": str(folder), "fingerprint": key.kid.hex()},
        f"Gate made in {folder}; the authority's key for lists is {_spaced(key.kid.hex())}",
        "Compare it with what `tracetogether authority pass keys` prints there.",
        f"Next: tracetogether gate run {folder}",
        as_json=as_json,
    )


@click.command("run")
@click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)
@click.option("--offline", is_flag=True, help="Never use a network, even if there is one.")
@click.option("--hint", is_flag=True, help="Also show the hint of the holder, if a pass has one.")
@click.option("--explain", is_flag=True, help="Print the reason on stderr, for an operator.")
def run(folder: Path, *, offline: bool, hint: bool, explain: bool) -> None:
    """Judge passes at the gate in DIR (./gate): each line that a hand scanner types is a code.

    Prints one of four words: pass, not now, not ours, unreadable. Nothing is stored. New lists are
    fetched while there is a network. Without one the gate works until its lists are 24 hours old.
    """
    settings = GateSettings.load(folder)
    kept = _RenewedLists(folder, settings, load_lists(folder, settings))
    if not offline:
        kept.try_refresh()
    kept.lists.check_age(time.time())
    stop = threading.Event()
    if not offline:
        threading.Thread(target=kept.keep_fresh, args=(stop,), daemon=True).start()
    descriptor = sys.stdin.fileno()
    try:
        with unseen_keys(descriptor):
            for line in scanned(descriptor, _SHOWN_S):
                clear_screen()
                if line:
                    _judge(kept.lists, line, time.time(), hint=hint, explain=explain)
    finally:
        stop.set()


class _RenewedLists:
    """The lists of a running gate, which another thread renews."""

    def __init__(self, folder: Path, settings: GateSettings, lists: GateLists) -> None:
        self._folder = folder
        self._settings = settings
        self.lists = lists

    def try_refresh(self) -> None:
        """Fetch the lists if a network is there; a fault is printed, and the old lists stay."""
        if not network_is_there(self._settings.server):
            return
        try:
            self.lists = refresh(self._folder, self._settings, self.lists)
        except TraceTogetherError as error:
            note(str(error))

    def keep_fresh(self, stop: threading.Event) -> None:
        """Fetch the lists every ten minutes until ``stop`` is set."""
        while not stop.wait(_REFRESH_S):
            self.try_refresh()


def _judge(lists: GateLists, line: str, now: float, *, hint: bool, explain: bool) -> None:
    """Print the word for one line.

    Raises:
        ClockError: the lists have become too old, or the clock was set back.
    """
    lists.check_age(now)
    verdict = lists.judge(line, now)
    word = verdict.for_guard
    out().print(Text(word, _STYLES.get(word, _OTHER_STYLE)))
    if hint and isinstance(verdict, Admitted) and verdict.hint:
        out().print(Text(verdict.hint))
    sys.stdout.flush()
    if explain:
        note(f"{verdict.reason}: {verdict.for_log}")


def _spaced(digits: str) -> str:
    """Return hexadecimal digits in groups of four, to be read aloud."""
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))

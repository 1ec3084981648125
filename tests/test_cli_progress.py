"""A long command says that it is at work: by a bar on a terminal, by lines in a log."""

import io
import sys
import threading
import time

import pytest

from tracetogether.cli import console
from tracetogether.cli.console import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Log:
    """All that was written to stderr, which pytest keeps and which is no terminal."""

    def __init__(self, capsys) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def log(monkeypatch, capsys):
    """Return what is written to stderr; a half minute lasts a thousandth of a second."""
    monkeypatch.setattr(console, "_HALF_MINUTE_S", 0.001)
    return Log(capsys)


def wait_for(log, text: str) -> None:
    end = time.monotonic() + 20
    while text not in log.getvalue():
        assert time.monotonic() < end, log.getvalue()
        time.sleep(0.001)


def test_a_log_gets_lines_that_say_how_far_it_is(log):
    with progress("Scoring [all]") as advance:
        wait_for(log, "Scoring [all]: at work after 0 s\n")
        advance(1, 4)
        wait_for(log, "Scoring [all]: 25 % done after 0 s\n")
        advance(4, 4)
        wait_for(log, "Scoring [all]: >99 % done after 0 s\n")
    written = log.getvalue()
    assert all(line.startswith("Scoring [all]: ") for line in written.splitlines())
    assert "progress" not in {thread.name for thread in threading.enumerate()}


def test_lines_come_while_a_step_lasts_and_end_with_an_error(log):
    def body() -> None:
        with progress("Step"):
            wait_for(log, "Step: at work after 0 s\nStep: at work after 0 s\n")
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        body()
    assert "progress" not in {thread.name for thread in threading.enumerate()}


def test_a_short_command_says_nothing_in_a_log(log, monkeypatch):
    monkeypatch.setattr(console, "_HALF_MINUTE_S", 30.0)
    with progress("Reading") as advance:
        advance(1, 1)
    assert log.getvalue() == ""


@pytest.mark.parametrize("bar", [True, False])
def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch, bar):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Reading", bar=bar) as advance:
        advance(1, 2)
        assert "progress" not in {thread.name for thread in threading.enumerate()}
    assert ("Reading" in terminal.getvalue()) is bar
    assert "done after" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30.2, "30 s"), (59.9, "1 min 0 s"), (150, "2 min 30 s"), (3599, "59 min 59 s"),
     (3900, "1 h 5 min")],
)  # fmt: skip
def test_durations_read_well(seconds, text):
    assert console._duration(seconds) == text

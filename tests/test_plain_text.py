import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tracetogether.cli.console import err, out, print_error, print_json, progress
from tracetogether.errors import StoreError
from tracetogether.plain_text import counted, escaped_json, hidden_in, visible

EVIL = "[/x] [red]\x1b[2J\x1b]0;t\x07\x9b31m\u202etxt\u2066\x00\r\u2028:smile:"
STEERING = {"Cc", "Zl", "Zp", "Cs"}


def steers(character: str) -> bool:
    """Tell it without the pattern that the product uses."""
    kind = unicodedata.category(character)
    turned = unicodedata.bidirectional(character) in {
        *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
    }
    return kind in STEERING or turned or character in "\u200e\u200f\u061c\ufeff\u200b"


@given(st.text(st.characters(exclude_categories=[])))
def test_visible_text_has_no_control_characters(text: str) -> None:
    assert not any(steers(character) for character in visible(text))
    assert not any(steers(c) and c not in "\n\t" for c in visible(text, lines=True))
    assert len(visible(text)) == len(text)
    assert hidden_in(text) == (visible(text) != text)
    assert visible(visible(text)) == visible(text)


@pytest.mark.slow
@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_is_the_same_document(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    assert json.loads(escaped_json(text)) == value
    assert not any(steers(c) and c != "\n" for c in escaped_json(text))


def test_names_in_all_scripts_stay_unchanged() -> None:
    for name in (
        "李小龍",
        "𠮷野家 \U000323b0",
        "می‌خواهم",
        "क्‍ष",
        "אברהם",
        "👩‍👧",
        "Zoë\u3000O’Neil",
        "\ue000",
    ):
        assert visible(name) == name


def test_lines_of_a_note_stay() -> None:
    assert visible("a\r\nb\tc\rd", lines=True) == "a\nb\tc\ufffdd"
    assert not hidden_in("a\r\nb\tc", lines=True)
    assert hidden_in("a\rb", lines=True)
    assert visible("a\nb") == "a\ufffdb"


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    text = found.out + found.err
    assert text
    assert [c for c in text if steers(c) and c != "\n"] == []
    return text


def test_a_console_shows_text_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    for console in (out(), err()):
        console.print(EVIL, soft_wrap=True)
        assert "[/x] [red]" in shown(capsys)
        console.print(Text(EVIL))
        assert "[/x] [red]" in shown(capsys)


def test_a_table_shows_text_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(EVIL, Column(EVIL, footer=EVIL), title=EVIL, caption=EVIL, show_footer=True)
    table.add_row(EVIL, Text(EVIL))
    console = out()
    console.width = 400
    console.print(table)
    assert shown(capsys).count("[/x] [red]") == 7
    with Live(console=console, auto_refresh=False) as screen:
        screen.update(table, refresh=True)
    assert "[/x]" in shown(capsys)


def test_a_line_feed_adds_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("number", "reason")
    table.add_row("1", "call\n2  another")
    out().print(table)
    assert "call\ufffd2  another" in shown(capsys)


def test_an_error_shows_text_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(StoreError(f"can't read {EVIL}"))
    assert "Error: can't read [/x] [red]" in shown(capsys)


def test_json_shows_text_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({EVIL: [EVIL]})
    assert json.loads(shown(capsys)) == {EVIL: [EVIL]}


def test_a_progress_bar_shows_text_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("Reading [/x].csv") as advance:
        advance(1, 2)


def test_a_count_agrees_with_its_noun() -> None:
    said = [counted(count, "uploads") for count in (0, 1, 2, 0.5, 1.0, 1 / 3, 12_345_678)]
    numbers = ["0 uploads", "1 upload", "2 uploads", "0.5 uploads", "1 upload", "0.333 uploads"]
    assert said == [*numbers, "12,345,678 uploads"]
    nouns = ("people", "entries", "batches", "tries", "open cases", "cases with logs")
    assert [counted(1, noun) for noun in nouns] == [
        *("1 person", "1 entry", "1 batch", "1 try", "1 open case", "1 case with logs"),
    ]

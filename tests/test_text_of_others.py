"""Text of other people, in every field that holds text, through every command.

Each command is called on an authority, a node, tables, scenarios and file names whose texts hold
markup, ESC, NUL and marks that turn the direction of text. Nothing of it may end a command, and
nothing but plain text may come out.
"""

import ast
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.malicious_calls import CELL, COMMANDS, NAMED, Poisoned
from tests.test_plain_text import EVIL, steers
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.cli import authority_demo, cli, demo_days, main
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.console import out
from tracetogether.cli.node_folder import BATCH, CREDENTIAL, LOG, SETTINGS
from tracetogether.cli.node_live import JsonOutput, TableOutput, peers_table
from tracetogether.contactlog import MemoryContactLog
from tracetogether.node import Node
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.sightings import Sighting

CLI = Path(sys.modules["tracetogether.cli"].__file__ or "").parent


wall = time.time  # noqa: TID251 - the made-up authority was made by the same clock


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Poisoned:
    place = tmp_path_factory.mktemp("evil")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_days, "_MEETING_MINUTES", 6)
        authority_demo.demo_data.callback(  # type: ignore[misc]
            place / "authority", 24, 4, 1, as_json=True
        )
    with opened_folder(place / "authority") as service:
        now = wall()
        page = service.desk.page(ContactQuery(limit=1), by=CONSOLE)
        followed = page.contacts[0]
        kept = followed.kept
        case = service.casework.case(kept.case_id, by=CONSOLE)
        service.audit.record(EVIL, now, by=EVIL, subject=EVIL, reason=EVIL)  # by an older version
        service.follow_up.note(case.case_id, EVIL, now, contact_id=kept.contact_id, by=CONSOLE)
        service.follow_up.note(case.case_id, EVIL, now, by=CONSOLE)
        found = Poisoned(place, case.case_id, kept.contact_id, followed.pseudonym, case.user_id)
    node = place / "node"
    node.mkdir(mode=0o700)
    for name in (SETTINGS, CREDENTIAL, BATCH):
        (node / name).touch(0o600)
        (node / name).write_text(json.dumps({EVIL: EVIL}))
    with SqliteContactLog.open(node / LOG) as log:
        log.append(
            [
                Sighting(
                    wall() - 60 * minute,
                    f"{EVIL}{minute}",
                    -60.0,
                    peer_model=EVIL,
                    observer_model=EVIL,
                )
                for minute in range(5)
            ]
        )
    rows = [f'{1_600_000_000 + 30 * i},"{CELL}","{CELL}{i % 3}",-60' for i in range(90)]
    (place / NAMED).write_text("\n".join(["t,rx,tx,rssi", *rows]))
    models = [f'{1_600_000_000 + 30 * i},a,b,"{CELL}","{CELL}",-60' for i in range(90)]
    (place / "named.csv").write_text("\n".join(["t,rx,tx,rx_model,tx_model,rssi", *models]))
    (place / "phones.csv").write_text(
        f'oem,device,model,rssi_correction,tx_power,confidence\n"{CELL}",,"{CELL}",1,2,3\n'
    )
    (place / "heading.csv").write_text(f'"{CELL}",user_id\n1,2\n')
    (place / "cells.csv").write_text(f'user_id,date\n"{CELL}","{CELL}"\n')
    (place / "names.csv").write_text(f'name,roles\n"{CELL}","{CELL}"\n')
    (place / "evil.toml").write_text(f"name = {json.dumps(CELL)}\n{json.dumps(CELL)} = 1\n")
    return found


def leaves(command: click.Command, path: str = "") -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, f"{path} {name}".strip())
    else:
        yield path


def test_every_command_is_tried() -> None:
    assert set(leaves(cli)) == set(COMMANDS)


def plain(text: str) -> str:
    """Return what was printed, after a look at each character."""
    lines = text.replace("\r\n", "\n")  # CSV ends its lines so
    steering = sorted({c for c in lines if steers(c) and c != "\n"})
    assert steering == [], (steering, text)
    return text


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_ends_a_command_or_controls_the_terminal(
    command: str,
    poisoned: Poisoned,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in COMMANDS[command](poisoned):
        monkeypatch.setattr(sys, "argv", ["tracetogether", *command.split(), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        assert ended.value.code in {0, 1, 2}, found
        assert plain(found.out + found.err).strip()
        assert "Traceback" not in found.err


def test_rows_with_malicious_reasons_stay_in_the_audit_log(
    poisoned: Poisoned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    words = ["tracetogether", "authority", "audit", "list", str(poisoned.place / "authority")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if "reason" in line and "[/x]" in line)
    assert row.count("[/x] [red]") == 4


def test_a_node_shows_a_malicious_model_and_keeps_advertising(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = MemoryContactLog()
    log.append([Sighting(1_000.0 + i, EVIL, -60.0, peer_model=EVIL) for i in range(3)])
    exchange = BlueTraceExchange(model="A", organisation="SG_MOH")

    async def nothing(*_: object) -> object:
        raise AssertionError

    node = Node(
        exchange, log, open_radio=nothing, fetch=nothing, clock=lambda: 0.0, chance=lambda: 0.5
    )  # type: ignore[arg-type]
    node.counts["heard"] = 1
    out().print(peers_table(node, log, 1_010.0, Calibration.prior(BLUETRACE_TRANSMIT)))
    assert "[/x]" in plain(capsys.readouterr().out)
    for voice in (TableOutput(), JsonOutput()):
        voice.event(EVIL, EVIL)
        voice.sighting(log.rows()[0])
    found = capsys.readouterr()
    plain(found.out + found.err)


def test_one_module_creates_consoles_and_none_reads_markup() -> None:
    """A second console would show markup; `from_markup` and `rich.print` read it."""
    for path in sorted(CLI.parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                banned = names & {"rich.console.Console", "rich.print", "rich.markup.render"}
                assert not banned or path.name == "console.py", path
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"from_markup", "from_ansi"}, (path, node.lineno)
            if isinstance(node, ast.keyword) and node.arg == "markup":
                assert ast.unparse(node.value) == "False" or path.name == "console.py", path

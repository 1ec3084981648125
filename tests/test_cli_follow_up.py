"""The made-up authority, and the commands that tracers and exporters use on it."""

import csv
import json
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli import cli, demo_days
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import sha256
from tracetogether.errors import StoreError, TraceTogetherError
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.plain_text import counted

SMALL = ["--people", "24", "--days", "4"]


def tracetogether(*words: str, fails: type[TraceTogetherError] | None = None) -> str:
    result = CliRunner().invoke(cli, ["authority", *words])
    if fails is not None:
        assert isinstance(result.exception, fails), result.output
        return str(result.exception)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small made-up authority; its meetings last a few minutes only."""
    place = tmp_path_factory.mktemp("made-up") / "authority"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_days, "_MEETING_MINUTES", 6)
        tracetogether("demo-data", str(place), *SMALL)
    return place


def facts(folder: Path, *words: str) -> dict[str, object]:
    said: dict[str, object] = json.loads(tracetogether(*words, "--dir", str(folder), "--json"))
    return said


def test_a_made_up_authority_has_something_of_everything(folder: Path) -> None:
    with opened_folder(folder) as service:
        cases = service.casework.cases(by=CONSOLE)
        assert service.audit.verify(by=CONSOLE)[0] > 20
        acts = {entry.act for entry in service.audit.entries(by=CONSOLE)}
        latest = max(entry.time for entry in service.audit.entries(by=CONSOLE))
        assert service.finder.work_off(latest + 1, after_restart=True) == 0
    assert latest <= (folder / "authority.db").stat().st_mtime  # nothing lies in the future
    assert len(cases) >= 4
    assert {case.state.value for case in cases} >= {"closed", "merged"}
    assert {"case.opened", "upload.taken", "contacts.found", "case.assigned"} <= acts
    assert {"case.closed", "case.merged", "operator.added"} <= acts
    listed = facts(folder, "follow-up", "list")
    assert listed["total"]


def test_a_phone_is_left_whose_log_names_contacts(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "authority"
    shutil.copytree(folder, place)
    phone = PhoneRegistration.load(place / "phone" / "phone.credential")
    with SqliteContactLog.open(place / "phone" / "phone.db") as log:
        rows = log.rows()
    body, now = write_upload(rows), rows[-1].time + 60
    with opened_folder(place) as service:
        assert service.access.phone(phone.credential) == phone.user_id
        assert phone.user_id not in {case.user_id for case in service.casework.cases(by=CONSOLE)}
        case = service.casework.open_case(phone.user_id, now, by=CONSOLE)
        pin = service.pins.issue(case, now, by=CONSOLE)
        token = service.intake.redeem_pin(phone.user_id, pin, sha256(body), now)
        receipt = service.intake.take_upload(token, body, now)
        assert receipt.accepted == receipt.records > 50
        assert service.finder.refresh(case, now) > 5


def test_made_up_people_never_go_among_real_ones(folder: Path, tmp_path: Path) -> None:
    said = tracetogether("demo-data", str(folder), *SMALL, fails=StoreError)
    assert "has users" in said
    young = tmp_path / "young"
    create_folder(young, now=1_900_000_000.0)
    assert "younger" in tracetogether("demo-data", str(young), *SMALL, fails=StoreError)


def test_exports_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    text = tracetogether("export", "--dir", str(folder))
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    for ending in ("csv", "ndjson", "xlsx"):
        path = tmp_path / f"contacts.{ending}"
        tracetogether("export", "--dir", str(folder), "--output", str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "already: name a new one" in tracetogether(
            "export", "--dir", str(folder), "--output", str(path), fails=StoreError
        )
    assert (tmp_path / "contacts.csv").read_text("utf-8").split() == text.split()
    lines = (tmp_path / "contacts.ndjson").read_text("utf-8").splitlines()
    assert [json.loads(line)["contact_id"] for line in lines] == [row["contact_id"] for row in rows]
    book = openpyxl.load_workbook(tmp_path / "contacts.xlsx", read_only=True)
    ids = [row[0] for row in book["Contacts"].iter_rows(min_row=2, values_only=True)]
    book.close()
    assert ids == [row["contact_id"] for row in rows]
    to_terminal = CliRunner().invoke(
        cli, ["authority", "export", "--dir", str(folder), "--format", "xlsx"]
    )
    assert to_terminal.exit_code == 2
    unclear = CliRunner().invoke(
        cli, ["authority", "export", "--dir", str(folder), "--output", str(tmp_path / "list.txt")]
    )
    assert unclear.exit_code == 2
    assert "give --format" in " ".join(unclear.output.replace("│", " ").split())
    assert not (tmp_path / "list.txt").exists()


@pytest.mark.parametrize("words", [["follow-up", "refresh"], ["user", "list"], ["export"]])
def test_a_folder_without_its_option_says_where_it_belongs(folder: Path, words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["authority", *words, str(folder)])
    assert done.exit_code == 2
    assert "folder by --dir DIR" in done.output


def test_the_count_leaves_every_row_of_headings_out(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "sormas.csv"
    words = ["export", "--layout", "sormas", "--output", str(path), "--dir", str(folder)]
    done = CliRunner().invoke(cli, ["authority", *words])
    rows = path.read_text("utf-8").splitlines()
    # And nothing else where nobody looks at a bar.
    assert " ".join(done.stderr.split()).startswith(f"Wrote {len(rows) - 2} contacts to")
    assert done.stderr.startswith("Wrote")
    assert set(rows[0].split(",")) == {"Contact"}


def test_contacts_whom_nobody_follows_are_taken_over(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "authority"
    shutil.copytree(folder, place)
    assert facts(place, "follow-up", "refresh") == {"cases": 0, "contacts": 0}
    with closing(sqlite3.connect(place / "authority.db")) as rows, rows:
        (case,) = rows.execute("SELECT case_id FROM followed LIMIT 1").fetchone()
        rows.execute("UPDATE cases SET state = 'tracing' WHERE case_id = ?", (case,))
        gone = rows.execute("DELETE FROM followed WHERE case_id = ?", (case,)).rowcount
    said = tracetogether("follow-up", "refresh", "--dir", str(place))
    assert f"New under follow-up: {counted(gone, 'contacts')}, in 1 case\n" in said
    assert facts(place, "follow-up", "list", "--case", case)["total"] == gone


def test_calls_from_the_command_line(folder: Path) -> None:
    (followed, *_) = facts(folder, "follow-up", "list")["contacts"]  # type: ignore[misc]
    contact_id = followed["contact_id"]
    where = ["--dir", str(folder)]
    assert "follow up" in tracetogether("follow-up", "call", contact_id, "symptoms", *where)
    shown = facts(folder, "follow-up", "show", contact_id)
    assert "symptoms" in [day["outcome"] for day in shown["calendar"]]  # type: ignore[attr-defined]
    assert shown["priority"] == "high"
    assert "symptoms" in tracetogether("follow-up", "show", contact_id, *where)
    assert contact_id in tracetogether("follow-up", "list", "--state", "in_follow_up", *where)
    assert "tom" in tracetogether("follow-up", "assign", str(followed["case_id"]), "tom", *where)
    found = facts(folder, "follow-up", "indicators")
    assert set(found) >= {"lost", "traced_within_a_day"}
    assert "lost" in tracetogether("follow-up", "indicators", *where)


def test_people_are_listed_by_language_and_by_whose_cases_they_are(
    folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "authority"
    shutil.copytree(folder, place)
    everybody = facts(place, "follow-up", "people", "--all")
    rows = everybody["people"]
    assert isinstance(rows, list)
    found = rows[0]
    dir_ = ("--dir", str(place))
    said = ("follow-up", "call", str(found["contact_id"]), "no_symptoms")
    tracetogether(*said, "--language", "ms", *dir_)
    with pytest.raises(AssertionError, match="two or three letters"):
        tracetogether("follow-up", "people", "--language", "Malay", *dir_)
    spoken = facts(place, "follow-up", "people", "--all", "--language", "ms")
    assert spoken["total"] == 1
    unknown = facts(place, "follow-up", "people", "--all", "--language", "und")
    assert unknown["total"] == int(str(everybody["total"])) - 1
    assert facts(place, "follow-up", "people", "--all", "--mine")["total"] == 0  # the console's
    assert "1 person" in tracetogether(
        "follow-up", "people", "--all", "--language", "ms", "--dir", str(place)
    )

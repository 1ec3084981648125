"""`authority partner exchange` between two folders: over the network, and by files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import heard
from tests.partners_world import ANN, BEN
from tracetogether.adapters import http_api
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import sha256

CODES = {"sg": "SG_MOH", "au": "AU_DTA"}


def call(folder: Path, *words: str) -> Result:
    arguments = ["authority", "partner", "exchange", *words, "--dir", str(folder)]
    return CliRunner().invoke(cli, arguments)


def said(folder: Path, *words: str) -> Any:
    result = call(folder, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, str]:
    """Two authorities that recognise each other; one has a log with a visitor, an hour old."""
    import time

    begin = time.time() - 3_700  # noqa: TID251 - the commands read the clock
    clock = [begin]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    found = {}
    for name, code in CODES.items():
        create_folder(tmp_path / name, name=code, now=begin - 2 * 86_400)
        found[name] = tmp_path / name
    with opened_folder(found["sg"]) as sg, opened_folder(found["au"]) as au:
        for here, there in ((sg, au), (au, sg)):
            code = there.partners.organisation
            here.partners.add(
                there.passes.trust_list(begin),
                begin,
                days=9,
                purposes=frozenset({"records"}),
                by=ANN,
            )
            key = there.passes.list_key(by=CONSOLE)
            here.partners.confirm(code, there.partners.own_fingerprint(key), begin, by=BEN)
        visitor = au.issuance.register().user_id
        from dataclasses import replace

        rows = [replace(r, organisation="AU_DTA") for r in heard(au, visitor, begin - 2_400, 30)]
        user = sg.issuance.register().user_id
        case = sg.casework.open_case(user, begin, by=CONSOLE)
        body = write_upload(rows)
        pin = sg.pins.issue(case, begin, by=CONSOLE)
        sg.intake.take_upload(sg.intake.redeem_pin(user, pin, sha256(body), begin), body, begin)
    clock[0] = begin + 3_600
    return found["sg"], found["au"], case.case_id


def test_records_go_by_file_and_answers_come_back(
    folders: tuple[Path, Path, str], tmp_path: Path
) -> None:
    sg, au, case_id = folders
    out = tmp_path / "stick"
    (batch,) = said(sg, "export", "AU_DTA", "--out", str(out))
    assert batch["records"] == 90
    assert said(sg, "export", "AU_DTA", "--out", str(out)) == [batch]
    (taken,) = said(au, "import", batch["file"])
    assert (taken["accepted"], taken["already"]) == (90, False)
    assert said(au, "import", batch["file"])[0]["already"]
    listed = (
        CliRunner().invoke(cli, ["authority", "case", "contacts", case_id, "--dir", str(sg)]).output
    )
    assert "1 person of AU_DTA: written to a file for it" in listed
    with opened_folder(au) as service:
        (case,) = service.casework.cases(by=CONSOLE)
        assert case.origin == "SG_MOH"
        assert len(service.store.desk.contacts_of([case.case_id])) == 1
    written = str(out / "answers.cose")
    told = said(au, "answers", "SG_MOH", "--out", written)
    assert told == {"organisation": "SG_MOH", "file": written}
    assert said(sg, "import", str(out / "answers.cose"))[0]["organisation"] == "AU_DTA"
    (tmp_path / "noise").write_bytes(b"noise")
    result = call(au, "import", str(tmp_path / "noise"), batch["file"])
    assert result.exit_code == 1
    assert "was taken before" in result.output


@pytest.mark.network
def test_records_go_over_the_network_and_faults_are_shown(
    folders: tuple[Path, Path, str],
) -> None:
    sg, au, _ = folders
    with opened_folder(au) as service, http_api.running(http_api.create_app(service)) as url:
        address = ["authority", "partner", "address", "AU_DTA", url, "--dir", str(sg)]
        assert CliRunner().invoke(cli, address).exit_code == 0
        assert said(sg, "run") == [
            {"organisation": "AU_DTA", "sent": 90, "answers": 0, "fault": ""}
        ]
        assert said(sg, "run")[0]["sent"] == 0
    (partner,) = said(sg, "list")
    assert [batch["state"] for batch in partner["outgoing"]] == ["sent"]
    result = call(sg, "run", "AU_DTA")  # the server is gone
    assert result.exit_code == 1
    assert re.search(r"AU_DTA: sent 0 records; ", result.output)
    assert call(sg, "run", "NOBODY").exit_code == 1

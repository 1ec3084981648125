"""A daughter keeps passes for her mother: the commands of a phone, with a real server."""

import json
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.http_site import Site
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionEvidence
from tracetogether.cli.charge_folder import load_charges
from tracetogether.cli.node_folder import NodeSettings, create_node
from tracetogether.cli.pass_ import pass_
from tracetogether.healthcode.wallet import Wallet, held_pass
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

pytestmark = pytest.mark.network


@pytest.fixture
def folder(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a phone that is registered with the running authority."""
    monkeypatch.setattr("time.time", site.clock)
    place = tmp_path / "node"
    create_node(place, NodeSettings(site.url, "SG_MOH"), now=site.clock.now)
    return place


def ran(*words: str | Path) -> Result:
    return CliRunner().invoke(pass_, list(map(str, words)))


def code(site: Site) -> str:
    return site.world.authority.charges.consent(site.clock.now, by=CONSOLE).code


def numbers(folder: Path, name: str) -> set[str]:
    wallet = Wallet.from_json(json.loads((folder / name).read_text()))
    return {held.number for held in wallet.held}


def test_a_daughter_adds_her_mother_shows_her_pass_and_ends_it(site: Site, folder: Path) -> None:
    done = ran("charge", "add", "妈妈", code(site).lower(), folder, "--lang", "zh")
    assert done.exit_code == 0, done.output
    assert "您的手机现在替妈妈保管通行码" in done.stdout
    (mother,) = load_charges(folder)
    assert mother.name == "妈妈"
    kept = [path for path in folder.iterdir() if path.name.startswith("phone.")]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    own = json.loads(ran("show", folder, "--json").stdout)
    hers = json.loads(ran("show", folder, "--for", "妈妈", "--json").stdout)
    assert held_pass(own["pass"]).number != held_pass(hers["pass"]).number
    assert numbers(folder, "phone.passes") & numbers(folder, mother.wallet) == set()
    assert mother.charge_id not in hers["pass"]
    (row,) = json.loads(ran("charge", "list", folder, "--json").stdout)
    assert row == {"name": "妈妈", "charge_id": mother.charge_id, "user_id": mother.user_id}
    ended = ran("charge", "end", "妈妈", folder, "--lang", "en")
    assert ended.stdout.startswith("Your phone no longer keeps passes for 妈妈.")
    assert not (folder / mother.wallet).exists()
    assert site.world.store.charges.drop_charge(mother.charge_id) is False
    assert "for nobody else" in ran("charge", "list", folder).stdout
    assert "nobody else" in str(ran("show", folder, "--for", "妈妈").exception)


def test_what_the_desk_ended_leaves_the_list_with_its_passes(site: Site, folder: Path) -> None:
    for name in ("Appa", "Amma"):
        assert ran("charge", "add", name, code(site), folder).exit_code == 0
    appa, _ = load_charges(folder)
    service = site.world.authority.charges
    service.end_at_desk(appa.charge_id, "asked", site.clock.now, by=CONSOLE)
    site.clock.now += 13 * SECONDS_PER_HOUR
    assert "may have ended it" in str(ran("show", folder, "--for", "Appa").exception)
    listed = ran("charge", "list", folder, "--lang", "ta")
    assert "உங்கள் தொலைபேசி இனி Appa" in listed.stderr
    assert "Amma" in listed.stdout
    assert "Appa" not in listed.stdout
    assert not (folder / appa.wallet).exists()
    assert [kept.name for kept in load_charges(folder)] == ["Amma"]


def test_names_and_codes_that_do_not_fit_are_refused_with_the_remedy(
    site: Site, folder: Path
) -> None:
    given = code(site)
    for name, said in (("", "1 to 40 characters"), ("x" * 41, "1 to 40"), ("a\nb", "one line")):
        assert said in str(ran("charge", "add", name, given, folder).exception)
    assert ran("charge", "add", "Amma", given, folder).exit_code == 0
    assert "already" in str(ran("charge", "add", "Amma", code(site), folder).exception)
    assert "wrong, expired or used" in str(ran("charge", "add", "Appa", given, folder).exception)
    assert "two groups of five" in str(ran("charge", "add", "Appa", "1234", folder).exception)
    assert "did you mean 'Amma'" in str(ran("charge", "end", "Ama", folder).exception)
    assert [kept.name for kept in load_charges(folder)] == ["Amma"]


def test_without_the_server_the_list_is_the_phones_own(site: Site, folder: Path) -> None:
    assert ran("charge", "add", "Amma", code(site), folder).exit_code == 0
    settings = NodeSettings("http://127.0.0.1:9", "SG_MOH")
    (folder / "node.json").write_text(json.dumps({"server": settings.server, "organisation": "X"}))
    listed = ran("charge", "list", folder)
    assert listed.exit_code == 0
    assert "Amma" in listed.stdout
    assert "does not answer" in listed.stderr
    assert ran("show", folder, "--for", "Amma", "--json").exit_code == 0


def test_a_withheld_pass_says_why_until_when_in_local_time_and_how_to_appeal(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran("charge", "add", "Appa", code(site), folder).exit_code == 0
    (appa,) = load_charges(folder)
    world, now = site.world, site.clock.now
    until = now + 2 * SECONDS_PER_DAY
    restriction = Restriction(
        *("R1", appa.user_id, Ground.ORDER, "ORDER1", now, until, RestrictionEvidence.VISIT),
        *("pass.withheld.order", "ravi", now, "rosa", now),
    )
    assert world.store.status.add_restriction(restriction)
    site.clock.now += 13 * SECONDS_PER_HOUR
    monkeypatch.setenv("TZ", "Asia/Singapore")
    time.tzset()
    try:
        shown = ran("show", folder, "--for", "Appa", "--lang", "ta")
        asked = ran("appeal", folder, "--for", "Appa", "--lang", "ta")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown.exit_code == 1
    assert "உத்தரவு ORDER1" in shown.stdout
    assert "புதன், 6 மே, 2020, 20:00 மணிக்கு" in shown.stdout  # noon UTC
    assert "tracetogether pass appeal --for 'Appa'" in shown.stdout
    assert "வியாழன், 7 மே, 2020, 09:00 மணிக்குள்" in asked.stdout


def test_who_is_refused_at_a_gate_can_ask_why_though_the_phone_has_passes(
    site: Site, folder: Path
) -> None:
    assert ran("show", folder, "--lang", "en").exit_code == 0
    user_id = json.loads((folder / "phone.credential").read_text())["user_id"]
    now = site.clock.now
    restriction = Restriction(
        *("R1", user_id, Ground.ORDER, "ORDER1", now, now + SECONDS_PER_DAY),
        *(RestrictionEvidence.VISIT, "pass.withheld.order", "ravi", now, "rosa", now),
    )
    assert site.world.store.status.add_restriction(restriction)
    old = ran("show", folder, "--lang", "zh")
    assert old.exit_code == 0  # the passes of the day; the phone asks twice a day
    assert "这个通行码有效至" in old.stdout
    asked = ran("show", folder, "--renew", "--lang", "zh")
    assert asked.exit_code == 1
    assert "ORDER1" in asked.stdout
    assert numbers(folder, "phone.passes") == set()


def test_what_is_missing_or_no_day_in_a_declaration_is_named(site: Site, folder: Path) -> None:
    assert "say which: --symptoms or --no-symptoms" in ran("declare", folder).stderr
    wrong = ran("declare", folder, "--symptoms", "--since", "1.5.2020")
    assert "'--since'" in wrong.stderr
    said = ran("declare", folder, "--no-symptoms", "--lang", "ms")
    assert said.stdout.startswith("Terima kasih. Jawapan anda telah dicatat.")

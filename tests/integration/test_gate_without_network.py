"""Passes and gates when the server, or every network, is gone."""

import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from time import time as wall  # noqa: TID251 - the commands read this clock

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import World
from tests.test_passes import restrict
from tracetogether.adapters import http_api
from tracetogether.adapters.qr_images import codes_in
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.cli import cli
from tracetogether.cli.charge_folder import NamedCharge, save_charges
from tracetogether.cli.gate_folder import (
    REVOKED,
    SETTINGS,
    TRUST_LIST,
    GateSettings,
    load_lists,
    network_is_there,
    refresh,
)
from tracetogether.cli.pass_folder import PASSES, load_wallet
from tracetogether.errors import UnreachableError
from tracetogether.healthcode import notices
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy

pytestmark = pytest.mark.network
HOUR = SECONDS_PER_HOUR


@dataclass
class Gate:
    """A gate's folder whose lists were made some time ago, and a phone's passes."""

    world: World
    folder: Path

    @classmethod
    def of(cls, folder: Path, entropy: Entropy) -> "Gate":
        world = World.of(entropy, since=wall() - 10 * SECONDS_PER_DAY)
        folder.mkdir()
        return cls(world, folder)

    def fetched(self, at: float) -> None:
        """Store the lists that a server would have sent at a time."""
        passes = self.world.authority.passes
        (self.folder / TRUST_LIST).write_bytes(passes.trust_list(at))
        (self.folder / REVOKED).write_bytes(passes.revocation_list(at))
        key = b64encode(passes.list_key(by=CONSOLE).to_der()).decode()
        settings = {"server": "https://health.invalid", "key": key, "allow_plain_http": False}
        (self.folder / SETTINGS).write_text(json.dumps(settings))

    def run(
        self, *lines: str, before: list[str] | None = None, more: list[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the gate in a process of its own, and type these lines."""
        command = [sys.executable, "-m", "tracetogether", "gate", "run", str(self.folder)]
        return subprocess.run(
            [*(before or []), *command, *(more or [])],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def gate(tmp_path: Path, entropy: Entropy) -> Gate:
    return Gate.of(tmp_path / "gate", entropy)


def restrict_now(world: World, user_id: str, now: float) -> None:
    """Restrict a person from an hour ago on for two hours: two editions of the list have it."""
    made = restrict(world, user_id)
    times = {"begins_at": now - HOUR, "confirmed_at": now - HOUR, "until": now + HOUR}
    world.store.status.change_restriction(replace(made, **times))


def no_network() -> list[str]:
    """Return what to write before a command, so that it runs without any network."""
    way = ["unshare", "--user", "--map-root-user", "--net", "--"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*way, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this kernel forbids network namespaces")
    return way


def test_a_gate_without_any_network_judges_and_connects_to_nothing(
    gate: Gate, tmp_path: Path
) -> None:
    now = wall()
    user, withheld = gate.world.user(), gate.world.user()
    passes = gate.world.authority.passes
    current = passes.batch(user, now).passes
    past = passes.batch(user, now - 2 * HOUR).passes
    stopped = passes.batch(withheld, now).passes
    restrict_now(gate.world, withheld, now)
    gate.fetched(now)
    trace = tmp_path / "trace"
    watched = shutil.which("strace")
    before = no_network()
    if watched:
        before += [watched, "-f", "-e", "trace=connect,sendto", "-o", str(trace)]
    shown = gate.run(current[0], past[0], stopped[0], "HC1:X", "0" * 9_000, before=before)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == ["pass", "not now", "not now", "unreadable", "unreadable"]
    assert shown.stderr == ""
    if watched:
        calls = re.findall(r"(connect|sendto)\(.*", trace.read_text())
        asked_far = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
        assert "connect" not in calls
        assert asked_far == []


def test_the_operators_reasons_tell_apart_what_the_guards_words_do_not(gate: Gate) -> None:
    now = wall()
    past = gate.world.authority.passes.batch(gate.world.user(), now - 2 * HOUR).passes
    gate.fetched(now)
    shown = gate.run(past[0], more=["--offline", "--explain"])
    assert shown.stdout == "not now\n"
    assert "time is over" in shown.stderr


@pytest.mark.parametrize(
    ("age_s", "works", "says"),
    [
        (23.7 * HOUR, True, ""),
        (24.1 * HOUR, False, "24 hours old"),
        (-110, True, ""),
        (-300, False, "clock lies"),
    ],
)
def test_threat_gate_clock_a_gate_starts_with_lists_of_a_day_alone(
    gate: Gate, age_s: float, *, works: bool, says: str
) -> None:
    now = wall()
    gate.fetched(now - age_s)
    text = gate.world.authority.passes.batch(gate.world.user(), now).passes[0]
    shown = gate.run(text, more=["--offline"])
    assert (shown.returncode == 0) == works
    assert shown.stdout == ("pass\n" if works else "")
    assert says in shown.stderr


def test_threat_false_list_a_repeated_trust_list_is_refused_beside_newer_numbers(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers in the authority's place repeats the trust list from before a key was retired."""
    passes, now = gate.world.authority.passes, wall()
    gate.fetched(now)
    (gate.folder / REVOKED).write_bytes(passes.revocation_list(now - 2 * HOUR))
    settings = GateSettings.load(gate.folder)

    class Repeating:
        def fetch_trust_list(self) -> bytes:
            return passes.trust_list(now - HOUR)

        def fetch_revocations(self) -> bytes:
            return passes.revocation_list(now)

    monkeypatch.setattr(GateSettings, "client", lambda _: nullcontext(Repeating()))
    with pytest.raises(UnreachableError, match="older lists"):
        refresh(gate.folder, settings, load_lists(gate.folder, settings))


def test_threat_false_list_of_another_key_is_refused(
    gate: Gate, tmp_path: Path, entropy_of: object
) -> None:
    gate.fetched(wall())
    other = Gate.of(tmp_path / "other", entropy_of(9))  # type: ignore[operator]
    other.fetched(wall())
    shutil.copy(other.folder / REVOKED, gate.folder / REVOKED)
    shown = gate.run("x", more=["--offline"])
    assert shown.returncode == 1
    assert "another key" in shown.stderr
    assert shown.stdout == ""


def test_whether_a_network_is_there_depends_on_the_servers_place() -> None:
    assert network_is_there("http://127.0.0.1:8000")
    asked = "from tracetogether.cli.gate_folder import network_is_there as there\n"
    asked += "print(there('https://health.example'), there('http://127.0.0.1:1'))"
    shown = subprocess.run(
        [*no_network(), sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["False", "False"]


# --- a phone whose server goes away ---


def invoked(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.fixture
def served(tmp_path: Path, entropy: Entropy) -> Iterator[tuple[World, str, ExitStack]]:
    world = World.of(entropy, since=wall() - 10 * SECONDS_PER_DAY)
    with ExitStack() as server:
        url = server.enter_context(http_api.running(http_api.create_app(world.authority)))
        yield world, url, server


def test_passes_go_on_for_their_day_without_the_server(
    served: tuple[World, str, ExitStack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, url, server = served
    phone, began = str(tmp_path / "node"), wall()
    assert invoked("node", "init", phone, "--server", url).exit_code == 0
    gate = str(tmp_path / "gate")
    made = invoked("gate", "init", url, "--dir", gate)
    assert world.authority.passes.list_key(by=CONSOLE).kid.hex()[:4] in made.output
    first = json.loads(invoked("pass", "show", phone, "--json").output)
    assert first["notice"] == "pass.green"
    kept = (tmp_path / "node" / PASSES).stat()
    assert kept.st_mode & 0o777 == 0o600
    server.close()
    texts = {first["pass"]}
    begin = began // HOUR * HOUR
    for hours in (0, 1, 13, 23):
        now = begin + hours * HOUR + 60 if hours else began
        monkeypatch.setattr("tracetogether.cli.pass_.time.time", lambda now=now: now)
        result = invoked("pass", "show", phone, "--json")
        assert result.exit_code == 0, result.output
        texts.add(json.loads(result.stdout)["pass"])
    assert len(texts) == 5
    after = begin + 24 * HOUR + 60
    monkeypatch.setattr("tracetogether.cli.pass_.time.time", lambda: after)
    late = invoked("pass", "show", phone)
    assert late.exit_code == 1
    assert "no pass for this hour" in late.stdout
    assert "does not answer" in late.stderr


def test_a_restricted_phone_shows_its_notice_in_the_holders_language(
    served: tuple[World, str, ExitStack], tmp_path: Path
) -> None:
    world, url, _ = served
    phone = str(tmp_path / "node")
    init = invoked("node", "init", phone, "--server", url, "--json")
    invoked("pass", "show", phone)
    restrict_now(world, json.loads(init.output)["user_id"], wall())
    path = tmp_path / "node" / PASSES
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "refresh_at": 0}))
    shown = invoked("pass", "show", phone, "--lang", "zh-Hans")
    assert shown.exit_code == 1
    assert "CASE1" in shown.stdout
    assert shown.stdout.startswith(
        notices.text("pass.withheld.case", "zh-Hans", until=1, reference="CASE1").splitlines()[0]
    )
    assert load_wallet(path).held == ()


def test_a_pass_is_drawn_as_a_picture_that_a_camera_reads(
    served: tuple[World, str, ExitStack], tmp_path: Path
) -> None:
    _, url, _ = served
    phone, picture = str(tmp_path / "node"), tmp_path / "pass.png"
    invoked("node", "init", phone, "--server", url)
    shown = invoked("pass", "show", phone, "--out", str(picture))
    assert shown.exit_code == 0, shown.output
    assert picture.stat().st_mode & 0o777 == 0o600
    (text,) = codes_in(picture.read_bytes())
    held = load_wallet(tmp_path / "node" / PASSES).held
    assert [each.text for each in held if each.shown] == [text]
    assert invoked("pass", "show", phone, "--out", "pass.gif").exit_code == 2


def test_a_terminal_shows_the_same_code(
    served: tuple[World, str, ExitStack], tmp_path: Path
) -> None:
    import numpy as np
    import zxingcpp

    _, url, _ = served
    phone = str(tmp_path / "node")
    invoked("node", "init", phone, "--server", url)
    shown = invoked("pass", "show", phone).output.splitlines()
    lines = [line for line in shown if line.strip() and set(line) <= set(" ▀▄█")]
    width = max(map(len, lines))
    upper, lower = (
        np.array([[mark in both for mark in line.ljust(width)] for line in lines])
        for both in ("▀█", "▄█")
    )
    dark = np.stack([upper, lower], axis=1).reshape(-1, width)
    picture = np.pad(np.where(dark, 0, 255).astype(np.uint8), 8, constant_values=255)
    (code,) = zxingcpp.read_barcodes(np.kron(picture, np.ones((4, 4), np.uint8)))
    held = load_wallet(tmp_path / "node" / PASSES).held
    assert [each.text for each in held if each.shown] == [code.text]


def test_passes_of_a_charge_are_kept_apart_and_name_nobodys_phone(
    served: tuple[World, str, ExitStack], tmp_path: Path
) -> None:
    world, url, _ = served
    phone = tmp_path / "node"
    guardian = json.loads(invoked("node", "init", str(phone), "--server", url, "--json").output)
    consent = world.authority.charges.consent(wall(), by=CONSOLE)
    charge = world.authority.charges.add(guardian["user_id"], consent.code, wall())
    save_charges(phone, [NamedCharge("Grandma", charge.charge_id, charge.user_id)])
    own, hers = (
        json.loads(invoked("pass", "show", str(phone), *words, "--json").output)["pass"]
        for words in ([], ["--for", "Grandma"])
    )
    assert own != hers
    numbers = [
        {held.number for held in load_wallet(phone / name).held}
        for name in (PASSES, f"phone.passes.{charge.charge_id}")
    ]
    assert [len(found) for found in numbers] == [48, 48]
    assert not numbers[0] & numbers[1]
    assert invoked("pass", "show", str(phone), "--for", "Nobody").exit_code != 0


def test_symptoms_are_declared_from_the_command_line(
    served: tuple[World, str, ExitStack], tmp_path: Path
) -> None:
    world, url, _ = served
    phone = str(tmp_path / "node")
    user_id = json.loads(invoked("node", "init", phone, "--server", url, "--json").output)[
        "user_id"
    ]
    assert invoked("pass", "declare", phone, "--symptoms").exit_code == 0
    latest = world.authority.declarations.latest(user_id, wall())
    assert latest is not None
    assert latest.symptoms
    assert "pass.advised.symptoms" in invoked("pass", "show", phone, "--json").output
    assert invoked("pass", "declare", phone).exit_code == 2  # it has to be said


def test_one_pass_is_checked_against_the_gates_own_lists(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = wall()
    user, withheld = gate.world.user(), gate.world.user()
    current, stopped = (
        gate.world.authority.passes.batch(who, now).passes[0] for who in (user, withheld)
    )
    restrict_now(gate.world, withheld, now)
    gate.fetched(now)
    monkeypatch.chdir(gate.folder.parent)
    said = [
        invoked("gate", "check", text, "--at", str(int(at)))
        for text, at in ((current, now), (current, now + HOUR), (stopped, now))
    ]
    assert [(each.exit_code, each.stdout) for each in said] == [
        (0, "pass\n"),
        (1, "not now\n"),
        (1, "not now\n"),
    ]
    late = invoked("gate", "check", current, "--at", str(int(now + 25 * HOUR)))
    assert late.exit_code == 1
    assert "25 hours old" in str(late.exception)
    monkeypatch.chdir(gate.folder)  # where there is no gate
    assert invoked("gate", "check", current).exit_code == 2

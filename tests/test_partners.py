"""Recognition between authorities: two people, fingerprints, purposes, times, removal, audit."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tests.test_passes_of_others import VECTORS
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.partners.partner import Partner, fingerprint
from tracetogether.authority.service import Authority
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import SigningKey
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TrustError,
    UnreadableMessageError,
)
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.passes import Pass, number_abroad
from tracetogether.healthcode.reading import read_code
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.keyring import KeyRing
from tracetogether.signed import cose, hcert
from tracetogether.signed.trust import (
    DCC_TEST,
    DCC_VACCINATION,
    NZ_PASS,
    PASS,
    REVOCATIONS,
    TRUST,
    TrustedKey,
    TrustList,
)

HOUR, A_DAY = 3_600, 86_400
KEYHOLDER = Caller("ann", frozenset({Role.KEYHOLDER}))
SECOND = Caller("ben", frozenset({Role.KEYHOLDER}))


LISTS = SigningKey.from_secret(b"the lists of another authority!!")
PASSES = SigningKey.from_secret(b"passes of the other authority...")


@dataclass
class Abroad:
    """Another authority: the key of its lists, and one that signs its passes."""

    code: str = "AU_DTA"
    lists: SigningKey = LISTS
    passes: SigningKey = PASSES

    def row(self, key: SigningKey, *purposes: str) -> TrustedKey:
        kid, kinds = key.public.kid, frozenset(purposes)
        return TrustedKey(kid, key.public, self.code, "AU", kinds, NOON - A_DAY, NOON + 9 * A_DAY)

    def list(self, *more: TrustedKey, now: float = NOON) -> bytes:
        rows = [self.row(self.lists, TRUST, REVOCATIONS), self.row(self.passes, PASS), *more]
        return TrustList(rows, organisation=self.code, issued=now, expires=now + A_DAY).sign(
            self.lists
        )

    def shown(self, begin: float = NOON) -> str:
        green = Pass(self.code, int(begin), int(begin) + HOUR, b"abroad 1")
        return hcert.to_text(cose.sign(green.write(), self.passes, self.passes.public.kid))

    @property
    def read_out(self) -> str:
        return fingerprint(self.code, [self.lists.public])


ABROAD = Abroad()


def add(world: World, data: bytes | None = None, **how: object) -> Partner:
    given: dict[str, object] = {"days": 30, "by": KEYHOLDER} | how
    data = ABROAD.list() if data is None else data
    return world.authority.partners.add(data, NOON, **given)  # type: ignore[arg-type]


def confirm(world: World, heard: str | None = None, by: Caller = SECOND) -> Partner:
    heard = ABROAD.read_out if heard is None else heard
    return world.authority.partners.confirm("AU_DTA", heard, NOON, by=by)


def reason(world: World, text: str, now: float = NOON) -> str:
    """Return what a gate says that has the rows of our list."""
    return check(text, TrustList(world.authority.partners.rows(now)), (), now).reason


def acts(world: World) -> list[str]:
    entries = world.authority.audit.entries(by=CONSOLE)
    return [entry.act for entry in entries if entry.act.startswith("partner")]


def test_a_partner_counts_once_a_second_person_heard_its_fingerprint(world: World) -> None:
    add(world)
    assert reason(world, ABROAD.shown()) == "unknown-key"
    confirm(world, ABROAD.read_out.upper().replace(" ", "-"))
    assert reason(world, ABROAD.shown()) == "valid"
    assert acts(world) == ["partner.added", "partner.confirmed"]
    assert [row.organisation for row in world.authority.partners.rows(NOON)] == ["AU_DTA"]


def test_a_removed_partner_is_refused_from_the_next_list_on(world: World) -> None:
    add(world)
    confirm(world)
    assert reason(world, ABROAD.shown()) == "valid"
    world.authority.partners.remove("AU_DTA", NOON, by=SECOND)
    assert reason(world, ABROAD.shown()) == "unknown-key"
    assert acts(world)[-1] == "partner.removed"
    assert world.authority.partners.all(by=CONSOLE) == []


def test_nobody_confirms_alone_and_the_attempt_is_recorded(world: World) -> None:
    add(world)
    with pytest.raises(AccessDeniedError, match="another person"):
        confirm(world, by=KEYHOLDER)
    assert acts(world) == ["partner.added", "partner.refused"]
    assert reason(world, ABROAD.shown()) == "unknown-key"


def test_another_fingerprint_confirms_nothing_and_is_recorded(world: World) -> None:
    add(world)
    first = "1" if ABROAD.read_out[0] == "0" else "0"
    for heard in (first + ABROAD.read_out[1:], "", ABROAD.read_out[:-1], "密" * 40):
        with pytest.raises(ConflictError, match="not the fingerprint"):
            confirm(world, heard)
    assert acts(world) == ["partner.added", *["partner.refused"] * 4]
    assert reason(world, ABROAD.shown()) == "unknown-key"


def test_a_keyholder_is_needed(world: World) -> None:
    tracer = Caller("eve", frozenset({Role.TRACER, Role.ISSUER}))
    with pytest.raises(AccessDeniedError, match="roles do not allow"):
        add(world, by=tracer)
    add(world)
    with pytest.raises(AccessDeniedError, match="roles do not allow"):
        confirm(world, by=tracer)


def test_a_partner_passes_on_no_keys_of_others(world: World) -> None:
    third = replace(ABROAD.row(SigningKey.generate(), PASS), organisation="XX_THIRD")
    partner = add(world, ABROAD.list(third))
    confirm(world)
    assert [row.organisation for row in partner.keys] == ["AU_DTA"]
    assert {row.organisation for row in world.authority.partners.rows(NOON)} == {"AU_DTA"}


def test_a_partner_signs_no_lists_for_our_gates(world: World) -> None:
    add(world)
    confirm(world)
    purposes = [row.purposes for row in world.authority.partners.rows(NOON)]
    assert purposes == [frozenset({PASS})]
    for granted in ({TRUST}, {REVOCATIONS}, {"red"}, set()):
        with pytest.raises(InvalidRequestError, match="one or more of"):
            add(world, purposes=frozenset(granted))


def test_old_passes_and_old_recognition_are_refused(world: World) -> None:
    add(world, recognised_s=1_800, days=1)
    confirm(world)
    text = ABROAD.shown()
    assert reason(world, text, NOON + 1_800) == "valid"
    assert reason(world, text, NOON + 1_801) == "too-old"
    later = ABROAD.list(now=NOON + 23 * HOUR)
    world.authority.partners.update("AU_DTA", later, NOON + 23 * HOUR, by=KEYHOLDER)
    last = ABROAD.shown(NOON + 23 * HOUR)
    assert reason(world, last, NOON + 23 * HOUR) == "valid"
    assert reason(world, ABROAD.shown(NOON + A_DAY), NOON + A_DAY) == "unknown-key"


def test_a_partner_whose_list_is_over_counts_again_with_the_next(world: World) -> None:
    add(world)
    confirm(world)
    tomorrow = NOON + A_DAY
    assert reason(world, ABROAD.shown(tomorrow), tomorrow) == "unknown-key"
    update = world.authority.partners.update
    update("AU_DTA", ABROAD.list(now=tomorrow), tomorrow, by=KEYHOLDER)
    assert reason(world, ABROAD.shown(tomorrow), tomorrow) == "valid"
    with pytest.raises(TrustError, match="older than"):
        update("AU_DTA", ABROAD.list(now=tomorrow - 1), tomorrow, by=KEYHOLDER)
    with pytest.raises(TrustError, match="over already"):
        update("AU_DTA", ABROAD.list(now=NOON), tomorrow, by=KEYHOLDER)
    stranger = Abroad(lists=SigningKey.generate())
    with pytest.raises(TrustError, match="another key than"):
        update("AU_DTA", stranger.list(now=tomorrow), tomorrow, by=KEYHOLDER)


def test_a_retired_key_of_a_partner_is_refused_after_its_next_list(world: World) -> None:
    add(world)
    confirm(world)
    text = ABROAD.shown()
    renewed = Abroad(passes=SigningKey.generate())
    world.authority.partners.update("AU_DTA", renewed.list(), NOON, by=KEYHOLDER)
    assert reason(world, text) == "unknown-key"
    assert reason(world, renewed.shown()) == "valid"


def test_keys_without_a_list_are_recognised_for_their_own_purposes(world: World) -> None:
    data = (VECTORS / "nzcp" / "valid" / "did.json").read_bytes()
    issuer = "did:web:nzcp.covid19.health.nz"
    vector = json.loads((VECTORS / "hcert" / "common" / "CO13.json").read_text("utf-8"))
    der = base64.b64decode(vector["TESTCTX"]["CERTIFICATE"])  # for vaccinations alone
    with pytest.raises(TrustError, match="no key for dcc-test"):
        add(world, der, purposes=frozenset({DCC_TEST}), organisation="AT")
    with pytest.raises(TrustError, match="were over on 2021-06-02: ask AT for newer ones"):
        world.authority.partners.add(
            *(der, 1.7e9),
            days=30,
            purposes=frozenset({DCC_VACCINATION}),
            organisation="AT",
            by=KEYHOLDER,
        )
    partner = add(world, data, purposes=frozenset({NZ_PASS}))
    assert (partner.organisation, partner.list_key) == (issuer, None)
    service = world.authority.partners
    service.confirm(issuer, partner.fingerprint, NOON, by=SECOND)
    (row,) = service.rows(NOON)
    assert (row.kid, row.purposes, row.until_time) == (b"key-1", {NZ_PASS}, NOON + 30 * A_DAY)
    with pytest.raises(ConflictError, match="no list of its own"):
        service.update(issuer, data, NOON, by=KEYHOLDER)


def test_files_that_name_nobody_or_us_or_a_known_partner_are_refused(world: World) -> None:
    jwk = (VECTORS / "nzcp" / "valid" / "jwk.json").read_bytes()
    with pytest.raises(TrustError, match="one organisation"):
        add(world, jwk)
    for code in ("X" * 65, "A B", "\x1b[31m", "中"):
        with pytest.raises(TrustError, match="letters, digits"):
            add(world, jwk, organisation=code)
    with pytest.raises(ConflictError, match="our own"):
        add(world, jwk, organisation="SG_MOH")
    add(world, jwk, organisation="NZ_MOH")
    with pytest.raises(ConflictError, match="partner already"):
        add(world, jwk, organisation="NZ_MOH")
    with pytest.raises(TrustError, match="one organisation"):
        add(world, organisation="ANOTHER")
    for days in (0, 367):
        with pytest.raises(InvalidRequestError, match="366 days"):
            add(world, days=days)


def test_what_the_store_keeps_is_read_back_the_same(world: World) -> None:
    added = add(world, recognised_s=HOUR)
    assert world.authority.partners.all(by=CONSOLE) == [added]
    assert Partner.from_json(json.loads(json.dumps(added.to_json()))) == added


def test_an_unknown_partner_is_named(world: World) -> None:
    partners = world.authority.partners
    acts: list[Callable[[], object]] = [
        lambda: partners.remove("XX", NOON, by=KEYHOLDER),
        lambda: partners.confirm("XX", "0", NOON, by=KEYHOLDER),
        lambda: partners.update("XX", b"", NOON, by=KEYHOLDER),
    ]
    for act in acts:
        with pytest.raises(NotFoundError, match="no such partner"):
            act()


def test_a_partner_cannot_make_gates_try_hundreds_of_keys(world: World) -> None:
    """A partner chooses its kids: many keys under one would slow a gate down for everybody."""
    ours = world.authority.passes.signing.of_day(int(NOON // A_DAY)).key.public.kid
    keys = [SigningKey.from_secret(bytes(31) + bytes([n])) for n in range(1, 6)]
    for count in (3, 4):
        rows = [replace(ABROAD.row(key, PASS), kid=ours) for key in keys[:count]]
        if count == 3:
            add(world, ABROAD.list(*rows))
            confirm(world)
        else:
            with pytest.raises(TrustError, match="4 keys of the kid"):
                world.authority.partners.update("AU_DTA", ABROAD.list(*rows), NOON, by=KEYHOLDER)


def test_the_console_is_none_of_the_two_people_and_its_attempts_are_recorded(
    world: World,
) -> None:
    with pytest.raises(AccessDeniedError, match="no person"):
        add(world, by=CONSOLE)
    add(world)
    with pytest.raises(AccessDeniedError, match="no person"):
        confirm(world, by=CONSOLE)
    assert acts(world) == ["partner.refused", "partner.added", "partner.refused"]
    assert not any(world.authority.partners.rows(NOON))


def test_the_commands_add_confirm_list_and_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOON)
    monkeypatch.chdir(tmp_path)
    create_folder(Path("authority"), now=NOON - 2 * A_DAY)
    Path("list").write_text(json.dumps({"trust": base64.b64encode(ABROAD.list()).decode()}))
    with opened_folder(Path("authority")) as service:
        for name in ("ann", "ben"):
            service.staff.add(
                name, frozenset({Role.KEYHOLDER}), f"token of {name}", NOON, by=CONSOLE
            )
    for name in ("ann", "ben"):
        Path(f"{name}.token").touch(0o600)
        Path(f"{name}.token").write_text(f"token of {name}\n")

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["authority", "partner", *words])

    said = ABROAD.read_out.split()
    adding = ("add", "list", "--oldest-hours", "6", "--json")
    assert isinstance(run(*adding).exception, AccessDeniedError)  # the console is no person
    assert json.loads(run("list", "--json").stdout) == []
    added = run(*adding, "--operator-token", "ann.token")
    assert json.loads(added.stdout)["recognised_s"] == 6 * HOUR
    assert ABROAD.read_out not in added.output  # it is heard from the other side, not read here
    for token in ((), ("--operator-token", "ann.token")):
        refused = run("confirm", "AU_DTA", *said, *token)
        assert isinstance(refused.exception, AccessDeniedError)
    assert "waits" in run("list").output
    confirmed = run("confirm", "AU_DTA", *said, "--operator-token", "ben.token")
    assert "the next trust list has its keys" in confirmed.output
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["added_by"], listed["confirmed_by"]) == ("ann", "ben")
    signed = RevocationList.of("AU_DTA", [b"abroad 1"], int(NOON)).signed(LISTS)
    Path("revoked").write_text(json.dumps({"revocations": base64.b64encode(signed).decode()}))
    updated = run("update", "AU_DTA", "list", "revoked")
    assert updated.output.strip() == "AU_DTA: 1 key, revoked passes: 1"
    told = json.loads(run("update", "AU_DTA", "list", "revoked", "--json").stdout)
    assert told == {"organisation": "AU_DTA", "keys": 1, "revoked_passes": 1}
    told = json.loads(run("address", "AU_DTA", "https://au.example", "--json").stdout)
    assert told == {"organisation": "AU_DTA", "address": "https://au.example"}
    assert len(run("fingerprint").output.split()) == 8
    told = json.loads(run("remove", "AU_DTA", "--json").stdout)
    assert told == {"organisation": "AU_DTA", "removed": True}
    assert json.loads(run("list", "--json").stdout) == []
    assert DAY * A_DAY < NOON


def test_two_authorities_recognise_each_other_without_a_persons_data(world: World) -> None:
    """The gate of one has its list alone, and admits passes that the other issued."""
    keys = KeyRing.generate(NOON - 30 * A_DAY, entropy=counted_entropy(7))
    there = Authority.assemble(keys, name="AU_DTA", store=fresh_store(), save_keys=lambda _: None)
    list_key = there.passes.list_key(by=CONSOLE)
    here = world.authority.partners
    here.add(there.passes.trust_list(NOON), NOON, days=30, by=KEYHOLDER)
    here.confirm("AU_DTA", there.partners.own_fingerprint(list_key), NOON, by=SECOND)

    def gate(now: float) -> GateLists:
        passes = world.authority.passes
        lists = passes.trust_list(now), passes.revocation_list(now)
        return GateLists.read(*lists, passes.list_key(by=CONSOLE))

    user = there.issuance.register().user_id
    shown = there.passes.batch(user, NOON).passes[0]
    assert gate(NOON).judge(shown, NOON).reason == "valid"
    number = read_code(shown)[1].marks[0]
    revoked = RevocationList.of("AU_DTA", [number], int(NOON)).signed(
        there.passes.signing.of_lists()
    )
    assert here.take_revocations("AU_DTA", revoked, by=KEYHOLDER) == 1
    assert gate(NOON).judge(shown, NOON).reason == "revoked"
    older = RevocationList.of("AU_DTA", [], int(NOON) - 1).signed(there.passes.signing.of_lists())
    with pytest.raises(TrustError, match="older than"):
        here.take_revocations("AU_DTA", older, by=KEYHOLDER)
    forged = RevocationList.of("AU_DTA", [], int(NOON)).signed(LISTS)
    with pytest.raises(UnreadableMessageError, match="another key"):
        here.take_revocations("AU_DTA", forged, by=KEYHOLDER)
    here.remove("AU_DTA", NOON, by=SECOND)
    assert gate(NOON).judge(shown, NOON).reason == "unknown-key"
    assert len(gate(NOON).revoked) == 0


def test_revocations_of_a_removed_partner_do_not_come_back_with_it(world: World) -> None:
    add(world)
    confirm(world)
    numbers = [bytes([count]) * 8 for count in range(1, 4)]
    signed = RevocationList.of("AU_DTA", numbers, int(NOON)).signed(LISTS)
    assert world.authority.partners.take_revocations("AU_DTA", signed, by=KEYHOLDER) == 3
    bound = [number_abroad("AU_DTA", number) for number in numbers]
    assert list(world.authority.partners.revoked(NOON)) == bound
    assert list(world.authority.partners.revoked(NOON + A_DAY)) == []  # its list is over
    world.authority.partners.remove("AU_DTA", NOON, by=SECOND)
    add(world)
    confirm(world)
    assert list(world.authority.partners.revoked(NOON)) == []


def test_a_partner_cannot_revoke_our_passes(world: World) -> None:
    """A partner that saw a number of ours at its gates, and lists it, changes nothing here."""
    add(world)
    confirm(world)
    passes = world.authority.passes
    ours = passes.batch(world.user(), NOON).passes[0]
    seen = read_code(ours)[1].marks[0]
    listed = RevocationList.of("AU_DTA", [seen], int(NOON)).signed(LISTS)
    assert world.authority.partners.take_revocations("AU_DTA", listed, by=KEYHOLDER) == 1
    lists = passes.trust_list(NOON), passes.revocation_list(NOON)
    gate = GateLists.read(*lists, passes.list_key(by=CONSOLE))
    assert len(gate.revoked) == 1
    assert gate.judge(ours, NOON).reason == "valid"

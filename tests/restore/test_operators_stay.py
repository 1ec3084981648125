"""A restore brings back no role that was taken away, and no code that was reset."""

import json
from pathlib import Path

import pytest

from tests.authority_world import NOON
from tests.pages_world import CHEAP, PASSWORD
from tests.restored_desk import Clock, RestoredDesk, spoilt
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.adapters.operator_pages.credentials import Totp
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.errors import AccessDeniedError

HOUR = 3_600.0
ADA, BEN = (Caller(name, ALL_ROLES) for name in ("ada", "ben"))
TRACER, BOTH = frozenset({Role.TRACER}), frozenset({Role.TRACER, Role.EXPORTER})


def _enrolled(service: Authority, name: str, now: float) -> bytes:
    """Return the secret of an operator's codes, which are set up with the first one."""
    signing = sign_in_for(service, CHEAP)
    token = signing.enter(name, PASSWORD, "", now)
    secret = signing.secret_of(token)
    signing.enrol(token, Totp().at(secret, now), now)
    return secret


def _staffed(service: Authority) -> bytes:
    """Add two operators, and ask for the codes of one; return the secret of the other's codes."""
    for name in ("ravi", "siti"):
        service.staff.add(name, BOTH, f"token-of-{name}-long", NOON, by=CONSOLE)
        sign_in_for(service, CHEAP).set_password(name, PASSWORD, NOON, by=CONSOLE)
    secret = _enrolled(service, "ravi", NOON)
    _enrolled(service, "siti", NOON)
    service.code_resets.ask("siti", NOON, by=ADA)
    return secret


@pytest.mark.parametrize("how", ["", "garbage", "missing"])
def test_no_role_that_was_taken_away_and_no_code_that_was_reset_comes_back(
    how: str, sqlite_desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk = sqlite_desk
    secret = desk.work(_staffed)
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.work(lambda service: service.staff.change_roles("ravi", TRACER, clock.now, by=CONSOLE))
    desk.work(lambda service: service.code_resets.withdraw("siti", clock.now, by=ADA))
    desk.work(lambda service: service.code_resets.ask("ravi", clock.now, by=ADA))
    desk.work(lambda service: service.code_resets.confirm("ravi", clock.now, by=BEN))
    newer = desk.work(lambda service: _enrolled(service, "ravi", clock.now))
    clock.now += HOUR
    if how:
        spoilt(desk.folder / "authority.db", how)
    plan = json.loads(desk.ran("restore", str(tmp_path / "file"), "--json", "--yes").stdout)
    assert (plan["carried"]["roles"], plan["carried"]["passwords"]) == (1, 1)

    def check(service: Authority) -> None:
        roles = {known.name: known.roles for known in service.staff.all(by=CONSOLE)}
        assert (roles["ravi"], roles["siti"]) == (TRACER, BOTH)
        assert service.code_resets.waiting(clock.now, by=ADA) == []
        signing, codes = sign_in_for(service, CHEAP), Totp()
        with pytest.raises(AccessDeniedError):
            signing.enter("ravi", PASSWORD, codes.at(secret, clock.now), clock.now)
        with pytest.raises(AccessDeniedError):  # nor does the password alone set up codes
            signing.enter("ravi", PASSWORD, "", clock.now)
        if not how:
            assert signing.enter("ravi", PASSWORD, codes.at(newer, clock.now), clock.now)

    desk.work(check)


def test_who_keeps_no_role_of_the_backup_is_disabled(
    sqlite_desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk = sqlite_desk
    desk.ran("user", "add", "night", "--role", "exporter")
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.ran("user", "roles", "night", "--role", "tracer")
    (desk.folder / "authority.db").unlink()
    said = desk.ran("restore", str(tmp_path / "file"), "--yes").stdout
    assert "1 operators who lost a role since: it does not come back" in said
    kept = {known.name: known for known in desk.work(lambda one: one.staff.all(by=CONSOLE))}
    assert (kept["night"].roles, kept["night"].disabled) == (frozenset(), True)

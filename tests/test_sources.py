"""Where a request comes from: whose word is believed, and what is counted together."""

import pytest
from click.testing import CliRunner

from tests.authority_world import NOON, World
from tests.pages_world import CHEAP, PASSWORD
from tests.test_sign_in import CODES, enrolled
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.authority.access.limits import Limit
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.access.sources import TrustedProxies, source_of
from tracetogether.cli.authority import authority
from tracetogether.errors import AccessDeniedError, AuthorityError, RateLimitedError
from tracetogether.parameters import REGISTRATIONS_AN_HOUR, SIGN_INS_FROM_ONE_ADDRESS

PROXIES = TrustedProxies.of(["127.0.0.1", "10.0.0.0/8", "fd00::/64"])


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),  # the right-most one
        ("127.0.0.1", ["1.1.1.1", "203.0.113.7, 10.2.3.4"], "203.0.113.7"),  # two lines, two hops
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),  # all are proxies
        ("::ffff:127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("127.0.0.1", ["203.0.113.7:5555"], "203.0.113.7"),
        ("127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),  # a stranger's word
        ("2001:db8::1", ["1.1.1.1"], "2001:db8::1"),
        ("", ["1.1.1.1"], ""),
        ("unix", ["1.1.1.1"], "unix"),
    ],
)
def test_the_client_is_the_last_address_that_no_proxy_has(
    peer: str, lines: list[str], client: str
) -> None:
    assert PROXIES.client(peer, lines) == client


@pytest.mark.parametrize(
    "garbage",
    [
        *("", " ", ",", "unknown", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1::", "[", "[]", "[::1"),
        *(
            "[::1]x",
            "[::1]:port",
            "1.1.1.1:",
            "1.1.1.1:x",
            "1.1.1.1:99999999",
            "_hidden",
            "١.١.١.١",
        ),
        *("\x00", "\xff\xfe", "1.1.1.1\x00", "9" * 10_000, "a," * 9_999, "01.1.1.1", "0x7f.1.1.1"),
    ],
)
def test_a_part_that_is_not_an_address_ends_the_trusted_part(garbage: str) -> None:
    assert PROXIES.client("127.0.0.1", [garbage]) == "127.0.0.1"
    assert PROXIES.client("127.0.0.1", [f"8.8.8.8, {garbage}"]) == "127.0.0.1"
    assert PROXIES.client("127.0.0.1", [f"{garbage}, 203.0.113.7"]) == "203.0.113.7"


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0"])
def test_other_texts_than_proxies_are_refused_at_the_start(text: str) -> None:
    result = CliRunner().invoke(authority, ["serve", "nowhere", "--trusted-proxy", text])
    assert isinstance(result.exception, AuthorityError)
    assert repr(text) in str(result.exception) or "every address" in str(result.exception)


def test_ipv6_is_counted_by_its_network() -> None:
    one, same, other = "2001:db8:1:2::5", "2001:db8:1:2:ffff::9", "2001:db8:1:3::5"
    assert source_of(one) == source_of(same) == "2001:db8:1:2::/64"
    assert source_of(other) != source_of(one)
    assert source_of("::ffff:192.0.2.1") == source_of("192.0.2.1") == "192.0.2.1"
    assert source_of("192.0.2.1") != source_of("192.0.2.2")
    assert source_of("unix") == "unix"


def test_registrations_of_one_network_count_together(world: World) -> None:
    register = world.authority.issuance.register
    for number in range(REGISTRATIONS_AN_HOUR):
        register(NOON, f"2001:db8::{number % 60_000:x}")
    with pytest.raises(RateLimitedError):
        register(NOON, "2001:db8::ffff:1")
    register(NOON, "2001:db8:0:1::1")
    register(NOON + 3_600, "2001:db8::1")


def test_registrations_of_all_sources_are_limited(world: World) -> None:
    from dataclasses import replace

    issuance = replace(world.authority.issuance, of_all=Limit("all", 50, 3_600))
    for number in range(50):
        issuance.register(NOON, f"192.0.2.{number}")
    with pytest.raises(RateLimitedError):
        issuance.register(NOON, "198.51.100.1")
    issuance.register(NOON + 3_600, "198.51.100.1")


def test_an_office_signs_in_at_eight_oclock(world: World) -> None:
    """Right passwords from one address use up neither its tries nor the operators'."""
    staff, sign_in = world.authority.staff, sign_in_for(world.authority, CHEAP)
    names = [f"op{number}" for number in range(SIGN_INS_FROM_ONE_ADDRESS + 10)]
    for name in names:
        staff.add(name, frozenset({Role.TRACER}), f"token of {name}", NOON, by=CONSOLE)
        sign_in.set_password(name, PASSWORD, NOON, by=CONSOLE)
    staff.add("amira", frozenset({Role.TRACER}), "token", NOON, by=CONSOLE)
    secret = enrolled(sign_in)
    eight, office = NOON + 900, "2001:db8::1"

    def wrong(count: int) -> None:
        for number in range(count):
            with pytest.raises(AccessDeniedError):
                sign_in.enter(f"x{number}", "wrong", "", eight, address=office)

    wrong(SIGN_INS_FROM_ONE_ADDRESS - 1)
    for name in names:
        first = sign_in.enter(name, PASSWORD, "", eight, address=office)
        found = sign_in.secret_of(first)
        sign_in.enrol(first, CODES.at(found, eight), eight)
    for moment in (eight + 30 * number for number in range(1, 15)):
        assert sign_in.enter("amira", PASSWORD, CODES.at(secret, moment), moment, address=office)
    wrong(1)
    with pytest.raises(RateLimitedError):
        sign_in.enter("x", "wrong", "", eight, address="2001:db8::2")

"""Any bytes given to the protocols beside BlueTrace end in a value or in the named error."""

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.protocols.known_answers import FOLDER, answers, raw
from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.desire import air as desire_air
from tracetogether.desire import report as desire_report
from tracetogether.desire.exchange import DesireExchange
from tracetogether.desire.keys import encounter_tokens
from tracetogether.diagnosis import HeardTokens, InvalidReportError
from tracetogether.dp3t import air as dp3t_air
from tracetogether.dp3t import report as dp3t_report
from tracetogether.dp3t.cuckoo import CuckooFilter
from tracetogether.dp3t.exchange import LowCostExchange
from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import Exchange, Heard
from tracetogether.gaen import air as gaen_air
from tracetogether.gaen import export
from tracetogether.gaen.exchange import GaenExchange
from tracetogether.labels import Labels
from tracetogether.rejection import Rejection
from tracetogether.robert import air as robert_air
from tracetogether.robert import report as robert_report
from tracetogether.robert import status
from tracetogether.robert.exchange import RobertExchange
from tracetogether.robert.keys import ServerKeys
from tracetogether.robert.server import RobertServer
from tracetogether.robert.tuples import HelloTuples, seal_tuples
from tracetogether.short_advertisement import service_data_of
from tracetogether.sightings import Sighting, Sightings
from tracetogether.tcn import air as tcn_air
from tracetogether.tcn import report as tcn_report
from tracetogether.tcn.exchange import TcnExchange

NAMED = (InvalidReportError, RemoteProtocolError)
SIGNER = SigningKey.from_secret(bytes(range(1, 33)))
PUBLIC = VerifyingKey.from_pem((FOLDER / "gaen_export_public.pem").read_bytes())
EXPORT = (FOLDER / "gaen_export_2_keys.zip").read_bytes()
BODY, SIGNATURES = export.unpacked(EXPORT)
HEADER = export.read_export_bin(BODY).header
SENT = raw(answers("gaen")["more"][0]["advertisement"])
DAY_KEYS = dp3t_report.NumberedSecrets.of([bytes(32)], [5], 32)
WINDOWS = dp3t_report.NumberedSecrets.of([bytes(16)], [5], 16)
LOW_COST = dp3t_report.write_low_cost(dp3t_report.PublishedSecrets(DAY_KEYS, 9.0), SIGNER)
HYBRID = dp3t_report.write_hybrid(dp3t_report.PublishedSecrets(WINDOWS, 9.0, 7_200), SIGNER)
FILTER = dp3t_report.write_unlinkable(dp3t_report.filter_of([DAY_KEYS], 9.0), SIGNER)
TCN = raw(answers("tcn")["vectors"][0]["report"]["signed"])
HELLOS = robert_report.write_records(
    robert_report.HelloRecords(
        np.zeros((2, 16), np.uint8), np.array([1.6e9, 1.6e9]), np.full(2, -60.0), np.zeros(2, int)
    )
)
TOKENS = desire_report.write_tokens(b"DSEX", np.arange(64, dtype=np.uint8).reshape(2, 32))
HELLO = robert_air.HelloAdvertisement(bytes(16), -17)


def peers(value: bytes) -> HeardTokens:
    name = value.decode("latin-1")
    log = Sightings.from_log(
        time=np.zeros(1),
        peer=Labels((np.zeros(1, np.int32) if name else np.full(1, -1, np.int32)), (name or "a",)),
        rssi_dbm=np.full(1, -60.0),
        tx_power_dbm=np.full(1, np.nan),
    )
    return HeardTokens.of(log, 20, 16)


NOW = 1_600_041_600.0
SERVER_KEYS = ServerKeys.new(int(NOW) // 86_400, 5)
SERVER = RobertServer(SERVER_KEYS)
HEARD_BY = {
    "gaen": (GaenExchange(), bytes(20)),
    "dp3t": (LowCostExchange(), bytes(16)),
    "robert": (RobertExchange(), bytes(18)),
    "tcn": (TcnExchange(), bytes(16)),
    "desire": (DesireExchange(), bytes(17)),
}


def opened(value: bytes) -> HelloTuples:
    return HelloTuples.opened(value, mac_key=bytes(32), tuples_key=bytes(32), start=0)


def heard_by(phone: Exchange) -> Callable[[bytes], object]:
    def hear(value: bytes) -> object:
        said = phone.overheard(Heard("aa", -60.0, service_data=value), now=NOW)
        return said if isinstance(said, Sighting | Rejection) else (said,)  # None: a first slice

    return hear


MORE = int(os.environ.get("TRACETOGETHER_STRINGS", "5000"))
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "advertisement": (lambda value: service_data_of(value, 0xFD6F), SENT),
    "gaen advertisement": (gaen_air.read_advertisement, SENT),
    "gaen metadata": (gaen_air.read_metadata, bytes.fromhex("50f10000")),
    "gaen export": (lambda value: export.read_export(value, PUBLIC), EXPORT),
    "gaen export.bin": (export.read_export_bin, BODY),
    "gaen export.sig": (lambda value: export.read_signatures(value, HEADER), SIGNATURES),
    "dp3t advertisement": (dp3t_air.read_advertisement, dp3t_air.write_advertisement(bytes(16))),
    "dp3t low-cost": (lambda value: dp3t_report.read_low_cost(value, SIGNER.public), LOW_COST),
    "dp3t hybrid": (lambda value: dp3t_report.read_hybrid(value, SIGNER.public), HYBRID),
    "dp3t unlinkable": (lambda value: dp3t_report.read_unlinkable(value, SIGNER.public), FILTER),
    "cuckoo filter": (CuckooFilter.from_bytes, FILTER[12:-64]),
    "robert advertisement": (robert_air.read_advertisement, robert_air.write_advertisement(HELLO)),
    "robert hello": (robert_air.read_hello, bytes(16)),
    "robert upload": (lambda value: robert_report.read_records(value, 1.6e9), HELLOS),
    "robert status": (status.read_request, bytes(48)),
    "tcn advertisement": (tcn_air.read_advertisement, tcn_air.write_advertisement(bytes(16))),
    "tcn report": (tcn_report.read_report, TCN),
    "desire advertisement": (
        desire_air.read_advertisement,
        desire_air.write_advertisement(desire_air.EbidSlice(1, bytes(16))),
    ),
    "desire ebid": (lambda value: encounter_tokens(bytes(range(32)), value), bytes(range(32))),
    "desire tokens": (lambda value: desire_report.read_tokens(b"DSEX", value), TOKENS),
    "robert tuples": (opened, seal_tuples(SERVER_KEYS, 1, bytes(32), NOW, count=3)),
    "robert registration": (lambda value: SERVER.register(value, NOW), SERVER.public),
    "robert status asked": (lambda value: SERVER.status(value, NOW) or value, bytes(48)),
    **{f"{name} heard": (heard_by(phone), sent) for name, (phone, sent) in HEARD_BY.items()},
    "peers of a log": (peers, b"ab" * 20),
}


def strings(known: bytes, count: int) -> Iterator[bytes]:
    """Yield byte strings: random ones, and known ones with bytes changed, cut out, or put in."""
    chance = np.random.default_rng(len(known))
    for turn in range(count):
        kind = turn % 4
        if kind == 0:
            yield chance.bytes(int(chance.integers(0, 80)))
            continue
        value = bytearray(known)
        for _ in range(int(chance.integers(1, 4))):
            at = int(chance.integers(0, len(value))) if value else 0
            if kind == 1 and value:
                value[at] = int(chance.integers(0, 256))
            elif kind == 2:
                del value[at : at + int(chance.integers(1, 9))]
            else:
                value[at:at] = chance.bytes(int(chance.integers(1, 9)))
        yield bytes(value)


@pytest.mark.parametrize("name", PARSERS)
def test_500_strings(name: str) -> None:
    assert tried(name, 500) == 500


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_more_strings(name: str) -> None:
    """Try 5,000 strings, over 100,000 in all; TRACETOGETHER_STRINGS names another number."""
    assert tried(name, MORE) == MORE


def tried(name: str, count: int) -> int:
    parse, known = PARSERS[name]
    if name != "robert status asked":  # no phone wrote 48 zeros
        assert parse(known) is not None
    values = refused = 0
    for value in strings(known, count):
        try:
            assert parse(value) is not None
            values += 1
        except NAMED as error:
            assert str(error)  # noqa: PT017 - either outcome is right
            refused += 1
    assert refused or name == "peers of a log" or name.endswith("heard")  # a rejection is a value
    return values + refused

"""CPU-seconds of each kind of work of the protocols, measured on this library's own code.

``measure_speeds`` does each kind some thousand times and takes the least time of three. ``SPEEDS``
keeps what that gave once, so that figures can be compared: another machine multiplies all of them
by about the same.
"""

import os
import time
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.crypto import SigningKey
from tracetogether.desire.keys import ebid_of, encounter_tokens_many, new_secret
from tracetogether.desire.near import near as desire_near
from tracetogether.desire.report import distinct
from tracetogether.dp3t.cuckoo import CuckooFilter
from tracetogether.dp3t.keys import observations
from tracetogether.dp3t.near import hybrid_matches, low_cost_matches
from tracetogether.dp3t.report import NumberedSecrets, PublishedSecrets
from tracetogether.gaen.export import ExportHeader, ExportSigner, write_export_bin
from tracetogether.gaen.near import matches
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.robert.keys import Registrations, ServerKeys, hello, ntp_of
from tracetogether.robert.near import open_hellos
from tracetogether.robert.report import records_of
from tracetogether.robert.skinny import decrypt_blocks
from tracetogether.robert.status import RequestKind, checked_request, write_request
from tracetogether.robert.tuples import HelloTuples, seal_tuples, seal_tuples_many
from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import numbers
from tracetogether.tcn.report import read_report, write_report
from tracetogether.units import SECONDS_PER_DAY

_DAY: Final = 18_500
_NOW: Final = float(_DAY * SECONDS_PER_DAY)
_START: Final = _DAY * 144
_HEARD: Final = 5_000


class Work(Enum):
    """A kind of work; what one piece of it is."""

    TEMPID_SEALED = "a TempID made"
    RECORD_OPENED = "a TempID of an upload opened"
    KEY_MATCHED = "144 identifiers derived of a key of GAEN, and looked up"
    KEY_WRITTEN = "a key of GAEN written into a file"
    DAY_KEY_MATCHED = "96 EphIDs derived of a day key of DP-3T, and looked up"
    EPHID_MATCHED = "an EphID of a window of DP-3T derived and looked up"
    EPHID_HASHED = "an EphID hashed with its epoch"
    FILTER_BUILT = "an epoch put into a cuckoo filter"
    FILTER_ASKED = "a hash looked up in a cuckoo filter"
    STATUS_CHECKED = "a status request of ROBERT opened and checked"
    TUPLE_MADE = "a tuple of ROBERT made and sealed, for 50 phones at once"
    HELLO_MADE = "a HELLO made by a phone"
    HELLO_JUDGED = "a HELLO opened and judged by the server"
    REPORT_VERIFIED = "the signature of a report of TCN checked"
    NUMBER_DERIVED = "a number of TCN derived"
    ENCOUNTER = "the two tokens of an encounter of DESIRE computed"
    TOKEN_ASKED = "a request token of DESIRE looked up"  # noqa: S105 - no secret
    SIGNED = "a published file signed"


SPEEDS: Final[Mapping[Work, float]] = MappingProxyType(
    {
        Work.TEMPID_SEALED: 3.43e-06,
        Work.RECORD_OPENED: 1.65e-06,
        Work.STATUS_CHECKED: 5.45e-06,
        Work.TUPLE_MADE: 7.89e-07,
        Work.HELLO_MADE: 3.15e-06,
        Work.HELLO_JUDGED: 3.71e-06,
        Work.KEY_MATCHED: 8.99e-06,
        Work.KEY_WRITTEN: 3.52e-06,
        Work.DAY_KEY_MATCHED: 7.28e-06,
        Work.EPHID_MATCHED: 3.65e-07,
        Work.EPHID_HASHED: 7.85e-07,
        Work.FILTER_BUILT: 2.45e-07,
        Work.FILTER_ASKED: 2.7e-08,
        Work.REPORT_VERIFIED: 0.000129,
        Work.NUMBER_DERIVED: 1.28e-06,
        Work.ENCOUNTER: 4.14e-05,
        Work.TOKEN_ASKED: 7.94e-07,
        Work.SIGNED: 3.13e-05,
    }
)
"""CPU-seconds of one piece: `measure_speeds(5_000)`, one core of a busy AMD EPYC, November 2026."""


def measure_speeds(pieces: int = 2_000, repeats: int = 3) -> dict[Work, float]:
    """Return the CPU-seconds of one piece of each kind of work on this machine.

    Args:
        pieces: how many of each to do at once.
        repeats: how often; the least counts.
    """
    found = {}
    for kind, act in _acts(pieces).items():
        spent = []
        for _ in range(repeats):
            began = time.process_time()
            done = act()
            spent.append((time.process_time() - began) / done)
        found[kind] = min(spent)
    return found


def _acts(pieces: int) -> Mapping[Work, Callable[[], int]]:
    """Return what does each kind of work, and says how many pieces it did."""
    return {
        **_server_tokens(pieces),
        **_robert(pieces),
        **_published(pieces),
        **_filters(pieces),
        **_others(pieces),
    }


def _log(width: int) -> Sightings:
    tokens = [os.urandom(width).hex() for _ in range(_HEARD)]
    return Sightings.from_log(
        time=np.full(_HEARD, _NOW + 100.0),
        peer=Labels.encode(tokens),
        rssi_dbm=np.full(_HEARD, -60.0),
        tx_power_dbm=np.full(_HEARD, np.nan),
    )


def _server_tokens(pieces: int) -> Mapping[Work, Callable[[], int]]:
    issuer = TempIDIssuer(KeyRing.generate(_NOW))
    user = new_user_id(os.urandom)
    heard = [tempid.text for tempid in issuer.issue(user, int(_NOW), 90)]
    texts = (heard * (pieces // 90 + 1))[:pieces]
    times = np.full(pieces, _NOW + 100.0)
    return {
        Work.TEMPID_SEALED: lambda: len(issuer.issue(user, int(_NOW), 90)),
        Work.RECORD_OPENED: lambda: len(issuer.open_many(texts, times).rejection),
    }


def _robert(pieces: int) -> Mapping[Work, Callable[[], int]]:
    server = ServerKeys.new(_DAY, 5)
    phones = Registrations.new(1)
    mac_key, number = phones.mac_keys[0], int(phones.id[0])
    sealed = seal_tuples(server, number, bytes(32), _NOW)
    batch = HelloTuples.opened(sealed, mac_key=mac_key, tuples_key=bytes(32), start=server.start)
    said = batch.at(_NOW) or b""
    heard = hello(said[0], said[1:], ntp_of(_NOW), mac_key)
    log = Sightings.from_log(
        time=np.full(pieces, _NOW + 5.0),
        peer=Labels.encode([heard.hex()] * pieces),
        rssi_dbm=np.full(pieces, -60.0),
        tx_power_dbm=np.full(pieces, np.nan),
    )
    records = records_of(log, _NOW, _NOW + 10)
    request = write_request(mac_key, RequestKind.STATUS, said[1:], 1, ntp_of(_NOW))
    blocks = np.frombuffer(said[1:] * pieces, np.uint8).reshape(pieces, 8)

    def statuses() -> int:
        decrypt_blocks(server.day_keys[_DAY], blocks)
        for _ in range(pieces):
            checked_request(request, RequestKind.STATUS, mac_key)
        return pieces

    def made() -> int:
        for _ in range(pieces):
            hello(said[0], said[1:], ntp_of(_NOW), mac_key)
        return pieces

    def tuples() -> int:
        seal_tuples_many(server, [number] * 50, [bytes(32)] * 50, _NOW)
        return 50 * len(batch.by_epoch)

    return {
        Work.STATUS_CHECKED: statuses,
        Work.TUPLE_MADE: tuples,
        Work.HELLO_MADE: made,
        Work.HELLO_JUDGED: lambda: len(open_hellos(records, server, phones).phone),
    }


def _published(pieces: int) -> Mapping[Work, Callable[[], int]]:
    gaen_log, dp3t_log = _log(20), _log(16)
    keys = DiagnosisKeys.of([os.urandom(16) for _ in range(pieces)], [_START] * pieces)
    header = ExportHeader(int(_NOW), int(_NOW) + 1, "DE", signers=(ExportSigner("v1", "1"),))
    day_keys = NumberedSecrets.of([os.urandom(32) for _ in range(pieces)], [_DAY] * pieces, 32)
    low_cost = PublishedSecrets(day_keys, _NOW + SECONDS_PER_DAY - 1)
    windows = [os.urandom(16) for _ in range(pieces)]
    window_s = 14_400
    seeds = NumberedSecrets.of(windows, [int(_NOW) // window_s] * pieces, 16)
    hybrid = PublishedSecrets(seeds, _NOW, window_s)

    def written() -> int:
        write_export_bin(header, keys)
        return pieces

    return {
        Work.KEY_MATCHED: lambda: matches(gaen_log, keys).derived,
        Work.KEY_WRITTEN: written,
        Work.DAY_KEY_MATCHED: lambda: low_cost_matches(dp3t_log, low_cost).derived,
        Work.EPHID_MATCHED: lambda: hybrid_matches(dp3t_log, hybrid).searched,
    }


def _filters(pieces: int) -> Mapping[Work, Callable[[], int]]:
    many = 20 * pieces
    ephids = [number.to_bytes(16) for number in range(many)]
    epochs = np.arange(many)
    hashed = observations(ephids, epochs)
    cuckoo = CuckooFilter.build(hashed)
    return {
        Work.EPHID_HASHED: lambda: len(observations(ephids, epochs)),
        Work.FILTER_BUILT: lambda: len(CuckooFilter.build(hashed)),
        Work.FILTER_ASKED: lambda: len(cuckoo.holds(hashed)),
    }


def _others(pieces: int) -> Mapping[Work, Callable[[], int]]:
    rak = os.urandom(32)
    report = write_report(rak, 1, 24)
    read = read_report(report)
    secret, other = new_secret(), ebid_of(new_secret())
    signer = SigningKey.generate()
    few = max(pieces // 20, 1)
    asked = _log(64)
    reported = distinct(np.frombuffer(os.urandom(32 * _HEARD), np.uint8).reshape(-1, 32))

    def verified() -> int:
        for _ in range(few):
            read_report(report)
        return few

    def signed() -> int:
        for _ in range(few):
            signer.sign(report)
        return few

    def looked_up() -> int:
        desire_near(asked, reported)
        return _HEARD

    return {
        Work.REPORT_VERIFIED: verified,
        Work.NUMBER_DERIVED: lambda: len(numbers(read.rvk, read.before, 1, pieces)),
        Work.ENCOUNTER: lambda: len(encounter_tokens_many(secret, [other] * few)),
        Work.TOKEN_ASKED: looked_up,
        Work.SIGNED: signed,
    }

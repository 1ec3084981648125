"""What TempIDs, contact logs and uploads tell whom, with the real service and a played crowd."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

import numpy as np
from scipy.special import gammaln

from simulations.fidelities.record_columns import ContactLogs
from simulations.one_run import Run, run
from simulations.phones.phones import draw_phones
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import (
    SeenActs,
    bits_of,
    entropy_of,
    few_bits_differ,
    link,
    near,
    near_on_a_circle,
    same,
)
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.bluetrace.tempid import TempID, TempIDIssuer
from tracetogether.bluetrace.token_text import TOKEN_BYTES, raw_of_texts, texts_of_raw
from tracetogether.bluetrace.upload import write_upload
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, UPLOAD_BUCKETS
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Ints

START: Final = 1_593_590_400
"""2020-07-01 08:00 UTC."""
_CROWD: Final = ("party", {"people.count": "20", "duration_s": "2400", "adoption": "1"})
_DAYS: Final = 5
"""TempIDs of each person that a stranger sees, on as many days or on one."""
_WINDOWS: Final = 40  # the first ten hours of a batch, which end on the same UTC day
_TURNS: Final = 4

_LOGS: Final = 60
_FEWEST, _MOST = 20, 5_000  # records of an upload
Pack = Callable[[bytes], bytes]
"""Packs a log as a phone sends it."""


def tempid_rows(issuance: Issuance, users: Sequence[str], seed: int) -> list[LedgerRow]:
    """Play a stranger who reads TempIDs of phones.

    Args:
        issuance: the service that issues batches; its keys know ``START``.
        users: whose phones; the attacker knows whose TempIDs are whose for half of them.
        seed: of all draws.
    """
    people = len(users)
    streams = Streams(seed)
    chance = streams.generator("ledger", "strangers")
    across: list[list[TempID]] = [[] for _ in range(_TURNS)]
    within = []
    for user in users:
        batches = [
            issuance.batch(user, START + day * SECONDS_PER_DAY).tempids for day in range(_DAYS)
        ]
        for turn in across:  # TempIDs of the same turn are of different days
            shown = chance.integers(_WINDOWS, size=_DAYS).tolist()
            turn += [batch[window] for batch, window in zip(batches, shown, strict=True)]
        within += [batches[0][window] for window in chance.permutation(_WINDOWS)[:_DAYS].tolist()]
    person = np.repeat(np.arange(people), _DAYS)
    models = draw_phones(
        people, load_scenario(_CROWD[0]).phones, load_scenario(_CROWD[0]).channel, streams
    ).model
    rows = []
    turns = np.concatenate([person + turn * people for turn in range(_TURNS)])
    for what, tempids, whose, stopped in (
        ("of two days", list(chain.from_iterable(across)), turns, True),
        ("of one day", within, person, False),
    ):
        raw, _ = raw_of_texts([tempid.text for tempid in tempids])
        acts = SeenActs(
            whose,
            {
                "token": raw,
                "first": raw[:, :8].astype(np.float64) @ 256.0 ** np.arange(7, -1, -1),
                "moment": np.array([tempid.start for tempid in tempids], dtype=np.float64),
            },
            bits="token",
        )
        signals = {
            "few bits of the tokens differ": few_bits_differ("token"),
            "tokens are near as numbers": near("first"),
            "the same moment of change": near_on_a_circle("moment", BLUETRACE.validity_s),
        }
        rows.append(
            LedgerRow.of_link(
                f"TempIDs {what}",
                "stranger in the crowd",
                "whether two are of one phone"
                + ("" if stopped else ": not stopped, by the moment at which they change"),
                link(acts, signals, seed=seed),
                played=f"{people:,} phones, from the service's own batches.",
                budget=0.03 if stopped else 1.0,
                accepted=not stopped,
            )
        )
    named = SeenActs(person, {"model": np.repeat(np.array(models), _DAYS)})
    rows.append(
        LedgerRow.of_link(
            "phone model beside a TempID",
            "stranger in the crowd",
            "whether two are of one phone: not stopped, BlueTrace sends the model in clear "
            f"({entropy_of(models):.1f} bits of {len(set(models))} models, as assumed)",
            link(named, {"the same model": same("model")}, seed=seed),
            played=f"{people:,} phones with the models of the simulator.",
            budget=1.0,
            accepted=True,
        )
    )
    return rows


def log_rows(seed: int, pack: Pack) -> list[LedgerRow]:
    """Play a thief of a phone, and who watches or stores an upload, with the logs of a crowd.

    Args:
        seed: of the crowd.
        pack: packs a log as a phone sends it.
    """
    played = run(load_scenario(*_CROWD), seed=seed, fidelity="vectorized")
    logs = played.logs
    if not isinstance(logs, ContactLogs):
        raise TypeError(type(logs))
    return [
        _linked_in_a_log(played, logs, seed),
        _opened_by_a_thief(logs, seed),
        *_uploads(played, logs, seed, pack),
    ]


def _linked_in_a_log(played: Run, logs: ContactLogs, seed: int) -> LedgerRow:
    """Play a thief who asks which TempIDs of a stolen log are of one person."""
    models = np.array(played.phones.model)
    rows = []
    for owner in logs.app.tolist():
        mine = np.flatnonzero(logs.owner == owner)
        tokens, first = np.unique(logs.token[mine], return_index=True)
        rows.append(np.column_stack([np.full(len(tokens), owner), tokens, logs.peer[mine[first]]]))
    table = np.concatenate(rows)
    level, began = np.empty(len(table)), np.empty(len(table))
    for row, (owner, token, _) in enumerate(table.tolist()):
        heard = (logs.owner == owner) & (logs.token == token)
        level[row], began[row] = logs.rssi_dbm[heard].mean(), logs.time[heard].min()
    pair = table[:, 0] * len(models) + table[:, 2]  # a person in a log
    _, person = np.unique(pair, return_inverse=True)
    acts = SeenActs(person, {"model": models[table[:, 2]], "level": level, "began": began})
    signals = {
        "the same model": same("model"),
        "as loud": near("level"),
        "begun at the same moment": near_on_a_circle("began", BLUETRACE.validity_s),
    }
    return LedgerRow.of_link(
        "contact log",
        "thief of the phone",
        "whether two TempIDs in it are of one person: not stopped, by model and signal",
        link(acts, signals, seed=seed),
        played=f"Logs of {len(logs.app)} people at a party of 40 minutes.",
        budget=1.0,
        accepted=True,
    )


def _opened_by_a_thief(logs: ContactLogs, seed: int) -> LedgerRow:
    """Play a thief who tries to open TempIDs with keys of another authority."""
    keys = KeyRing.generate(
        START - SECONDS_PER_DAY, entropy=Streams(seed).entropy("ledger", "thief")
    )
    issuer = TempIDIssuer(keys, logs.organisation[0])
    texts = [bytes(row).decode("ascii") for row in logs.tokens]
    opened = 0
    for text in texts:
        opened += not isinstance(issuer.open(text, START), Rejection)
    share = opened / len(texts)
    return LedgerRow(
        feature="contact log",
        actor="thief of the phone",
        learns="who the people in it are",
        bits=share * float(np.log2(len(logs.app))),
        budget=0.0,
        accepted=False,
        played=f"{len(texts)} TempIDs, tried with keys of the thief's own: {opened} opened.",
    )


def _uploads(played: Run, logs: ContactLogs, seed: int, pack: Pack) -> list[LedgerRow]:
    people = played.tracks.people
    met = np.array([len(np.unique(logs.peer[logs.owner == owner])) for owner in logs.app.tolist()])
    # The ways to choose whom among the others, as a power of 2.
    ways = gammaln(people) - gammaln(met + 1) - gammaln(people - met)
    chance = Streams(seed).generator("ledger", "uploads")
    records = np.rint(_FEWEST * (_MOST / _FEWEST) ** chance.random(_LOGS)).astype(np.int64)
    sizes = np.array([len(pack(_log_of(count, chance))) for count in records.tolist()])
    score = _larger_is_guessed(sizes, records)
    return [
        LedgerRow(
            feature="upload",
            actor="network, thief of the database",
            learns="which of two logs holds more, by its size: not stopped, but sizes are "
            f"filled up to one of {len(UPLOAD_BUCKETS)}",
            bits=bits_of(score, 0.5),
            budget=1.0,
            accepted=True,
            played=f"{_LOGS} logs of {_FEWEST:,} to {_MOST:,} records as phones pack them: "
            f"{len(set(sizes.tolist()))} sizes.",
            score=score,
            chance=0.5,
        ),
        LedgerRow(
            feature="upload",
            actor="authority",
            learns="which people the case met: this is its purpose",
            bits=float((ways / np.log(2)).mean()),
            budget=float(people),
            accepted=True,
            played=f"Logs of {len(logs.app)} people: {met.mean():.1f} people in each, opened.",
        ),
    ]


def _log_of(records: int, chance: np.random.Generator) -> bytes:
    """Return a log with as many records; each tenth has a new TempID."""
    raw = chance.integers(256, size=(records // 10 + 1, TOKEN_BYTES)).astype(np.uint8)
    tokens = [bytes(row).decode("ascii") for row in texts_of_raw(raw)]
    levels = chance.integers(-95, -45, size=records).tolist()
    return write_upload(
        Sighting(
            START + 60.0 * row,
            tokens[row // 10],
            float(level),
            peer_model="Pixel 3a",
            organisation="SG_MOH",
        )
        for row, level in enumerate(levels)
    )


def _larger_is_guessed(sizes: Ints, records: Ints) -> float:
    """Return how often the larger of two logs is the one that holds more; a tie is a guess."""
    first, second = np.triu_indices(len(sizes), k=1)
    more = np.sign(records[first] - records[second])
    larger = np.sign(sizes[first] - sizes[second])
    asked = more != 0
    return float(np.where(larger == 0, 0.5, larger == more)[asked].mean())

"""What records handed over to another authority tell it, and what its answers tell back.

An hour's batch is made by the service's own code from the logs of many cases: times to 10 seconds,
in a random order. An attacker at the partner guesses which records are of one log. What the batch
must hold, times, levels and models, tells much of that; the order must tell nothing. Assumed: each
case met its people at random moments of two weeks, and half of them together with the one before.

The answers are counts cut to multiples of five, after a keyed number from 0 to 4 is added. An
attacker who sends one more TempID sees a change in one of five counts.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import SeenActs, bits_of, link, near, same
from tracetogether.authority.handover.rows import AnswerCount
from tracetogether.authority.handover.taking import TAKEN
from tracetogether.authority.partners.batches import RecordAnswers, read_message
from tracetogether.authority.partners.record_keys import RecordKeys
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.token_text import TOKEN_BYTES, texts_of_raw
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.parameters import RECORDS_ANSWER_STEP
from tracetogether.sightings import Sighting
from tracetogether.signed.trust import RECORDS, TrustedKey
from tracetogether.units import SECONDS_PER_DAY, utc_day

CASES: Final = 1_200
PEOPLE_EACH: Final = 4
PARTNERS: Final = 400
_DAYS: Final = 14
_TOGETHER_S: Final = 900.0
_MODELS: Final = 14
_SPREAD: Final = 0.04  # of a share over some hundred counts
_FEATURE: Final = "records for another authority"


def record_rows(
    authority: Authority,
    now: float,
    seed: int,
    *,
    users: int,
    cases: int = CASES,
    partners: int = PARTNERS,
) -> list[LedgerRow]:
    """Return what records for a partner, and its answers, tell whom.

    Args:
        authority: its keys sign the answers.
        now: epoch seconds.
        seed: of all draws.
        users: how many people the partner has.
        cases: how many cases' logs are in the batch.
        partners: how many counts are answered.
    """
    logs = _logs(cases, now, seed)
    entropy = Streams(seed).entropy("ledger", "records")
    batch = ForeignRecords.concat(logs).once().shuffled(entropy)
    read = ForeignRecords.read(batch.write())
    case_of = {token.tobytes(): case for case, log in enumerate(logs) for token in log.token}
    seen = SeenActs(
        np.array([case_of[token.tobytes()] for token in read.token]),
        {
            "order": np.arange(len(read)),
            "time": read.time,
            "model": read.model_central.codes,
            "level": read.rssi_dbm,
            "token": read.token,
        },
        bits="token",
    )
    stays = SeenActs(seen.person, {"order": seen.seen["order"], "token": read.token}, bits="token")
    played = f"A batch with one record of each of {len(read):,} people, whom {cases:,} cases met."
    return [
        LedgerRow.of_link(
            _FEATURE, "partner",
            "whether two records come from one log, judged by order and TempIDs",
            link(stays, {"they stand near each other": near("order")}, seed=seed),
            played=played,
        ),
        LedgerRow.of_link(
            _FEATURE, "partner",
            "the same, judged by times, levels and models, which the partner needs: not stopped",
            link(
                seen,
                {
                    "their times are near": near("time"),
                    "one model measured both": same("model"),
                    "their levels are near": near("level"),
                },
                seed=seed,
            ),
            played=played, budget=1.0, accepted=True,
        ),
        LedgerRow(
            feature=_FEATURE, actor="partner",
            learns=f"which of its {users:,} people a record is of, when and how near: its purpose",
            bits=float(np.log2(users)), budget=float(np.log2(users)), accepted=True,
            played="The partner opens the TempIDs with its own keys. A batch has no field for an "
            "uploader, a case or a place.",
        ),
        _answers_row(authority, now, partners),
    ]  # fmt: skip


def _logs(cases: int, now: float, seed: int) -> list[ForeignRecords]:
    """Return each case's records of a partner's people, one of each person."""
    chance = Streams(seed).generator("ledger", "records of cases")
    found = []
    for _ in range(cases):
        at = now - _DAYS * SECONDS_PER_DAY * chance.random(PEOPLE_EACH)
        for row in range(1, PEOPLE_EACH):
            if chance.random() < 0.5:
                at[row] = at[row - 1] + _TOGETHER_S * (chance.random() - 0.5)
        raw = chance.integers(256, size=(PEOPLE_EACH, TOKEN_BYTES)).astype(np.uint8)
        mine = f"Model {chance.integers(_MODELS)}"
        rows = [
            Sighting(
                float(at[row]),
                token.tobytes().decode("ascii"),
                float(chance.integers(-95, -45)),
                peer_model=f"Model {chance.integers(_MODELS)}",
                observer_model=mine,
                organisation="AU_DTA",
            )
            for row, token in enumerate(texts_of_raw(raw))
        ]
        records = parse_upload(write_upload(rows)).records
        found.append(ForeignRecords.of_log(records, np.arange(len(records))))
    return found


def _answers_row(authority: Authority, now: float, partners: int) -> LedgerRow:
    """Play a sender who adds one TempID, and must say from the answer whether it was a person's."""
    key = RecordKeys(authority.passes.keys).signing()
    row = TrustedKey(
        kid=key.public.kid,
        key=key.public,
        organisation=authority.partners.organisation,
        region="",
        purposes=frozenset({RECORDS}),
        from_time=1,
        until_time=now + 3 * SECONDS_PER_DAY,
    )
    tomorrow = now + SECONDS_PER_DAY
    store = authority.store.handing

    def answered(name: str) -> int:
        message = read_message(authority.record_taking.answers_for(name, tomorrow), [row])
        return sum(message.counts.values()) if isinstance(message, RecordAnswers) else 0

    changed = 0
    for number in range(partners):
        name = f"PARTNER_{number}"
        count = AnswerCount(name, utc_day(now), ours=True, reason=TAKEN, count=40)
        store.count_answers([count])
        before = answered(name)
        store.count_answers([replace(count, count=1)])
        changed += answered(name) != before
    score = 0.5 + changed / partners / 2
    most = bits_of(0.5 + 0.5 / RECORDS_ANSWER_STEP + _SPREAD, 0.5)
    return LedgerRow(
        feature="answers about records", actor="sender",
        learns="whether one TempID more was of a person: in one of five counts, not stopped",
        bits=bits_of(score, 0.5), budget=most, accepted=True,
        played=f"{partners} counts of a day, each with one TempID more: {changed} answers change.",
        score=score, chance=0.5,
    )  # fmt: skip

"""What passes tell gates, an authority, a partner, a thief and the public, played with real passes.

Passes are those that the authority issues: its numbers, its keys of the week, its texts. Phones
show them with their own wallet, whose clock is up to two minutes wrong. Gates keep every text, with
their own time, and compare notes. The times at which people come are drawn at random. Habits, such
as the same train every morning, are seen at any gate, and no pass hides them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.leaks_of_restrictions import figures_row, restrict
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import (
    LinkedActs,
    SeenActs,
    Signal,
    few_bits_differ,
    link,
    near,
    near_on_a_circle,
    same,
    tell_apart,
)
from tracetogether.authority.access.permissions import Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.authority.status.declarations import SealedDeclaration
from tracetogether.authority.status.numbers import hour_of, numbers_of_hours, numbers_still_valid
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.passes import Pass
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.healthcode.verdicts import Admitted
from tracetogether.healthcode.wallet import HeldPass, Wallet
from tracetogether.healthcode.writing import PassWriter
from tracetogether.parameters import PASSES
from tracetogether.signed import cose, hcert
from tracetogether.signed.claims import read_claims
from tracetogether.signed.trust import TrustList
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Floats, Ints, utc_day

SHOWINGS: Final = 5
"""Passes that each person shows."""
DECLARATIONS: Final = 40_000
"""Sealed declarations that a thief tells apart."""
_RESTRICTED: Final = 40
_TOGETHER: Final = 10
_NEIGHBOURS: Final = 21
_CLOCK_SD_S: Final = 40.0
_ACCEPTED: Final = 1.0

_SIGNALS: Final[dict[str, Signal]] = {
    "the numbers are near": near("value"),
    "few bits of the numbers differ": few_bits_differ("number"),
    "few bits of the signatures differ": few_bits_differ("signature"),
    "the texts are equally long": same("length"),
    "the same key of the week": same("kid"),
    "shown as early before the hour": near("early"),
    "shown at the same minute": near_on_a_circle("time", SECONDS_PER_HOUR),
    "shown in the same order": near("order"),
    "shown at about the same time": near("time"),
}


@dataclass(frozen=True, slots=True)
class Showings:
    """Passes that were shown to gates.

    Attributes:
        person: (n,) index into the users.
        time: (n,) the gates' time, epoch seconds.
        texts: n texts of codes.
    """

    person: Ints
    time: Floats
    texts: Sequence[str]

    def seen(self) -> SeenActs:
        """Return what gates that keep everything have of them."""
        read = [cose.read(hcert.from_text(text)) for text in self.texts]
        passes = [
            Pass.from_claims(read_claims(message.payload, most_bytes=hcert.MOST_BYTES))
            for message in read
        ]
        numbers = np.array([list(found.number) for found in passes if found], dtype=np.uint8)
        begins = np.array([found.not_before for found in passes if found], dtype=np.float64)
        order = np.argsort(np.argsort(self.time, kind="stable"), kind="stable")
        return SeenActs(
            self.person,
            {
                "number": numbers,
                "value": numbers.astype(np.float64) @ 256.0 ** np.arange(7, -1, -1),
                "signature": np.array([list(message.signature) for message in read], np.uint8),
                "length": np.array([len(text) for text in self.texts]),
                "kid": np.array([list(message.kid or b"") for message in read], np.uint8),
                "early": np.maximum(begins - self.time, 0.0),
                "time": self.time,
                "order": order % 100,
            },
            bits="number",
        )


def show_passes(
    authority: Authority, users: Sequence[str], start: float, span_s: float, seed: int
) -> Showings:
    """Let each user show passes at random times within ``span_s`` seconds from ``start`` on."""
    chance = Streams(seed).generator("ledger", "gates", str(span_s))
    keys, organisation = authority.passes.keys, authority.passes.organisation
    signers = authority.passes.signing.of_days(range(utc_day(start), utc_day(start + span_s) + 2))
    person, times, shown = [], [], []
    for index, user in enumerate(users):
        most_s = PASSES.clock_skew_s
        wrong_s = float(np.clip(_CLOCK_SD_S * chance.normal(), -most_s, most_s))
        moments = np.sort(start + span_s * chance.random(SHOWINGS))
        at_phone = (moments + wrong_s).tolist()
        hours = sorted({hour_of(at + ahead) for at in at_phone for ahead in (0, most_s)})
        held = (
            HeldPass("", number.hex(), hour * SECONDS_PER_HOUR, (hour + 1) * SECONDS_PER_HOUR)
            for hour, number in numbers_of_hours(keys, user, hours)
        )
        wallet = Wallet(tuple(held))
        for now in moments.tolist():
            chosen, wallet = wallet.choose(now + wrong_s, entropy=chance.bytes)
            if chosen is None:
                raise AssertionError(now)
            person.append(index)
            times.append(now)
            shown.append((chosen.not_before, chosen.expires, bytes.fromhex(chosen.number)))
    day = np.array([utc_day(begin) for begin, _, _ in shown])
    texts = np.empty(len(shown), dtype=object)
    for of, signer in signers.items():
        rows = np.flatnonzero(day == of).tolist()
        texts[rows] = PassWriter(organisation, signer.key).texts([shown[row] for row in rows])
    return Showings(np.array(person), np.array(times), texts.tolist())


def link_passes(shown: Showings, *, seed: int) -> LinkedActs:
    """Play gates that keep everything and say which passes were shown by one person."""
    return link(shown.seen(), _SIGNALS, seed=seed)


def pass_rows(
    authority: Authority,
    users: Sequence[str],
    now: float,
    seed: int,
    *,
    declarations: int = DECLARATIONS,
) -> list[LedgerRow]:
    """Return what passes tell whom.

    Args:
        authority: issues them; its keys know the days from ``now`` on.
        users: who shows passes.
        now: epoch seconds, a whole hour.
        seed: of all draws.
        declarations: how many declarations a thief has.
    """
    day = show_passes(authority, users, now, SECONDS_PER_DAY, seed)
    hour = show_passes(authority, users, now, SECONDS_PER_HOUR - 2 * PASSES.clock_skew_s, seed)
    people = f"{len(users):,} people show {SHOWINGS} passes each"
    together = "gates together"
    seen = day.seen()
    at_gates = link(seen, _SIGNALS, seed=seed)
    return [
        LedgerRow.of_link(
            "pass",
            together,
            "whether two passes were shown by one person",
            at_gates,
            played=f"{people} within a day.",
        ),
        LedgerRow.of_link(
            "pass, five times in one hour",
            together,
            "whether two passes were shown by one person: not stopped, the third repeats one",
            link_passes(hour, seed=seed),
            played=f"{people} within an hour, which has {PASSES.an_hour}.",
            budget=_ACCEPTED,
            accepted=True,
        ),
        *_verdict_rows(authority, users[0], now),
        _partner_row(authority, day, at_gates, people),
        _collusion_row(authority, users, day, seen),
        _paper_row(authority, users[:_RESTRICTED], now, seed),
        *_revocation_rows(authority, users, now, seed),
        _declaration_row(authority, users, now, declarations),
        figures_row(authority, users[:_NEIGHBOURS], now),
    ]


def _lists(authority: Authority, now: float) -> tuple[TrustList, RevocationList]:
    key = authority.passes.signing.of_lists().public
    return (
        TrustList.read(authority.passes.trust_list(now), key),
        RevocationList.read(authority.passes.revocation_list(now), key),
    )


def _verdict_rows(authority: Authority, user: str, now: float) -> list[LedgerRow]:
    """Play a valid pass, one of the last hour, and one of a person restricted since."""
    passes = authority.passes.batch(user, now).passes
    trust, none = _lists(authority, now)
    listed = set(numbers_still_valid(authority.passes.keys, user, now))
    valid = check(passes[0], trust, none, now)
    revoked = check(passes[0], trust, listed, now)
    expired = check(passes[0], trust, none, now + SECONDS_PER_HOUR)
    words = {verdict.for_guard for verdict in (revoked, expired)}
    reasons = {verdict.reason for verdict in (revoked, expired)}
    told = float(valid.for_guard != revoked.for_guard)
    return [
        LedgerRow(
            feature="pass", actor="gate",
            learns="whether the holder has a pass now: its purpose",
            bits=told, budget=1.0, accepted=True,
            played="A valid pass, and the same one of a person restricted since.",
        ),
        LedgerRow(
            feature="refused pass", actor="guard",
            learns="why: expired, or revoked",
            bits=float(np.log2(len(words))), budget=0.0, accepted=False,
            played=f"A pass of the last hour and a revoked one: the words {sorted(words)}.",
        ),
        LedgerRow(
            feature="refused pass", actor="operator of a gate",
            learns="why: expired, or revoked; not stopped, the lists are public",
            bits=float(np.log2(len(reasons))), budget=1.0, accepted=True,
            played=f"The same two: the reasons {sorted(reasons)}.",
        ),
        LedgerRow(
            feature="showing a pass", actor="authority",
            learns="where and when a pass is shown",
            bits=0.0 if isinstance(valid, Admitted) else 1.0, budget=0.0, accepted=False,
            played="A gate judges by text, lists and clock alone: nothing is sent.",
        ),
        LedgerRow(
            feature="passes on a phone", actor="thief of the phone",
            learns="whether the owner has passes, and can show "
            f"{len(passes)} of them until they end: not stopped",
            bits=1.0, budget=1.0, accepted=True,
            played="The batch of one phone as its wallet holds it.",
        ),
    ]  # fmt: skip


def _partner_row(
    authority: Authority, shown: Showings, linked: LinkedActs, people: str
) -> LedgerRow:
    """Play a gate of another authority, which holds this one's keys and nothing else."""
    ours, _ = _lists(authority, float(shown.time.min()))
    partner = TrustList([replace(row, region="partner") for row in ours.keys])
    admitted = [
        isinstance(check(text, partner, (), time), Admitted)
        for text, time in zip(shown.texts[:200], shown.time[:200].tolist(), strict=True)
    ]
    return LedgerRow.of_link(
        "pass of another authority",
        "partner",
        "whether two passes were shown by one person, beside whose passes they are",
        linked,
        played=f"{people} at the partner's gates; {sum(admitted)} of {len(admitted)} admitted by "
        "keys alone.",
    )


def _collusion_row(
    authority: Authority, users: Sequence[str], shown: Showings, seen: SeenActs
) -> LedgerRow:
    """Play an authority that gets the numbers which gates kept."""
    hours = range(hour_of(float(shown.time.min())), hour_of(float(shown.time.max())) + 2)
    owner = {
        number: index
        for index, user in enumerate(users)
        for _, number in numbers_of_hours(authority.passes.keys, user, hours)
    }
    numbers = seen.seen["number"].astype(np.uint8)
    right = sum(
        owner.get(number.tobytes()) == index
        for number, index in zip(numbers, shown.person.tolist(), strict=True)
    )
    share = right / len(numbers)
    return LedgerRow(
        feature="pass", actor="authority and gates together",
        learns="who showed each pass, and so where everybody was: not stopped for 25 days",
        bits=max(float(np.log2(share * len(users))), 0.0) if right else 0.0,
        budget=float(np.log2(len(users))), accepted=True,
        played=f"{len(numbers):,} numbers that gates kept, computed for {len(users):,} users.",
        score=share, chance=1 / len(users),
    )  # fmt: skip


def _paper_row(authority: Authority, users: Sequence[str], now: float, seed: int) -> LedgerRow:
    """Play people who show the same paper twice."""
    by = Caller("ledger", frozenset({Role.ISSUER}))
    papers = [authority.passes.paper(now, "no phone", user_id=user, by=by).text for user in users]
    person = np.repeat(np.arange(len(users)), 2)
    time = now + SECONDS_PER_HOUR * Streams(seed).generator("ledger", "paper").random(len(person))
    shown = Showings(person, time, [papers[index] for index in person.tolist()])
    return LedgerRow.of_link(
        "pass on paper", "gates together",
        "whether two papers shown are of one person: not stopped for its seven days",
        link_passes(shown, seed=seed),
        played=f"{len(users)} people show one paper twice.",
        budget=_ACCEPTED, accepted=True,
    )  # fmt: skip


def _revocation_rows(
    authority: Authority, users: Sequence[str], now: float, seed: int
) -> list[LedgerRow]:
    """Play gates that compare each list of revoked passes with the one before."""
    rows = []
    for part, together in enumerate((1, _TOGETHER)):
        some = users[part * _RESTRICTED : (part + 1) * _RESTRICTED]
        found = _refused_and_listed(authority, some, together, now, seed)
        rows.append(
            LedgerRow.of_link(
                f"revocation, {together} in a quarter of an hour",
                "gates together",
                "whether two refused passes are of one person: not stopped, an edition of the list "
                "shows which numbers are new",
                link(found, {"new in the same list": same("list"), **_OF_NUMBERS}, seed=seed),
                played=f"{len(some)} people, {together} restricted before each edition, whose "
                "phones show passes of later hours.",
                budget=_ACCEPTED,
                accepted=True,
            )
        )
    listed = users[-3 * _RESTRICTED :]
    whole = _one_list(authority, listed, now)
    rows.append(
        LedgerRow.of_link(
            "list of revoked passes",
            "public",
            "whether two numbers are of one person; the number of restricted people is public",
            link(whole, _OF_NUMBERS, seed=seed),
            played=f"One list of {len(whole.person):,} numbers of {len(listed)} people.",
        )
    )
    return rows


_OF_NUMBERS: Final[dict[str, Signal]] = {
    "the numbers are near": near("value"),
    "few bits of the numbers differ": few_bits_differ("number"),
    "near in the list": near("place"),
}


def _edition(at: float) -> float:
    """Return the time of the next edition of the list of revoked passes, epoch seconds."""
    return -(-at // PASSES.revoked_every_s) * PASSES.revoked_every_s


def _refused_and_listed(
    authority: Authority, users: Sequence[str], together: int, now: float, seed: int
) -> SeenActs:
    """Restrict people group by group, one for each edition; their phones show later passes.

    Returns:
        Refused showings, with the number of the first list that each number was in.
    """
    chance = Streams(seed).generator("ledger", "revoked", str(together))
    keys, store = authority.passes.keys, authority.store.status
    values, seen_in, person = [], [], []
    known: set[int] = set()
    first_list: dict[int, int] = {}
    added = []
    for group, begin in enumerate(range(0, len(users), together)):
        at = _edition(now) + group * PASSES.revoked_every_s
        added += [restrict(authority, user, at) for user in users[begin : begin + together]]
        _, revoked = _lists(authority, at)
        fresh = set(revoked.numbers.tolist()) - known
        known |= fresh
        first_list |= dict.fromkeys(fresh, group)
    editions = -(-len(users) // together)
    first = hour_of(_edition(now) + editions * PASSES.revoked_every_s) + 1
    for index, user in enumerate(users):
        held = [number for _, number in numbers_of_hours(keys, user, range(first, first + 10))]
        for choice in chance.permutation(len(held))[:SHOWINGS].tolist():
            value = int.from_bytes(held[choice])
            values.append(held[choice])
            seen_in.append(first_list.get(value, -1))
            person.append(index)
    for restriction_id in added:
        restriction = store.restriction(restriction_id)
        if restriction is not None:
            store.change_restriction(replace(restriction, ended_at=now, ended_by="ledger"))
    return _numbers_seen(np.array(person), values, {"list": np.array(seen_in)})


def _one_list(authority: Authority, users: Sequence[str], now: float) -> SeenActs:
    """Return the numbers of one list, as the public has them."""
    later = _edition(now + SECONDS_PER_HOUR)
    for user in users:
        restrict(authority, user, later, "one list")
    _, revoked = _lists(authority, later)
    owner = {
        int.from_bytes(number): index
        for index, user in enumerate(users)
        for number in numbers_still_valid(authority.passes.keys, user, later)
    }
    person = np.array([owner[value] for value in revoked.numbers.tolist()])
    numbers = [value.to_bytes(8) for value in revoked.numbers.tolist()]
    return _numbers_seen(person, numbers, {})


def _numbers_seen(person: Ints, numbers: Sequence[bytes], more: Mapping[str, Ints]) -> SeenActs:
    table = np.array([list(number) for number in numbers], dtype=np.uint8)
    value = table.astype(np.float64) @ 256.0 ** np.arange(7, -1, -1)
    place = np.argsort(np.argsort(value))
    return SeenActs(person, {"number": table, "value": value, "place": place, **more})


class _StolenDeclarations:
    """A store of declarations from which a thief copies every row that is ever written."""

    def __init__(self) -> None:
        self.sealed: list[bytes] = []
        self._latest: dict[str, SealedDeclaration] = {}

    def put_declaration(self, declaration: SealedDeclaration) -> None:
        self.sealed.append(declaration.sealed)
        self._latest[declaration.user_id] = declaration

    def declaration(self, user_id: str) -> SealedDeclaration | None:
        return self._latest.get(user_id)

    def drop_declarations(self, before_day: int) -> int:
        old = [user for user, kept in self._latest.items() if kept.day < before_day]
        for user in old:
            del self._latest[user]
        return len(old)


def _declaration_row(
    authority: Authority, users: Sequence[str], now: float, count: int
) -> LedgerRow:
    """Play a thief of the database, who knows what some people declared."""
    kept = _StolenDeclarations()
    of_all = replace(authority.declarations, store=kept)
    symptoms = (np.arange(count) + np.arange(count) // len(users)) % 2 == 0
    for row, ill in enumerate(symptoms.tolist()):
        of_all.declare(users[row % len(users)], now, symptoms=ill)
    sealed = {
        kind: [kept.sealed[row] for row in np.flatnonzero(symptoms == kind).tolist()]
        for kind in (True, False)
    }
    lengths = {len(row) for rows in sealed.values() for row in rows}
    first, second = (
        np.array([list(row.ljust(max(lengths), b"\0")) for row in sealed[kind]], dtype=np.uint8)
        for kind in (True, False)
    )
    return LedgerRow.of_link(
        "declaration",
        "thief of the database",
        "whether a person declared symptoms",
        tell_apart(first, second),
        played=f"{sum(map(len, sealed.values())):,} sealed declarations, half with symptoms; "
        f"lengths: {sorted(lengths)} bytes.",
    )

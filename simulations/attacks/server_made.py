"""Deployments where the server judges: BlueTrace and ROBERT, whose tokens it makes, and DESIRE."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from simulations.attacks.deployment import (
    BEGIN,
    KEPT_S,
    LISTENER,
    DayTokens,
    TokensHeard,
    bears_mark,
    heard_log,
    marked,
    nothing_of,
    numbers_of,
    of_phones,
)
from simulations.streams import Streams
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.bluetrace.tempid import ACCEPTED, PLAIN_BYTES, TempIDIssuer, new_user_id
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.crypto import IV_BYTES
from tracetogether.desire.keys import EPOCH_S, ebid_of, encounter_tokens_many
from tracetogether.desire.tracing import DesireTracing
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.parameters import BLUETRACE
from tracetogether.robert import keys as robert
from tracetogether.robert.air import RENEWED_S
from tracetogether.robert.report import HelloRecords
from tracetogether.robert.skinny import decrypt_blocks
from tracetogether.robert.tracing import RobertTracing
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Floats, Ints

FIRST_DAY: Final = BEGIN // SECONDS_PER_DAY
_ROBERT_AHEAD_DAYS: Final = 4
"""A phone of ROBERT fetches its tokens for these days ahead."""


class _ServerMade(DayTokens):
    """What both share: cases upload what they heard, and the server opens it."""

    reported: Sightings | None = None

    def hand_over(
        self,
        ill: Sequence[int],
        log: Sightings,
        *,
        since: float,
        until: float,
        published: float,
        at_once: bool = False,
    ) -> None:
        """Let diagnosed people upload what they heard in [since, until); nothing is published."""
        del published, at_once
        mine = of_phones(log, ill)
        self.reported = mine.take((mine.time >= since) & (mine.time < until))

    def warned(self, log: Sightings) -> Sightings:
        """Return the readings of cases: those that they heard are warned."""
        if self.reported is None:
            return nothing_of(log)
        found = self.opened(self.reported)
        return found.replaced(observer=found.peer, peer=found.observer)

    def recognised(self, archive: Sightings) -> Sightings:
        """Return nothing: nothing is public."""
        return nothing_of(archive)

    @abstractmethod
    def opened(self, archive: Sightings) -> Sightings:
        """Return the rows of an archive that the server opens; the peer is the phone's number."""

    def opened_without_keys(self, archive: Sightings) -> Sightings:
        """Return what the same server opens with keys of the thief's own."""
        return type(self)(Streams(self.streams.seed + 1), self.phones, self.days).opened(archive)

    def learnt(self, phone: int, log: Sightings) -> list[Floats]:
        """Return all times of a phone's log if the phone is warned: it gets no more than that."""
        return _one_answer(self, phone, log)

    def contacts_learnt(self) -> set[tuple[int, int]]:
        """Return whom each case heard: the server opens every token of an upload."""
        if self.reported is None:
            return set()
        found = self.opened(self.reported)
        cases, heard = numbers_of(found.observer), numbers_of(found.peer)
        return set(zip(cases.tolist(), heard.tolist(), strict=True))

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return nothing: only the server can make a token."""
        del ill
        return [""] * len(times)

    def _held(self, archive: Sightings, phone: int, first: int, count: int) -> Sightings:
        """Return the rows that hold a token of a phone's days ``first`` to first + count - 1."""
        own = {
            token
            for day in range(max(first, 0), min(first + count, self.days))
            for token in self._of_day(phone, day)
        }
        return archive.take(np.array([name in own for name in archive.peer.to_list()], bool))


class BlueTraceDeployment(_ServerMade):
    """The server makes and opens TempIDs.

    Attributes:
        ring: the server's keys; a day's are destroyed after 25 days.
    """

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days)
        self.ring = KeyRing((FIRST_DAY, streams.entropy("ring")(32)))
        self._ivs = streams.entropy("ivs")
        self.issuer = TempIDIssuer(self.ring, entropy=self._ivs)
        # Of the service that issues batches only ``batch`` is used, which stores nothing.
        nothing = cast("Any", None)
        self._service = Issuance(self.issuer, nothing, self.ring, nothing, nothing, nothing)
        entropy = streams.entropy("users")
        self.users = [new_user_id(entropy) for _ in range(phones)]

    def next_change(self, phone: int, after: float) -> float:
        """Return the end of the current TempID, as the authority's service issues batches."""
        batch = self._service.batch(self.users[phone], after + BLUETRACE.early_start_s)
        return float(next(tempid.expiry for tempid in batch.tempids if tempid.expiry > after))

    def opened(self, archive: Sightings) -> Sightings:
        """Return what the server believes; the peer is the number of the person's phone."""
        texts = [name or "" for name in archive.peer.to_list()]
        found = self.issuer.open_many(texts, archive.time)
        rows = np.flatnonzero(found.rejection == ACCEPTED)
        known = {user: str(number) for number, user in enumerate(self.users)}
        names = tuple(known[user] for user in found.user.names)
        return archive.take(rows).replaced(peer=Labels(found.user.codes[rows], names))

    def tagged(self, phone: int, times: Floats, tag: bytes) -> list[str]:
        """Return TempIDs whose IV is a mark: the server draws it, and sends it in clear."""

        def mark(size: int) -> bytes:
            return marked(self._ivs(size // 2), tag)

        found = []
        for time in times.tolist():
            begin = time - (time - BEGIN) % BLUETRACE.validity_s
            issued = self.issuer.issue(self.users[phone], begin, 1, entropy=mark)
            found.append(issued.tempids[0].text)
        return found

    def carries_tag(self, token: str, tag: bytes) -> bool:
        """Return whether the IV of a TempID is a mark."""
        raw, _ = raw_of_texts([token])
        return bears_mark(raw[0, PLAIN_BYTES : PLAIN_BYTES + IV_BYTES].tobytes(), tag)

    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows of the batch that the phone holds: that of the day, fetched at 0:00."""
        return self._held(archive, phone, int((now - 1 - BEGIN) // SECONDS_PER_DAY), 1)

    def _make(self, phone: int, day: int) -> list[str]:
        begin, each = BEGIN + day * SECONDS_PER_DAY, SECONDS_PER_DAY // BLUETRACE.validity_s
        return [tempid.text for tempid in self.issuer.issue(self.users[phone], begin, each)]


class RobertDeployment(_ServerMade):
    """The server makes EBIDs, the phone HELLOs with the time; only the server opens them."""

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days, token_s=RENEWED_S)
        entropy = streams.entropy("server")
        day_keys = {day: entropy(24) for day in range(FIRST_DAY - 1, FIRST_DAY + days + 2)}
        self.server = robert.ServerKeys(day_keys, entropy(32))
        self.registered = robert.Registrations.new(phones, entropy)
        self._hellos: dict[tuple[int, int], str] = {}
        self._tuples: dict[int, tuple[Bytes2D, Bytes2D]] = {}

    def opened(self, archive: Sightings) -> Sightings:
        """Return what the server believes; the peer is the number of the phone's id."""
        tracing = RobertTracing(self.server, self.registered)
        reports: list[HelloRecords] = []
        whose: list[str] = []
        for code, name in enumerate(archive.observer.names):
            rows = archive.take(archive.observer.codes == code)
            # A report is cut to 14 days before its end, so a longer archive comes in parts.
            while len(rows):
                until = float(rows.time.max()) + 1
                reports.append(tracing.report(None, rows, 0, until))
                whose.append(name)
                rows = rows.take(rows.time < until - KEPT_S)
        found = tracing.near(archive, tracing.publish(reports, 0), 0)
        number = {f"{int(id_):010x}": str(row) for row, id_ in enumerate(self.registered.id)}
        parts = [whose[int(name.removeprefix("case "))] for name in found.observer.names]
        names = tuple(dict.fromkeys(parts))  # parts of one observer's archive are one again
        table = np.array([*(names.index(part) for part in parts), -1], dtype=np.int32)
        return found.replaced(
            observer=Labels(table[found.observer.codes], names),
            peer=Labels(found.peer.codes, tuple(number[name] for name in found.peer.names)),
        )

    def tagged(self, phone: int, times: Floats, tag: bytes) -> list[str]:
        """Return HELLOs with EBIDs under a key that the outsider has too; the server keeps it."""
        ids = self.registered.id[phone : phone + 1]
        found = []
        for time in times.tolist():
            epoch = np.array([self.server.epoch_of(time)])
            ebid = robert.ebids(tag[:24], epoch, ids)
            ecc = robert.country_codes(self.server.federation, ebid, self.server.country)
            at, mac_key = robert.ntp_of(time), self.registered.mac_keys[phone]
            found.append(robert.hello(int(ecc[0, 0]), ebid.tobytes(), at, mac_key).hex())
        return found

    def carries_tag(self, token: str, tag: bytes) -> bool:
        """Return whether an EBID opens to an epoch of these days under the tag's key."""
        ebid = np.frombuffer(bytes.fromhex(token)[1:9], np.uint8).reshape(1, 8)
        word = int.from_bytes(decrypt_blocks(tag[:24], ebid).tobytes())
        first = self.server.epoch_of(BEGIN)
        return first <= word >> 40 < first + self.days * SECONDS_PER_DAY // robert.EPOCH_S

    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows of tokens that the phone still holds: those from ``now`` on."""
        first = int((now - BEGIN) // SECONDS_PER_DAY)
        held = self._held(archive, phone, first, _ROBERT_AHEAD_DAYS)
        return held.take(held.time >= now)

    def tokens(self, sender: Ints, sent: Floats) -> list[str]:
        """Return the HELLOs; each is made alone, for it costs a MAC."""
        slots = ((sent - BEGIN) // RENEWED_S).astype(np.int64)
        return [
            self._hello(phone, slot)
            for phone, slot in zip(sender.tolist(), slots.tolist(), strict=True)
        ]

    def _hello(self, phone: int, slot: int) -> str:
        known = self._hellos.get((phone, slot))
        if known is None:
            second = slot * RENEWED_S
            day, within = divmod(second, SECONDS_PER_DAY)
            ecc, ebid = (rows[phone, within // robert.EPOCH_S] for rows in self._tuples_of(day))
            time, mac_key = robert.ntp_of(BEGIN + second), self.registered.mac_keys[phone]
            said = robert.hello(int(ecc[0]), ebid.tobytes(), time, mac_key)
            known = self._hellos[phone, slot] = said.hex()
        return known

    def _tuples_of(self, day: int) -> tuple[Bytes2D, Bytes2D]:
        """Return country codes and EBIDs, (phones, epochs, 1 and 8): a day's are made together."""
        known = self._tuples.get(day)
        if known is None:
            each = SECONDS_PER_DAY // robert.EPOCH_S
            begin = self.server.epoch_of(BEGIN + day * SECONDS_PER_DAY)
            epochs = np.tile(begin + np.arange(each), self.phones)
            ids = np.repeat(self.registered.id, each)
            ebid = robert.ebids(self.server.day_keys[FIRST_DAY + day], epochs, ids)
            ecc = robert.country_codes(self.server.federation, ebid, self.server.country)
            known = ecc.reshape(self.phones, each, 1), ebid.reshape(self.phones, each, 8)
            self._tuples[day] = known
        return known

    def _make(self, phone: int, day: int) -> list[str]:
        each = SECONDS_PER_DAY // RENEWED_S
        return [self._hello(phone, day * each + slot) for slot in range(each)]


class DesireDeployment(DayTokens):
    """A phone keeps a token of each encounter, which only the two that met can compute."""

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days, token_s=EPOCH_S)
        self._drawn = self._secrets("secrets", days * SECONDS_PER_DAY // EPOCH_S, 32)
        self._tracing = DesireTracing()
        self._reported: Bytes2D | None = None
        self._ebids: dict[tuple[int, int], str] = {}

    def tokens(self, sender: Ints, sent: Floats) -> list[str]:
        """Return the EBIDs; each epoch's is computed alone, for it costs 40 microseconds."""
        epochs = ((sent - BEGIN) // EPOCH_S).astype(np.int64)
        return [
            self._ebid(phone, epoch)
            for phone, epoch in zip(sender.tolist(), epochs.tolist(), strict=True)
        ]

    def _ebid(self, phone: int, epoch: int) -> str:
        known = self._ebids.get((phone, epoch))
        if known is None:
            secret = self._drawn[phone, epoch].tobytes()
            known = self._ebids[phone, epoch] = ebid_of(secret).hex()
        return known

    def log(self, heard: TokensHeard) -> Sightings:
        """Return the encounter tokens of those who heard; a listener keeps the EBID alone."""
        texts = self.tokens(heard.sender, heard.sent)
        epoch = ((heard.heard - BEGIN) // EPOCH_S).astype(np.int64)
        at: dict[tuple[int, int], list[int]] = {}
        for row, place in enumerate(zip(heard.observer.tolist(), epoch.tolist(), strict=True)):
            if place[0] != LISTENER:
                at.setdefault(place, []).append(row)
        for (phone, number), rows in at.items():
            others = {texts[row]: bytes.fromhex(texts[row]) for row in rows}
            pairs = encounter_tokens_many(self._drawn[phone, number].tobytes(), [*others.values()])
            known = dict(zip(others, pairs, strict=True))
            for row in rows:
                texts[row] = b"".join(known[texts[row]] or ()).hex()
        return heard_log(heard, texts)

    def hand_over(
        self,
        ill: Sequence[int],
        log: Sightings,
        *,
        since: float,
        until: float,
        published: float,
        at_once: bool = False,
    ) -> None:
        """Let diagnosed people report their exposure tokens of [since, until)."""
        del at_once
        reports = [
            self._tracing.report(None, of_phones(log, [phone]), since, until) for phone in ill
        ]
        self._reported = self._tracing.publish(reports, published)

    def warned(self, log: Sightings) -> Sightings:
        """Return the readings whose request token a case reported."""
        if self._reported is None:
            return nothing_of(log)
        return self._tracing.near(log, self._reported, 0)

    def recognised(self, archive: Sightings) -> Sightings:
        """Return what the server would answer to a listener, who has no request token."""
        return self.warned(archive)

    def opened(self, archive: Sightings) -> Sightings:
        """Return the same: the server holds exposure tokens alone."""
        return self.warned(archive)

    def contacts_learnt(self) -> set[tuple[int, int]]:
        """Return what the server finds in the reports alone: tokens that name nobody."""
        found = self.warned(Sightings.from_rows([]))
        return {(-1, row) for row in range(len(found))}

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return nothing: a token needs the secret of one of the two."""
        del ill
        return [""] * len(times)

    def learnt(self, phone: int, log: Sightings) -> list[Floats]:
        """Return all times of a phone's log if it is warned: the server compares, and answers."""
        return _one_answer(self, phone, log)

    def met(self, first: int, second: int, log: Sightings, now: float) -> int:
        """Return how many readings hold the token that the other phone asks with."""
        del now
        names = {
            phone: [name or "" for name in of_phones(log, [phone]).peer.to_list()]
            for phone in (first, second)
        }
        asked = {phone: {name[64:] for name in heard} for phone, heard in names.items()}
        return sum(
            name[:64] in asked[other]
            for own, other in ((first, second), (second, first))
            for name in names[own]
        )

    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows of the current EBID: secrets of past epochs are gone."""
        (current,) = self.tokens(np.array([phone]), np.array([now - 1]))
        return archive.take(archive.peer == current)


def _one_answer(
    deployment: "_ServerMade | DesireDeployment", phone: int, log: Sightings
) -> list[Floats]:
    """Return the times of all that a phone heard, if the server's answer is that it is warned."""
    if not len(of_phones(deployment.warned(log), [phone])):
        return []
    return [of_phones(log, [phone]).time]

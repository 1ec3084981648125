"""The tokens of a crowd that speaks ROBERT: one server makes the EBIDs of all phones."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from simulations.phones.token_sources import TokenDraws, TokensByTime
from tracetogether.robert.air import HELLO_BYTES, RENEWED_S
from tracetogether.robert.exchange import RobertExchange
from tracetogether.robert.keys import (
    EPOCH_S,
    Registrations,
    ServerKeys,
    country_codes,
    ebids,
    hello,
    ntp_of,
)
from tracetogether.robert.report import HelloRecords
from tracetogether.robert.tracing import RobertTracing
from tracetogether.robert.tuples import TUPLE_DAYS, HelloTuples
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Floats, Ints

_DAYS_BEFORE: Final = 30  # the server has run for so long
_SERVER: Final = -1  # the number of the server among the people


class RobertTokens(TokensByTime):
    """HELLOs, which are made again every 3 minutes and tell their second.

    Phones hold the tuples of all epochs when the run begins, so that none has to fetch any.

    Args:
        draws: what the tokens depend on.
    """

    version = 2

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, 1)
        first, last = (int(time // SECONDS_PER_DAY) for time in (draws.begin_s, draws.end_s))
        entropy = draws.entropy(_SERVER, 0)
        days = range(first - 1, last + TUPLE_DAYS + 2)
        start = (first - _DAYS_BEFORE) * SECONDS_PER_DAY
        self._server = ServerKeys({day: entropy(24) for day in days}, entropy(32), start=start)
        self._ids: dict[int, bytes] = {}
        self._mac_keys: dict[int, bytes] = {}
        for person in draws.app.tolist():
            own = draws.entropy(person, 0)
            self._ids[person], self._mac_keys[person] = own(5), own(32)
        registered = Registrations.of(list(self._ids.values()), list(self._mac_keys.values()))
        self.after = RobertTracing(self._server, registered)
        self._of_ebid: dict[str, int] = {}
        self.power_dbm = float(int(draws.advertised_dbm))

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> RobertExchange:
        """Return the exchange of a phone that has the tuples of the run and of days after it."""
        del clock
        until = self.draws.end_s + (TUPLE_DAYS + 1) * SECONDS_PER_DAY / 2
        epochs = np.arange(
            self._server.epoch_of(self.draws.begin_s), self._server.epoch_of(until) + 1
        )
        phone = np.full(len(epochs), person)
        ebid = self._ebids(phone, epochs)
        ecc = country_codes(self._server.federation, ebid, self._server.country)
        rows = np.concatenate([ecc, ebid], axis=1)
        by_epoch = {epoch: row.tobytes() for epoch, row in zip(epochs.tolist(), rows, strict=True)}
        batch = HelloTuples(self._mac_keys[person], by_epoch, self._server.start)
        return RobertExchange(model=model, tx_power_dbm=int(self.power_dbm or 0), batch=batch)

    def changes_at(self, now: Floats) -> Floats:
        """Return (n,) when HELLOs shown at n times are made again, in their epoch."""
        epoch = np.floor_divide(now - self._server.start, EPOCH_S)
        return np.minimum(now + RENEWED_S, self._server.start + (epoch + 1.0) * EPOCH_S)

    def sender(self, token: str) -> int:
        """Return the person whose HELLO this text is; -1 for nobody's."""
        if not self._of_ebid:
            first = self._server.epoch_of(self.draws.begin_s)
            epochs = np.arange(first, self._server.epoch_of(self.draws.end_s) + 1)
            phone = np.repeat(self.draws.app, len(epochs))
            sent = self._ebids(phone, np.tile(epochs, len(self.draws.app)))
            texts = (row.tobytes().hex() for row in sent)
            self._of_ebid = dict(zip(texts, phone.tolist(), strict=True))
        return self._of_ebid.get(token[2:18], -1)

    def secrets(self, person: int) -> None:
        """Return None: a report is made of what the phone heard."""

    def people(self, reports: Mapping[int, HelloRecords], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; an observer is a case's number."""
        cases = {f"case {place}": person for place, person in enumerate(reports)}
        ids = {own.hex(): person for person, own in self._ids.items()}
        return near.observer.numbers(cases), near.peer.numbers(ids)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        epochs = (number - self._server.start) // EPOCH_S
        ebid = self._ebids(phone, epochs)
        ecc = country_codes(self._server.federation, ebid, self._server.country)
        columns = (ecc[:, 0].tolist(), ebid, number.tolist(), phone.tolist())
        made = b"".join(
            hello(code, row.tobytes(), ntp_of(second), self._mac_keys[person])
            for code, row, second, person in zip(*columns, strict=True)
        )
        return np.frombuffer(made, np.uint8).reshape(-1, HELLO_BYTES)

    def _ebids(self, phone: Ints, epochs: Ints) -> Bytes2D:
        """Return (n, 8) EBIDs of phones in epochs."""
        made = np.empty((len(epochs), 8), dtype=np.uint8)
        ids = {person: int.from_bytes(own) for person, own in self._ids.items()}
        of = np.array([ids[person] for person in phone.tolist()], dtype=np.uint64)
        days = self._server.day_of(epochs)
        for day in np.unique(days).tolist():
            rows = np.flatnonzero(days == day)
            made[rows] = ebids(self._server.day_keys[day], epochs[rows], of[rows])
        return made

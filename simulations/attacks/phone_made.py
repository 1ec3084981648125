"""Deployments whose phones make their tokens: GAEN, three designs of DP-3T, and TCN."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import numpy as np

from simulations.attacks.deployment import BEGIN, KEPT_S, PUBLISHED_AFTER_S, DayTokens, nothing_of
from simulations.streams import Streams
from tracetogether.diagnosis import AfterDiagnosis, tokens_as_text
from tracetogether.dp3t import keys as dp3t
from tracetogether.dp3t.report import NumberedSecrets, PublishedFilter, PublishedSecrets
from tracetogether.dp3t.tracing import HybridTracing, LowCostTracing, UnlinkableTracing
from tracetogether.gaen import keys as gaen
from tracetogether.gaen.air import ExposureMetadata, write_metadata
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.gaen.tracing import GaenTracing
from tracetogether.proximity.calibration import EXPOSURE_NOTIFICATION_TRANSMIT
from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import KEY_LIFE_S, numbers, states, verification_key
from tracetogether.tcn.report import NumberReport
from tracetogether.tcn.tracing import AuthorisationKey, TcnTracing
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Floats

FIRST_DAY: Final = BEGIN // SECONDS_PER_DAY
CLAIMED_DBM: Final = round(EXPOSURE_NOTIFICATION_TRANSMIT.nominal_dbm)
"""Transmit power that phones claim: -21 dBm, as the estimators' prior has it."""
_TCN_S: Final = 900

Own = TypeVar("Own")
Report = TypeVar("Report")
Published = TypeVar("Published")


class _PhoneMade(DayTokens, Generic[Own, Report, Published]):
    """What all share: own secrets are reported, published, and looked for in each phone's log."""

    tracing: AfterDiagnosis[Own, Report, Published]
    published: Published | None = None
    now: float = 0.0

    @abstractmethod
    def own(self, phone: int, until: float) -> Own:
        """Return the secrets that a phone keeps at ``until`` to report them."""

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
        """Let diagnosed people report [since, until), and the server publish at ``published``."""
        reports = [
            self.tracing.report(self.own(phone, until), nothing_of(log), since, until)
            for phone in ill
        ]
        self.now = published
        self.published = self.released(reports, published, at_once=at_once)

    def released(self, reports: Sequence[Report], now: float, *, at_once: bool) -> Published:
        """Return what the server publishes; all protocols but GAEN do it at once."""
        del at_once
        return self.tracing.publish(reports, now)

    def warned(self, log: Sightings) -> Sightings:
        """Return the readings that warn a phone: those of published secrets in its own log."""
        return self._found(log)

    def recognised(self, archive: Sightings) -> Sightings:
        """Return the rows of an archive that published secrets name, as for any phone."""
        return self._found(archive)

    def opened(self, archive: Sightings) -> Sightings:
        """Return the same: the server knows no secret but those that it publishes."""
        return self._found(archive)

    def contacts_learnt(self) -> set[tuple[int, int]]:
        """Return what the server finds without anybody's log, which stays on the phones."""
        found = self._found(Sightings.from_rows([]))
        return {(-1, row) for row in range(len(found))}

    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows that follow from the secrets which the phone keeps for a report."""
        report = self.tracing.report(self.own(phone, now), nothing_of(archive), now - KEPT_S, now)
        # The thief has what the phone would report, and so what would be published of it.
        later = now + PUBLISHED_AFTER_S
        return self.tracing.near(archive, self.tracing.publish([report], later), later)

    def _found(self, log: Sightings) -> Sightings:
        if self.published is None:
            return nothing_of(log)
        return self.tracing.near(log, self.published, self.now)


class GaenDeployment(_PhoneMade[DiagnosisKeys, DiagnosisKeys, DiagnosisKeys]):
    """A phone publishes a key for each day."""

    tracing = GaenTracing()

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days, token_s=gaen.INTERVAL_S)
        self._keys = self._secrets("keys", days, gaen.KEY_BYTES)

    def own(self, phone: int, until: float) -> DiagnosisKeys:
        """Return the keys of all days up to ``until``."""
        count = min(int((until - 1 - BEGIN) // SECONDS_PER_DAY) + 1, self.days)
        starts = [self._start(day) for day in range(count)]
        return DiagnosisKeys.of([row.tobytes() for row in self._keys[phone][:count]], starts)

    def released(
        self, reports: Sequence[DiagnosisKeys], now: float, *, at_once: bool
    ) -> DiagnosisKeys:
        """Return the keys that may be published; all of them if the server does not wait."""
        return DiagnosisKeys.concat(reports) if at_once else self.tracing.publish(reports, now)

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return the identifiers of published keys, with metadata of the forger's choice."""
        del ill  # keys of all cases are public: any of them warns
        keys, found = self.published, []
        for time in times.tolist():
            interval = gaen.interval_of(time)
            of_day = (
                () if keys is None else tuple(keys.take(keys.start == gaen.day_start(interval)).key)
            )
            if not of_day:
                found.append("")
                continue
            key = of_day[0].tobytes()
            sent = gaen.identifiers(key, interval, 1)[0].tobytes()
            found.append((sent + gaen.hide_metadata(key, sent, _metadata())).hex())
        return found

    def _make(self, phone: int, day: int) -> list[str]:
        key = self._keys[phone, day].tobytes()
        sent = gaen.identifiers(key, self._start(day))
        claimed = np.broadcast_to(np.frombuffer(_metadata(), np.uint8), (len(sent), 4))
        hidden = gaen.shown_metadata([key] * len(sent), sent, claimed)
        return tokens_as_text(np.concatenate([sent, hidden], axis=1))

    @staticmethod
    def _start(day: int) -> int:
        return gaen.interval_of(BEGIN) + gaen.INTERVALS_PER_KEY * day


class LowCostDeployment(_PhoneMade[NumberedSecrets, NumberedSecrets, PublishedSecrets]):
    """A phone publishes one key, from which those of all later days follow."""

    tracing = LowCostTracing()

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days)
        first = self._secrets("first keys", 1, dp3t.DAY_KEY_BYTES)
        self._keys = [dp3t.day_keys(row.tobytes(), days) for row in first[:, 0]]

    def own(self, phone: int, until: float) -> NumberedSecrets:
        """Return the oldest day key that the phone still keeps: 14 days."""
        oldest = max(0, int((until - KEPT_S - BEGIN) // SECONDS_PER_DAY))
        key = self._keys[phone][min(oldest, self.days - 1)]
        return NumberedSecrets.of([key], [FIRST_DAY + oldest], dp3t.DAY_KEY_BYTES)

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return EphIDs of a published key's day; any of them counts the whole day."""
        del ill
        if self.published is None:
            return [""] * len(times)
        secrets, found = self.published.secrets, []
        for day in (times // SECONDS_PER_DAY).astype(int).tolist():
            fits = np.flatnonzero(secrets.number <= day)
            if not len(fits):
                found.append("")
                continue
            steps = day - int(secrets.number[fits[0]])
            key = dp3t.day_keys(secrets.secret[fits[0]].tobytes(), steps + 1)[-1]
            found.append(next(dp3t.day_ephids([key]))[0].tobytes().hex())
        return found

    def _make(self, phone: int, day: int) -> list[str]:
        sent = next(dp3t.day_ephids([self._keys[phone][day]]))
        order = dp3t.sending_order(len(sent), self.streams.entropy("order", phone, day))
        return tokens_as_text(sent[order])


class HybridDeployment(_PhoneMade[NumberedSecrets, NumberedSecrets, PublishedSecrets]):
    """A phone publishes a seed for each window."""

    def __init__(self, streams: Streams, phones: int, days: int, window_s: int) -> None:
        super().__init__(streams, phones, days)
        self.tracing = HybridTracing(window_s)
        self._window_s = window_s
        self._of_a_day = SECONDS_PER_DAY // window_s
        self._seeds = self._secrets("seeds", days * self._of_a_day, dp3t.WINDOW_SEED_BYTES)

    def own(self, phone: int, until: float) -> NumberedSecrets:
        """Return the seeds of all windows up to ``until``."""
        return _numbered(self._seeds[phone], self._window_s, until)

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return EphIDs of a published window; any of them counts the whole window."""
        del ill
        if self.published is None:
            return [""] * len(times)
        secrets, found = self.published.secrets, []
        for window in (times // self._window_s).astype(int).tolist():
            fits = np.flatnonzero(secrets.number == window)
            seeds = [secrets.secret[row].tobytes() for row in fits[:1].tolist()]
            sent = dp3t.window_ephids(seeds, self._window_s)
            found.append(next(sent)[0].tobytes().hex() if seeds else "")
        return found

    def _make(self, phone: int, day: int) -> list[str]:
        whole = self._seeds[phone, day * self._of_a_day : (day + 1) * self._of_a_day]
        sent = np.concatenate(
            list(dp3t.window_ephids([row.tobytes() for row in whole], self._window_s))
        )
        each = self._window_s // dp3t.EPOCH_S
        entropy = self.streams.entropy("order", phone, day)
        order = [
            number * each + dp3t.sending_order(each, entropy) for number in range(self._of_a_day)
        ]
        return tokens_as_text(sent[np.concatenate(order)])


class UnlinkableDeployment(_PhoneMade[NumberedSecrets, NumberedSecrets, PublishedFilter]):
    """The server publishes a filter of the epochs of cases."""

    tracing = UnlinkableTracing()

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days)
        self._seeds = self._secrets("seeds", days * dp3t.EPOCHS_PER_DAY, dp3t.SEED_BYTES)

    def own(self, phone: int, until: float) -> NumberedSecrets:
        """Return the seeds of all epochs up to ``until``."""
        return _numbered(self._seeds[phone], dp3t.EPOCH_S, until)

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return nothing: out of the filter no EphID can be computed."""
        del ill
        return [""] * len(times)

    def _make(self, phone: int, day: int) -> list[str]:
        each = dp3t.EPOCHS_PER_DAY
        seeds = self._seeds[phone, day * each : (day + 1) * each]
        return [dp3t.epoch_ephid(seed.tobytes()).hex() for seed in seeds]


class TcnDeployment(_PhoneMade[list[AuthorisationKey], list[bytes], list[NumberReport]]):
    """A phone publishes a signed report of each key, which serves 6 hours."""

    tracing = TcnTracing()

    def __init__(self, streams: Streams, phones: int, days: int) -> None:
        super().__init__(streams, phones, days, token_s=_TCN_S)
        self._of_a_day = SECONDS_PER_DAY // KEY_LIFE_S
        self._raks = self._secrets("report keys", days * self._of_a_day, 32)

    def own(self, phone: int, until: float) -> list[AuthorisationKey]:
        """Return the keys of all times up to ``until``, and how many numbers each gave."""
        each = KEY_LIFE_S // _TCN_S
        starts = [BEGIN + number * KEY_LIFE_S for number in range(len(self._raks[phone]))]
        return [
            AuthorisationKey(rak.tobytes(), float(start), each)
            for rak, start in zip(self._raks[phone], starts, strict=True)
            if start < until
        ]

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return a disclosed number, which counts at any time."""
        del ill
        first = self.published[0].numbers()[0].tobytes().hex() if self.published else ""
        return [first] * len(times)

    def _make(self, phone: int, day: int) -> list[str]:
        each = KEY_LIFE_S // _TCN_S
        found: list[Bytes2D] = []
        for rak in self._raks[phone, day * self._of_a_day : (day + 1) * self._of_a_day]:
            key = rak.tobytes()
            found.append(numbers(verification_key(key), states(key, 1)[0], 1, each))
        return tokens_as_text(np.concatenate(found))


def _numbered(seeds: Bytes2D, length_s: int, until: float) -> NumberedSecrets:
    """Return the seeds of all times of ``length_s`` that began before ``until``."""
    count = min(int((until - 1 - BEGIN) // length_s) + 1, len(seeds))
    return NumberedSecrets(seeds[:count], BEGIN // length_s + np.arange(count))


def _metadata() -> bytes:
    return write_metadata(ExposureMetadata(CLAIMED_DBM))

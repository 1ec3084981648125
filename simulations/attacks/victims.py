"""A person whose phone speaks a protocol, falls ill and reports, as an attacker meets them.

A victim says what the phone sends at a time, and which readings of others count after the upload.
The real code of each protocol does both. All begin at midnight UTC and live for 14 days.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import numpy as np

from tracetogether.bluetrace.tempid import ACCEPTED, TempIDIssuer, new_user_id
from tracetogether.desire.keys import EPOCH_S as DESIRE_EPOCH_S
from tracetogether.desire.keys import ebid_of, encounter_tokens
from tracetogether.desire.tracing import DesireTracing
from tracetogether.dp3t import keys as dp3t
from tracetogether.dp3t.report import NumberedSecrets
from tracetogether.dp3t.tracing import HybridTracing, LowCostTracing, UnlinkableTracing
from tracetogether.gaen import keys as gaen
from tracetogether.gaen.air import ExposureMetadata, write_metadata
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.gaen.tracing import GaenTracing
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.robert import keys as robert
from tracetogether.robert.tracing import RobertTracing
from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import KEY_LIFE_S, numbers, states, verification_key
from tracetogether.tcn.tracing import AuthorisationKey, TcnTracing
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy, Floats

BEGIN: Final = 18_500 * SECONDS_PER_DAY  # 26 August 2020, 0:00 UTC
DAYS: Final = 14
END: Final = BEGIN + DAYS * SECONDS_PER_DAY
LATER: Final = END + 3 * SECONDS_PER_HOUR  # GAEN publishes a key 2 h after its end
_TCN_S: Final = 900


class Victim(Protocol):
    """A person who reports; a reading is a token (text) and the time at which it was heard."""

    public: bool
    """Whether what is published lets an outsider recognise the person's tokens."""

    named: bool
    """Whether a report tells the authority whom the person met."""

    def sent(self, times: Floats) -> list[str]:
        """Return what the phone sends at each time, as a phone nearby writes it down."""
        ...

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings that count after the upload, each with a pseudonym as the peer."""
        ...


class BlueTraceVictim:
    """The server makes and opens TempIDs; nothing is public."""

    public = False
    named = True

    def __init__(self, entropy: Entropy) -> None:
        ring = KeyRing((BEGIN // SECONDS_PER_DAY, entropy(32)))
        self._issuer = TempIDIssuer(ring, entropy=entropy)
        batch = self._issuer.issue(new_user_id(entropy), BEGIN, DAYS * 96)
        self._tokens = [tempid.text for tempid in batch.tempids]

    def sent(self, times: Floats) -> list[str]:
        """Return the TempID of each time."""
        return [self._tokens[number] for number in ((times - BEGIN) // 900).astype(int).tolist()]

    def counted(self, log: Sightings) -> Sightings:
        """Return what the server believes; the peer is the person."""
        opened = self._issuer.open_many([name or "" for name in log.peer.to_list()], log.time)
        rows = np.flatnonzero(opened.rejection == ACCEPTED)
        return log.take(rows).replaced(peer=opened.user.take(rows))


class RobertVictim:
    """The server makes and opens HELLOs; nothing is public."""

    public = False
    named = True

    def __init__(self, entropy: Entropy) -> None:
        first = BEGIN // SECONDS_PER_DAY
        self._server = robert.ServerKeys(
            {day: entropy(24) for day in range(first - 1, first + DAYS + 2)}, entropy(32)
        )
        self._phones = robert.Registrations.new(1, entropy)

    def sent(self, times: Floats) -> list[str]:
        """Return the HELLO of each time."""
        return [self._hello(time) for time in times.tolist()]

    def _hello(self, time: float) -> str:
        epoch = np.array([self._server.epoch_of(time)])
        day_key = self._server.day_keys[int(self._server.day_of(epoch)[0])]
        ebid = robert.ebids(day_key, epoch, self._phones.id)
        ecc = robert.country_codes(self._server.federation, ebid, self._server.country)
        mac_key = self._phones.mac_keys[0]
        return robert.hello(int(ecc[0, 0]), ebid.tobytes(), robert.ntp_of(time), mac_key).hex()

    def counted(self, log: Sightings) -> Sightings:
        """Return what the server believes of a case's log; the peer is the phone's id."""
        tracing = RobertTracing(self._server, self._phones)
        until = float(log.time.max()) + 1 if len(log) else 0.0
        return tracing.near(log, tracing.publish([tracing.report(None, log, 0, until)], 0), 0)


class GaenVictim:
    """The phone publishes a key for each day."""

    public = True
    named = False

    def __init__(self, entropy: Entropy) -> None:
        starts = [gaen.interval_of(BEGIN) + 144 * day for day in range(DAYS)]
        own = DiagnosisKeys.of([gaen.new_key(entropy) for _ in starts], starts)
        self._sent = [
            gaen.identifiers(key.tobytes(), start)
            for key, start in zip(own.key, starts, strict=True)
        ]
        self._keys = [key.tobytes() for key in own.key]
        tracing = GaenTracing()
        nothing = Sightings.from_rows([])
        report = tracing.report(own, nothing, BEGIN, END)
        self._published = tracing.publish([report], LATER - SECONDS_PER_HOUR)

    def sent(self, times: Floats) -> list[str]:
        """Return identifier and hidden metadata of each time."""
        metadata = write_metadata(ExposureMetadata(-15))
        found = []
        for number in ((times - BEGIN) // gaen.INTERVAL_S).astype(int).tolist():
            day, interval = divmod(number, gaen.INTERVALS_PER_KEY)
            identifier = self._sent[day][interval].tobytes()
            hidden = gaen.hide_metadata(self._keys[day], identifier, metadata)
            found.append((identifier + hidden).hex())
        return found

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings of published keys; the peer is a key."""
        return GaenTracing().near(log, self._published, LATER)


class LowCostVictim:
    """The phone publishes one key, from which those of all later days follow."""

    public = True
    named = False

    def __init__(self, entropy: Entropy) -> None:
        first = entropy(dp3t.DAY_KEY_BYTES)
        order = [dp3t.sending_order(dp3t.EPOCHS_PER_DAY, entropy) for _ in range(DAYS)]
        whole = np.concatenate(list(dp3t.day_ephids(dp3t.day_keys(first, DAYS))))
        days = whole.reshape(DAYS, dp3t.EPOCHS_PER_DAY, dp3t.EPHID_BYTES)
        self._sent = np.concatenate([day[rows] for day, rows in zip(days, order, strict=True)])
        own = NumberedSecrets.of([first], [BEGIN // SECONDS_PER_DAY], dp3t.DAY_KEY_BYTES)
        report = LowCostTracing().report(own, Sightings.from_rows([]), BEGIN, END)
        self._published = LowCostTracing().publish([report], LATER)

    def sent(self, times: Floats) -> list[str]:
        """Return the EphID of each time."""
        return [self._sent[number].tobytes().hex() for number in _epochs(times)]

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings of published keys; the peer is the person."""
        return LowCostTracing().near(log, self._published, LATER)


class HybridVictim:
    """The phone publishes a seed for each window."""

    public = True
    named = False

    def __init__(self, entropy: Entropy, window_s: int) -> None:
        first, count = BEGIN // window_s, DAYS * SECONDS_PER_DAY // window_s
        seeds = [entropy(dp3t.WINDOW_SEED_BYTES) for _ in range(count)]
        each = window_s // dp3t.EPOCH_S
        whole = np.concatenate(list(dp3t.window_ephids(seeds, window_s)))
        order = np.concatenate(
            [number * each + dp3t.sending_order(each, entropy) for number in range(count)]
        )
        self._sent = whole[order]
        numbers_of = list(range(first, first + count))
        own = NumberedSecrets.of(seeds, numbers_of, dp3t.WINDOW_SEED_BYTES)
        self._tracing = HybridTracing(window_s)
        report = self._tracing.report(own, Sightings.from_rows([]), BEGIN, END)
        self._published = self._tracing.publish([report], LATER)

    def sent(self, times: Floats) -> list[str]:
        """Return the EphID of each time."""
        return [self._sent[number].tobytes().hex() for number in _epochs(times)]

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings of published windows; the peer is a window."""
        return self._tracing.near(log, self._published, LATER)


class UnlinkableVictim:
    """The server publishes a filter of the phone's epochs."""

    public = True
    named = False

    def __init__(self, entropy: Entropy) -> None:
        first, count = BEGIN // dp3t.EPOCH_S, DAYS * dp3t.EPOCHS_PER_DAY
        seeds = [entropy(dp3t.SEED_BYTES) for _ in range(count)]
        self._sent = [dp3t.epoch_ephid(seed).hex() for seed in seeds]
        own = NumberedSecrets.of(seeds, list(range(first, first + count)), dp3t.SEED_BYTES)
        report = UnlinkableTracing().report(own, Sightings.from_rows([]), BEGIN, END)
        self._published = UnlinkableTracing().publish([report], LATER)

    def sent(self, times: Floats) -> list[str]:
        """Return the EphID of each time."""
        return [self._sent[number] for number in _epochs(times)]

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings that the filter holds; the peer is the EphID."""
        return UnlinkableTracing().near(log, self._published, LATER)


class TcnVictim:
    """The phone publishes a signed report of each key, which serves 6 hours."""

    public = True
    named = False

    def __init__(self, entropy: Entropy) -> None:
        each = KEY_LIFE_S // _TCN_S
        starts = range(BEGIN, END, KEY_LIFE_S)
        own = [AuthorisationKey(entropy(32), float(start), each) for start in starts]
        self._sent = [
            row.tobytes().hex()
            for key in own
            for row in numbers(verification_key(key.rak), states(key.rak, 1)[0], 1, each)
        ]
        tracing = TcnTracing()
        report = tracing.report(own, Sightings.from_rows([]), BEGIN, END)
        self._published = tracing.publish([report], LATER)

    def sent(self, times: Floats) -> list[str]:
        """Return the number of each time; a new one every 15 minutes."""
        return [self._sent[number] for number in _epochs(times)]

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings of disclosed numbers; the peer is a report."""
        return TcnTracing().near(log, self._published, LATER)


class DesireVictim:
    """The phone reports a token of each encounter, which only the two that met can compute.

    Each reading is by another phone. One that hears the victim at the very time of sending is
    near, and the victim hears it too; one that hears it later hears an attacker play it.
    """

    public = False
    named = False

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._secrets = [entropy(32) for _ in range(DAYS * SECONDS_PER_DAY // DESIRE_EPOCH_S)]
        self._of_ebid: dict[str, bytes] = {}
        self._sent_at: set[float] = set()

    def sent(self, times: Floats) -> list[str]:
        """Return the EBID of each time."""
        self._sent_at |= set(times.tolist())
        secrets = [self._secrets[number] for number in _epochs(times)]
        ebids = {secret: ebid_of(secret).hex() for secret in set(secrets)}
        self._of_ebid |= {ebid: secret for secret, ebid in ebids.items()}
        return [ebids[secret] for secret in secrets]

    def counted(self, log: Sightings) -> Sightings:
        """Return the readings whose token the victim reported; the peer is that token."""
        theirs, own, met = [], [], []
        for name, time in zip(log.peer.to_list(), log.time.tolist(), strict=True):
            other, secret = self._entropy(32), self._of_ebid[name or ""]
            theirs.append(b"".join(encounter_tokens(other, ebid_of(secret))).hex())
            if time in self._sent_at:
                own.append(b"".join(encounter_tokens(secret, ebid_of(other))).hex())
                met.append(time)
        tracing = DesireTracing()
        seen = reading_log(own, np.array(met))
        published = tracing.publish([tracing.report(None, seen, BEGIN, END)], LATER)
        return tracing.near(log.replaced(peer=Labels.encode(theirs)), published, LATER)


def reading_log(tokens: list[str], times: Floats) -> Sightings:
    """Return readings of tokens at times, at a signal strength that plays no part."""
    return Sightings.from_log(
        time=times.astype(np.float64),
        peer=Labels.encode(tokens),
        rssi_dbm=np.full(len(tokens), -60.0),
        tx_power_dbm=np.full(len(tokens), np.nan),
    )


def _epochs(times: Floats) -> list[int]:
    """Return how many times 15 minutes have passed since BEGIN."""
    found: list[int] = ((times - BEGIN) // dp3t.EPOCH_S).astype(int).tolist()
    return found


VICTIMS: Final[Mapping[str, Callable[[Entropy], Victim]]] = {
    "bluetrace": BlueTraceVictim,
    "robert": RobertVictim,
    "gaen": GaenVictim,
    "dp3t-low-cost": LowCostVictim,
    "dp3t-hybrid-4h": lambda entropy: HybridVictim(entropy, 4 * SECONDS_PER_HOUR),
    "dp3t-hybrid-2h": lambda entropy: HybridVictim(entropy, 2 * SECONDS_PER_HOUR),
    "dp3t-unlinkable": UnlinkableVictim,
    "tcn": TcnVictim,
    "desire": DesireVictim,
}
"""Name of a protocol -> a victim who speaks it."""

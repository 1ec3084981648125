"""The radio channel: the RSSI that one phone reports of another.

The estimators invert a log-distance formula; this model is another one on purpose. Two fields
arrive at the receiver and add up as complex amplitudes:

- The **direct** wave. It loses free-space loss (Friis, 40.2 dB at 1 m and 2.44 GHz), and more
  beyond a breakpoint. The bodies of both owners, and of people in between, weaken it (see bodies).
- The **diffuse** field, which the walls reflect from all sides. "Room electromagnetics": it has
  nearly the same power everywhere, and falls by some dB per metre along the room. It is a sum of 10
  plane waves per pair and antenna. Each wave has a direction at both ends, a delay and a Doppler
  shift.

Both pass the same clutter (see shadowing). So the model shows what recordings show, without
having it as parameters:

- an apparent path-loss exponent between 1 and 2;
- fading that changes over centimetres and between advertising channels, since wave n arrives with
  the phase 2 pi (k · x - f * delay + doppler * t);
- deep fades where bodies hide the direct wave;
- errors that both directions of a pair partly share.

Every random number is a hash of (seed, phones, packet), see streams. So a packet has the same RSSI
in any order of work.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from simulations.people.bodies import LOSS_DB, phone_positions, shadow_db
from simulations.phones.phones import CHANNEL_MHZ, CrowdPhones
from simulations.places.tracks import CrowdTracks, Floats32
from simulations.places.walls import NO_WALLS, Walls
from simulations.radio.neighbours import Bystanders
from simulations.radio.shadowing import Shadowing
from simulations.settings.keys import ChannelKeys
from simulations.streams import Noise, Streams
from tracetogether.units import Bools, Floats, Ints

SPEED_OF_LIGHT_M_S: Final = 299_792_458.0
MIDDLE_MHZ: Final = 2440.0

_WAVES: Final = 10  # per pair and antenna; more give the same distribution
_LINKS_AT_ONCE: Final = 1024
_ANTENNAS: Final = 2  # phones use the better of two antennas, which removes the deepest fades
_WAVELENGTH_M: Final = SPEED_OF_LIGHT_M_S / (MIDDLE_MHZ * 1e6)
_NEAREST_M: Final = 0.15  # Friis doesn't hold nearer than about a wavelength
_HEIGHT_STEP_M: Final = 0.25  # phones are rarely at the same height
_STRONGEST_DBM: Final = -15.0


def free_space_loss_db(distance_m: Floats | float, mhz: float = MIDDLE_MHZ) -> Floats:
    """Return the free-space loss between ideal antennas, dB: 20 log10(4 pi d / wavelength).

    Friis' formula.

    >>> round(float(free_space_loss_db(1.0)), 1)
    40.2
    """
    wavelength_m = SPEED_OF_LIGHT_M_S / (mhz * 1e6)
    return np.asarray(20.0 * np.log10(4.0 * np.pi * np.asarray(distance_m) / wavelength_m))


def direct_loss_db(distance_m: Floats, breakpoint_m: float, beyond_exponent: float) -> Floats:
    """Return free-space loss up to the breakpoint, and a steeper loss beyond it, dB.

    Args:
        distance_m: (n,) distances.
        breakpoint_m: where the steeper loss begins.
        beyond_exponent: path-loss exponent beyond it; free space has 2.
    """
    beyond = np.maximum(np.log10(np.asarray(distance_m) / breakpoint_m), 0.0)
    return free_space_loss_db(distance_m) + 10.0 * (beyond_exponent - 2.0) * beyond


@dataclass(frozen=True, slots=True)
class Readings:
    """The results of n packets.

    Attributes:
        rssi_dbm: (n,) reported RSSI in whole dBm; NaN where not received.
        received: (n,) which packets were received.
        level_dbm: (n,) level at the receiver before its noise and its offset, dBm; -inf where
            not received.
    """

    rssi_dbm: Floats
    received: Bools
    level_dbm: Floats


class Channel:
    """The radio channel between all phones of a run.

    Args:
        tracks: positions; person i carries phone i.
        phones: one phone per person.
        keys: the scenario's channel keys.
        streams: the run's random streams.
        walls: each wall between two bodies costs ``keys.wall_db``.
        people: how many of the tracks are people's, whose bodies are in the way; None: all.
    """

    def __init__(
        self,
        tracks: CrowdTracks,
        phones: CrowdPhones,
        keys: ChannelKeys,
        streams: Streams,
        walls: Walls = NO_WALLS,
        people: int | None = None,
    ) -> None:
        self._bystanders = Bystanders(tracks, people)
        self._walls = walls
        self._tracks = tracks
        self._there = np.ascontiguousarray(~np.isnan(tracks.xy[:, :, 0].T))  # by (tick, person)
        self._phones = phones
        self._keys = keys
        self._pair: Noise = streams.noise("channel", "pair")
        self._direction: Noise = streams.noise("channel", "direction")
        self._waves: Noise = streams.noise("channel", "waves")
        self._packet: Noise = streams.noise("channel", "packet")
        self._loss: Noise = streams.noise("channel", "loss")
        self._shadowing = Shadowing(keys.shadowing_sd_db, keys.shadowing_length_m, streams)

    def readings(self, tx: Ints, rx: Ints, time_s: Floats, channel: Ints) -> Readings:
        """Return what phones ``rx`` report of packets that phones ``tx`` sent.

        A packet is received with probability (1 - packet_loss) * Phi((level - floor) / width).

        Args:
            tx: (n,) indices of the senders.
            rx: (n,) indices of the receivers; a phone receives neither itself nor absent phones.
            time_s: (n,) seconds after the start of the run.
            channel: (n,) index of the advertising channel, 0 to 2.
        """
        # Computing the level is slow, so packets that are lost at any level are dropped first.
        asked = np.flatnonzero(self._both_there(tx, rx, time_s) & (tx != rx))
        microsecond = np.rint(time_s * 1e6).astype(np.int64)
        drawn = self._loss.uniform(tx[asked], rx[asked], microsecond[asked], channel[asked])
        kept = 1.0 - self._keys.packet_loss
        asked, drawn = asked[drawn < kept], drawn[drawn < kept]
        found = self.level_dbm(tx[asked], rx[asked], time_s[asked], channel[asked])
        came = drawn < ndtr((found - self._keys.floor_dbm) / self._keys.floor_width_db) * kept
        asked, found = asked[came], found[came]
        level, rssi = np.full(len(tx), -np.inf), np.full(len(tx), np.nan)
        level[asked] = found
        tx, rx, microsecond, channel = tx[asked], rx[asked], microsecond[asked], channel[asked]
        noise = self._keys.packet_sd_db * self._packet.normal(tx, rx, microsecond, channel)
        reported = found + noise - self._phones.correction_db[rx]
        rssi[asked] = np.minimum(np.rint(reported), _STRONGEST_DBM)
        return Readings(rssi, np.isfinite(level), level)

    def _both_there(self, tx: Ints, rx: Ints, time_s: Floats) -> Bools:
        tick = self._tracks.tick(time_s)
        return np.asarray(self._there[tick, tx] & self._there[tick, rx])

    def level_dbm(self, tx: Ints, rx: Ints, time_s: Floats, channel: Ints) -> Floats:
        """Return (n,) levels at the receivers before noise and offset, dBm; NaN where absent.

        Level = transmit power + 10 log10 |direct + diffuse|² + offsets of pair, direction,
        clutter and antennas. Arguments as in ``readings``.
        """
        keys, phones = self._keys, self._phones
        low, high = np.minimum(tx, rx), np.maximum(tx, rx)
        direct_db, diffuse_db, distance_m, ends = self._path(low, high, time_s)
        direct = 10.0 ** (-direct_db / 20.0)
        turn = 2.0 * np.pi * distance_m / _WAVELENGTH_M
        scattered = 10.0 ** (-diffuse_db / 20.0)
        in_phase, in_quadrature = self._scattered(low, high, ends, time_s, channel)
        real = (direct * np.cos(turn))[:, None] + scattered[:, None] * in_phase
        imaginary = (direct * np.sin(turn))[:, None] + scattered[:, None] * in_quadrature
        power = (real**2 + imaginary**2).max(axis=1)
        offsets = keys.pair_sd_db * self._pair.normal(low, high)
        offsets = offsets + keys.direction_sd_db * self._direction.normal(tx, rx)
        offsets = offsets - self._shadowing.loss_db(*ends)
        antennas = phones.channel_db[tx, channel] + phones.channel_db[rx, channel]
        return np.asarray(
            phones.tx_dbm[tx]
            + 10.0 * np.log10(np.maximum(power, 1e-30))
            + offsets
            + antennas
            - 2.0 * keys.antenna_loss_db
        )

    def _path(
        self, a: Ints, b: Ints, time_s: Floats
    ) -> tuple[Floats, Floats, Floats, tuple[Floats, Floats]]:
        """Return direct loss (dB), diffuse loss (dB), distance (m), and both phones' positions."""
        tracks, keys = self._tracks, self._keys
        tick = tracks.tick(time_s)
        body_a, body_b = tracks.position(a, time_s), tracks.position(b, time_s)
        face_a = tracks.facing[a, tick].astype(np.float64)
        face_b = tracks.facing[b, tick].astype(np.float64)
        carry_a = tracks.carry[a, tick].astype(np.int64)
        carry_b = tracks.carry[b, tick].astype(np.int64)
        phone_a = phone_positions(body_a, face_a, carry_a)
        phone_b = phone_positions(body_b, face_b, carry_b)
        step = phone_b - phone_a
        distance_m = np.sqrt((step**2).sum(axis=1) + _HEIGHT_STEP_M**2)
        distance_m = np.maximum(distance_m, _NEAREST_M)
        way = body_b - body_a
        towards_b = np.arctan2(way[:, 1], way[:, 0])
        shadow = shadow_db(towards_b, face_a, carry_a, keys.body_loss_db)
        shadow = shadow + shadow_db(towards_b + np.pi, face_b, carry_b, keys.body_loss_db)
        blocked = self._bystanders.blocked_db(phone_a, phone_b, a, b, tick, keys.obstruction_db)
        kept_at = LOSS_DB[carry_a] + LOSS_DB[carry_b]
        if len(self._walls):
            kept_at = kept_at + keys.wall_db * self._walls.between(body_a, body_b)
        direct = direct_loss_db(distance_m, keys.breakpoint_m, keys.beyond_exponent)
        direct = direct + shadow + blocked + kept_at
        diffuse = keys.diffuse_loss_db + keys.diffuse_decay_db_per_m * distance_m + kept_at
        return direct, diffuse, distance_m, (phone_a, phone_b)

    def _scattered(
        self,
        a: Ints,
        b: Ints,
        ends: tuple[Floats, Floats],
        time_s: Floats,
        channel: Ints,
    ) -> tuple[Floats, Floats]:
        """Return the diffuse field as (packets, antennas) in-phase and quadrature parts.

        Its mean power is 1. The bits of one hash of (pair, wave) give the wave's directions at
        both ends, phase, delay and Doppler shift. So the field is the same in both directions.
        """
        in_phase, in_quadrature = np.empty((2, len(a), _ANTENNAS))
        for begin in range(0, len(a), _LINKS_AT_ONCE):  # so that a part fits into the cache
            rows = slice(begin, begin + _LINKS_AT_ONCE)
            angle = self._phases(
                a[rows], b[rows], (ends[0][rows], ends[1][rows]), time_s[rows], channel[rows]
            )
            in_phase[rows] = np.cos(angle).sum(axis=2)
            in_quadrature[rows] = np.sin(angle).sum(axis=2)
        scale = 1.0 / np.sqrt(_WAVES)
        return in_phase * scale, in_quadrature * scale

    def _phases(
        self,
        a: Ints,
        b: Ints,
        ends: tuple[Floats, Floats],
        time_s: Floats,
        channel: Ints,
    ) -> Floats32:
        """Return (packets, antennas, waves) phases, radians in [-pi, pi]."""
        wave = np.arange(_WAVES * _ANTENNAS)
        bits = self._waves.hashes(a[:, None], b[:, None], wave[None, :])

        def part(start: int, width: int) -> Ints:
            mask = np.uint64((1 << width) - 1)
            return ((bits >> np.uint64(start)) & mask).view(np.int64)

        # Delays count from the arrival of the direct wave. Positions shift phases with the
        # mid-band wavelength; otherwise the distance from the origin would act as a delay.
        off_middle_hz = (CHANNEL_MHZ[channel] - MIDDLE_MHZ) * 1e6
        at_a, at_b = ((place / _WAVELENGTH_M).astype(np.float32) for place in ends)
        turns = _FRACTION[part(26, 13)]
        for place, angle in ((at_a, part(0, 13)), (at_b, part(13, 13))):
            turns += _COSINE[angle] * place[:, :1]
            turns += _SINE[angle] * place[:, 1:]
        delayed = (off_middle_hz * self._keys.delay_spread_ns * 1e-9).astype(np.float32)
        turns -= _DELAY[part(39, 13)] * delayed[:, None]
        drifted = (self._keys.doppler_hz * time_s).astype(np.float32)
        turns += _DOPPLER[part(52, 12)] * drifted[:, None]
        turns -= np.rint(turns)
        turns *= np.float32(2.0 * np.pi)
        return turns.reshape(len(a), _ANTENNAS, _WAVES)


def _middles(width: int) -> Floats:
    """Return the centres of 2**width equal parts of [0, 1).

    >>> _middles(1).tolist()
    [0.25, 0.75]
    """
    return (np.arange(1 << width) + 0.5) / (1 << width)


# Tables from a wave's bits to its values. float32 resolves a thousandth of a turn over a kilometre,
# and is much faster than float64.
_FRACTION: Final = _middles(13).astype(np.float32)
_COSINE: Final = np.cos(2.0 * np.pi * _middles(13)).astype(np.float32)
_SINE: Final = np.sin(2.0 * np.pi * _middles(13)).astype(np.float32)
_DELAY: Final = -np.log(_middles(13)).astype(np.float32)
_DOPPLER: Final = np.tan(np.pi * 0.8 * (_middles(12) - 0.5)).astype(np.float32)

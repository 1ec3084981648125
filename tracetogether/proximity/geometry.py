"""Log-probability of everybody's positions in a room, and its gradient, given every log.

Nobody can be near two people who are far apart: seeking all positions together uses that. Positions
are two-dimensional, one per person and slot. The log-probability is the sum of four parts:

- attenuation, the mean of both directions of a pair: normal about level + slope log10(distance) +
  the two people's offsets. Errors last for minutes; their covariance over time is inverted once;
- reception: the log-odds of being received in a scan fall with the same attenuation, and differ
  between people. Scans repeat each other, so a scan counts as a quarter of one. A direction that
  was never received may be a log that lacks it: its misses count in a mixture with that case, so
  that their log-probability has a lower bound;
- movement: people mostly stay, and now and then walk. Steps have a Student t distribution with one
  degree of freedom, whose heavy tails are the walks;
- room: positions are normal about the middle of the room, and two people are seldom at one place.

Level, exponent and room size are unknowns of the scene. The gradient follows by the chain rule
through the distance: d log10(r) / dx = x / (r^2 ln 10). Arrays are float32; their last axis holds
the chains of the sampler (proximity.sampling).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.proximity.binned_readings import SLOT_S, BinnedReadings
from tracetogether.proximity.detection import hearing_by_slot
from tracetogether.proximity.grid import PairIndex
from tracetogether.proximity.model import REFERENCE_M, ProximityModel
from tracetogether.proximity.offsets import unknown_variances
from tracetogether.proximity.sampling import State
from tracetogether.units import Floats

F32 = npt.NDArray[np.float32]

_FULL_SIZE_M: Final = 0.25  # least distance of two phones: heights differ, bodies have depth
_SCAN_WEIGHT: Final = 0.25  # weight of one scan: scans repeat each other
_HEARING_PER_DB: Final = 0.12  # exp05: fall of the log-odds of being received with attenuation
_HEARING_FROM_DB: Final = 62.0  # ... which are _HEARING_THERE at this attenuation
_HEARING_THERE: Final = 1.2
_HEARING_SD: Final = 0.8  # ... and their standard deviation between people
_LACKING: Final = 0.1  # probability that a log lacks a peer it could have received
_SEPARATION: Final = 0.2  # strength of the repulsion of two people at one place
_DECADE: Final = float(np.log(10))


@dataclass(frozen=True, slots=True)
class _Unknowns:
    """The parts of a state; all but the positions are standard normal a priori.

    positions (people, 2, slots), offset (people,), scene (3: level, exponent, size), hearing
    (people,), hearing_all (1,); chains come last.
    """

    positions: F32
    offset: F32
    scene: F32
    hearing: F32
    hearing_all: F32


@dataclass(frozen=True, slots=True)
class Geometry:
    """The log-probability of positions in one scene.

    Attributes:
        model: the figures.
        pairs: (q,) all pairs of two people.
        slots: number of slots.
        attenuation: (q, slots, 1) both directions' mean, 0 where not heard.
        heard: (q, slots, 1) 1 where heard.
        precision: (q, slots, slots) inverse covariance of its errors, 0 where not heard.
        hits, scans: (q, slots, 1) scans in which they were heard, and could have been; weighted.
        never: (q, slots, 1) such scans of the directions in which nothing was ever heard; these
            are not among ``scans``.
        offset_mean, offset_sd: (people, 1) prior of the mean of a person's two offsets.
        walk: (slots, slots) maps independent normals to a track.
        signs, members: (people, q) which pairs a person is in, +1 as first and -1 as second.
    """

    model: ProximityModel
    pairs: PairIndex
    slots: int
    attenuation: F32
    heard: F32
    precision: F32
    hits: F32
    scans: F32
    never: F32
    offset_mean: F32
    offset_sd: F32
    walk: F32
    signs: F32
    members: F32

    @classmethod
    def of(cls, binned: BinnedReadings, model: ProximityModel) -> Self:
        """Return the geometry of a scene; people without a name have no place in it."""
        people, slots = len(binned.pairs.names), binned.slots
        pairs = PairIndex.all_of(binned.pairs.names)
        first, second = pairs.first, pairs.second
        level, heard = _by_slot(binned)
        ahead, back = heard[first, second], heard[second, first]
        receive, transmit = _person_variances(binned, model)
        lead, lead_variance = _lead(binned, model, receive + transmit)
        # Half the difference of the two directions is no distance: it is taken out of each.
        half = ((lead[first] - lead[second]) / 2)[:, None]
        ways = ahead.astype(np.float64) + back
        total = np.where(ahead, level[first, second] - half, 0.0) + np.where(
            back, level[second, first] + half, 0.0
        )
        hit, scan = hearing_by_slot(binned)
        ever = hit.any(axis=2, keepdims=True)
        never, scan = np.where(ever, 0.0, scan), np.where(ever, scan, 0.0)
        signs = np.zeros((people, len(first)), dtype=np.float32)
        signs[first, np.arange(len(first))] = 1
        signs[second, np.arange(len(first))] = -1
        both = receive + transmit
        # What is unknown of the difference is an error of the direction that was heard.
        receiving, sending = (heard.sum(axis=(other, 2)) for other in (1, 0))
        used = receiving * receive**2 + sending * transmit**2
        used = used / np.maximum(receiving + sending, 1)

        def single(values: npt.NDArray[np.floating]) -> F32:
            return values.astype(np.float32)

        return cls(
            model=model,
            pairs=pairs,
            slots=slots,
            attenuation=single(total / np.maximum(ways, 1))[:, :, None],
            heard=single((ways > 0) * 1.0)[:, :, None],
            precision=single(_precision(ways, model)),
            hits=single(_SCAN_WEIGHT * (hit[first, second] + hit[second, first]))[:, :, None],
            scans=single(_SCAN_WEIGHT * (scan[first, second] + scan[second, first]))[:, :, None],
            never=single(_SCAN_WEIGHT * (never[first, second] + never[second, first]))[:, :, None],
            # Regression of the offsets' sum on their difference, as far as it is known (_lead).
            offset_mean=single(lead * (receive - transmit) / (2 * both))[:, None],
            offset_sd=single(np.sqrt((receive * transmit + lead_variance * used / both) / both))[
                :, None
            ],
            walk=single(_walk(slots)),
            signs=signs,
            members=np.abs(signs),
        )

    def start(self, chains: int, rng: np.random.Generator) -> State:
        """Return states to start from: everybody at a random place, without movement."""

        def normal(*shape: int) -> F32:
            return np.float32(0.1) * rng.standard_normal((*shape, chains), dtype=np.float32)

        positions = normal(len(self.pairs.names), 2, self.slots)
        positions[:, :, -1] = np.float32(1.5) * rng.standard_normal(
            (len(self.pairs.names), 2, chains), dtype=np.float32
        )
        return {
            "positions": positions,
            "offset": normal(len(self.pairs.names)),
            "scene": normal(3),
            "hearing": normal(len(self.pairs.names)),
            "hearing_all": np.zeros((1, chains), dtype=np.float32),
        }

    def distances_m(self, state: State) -> F32:
        """Return (q, slots, chains) the distance of each pair in metres."""
        track = np.matmul(self.walk, state["positions"])
        apart = track[self.pairs.first] - track[self.pairs.second]
        square = np.einsum("qdtc,qdtc->qtc", apart, apart)
        return np.asarray(np.sqrt(square + np.float32(1e-4)), dtype=np.float32)

    def log_probability(self, state: State, heat: float) -> tuple[Floats, State]:
        """Return the log-probability of each chain and its gradient.

        Args:
            state: the unknowns.
            heat: weight of the readings, from near 0 at the start to 1.
        """
        model, weight = self.model, np.float32(heat)
        unknown = _Unknowns(**state)
        track = np.matmul(self.walk, unknown.positions)
        apart = track[self.pairs.first] - track[self.pairs.second]
        square = np.einsum("qdtc,qdtc->qtc", apart, apart)
        square += np.float32(_FULL_SIZE_M**2)
        decades = np.log(square)
        decades *= np.float32(0.5 / _DECADE)
        decades -= np.float32(np.log10(REFERENCE_M))
        exponent = model.exponent * np.exp(
            np.float32(model.exponent_sd / model.exponent) * unknown.scene[1]
        )
        slope = np.float32(10) * exponent.astype(np.float32)
        level = np.float32(model.level_db) + np.float32(model.level_scene_sd_db) * unknown.scene[0]
        offset = self.offset_mean + self.offset_sd * unknown.offset
        expected = slope * decades
        expected += (level + offset[self.pairs.first] + offset[self.pairs.second])[:, None]

        missing = self.attenuation - expected
        missing *= self.heard
        pull = np.matmul(self.precision, missing)
        pull *= weight
        log_p = -0.5 * np.einsum("qtc,qtc->c", missing, pull).astype(np.float64)

        heard_log_p, push, by_pair = self._hearing(unknown, expected, weight)
        log_p += heard_log_p
        pull -= push

        inverse = 1 / square
        crowding = (np.float32(model.separation_m**2) * inverse) ** 2
        log_p -= _SEPARATION * crowding.sum(axis=(0, 1), dtype=np.float64)
        force = (slope * np.float32(1 / _DECADE)) * pull
        force += np.float32(4 * _SEPARATION) * crowding
        force *= inverse
        apart *= force[:, None]
        gradient = (self.signs @ apart.reshape(len(self.pairs), -1)).reshape(track.shape)
        moved_log_p, spread_slope = self._movement(unknown, track, gradient)
        log_p += moved_log_p

        scene = np.stack(
            [
                model.level_scene_sd_db * pull.sum(axis=(0, 1)),
                model.exponent_sd / model.exponent * slope * np.einsum("qtc,qtc->c", pull, decades),
                spread_slope,
            ]
        )
        for part in (unknown.scene, unknown.offset, unknown.hearing, unknown.hearing_all):
            log_p -= 0.5 * np.einsum("ic,ic->c", part, part)
        return log_p, {
            "positions": np.matmul(self.walk.T, gradient),
            "offset": self.offset_sd * (self.members @ pull.sum(axis=1)) - unknown.offset,
            "scene": scene.astype(np.float32) - unknown.scene,
            "hearing": np.float32(_HEARING_SD) * (self.members @ by_pair) - unknown.hearing,
            "hearing_all": by_pair.sum(axis=0, keepdims=True) - unknown.hearing_all,
        }

    def _hearing(
        self, unknown: _Unknowns, expected: F32, weight: np.float32
    ) -> tuple[Floats, F32, F32]:
        """Return the log-probability of reception, its slope in attenuation and by pair."""
        person = np.float32(_HEARING_SD) * unknown.hearing
        odds = np.float32(-_HEARING_PER_DB) * (expected - np.float32(_HEARING_FROM_DB))
        odds += (
            np.float32(_HEARING_THERE)
            + unknown.hearing_all
            + person[self.pairs.first]
            + person[self.pairs.second]
        )[:, None]
        np.clip(odds, -30, 30, out=odds)
        power = np.exp(odds)
        missed = np.log1p(power)
        share = power / (1 + power)
        log_p = np.einsum("qtc,qtc->c", np.broadcast_to(self.hits, odds.shape), odds)
        log_p = log_p - np.einsum("qtc,qtc->c", np.broadcast_to(self.scans, odds.shape), missed)
        # Either the log lacks the peer, or every scan missed it.
        silent = -np.einsum("qt,qtc->qc", self.never[:, :, 0], missed)
        lacking, complete = np.float32(np.log(_LACKING)), np.float32(np.log(1 - _LACKING))
        either = np.logaddexp(lacking, complete + silent)
        log_p = log_p + either.sum(axis=0)
        slope = self.hits - share * (
            self.scans + self.never * np.exp(complete + silent - either)[:, None]
        )
        slope *= weight
        return (
            (weight * log_p).astype(np.float64),
            np.float32(_HEARING_PER_DB) * slope,
            slope.sum(axis=1),
        )

    def _movement(self, unknown: _Unknowns, track: F32, gradient: F32) -> tuple[Floats, F32]:
        """Add the slopes of steps and positions to ``gradient``; return log-p and size's."""
        model = self.model
        step = track[:, :, 1:] - track[:, :, :-1]
        square = np.einsum("ndtc,ndtc->ntc", step, step)[:, None]
        scale = np.float32(model.step_m**2 * SLOT_S / 60)
        log_p = -1.5 * np.log1p(square / scale).sum(axis=(0, 1, 2), dtype=np.float64)
        step *= np.float32(-3) / (scale + square)
        gradient[:, :, 1:] += step
        gradient[:, :, :-1] -= step
        size = model.spread_m * np.exp(np.float32(model.spread_decades_e) * unknown.scene[2])
        middle = track.mean(axis=2)
        square_middle = np.einsum("ndc,ndc->c", middle, middle)
        gradient -= (middle / (size**2 * self.slots)).astype(np.float32)[:, :, None]
        log_p -= 0.5 * square_middle / size**2 + 2 * len(self.pairs.names) * np.log(size)
        slope = model.spread_decades_e * (square_middle / size**2 - 2 * len(self.pairs.names))
        return log_p, slope.astype(np.float32)


def _by_slot(binned: BinnedReadings) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return (people, people, slots) attenuation, and where there is any."""
    people = len(binned.pairs.names)
    observer, peer = binned.pairs.first[binned.pair], binned.pairs.second[binned.pair]
    named = binned.pairs.named()[binned.pair]
    at = (observer[named], peer[named], binned.slot[named])
    level = np.zeros((people, people, binned.slots))
    heard = np.zeros(level.shape, dtype=np.bool_)
    level[at] = binned.attenuation_db[named]
    heard[at] = True
    return level, heard


def _person_variances(binned: BinnedReadings, model: ProximityModel) -> tuple[Floats, Floats]:
    """Return (people,) variances of a person's offset as receiver and as transmitter."""
    receive, transmit = unknown_variances(binned)
    return model.receiver_sd_db**2 + receive[1:], model.transmitter_sd_db**2 + transmit[1:]


def _lead(binned: BinnedReadings, model: ProximityModel, variance: Floats) -> tuple[Floats, Floats]:
    """Return each person's offset as receiver minus that as transmitter, and its variance.

    The two directions of a pair share its distance, so that their difference shows the offsets:
    weighted least squares over all pairs, with a normal prior.
    """
    people = len(binned.pairs.names)
    level, slots = np.zeros((2, people, people))
    named = binned.pairs.named()
    at = (binned.pairs.first[named], binned.pairs.second[named])
    level[at] = binned.pair_levels()[named]
    slots[at] = binned.slot_counts()[named]
    both = np.minimum(slots, slots.T)
    noise = 2 * model.direction_sd_db**2 + 2 * model.single_sd_db**2 / np.maximum(both, 1)
    weight = np.where((both > 0) & ~np.eye(people, dtype=np.bool_), 1 / noise, 0.0)
    normal = np.diag(weight.sum(axis=1) + 1 / variance) - weight
    covariance = np.linalg.inv(normal)
    return covariance @ (weight * (level - level.T)).sum(axis=1), np.diag(covariance)


def _precision(ways: Floats, model: ProximityModel) -> Floats:
    """Return (q, slots, slots) the inverse covariance of each pair's errors over time.

    A slot without a reading has precision 0.
    """
    pairs, slots = ways.shape
    at = np.arange(slots)
    lasting = np.exp(-np.abs(at[:, None] - at) / model.slow_minutes)
    # Wider than the residuals of a fit, because the geometry has errors of its own.
    shared = (1.4 * model.pair_sd_db) ** 2 + model.slow_sd_db**2 * lasting
    alone = model.minute_sd_db**2 + model.single_sd_db**2 / np.maximum(ways, 1)
    precision = np.zeros((pairs, slots, slots))
    for pair in np.flatnonzero(ways.any(axis=1)).tolist():
        used = np.flatnonzero(ways[pair])
        covariance = shared[np.ix_(used, used)] + np.diag(alone[pair, used])
        precision[pair][np.ix_(used, used)] = np.linalg.inv(covariance)
    return precision


def _walk(slots: int) -> Floats:
    """Return the map from independent normals to a track: a position, and a random walk about it.

    It only preconditions the sampler: it is the square root of a typical covariance of tracks.
    """
    at = np.arange(slots)
    walk = np.minimum(at[:, None], at) * 0.25**2
    walk = walk - walk.mean(axis=0)
    walk = walk - walk.mean(axis=1)[:, None]
    values, vectors = np.linalg.eigh(np.ones((slots, slots)) + walk + np.eye(slots) * 0.03**2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 1e-9)))

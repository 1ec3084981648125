"""A phone's own offset as receiver, learned from all encounters of its log over many days.

Write stray for the attenuation of an encounter minus the one that was expected. Then

    stray = owner + habit + usual + day + scene + place + apart + peer + noise

- owner: offset of the phone and of how its owner usually carries it. It is the same in the whole
  log (the phone's model, the single phone, a case).
- habit: how much farther than expected the owner is from others in general. usual: how much farther
  everybody is, because what was expected is wrong. One log can't separate these distances from the
  owner's offset, so they share what it shows, in proportion to their variances. Several logs can:
  what they have in common is no owner's offset.
- day: how the phone is carried on that day. scene: how it is carried in that scene.
- place: how far apart people are there. apart: how far the owner is from all others in that scene.
- peer: what one peer keeps over all its encounters with the owner (phone, usual distance).
- noise: what the encounter alone has; it falls with the time heard.

Each is a normal random effect with mean 0, so that the estimate is the best linear unbiased
prediction. Scenes lie in days, days in logs. On such a tree the estimate takes a few passes over
sums: each scene sends its mean and precision to its day, each day to its log, and the answers come
back. An answer leaves out what its scene sent itself: it says what all other scenes show.

A peer met again and again is no new evidence about the owner each time. A peer with variance V
and encounters with noise r_k shows the owner with the variance V + 1 / sum(1 / r_k). Each encounter
therefore counts with the variance r_k (1 + V sum(1 / r_k)), which adds up to exactly that.

Source: Robinson, "That BLUP is a good thing", Statistical Science 6 (1991); on sums over a tree,
Chou, Willsky and Benveniste, IEEE Trans. Automatic Control 39 (1994).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.proximity.grid import RowGroups, distinct_keys
from tracetogether.proximity.model import ProximityModel
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.proximity.slots import Slots
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    Codes,
    Floats,
    Ints,
)

NEW_SCENE_S: Final = 900.0
"""A scene ends when the owner hears nobody for this long."""

_HOURS: Final = SECONDS_PER_DAY // SECONDS_PER_HOUR
_APART: Final = np.abs(np.subtract.outer(np.arange(_HOURS), np.arange(_HOURS)))
_NEAR_HOUR: Final = np.exp(-np.minimum(_APART, _HOURS - _APART) / 3)  # fades in three hours


@dataclass(frozen=True, slots=True)
class OffsetSpreads:
    """Standard deviations, in dB, of the effects that the module's text names.

    Attributes:
        owner_db: of a phone's lasting offset, beside what is unknown of its model.
        habit_db: of how much farther than others an owner usually is from everybody.
        usual_db: of how much farther than expected everybody is: in eight simulated places people
            hear each other 9 dB weaker than in those of exp05.
        day_db: of the offset of one day.
        scene_db: of the offset of one scene.
        place_db: of a place's distances, as attenuation.
        apart_db: of the owner's distance to all others in one scene, as attenuation.
    """

    owner_db: float = 2.2
    habit_db: float = 1.5
    usual_db: float = 5.0
    day_db: float = 1.8
    scene_db: float = 1.6
    place_db: float = 3.0
    apart_db: float = 0.8


@dataclass(frozen=True, slots=True)
class EncounterLevels:
    """Encounters of one log or of several, in columns of length m, in any order.

    Attributes:
        observer: (m,) number of the log's owner; -1 if unknown, as in a log of one phone.
        peer: (m,) number of the person heard; -1 if unknown: each is then a person of their own.
        start_s, end_s: (m,) epoch seconds of the first and the last reading.
        stray_db: (m,) mean attenuation minus the expected one.
        noise_db2: (m,) variance of the encounter's own error.
        peer_db2: (m,) variance of what the peer keeps: the transmitter, the pair, their distance.
        model_db2: (m,) variance of what is unknown of the owner's phone model as receiver.
    """

    observer: Codes
    peer: Codes
    start_s: Floats
    end_s: Floats
    stray_db: Floats
    noise_db2: Floats
    peer_db2: Floats
    model_db2: Floats


@dataclass(frozen=True, slots=True)
class LastingOffsets:
    """What each log shows of its owner's offset.

    The offsets are parts of the attenuation, in dB: subtract them from it.

    Attributes:
        scene: (m,) the scene of each encounter, numbered by owner and time.
        db: (m,) the receiver's offset in the encounter's scene, as all other scenes show it: the
            prior for that scene. 0 if the log has no other scene.
        variance_db2: (m,) variance of what stays unknown of it.
        habit_db: (m,) how far distances raise the attenuation there more than expected, as the
            other scenes show it: habit and usual, no offset. Each scene shows its own distances
            better: to subtract this as well made the rank of pairs worse (docs/howto/calibrate.md).
        owner: (o,) numbers of the owners, ascending.
        owner_db: (o,) the owner's lasting offset from all scenes.
        owner_variance_db2: (o,) its variance.
        scenes: (o,) how many scenes the log has.
    """

    scene: Ints
    db: Floats
    variance_db2: Floats
    habit_db: Floats
    owner: Ints
    owner_db: Floats
    owner_variance_db2: Floats
    scenes: Ints


def lasting_offsets(
    levels: EncounterLevels, spreads: OffsetSpreads = OffsetSpreads()
) -> LastingOffsets:
    """Return each owner's offset as receiver, and what it says about each scene.

    >>> day = 86_400.0 * np.arange(21)
    >>> levels = EncounterLevels(
    ...     observer=np.zeros(21, np.int32), peer=np.arange(21, dtype=np.int32),
    ...     start_s=day, end_s=day + 900, stray_db=np.full(21, 6.0),
    ...     noise_db2=np.full(21, 4.0), peer_db2=np.full(21, 16.0), model_db2=np.full(21, 19.0))
    >>> found = lasting_offsets(levels)
    >>> round(float(found.owner_db[0]), 1), round(float(found.owner_variance_db2[0]) ** 0.5, 1)
    (2.7, 3.6)

    Half of it is distance, for one log alone can't separate the two.

    Args:
        levels: all encounters of the logs.
        spreads: how much the effects differ; all above 0.
    """
    owners, owner = np.unique(levels.observer.astype(np.int64), return_inverse=True)
    by_owner = RowGroups(owner.reshape(-1).astype(np.int64), len(owners))
    scene, day = _scenes_and_days(levels, by_owner)
    first = np.unique(scene, return_index=True)[1]  # an encounter of each scene
    day_of_scene = day[first]
    first_of_day = np.unique(day_of_scene, return_index=True)[1]
    owner_of_day = by_owner.row[first][first_of_day]
    by_scene = RowGroups(scene, len(first))
    by_day = RowGroups(day_of_scene, len(first_of_day))
    by_log = RowGroups(owner_of_day, len(owners))

    # Scenes to days.
    precision = 1 / _independent_variance(levels, by_owner)
    within = by_scene.sum(precision)
    level = by_scene.sum(precision * levels.stray_db) / within
    own = spreads.scene_db**2 + spreads.place_db**2 + spreads.apart_db**2
    scene_precision = 1 / (1 / within + own)
    scene_pull = scene_precision * level
    # Days to logs.
    day_precision, day_pull = by_day.sum(scene_precision), by_day.sum(scene_pull)
    sent = 1 / (1 / day_precision + spreads.day_db**2)
    sent_pull = sent * day_pull / day_precision
    lasting = spreads.owner_db**2 + by_owner.max(levels.model_db2)
    log_precision, log_pull = by_log.sum(sent), by_log.sum(sent_pull)
    # Logs to what is usual, and back: what all other logs say of the distances in each.
    farther_db, farther_db2 = _usual(log_precision, log_pull, lasting, spreads)
    common = lasting + farther_db2
    of_owner = lasting / common  # the owner's share of what only its own log shows
    owner_precision = 1 / common + log_precision
    owner_pull = log_pull - log_precision * farther_db

    # Back to scenes: what all others say of owner + farther, and of the day.
    at = by_day.row  # the day of each scene
    log = owner_of_day[at]
    elsewhere = 1 / (owner_precision[log] - sent[at])  # variance of owner + farther
    elsewhere_db = elsewhere * (owner_pull[log] - sent_pull[at] + sent[at] * farther_db[log])
    # The day's other scenes; none leave 0 except for rounding.
    others = np.maximum(day_precision[at] - scene_precision, 0.0)
    other_pull = np.where(others > 0, day_pull[at] - scene_pull - others * farther_db[log], 0.0)
    before = elsewhere + spreads.day_db**2  # variance of owner + farther + day
    gain = 1 / (1 + others * before)
    news = gain * (other_pull - others * elsewhere_db)
    share = of_owner[log]
    both_db = elsewhere_db + before * news
    habit_db = (1 - share) * (elsewhere_db + elsewhere * news)
    variance = (
        before * gain
        - 2 * (1 - share) * elsewhere * gain
        + (1 - share) ** 2 * (elsewhere - elsewhere**2 * others * gain)
        + share * farther_db2[log]
        + spreads.scene_db**2
    )
    return LastingOffsets(
        scene=scene,
        db=(both_db - habit_db)[scene],
        variance_db2=variance[scene],
        habit_db=(habit_db + farther_db[log])[scene],
        owner=owners,
        owner_db=of_owner * owner_pull / owner_precision,
        owner_variance_db2=of_owner**2 / owner_precision + of_owner * farther_db2,
        scenes=np.bincount(by_owner.row[first], minlength=len(owners)),
    )


def _usual(
    precision: Floats, pull: Floats, lasting: Floats, spreads: OffsetSpreads
) -> tuple[Floats, Floats]:
    """Return (o,) mean and (o,) variance of habit + usual of each log, as the other logs show it.

    Args:
        precision: (o,) of what each log's own days say of owner + habit + usual.
        pull: (o,) that precision times what they say.
        lasting: (o,) variance of each owner's offset.
        spreads: how much the effects differ.
    """
    said = 1 / (1 / precision + lasting + spreads.habit_db**2)
    said_pull = said * pull / precision
    others = np.maximum(said.sum() - said, 0.0)
    other_pull = np.where(others > 0, said_pull.sum() - said_pull, 0.0)
    variance = 1 / (1 / spreads.usual_db**2 + others)
    return variance * other_pull, variance + spreads.habit_db**2


def levels_of(slots: Slots, model: ProximityModel) -> EncounterLevels:
    """Return the encounters of ``slots`` as ``lasting_offsets`` reads them.

    Attenuation is expected at the model's median distance. If you expect another one per
    encounter, subtract the difference from ``stray_db``.

    Args:
        slots: of one log or of several.
        model: how much peers, pairs and distances differ.
    """
    minutes = slots.total(slots.credit_s) / SECONDS_PER_MINUTE
    moving = model.kept_variance(minutes) - model.kept_decades**2
    return EncounterLevels(
        observer=slots.observer.codes,
        peer=slots.peer.codes,
        start_s=slots.start_s,
        end_s=slots.end_s,
        stray_db=slots.mean_level() - model.typical_db,
        noise_db2=slot_noise_db2(minutes, model) + model.slope_db**2 * moving,
        peer_db2=(model.slope_db * model.kept_decades) ** 2
        + model.transmitter_sd_db**2
        + model.pair_sd_db**2
        + model.direction_sd_db**2
        + (slots.phone_variance_db2 - slots.receive_variance_db2),
        model_db2=slots.receive_variance_db2,
    )


def _independent_variance(levels: EncounterLevels, by_owner: RowGroups) -> Floats:
    """Return (m,) variances that count each peer's lasting part once, not once per encounter."""
    peers = int(levels.peer.max(initial=-1)) + 1
    rows = len(levels.peer)
    width = peers + rows  # a number of its own for each encounter of an unknown peer
    person = np.where(levels.peer >= 0, levels.peer, peers + np.arange(rows)).astype(np.int64)
    keys, pair = distinct_keys(by_owner.row * width + person, max(len(by_owner) * width, 1))
    by_pair = RowGroups(pair, len(keys))
    together = by_pair.sum(1 / levels.noise_db2)[pair]
    return np.asarray(levels.noise_db2 * (1 + by_pair.max(levels.peer_db2)[pair] * together))


def _days(levels: EncounterLevels, by_owner: RowGroups) -> Ints:
    """Return (m,) a number that grows with each new day of the encounter's owner.

    A day begins at the hour farthest from those in which the owner usually has encounters, which
    is at night in any time zone.
    """
    hour = np.floor(levels.start_s / SECONDS_PER_HOUR).astype(np.int64) % _HOURS
    begun = np.bincount(by_owner.row * _HOURS + hour, minlength=len(by_owner) * _HOURS)
    night = (begun.reshape(-1, _HOURS) @ _NEAR_HOUR).argmin(axis=1)[by_owner.row]
    date = np.floor((levels.start_s - night * SECONDS_PER_HOUR) / SECONDS_PER_DAY).astype(np.int64)
    return np.asarray(date - date.min(initial=0))


def _scenes_and_days(levels: EncounterLevels, by_owner: RowGroups) -> tuple[Ints, Ints]:
    """Return (m,) the scene of each encounter and (m,) its day, numbered by owner and time.

    A scene is in one day.
    """
    if not len(levels.start_s):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.lexsort((levels.start_s, by_owner.row))
    # Shift the owners far apart in time, so that one running maximum serves all of them.
    begin = float(levels.start_s.min())
    span = float(levels.end_s.max()) - begin + 2 * NEW_SCENE_S
    shift = by_owner.row[order] * span - begin
    start = levels.start_s[order] + shift
    last_end = np.maximum.accumulate(levels.end_s[order] + shift)
    new_day = np.diff(_days(levels, by_owner)[order], prepend=-1) != 0
    new_day |= np.diff(by_owner.row[order], prepend=-1) != 0
    silence = start - np.concatenate([[-np.inf], last_end[:-1]])
    new_scene = new_day | (silence > NEW_SCENE_S)
    scene, day = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    scene[order] = np.cumsum(new_scene) - 1
    day[order] = np.cumsum(new_day) - 1
    return scene, day

"""Fit the posterior's figures to recordings with known distances.

    attenuation = level + scene + slope * log10(distance / 2 m)
                  + receiver + transmitter + pair + direction + error

Expectation maximisation of a linear mixed model. E step: given the spreads, solve for all offsets
and their covariance. M step: set each spread from the expected squares of its offsets. A built-in
spread counts as ten further people or pairs (a conjugate prior), so that a recording which can't
separate two spreads leaves them as they were. How errors last follows from the residuals'
covariance over time by least squares. Standard errors of the figures come from the jackknife over
tenths of the scenes, or of the pairs of people if there are fewer than three scenes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import least_squares
from scipy.sparse import csr_array

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.known_slots import KnownSlots
from tracetogether.evaluation.phones import EXPONENT_SD, LEVEL_SD_DB
from tracetogether.evaluation.scene import Scene
from tracetogether.plain_text import counted
from tracetogether.proximity.binned_readings import SLOT_S
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed, oftener_of_pairs, pair_distances
from tracetogether.proximity.grid import group_sums
from tracetogether.proximity.model import MODEL, REFERENCE_M, ProximityModel
from tracetogether.units import Floats

FITTED: Final = (
    "level_db",
    "exponent",
    "level_sd_db",
    "receiver_sd_db",
    "transmitter_sd_db",
    "pair_sd_db",
    "direction_sd_db",
    "slow_sd_db",
    "slow_minutes",
    "minute_sd_db",
    "single_sd_db",
    "distance_m",
    "kept_decades",
    "moving_decades",
    "detection_decades",
)
"""The figures that are fitted; the others of ProximityModel stay as they were."""

_ROUNDS: Final = 12
_BELIEF: Final = 10.0  # people or pairs that a built-in spread counts for
_MOST_LAG: Final = 15  # slots
_FEWEST: Final = 30  # slots of known distance
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A fitted figure: name, value, its standard error, and what is built in."""

    name: str
    value: float
    error: float
    built_in: float


@dataclass(frozen=True, slots=True)
class ModelFit:
    """A fitted model, and how well it describes what it was fitted to.

    Attributes:
        model: the figures.
        figures: those that were fitted.
        slots: minutes of directed pairs with a known distance.
        scenes: scenes with any.
        spread_db: standard deviation of attenuation about its mean.
        residual_db: ... about the path loss alone.
        error_db: ... with everybody's offsets taken out as well.
        distance_m, attenuation_db: (slots,) what was fitted.
        lag_minutes, covariance_db2: of the errors over time, as measured.
    """

    model: ProximityModel
    figures: tuple[Figure, ...]
    slots: int
    scenes: int
    spread_db: float
    residual_db: float
    error_db: float
    distance_m: Floats
    attenuation_db: Floats
    lag_minutes: Floats
    covariance_db2: Floats


def fit(
    scenes: Sequence[Scene],
    calibration: Calibration,
    *,
    start: ProximityModel = MODEL,
    on_progress: Callable[[int, int], None] | None = None,
) -> ModelFit:
    """Return the figures that fit ``scenes`` best.

    Args:
        scenes: with known distances.
        calibration: what is known of phone models.
        start: the figures to start from, and that spreads are drawn to.
        on_progress: called with (fits done, all fits).

    Raises:
        InvalidReadingsError: less than 30 minutes of pairs have a known distance.
    """
    parts = known_parts(scenes, calibration)
    slots = sum(len(part.level) for part in parts)
    if slots < _FEWEST:
        raise InvalidReadingsError(
            f"{counted(slots, 'minutes')} of pairs with a known distance above 0: a fit needs "
            f"{_FEWEST} or more"
        )
    samples = _left_out(parts)
    steps = len(samples) + 1

    def step(done: int) -> None:
        if on_progress is not None:
            on_progress(done, steps)

    step(0)
    model, effects = _fitted(parts, start)
    step(1)
    others = []
    for number, sample in enumerate(samples):
        others.append(_fitted(sample, start)[0])
        step(number + 2)
    level = np.concatenate([part.level for part in parts])
    decades = np.concatenate([part.decades for part in parts])
    residual = level - model.level_db - model.slope_db * decades
    lags, covariance = _covariance_over_time(parts, effects)
    return ModelFit(
        model=model,
        figures=tuple(
            Figure(
                name,
                getattr(model, name),
                _jackknife([getattr(other, name) for other in others]),
                getattr(MODEL, name),
            )
            for name in FITTED
        ),
        slots=slots,
        scenes=len(parts),
        spread_db=float(level.std()),
        residual_db=float(residual.std()),
        error_db=float(np.concatenate([effect.error for effect in effects]).std()),
        distance_m=REFERENCE_M * 10**decades,
        attenuation_db=level,
        lag_minutes=lags,
        covariance_db2=covariance,
    )


def known_parts(scenes: Sequence[Scene], calibration: Calibration) -> list[KnownSlots]:
    """Return the slots of known distance of the scenes that have any."""
    parts = (KnownSlots.of(scene, calibration) for scene in scenes)
    return [part for part in parts if part is not None]


def _left_out(parts: Sequence[KnownSlots]) -> list[list[KnownSlots]]:
    """Return the recording without a tenth of its scenes, or of its pairs, for each tenth."""
    if len(parts) >= 3:
        groups = min(len(parts), _PARTS)
        return [
            [part for n, part in enumerate(parts) if n % groups != group] for group in range(groups)
        ]
    samples = []
    for group in range(_PARTS):
        kept = [(part, part.pair % _PARTS != group) for part in parts]
        sample = [part.take(rows) for part, rows in kept if rows.any()]
        if sample and sum(len(part.level) for part in sample) < sum(len(p.level) for p in parts):
            samples.append(sample)
    return samples


def _jackknife(values: Sequence[float]) -> float:
    """Return the standard error of a figure from its values without each part; NaN of one."""
    count = len(values)
    if count < 2:
        return float("nan")
    return float(np.sqrt((count - 1) / count * np.square(np.array(values) - np.mean(values)).sum()))


# --- offsets -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Effects:
    """Residuals of the slots of a part.

    Attributes:
        without_people: (s,) less path loss and the offsets of scene and people; the pairs' stay.
        error: (s,) less the pairs' offsets too.
    """

    without_people: Floats
    error: Floats


@dataclass(slots=True)
class _Sums:
    """Expected squares of offsets, and how many there are, over all parts."""

    squares: dict[str, float]
    counts: dict[str, float]

    def add(self, name: str, squares: Floats) -> None:
        self.squares[name] = self.squares.get(name, 0.0) + float(squares.sum())
        self.counts[name] = self.counts.get(name, 0.0) + len(squares)


def _fitted(
    parts: Sequence[KnownSlots], start: ProximityModel
) -> tuple[ProximityModel, list[_Effects]]:
    """Return the most probable figures, and what they leave of each part."""
    model = start
    effects: list[_Effects] = []
    # The line too is drawn to where it started: unknown phones tell little of it.
    belief = np.diag([LEVEL_SD_DB**-2, (10 * EXPONENT_SD) ** -2])
    for _ in range(_ROUNDS):
        sums = _Sums({}, {})
        effects, normal = [], belief.copy()
        right = belief @ [start.level_db, start.slope_db]
        for part in parts:
            effect, normal_share, right_share = _expected(part, model, sums)
            effects.append(effect)
            normal += normal_share
            right += right_share
        line = np.linalg.solve(normal, right)
        spreads = {
            name: float(
                np.sqrt(
                    (sums.squares[name] + _BELIEF * getattr(start, name) ** 2)
                    / (sums.counts[name] + _BELIEF)
                )
            )
            for name in sums.squares
        }
        model = replace(
            model, level_db=float(line[0]), exponent=max(float(line[1]) / 10, 0.05), **spreads
        )
    model = _with_errors(parts, effects, model)
    return _with_people(parts, model, start), effects


def _expected(
    part: KnownSlots, model: ProximityModel, sums: _Sums
) -> tuple[_Effects, Floats, Floats]:
    """Return what offsets leave of a part, and its share of the normal equations of the line."""
    directed, way = part.binned.pairs, part.way
    groups = (
        ("level_sd_db", np.zeros(len(part.level), dtype=np.int64), None),
        ("receiver_sd_db", directed.first[way], part.binned.receive_variance_db2[way]),
        ("transmitter_sd_db", directed.second[way], part.binned.transmit_variance_db2[way]),
        ("pair_sd_db", part.pair, None),
        ("direction_sd_db", way, None),
    )
    # Slots of a pair repeat one another for minutes: several count as one.
    repeats = 1 + 2 * model.slow_minutes * model.slow_sd_db**2 / _slot_variance(model)
    precision = 1 / (_slot_variance(model) * repeats)
    columns, owner, prior, names = [], 0, [], []
    for name, index, extra in groups:
        used, place = np.unique(index, return_inverse=True)
        own = getattr(model, name) ** 2 + 1e-6
        other = np.zeros(len(used))
        if extra is not None:
            np.maximum.at(other, place.reshape(-1), extra)
        columns.append(owner + place.reshape(-1))
        prior.append(own + other)
        names.append((name, slice(owner, owner + len(used)), own, other))
        owner += len(used)
    slots = np.arange(len(part.level))
    member = csr_array(
        (
            np.ones(len(columns) * len(slots)),
            (np.tile(slots, len(columns)), np.concatenate(columns)),
        ),
        shape=(len(slots), owner),
    )
    normal = precision * (member.T @ member).toarray() + np.diag(1 / np.concatenate(prior))
    stray = part.level - model.level_db - model.slope_db * part.decades
    covariance = _inverse(normal)
    effect: Floats = covariance @ np.asarray(precision * (member.T @ stray))
    square = effect**2 + np.diag(covariance)
    for name, rows, own, other in names:
        # Of an offset that an unknown phone model may explain, the person's part.
        share = own / (own + other)
        sums.add(name, share**2 * square[rows] + own * other / (own + other))
    people = effect[columns[0]] + effect[columns[1]] + effect[columns[2]]
    pairs = effect[columns[3]] + effect[columns[4]]
    # Generalised least squares: what offsets can explain of the line is no evidence for it.
    design = np.column_stack([np.ones(len(stray)), part.decades, part.level])
    explained = np.asarray(precision * (member.T @ design))
    normal_line = precision * design.T @ design - explained.T @ covariance @ explained
    return (
        _Effects(stray - people, stray - people - pairs),
        normal_line[:2, :2],
        normal_line[:2, 2],
    )


def _inverse(normal: Floats) -> Floats:
    """Return the inverse of a positive definite matrix, in half the time of any matrix's."""
    factor, _ = dpotrf(normal, lower=True)
    inverse, _ = dpotri(factor, lower=True)
    return np.asarray(np.tril(inverse) + np.tril(inverse, -1).T)


def _slot_variance(model: ProximityModel) -> float:
    return model.slow_sd_db**2 + model.minute_sd_db**2 + model.single_sd_db**2


# --- errors over time --------------------------------------------------------------


def _covariance_over_time(
    parts: Sequence[KnownSlots], effects: Sequence[_Effects]
) -> tuple[Floats, Floats]:
    """Return lags in minutes and the covariance of a pair's mean error of both directions."""
    totals, counts = np.zeros((2, _MOST_LAG + 1))
    for part, effect in zip(parts, effects, strict=True):
        both, _, _ = _two_ways(part, effect.without_people)
        for lag in range(_MOST_LAG + 1):
            there = (
                both[:, lag:] * both[:, : both.shape[1] - lag]
                if lag < both.shape[1]
                else both[:, :0]
            )
            known = np.isfinite(there)
            totals[lag] += there[known].sum()
            counts[lag] += known.sum()
    used = counts >= _FEWEST
    return np.flatnonzero(used).astype(np.float64), totals[used] / counts[used]


def _two_ways(part: KnownSlots, error: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (pairs, slots) mean of two directions and half their difference, NaN if one lacks.

    The last part is the pairs' mean of the half differences, (pairs, 1).
    """
    slots = int(part.slot.max()) + 1
    shape = (int(part.pair.max()) + 1, slots)
    place = part.pair * slots + part.slot
    size = shape[0] * slots
    count = np.bincount(place, minlength=size).reshape(shape)
    total = group_sums(error, place, size).reshape(shape)
    first, second = part.binned.pairs.first[part.way], part.binned.pairs.second[part.way]
    signed = group_sums(np.where(first < second, error, -error), place, size).reshape(shape)
    both = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    half = np.where(count == 2, signed / 2, np.nan)
    seen = np.isfinite(half)
    mean = np.where(seen, half, 0.0).sum(axis=1, keepdims=True) / np.maximum(
        seen.sum(axis=1, keepdims=True), 1
    )
    return both, half, mean


def _with_errors(
    parts: Sequence[KnownSlots], effects: Sequence[_Effects], model: ProximityModel
) -> ProximityModel:
    """Return the model with how errors last and how far single directions stray."""
    stray, count = 0.0, 0
    for part, effect in zip(parts, effects, strict=True):
        _, half, mean = _two_ways(part, effect.without_people)
        seen = np.isfinite(half)
        often = seen & (seen.sum(axis=1, keepdims=True) >= 3)
        free = (seen.sum(axis=1, keepdims=True) - 1) / np.maximum(
            seen.sum(axis=1, keepdims=True), 1
        )
        stray += float((np.where(often, half - mean, 0.0) ** 2 / np.where(often, free, 1.0)).sum())
        count += int(often.sum())
    # Half a difference has half the variance of one direction.
    single = (2 * stray + _BELIEF * model.single_sd_db**2) / (count + _BELIEF)
    lags, covariance = _covariance_over_time(parts, effects)
    model = replace(model, single_sd_db=float(np.sqrt(single)))
    later = lags >= 1
    if later.sum() < 4:
        return model
    weight = 1 / (1 + lags[later])

    def missed(unknown: Floats) -> Floats:
        kept, slow, minutes = np.exp(unknown)
        fall = kept + slow * np.exp(-lags[later] / minutes)
        believed = (unknown - first) * 0.3
        return np.concatenate([weight * (fall - covariance[later]), believed])

    first = np.log([model.pair_sd_db**2, model.slow_sd_db**2, model.slow_minutes])
    kept, slow, minutes = np.exp(least_squares(missed, first).x)
    fleeting = covariance[0] - kept - slow - 0.6 * single if lags[0] == 0 else 0.0
    return replace(
        model,
        slow_sd_db=float(np.sqrt(slow)),
        slow_minutes=float(minutes),
        minute_sd_db=float(np.sqrt(max(fleeting, 0.25))),
    )


# --- people ------------------------------------------------------------------------


def _with_people(
    parts: Sequence[KnownSlots], model: ProximityModel, start: ProximityModel
) -> ProximityModel:
    """Return the model with how far apart people were, and what hearing says beside the signal."""
    means, kept_shares = [], []
    within, moved = 0.0, 0.0
    for part in parts:
        pair = part.pair
        count = int(pair.max()) + 1
        slots = np.bincount(pair, minlength=count)
        used = slots > 0
        mean = group_sums(part.decades, pair, count) / np.maximum(slots, 1)
        last, first = np.full(count, -1), np.full(count, part.slot.max() + 1)
        np.maximum.at(last, pair, part.slot)
        np.minimum.at(first, pair, part.slot)
        share = model.movement_kept((last - first + 1).clip(1) * (SLOT_S / 60))
        means.append(mean[used])
        kept_shares.append(share[used])
        within += float(((part.decades - mean[pair]) ** 2).sum())
        moved += float((slots * (1 - share))[used].sum())
    kept_means = np.concatenate(means)
    middle = float(kept_means.mean())
    # Slots of a pair repeat one another, and so do both directions: some hundred are one.
    moving = (within + 100 * _BELIEF * start.moving_decades**2) / (moved + 100 * _BELIEF)
    spread = np.square(kept_means - middle).sum() - moving * np.concatenate(kept_shares).sum()
    kept = (max(spread, 0.0) + _BELIEF * start.kept_decades**2) / (len(kept_means) + _BELIEF)
    model = replace(
        model,
        distance_m=float(REFERENCE_M * 10**middle),
        kept_decades=float(np.sqrt(kept)),
        moving_decades=float(np.sqrt(moving)),
    )
    oftener, missed = [], []
    silent = replace(model, detection_decades=0.0)
    for part in parts:
        binned = part.binned
        found = pair_distances(binned, LogsUsed.PAIR, silent)
        row, count = found.pairs.row, len(found.pairs)
        pair_of_slot = row[part.way]
        seen = np.bincount(pair_of_slot, minlength=count)
        true = group_sums(part.decades, pair_of_slot, count) / np.maximum(seen, 1) + np.log10(
            REFERENCE_M
        )
        known = seen > 0
        oftener.append(oftener_of_pairs(binned, found.pairs, LogsUsed.PAIR)[known])
        missed.append((true - found.kept)[known])
    x, y = np.concatenate(oftener), np.concatenate(missed)
    # Some hundred pairs' worth of belief: hearing and signal say nearly the same.
    varied = np.square(x - x.mean()).sum() + 100.0
    covaried = ((x - x.mean()) * (y - y.mean())).sum() - 100.0 * start.detection_decades
    return replace(model, detection_decades=float(np.clip(-covaried / varied, 0.0, 0.15)))

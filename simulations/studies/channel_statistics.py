"""Statistics of a radio channel from readings: exponent, spreads by time scale, reciprocity.

The same code reads simulated and recorded readings, so the two can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Statistics of readings around ``attenuation = A + 10 n log10(distance)``.

    Attributes:
        readings: number of readings.
        exponent: n.
        at_1m_db: A.
        sigma_db: standard deviation of the residuals.
        pair_offset_sd_db: standard deviation of the lasting offsets of directed pairs.
        within_pair_sd_db: standard deviation around those offsets.
        reciprocity_corr: correlation of the offsets of the two directions of a pair.
        difference_sd_db: standard deviation of the difference of those two.
    """

    readings: int
    exponent: float
    at_1m_db: float
    sigma_db: float
    pair_offset_sd_db: float
    within_pair_sd_db: float
    reciprocity_corr: float
    difference_sd_db: float


def group_codes(*columns: Ints) -> Ints:
    """Return (n,) one number for each row, equal where all ``columns`` are equal."""
    _, codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return codes.reshape(-1).astype(np.int64)


def within_group_sd(values: Floats, group: Ints) -> float:
    """Return the pooled standard deviation inside groups of two or more."""
    count = np.bincount(group)
    mean = np.bincount(group, values) / np.maximum(count, 1)
    squares = ((values - mean[group]) ** 2).sum()
    freedom = (count - 1)[count > 0].sum()
    return float(np.sqrt(squares / freedom))


def channel_spread_db(level_dbm: Floats, channel: Ints, group: Ints) -> float:
    """Return the median over groups of (highest - lowest) mean level of the three channels, dB.

    Args:
        level_dbm: (n,) readings.
        channel: (n,) index of the channel, 0 to 2.
        group: (n,) whole numbers, one per link and short span of time.
    """
    groups = int(group.max()) + 1
    cell = group * 3 + channel
    count = np.bincount(cell, minlength=groups * 3).reshape(groups, 3)
    total = np.bincount(cell, level_dbm, minlength=groups * 3).reshape(groups, 3)
    full = (count > 0).all(axis=1)
    return float(np.median(np.ptp(total[full] / count[full], axis=1)))


def turning_db(level_dbm: Floats, direction: Ints) -> float:
    """Return the highest less the lowest mean level (dB) over a person's directions."""
    count = np.bincount(direction)
    mean = np.bincount(direction, level_dbm)[count > 0] / count[count > 0]
    return float(np.ptp(mean))


def quantiles(values: Floats, at: Sequence[float] = (0.1, 0.5, 0.9)) -> tuple[float, ...]:
    """Return quantiles; NaN without values."""
    if not len(values):
        return tuple(float("nan") for _ in at)
    return tuple(float(value) for value in np.quantile(values, at))


def channel_statistics(
    attenuation_db: Floats, distance_m: Floats, tx: Ints, rx: Ints, *, least_readings: int = 5
) -> ChannelStatistics:
    """Return the statistics of n readings.

    The spread of offsets follows the one-way random-effects model: a pair's mean residual varies
    by its offset and by averaging noise, so Var(offset) = Var(means) - Var(within) mean(1 / count).

    Args:
        attenuation_db: (n,) transmit power less corrected RSSI.
        distance_m: (n,) true distance.
        tx: (n,) who sent.
        rx: (n,) who heard.
        least_readings: pairs with fewer readings are left out of the offsets.
    """
    design = np.column_stack([np.ones_like(distance_m), 10.0 * np.log10(distance_m)])
    (at_1m, exponent), *_ = np.linalg.lstsq(design, attenuation_db, rcond=None)
    residual = attenuation_db - design @ np.array([at_1m, exponent])
    pair = group_codes(tx, rx)
    count = np.bincount(pair)
    mean = np.bincount(pair, residual) / count
    within = within_group_sd(residual, pair)
    enough = count >= least_readings
    between = float(np.var(mean[enough], ddof=1) - within**2 * np.mean(1.0 / count[enough]))
    first = np.unique(pair, return_index=True)[1]
    ends = np.stack([tx[first], rx[first]], axis=1)[enough]
    there = {(int(a), int(b)): float(m) for (a, b), m in zip(ends, mean[enough], strict=True)}
    both = np.array(
        [(m, there[b, a]) for (a, b), m in there.items() if a < b and (b, a) in there]
    ).reshape(-1, 2)
    return ChannelStatistics(
        readings=len(residual),
        exponent=float(exponent),
        at_1m_db=float(at_1m),
        sigma_db=float(residual.std()),
        pair_offset_sd_db=float(np.sqrt(max(between, 0.0))),
        within_pair_sd_db=within,
        reciprocity_corr=float(np.corrcoef(both.T)[0, 1]) if len(both) > 2 else float("nan"),
        difference_sd_db=float((both[:, 0] - both[:, 1]).std()) if len(both) else float("nan"),
    )

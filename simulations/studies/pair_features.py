"""What a log says of each pair in plain statistics, for learners that know no physics."""

from typing import Final

import numpy as np

from simulations.studies.heard_crowds import HeardCrowd
from simulations.studies.pair_answers import BOTH
from simulations.studies.pair_thresholds import GroupedRecords
from tracetogether.evaluation.baselines.tuned_threshold import least, low_quantile
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.grid import RowGroups, group_sums
from tracetogether.proximity.slots import fold
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

_QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)


def features(crowd: HeardCrowd, logs: str) -> Floats:
    """Return (p, f) statistics of each directed pair.

    Of the pair's records: number, mean, spread, least, greatest and quantiles of attenuation, time
    from first to last, minutes heard, longest silence. Of the pair among the others in the log:
    differences from the log's median and loudest pair, ranks by loudness and by number. Of the log:
    number of peers, records per peer, median attenuation, time. With both logs, the same of the
    other direction (NaN where it has no record) and of both together.
    """
    own = _of_direction(crowd)
    if logs != BOTH:
        return own
    owner, peer = np.divmod(crowd.pair, crowd.people)
    back = peer * crowd.people + owner
    at = np.minimum(np.searchsorted(crowd.pair, back), len(crowd.pair) - 1)
    other = np.where((crowd.pair[at] == back)[:, None], own[at], np.nan)
    pooled = GroupedRecords.of(crowd, BOTH)
    return np.column_stack([own, other, _of_records(crowd, pooled)[pooled.of_pair]])


def _of_direction(crowd: HeardCrowd) -> Floats:
    """Return (p, f) statistics of each pair in its observer's log."""
    records = GroupedRecords.of(crowd, "own")
    of_pair = _of_records(crowd, records)
    count, mean, loudest = of_pair[:, 0], of_pair[:, 1], of_pair[:, 3]
    owners, log = np.unique(crowd.pair // crowd.people, return_inverse=True)
    logs = RowGroups(log.reshape(-1), len(owners))
    peers = logs.sizes()
    median, nearest = (low_quantile(column, logs, at) for column, at in ((mean, 0.5), (loudest, 0)))
    row = logs.row
    return np.column_stack(
        [
            of_pair,
            mean - median[row],
            loudest - nearest[row],
            _ranks(mean, row) / peers[row],
            _ranks(loudest, row) / peers[row],
            _ranks(-count, row) / peers[row],
            peers[row],
            (logs.sum(count) / peers)[row],
            median[row],
            nearest[row],
            count / (logs.sum(count) / peers)[row],
            logs.max(of_pair[:, 10])[row],
        ]
    )


def _ranks(values: Floats, group: Ints) -> Floats:
    """Return the rank of each value in its group, from 1, the least first."""
    order = np.lexsort((values, group))
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    ranks = np.empty(len(values))
    sizes = np.diff(begins, append=len(values))
    ranks[order] = np.arange(len(values)) - np.repeat(begins, sizes) + 1.0
    return ranks


def _of_records(crowd: HeardCrowd, records: GroupedRecords) -> Floats:
    """Return (groups, 13) statistics of the records of each group."""
    calibration = Calibration.prior(transmit=BLUETRACE_TRANSMIT)
    level = calibration.attenuation(records.sightings).db
    groups, time = records.groups, records.sightings.time
    mean = groups.mean(level)
    spread = np.sqrt(groups.mean((level - mean[groups.row]) ** 2))
    first, last = least(time, groups), -least(-time, groups)
    order = np.lexsort((time, groups.row))
    gap = np.diff(time[order], prepend=0.0)
    gap[np.flatnonzero(np.diff(groups.row[order], prepend=-1))] = 0.0
    silence = RowGroups(groups.row[order], groups.count).max(gap)
    slots = fold(records.sightings, calibration)
    code = crowd.codes_of(slots.observer, slots.peer)
    group = np.searchsorted(records.code, code)[slots.encounter]
    heard = group_sums(slots.credit_s, group, len(records.code)) / SECONDS_PER_MINUTE
    return np.column_stack(
        [
            groups.sizes(),
            mean,
            spread,
            least(level, groups),
            -least(-level, groups),
            *(low_quantile(level, groups, quantile) for quantile in _QUANTILES),
            last - first,
            heard,
            silence,
        ]
    )

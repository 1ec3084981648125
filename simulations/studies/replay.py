"""Simulated readings of people on recorded tracks, compared with the recorded readings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from simulations.people.trajectories import UNKNOWN, RecordedTracks, by_label, named_columns
from simulations.phones.phones import CrowdPhones
from simulations.radio.channel import Channel
from simulations.settings.keys import ChannelKeys
from simulations.streams import Streams
from simulations.studies.channel_statistics import channel_statistics, quantiles
from simulations.studies.validation import DEFAULT_SEEDS, LASTING, ComparedStatistic
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.metrics import auc
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.tables.csv_columns import read_csv
from tracetogether.units import Floats

# field -> column names that are recognised without --reading-columns
READING_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "scene": ("scene", "scenario"),
    "t": ("t", "time"),
    "rx": ("rx",),
    "tx": ("tx",),
    "rssi": ("rssi",),
    "distance": ("distance", "dist_m", "distance_m"),
    "rx_model": ("rx_model",),
    "tx_model": ("tx_model",),
}
BANDS_M: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0)
WITHIN_M: Final = 2.0
MEDIAN_TOLERANCE_DB: Final = 3.0
AUC_TOLERANCE: Final = 0.05

_SCAN_EVERY_S, _SCAN_S = 60.0, 20.0  # as the recording app of exp05 scanned
_PACKETS: Final = 4
_LEAST_READINGS: Final = 200  # in a band, to compare quantiles of


@dataclass(frozen=True, slots=True)
class RecordedReadings:
    """Readings with their true distances, in columns of length n."""

    scene: Labels
    rx: Labels
    tx: Labels
    rx_model: Labels
    tx_model: Labels
    time_s: Floats
    rssi_dbm: Floats
    distance_m: Floats


def load_readings(path: Path, columns: Mapping[str, str]) -> RecordedReadings:
    """Read recorded readings with their true distance from a CSV table.

    Rows without a distance, with a negative one, or without a valid RSSI are left out.

    Raises:
        InvalidReadingsError: the table can't be read, or lacks a column.
    """
    named = named_columns(path, columns, READING_COLUMNS)
    labels = ("scene", "rx", "tx", "rx_model", "tx_model")
    table = read_csv(
        path,
        numbers={name: named[name] for name in ("t", "rssi", "distance")},
        labels={name: named[name] for name in labels},
        required={"t", "rssi", "distance", "rx", "tx"},
        may_be_empty={"distance"},
        strict=False,
        on_progress=None,
    )
    numbers = table.numbers
    keep = (numbers["distance"] > 0) & (numbers["rssi"] < 0)
    if not keep.any():
        raise InvalidReadingsError(f"{path} holds no reading with a known distance")
    unknown = Labels.constant(UNKNOWN, len(keep))
    taken = {name: table.labels.get(name, unknown).take(keep) for name in labels}
    return RecordedReadings(
        **taken,
        time_s=numbers["t"][keep],
        rssi_dbm=numbers["rssi"][keep],
        distance_m=numbers["distance"][keep],
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """Simulated or recorded readings, in columns of length n."""

    rssi_dbm: Floats
    attenuation_db: Floats
    distance_m: Floats


def validate_replay(
    scenes: list[RecordedTracks],
    readings: RecordedReadings,
    *,
    calibration: Calibration,
    channel: ChannelKeys,
    seeds: Sequence[int] = DEFAULT_SEEDS,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ComparedStatistic]:
    """Simulate readings along recorded tracks; compare RSSI by distance, and a threshold's AUC.

    Phones have the calibrated offsets of the recorded models (the population's mean where the table
    lacks a model), plus a random offset of their own. A receiver listens in each minute in which
    the recorded one heard anything.

    Args:
        scenes: the recorded tracks.
        readings: what was recorded there.
        calibration: the models' offsets.
        channel: settings of the radio.
        seeds: runs to average.
        on_progress: called with (scenes done, scenes in all), over all seeds.

    Raises:
        InvalidReadingsError: tracks and readings have no scene, time and person in common.
    """
    total = len(seeds) * len(scenes)
    runs: list[_Read] = []
    for turn, seed in enumerate(seeds):
        parts = []
        for done, scene in enumerate(scenes, start=1):
            parts.append(_simulate(scene, readings, calibration, channel, Streams(seed)))
            if on_progress is not None:
                on_progress(turn * len(scenes) + done, total)
        runs.append(_Read(*(np.concatenate(column) for column in zip(*parts, strict=True))))
    if not min(len(read.rssi_dbm) for read in runs):
        raise InvalidReadingsError(
            "the readings and the tracks have no scene, time and person in common: check --columns "
            "and --reading-columns"
        )
    transmit, receive = offsets_of(readings.tx_model, readings.rx_model, calibration)
    recorded = _Read(
        readings.rssi_dbm, transmit - (readings.rssi_dbm + receive), readings.distance_m
    )
    rows = []
    for low, high in pairwise(BANDS_M):
        mine = [_within(read, low, high) for read in runs]
        theirs = _within(recorded, low, high)
        if min(map(len, (*mine, theirs))) < _LEAST_READINGS:
            continue
        simulated = np.mean([quantiles(levels) for levels in mine], axis=0)
        for percent, value, measured in zip(
            (10, 50, 90), simulated.tolist(), quantiles(theirs), strict=True
        ):
            slack = MEDIAN_TOLERANCE_DB if percent == 50 else 2 * MEDIAN_TOLERANCE_DB
            name = f"rssi_q{percent}_{low:g}_{high:g}m_dbm"
            rows.append(
                ComparedStatistic(
                    name, value, measured, measured - slack, measured + slack, "the recording"
                )
            )
    of_runs = float(np.mean([_threshold_auc(read) for read in runs]))
    measured = _threshold_auc(recorded)
    low, high = measured - AUC_TOLERANCE, measured + AUC_TOLERANCE
    rows.append(
        ComparedStatistic(
            f"threshold_auc_{WITHIN_M:g}m", of_runs, measured, low, high, "the recording"
        )
    )
    return rows


def recorded_statistics(readings: RecordedReadings, calibration: Calibration) -> dict[str, float]:
    """Return the lasting statistics of a recording by name, each a mean over its scenes."""
    transmit, receive = offsets_of(readings.tx_model, readings.rx_model, calibration)
    attenuation = transmit - (readings.rssi_dbm + receive)
    found = [
        channel_statistics(
            attenuation[chosen],
            readings.distance_m[chosen],
            np.asarray(readings.tx.codes, dtype=np.int64)[chosen],
            np.asarray(readings.rx.codes, dtype=np.int64)[chosen],
        )
        for _, chosen in by_label(readings.scene)
    ]
    return {name: float(np.mean([getattr(scene, name) for scene in found])) for name in LASTING}


def _within(read: _Read, low: float, high: float) -> Floats:
    return read.rssi_dbm[(read.distance_m > low) & (read.distance_m <= high)]


def _threshold_auc(read: _Read) -> float:
    return auc(-read.attenuation_db, read.distance_m <= WITHIN_M)


def offsets_of(
    tx_model: Labels, rx_model: Labels, calibration: Calibration
) -> tuple[Floats, Floats]:
    """Return (n,) transmit powers (dBm) and (n,) receiver corrections (dB) of the rows' models."""

    def of(labels: Labels, field: str, otherwise: float) -> Floats:
        models = [calibration.models.get(str(name).strip().lower()) for name in labels.names]
        known = [None if model is None else getattr(model, field) for model in models]
        table = [otherwise if offset is None else offset for offset in known]
        return np.array([*table, otherwise])[labels.codes]

    return (
        of(tx_model, "transmit_dbm", calibration.transmit.mean_dbm),
        of(rx_model, "correction_db", calibration.receive.mean_db),
    )


def _simulate(
    scene: RecordedTracks,
    readings: RecordedReadings,
    calibration: Calibration,
    keys: ChannelKeys,
    streams: Streams,
) -> tuple[Floats, Floats, Floats]:
    """Return RSSI, attenuation and distance of the simulated readings of one scene."""
    people = len(scene.names)
    mine = np.zeros(len(readings.time_s), dtype=np.bool_)
    for name, chosen in by_label(readings.scene):
        if name == scene.scene:
            mine = chosen
    place = {name: person for person, name in enumerate(scene.names)}
    rx, tx = (column.numbers(place) for column in (readings.rx, readings.tx))
    transmit, receive = offsets_of(readings.tx_model, readings.rx_model, calibration)
    tx_dbm = np.full(people, calibration.transmit.mean_dbm)
    correction = np.full(people, calibration.receive.mean_db)
    for person in range(people):
        if (sent := mine & (tx == person)).any():
            tx_dbm[person] = np.median(transmit[sent])
        if (heard := mine & (rx == person)).any():
            correction[person] = np.median(receive[heard])
    own = streams.generator("replay", "specimens", scene.scene)
    phones = CrowdPhones(
        model=(UNKNOWN,) * people,
        system=np.zeros(people, dtype=np.int64),
        advertised_dbm=np.full(people, np.nan),
        tx_dbm=tx_dbm + keys.transmitter_sd_db * own.normal(size=people),
        correction_db=correction + keys.receiver_sd_db * own.normal(size=people),
        channel_db=np.zeros((people, 3)),
        failure=np.zeros(people),
    )
    alive = mine & (rx >= 0)
    minute = ((readings.time_s - scene.begin_s) // _SCAN_EVERY_S).astype(np.int64)
    listening = np.unique(np.column_stack([rx[alive], minute[alive]]), axis=0)
    senders = np.unique(tx[mine & (tx >= 0)])
    if not (len(listening) and len(senders)):
        return np.empty(0), np.empty(0), np.empty(0)
    receiver = np.repeat(listening[:, 0], len(senders) * _PACKETS)
    begin = np.repeat(listening[:, 1] * _SCAN_EVERY_S, len(senders) * _PACKETS)
    sender = np.tile(np.repeat(senders, _PACKETS), len(listening))
    chance = streams.generator("replay", "packets", scene.scene)
    time = begin + chance.uniform(0, _SCAN_S, len(begin))
    inside = (time >= 0) & (time < scene.tracks.ticks - 1)
    receiver, sender, time = receiver[inside], sender[inside], time[inside]
    channel = Channel(scene.tracks, phones, keys, streams)
    got = channel.readings(sender, receiver, time, chance.integers(3, size=len(time)))
    gap = scene.tracks.position(sender, time) - scene.tracks.position(receiver, time)
    kept = got.received
    rssi = got.rssi_dbm[kept]
    attenuation = tx_dbm[sender[kept]] - (rssi + correction[receiver[kept]])
    return rssi, attenuation, np.asarray(np.linalg.norm(gap[kept], axis=1))

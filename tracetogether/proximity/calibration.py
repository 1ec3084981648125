"""Phone models' radios: transmit power and receiver correction, and how uncertain they are.

attenuation = transmit power - (RSSI + receiver correction). Both numbers are on the scale of
Google's en-calibration-2020-12-14 table. The table of 2020-06-13 measured against another
reference phone; it is brought onto that scale by the mean differences over the 288 models
that were measured for both (corrections +7.4 dB, transmit powers +1.4 dB).
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np

from tracetogether.errors import CalibrationError
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.tables.attenuation_columns import STATED_ATTENUATION
from tracetogether.tables.spreadsheets import Cell, csv_text, harmless
from tracetogether.units import Floats, is_transmit_power


@dataclass(frozen=True, slots=True)
class TransmitPrior:
    """Transmit power of phones of which only the power setting is known.

    Attributes:
        mean_dbm: mean over phones, as radiated.
        sd_db: spread over phones.
        nominal_dbm: what they advertise at this setting. A phone that advertises another
            power is taken to radiate less than that by the same loss, ``nominal - mean``.
    """

    mean_dbm: float
    sd_db: float
    nominal_dbm: float


@dataclass(frozen=True, slots=True)
class ReceivePrior:
    """Correction of unknown receivers: mean and spread in dB."""

    mean_db: float
    sd_db: float


EXPOSURE_NOTIFICATION_TRANSMIT: Final = TransmitPrior(mean_dbm=-24.7, sd_db=7.4, nominal_dbm=-21.0)
"""Android's ULTRA_LOW: the 551 measured models of en-calibration-2020-12-14."""

BLUETRACE_TRANSMIT: Final = TransmitPrior(mean_dbm=-1.6, sd_db=5.3, nominal_dbm=1.0)
"""Android's HIGH: OpenTrace's 20 phones, -60.43 dBm at 2 m in an anechoic chamber, plus 6.0 dB
to 1 m, plus the 52.8 dB that the path-loss model has there. Exposure notification's mean and the
22 dB between the two settings come to -2.7."""

RECEIVE: Final = ReceivePrior(mean_db=3.6, sd_db=4.4)
"""The 551 measured models of en-calibration-2020-12-14."""

# en-calibration-2020-06-13 to the scale of 2020-12-14, and what its measured rows are worth:
# the two tables differ by sd 3.9 and 5.0 dB, half of that variance is laid on each.
_JUNE_CORRECTION_DB: Final = 7.4
_JUNE_TRANSMIT_DB: Final = 1.4
_JUNE_CORRECTION_SD_DB: Final = 2.7
_JUNE_TRANSMIT_SD_DB: Final = 3.5
NOT_SHOWN: Final = "not shown by this recording"
"""Origin of an offset in a table of ours, if it is the prior's."""

OTHERS: Final = "*"
"""Name of the line of a table of ours that is about all models without a line."""

_SHOWN: Final = "recording"
_OWN_COLUMNS: Final = (
    "oem",
    "model",
    "rssi_correction",
    "rssi_correction_sd",
    "rssi_correction_from",
    "tx_power",
    "tx_power_sd",
    "tx_power_from",
    "people",
    "encounters",
    "readings",
)
_MEASURED_CONFIDENCE: Final = 3  # the highest of 2020-12-14; less is an average over a maker


@dataclass(frozen=True, slots=True)
class ModelOffsets:
    """One phone model's radio, with its uncertainty."""

    correction_db: float
    correction_sd_db: float
    transmit_dbm: float
    transmit_sd_db: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """An offset of one phone model, learned from recordings with known distances.

    Attributes:
        db: the model's share of the attenuation, which is subtracted.
        sd_db: standard deviation of what stays unknown.
    """

    db: float
    sd_db: float


@dataclass(frozen=True, slots=True)
class Attenuation:
    """Attenuation of each reading, and its uncertainty from the phones' radios.

    Attributes:
        db: (n,) attenuation.
        phone_variance_db2: (n,) variance of an offset that a pair of phones keeps, from
            what is unknown of their models; 0 where both were measured.
    """

    db: Floats
    phone_variance_db2: Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Phone models' offsets, and priors for other phones.

    A model is found by its name, or by maker and name, in any case. Where a table has several
    rows of one name (two makers' "A1", or one phone sold with two boards), the measured ones
    count before the others, and their mean is taken and their spread added.

    Attributes:
        models: lower-case name -> offsets; empty without a table.
        transmit: prior of transmit power for other phones.
        receive: prior of receiver corrections for other phones.
        receive_shifts, transmit_shifts: lower-case name -> what was learned of the model as
            receiver and as transmitter (evaluation.phones); none of it is in a table.
        other_transmit_shift: what was learned of transmitters that neither a table nor
            ``transmit_shifts`` names, and of those without a name: the app's own power.
    """

    models: dict[str, ModelOffsets]
    transmit: TransmitPrior = EXPOSURE_NOTIFICATION_TRANSMIT
    receive: ReceivePrior = RECEIVE
    receive_shifts: dict[str, Shift] = field(default_factory=dict)
    transmit_shifts: dict[str, Shift] = field(default_factory=dict)
    other_transmit_shift: Shift | None = None

    @classmethod
    def prior(cls, transmit: TransmitPrior = EXPOSURE_NOTIFICATION_TRANSMIT) -> Self:
        """Return what is known without a table."""
        return cls({}, transmit)

    @classmethod
    def load(
        cls, path: str | Path, transmit: TransmitPrior = EXPOSURE_NOTIFICATION_TRANSMIT
    ) -> Self:
        """Read a table of phone models.

        Three layouts are known: en-calibration-2020-06-13, en-calibration-2020-12-14, and the one
        that ``calibrate phones`` writes, which has a standard deviation for each number.

        Raises:
            CalibrationError: the file can't be read, has other columns, no row, or a row
                without numbers; names the line.
        """
        try:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                return cls.of_lines(file, str(path), transmit)
        except FileNotFoundError:
            raise CalibrationError(f"there is no calibration table {path}") from None
        except OSError as error:
            raise CalibrationError(f"can't read {path}: {error.strerror or error}") from None
        except (UnicodeDecodeError, csv.Error):
            raise CalibrationError(f"{path} is no CSV table of UTF-8 text") from None

    @classmethod
    def of_lines(
        cls,
        lines: Iterable[str],
        name: str,
        transmit: TransmitPrior = EXPOSURE_NOTIFICATION_TRANSMIT,
    ) -> Self:
        """Return the table that ``lines`` hold, as ``load`` does; ``name`` is for errors.

        Raises:
            CalibrationError: it has other columns, no row, or a row without numbers.
            csv.Error: the lines are no CSV table.
        """
        rows: dict[str, list[ModelOffsets]] = defaultdict(list)
        for maker, model, offsets in _rows(name, csv.reader(lines), transmit):
            for key in {model_key(model), model_key(f"{maker} {model}")}:
                rows[key].append(offsets)
        if not rows:
            raise CalibrationError(f"{name} has a header but no phone model under it")
        models = {key: _one(found) for key, found in rows.items()}
        others = models.pop(OTHERS, None)
        if others is None:
            return cls(models, transmit)
        loss = transmit.nominal_dbm - transmit.mean_dbm
        power = others.transmit_dbm
        return cls(
            models,
            TransmitPrior(power, others.transmit_sd_db, nominal_dbm=power + loss),
            ReceivePrior(others.correction_db, others.correction_sd_db),
        )

    def offsets_of(self, model: str) -> ModelOffsets:
        """Return what is known of a model: its row, or the priors."""
        return self.models.get(
            model_key(model),
            ModelOffsets(
                correction_db=self.receive.mean_db,
                correction_sd_db=self.receive.sd_db,
                transmit_dbm=self.transmit.mean_dbm,
                transmit_sd_db=self.transmit.sd_db,
                measured=False,
            ),
        )

    def attenuation(self, sightings: Sightings) -> Attenuation:
        """Return the attenuation of each reading.

        A model in the table takes the table's numbers, another the prior's. A reading's own
        transmit power counts only where there is no table.
        """
        correction = self._column(
            sightings.observer_model,
            {name: m.correction_db for name, m in self.models.items()},
            self.receive.mean_db,
        )
        transmit = self._column(
            sightings.peer_model,
            {name: m.transmit_dbm for name, m in self.models.items()},
            self.transmit.mean_dbm,
        )
        if not self.models:
            advertised = sightings.tx_power_dbm
            loss = self.transmit.nominal_dbm - self.transmit.mean_dbm
            transmit = np.where(is_transmit_power(advertised), advertised - loss, transmit)
        db = transmit - (sightings.rssi_dbm + correction)
        other = self.other_transmit_shift
        in_table = {} if other is None else dict.fromkeys(self.models, 0.0)
        for models, shifts, otherwise in (
            (sightings.observer_model, self.receive_shifts, 0.0),
            (sightings.peer_model, self.transmit_shifts, 0.0 if other is None else other.db),
        ):
            if shifts or otherwise:
                learned = {name: shift.db for name, shift in shifts.items()}
                db -= self._column(models, in_table | learned, otherwise)
        receive_variance, transmit_variance = self.phone_variances(sightings)
        return Attenuation(db, receive_variance + transmit_variance)

    def phone_variances(self, sightings: Sightings) -> tuple[Floats, Floats]:
        """Return the variances of each reading's receiver and transmitter model.

        Variances in dB^2; their sum is ``Attenuation.phone_variance_db2``.
        """
        receive = {name: m.correction_sd_db for name, m in self.models.items()}
        receive |= {name: shift.sd_db for name, shift in self.receive_shifts.items()}
        transmit = {name: m.transmit_sd_db for name, m in self.models.items()}
        transmit |= {name: shift.sd_db for name, shift in self.transmit_shifts.items()}
        other = self.other_transmit_shift
        other_sd = self.transmit.sd_db if other is None else other.sd_db
        return (
            self._column(sightings.observer_model, receive, self.receive.sd_db) ** 2,
            self._column(sightings.peer_model, transmit, other_sd) ** 2,
        )

    @staticmethod
    def _column(models: Labels, known: dict[str, float], prior: float) -> Floats:
        """Return the number of each row's model."""
        # Code -1, unknown, picks the last entry: the prior.
        known = {**known, STATED_ATTENUATION: known.get(STATED_ATTENUATION, 0.0)}
        table = np.array([*(known.get(model_key(name), prior) for name in models.names), prior])
        return np.asarray(table[models.codes])


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A line of a table of phone models that this program writes.

    Attributes:
        model: its name.
        offsets: its radio.
        correction_shown, transmit_shown: whether the recordings show the number; else it is
            what was known before.
        people: how many different people had such a phone.
        encounters, readings: in how many it took part, as receiver or as transmitter.
    """

    model: str
    offsets: ModelOffsets
    correction_shown: bool
    transmit_shown: bool
    people: int
    encounters: int
    readings: int


def origin(*, shown: bool) -> str:
    """Return where an offset of a written table comes from."""
    return _SHOWN if shown else NOT_SHOWN


def table_text(rows: Iterable[PhoneRow]) -> str:
    """Return a CSV table of phone models that ``Calibration.load`` reads."""
    lines: list[tuple[Cell, ...]] = [_OWN_COLUMNS]
    for row in rows:
        offsets = row.offsets
        lines.append(
            (
                "",
                row.model,
                round(offsets.correction_db, 2),
                round(offsets.correction_sd_db, 2),
                origin(shown=row.correction_shown),
                round(offsets.transmit_dbm, 2),
                round(offsets.transmit_sd_db, 2),
                origin(shown=row.transmit_shown),
                row.people,
                row.encounters,
                row.readings,
            )
        )
    return "".join(csv_text(lines))


def model_key(name: str) -> str:
    """Return a phone model's name as tables of models have it."""
    return " ".join(name.lower().split())


@dataclass(frozen=True, slots=True)
class _TableColumns:
    """Where the numbers of a table are.

    Attributes:
        maker, model, correction, power: places of columns.
        measured: whether the model was measured (2020-06-13), or
        confidence: a number from 0 to 3 (2020-12-14), or
        sds: standard deviations of correction and transmit power (written by this program), and
        origins: what each of the two comes from.
    """

    maker: int
    model: int
    correction: int
    power: int
    measured: int | None
    confidence: int | None
    sds: tuple[int, int] | None
    origins: tuple[int, ...]

    @classmethod
    def of(cls, path: str, header: list[str]) -> Self:
        names = [" ".join(name.lower().replace("_", " ").split()) for name in header]

        def find(*starts: str) -> int | None:
            return next((i for i, name in enumerate(names) if name.startswith(starts)), None)

        maker, model = find("oem"), find("model")
        correction, power = find("rssi correction"), find("tx")
        measured = find("has direct measurement")
        confidence = find("confidence", "calibration confidence")
        sd = [find(f"{name} sd") for name in ("rssi correction", "tx power")]
        sds = None if sd[0] is None or sd[1] is None else (sd[0], sd[1])
        if (
            maker is None
            or model is None
            or correction is None
            or power is None
            or (measured is None and confidence is None and sds is None)
        ):
            raise CalibrationError(
                f"{path} is in neither published en-calibration layout; it has the columns "
                f"{', '.join(names)[:300] or '(none)'}; wanted are oem, model, rssi correction, "
                "tx, and has direct measurement (2020-06-13), confidence (2020-12-14), or both of "
                "rssi_correction_sd and tx_power_sd"
            )
        origins = (find("rssi correction from"), find("tx power from"))
        return cls(
            maker,
            model,
            correction,
            power,
            measured,
            confidence,
            sds,
            tuple(place for place in origins if place is not None),
        )

    def offsets(self, row: list[str], transmit: TransmitPrior) -> ModelOffsets:
        """Return the offsets in a row; a ValueError or IndexError means that it has none."""
        correction, power = float(row[self.correction]), float(row[self.power])
        if self.sds is not None:
            sd = (float(row[self.sds[0]]), float(row[self.sds[1]]))
            if min(sd) < 0:
                raise ValueError("a standard deviation is below 0")
            known = [row[place] != NOT_SHOWN for place in self.origins]
            return ModelOffsets(correction, sd[0], power, sd[1], measured=not known or any(known))
        june = self.measured is not None
        flag = row[self.measured if self.measured is not None else self.confidence or 0]
        flag = flag.strip().lower()
        measured = flag == "yes" if june else float(flag) >= _MEASURED_CONFIDENCE
        sd = (_JUNE_CORRECTION_SD_DB, _JUNE_TRANSMIT_SD_DB) if june else (0.0, 0.0)
        if not measured:  # the mean of a family says nothing of one model (correlation < .2)
            sd = (RECEIVE.sd_db, transmit.sd_db)
        return ModelOffsets(
            correction_db=correction + (_JUNE_CORRECTION_DB if june else 0.0),
            correction_sd_db=sd[0],
            transmit_dbm=power + (_JUNE_TRANSMIT_DB if june else 0.0),
            transmit_sd_db=sd[1],
            measured=measured,
        )


def _rows(
    path: str, reader: Iterator[list[str]], transmit: TransmitPrior
) -> Iterator[tuple[str, str, ModelOffsets]]:
    """Yield (maker, model, offsets) of each row of a table."""
    columns = _TableColumns.of(path, next(reader, []))
    for line, row in enumerate(reader, start=2):
        if not row:
            continue
        try:
            offsets = columns.offsets(row, transmit)
        except (ValueError, IndexError):
            raise CalibrationError(
                f"{path}, line {line}: no numbers where the header has them: {row!r:.200}"
            ) from None
        numbers = (
            offsets.correction_db,
            offsets.correction_sd_db,
            offsets.transmit_dbm,
            offsets.transmit_sd_db,
        )
        if not np.isfinite(numbers).all():
            raise CalibrationError(f"{path}, line {line}: a number is not finite: {row!r:.200}")
        if not _possible(offsets):
            raise CalibrationError(
                f"{path}, line {line}: no radio has such numbers (powers of -100 to 40 dBm, "
                f"corrections of -60 to 60 dB): is a decimal point missing in {row!r:.200}?"
            )
        yield _unguarded(row[columns.maker]), _unguarded(row[columns.model]), offsets


def _possible(offsets: ModelOffsets) -> bool:
    """Return whether a radio may have these offsets and errors."""
    return (
        abs(offsets.correction_db) <= 60
        and -100 <= offsets.transmit_dbm <= 40
        and 0 <= offsets.correction_sd_db <= 60
        and 0 <= offsets.transmit_sd_db <= 60
    )


def _unguarded(name: str) -> str:
    """Return a name without the apostrophe that keeps a spreadsheet from computing it."""
    bare = name.removeprefix("'")
    return bare if harmless(bare) == name else name


def _one(rows: list[ModelOffsets]) -> ModelOffsets:
    """Return the combined offsets of several rows of one name."""
    if len(rows) == 1:
        return rows[0]
    best = [row for row in rows if row.measured] or rows
    corrections = [row.correction_db for row in best]
    powers = [row.transmit_dbm for row in best]
    return ModelOffsets(
        correction_db=float(np.mean(corrections)),
        correction_sd_db=float(np.hypot(np.std(corrections), best[0].correction_sd_db)),
        transmit_dbm=float(np.mean(powers)),
        transmit_sd_db=float(np.hypot(np.std(powers), best[0].transmit_sd_db)),
        measured=best[0].measured,
    )

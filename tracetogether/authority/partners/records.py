"""Records of other phones' TempIDs as they travel between authorities: columns, no person.

A record says which TempID was heard, when (to 10 s), how strong, and which phone models sent and
measured. It does not say who heard it, for which case, or where.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.bluetrace.token_text import TOKEN_BYTES, raw_of_texts, texts_of_raw
from tracetogether.bluetrace.upload import UploadRecords
from tracetogether.cbor import read_cbor, write_cbor
from tracetogether.crypto import sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.parameters import RECORDS_A_BATCH, RECORDS_STEP_S
from tracetogether.plain_text import hidden_in
from tracetogether.units import Bools, Bytes2D, Entropy, Floats, Ints

MOST_BYTES: Final = 512 << 10  # 5,000 records have 345 KB, and names of models
_VERSION: Final = 1
_COUNT, _TOKENS, _TIMES, _RSSI, _POWER, _MODELS, _CENTRAL, _PERIPHERAL = range(2, 10)
_WIDTHS: Final = {_TOKENS: TOKEN_BYTES, _TIMES: 4, _RSSI: 1, _POWER: 1, _CENTRAL: 1, _PERIPHERAL: 1}
_NO_MODEL: Final = 255
_MOST_MODEL: Final = 64
_NO_LEVEL: Final = -128


@dataclass(frozen=True, slots=True)
class ForeignRecords:
    """n records in columns.

    Attributes:
        token: (n, 61) bytes of the TempIDs.
        time: (n,) epoch seconds, multiples of 10.
        rssi_dbm, tx_power_dbm: (n,) whole dBm; NaN where it is unknown.
        model_central, model_peripheral: which model measured, and which sent.
    """

    token: Bytes2D = field(repr=False)
    time: Floats
    rssi_dbm: Floats
    tx_power_dbm: Floats
    model_central: Labels
    model_peripheral: Labels

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of_log(cls, records: UploadRecords, rows: Ints) -> Self:
        """Return chosen records of a log, all with a well-formed token, with times rounded."""
        token, _ = raw_of_texts([records.token[row] for row in rows.tolist()])
        return cls(
            token,
            np.round(records.time[rows] / RECORDS_STEP_S) * RECORDS_STEP_S,
            np.round(records.rssi_dbm[rows]),
            np.round(records.tx_power_dbm[rows]),
            records.model_central.take(rows),
            records.model_peripheral.take(rows),
        )

    @classmethod
    def none(cls) -> Self:
        """Return no records."""
        no, nobody = np.empty(0), Labels.constant(None, 0)
        return cls(np.empty((0, TOKEN_BYTES), np.uint8), no, no, no, nobody, nobody)

    @classmethod
    def concat(cls, parts: Sequence["ForeignRecords"]) -> Self:
        """Return the records of all parts."""
        return cls(
            np.concatenate([part.token for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.rssi_dbm for part in parts]),
            np.concatenate([part.tx_power_dbm for part in parts]),
            Labels.concat([part.model_central for part in parts]),
            Labels.concat([part.model_peripheral for part in parts]),
        )

    def take(self, rows: Ints | Bools) -> "ForeignRecords":
        """Return chosen records in the order of ``rows``."""
        return ForeignRecords(
            self.token[rows],
            self.time[rows],
            self.rssi_dbm[rows],
            self.tx_power_dbm[rows],
            self.model_central.take(rows),
            self.model_peripheral.take(rows),
        )

    def shuffled(self, entropy: Entropy) -> "ForeignRecords":
        """Return the records in a random order: a log has an order of its own."""
        drawn = np.frombuffer(entropy(8 * len(self)), dtype=np.uint64)
        return self.take(np.argsort(drawn, kind="stable").astype(np.int64))

    def once(self) -> "ForeignRecords":
        """Return the records without those that are there twice, as in two uploads of one log."""
        rows = self._rows()
        _, first = np.unique(rows, return_index=True)
        return self.take(np.sort(first).astype(np.int64))

    def texts(self) -> list[str]:
        """Return the n TempIDs as text."""
        return [row.tobytes().decode("ascii") for row in texts_of_raw(self.token)]

    def labels(self) -> Labels:
        """Return the n TempIDs as a column of texts."""
        whole = np.ascontiguousarray(self.token).view(np.dtype((np.void, TOKEN_BYTES))).ravel()
        distinct, codes = np.unique(whole, return_inverse=True)
        names = tuple(b64encode(token.tobytes()).decode() for token in distinct)
        return Labels(codes.ravel().astype(np.int32), names)

    def to_log(self, organisation: str) -> UploadRecords:
        """Return the records as those of a log, all of ``organisation``."""
        return UploadRecords(
            index=np.arange(len(self), dtype=np.int32),
            time=self.time,
            token=tuple(self.texts()),
            model_central=self.model_central,
            model_peripheral=self.model_peripheral,
            organisation=Labels.constant(organisation, len(self)),
            rssi_dbm=self.rssi_dbm,
            tx_power_dbm=self.tx_power_dbm,
            malformed=0,
        )

    def write(self) -> bytes:
        """Return the records as CBOR: a map of whole columns."""
        both = Labels.concat([self.model_central, self.model_peripheral])
        names, codes = _travelling(both)
        return write_cbor(
            {
                1: _VERSION,
                _COUNT: len(self),
                _TOKENS: self.token.tobytes(),
                _TIMES: (self.time / RECORDS_STEP_S).astype(">u4").tobytes(),
                _RSSI: _levels(self.rssi_dbm),
                _POWER: _levels(self.tx_power_dbm),
                _MODELS: names,
                _CENTRAL: codes[: len(self)].tobytes(),
                _PERIPHERAL: codes[len(self) :].tobytes(),
            }
        )

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read what ``write`` wrote. A record may say anything; only the columns must be whole.

        Raises:
            UnreadableMessageError: it is something else, or too many records.
        """
        kept = read_cbor(data, most_bytes=MOST_BYTES)
        if not isinstance(kept, dict) or kept.get(1) != _VERSION:
            raise UnreadableMessageError("the batch holds no records of a known form", "batch-form")
        count, names = kept.get(_COUNT), kept.get(_MODELS)
        if not isinstance(count, int) or not 0 <= count <= RECORDS_A_BATCH:
            raise UnreadableMessageError(
                "a batch has at most {most} records", "batch-too-long", most=RECORDS_A_BATCH
            )
        columns = {label: kept.get(label) for label in _WIDTHS}
        whole = {
            label: column
            for label, column in columns.items()
            if isinstance(column, bytes) and len(column) == count * _WIDTHS[label]
        }
        if len(whole) < len(_WIDTHS) or not _are_names(names):
            raise UnreadableMessageError("a column of the batch is not whole", "batch-form")
        return cls(
            np.frombuffer(whole[_TOKENS], np.uint8).reshape(count, TOKEN_BYTES),
            np.frombuffer(whole[_TIMES], ">u4").astype(np.float64) * RECORDS_STEP_S,
            _levels_in(whole[_RSSI]),
            _levels_in(whole[_POWER]),
            _models_in(whole[_CENTRAL], names),
            _models_in(whole[_PERIPHERAL], names),
        )

    def _rows(self) -> npt.NDArray[np.void]:
        columns = [
            self.token,
            self.time.astype(">u8").view(np.uint8).reshape(-1, 8),
            np.frombuffer(_levels(self.rssi_dbm), np.uint8)[:, None],
        ]
        joined = np.ascontiguousarray(np.concatenate(columns, axis=1))
        return joined.view(np.dtype((np.void, joined.shape[1]))).ravel()


def _levels(dbm: Floats) -> bytes:
    known = np.isfinite(dbm)
    return (
        np.where(known, np.clip(np.where(known, dbm, 0), -127, 127), _NO_LEVEL)
        .astype(np.int8)
        .tobytes()
    )


def _levels_in(data: bytes) -> Floats:
    found = np.frombuffer(data, np.int8).astype(np.float64)
    found[found == _NO_LEVEL] = np.nan
    return found


def _travelling(models: Labels) -> tuple[list[str], Bytes2D]:
    """Return names of models, at most 255 short ones, and each row's number; 255 for none."""
    used = [int(code) for code in np.unique(models.codes) if code != UNKNOWN]
    names: list[str] = []
    table = np.full(len(models.names) + 1, _NO_MODEL, dtype=np.uint8)
    for code in used:
        name = models.names[code]
        if len(name) <= _MOST_MODEL and not hidden_in(name) and len(names) < _NO_MODEL:
            table[code] = len(names)
            names.append(name)
    return names, table[models.codes]


def _are_names(names: object) -> bool:
    return (
        isinstance(names, list)
        and len(names) <= _NO_MODEL
        and all(
            isinstance(name, str) and len(name) <= _MOST_MODEL and not hidden_in(name)
            for name in names
        )
    )


def _models_in(data: bytes, names: object) -> Labels:
    assert isinstance(names, list)  # noqa: S101 - _are_names has looked
    codes = np.frombuffer(data, np.uint8).astype(np.int32)
    codes[codes >= len(names)] = UNKNOWN
    distinct = Labels.encode([str(name) for name in names])
    return Labels(np.append(distinct.codes, np.int32(UNKNOWN))[codes], distinct.names)


def digest_of(payload: bytes) -> bytes:
    """Return what a batch without a name is known by: SHA-256 of what is signed, 32 bytes.

    The signature does not count: ECDSA allows two signatures that both hold.
    """
    return sha256(payload)

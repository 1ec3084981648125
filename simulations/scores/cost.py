"""What a protocol costs: bytes, processor and battery, by formulas over how it is used.

Bytes are those that this library writes: tests hold each formula equal to the written files,
uploads and advertisements. Work is counted by kind (``Work``), as the code counts its own. A
count becomes CPU-seconds by the speeds of ``work_speeds``, which are measured on this library: so
they compare protocols, and are no figures of a phone. Requests without a body are not counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Final

from simulations.phones.battery import ASSUMED, SECONDS_PER_HOUR, battery_percent_per_hour
from simulations.phones.protocols import PROTOCOLS as SIMULATED
from simulations.phones.radios import PhoneRadio, System
from simulations.scores.work_speeds import SPEEDS, Work
from tracetogether.dp3t.cuckoo import FINGERPRINT_BITS, FULLNESS, SLOTS
from tracetogether.parameters import BLUETRACE, PhoneTimings
from tracetogether.robert.status import REQUEST_BYTES
from tracetogether.robert.tuples import EPOCHS_PER_DAY as TUPLES_PER_DAY
from tracetogether.robert.tuples import TUPLE_DAYS, sealed_bytes
from tracetogether.units import SECONDS_PER_DAY

EPOCHS_PER_DAY: Final = 96
KEPT_DAYS: Final = 14
_TEMPID_BYTES: Final = 144  # a TempID with its two times, as JSON
_BATCH_BYTES: Final = 58  # what is around them
_RECORD_BYTES: Final = 174  # a record of an upload without its number and texts, its comma with it
_UPLOAD_BYTES: Final = 26
_SIGNED_BYTES: Final = 4 + 64  # kind and signature of a published file of DP-3T
_TIME_BYTES: Final = 8
_EXPORT_BYTES: Final = 399  # a zip file without keys
_KEY_BYTES: Final = 31  # a key with risk, type and onset, not compressed
_DEFLATED_KEY_BYTES: Final = 17.65  # measured; 16 of them are random, so that it can't be much less
_REPORT_BYTES: Final = 134
_KEYS_OF_TCN: Final = 4  # a day
_NUMBERS_OF_TCN: Final = 24  # of a key
_LIST_BYTES: Final = 4 + 32  # kind and digest of a list
_TOKEN_BYTES: Final = 32
_STATUS_BYTES: Final = 1


@dataclass(frozen=True, slots=True)
class Use:
    """How a protocol is used.

    Attributes:
        users: phones with the app.
        cases_day: people who report in a day.
        days: how many days a report covers, 1 to 14.
        contacts_epoch: how many phones a phone hears in 15 minutes, the mean over a day.
        readings: records that it keeps of each of them in that time.
        padding: keys that a server of GAEN publishes for each real one; 1: none is added.
        files_day: files that a server publishes in a day.
        statuses_day: how often a phone of ROBERT or DESIRE asks for its status in a day.
        window_h: windows of DP-3T's hybrid design, hours.
        text_bytes: letters of the two models and the authority's name in a record of BlueTrace.
    """

    users: int = 1_000_000
    cases_day: float = 1_000.0
    days: int = 10
    contacts_epoch: float = 5.0
    readings: float = 4.0
    padding: float = 1.0
    files_day: int = 1
    statuses_day: float = 1.0
    window_h: int = 4
    text_bytes: int = 22

    def __post_init__(self) -> None:
        if not 1 <= self.days <= KEPT_DAYS:
            raise ValueError(f"a report covers 1 to {KEPT_DAYS} days, not {self.days}")
        if self.padding < 1 or self.files_day < 1 or self.users < 1:
            raise ValueError("at least 1 for users, padding and files a day")
        if min(self.cases_day, self.contacts_epoch, self.readings, self.statuses_day) < 0:
            raise ValueError("cases, contacts, readings and statuses can't be negative")
        if self.window_h < 1 or 24 % self.window_h:
            raise ValueError(f"a window of {self.window_h} h does not divide a day")

    @property
    def met_day(self) -> float:
        """Encounters of a phone in a day, each within 15 minutes."""
        return EPOCHS_PER_DAY * self.contacts_epoch

    @property
    def reported(self) -> float:
        """Encounters that a report covers."""
        return self.days * self.met_day


@dataclass(frozen=True, slots=True)
class Cost:
    """What a protocol costs.

    Attributes:
        down_bytes_day: what a phone loads in a day.
        up_bytes_day: what a phone that is not a case sends in a day.
        up_bytes_case: what a case uploads once.
        server_cpu_s_day: CPU-seconds of the server in a day, for all phones.
        phone_cpu_s_day: CPU-seconds of one phone's work in a day, on the machine of the speeds.
        battery_mah_day: charge of one phone in a day, by its radio and what keeps it awake.
        air_bytes: bytes of one advertisement.
    """

    down_bytes_day: float
    up_bytes_day: float
    up_bytes_case: float
    server_cpu_s_day: float
    phone_cpu_s_day: float
    battery_mah_day: float
    air_bytes: int

    def to_json(self) -> dict[str, float]:
        """Return the fields for a file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Formulas:
    """The formulas of one protocol.

    Attributes:
        down, up_day, up_case: bytes.
        phone, server: counted work of a day.
        air: bytes of one advertisement.
    """

    down: Callable[[Use], float]
    up_day: Callable[[Use], float]
    up_case: Callable[[Use], float]
    phone: Callable[[Use], Mapping[Work, float]]
    server: Callable[[Use], Mapping[Work, float]]
    air: int


def cost_of(protocol: str, use: Use | None = None, speeds: Mapping[Work, float] = SPEEDS) -> Cost:
    """Return what a protocol costs.

    Args:
        protocol: one of ``PROTOCOLS``.
        use: how it is used; the defaults if None.
        speeds: CPU-seconds of one piece of each kind of work.

    Raises:
        ValueError: there is no such protocol.

    >>> round(cost_of("dp3t-low-cost", Use(cases_day=6_294)).down_bytes_day)
    226660
    """
    use = use or Use()
    formulas = _of(protocol)
    return Cost(
        down_bytes_day=formulas.down(use),
        up_bytes_day=formulas.up_day(use),
        up_bytes_case=formulas.up_case(use),
        server_cpu_s_day=_seconds(formulas.server(use), speeds),
        phone_cpu_s_day=_seconds(formulas.phone(use), speeds),
        battery_mah_day=_battery(use, SIMULATED[protocol].radio),
        air_bytes=formulas.air,
    )


def work_of(protocol: str, use: Use) -> tuple[Mapping[Work, float], Mapping[Work, float]]:
    """Return the counted work of a day: one phone's, and the server's.

    Raises:
        ValueError: there is no such protocol.
    """
    formulas = _of(protocol)
    return formulas.phone(use), formulas.server(use)


def _of(protocol: str) -> _Formulas:
    if protocol not in _FORMULAS:
        raise ValueError(f"no protocol {protocol!r}: there are {', '.join(_FORMULAS)}")
    return _FORMULAS[protocol]


def _seconds(work: Mapping[Work, float], speeds: Mapping[Work, float]) -> float:
    return sum(count * speeds[kind] for kind, count in work.items())


def _battery(use: Use, radio: PhoneRadio) -> float:
    """Return mAh of a day: scans, advertisements and connections of an Android phone."""
    timings, habit = radio.timings[System.ANDROID], radio.habits_of_system(System.ANDROID)
    counts = {"scans": round(SECONDS_PER_DAY / _round_s(timings))}
    if radio.connects:  # each record of an encounter comes with a connection, made or answered
        counts["served"] = round(use.met_day * use.readings)
    percent = battery_percent_per_hour(
        counts,
        timings,
        system=System.ANDROID,
        advertise_every_s=habit.advertise_every_s,
        listening_share=habit.window_s / habit.interval_s,
        duration_s=float(SECONDS_PER_DAY),
    )
    return percent / 100.0 * ASSUMED.capacity_mah * SECONDS_PER_DAY / SECONDS_PER_HOUR


def _round_s(timings: PhoneTimings) -> float:
    return timings.scan_s + (timings.scan_pause_min_s + timings.scan_pause_max_s) / 2


def _nothing(_: Use) -> float:
    return 0.0


# --- BlueTrace: a batch of TempIDs twice a day; a case uploads what it heard -----


def batch_bytes(tempids: int) -> int:
    """Return the bytes of a server's answer with at least one TempID."""
    return _BATCH_BYTES + tempids * (_TEMPID_BYTES + 1) - 1


def _batches_day() -> float:
    return SECONDS_PER_DAY / BLUETRACE.refresh_after_s


def upload_bytes(records: int, text_bytes: int) -> int:
    """Return the bytes of a log of at least one record.

    Args:
        records: how many, each with a signal of two digits and no transmit power.
        text_bytes: letters of models and authority in each.
    """
    digits = sum(max(records - least + 1, 0) for least in (1, 10, 100, 1_000, 10_000, 100_000))
    return _UPLOAD_BYTES + records * (_RECORD_BYTES + text_bytes) + digits - 1


def _bluetrace_case(use: Use) -> float:
    return upload_bytes(max(round(use.reported * use.readings), 1), use.text_bytes)


def _bluetrace_server(use: Use) -> Mapping[Work, float]:
    sealed = use.users * _batches_day() * BLUETRACE.batch_size
    opened = use.cases_day * use.reported * use.readings
    return {Work.TEMPID_SEALED: sealed, Work.RECORD_OPENED: opened}


# --- ROBERT: tuples with each answer; a case uploads HELLOs ----------------------


def _robert_down(use: Use) -> float:
    return use.statuses_day * (_STATUS_BYTES + sealed_bytes(TUPLE_DAYS * TUPLES_PER_DAY))


def hellos_bytes(records: float) -> float:
    """Return the bytes of an upload of HELLOs."""
    return _LIST_BYTES + 21 * records


def _robert_server(use: Use) -> Mapping[Work, float]:
    statuses = use.users * use.statuses_day
    return {
        Work.STATUS_CHECKED: statuses,
        Work.TUPLE_MADE: statuses * TUPLE_DAYS * TUPLES_PER_DAY,
        Work.HELLO_JUDGED: use.cases_day * use.reported * use.readings,
    }


# --- GAEN: a signed file of keys -------------------------------------------------


def _gaen_keys(use: Use) -> float:
    return use.cases_day * use.days * use.padding


def export_bytes(keys: float) -> float:
    """Return the bytes of a zip file of keys, each with risk, type and onset."""
    return _EXPORT_BYTES + _DEFLATED_KEY_BYTES * keys


def keys_bytes(keys: float) -> float:
    """Return the bytes of keys as messages, as a phone hands them over."""
    return _KEY_BYTES * keys


def _gaen_down(use: Use) -> float:
    return use.files_day * export_bytes(_gaen_keys(use) / use.files_day)


# --- DP-3T: a file of secrets, or a filter ---------------------------------------


def low_cost_bytes(cases: float) -> float:
    """Return the bytes of a published file of the low-cost design."""
    return _SIGNED_BYTES + _TIME_BYTES + 36 * cases


def hybrid_bytes(windows: float) -> float:
    """Return the bytes of a published file of windows of the hybrid design."""
    return _SIGNED_BYTES + _TIME_BYTES + 4 + 20 * windows


def filter_bytes(epochs: float) -> float:
    """Return the bytes of a published filter of epochs of the unlinkable design."""
    buckets = max(ceil(round(epochs) / (SLOTS * FULLNESS)), 1)
    return _SIGNED_BYTES + _TIME_BYTES + 4 + ceil(buckets * SLOTS * FINGERPRINT_BITS / 8)


def _windows(use: Use) -> float:
    return use.days * 24 / use.window_h


def _epochs(use: Use) -> float:
    return use.days * EPOCHS_PER_DAY


def _published(use: Use, each_case: float, size: Callable[[float], float]) -> float:
    """Return the bytes of a day's files together; cases are spread evenly over them."""
    return use.files_day * size(use.cases_day * each_case / use.files_day)


# --- TCN: signed reports ---------------------------------------------------------


def _reports(use: Use) -> float:
    return use.days * _KEYS_OF_TCN


def _checked(use: Use) -> Mapping[Work, float]:
    """Return the work of a phone that reads all reports."""
    reports = use.cases_day * _reports(use)
    return {Work.REPORT_VERIFIED: reports, Work.NUMBER_DERIVED: reports * _NUMBERS_OF_TCN}


# --- DESIRE: tokens of encounters ------------------------------------------------


def tokens_bytes(tokens: float) -> float:
    """Return the bytes of a list of tokens of encounters."""
    return _LIST_BYTES + _TOKEN_BYTES * tokens


def _asked(use: Use) -> float:
    return KEPT_DAYS * use.met_day


_FORMULAS: Final[Mapping[str, _Formulas]] = {
    "bluetrace": _Formulas(
        air=31,
        down=lambda use: _batches_day() * batch_bytes(BLUETRACE.batch_size),  # noqa: ARG005
        up_day=_nothing,
        up_case=_bluetrace_case,
        phone=lambda use: Counter[Work](),  # noqa: ARG005 - it reads what the server made
        server=_bluetrace_server,
    ),
    "gaen": _Formulas(
        air=31,
        down=_gaen_down,
        up_day=_nothing,
        up_case=lambda use: keys_bytes(use.days),
        phone=lambda use: {Work.KEY_MATCHED: _gaen_keys(use)},
        server=lambda use: {Work.SIGNED: use.files_day, Work.KEY_WRITTEN: _gaen_keys(use)},
    ),
    "dp3t-low-cost": _Formulas(
        air=27,
        down=lambda use: _published(use, 1, low_cost_bytes),
        up_day=_nothing,
        up_case=lambda use: 36.0,  # noqa: ARG005 - one key, from which all others follow
        phone=lambda use: {Work.DAY_KEY_MATCHED: use.cases_day * use.days},
        server=lambda use: {Work.SIGNED: use.files_day},
    ),
    "dp3t-hybrid": _Formulas(
        air=27,
        down=lambda use: _published(use, _windows(use), hybrid_bytes),
        up_day=_nothing,
        up_case=lambda use: 20 * _windows(use),
        phone=lambda use: {
            Work.EPHID_MATCHED: use.cases_day * _windows(use) * 4 * use.window_h,
        },
        server=lambda use: {Work.SIGNED: use.files_day},
    ),
    "dp3t-unlinkable": _Formulas(
        air=27,
        down=lambda use: _published(use, _epochs(use), filter_bytes),
        up_day=_nothing,
        up_case=lambda use: 36 * _epochs(use),
        phone=lambda use: {
            Work.EPHID_HASHED: use.met_day,
            Work.FILTER_ASKED: use.files_day * _asked(use),
        },
        server=lambda use: {
            Work.SIGNED: use.files_day,
            Work.EPHID_HASHED: 2 * use.cases_day * _epochs(use),  # of the seed, and with the epoch
            Work.FILTER_BUILT: use.cases_day * _epochs(use),
        },
    ),
    "robert": _Formulas(
        air=29,
        down=_robert_down,
        up_day=lambda use: use.statuses_day * REQUEST_BYTES,
        up_case=lambda use: hellos_bytes(use.reported * use.readings),
        phone=lambda use: {Work.HELLO_MADE: SECONDS_PER_DAY / 180},  # noqa: ARG005
        server=_robert_server,
    ),
    "tcn": _Formulas(
        air=27,
        down=lambda use: _REPORT_BYTES * use.cases_day * _reports(use),
        up_day=_nothing,
        up_case=lambda use: _REPORT_BYTES * _reports(use),
        phone=_checked,
        server=lambda use: {Work.REPORT_VERIFIED: use.cases_day * _reports(use)},
    ),
    "desire": _Formulas(
        air=28,
        down=lambda use: use.statuses_day * _STATUS_BYTES,
        up_day=lambda use: use.statuses_day * tokens_bytes(_asked(use)),
        up_case=lambda use: tokens_bytes(use.reported),
        phone=lambda use: {Work.ENCOUNTER: use.met_day},
        server=lambda use: {
            Work.TOKEN_ASKED: use.users * use.statuses_day * _asked(use),
        },
    ),
}

PROTOCOLS: Final = tuple(_FORMULAS)
"""Names of all protocols, as everywhere in this project."""

"""Phone models' offsets, learned from all logs of an authority, and their use for its lists.

A BlueTrace record names the models of both phones: the central measured the level, the peripheral
sent. So the logs of all cases together show which models hear and send weaker than others. They
show nothing about true distances. The offsets are therefore relative to the average phone (see
``proximity.phone_models``), and each person counts once for a model, however long their log is.

**Privacy.** A model that few people have would say who they are. Only models of at least
``least_people`` users, in at least LEAST_LOGS logs, get a line. All others count as unknown phones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.tracing.evidence import Logs
from tracetogether.authority.tracing.phone_table import PHONES, phones_in
from tracetogether.bluetrace.upload import common_model
from tracetogether.crypto import sha256
from tracetogether.errors import InvalidRequestError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.proximity.calibration import (
    BLUETRACE_TRANSMIT,
    Calibration,
    PhoneRow,
    model_key,
)
from tracetogether.proximity.grid import RowGroups
from tracetogether.proximity.model import MODEL, ONE_LOG
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.proximity.phone_models import (
    LEVEL_SD_DB,
    UNKNOWN_DISTANCES_SD_DB,
    HeardPairs,
    ModelPriors,
    row_of,
    shown_models,
)
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

LEAST_PEOPLE: Final = 20
"""A model needs this many users, unless the caller asks for more."""

FEWEST_PEOPLE: Final = 10
"""Nobody may ask for fewer."""

LEAST_LOGS: Final = 3
"""A model needs records in this many logs: one upload alone could name any model."""

MOST_LOGS: Final = 1_000  # the newest; time grows with the cube


@dataclass(frozen=True, slots=True)
class LearnedPhoneModels:
    """What the logs of an authority show of phone models.

    Attributes:
        rows: one per model of enough people, by name.
        logs: how many logs were read.
        left_out: how many models have too few people or logs.
        least_people: how many a model needs.
    """

    rows: tuple[PhoneRow, ...]
    logs: int
    left_out: int
    least_people: int


@dataclass(frozen=True, slots=True)
class PhoneModels:
    """Learns offsets from all logs, and says by which table the lists are computed.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    logs: Logs
    store: AuthorityStore
    audit: Audit

    def learn(
        self, now: float, *, by: Caller, least_people: int = LEAST_PEOPLE
    ) -> LearnedPhoneModels:
        """Return the offsets of models with enough users, from the newest 1,000 logs.

        Nothing changes: ``use`` takes a table over. The audit log records who learned from how many
        logs.

        Args:
            now: epoch seconds.
            by: the caller.
            least_people: how many different users a model needs.

        Raises:
            InvalidRequestError: ``least_people`` is below FEWEST_PEOPLE.
        """
        by.require(Action.LEARN_PHONES)
        if least_people < FEWEST_PEOPLE:
            msg = "a model needs at least {fewest} people: with fewer it says who they are"
            raise InvalidRequestError(msg, "too-few-people", fewest=FEWEST_PEOPLE)
        parts: list[_LogPairs] = []
        models = _Names()
        for case in self.store.cases():  # the newest first
            if case.unconfirmed:
                continue
            if len(parts) == MOST_LOGS:
                break
            part = _pairs_of(self.logs.readable(case), case.user_id, models, len(parts))
            if part is not None:
                parts.append(part)
        found = _learned(parts, models, least_people)
        self.audit.record(
            "phones.learned",
            now,
            by=by.name,
            logs=found.logs,
            models=len(found.rows),
            least_people=least_people,
        )
        return found

    def use(self, text: str, now: float, *, by: Caller) -> int:
        """Compute the lists by a table from now on; return the number of its models.

        Stored lists are computed again when they are asked for next.

        Args:
            text: the table, CSV as ``calibrate phones`` and ``authority phones learn`` write it.
            now: epoch seconds.
            by: the caller.

        Raises:
            CalibrationError: the text holds no table; nothing was changed.
        """
        by.require(Action.USE_PHONES)
        models = len(phones_in(text).models)
        with self.audit.atomic():
            self.store.put_setting(PHONES, text)
            digest = sha256(text.encode()).hex()
            self.audit.record("phones.used", now, by=by.name, models=models, digest=digest)
        return models

    def stop(self, now: float, *, by: Caller) -> None:
        """Compute the lists without a table from now on."""
        by.require(Action.USE_PHONES)
        with self.audit.atomic():
            self.store.put_setting(PHONES, "")
            self.audit.record("phones.not_used", now, by=by.name)

    def used(self, *, by: Caller) -> str:
        """Return the table that the lists use; "" if they use none."""
        by.require(Action.USE_PHONES)
        return self.store.setting(PHONES) or ""


@dataclass(slots=True)
class _Names:
    """Phone models and people, numbered in the order in which they occur.

    Attributes:
        models: key of a model's name -> number.
        shown: the names as written first.
        people: user id -> number.
    """

    models: dict[str, int] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    people: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        key = model_key(name)
        if key not in self.models:
            self.models[key] = len(self.shown)
            self.shown.append(name)
        return self.models[key]

    def person(self, user_id: str) -> int:
        return self.people.setdefault(user_id, len(self.people))


@dataclass(frozen=True, slots=True)
class _LogPairs:
    """What one log says of its owner and each person heard: one row per person and direction.

    Attributes:
        owner, log: numbers of the owner and of the log.
        person: (n,) number of the person heard.
        central: (n,) whether the owner's phone measured; else the person's did.
        receiver_model, transmitter_model: (n,) numbers of models; -1 if unknown.
        level_db: (n,) mean attenuation over minutes.
        minutes: (n,) how many minutes have records.
        readings: (n,) how many records.
    """

    owner: int
    log: int
    person: Ints
    central: Bools
    receiver_model: Ints
    transmitter_model: Ints
    level_db: Floats
    minutes: Floats
    readings: Ints

    def people_of_models(self) -> Ints:
        """Return (k, 2) pairs of model and person."""
        owners = np.full(len(self.person), self.owner)
        receiver = np.where(self.central, owners, self.person)
        transmitter = np.where(self.central, self.person, owners)
        both = np.concatenate(
            [
                np.column_stack([self.receiver_model, receiver]),
                np.column_stack([self.transmitter_model, transmitter]),
            ]
        )
        return np.unique(both[both[:, 0] >= 0], axis=0)


def _pairs_of(sightings: Sightings, user_id: str, names: _Names, log: int) -> _LogPairs | None:
    """Return what a log says; None if it has no record, or doesn't show which model is its own.

    Args:
        sightings: of the log; models are those that measured and sent.
        user_id: the owner.
        names: gives numbers.
        log: the log's number.
    """
    measured, sent = (
        _numbered(labels, names) for labels in (sightings.observer_model, sightings.peer_model)
    )
    own = common_model(measured, sent, sightings.tx_power_dbm, len(names.shown))
    if own == UNKNOWN:
        return None
    # Two phones of one model: only a central knows the advertised power.
    central = (measured == own) & ((sent != own) | np.isfinite(sightings.tx_power_dbm))
    person = np.array([names.person(name) for name in sightings.peer.names], dtype=np.int64)
    peer = person[sightings.peer.codes]
    level = Calibration.prior(BLUETRACE_TRANSMIT).attenuation(
        sightings.replaced(tx_power_dbm=np.full(len(sightings), np.nan))
    )
    key = np.column_stack([peer, central, measured, sent])
    rows, row = np.unique(key, axis=0, return_inverse=True)
    row = row.reshape(-1).astype(np.int64)
    minute = np.floor(sightings.time / SECONDS_PER_MINUTE).astype(np.int64)
    slots, slot = np.unique(np.column_stack([row, minute]), axis=0, return_inverse=True)
    in_slot = RowGroups(slot.reshape(-1).astype(np.int64), len(slots)).mean(level.db)
    of_row = RowGroups(slots[:, 0], len(rows))
    return _LogPairs(
        owner=names.person(user_id),
        log=log,
        person=rows[:, 0],
        central=rows[:, 1].astype(np.bool_),
        receiver_model=rows[:, 2],
        transmitter_model=rows[:, 3],
        level_db=of_row.mean(in_slot),
        minutes=of_row.sizes(),
        readings=np.bincount(row, minlength=len(rows)),
    )


def _numbered(labels: Labels, names: _Names) -> Ints:
    """Return the number of each row's model; -1 where there is none."""
    table = np.array([*(names.number(name) for name in labels.names), UNKNOWN], dtype=np.int64)
    return np.asarray(table[labels.codes])  # code -1 picks the last


def _learned(parts: Sequence[_LogPairs], names: _Names, least_people: int) -> LearnedPhoneModels:
    """Return the offsets of the models with enough people and logs."""
    if not parts:
        return LearnedPhoneModels((), 0, 0, least_people)
    count = len(names.shown)
    of_people = np.unique(np.concatenate([part.people_of_models() for part in parts]), axis=0)
    people = np.bincount(of_people[:, 0], minlength=count)
    in_logs = np.concatenate([np.unique(part.people_of_models()[:, 0]) for part in parts])
    logs = np.bincount(in_logs, minlength=count)
    enough = (people >= least_people) & (logs >= LEAST_LOGS)
    number = np.full(count + 1, UNKNOWN)  # the last is of unknown models
    number[:-1][enough] = np.arange(int(enough.sum()))
    kept = np.flatnonzero(enough).tolist()
    left_out = int(((people > 0) & ~enough).sum())
    if not kept:
        return LearnedPhoneModels((), len(parts), left_out, least_people)
    prior = Calibration.prior(BLUETRACE_TRANSMIT)
    priors = ModelPriors(
        receive_db2=np.full(len(kept), prior.receive.sd_db**2),
        transmit_db2=np.full(len(kept), prior.transmit.sd_db**2),
        own_power=np.zeros(len(kept), dtype=np.bool_),
        other_power=False,
        level_sd_db=float(np.hypot(LEVEL_SD_DB, UNKNOWN_DISTANCES_SD_DB)),
    )
    unknown = prior.offsets_of("")
    found = shown_models(_heard(parts, number), priors, MODEL)
    rows = [
        replace(row_of(names.shown[model], unknown, found, place), people=int(people[model]))
        for place, model in enumerate(kept)
    ]
    return LearnedPhoneModels(
        tuple(sorted(rows, key=lambda row: row.model)), len(parts), left_out, least_people
    )


def _heard(parts: Sequence[_LogPairs], number: Ints) -> HeardPairs:
    """Return the pairs of all logs; ``number`` gives a model's number among those that count.

    The owner of a log is a random effect of its own. The person heard is a part of the error, as
    many times as logs name that person: so all logs together count a person once.
    """
    log = np.concatenate([np.full(len(part.person), part.log) for part in parts])
    person, central, minutes = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("person", "central", "minutes")
    )
    couples, pair = np.unique(np.column_stack([log, person]), axis=0, return_inverse=True)
    named_by = np.bincount(couples[:, 1])[person]
    unknown_model = {
        name: number[np.concatenate([getattr(part, name) for part in parts])]
        for name in ("receiver_model", "transmitter_model")
    }
    others_db2 = np.where(central, MODEL.transmitter_sd_db**2, MODEL.receiver_sd_db**2)
    others_db2 = others_db2 + _of_unknown(unknown_model)
    moving = ONE_LOG.kept_variance(minutes) - ONE_LOG.kept_decades**2
    return HeardPairs(
        receiver=np.where(central, log, UNKNOWN),
        transmitter=np.where(central, UNKNOWN, log),
        pair=pair.reshape(-1).astype(np.int64),
        scene=log,
        stray_db=np.concatenate([part.level_db for part in parts]) - MODEL.typical_db,
        error_db2=others_db2 * named_by
        + MODEL.direction_sd_db**2
        + slot_noise_db2(minutes, MODEL)
        + MODEL.slope_db**2 * moving,
        pair_db2=np.full(
            len(log), MODEL.pair_sd_db**2 + (MODEL.slope_db * ONE_LOG.kept_decades) ** 2
        ),
        scene_db2=np.full(
            len(log), MODEL.level_sd_db**2 + (MODEL.slope_db * MODEL.density_decades / 2) ** 2
        ),
        decades=np.zeros(len(log)),
        readings=np.concatenate([part.readings for part in parts]),
        **unknown_model,
    )


def _of_unknown(models: Mapping[str, Ints]) -> Floats:
    """Return the variance of what is unknown of phones whose model doesn't count."""
    prior = Calibration.prior(BLUETRACE_TRANSMIT)
    receive = np.where(models["receiver_model"] < 0, prior.receive.sd_db**2, 0.0)
    return np.asarray(
        receive + np.where(models["transmitter_model"] < 0, prior.transmit.sd_db**2, 0.0)
    )

"""What counts after the diagnoses of a run, under a protocol that is not BlueTrace.

Everybody with the app reports, as if all had fallen ill at the end of the run. The server publishes
once, a day later, when every protocol lets it; and one join over all logs finds the readings that
count. Each secret is derived once for the whole crowd.

A phone can't tell that two keys or tokens are of one person. What is listed adds them up by person
all the same, as a phone adds up all that it heard of cases on a day.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from simulations.fidelities.record_columns import ContactLogs
from simulations.one_run import Run
from simulations.phones.robert_tokens import RobertTokens
from simulations.phones.token_sources import TokenSource
from tracetogether.labels import Labels
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Bools, Floats, Ints

_AFTER_MIDNIGHT_S: Final = 3 * SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class HeardPlaces:
    """All accepted records of places in a run's logs, in columns of length n.

    Attributes:
        owner: (n,) person whose log each record is from.
        place: (n,) number of the place, from 0 on, as the scenario has them.
        time: (n,) epoch seconds.
    """

    owner: Ints
    place: Ints
    time: Floats


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """All records of a run that count after a diagnosis, in columns of length n.

    Attributes:
        owner: (n,) person whose log each record is from.
        peer: (n,) person whose token it holds.
        sightings: the records; observers and peers are user ids.
        rejected: how many records were rejected, by reason.
        judged_by: "case" if the owner is the case; "contact" if the peer is.
        places: the records of places; None if the run has none.
    """

    owner: Ints
    peer: Ints
    sightings: Sightings
    rejected: Counter[Rejection]
    judged_by: str = "case"
    places: HeardPlaces | None = None

    @property
    def case(self) -> Ints:
        """(n,) the case that each record is about."""
        return self.owner if self.judged_by == "case" else self.peer

    @property
    def contact(self) -> Ints:
        """(n,) the person whom it makes a contact of that case."""
        return self.peer if self.judged_by == "case" else self.owner

    def take(self, rows: Bools) -> "OpenedRun":
        """Return the chosen records."""
        return replace(
            self,
            owner=self.owner[rows],
            peer=self.peer[rows],
            sightings=self.sightings.take(rows),
        )


def near_run(run: Run, tokens: TokenSource) -> OpenedRun:
    """Return the readings of a run that count once everybody has reported.

    Args:
        run: the run.
        tokens: of its phones.
    """
    log = _whole_log(run)
    owner, peer, near = _near_of_all(run, tokens, log)
    names = tuple(run.user_ids[person] for person in run.app.tolist())
    observer, heard = (
        Labels(np.searchsorted(run.app, people).astype(np.int32), names) for people in (owner, peer)
    )
    return OpenedRun(
        owner,
        peer,
        near.replaced(observer=observer, peer=heard),
        Counter({Rejection.EXPIRED_ID: len(log) - len(near)} if len(log) > len(near) else {}),
        run.protocol.judged_by,
    )


def _near_of_all(run: Run, tokens: TokenSource, log: Sightings) -> tuple[Ints, Ints, Sightings]:
    """Return the readings of a log that count, who recorded each, and whom it heard."""
    end = run.start + run.scenario.duration_s
    published_at = (end // SECONDS_PER_DAY + 1) * SECONDS_PER_DAY + _AFTER_MIDNIGHT_S
    bounds = np.searchsorted(log.observer.codes, np.arange(len(run.app) + 1))
    reports = {
        person: tokens.after.report(
            tokens.secrets(person), log.take(slice(begin, after)), run.start, end
        )
        for person, begin, after in zip(
            run.app.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
        )
    }
    published = tokens.after.publish(list(reports.values()), published_at)
    near = tokens.after.near(log, published, published_at)
    return *tokens.people(reports, near), near


def senders(run: Run, tokens: TokenSource) -> Mapping[str, int]:
    """Return token, as logs hold it -> the person whose token it was, of all that count."""
    logs = run.logs
    if isinstance(logs, ContactLogs):
        token, first = np.unique(logs.token, return_index=True)
        heard = (bytes(logs.tokens[row]).decode("ascii") for row in token.tolist())
        return dict(zip(heard, logs.peer[first].tolist(), strict=True))
    log = _whole_log(run)
    if isinstance(tokens, RobertTokens):  # its server reads reports, and no log
        return {text: tokens.sender(text) for text in log.peer.names}
    _, peer, near = _near_of_all(run, tokens, log.replaced(observer_model=log.peer))
    texts = near.observer_model.names
    person = np.full(len(texts) + 1, -1)
    person[near.observer_model.codes] = peer
    return dict(zip(texts, person[:-1].tolist(), strict=True))


def people_of(run: Run, users: Labels) -> Ints:
    """Return (n,) the person that each user id belongs to."""
    return users.numbers({user_id: person for person, user_id in run.user_ids.items()})


def _whole_log(run: Run) -> Sightings:
    """Return all phones' logs by person; an observer is a person's number, a peer the token.

    Times are whole seconds, as phones keep and upload them.
    """
    logs = run.logs
    names = tuple(str(person) for person in run.app.tolist())
    if isinstance(logs, ContactLogs):
        sizes = np.diff(logs.first)
        texts = tuple(bytes(row).decode("ascii") for row in logs.tokens)
        peer = Labels(logs.token.astype(np.int32), texts)
        time, rssi_dbm, tx_power_dbm = logs.time, logs.rssi_dbm, logs.tx_power_dbm
    else:
        every = [list(logs[person].rows()) for person in run.app.tolist()]
        sizes = np.array([len(rows) for rows in every], dtype=np.int64)
        rows = list(chain.from_iterable(every))
        peer = Labels.encode([row.peer for row in rows])
        time, rssi_dbm = (
            np.array([getattr(row, name) for row in rows], dtype=np.float64)
            for name in ("time", "rssi_dbm")
        )
        known = [np.nan if row.tx_power_dbm is None else row.tx_power_dbm for row in rows]
        tx_power_dbm = np.array(known, dtype=np.float64)
    return Sightings.from_log(
        time=np.floor(time),
        observer=Labels(np.repeat(np.arange(len(names)), sizes).astype(np.int32), names),
        peer=peer,
        rssi_dbm=rssi_dbm,
        tx_power_dbm=tx_power_dbm,
    )

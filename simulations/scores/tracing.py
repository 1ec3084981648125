"""What follows the diagnoses of a run: every contact log opened, every contact list made.

Under BlueTrace a phone's log is written as an upload file and read back; a vectorized run, whose
logs are columns already, skips the file. Then the authority's own code opens and lists all logs
together. Nothing that only the simulation knows enters here. ``published`` does this for other
protocols.

In some protocols the contact's phone recorded what counts, and not the case's: then the direction
is the other one. The lists are the same columns, with who is the case and who the contact.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from simulations.fidelities.record_columns import ContactLogs
from simulations.one_run import Run
from simulations.phones.protocols import radio_of
from simulations.scores.published import HeardPlaces, OpenedRun, near_run, people_of
from tracetogether.authority.contacts.lines import Contact, ContactLines, contacts_of, list_logs
from tracetogether.authority.contacts.nearness import BY_CONTACT
from tracetogether.authority.intake.opening import open_log, open_logs
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import UploadRecords, parse_upload, write_upload
from tracetogether.labels import Labels
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import Calibration
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class RunRecords:
    """The records of all logs of a run, as uploads hold them: n of them in columns.

    Attributes:
        owner: (n,) person whose log each is from.
        token: (n,) what the phone heard.
        time: (n,) epoch seconds.
        rssi_dbm, tx_power_dbm: (n,) NaN where it is unknown.
        organisation: (n,) the authority that the token is said to belong to.
    """

    owner: Ints
    token: Labels
    time: Floats
    rssi_dbm: Floats
    tx_power_dbm: Floats
    organisation: Labels

    def take(self, rows: Ints) -> "RunRecords":
        """Return the chosen records."""
        return RunRecords(
            self.owner[rows],
            self.token.take(rows),
            self.time[rows],
            self.rssi_dbm[rows],
            self.tx_power_dbm[rows],
            self.organisation.take(rows),
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """All contact lists of a run: l lines, ordered by case and person.

    Attributes:
        case: (l,) person whose list it is.
        person: (l,) person who is on it.
        lines: the lines as the authority has them.
    """

    case: Ints
    person: Ints
    lines: ContactLines


def trace(
    run: Run, person: int, policy: CloseContactPolicy, *, issuer: TempIDIssuer | None = None
) -> tuple[Contact, ...]:
    """Return the contact list that the authority makes of ``person``'s log alone.

    Args:
        run: the run.
        person: the index case, with the app.
        policy: what counts as a close contact.
        issuer: opens TempIDs; by default the run's own.

    Raises:
        ValueError: the TempIDs came from elsewhere and no issuer was given.
    """
    opened = open_log(
        _upload_of(run, person),
        issuer or _issuer_at(run, run.homes[person] if run.homes else ""),
        uploader=run.user_ids[person],
        received_at=run.start + run.scenario.duration_s,
        places=set(run.place_ids).intersection,
    )
    return contacts_of(opened.sightings, policy)


def open_run(run: Run) -> OpenedRun:
    """Open every record of every log, or find those that count under another protocol.

    Raises:
        ValueError: the TempIDs came from an authority elsewhere, so nobody here can open them.
    """
    if run.tokens is not None:
        return near_run(run, run.tokens)
    if run.homes:
        return _open_at_home(run)
    return _open_records(run, records_of(run), _issuer_of(run))


def _open_at_home(run: Run) -> OpenedRun:
    """Open every log at its owner's authority; people of the others stay unknown there."""
    records = records_of(run)
    home = np.array(run.homes)[records.owner]
    parts = [
        _open_records(run, records.take(np.flatnonzero(home == code)), source.issuer)
        for code, source in run.sources.items()
    ]
    return join_opened(parts)


def join_opened(parts: Sequence[OpenedRun]) -> OpenedRun:
    """Return the records of several authorities together."""
    places = [part.places for part in parts if part.places is not None]
    return OpenedRun(
        owner=np.concatenate([part.owner for part in parts]),
        peer=np.concatenate([part.peer for part in parts]),
        sightings=Sightings.concat([part.sightings for part in parts]),
        rejected=sum((part.rejected for part in parts), Counter()),
        places=HeardPlaces(
            *(
                np.concatenate([getattr(each, name) for each in places])
                for name in ("owner", "place", "time")
            )
        )
        if places
        else None,
    )


def _open_records(run: Run, records: RunRecords, issuer: TempIDIssuer) -> OpenedRun:
    owner, token, time = records.owner, records.token, records.time
    rssi_dbm, tx_power_dbm = records.rssi_dbm, records.tx_power_dbm
    names = tuple(run.user_ids[person] for person in run.app.tolist())
    uploader = Labels(np.searchsorted(run.app, owner).astype(np.int32), names)
    opened = open_logs(
        token,
        time,
        rssi_dbm,
        organisation=records.organisation,
        uploader=uploader,
        issuer=issuer,
        received_at=run.start + run.scenario.duration_s,
        partners=set(run.sources) - {issuer.authority},
        places=set(run.place_ids).intersection,
    )
    rows = opened.accepted
    sightings = Sightings.from_log(
        time=time[rows],
        observer=uploader.take(rows),
        peer=opened.person.take(rows),
        rssi_dbm=rssi_dbm[rows],
        tx_power_dbm=tx_power_dbm[rows],
    )
    places = None
    if run.place_ids:
        rows = opened.at_places
        numbers = {user_id: number for number, user_id in enumerate(run.place_ids)}
        number = opened.person.take(rows).numbers(numbers)
        places = HeardPlaces(owner[rows], number.astype(np.int64), time[rows])
    return OpenedRun(
        owner=owner[opened.accepted],
        peer=people_of(run, sightings.peer),
        sightings=sightings,
        rejected=opened.rejected,
        places=places,
    )


def list_run(run: Run, opened: OpenedRun, policy: CloseContactPolicy) -> Listing:
    """Return the contact list of every case that ``opened`` holds records about."""
    transmit = radio_of(run.scenario.phones).transmit
    lines = list_logs(opened.sightings, policy, Calibration.prior(transmit))
    case, person = people_of(run, lines.observer), people_of(run, lines.person)
    if opened.judged_by == "contact":
        case, person = person, case
        lines = replace(lines, sides=np.full(len(case), BY_CONTACT))
    order = np.lexsort((person, case))
    return Listing(case[order], person[order], lines.take(order))


def _issuer_at(run: Run, home: str) -> TempIDIssuer:
    return run.sources[home].issuer if home else _issuer_of(run)


def _issuer_of(run: Run) -> TempIDIssuer:
    if run.tokens is not None:
        raise ValueError(f"phones of this run speak {run.protocol.title}: no authority opens logs")
    if run.issuer is None:
        raise ValueError("this run's TempIDs came from an authority elsewhere; give its issuer")
    return run.issuer


def _upload_of(run: Run, person: int) -> UploadRecords:
    return parse_upload(write_upload(run.logs[person].rows())).records


def records_of(run: Run) -> RunRecords:
    """Return the records of all logs as uploads hold them."""
    logs = run.logs
    if isinstance(logs, ContactLogs):
        texts = tuple(bytes(row).decode("ascii") for row in logs.tokens)
        return RunRecords(
            logs.owner,
            Labels(logs.token.astype(np.int32), texts),
            np.floor(logs.time),  # an upload tells whole seconds
            logs.rssi_dbm,
            logs.tx_power_dbm,
            _organisations(logs),
        )
    files = [_upload_of(run, person) for person in run.app.tolist()]
    time, rssi_dbm, tx_power_dbm = (
        np.concatenate([np.empty(0), *(getattr(file, name) for file in files)])
        for name in ("time", "rssi_dbm", "tx_power_dbm")
    )
    return RunRecords(
        np.repeat(run.app, [len(file) for file in files]),
        Labels.encode(list(chain.from_iterable(file.token for file in files))),
        time,
        rssi_dbm,
        tx_power_dbm,
        Labels.concat([file.organisation for file in files]),
    )


def _organisations(logs: ContactLogs) -> Labels:
    """Return (n,) the authority that each record names."""
    names, code = np.unique(np.array(logs.organisation), return_inverse=True)
    return Labels(code.astype(np.int32)[logs.peer], tuple(names.tolist()))

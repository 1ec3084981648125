"""What follows the diagnoses of a run: every contact log opened, every contact list made.

Under BlueTrace a phone's log is written as an upload file and read back; a vectorized run, whose
logs are columns already, skips the file. Then the authority's own code opens and lists all logs
together. Nothing that only the simulation knows enters here. ``published`` does this for other
protocols.

In some protocols the contact's phone recorded what counts, and not the case's: then the direction
is the other one. The lists are the same columns, with who is the case and who the contact.
"""

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
        issuer or _issuer_of(run),
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
    issuer = _issuer_of(run)
    owner, token, time, rssi_dbm, tx_power_dbm, organisation = _records_of(run)
    names = tuple(run.user_ids[person] for person in run.app.tolist())
    uploader = Labels(np.searchsorted(run.app, owner).astype(np.int32), names)
    opened = open_logs(
        token,
        time,
        rssi_dbm,
        organisation=organisation,
        uploader=uploader,
        issuer=issuer,
        received_at=run.start + run.scenario.duration_s,
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


def _issuer_of(run: Run) -> TempIDIssuer:
    if run.tokens is not None:
        raise ValueError(f"phones of this run speak {run.protocol.title}: no authority opens logs")
    if run.issuer is None:
        raise ValueError("this run's TempIDs came from an authority elsewhere; give its issuer")
    return run.issuer


def _upload_of(run: Run, person: int) -> UploadRecords:
    return parse_upload(write_upload(run.logs[person].rows())).records


def _records_of(run: Run) -> tuple[Ints, Labels, Floats, Floats, Floats, Labels]:
    """Return owner, token, time, RSSI, transmit power and organisation of all logs' records."""
    logs = run.logs
    if isinstance(logs, ContactLogs):
        texts = tuple(bytes(row).decode("ascii") for row in logs.tokens)
        return (
            logs.owner,
            Labels(logs.token.astype(np.int32), texts),
            np.floor(logs.time),  # an upload tells whole seconds
            logs.rssi_dbm,
            logs.tx_power_dbm,
            Labels.constant(logs.organisation, len(logs.time)),
        )
    files = [_upload_of(run, person) for person in run.app.tolist()]
    time, rssi_dbm, tx_power_dbm = (
        np.concatenate([np.empty(0), *(getattr(file, name) for file in files)])
        for name in ("time", "rssi_dbm", "tx_power_dbm")
    )
    return (
        np.repeat(run.app, [len(file) for file in files]),
        Labels.encode(list(chain.from_iterable(file.token for file in files))),
        time,
        rssi_dbm,
        tx_power_dbm,
        Labels.concat([file.organisation for file in files]),
    )

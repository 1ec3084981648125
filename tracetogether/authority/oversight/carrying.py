"""What a restore takes over of charges, exchange with partners, and warnings kept back."""

import os
from collections.abc import Container, Mapping
from dataclasses import replace
from math import inf
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.partners.removed import remove_again
from tracetogether.authority.presence.reported import WarningState
from tracetogether.units import Entropy

_ALL_HOURS: Final = 2**31 - 1
_NO_CREDENTIAL: Final = 32  # random bytes of a digest that no credential has


def carry_records(
    present: AuthorityStore, restored: AuthorityStore, *, entropy: Entropy = os.urandom
) -> None:
    """Take over what went to partners and came from them since the backup.

    A partner sends a batch once and deletes it. So the records that came since the backup stay,
    with the cases that hold them, and count once. Batches of ours that were made since stay too,
    and their handovers count as packed.

    Args:
        present: the database that is replaced.
        restored: the backup; it is changed.
        entropy: for the credentials of new cases, which nobody has.
    """
    kept, newer = restored.handing, present.handing
    came = {batch.digest for batch in newer.taken() if kept.add_taken(batch)}
    with_logs = {case_id for case_id, token in present.all_upload_ids() if token in came}
    for case_id in sorted(with_logs):
        case = present.case(case_id)
        if case is None:
            continue
        if restored.case(case_id) is None:
            restored.add_user(case.user_id, entropy(_NO_CREDENTIAL))
            restored.add_case(case)
        for upload in present.uploads(case_id):
            if upload.token_id in came:
                restored.add_upload(upload)
    kept.put_answers(newer.answers())
    for batch in newer.outgoing():
        kept.put_outgoing(batch)
    packed = {
        (row.token_id, row.organisation): row.packed_at
        for case_id in {row.case_id for row in kept.due_handovers(_ALL_HOURS)}
        for row in newer.handovers(case_id)
    }
    for row in kept.due_handovers(_ALL_HOURS):
        at = packed.get((row.token_id, row.organisation))
        if at is not None:
            kept.add_handover(replace(row, packed_at=at))


def carry_charges(
    present: AuthorityStore | None, restored: AuthorityStore, ended: Container[str]
) -> None:
    """End the charges of a backup that have ended since, and void the codes that were used since.

    Args:
        present: the database that is replaced; None if nobody can read it. Then all codes are void.
        restored: the backup; it is changed.
        ended: the charges that the list beside a damaged database has as ended.
    """
    kept = restored.charges
    there = None if present is None else {charge.charge_id for charge in present.charges.all()}
    for charge in kept.all():
        over = charge.charge_id in ended if there is None else charge.charge_id not in there
        if over:
            kept.drop_charge(charge.charge_id)
    kept.drop_consents(inf)
    for consent in () if present is None else present.charges.consents():
        kept.add_consent(consent)


def keep_partners_out(restored: AuthorityStore, removed: Mapping[str, float], now: float) -> None:
    """Remove the partners of a backup that the list beside a damaged database has as removed."""
    for organisation in remove_again(restored, removed, now):
        Audit(restored).record(
            "partner.removed-by-restore", now, by=CONSOLE.name, subject=organisation
        )


def keep_warnings_back(restored: AuthorityStore, kept_back: Container[str], now: float) -> None:
    """Keep back the visits and trips that the list beside a damaged database has as kept back."""
    presence = restored.presence
    back, by = WarningState.REFUSED, CONSOLE.name
    visits = [
        visit
        for visit in (*presence.waiting_visits(), *presence.released_visits(now + 1))
        if visit.visit_id in kept_back
    ]
    trips = [trip for trip in presence.waiting_trips() if trip.trip_id in kept_back]
    for visit in visits:
        presence.change_visit(replace(visit, state=back, released_at=None, decided_by=by))
    for trip in trips:
        presence.change_trip(replace(trip, state=back, decided_by=by))
    if visits or trips:
        Audit(restored).record(
            "warnings.kept-back-by-restore",
            now,
            by=CONSOLE.name,
            visits=len(visits),
            trips=len(trips),
        )

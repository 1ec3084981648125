"""The authority put together: one object that the command line and the HTTP form are given."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from tracetogether.authority.access.audit import Audit, AuditStore
from tracetogether.authority.access.credentials import Access, UserStore
from tracetogether.authority.access.limits import Limits, LimitStore
from tracetogether.authority.access.operators import Staff
from tracetogether.authority.access.sign_in import PlaceOfSignIns
from tracetogether.authority.access.tallies import Tallies
from tracetogether.authority.cases.casework import CaseDeskStore, CaseStore, Casework
from tracetogether.authority.cases.followed import FollowStore
from tracetogether.authority.cases.indicators import DashboardStore
from tracetogether.authority.cases.merges import MergeStore
from tracetogether.authority.cases.notes import Notes, NoteStore
from tracetogether.authority.contacts.lists import ListStore
from tracetogether.authority.desk.due import DueLists, DueStore
from tracetogether.authority.desk.exports import Exports, ExportStore
from tracetogether.authority.desk.followup import FollowUp
from tracetogether.authority.desk.imports import CaseImport, OperatorImport
from tracetogether.authority.desk.merging import Merging
from tracetogether.authority.desk.unmerging import Unmerging
from tracetogether.authority.desk.views import Desk
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.authority.intake.pins import PINS_A_DAY, PinRules, Pins, PinStore
from tracetogether.authority.intake.uploads import Intake, UploadStore
from tracetogether.authority.oversight.custody import Custody
from tracetogether.authority.oversight.retention import AgeingStore, Purge
from tracetogether.authority.oversight.statistics import CountedStore
from tracetogether.authority.oversight.time_zone import local_days
from tracetogether.authority.tracing.evidence import Logs
from tracetogether.authority.tracing.graph import ContactGraphs
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.keyring import KeyRing
from tracetogether.local_days import LocalDays
from tracetogether.units import Entropy


class DeskStore(
    CaseDeskStore, FollowStore, NoteStore, MergeStore, DashboardStore, ExportStore, Protocol
):
    """All that the tracers' desk asks of its room in the store."""


class AuthorityStore(
    UserStore,
    PlaceOfSignIns,
    CaseStore,
    PinStore,
    UploadStore,
    DueStore,
    ListStore,
    LimitStore,
    AuditStore,
    AgeingStore,
    CountedStore,
    Protocol,
):
    """All that is asked of where an authority keeps things."""

    @property
    def desk(self) -> DeskStore:
        """The tracers' desk."""
        ...


@dataclass(frozen=True, slots=True)
class Authority:
    """The parts of the service, each a small thing of its own; every call is given the time."""

    access: Access
    staff: Staff
    issuance: Issuance
    casework: Casework
    desk: Desk
    follow_up: FollowUp
    due: DueLists
    merging: Merging
    unmerging: Unmerging
    exports: Exports
    case_import: CaseImport
    operator_import: OperatorImport
    pins: Pins
    intake: Intake
    tracing: Tracing
    graphs: ContactGraphs
    custody: Custody
    purge: Purge
    limits: Limits
    tallies: Tallies
    audit: Audit
    store: AuthorityStore
    days: LocalDays

    @classmethod
    def assemble(
        cls,
        keys: KeyRing,
        *,
        name: str,
        store: AuthorityStore,
        save_keys: Callable[[KeyRing], None],
        entropy: Entropy = os.urandom,
    ) -> Self:
        """Return the service over these keys and this store.

        Args:
            keys: the key ring; the parts share it.
            name: organisation code (such as SG_MOH), bound into TempIDs and upload tokens.
            store: where everything but the keys is kept.
            save_keys: writes the ring to where it came from, after a change.
            entropy: where ids, secrets, PINs and IVs come from.

        Raises:
            AuthorityError: by what is noted in the store, guessing PINs would pay, or the time
                zone is one that this computer does not know.
        """
        issuer = TempIDIssuer(keys, name, entropy=entropy)
        tokens = UploadTokens(keys, name, entropy=entropy)
        audit = Audit(store)
        limits = Limits(keys, store)
        noted = store.noted(PINS_A_DAY)
        rules = PinRules() if noted is None else PinRules(int(noted))
        tallies = Tallies(limits, audit, store)
        pins = Pins(keys, store, store, audit, limits, tallies, entropy, rules)
        days = local_days(store)
        rows, notes = store.desk, Notes(keys, store.desk, audit, entropy)
        casework = Casework(store, rows, rows, store, store, keys, audit, entropy, days)
        logs = Logs(keys, issuer, store, store, store, rows, days)
        tracing = Tracing(logs, store, audit, entropy)
        desk = Desk(keys, casework, rows, rows, rows, notes, days=days)
        staff = Staff(store, audit)
        follow_up = FollowUp(
            keys, desk, casework, tracing, rows, rows, notes, audit, entropy, days=days
        )
        return cls(
            access=Access(store, store),
            staff=staff,
            issuance=Issuance(issuer, store, rows, keys, audit, limits, tallies, entropy=entropy),
            casework=casework,
            desk=desk,
            follow_up=follow_up,
            due=DueLists(casework, follow_up, store),
            merging=Merging(desk, casework, rows, rows, rows, store, audit, entropy),
            unmerging=Unmerging(desk, casework, rows, rows, rows, audit, entropy),
            exports=Exports(keys, rows, audit, days),
            case_import=CaseImport(casework, staff),
            operator_import=OperatorImport(staff, entropy),
            pins=pins,
            intake=Intake(keys, issuer, tokens, pins, store, store, store, audit, entropy),
            tracing=tracing,
            graphs=ContactGraphs(tracing, store),
            custody=Custody(keys, save_keys, audit, store),
            purge=Purge(keys, save_keys, store, audit, days=days),
            limits=limits,
            tallies=tallies,
            audit=audit,
            store=store,
            days=days,
        )

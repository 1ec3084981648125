"""Puts the authority together: one object that the command line, the API and the pages use."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.credentials import Access
from tracetogether.authority.access.limits import Limits
from tracetogether.authority.access.operators import Staff
from tracetogether.authority.access.permissions import Action, Caller, Role, allowed
from tracetogether.authority.access.resets import CodeResets, end_requests
from tracetogether.authority.access.screens import Screens
from tracetogether.authority.access.tallies import Tallies
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.notes import Notes
from tracetogether.authority.desk.bulletin import Bulletins
from tracetogether.authority.desk.calling import Calling
from tracetogether.authority.desk.case_days import FourteenDays
from tracetogether.authority.desk.case_people import CasePeople
from tracetogether.authority.desk.exports import Exports
from tracetogether.authority.desk.finding import ContactFinder
from tracetogether.authority.desk.followup import FollowUp
from tracetogether.authority.desk.imports import CaseImport, OperatorImport
from tracetogether.authority.desk.merging import Merging
from tracetogether.authority.desk.people import CallList
from tracetogether.authority.desk.person_details import PersonDetails
from tracetogether.authority.desk.policies import CallPolicies
from tracetogether.authority.desk.searching import PeopleSearch
from tracetogether.authority.desk.shifts import end_shift
from tracetogether.authority.desk.team import Team
from tracetogether.authority.desk.unmerging import Unmerging
from tracetogether.authority.desk.views import Desk
from tracetogether.authority.handover.overview import PartnersOverview
from tracetogether.authority.handover.sending import RecordSending
from tracetogether.authority.handover.taking import RecordTaking
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.authority.intake.pins import PINS_A_DAY, PinRules, Pins
from tracetogether.authority.intake.uploads import Intake
from tracetogether.authority.open_data.publishing import OpenData
from tracetogether.authority.oversight.custody import Custody
from tracetogether.authority.oversight.phone_models import PhoneModels
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.oversight.statistics import Monitoring
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.oversight.time_zone import local_days
from tracetogether.authority.oversight.wall import Wall
from tracetogether.authority.partners.recognition import Partners
from tracetogether.authority.places.registry import Places
from tracetogether.authority.places.stays import CaseStays
from tracetogether.authority.presence.deciding import Warnings
from tracetogether.authority.presence.publishing import Publishing, warning_key
from tracetogether.authority.presence.sealing import ReportSeals
from tracetogether.authority.presence.taking import VisitIntake
from tracetogether.authority.status.appealing import Appeals
from tracetogether.authority.status.attempts import Attempting
from tracetogether.authority.status.charges import Charges
from tracetogether.authority.status.closing import CaseEndings
from tracetogether.authority.status.declarations import Declarations
from tracetogether.authority.status.figures import PublicFigures
from tracetogether.authority.status.grounds import Grounds
from tracetogether.authority.status.issuing import Passes
from tracetogether.authority.status.ordering import Orders
from tracetogether.authority.status.restricting import Restrictions
from tracetogether.authority.status.results import LaboratoryResults
from tracetogether.authority.status.signing import PassKeys
from tracetogether.authority.tracing.evidence import Logs
from tracetogether.authority.tracing.graph import ContactGraphs
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.keyring import KeyRing
from tracetogether.local_days import LocalDays
from tracetogether.signed.trust import WARNINGS
from tracetogether.units import Entropy


@dataclass(frozen=True, slots=True)
class Authority:
    """The services of an authority. They read no clock: callers pass ``now`` in epoch seconds."""

    access: Access
    staff: Staff
    code_resets: CodeResets
    issuance: Issuance
    casework: Casework
    desk: Desk
    follow_up: FollowUp
    case_people: CasePeople
    people: CallList
    calling: Calling
    search: PeopleSearch
    team: Team
    finder: ContactFinder
    merging: Merging
    unmerging: Unmerging
    exports: Exports
    case_import: CaseImport
    operator_import: OperatorImport
    pins: Pins
    intake: Intake
    tracing: Tracing
    graphs: ContactGraphs
    policies: CallPolicies
    custody: Custody
    purge: Purge
    monitoring: Monitoring
    phone_models: PhoneModels
    orders: Orders
    restrictions: Restrictions
    charges: Charges
    declarations: Declarations
    passes: Passes
    appeals: Appeals
    laboratory: LaboratoryResults
    figures: PublicFigures
    open_data: OpenData
    wall: Wall
    screens: Screens
    bulletins: Bulletins
    partners: Partners
    partners_overview: PartnersOverview
    record_sending: RecordSending
    record_taking: RecordTaking
    places: Places
    stays: CaseStays
    visits: VisitIntake
    warnings: Warnings
    publishing: Publishing
    fourteen_days: FourteenDays
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
        """Return the services that share these keys and this store.

        Args:
            keys: the key ring.
            name: organisation code, such as SG_MOH; TempIDs and upload tokens are bound to it.
            store: keeps everything but the keys.
            save_keys: writes the ring to its file after a change.
            entropy: source of ids, secrets, PINs and IVs.

        Raises:
            AuthorityError: with the stored limits, PINs could be guessed; or this computer does
                not know the stored time zone.
        """
        issuer = TempIDIssuer(keys, name, entropy=entropy)
        tokens = UploadTokens(keys, name, entropy=entropy)
        audit = Audit(store)
        limits = Limits(keys, store)
        pins_a_day = store.setting(PINS_A_DAY)
        rules = PinRules() if pins_a_day is None else PinRules(int(pins_a_day))
        tallies = Tallies(limits, audit, store)
        days = local_days(store)
        pins = Pins(
            keys=keys,
            store=store,
            audit=audit,
            limits=limits,
            tallies=tallies,
            entropy=entropy,
            rules=rules,
        )
        case_endings = CaseEndings(store=store, audit=audit)
        casework = Casework(
            store=store,
            keys=keys,
            audit=audit,
            entropy=entropy,
            days=days,
            on_close=lambda case_id, now, by: case_endings.closed(case_id, now, by.name),
        )
        partners = Partners(store=store, audit=audit, organisation=name)
        record_sending = RecordSending(
            keys=keys,
            organisation=name,
            partners=partners,
            issuer=issuer,
            store=store,
            audit=audit,
            days=days,
            entropy=entropy,
        )
        logs = Logs(
            keys=keys, issuer=issuer, store=store, days=days, handed=record_sending.handed_to
        )
        tracing = Tracing(logs=logs, store=store, audit=audit, entropy=entropy)
        notes = Notes(keys=keys, store=store.desk, audit=audit, entropy=entropy)
        desk = Desk(keys=keys, casework=casework, store=store.desk, notes=notes, days=days)
        details = PersonDetails(keys=keys, store=store, audit=audit, entropy=entropy)
        follow_up = FollowUp(
            keys=keys,
            desk=desk,
            casework=casework,
            store=store,
            notes=notes,
            audit=audit,
            details=details,
            days=days,
        )
        people = CallList(desk=desk, store=store)
        finder = ContactFinder(
            keys=keys,
            casework=casework,
            tracing=tracing,
            store=store,
            audit=audit,
            entropy=entropy,
            days=days,
        )

        def end_work(name: str, left: frozenset[Role], now: float, by: Caller) -> None:
            end_requests(name, left, now, store=store, audit=audit, by=by.name)
            if not allowed(Action.RECORD_CALL, left):
                end_shift(name, now, store=store, audit=audit, by=by.name)

        staff = Staff(store, audit, on_fewer_roles=end_work)
        declarations = Declarations(keys=keys, store=store.declarations, entropy=entropy)
        issuance = Issuance(
            issuer=issuer,
            store=store,
            keys=keys,
            audit=audit,
            limits=limits,
            tallies=tallies,
            entropy=entropy,
            on_register=store.presence.note_registration,
        )
        attempts = Attempting(store, audit)
        restrictions = Restrictions(
            store=store,
            grounds=Grounds(store, keys, declarations),
            attempts=attempts,
            limits=limits,
            entropy=entropy,
            days=days,
        )
        purge = Purge(keys=keys, save_keys=save_keys, store=store, audit=audit, days=days)
        seals = ReportSeals(keys, entropy)
        warnings = Warnings(seals=seals, casework=casework, store=store, audit=audit)
        stays = CaseStays(logs=logs, store=store)
        return cls(
            access=Access(store),
            staff=staff,
            code_resets=CodeResets(store, audit),
            issuance=issuance,
            casework=casework,
            desk=desk,
            follow_up=follow_up,
            case_people=CasePeople(
                keys=keys,
                casework=casework,
                desk=desk,
                details=details,
                store=store,
                audit=audit,
            ),
            people=people,
            calling=Calling(
                keys=keys,
                people=people,
                follow_up=follow_up,
                notes=notes,
                store=store,
                audit=audit,
                entropy=entropy,
            ),
            search=PeopleSearch(keys=keys, people=people, store=store, limits=limits, audit=audit),
            team=Team(desk=desk, casework=casework, store=store, audit=audit),
            finder=finder,
            merging=Merging(
                desk=desk,
                casework=casework,
                store=store,
                audit=audit,
                details=details,
                entropy=entropy,
            ),
            unmerging=Unmerging(
                desk=desk,
                casework=casework,
                store=store,
                audit=audit,
                details=details,
                entropy=entropy,
            ),
            exports=Exports(keys=keys, store=store.desk, audit=audit, days=days),
            case_import=CaseImport(casework),
            operator_import=OperatorImport(staff, entropy),
            pins=pins,
            intake=Intake(
                keys=keys,
                issuer=issuer,
                tokens=tokens,
                pins=pins,
                store=store,
                audit=audit,
                entropy=entropy,
                partners=record_sending.known_partners,
                on_foreign=record_sending.note,
            ),
            tracing=tracing,
            graphs=ContactGraphs(tracing=tracing, store=store),
            policies=CallPolicies(
                tracing=tracing, finder=finder, casework=casework, store=store, audit=audit
            ),
            custody=Custody(keys=keys, save_keys=save_keys, audit=audit, store=store),
            purge=purge,
            monitoring=Monitoring(
                store=store, keys=keys, limits=limits, purge=purge, restrictions=restrictions
            ),
            phone_models=PhoneModels(logs=logs, store=store, audit=audit),
            charges=Charges(
                keys=keys,
                store=store,
                issuance=issuance,
                audit=audit,
                limits=limits,
                entropy=entropy,
            ),
            declarations=declarations,
            passes=Passes(
                keys=keys,
                organisation=name,
                store=store,
                restrictions=restrictions,
                declarations=declarations,
                signing=PassKeys(keys=keys, store=store, audit=audit),
                issuance=issuance,
                partners=partners,
                audit=audit,
                limits=limits,
                other_signers={WARNINGS: lambda: warning_key(keys)},
            ),
            orders=Orders(store=store, attempts=attempts, entropy=entropy),
            restrictions=restrictions,
            appeals=Appeals(
                store=store,
                restrictions=restrictions,
                attempts=attempts,
                audit=audit,
                entropy=entropy,
            ),
            laboratory=LaboratoryResults(store=store, attempts=attempts, days=days),
            figures=PublicFigures(store=store, restrictions=restrictions, days=days),
            open_data=OpenData(keys=keys, store=store, audit=audit, organisation=name, days=days),
            wall=Wall(store=store, purge=purge, days=days),
            screens=Screens(store, audit, limits, entropy),
            bulletins=Bulletins(store, audit),
            partners=partners,
            partners_overview=PartnersOverview(partners, store),
            record_sending=record_sending,
            record_taking=RecordTaking(
                keys=keys,
                organisation=name,
                partners=partners,
                issuer=issuer,
                store=store,
                audit=audit,
                limits=limits,
                days=days,
                entropy=entropy,
            ),
            places=Places(store=store, issuance=issuance, audit=audit, entropy=entropy),
            stays=stays,
            visits=VisitIntake(
                seals=seals,
                tokens=tokens,
                store=store,
                audit=audit,
                limits=limits,
            ),
            warnings=warnings,
            fourteen_days=FourteenDays(warnings=warnings, logs=logs, stays=stays, days=days),
            publishing=Publishing(
                seals=seals, organisation=name, store=store, audit=audit, entropy=entropy
            ),
            limits=limits,
            tallies=tallies,
            audit=audit,
            store=store,
            days=days,
        )

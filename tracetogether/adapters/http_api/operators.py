"""The operators' routes: cases, contacts, counts, keys, the audit log, and the operators."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, StreamingResponse

from tracetogether.adapters.http_api.calls import add_calls
from tracetogether.adapters.http_api.charges import add_charges
from tracetogether.adapters.http_api.described import OF_OPERATORS
from tracetogether.adapters.http_api.follow_up import add_follow_up, case_line
from tracetogether.adapters.http_api.guard import By, guarded
from tracetogether.adapters.http_api.partners import add_partners
from tracetogether.adapters.http_api.places import add_places
from tracetogether.adapters.http_api.presence import add_reports
from tracetogether.adapters.http_api.status import add_status
from tracetogether.adapters.http_api.team import GivesPasswords, add_team
from tracetogether.adapters.http_api.wall import add_wall
from tracetogether.authority.access.operators import Operator, roles_named
from tracetogether.authority.cases.case import CaseQuery, CaseState, CaseSummary, day_of
from tracetogether.authority.desk.exports import layout_named
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.authority.service import Authority
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.shapes import cases as shapes
from tracetogether.shapes import oversight
from tracetogether.shapes.contacts import Contacts, Graph, OnwardLine, OnwardLines, Policy
from tracetogether.shapes.policies import CostCurveShape, LeastChance, Policies
from tracetogether.tables.spreadsheets import MEDIA_TYPES, file_of

_MOST_ENTRIES = 1_000
_METRIC: Final = """\
# HELP tracetogether_{name} {about}
# TYPE tracetogether_{name} {kind}
tracetogether_{name} {value}
"""
_Policy = Annotated[str, Query(description=f"One of {', '.join(POLICIES)}.")]


def for_operators(
    authority: Authority, clock: Callable[[], float], passwords: GivesPasswords | None = None
) -> APIRouter:
    """Return the routes; ``guard.ACTIONS`` and the permissions decide who may call each."""

    def denied(operator: Operator, route: str) -> None:
        authority.audit.record("route.refused", clock(), by=operator.name, route=route)

    def malformed(operator: Operator, route: str) -> None:
        name, reason = operator.name, "invalid-request"
        authority.audit.record("restriction.refused", clock(), by=name, reason=reason, route=route)

    router = guarded(
        "operator token",
        "operators",
        authority.access.operator,
        denied,
        malformed=malformed,
        responses=OF_OPERATORS,
    )
    _casework(router, authority, clock)
    add_follow_up(router, authority, clock)
    add_calls(router, authority, clock)
    add_charges(router, authority, clock)
    _lists(router, authority, clock)
    _policies(router, authority, clock)
    add_status(router, authority, clock)
    add_places(router, authority, clock)
    add_reports(router, authority, clock)
    add_partners(router, authority)
    add_wall(router, authority, clock)
    add_team(router, authority, clock, passwords)
    _oversight(router, authority, clock)
    _staff(router, authority, clock)
    return router


def _casework(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.post("/cases", status_code=201)
    def open_case(by: By, asked: shapes.NewCase) -> shapes.CaseLine:
        """Open a case for a registered user. Role: issuer."""
        day = None if asked.date is None else day_of(asked.date)
        opened = authority.casework.open_case(asked.user_id, clock(), day, by=by)
        return case_line(authority, opened)

    @router.post("/cases/{case_id}/confirm")
    def confirm_case(by: By, case_id: str) -> shapes.CaseLine:
        """Confirm a case that a tracer opened for a contact. Role: issuer.

        Its list then uses the logs of other people too.
        """
        return case_line(authority, authority.casework.confirm(case_id, clock(), by=by))

    @router.get("/cases")
    def list_cases(
        by: By,
        state: Annotated[list[CaseState] | None, Query()] = None,
        assigned_to: Annotated[
            str | None, Query(description="An operator's name; empty: cases assigned to nobody.")
        ] = None,
        unconfirmed: Annotated[  # noqa: FBT002 - FastAPI passes it by name
            bool, Query(description="Only cases that wait for their confirmation.")
        ] = False,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> shapes.Cases:
        """List cases, the newest first. Roles: issuer, tracer, supervisor.

        A tracer sees the cases assigned to them.
        """
        states = frozenset(state or ())
        query = CaseQuery(states, assigned_to, unconfirmed=unconfirmed, offset=offset, limit=limit)
        page = authority.casework.page(query, clock(), by=by)
        return shapes.Cases(
            cases=[_summary(authority, summary) for summary in page.cases],
            total=page.total,
            offset=page.offset,
        )

    @router.post("/cases/{case_id}/pin", status_code=201)
    def issue_pin(
        by: By, case_id: str, asked: shapes.NewPin | None = None
    ) -> shapes.UploadPinIssued:
        """Issue an upload PIN for the case's user. It works once, and replaces earlier PINs.

        It is valid for 24 hours, or, with `{"lifetime": "short"}`, for 15 minutes. The PIN is
        shown only here; the service stores its HMAC. Role: issuer.
        """
        now = clock()
        case = authority.casework.case_to_show(case_id, by=by)
        lifetime = asked.lifetime if asked else PinLifetime.LONG
        after = asked.after if asked else None
        pin = authority.pins.issue(case, now, lifetime=lifetime, after=after, by=by)
        return shapes.UploadPinIssued(
            case_id=case_id,
            upload_pin=pin,
            expires_at=now + lifetime.seconds,
            mark=authority.pins.last(case, now, by=by).mark,
        )

    @router.get("/cases/{case_id}/pin")
    def show_pin_state(by: By, case_id: str) -> shapes.LastPinState:
        """Show what became of the case's last upload PIN, without the PIN. Role: issuer."""
        case = authority.casework.case_to_show(case_id, by=by)
        return shapes.LastPinState.of(authority.pins.last(case, clock(), by=by))

    @router.get("/cases/{case_id}/contacts")
    def list_contacts(
        by: By,
        case_id: str,
        policy: _Policy = "singapore",
        quarantined: Annotated[  # noqa: FBT002 - FastAPI passes it by name
            bool, Query(description="Use records of quarantined days too.")
        ] = False,
    ) -> Contacts:
        """List the people who were near in the 14 days before the case's date, in order of concern.

        Roles: tracer (of assigned cases), supervisor. The audit log records the request.
        """
        case = authority.casework.case(case_id, by=by)
        traced = authority.tracing.contacts(
            case, authority.tracing.policy(policy), by=by, believe_quarantined=quarantined
        )
        authority.audit.record("contacts.listed", clock(), by=by.name, subject=case.case_id)
        return Contacts.of(traced).with_handed_over(authority.record_sending.of_case(case, by=by))

    @router.post("/cases/{case_id}/reveal")
    def reveal(by: By, case_id: str, asked: shapes.Reveal) -> shapes.Revealed:
        """Return the user id behind a contact's pseudonym. Role: tracer.

        The audit log keeps the reason.
        """
        case = authority.casework.case(case_id, by=by)
        user_id = authority.tracing.reveal(case, asked.pseudonym, asked.reason, clock(), by=by)
        return shapes.Revealed(pseudonym=asked.pseudonym, user_id=user_id)


def _lists(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/graph")
    def show_graph(
        by: By,
        policy: _Policy = "singapore",
        offset: Annotated[
            int, Query(ge=0, le=10_000_000, description="How many of the newest cases to skip.")
        ] = 0,
    ) -> Graph:
        """Show who met whom among the newest 1,000 cases, and rank who may have infected whom.

        Roles: tracer (of assigned cases), supervisor. The audit log records the request.
        """
        graph = authority.graphs.graph(authority.tracing.policy(policy), by=by, skip=offset)
        authority.audit.record("graph.shown", clock(), by=by.name, cases=graph.cases)
        return Graph.of(graph, offset)

    @router.get("/cases/{case_id}/contacts/onward")
    def list_onward(by: By, case_id: str, policy: _Policy = "singapore") -> OnwardLines:
        """List the people whom a case's contacts met after the case, if these have uploaded too.

        Roles: tracer, supervisor; through contacts whose own cases the caller needs to know.
        The audit log records the request.
        """
        case = authority.casework.case(case_id, by=by)
        chosen = authority.tracing.policy(policy)
        found = authority.graphs.second_degree(case, chosen, by=by)
        authority.audit.record("contacts.onward_listed", clock(), by=by.name, subject=case.case_id)
        return OnwardLines(
            case_id=case.case_id,
            policy=Policy.of(chosen),
            contacts=[OnwardLine.of(onward) for onward in found],
        )

    content: dict[str, Any] = {
        kind.partition(";")[0]: {"schema": {}} for kind in MEDIA_TYPES.values()
    }

    @router.get(
        "/exports/contacts",
        response_model=None,
        responses={200: {"content": content, "description": "The file, streamed."}},
    )
    def export_contacts(
        by: By,
        form: Annotated[Literal["csv", "ndjson", "xlsx"], Query(alias="format")] = "csv",
        layout: Annotated[
            str, Query(description="`contacts`, `anonymous`, `sormas` or `godata`.")
        ] = "contacts",
    ) -> StreamingResponse:
        """Export the contacts of all cases to a file. Role: exporter. The audit log records it.

        The file has pseudonyms, no names. A text that begins like a formula gets an apostrophe
        in CSV, and is plain text in XLSX.
        """
        rows = authority.exports.rows(layout_named(layout), form, clock(), by=by)
        return StreamingResponse(  # a few hundred rows are in memory at a time
            file_of(rows, form),
            media_type=MEDIA_TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="contacts-{layout}.{form}"'},
        )


def _policies(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    def all_policies(by: By) -> Policies:
        shown = authority.policies.all(by=by)
        least = next(iter(shown.values())).least_chance
        policies = {name: Policy.of(policy) for name, policy in shown.items()}
        return Policies(least_chance=least, policies=policies)

    @router.get("/policies")
    def list_policies(by: By) -> Policies:
        """List the policies, and how likely a close contact must be. Roles: tracer, supervisor."""
        return all_policies(by)

    @router.post("/policies/least-chance")
    def set_least_chance(by: By, asked: LeastChance) -> Policies:
        """Set how likely the policy's minutes must be for a close contact. Role: supervisor.

        The contacts of open cases are judged again. The audit log records the change.
        """
        authority.policies.set_least_chance(asked.least_chance, clock(), by=by)
        return all_policies(by)

    @router.get("/cost-curve")
    def show_cost_curve(
        by: By,
        policy: _Policy = "singapore",
        case_id: Annotated[str, Query(description="Count this case only.")] = "",
        cost: Annotated[float | None, Query(description="Of one call.", gt=0)] = None,
        value: Annotated[float | None, Query(description="Of one contact found.", gt=0)] = None,
    ) -> CostCurveShape:
        """Show how many calls are expected to find how many contacts, by the lists' own chances.

        It counts all open cases that the caller may see, or one case. `cost` and `value` together
        give the least chance to call: cost / value. Roles: tracer (of assigned cases), supervisor.
        The audit log records the request.
        """
        costs = authority.policies.costs(policy, case_id, by=by)
        authority.audit.record("costs.shown", clock(), by=by.name, subject=case_id)
        return CostCurveShape.of_costs(costs, cost, value)


def _oversight(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/statistics")
    def statistics(by: By) -> oversight.Statistics:
        """Count everything that is stored. Roles: exporter, auditor."""
        counts = authority.monitoring.counts(clock(), by=by)
        return oversight.Statistics.of(counts)

    @router.get("/keys")
    def list_keys(by: By) -> oversight.Keys:
        """List the UTC days that have keys, never the keys. Role: keyholder."""
        days = authority.custody.known_days(clock(), by=by)
        return oversight.Keys(days=[oversight.DayOfKeys.of(day) for day in days])

    @router.get("/audit")
    def read_audit(
        by: By,
        after: Annotated[
            int, Query(ge=0, le=2**53, description="Entries with a greater number.")
        ] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST_ENTRIES)] = _MOST_ENTRIES,
    ) -> oversight.AuditLog:
        """Read the audit log page by page: `after` is the last number of the page before.

        Role: auditor.
        """
        entries = authority.audit.entries(after, limit, by=by)
        return oversight.AuditLog(
            total=authority.store.last_audit()[0],
            entries=[oversight.AuditLine.of(entry) for entry in entries],
        )

    @router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_model=None)
    def metrics(by: By) -> PlainTextResponse:
        """Return metrics in Prometheus's text format. Role: auditor."""
        return PlainTextResponse(metrics_text(authority.monitoring.metrics(clock(), by=by)))


def _staff(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/operators")
    def list_operators(by: By) -> oversight.Operators:
        """List all operators. Role: admin."""
        staff = authority.staff.all(by=by)
        return oversight.Operators(
            operators=[oversight.OperatorLine.of(operator) for operator in staff]
        )

    @router.post("/operators", status_code=201)
    def add_operator(by: By, asked: oversight.NewOperator) -> oversight.OperatorAdded:
        """Add an operator. Role: admin, who can grant only roles of their own.

        The token is shown only here; the service stores its digest.
        """
        token = new_secret()
        authority.staff.add(asked.name, roles_named(asked.roles), token, clock(), by=by)
        return oversight.OperatorAdded(name=asked.name, operator_token=token)

    @router.post("/operators/{name}/disable")
    def disable_operator(by: By, name: str) -> oversight.Done:
        """Disable an operator from the next request on. Role: admin; not for oneself."""
        authority.staff.disable(name, clock(), by=by)
        return oversight.Done(done=True)


def _summary(authority: Authority, summary: CaseSummary) -> shapes.CaseSummaryLine:
    pseudonym = authority.desk.name_of(summary.case.user_id)
    return shapes.CaseSummaryLine.of(summary.case, pseudonym, summary)


def metrics_text(metrics: Iterable[tuple[str, str, float]]) -> str:
    """Return metrics (name, description, value) in Prometheus's text form, without labels."""
    return "".join(
        _METRIC.format(
            name=name,
            about=about,
            value=value,
            kind="counter" if name.endswith("_total") else "gauge",
        )
        for name, about, value in metrics
    )

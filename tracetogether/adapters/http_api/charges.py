"""Routes of charges: phones add, list and end them; the desk gives codes and ends them too."""

from collections.abc import Callable

from fastapi import APIRouter, Request

from tracetogether.adapters.http_api.guard import By, guarded
from tracetogether.authority.service import Authority
from tracetogether.shapes import charges as shapes
from tracetogether.shapes.oversight import Done


def charges_for_phones(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the routes by which a phone keeps passes for people without a phone."""
    router = guarded("registration credential", "phones", authority.access.phone)

    @router.post("/charges", status_code=201)
    def add_charge(request: Request, asked: shapes.ChargeCode) -> shapes.ChargeShown:
        """Keep passes for one more person without a phone, who gave this code.

        The desk gives such a code to the person. It works once. A phone keeps passes for at most 6
        people.
        """
        found = authority.charges.add(request.state.caller, asked.code, clock())
        return shapes.ChargeShown.of(found)

    @router.get("/charges")
    def list_charges(request: Request) -> shapes.ChargesShown:
        """List the people for whom this phone keeps passes, the oldest first."""
        found = authority.charges.of(request.state.caller)
        return shapes.ChargesShown(charges=[shapes.ChargeShown.of(charge) for charge in found])

    @router.delete("/charges/{charge_id}")
    def end_charge(request: Request, charge_id: str) -> Done:
        """Keep passes for this person no more."""
        authority.charges.end(request.state.caller, charge_id, clock())
        return Done(done=True)

    return router


def add_charges(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the desk's routes to the operators' router."""

    @router.post("/charges/codes", status_code=201)
    def give_charge_code(by: By) -> shapes.ConsentGiven:
        """Give a person without a phone a code, with which a relative's phone keeps their passes.

        The code works once, within three days, and is shown only here. Role: issuer.
        """
        return shapes.ConsentGiven.of(authority.charges.consent(clock(), by=by))

    @router.post("/charges/{charge_id}/end")
    def end_charge_at_desk(by: By, charge_id: str, asked: shapes.EndedAtDesk) -> Done:
        """End a charge for the person without a phone. An unused code becomes void. Role: issuer.

        The reason is recorded in the audit log.
        """
        authority.charges.end_at_desk(charge_id, asked.reason, clock(), by=by)
        return Done(done=True)

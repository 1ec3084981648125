"""Charges: a person without a phone agrees with a code; either side ends it; at most six."""

import pytest

from tests.authority_world import NOON, World
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.status.charges import Charge, Consent, typed
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.parameters import CHARGE_TRIES_AN_HOUR, CHARGES_OF_A_PHONE
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

ISSUER = Caller("counter-3", frozenset({Role.ISSUER}))
WRONG = "AAAAA-AAAAA"


def consent(world: World, now: float = NOON) -> Consent:
    return world.authority.charges.consent(now, by=ISSUER)


def added(world: World, guardian: str, now: float = NOON) -> Charge:
    return world.authority.charges.add(guardian, consent(world, now).code, now)


def acts(world: World) -> list[tuple[str, str, str]]:
    entries = world.authority.audit.entries(by=CONSOLE)
    return [
        (entry.act, entry.by, entry.subject) for entry in entries if entry.act.startswith("charge.")
    ]


def test_a_person_agrees_with_a_code_and_becomes_a_user_of_their_own(world: World) -> None:
    daughter, given = world.user(), consent(world)
    charge = world.authority.charges.add(daughter, given.code.lower().replace("-", " "), NOON + 60)
    assert charge.charge_id == given.charge_id
    assert charge.user_id != daughter
    assert world.store.has_user(charge.user_id)
    assert world.authority.charges.of(daughter) == [charge]
    assert world.authority.charges.user_of(daughter, charge.charge_id) == charge.user_id
    assert acts(world) == [
        ("charge.code-given", "counter-3", given.charge_id),
        ("charge.added", "phone", given.charge_id),
    ]
    for secret in (given.code, daughter, charge.user_id):
        assert secret not in repr((given, charge))


def test_the_tempids_and_numbers_of_a_charge_do_not_lead_to_the_phone(world: World) -> None:
    daughter = world.user()
    first, second = added(world, daughter), added(world, daughter)
    assert len({daughter, first.user_id, second.user_id, first.charge_id, second.charge_id}) == 5
    batches = [
        {tempid.text for tempid in world.authority.issuance.batch(user, NOON).tempids}
        for user in (daughter, first.user_id, second.user_id)
    ]
    assert sum(map(len, batches)) == len(set().union(*batches))


def test_a_code_works_once(world: World) -> None:
    given = consent(world)
    world.authority.charges.add(world.user(), given.code, NOON)
    with pytest.raises(NotFoundError, match="wrong, expired or used"):
        world.authority.charges.add(world.user(), given.code, NOON)


def test_a_code_is_good_for_three_days_also_over_midnight(world: World) -> None:
    early, late = consent(world), consent(world)
    until = NOON + 3 * SECONDS_PER_DAY
    assert early.expiry == until
    world.authority.charges.add(world.user(), early.code, until - 1)
    with pytest.raises(NotFoundError):
        world.authority.charges.add(world.user(), late.code, until)
    assert world.store.charges.drop_consents(until - 1) == 0
    assert world.store.charges.drop_consents(until) == 1


def test_a_purge_drops_expired_codes(world: World) -> None:
    consent(world)
    later = NOON + 4 * SECONDS_PER_DAY
    world.authority.purge(later, clock_is_right=True)
    assert world.store.charges.drop_consents(later) == 0


def test_a_phone_keeps_passes_for_six_people_and_the_seventh_code_stays_good(world: World) -> None:
    daughter = world.user()
    charges = [added(world, daughter) for _ in range(CHARGES_OF_A_PHONE)]
    assert CHARGES_OF_A_PHONE == 6
    seventh = consent(world)
    with pytest.raises(ConflictError, match="at most 6 people"):
        world.authority.charges.add(daughter, seventh.code, NOON)
    world.authority.charges.end(daughter, charges[0].charge_id, NOON)
    world.authority.charges.add(daughter, seventh.code, NOON)
    assert len(world.authority.charges.of(daughter)) == 6


def test_threat_charge_without_consent_guessing_ends_after_ten_tries_an_hour(world: World) -> None:
    guesser, given = world.user(), consent(world)
    for _ in range(CHARGE_TRIES_AN_HOUR):
        with pytest.raises(NotFoundError):
            world.authority.charges.add(guesser, WRONG, NOON)
    with pytest.raises(RateLimitedError):
        world.authority.charges.add(guesser, given.code, NOON)
    world.authority.charges.add(guesser, given.code, NOON + SECONDS_PER_HOUR)


@pytest.mark.parametrize(
    "code", ["", "K7Q2D", "K7Q2D-MXFT", "K7Q2D-MXFT3X", "K7Q2D-MXF€3", "9" * 10]
)
def test_a_code_of_another_form_is_refused_and_costs_no_try(world: World, code: str) -> None:
    guesser = world.user()
    for _ in range(CHARGE_TRIES_AN_HOUR + 1):
        with pytest.raises(InvalidRequestError, match="two groups of five"):
            world.authority.charges.add(guesser, code, NOON)


def test_digits_that_no_code_has_are_read_as_the_letters_they_look_like() -> None:
    assert typed(" 0b1-8 ") == "OBIB"


def test_either_side_ends_it(world: World) -> None:
    daughter = world.user()
    mother, father = added(world, daughter), added(world, daughter)
    world.authority.charges.end(daughter, mother.charge_id, NOON)
    number = father.charge_id.lower()
    world.authority.charges.end_at_desk(number, " asked at the desk ", NOON, by=ISSUER)
    assert world.authority.charges.of(daughter) == []
    assert [act for act in acts(world) if act[0] == "charge.ended"] == [
        ("charge.ended", "phone", mother.charge_id),
        ("charge.ended", "counter-3", father.charge_id),
    ]
    for charge in (mother, father):
        with pytest.raises(NotFoundError, match="may have ended it"):
            world.authority.charges.user_of(daughter, charge.charge_id)
        with pytest.raises(NotFoundError):
            world.authority.charges.end(daughter, charge.charge_id, NOON)
        with pytest.raises(NotFoundError):
            world.authority.charges.end_at_desk(charge.charge_id, "again", NOON, by=ISSUER)


def test_the_desk_makes_a_code_void_that_nobody_used(world: World) -> None:
    given = consent(world)
    world.authority.charges.end_at_desk(given.charge_id, "the paper is lost", NOON, by=ISSUER)
    with pytest.raises(NotFoundError):
        world.authority.charges.add(world.user(), given.code, NOON)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines"])
def test_the_desk_gives_a_reason(world: World, reason: str) -> None:
    charge = added(world, world.user())
    with pytest.raises(InvalidRequestError, match="audit log"):
        world.authority.charges.end_at_desk(charge.charge_id, reason, NOON, by=ISSUER)
    assert len(world.authority.charges.of(charge.guardian)) == 1


def test_another_phone_neither_sees_nor_ends_a_charge(world: World) -> None:
    charge, stranger = added(world, world.user()), world.user()
    assert world.authority.charges.of(stranger) == []
    with pytest.raises(NotFoundError):
        world.authority.charges.user_of(stranger, charge.charge_id)
    with pytest.raises(NotFoundError):
        world.authority.charges.end(stranger, charge.charge_id, NOON)
    assert world.authority.charges.of(charge.guardian) == [charge]


def test_a_phone_that_withdraws_keeps_passes_for_nobody_and_the_person_stays(world: World) -> None:
    charge = added(world, world.user())
    world.authority.issuance.withdraw(charge.guardian, NOON)
    assert world.store.charges.of(charge.guardian) == []
    assert world.store.has_user(charge.user_id)


def test_only_an_issuer_gives_codes_and_ends_charges(world: World) -> None:
    tracer = Caller("tracer", frozenset(Role) - {Role.ISSUER})
    with pytest.raises(AccessDeniedError):
        world.authority.charges.consent(NOON, by=tracer)
    charge = added(world, world.user())
    with pytest.raises(AccessDeniedError):
        world.authority.charges.end_at_desk(charge.charge_id, "x", NOON, by=tracer)

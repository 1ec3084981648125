"""Issuing passes: batches, notices, papers, keys by the week, and the lists of gates."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.authority_world import NOON, NOW, World
from tests.store_rows import case as case_row
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.status.numbers import numbers_still_valid, paper_number
from tracetogether.authority.status.policy import PassEffect, status_policies
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionEvidence
from tracetogether.crypto import SigningKey
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.passes import Pass
from tracetogether.healthcode.verdicts import Admitted
from tracetogether.healthcode.wallet import held_pass
from tracetogether.healthcode.writing import PassWriter
from tracetogether.parameters import GIVEN_A_DAY
from tracetogether.signed import cose, hcert
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy

HOUR = SECONDS_PER_HOUR
ANNA = Caller("anna", frozenset({Role.ISSUER}))
DAY = SECONDS_PER_DAY


def gate_of(world: World, now: float) -> GateLists:
    passes = world.authority.passes
    key = passes.list_key(by=CONSOLE)
    return GateLists.read(passes.trust_list(now), passes.revocation_list(now), key)


def words(world: World, texts: list[str], now: float) -> set[str]:
    gate = gate_of(world, now)
    return {gate.judge(text, now).for_guard for text in texts}


def restrict(
    world: World, user_id: str, *, ground: Ground = Ground.CASE, reference: str = "CASE1"
) -> Restriction:
    made = Restriction(
        restriction_id=f"R-{reference}",
        user_id=user_id,
        ground=ground,
        reference=reference,
        begins_at=NOON,
        until=NOON + 10 * DAY,
        evidence=RestrictionEvidence.DIAGNOSIS,
        notice=f"pass.withheld.{ground.value}",
        set_by="anna",
        set_at=NOON,
        confirmed_by="ben",
        confirmed_at=NOON,
    )
    assert world.store.status.add_restriction(made)
    return made


def test_threat_pass_copied_each_pass_counts_in_its_own_hour_alone(
    world: World,
) -> None:
    batch = world.authority.passes.batch(world.user(), NOON + 100)
    assert batch.notice.code == "pass.green"
    held = [held_pass(text) for text in batch.passes]
    assert len({each.number for each in held}) == 48
    assert [each.not_before for each in held] == [NOON + n // 2 * HOUR for n in range(48)]
    gate = gate_of(world, NOON)
    for each in held:
        at = [each.not_before - 241, each.not_before + 1, each.expires - 1, each.expires]
        assert [gate.judge(each.text, now).for_guard for now in at] == [
            "not now",
            "pass",
            "pass",
            "not now",
        ]


def test_threat_pass_linking_passes_share_no_number_no_order_and_have_one_length(
    world: World,
) -> None:
    """What an attacker at gates could link by: everything but number and signature is equal."""
    users = [world.user() for _ in range(20)]
    texts = [text for user in users for text in world.authority.passes.batch(user, NOON).passes]
    assert {len(text) for text in texts} == {len(texts[0])}
    numbers = [int(held_pass(text).number, 16) for text in texts]
    assert len(set(numbers)) == len(numbers) == 960
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert len(set(steps)) == len(steps)
    rising = sum(step > 0 for step in steps)
    assert 400 < rising < 560  # of 959; in a random order half of them rise
    kinds = {
        (message.kid, message.protected)
        for message in (cose.read(hcert.from_text(text)) for text in texts)
    }
    assert len(kinds) == 1


def test_the_same_hour_gives_the_same_numbers_and_nothing_is_stored(world: World) -> None:
    user = world.user()
    before = world.authority.monitoring.counts(NOON, by=CONSOLE)
    first, second = (world.authority.passes.batch(user, NOON + s).passes for s in (1, 3_500))
    assert [held_pass(t).number for t in first] == [held_pass(t).number for t in second]
    assert world.authority.monitoring.counts(NOON, by=CONSOLE) == before


def test_the_writer_makes_what_cose_and_hcert_make() -> None:
    key = SigningKey.from_secret(bytes(31) + b"\x09")
    for issuer in ("SG_MOH", "\xa5" * 8, "A"):
        wanted = (int(NOON), int(NOON) + HOUR, b"\x00\xa5" * 4)
        (text,) = PassWriter(issuer, key).texts([wanted])
        message = cose.read(hcert.from_text(text))
        assert message.payload == Pass(issuer, int(NOON), int(NOON) + HOUR, b"\x00\xa5" * 4).write()
        assert message.signed_by(key.public)
        again = cose.read(cose.sign(message.payload, key, key.public.kid))
        assert replace(message, signature=b"") == replace(again, signature=b"")


def test_threat_pass_after_restriction_gates_refuse_what_was_issued_before(world: World) -> None:
    user, other = world.user(), world.user()
    texts = list(world.authority.passes.batch(user, NOON).passes)
    others = list(world.authority.passes.batch(other, NOON).passes)
    made = restrict(world, user)
    batch = world.authority.passes.batch(user, NOON)
    assert batch.passes == ()
    assert batch.notice.code == "pass.withheld.case"
    assert batch.notice.parameters == {
        "until": made.until,
        "reference": "CASE1",
        "restriction": made.restriction_id,
    }
    for hour in (0, 5, 23):
        now = NOON + hour * HOUR + 60
        pair = slice(2 * hour, 2 * hour + 2)
        assert words(world, texts[pair], now) == {"not now"}
        assert words(world, others[pair], now) == {"pass"}


def test_threat_new_numbers_the_list_changes_at_full_quarters_alone(world: World) -> None:
    """Who asks often, or another server, sees no edition in which one person's numbers are new."""
    passes, quarter = world.authority.passes, 15 * 60
    first = gate_of(world, NOON).revoked
    people = [world.user() for _ in range(3)]
    for minute, user in enumerate(people, 1):
        made = restrict(world, user, reference=f"CASE{minute}")
        at = NOON + 60 * minute
        world.store.status.change_restriction(replace(made, begins_at=at, confirmed_at=at))
        for second in (0, 59, quarter - 60 * minute - 1):
            found = gate_of(world, at + second).revoked
            assert (found.issued_at, list(found.numbers)) == (NOON, list(first.numbers))
    listed = gate_of(world, NOON + quarter).revoked
    assert listed.issued_at == NOON + quarter
    for user in people:
        assert all(n in listed for n in numbers_still_valid(passes.keys, user, NOON + quarter))


def test_gates_take_the_passes_of_a_person_whose_case_was_closed(world: World) -> None:
    user = world.user()
    case = world.authority.casework.open_case(user, NOON, by=CONSOLE)
    restrict(world, user, reference=case.case_id)
    assert not world.authority.passes.batch(user, NOON).passes
    assert len(gate_of(world, NOON).revoked)
    world.authority.casework.close(case.case_id, NOON + 60, by=CONSOLE)
    later = NOON + 15 * 60
    assert words(world, list(world.authority.passes.batch(user, later).passes[:2]), later) == {
        "pass"
    }


def test_gates_take_the_passes_that_a_policy_does_not_withhold(world: World) -> None:
    """A city whose orders advise: phones and gates follow the same policy, also beside a case."""
    passes, (ordered, both) = world.authority.passes, (world.user(), world.user())
    rules = status_policies()["advice"]
    milder = replace(rules, name="city", order=replace(rules.order, effect=PassEffect.ADVISE))
    restrict(world, ordered, ground=Ground.ORDER, reference="ORDER1")
    restrict(world, both, reference="CASE1")
    longer = restrict(world, both, ground=Ground.ORDER, reference="ORDER2")
    world.store.status.change_restriction(replace(longer, until=longer.until + 60))
    passes.use_policy(milder, NOON, by=CONSOLE)
    assert words(world, list(passes.batch(ordered, NOON).passes[:2]), NOON) == {"pass"}
    assert passes.batch(both, NOON).notice.code == "pass.withheld.case"


def test_an_order_is_named_in_the_notice(world: World) -> None:
    user = world.user()
    restrict(world, user, ground=Ground.ORDER, reference="ORDER7")
    notice = world.authority.passes.notice(user, NOON)
    assert (notice.code, notice.parameters["reference"]) == ("pass.withheld.order", "ORDER7")


def test_the_list_has_every_number_that_could_still_be_shown(world: World) -> None:
    user = world.user()
    later = NOON + 20 * HOUR
    held = {
        held_pass(text).number
        for begin in (NOON, later)
        for text in world.authority.passes.batch(user, begin).passes
        if held_pass(text).expires > later - 120
    }
    restrict(world, user)
    listed = gate_of(world, later).revoked
    assert all(bytes.fromhex(number) in listed for number in held)
    assert len(held) == 50  # the hour before counts too, for gates whose clock is behind
    assert len(listed) == len(set(numbers_still_valid(world.keys, user, later))) < 48 + 4 + 9


def test_a_case_alone_advises_and_never_withholds(world: World) -> None:
    user = world.user()
    world.authority.casework.open_case(user, NOON, by=CONSOLE)
    batch = world.authority.passes.batch(user, NOON)
    assert batch.notice.code == "pass.advised.case"
    assert len(batch.passes) == 48


def test_symptoms_advise_for_a_week(world: World) -> None:
    user = world.user()
    world.authority.declarations.declare(user, NOON, symptoms=True)
    codes = [world.authority.passes.notice(user, NOON + n * DAY).code for n in (0, 6, 7)]
    assert codes == ["pass.advised.symptoms", "pass.advised.symptoms", "pass.green"]
    world.authority.declarations.declare(user, NOON, symptoms=False)
    assert world.authority.passes.notice(user, NOON).code == "pass.green"


# --- keys by the week ---


def test_a_key_signs_for_a_week_from_monday_on_and_gates_know_the_next_one(world: World) -> None:
    monday = NOW  # 2020-05-04 is a Monday
    kids = [world.authority.passes.signing.of_day(int(monday // DAY) + n).kid for n in range(-1, 8)]
    assert [kids.index(kid) for kid in kids] == [0, *[1] * 7, 8]
    sunday = monday + 6 * DAY + 12 * HOUR
    listed = {key.kid for key in world.authority.passes.keys_in_use(sunday, by=CONSOLE)}
    assert {kids[1], kids[8]} <= listed
    texts = list(world.authority.passes.batch(world.user(), sunday).passes)
    gate = gate_of(world, sunday)
    assert gate.judge(texts[-1], sunday + 23.5 * HOUR).for_guard == "pass"


def test_a_new_chain_of_day_keys_begins_a_new_signing_key(world: World) -> None:
    tuesday = NOW + DAY
    before = {
        day: world.authority.passes.signing.of_day(int(tuesday // DAY) + day).kid
        for day in range(5)
    }
    first = world.authority.custody.rotate(tuesday, by=CONSOLE)
    after = {
        day: world.authority.passes.signing.of_day(int(tuesday // DAY) + day).kid
        for day in range(5)
    }
    changed = [day for day in before if before[day] != after[day]]
    assert [int(tuesday // DAY) + day for day in changed] == [
        day for day in range(int(tuesday // DAY), int(tuesday // DAY) + 5) if day >= first
    ]
    assert changed


def test_threat_pass_key_a_retired_one_is_refused_after_the_next_list(world: World) -> None:
    passes, user = world.authority.passes, world.user()
    old = list(passes.batch(user, NOON).passes)
    held = gate_of(world, NOON)
    kid = passes.signing.of_day(int(NOON // DAY)).kid
    successor = passes.retire_key(kid.upper(), NOON + 60, by=CONSOLE)
    assert successor.kid != kid
    assert held.judge(old[0], NOON + 120).for_guard == "pass"  # until the gate fetches again
    assert words(world, old[:2], NOON + 120) == {"not ours"}
    assert words(world, list(passes.batch(user, NOON + 120).passes)[:2], NOON + 120) == {"pass"}
    entry = [entry for entry, _ in world.store.audit() if entry.act == "pass-key.retired"]
    assert [(line.subject, line.by) for line in entry] == [(kid, "console")]
    with pytest.raises(NotFoundError, match="no key in use"):
        passes.retire_key(kid, NOON + 180, by=CONSOLE)
    once_more = passes.retire_key(successor.kid, NOON + 180, by=CONSOLE)
    assert once_more.kid not in {kid, successor.kid}


def test_keys_are_retired_by_keyholders_alone(world: World) -> None:
    kid = world.authority.passes.signing.of_day(int(NOON // DAY)).kid
    for role in set(Role) - {Role.KEYHOLDER}:
        with pytest.raises(AccessDeniedError):
            world.authority.passes.retire_key(kid, NOON, by=Caller("x", frozenset({role})))


def test_lists_of_two_authorities_have_two_keys(entropy_of: Callable[[int], Entropy]) -> None:
    keys = {World.of(entropy_of(n)).authority.passes.list_key(by=CONSOLE).kid for n in (1, 2)}
    assert len(keys) == 2


# --- papers ---


def test_a_paper_counts_for_seven_days_and_is_audited_with_its_reason(world: World) -> None:
    made = world.authority.passes.paper(NOON, " no phone ", by=ANNA)
    assert made.expires - made.not_before == 7 * DAY
    for days in (0, 6.99):
        assert words(world, [made.text], NOON + days * DAY) == {"pass"}
    assert words(world, [made.text], NOON + 7 * DAY) == {"not now"}
    entry = [entry for entry, _ in world.store.audit()][-1]
    assert (entry.act, entry.details) == ("paper.issued", {"reason": "no phone"})
    assert made.user_id not in repr(made)


def test_a_paper_is_revoked_with_its_person_and_none_is_issued_again(world: World) -> None:
    passes = world.authority.passes
    made = passes.paper(NOON, "no phone", by=ANNA)
    restrict(world, made.user_id)
    for days in (0, 6.9):
        assert words(world, [made.text], NOON + days * DAY) == {"not now"}
    with pytest.raises(ConflictError, match="withheld"):
        passes.paper(NOON + HOUR, "lost", user_id=made.user_id, by=ANNA)
    assert [entry.act for entry, _ in world.store.audit()][-1] == "paper.refused"
    assert bytes.fromhex(held_pass(made.text).number) == paper_number(
        world.keys, made.user_id, int(NOON // DAY)
    )


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines", "\x1b[31m"])
def test_a_paper_needs_a_reason_in_plain_text(world: World, reason: str) -> None:
    users = world.authority.monitoring.counts(NOON, by=CONSOLE).users
    with pytest.raises(InvalidRequestError, match="reason"):
        world.authority.passes.paper(NOON, reason, by=ANNA)
    assert world.authority.monitoring.counts(NOON, by=CONSOLE).users == users


def test_a_paper_has_a_hint_only_if_the_desk_gives_one(world: World) -> None:
    passes, gate = world.authority.passes, gate_of(world, NOON)
    hints = []
    for hint in (None, " AB "):
        verdict = gate.judge(passes.paper(NOON, "no phone", hint=hint, by=ANNA).text, NOON)
        assert isinstance(verdict, Admitted)
        hints.append(verdict.hint)
    assert hints == [None, "AB"]
    for wrong in ("", " ", "x" * 17, "A\nB", "\x1b[1m"):
        with pytest.raises(InvalidRequestError, match="hint"):
            passes.paper(NOON, "no phone", hint=wrong, by=ANNA)


def test_a_paper_for_an_unknown_person_is_refused(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.authority.passes.paper(NOON, "lost", user_id=case_row("X").user_id, by=ANNA)


def test_papers_are_issued_by_the_role_issuer_alone(world: World) -> None:
    for role in set(Role) - {Role.ISSUER}:
        with pytest.raises(AccessDeniedError):
            world.authority.passes.paper(NOON, "x", by=Caller("x", frozenset({role})))


def test_threat_sold_papers_a_person_answers_for_each_and_there_are_not_many(world: World) -> None:
    passes, charges = world.authority.passes, world.authority.charges
    with pytest.raises(AccessDeniedError, match="no person"):
        passes.paper(NOON, "sold", by=CONSOLE)
    for number in range(GIVEN_A_DAY):
        if number % 2:
            passes.paper(NOON, "no phone", by=ANNA)
        else:
            charges.consent(NOON, by=ANNA)
    users = world.authority.monitoring.counts(NOON, by=CONSOLE).users
    for _ in range(3):
        with pytest.raises(RateLimitedError):
            passes.paper(NOON, "sold", by=ANNA)
        with pytest.raises(RateLimitedError):
            charges.consent(NOON, by=ANNA)
    assert world.authority.monitoring.counts(NOON, by=CONSOLE).users == users
    said = [entry for entry, _ in world.store.audit() if entry.act == "passes-given.exceeded"]
    assert [(entry.by, entry.details) for entry in said] == [("anna", {"count": 101})]
    charges.consent(NOON, by=replace(ANNA, name="ben"))
    passes.paper(NOON + DAY, "no phone", by=ANNA)


# --- the policy in use ---


def test_the_policy_is_changed_at_once_and_audited(world: World) -> None:
    passes, user = world.authority.passes, world.user()
    world.authority.declarations.declare(user, NOON, symptoms=True)
    advice = status_policies()["advice"]
    quiet = replace(
        advice,
        name="quiet",
        symptoms=replace(advice.symptoms, effect=type(advice.case.effect)("nothing")),
    )
    passes.use_policy(quiet, NOON, by=CONSOLE)
    assert passes.notice(user, NOON).code == "pass.green"
    assert passes.policy_in_use(by=CONSOLE) == quiet
    assert [entry.details for entry, _ in world.store.audit()][-1] == {
        "policy": "quiet",
        "before": "advice",
    }


def test_threat_computed_red_an_authority_refuses_the_policy_of_2020(world: World) -> None:
    with pytest.raises(InvalidRequestError, match="contact"):
        world.authority.passes.use_policy(status_policies()["strict-2020"], NOON, by=CONSOLE)
    assert world.authority.passes.policy_in_use(by=CONSOLE).name == "advice"

"""Records that go to partners and come from them, on SQLite and PostgreSQL."""

from dataclasses import replace

from tests.authority_world import DAY, NOON
from tests.store_rows import USER
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.handover.rows import (
    AnswerCount,
    BatchState,
    Handover,
    OutgoingBatch,
    TakenBatch,
)
from tracetogether.authority.oversight.store import AuthorityStore

HOUR = int(NOON // 3_600)


def handover(token_id: str, case_id: str, hour: int = HOUR, code: str = "AU_DTA") -> Handover:
    return Handover(token_id, code, case_id, hour, 3, 2, 41)


def batch(digest: str, code: str = "AU_DTA", made_at: float = NOON) -> OutgoingBatch:
    return OutgoingBatch(digest, code, HOUR, 41, b"\x00sealed\xff", made_at)


def case_id_of(store: AuthorityStore) -> str:
    (case,) = store.desk.open_cases_of(USER)
    return case.case_id


def test_handovers_are_due_once_their_hour_is_over(filled: AuthorityStore) -> None:
    keeps, case_id = filled.handing, case_id_of(filled)
    rows = [handover("t1", case_id), handover("t2", case_id), handover("t3", case_id, HOUR + 1)]
    for row in reversed(rows):
        keeps.add_handover(row)
    keeps.add_handover(handover("t1", case_id, code="NZ_MOH"))
    assert [row.token_id for row in keeps.due_handovers(HOUR)] == []
    due = keeps.due_handovers(HOUR + 1)
    assert [(row.organisation, row.token_id) for row in due] == [
        ("AU_DTA", "t1"),
        ("AU_DTA", "t2"),
        ("NZ_MOH", "t1"),
    ]
    assert keeps.mark_packed("AU_DTA", HOUR, NOON + 9) == 2
    assert keeps.mark_packed("AU_DTA", HOUR, NOON + 10) == 0
    assert [row.organisation for row in keeps.due_handovers(HOUR + 1)] == ["NZ_MOH"]
    assert [row.packed_at for row in keeps.handovers(case_id)[:2]] == [NOON + 9] * 2
    assert keeps.handovers("other") == []


def test_handovers_go_with_their_case(filled: AuthorityStore) -> None:
    filled.handing.add_handover(handover("t1", case_id_of(filled)))
    filled.remove_user(USER)
    assert filled.handing.due_handovers(HOUR + 9) == []


def test_batches_are_stored_once_and_change(filled: AuthorityStore) -> None:
    keeps = filled.handing
    assert keeps.add_outgoing(batch("b" * 64, made_at=NOON + 1))
    assert keeps.add_outgoing(batch("a" * 64))
    assert not keeps.add_outgoing(batch("a" * 64))
    assert keeps.add_outgoing(batch("c" * 64, "NZ_MOH"))
    assert [found.digest[0] for found in keeps.outgoing("AU_DTA")] == ["a", "b"]
    assert len(keeps.outgoing()) == 3
    first = keeps.outgoing("AU_DTA")[0]
    assert first == batch("a" * 64)
    sent = replace(first, state=BatchState.SENT, sent_at=NOON + 5, message=b"", tries=2)
    keeps.put_outgoing(sent)
    assert keeps.outgoing("AU_DTA")[0] == sent
    assert "sealed" not in repr(first)


def test_a_batch_is_taken_once(filled: AuthorityStore) -> None:
    keeps = filled.handing
    row = TakenBatch("a" * 64, "SG_MOH", HOUR, 41, 40, NOON)
    assert not keeps.was_taken(row.digest)
    assert keeps.add_taken(row)
    assert not keeps.add_taken(replace(row, received_at=NOON + 1))
    assert keeps.was_taken(row.digest)
    assert keeps.taken() == keeps.taken("SG_MOH") == [row]
    assert keeps.taken("AU_DTA") == []


def test_answers_are_added_up_or_replaced(filled: AuthorityStore) -> None:
    keeps = filled.handing
    row = AnswerCount("SG_MOH", DAY, ours=True, reason="accepted", count=3)
    keeps.count_answers([row, replace(row, reason="expired_id")])
    keeps.count_answers([row])
    theirs = replace(row, ours=False, count=7)
    keeps.put_answers([theirs])
    keeps.put_answers([replace(theirs, count=5)])
    assert {(found.ours, found.reason): found.count for found in keeps.answers("SG_MOH")} == {
        (True, "accepted"): 6,
        (True, "expired_id"): 3,
        (False, "accepted"): 5,
    }
    assert keeps.answers("AU_DTA") == []


def partner_case(store: AuthorityStore, case_id: str, day: int, at: float = NOON) -> Case:
    user = f"user-of-{case_id}"
    store.add_user(user, user.encode())
    case = Case(case_id, user, day, at, at, origin="AU_DTA")
    assert store.add_case(case)
    return case


def test_the_case_of_a_day_is_found_while_it_is_open(filled: AuthorityStore) -> None:
    keeps, case = filled.handing, partner_case(filled, "FROMAUDTA1", DAY)
    assert filled.case(case.case_id) == case
    assert keeps.case_of("AU_DTA", DAY) == case
    assert keeps.case_of("AU_DTA", DAY + 1) is None
    assert keeps.case_of("SG_MOH", DAY) is None
    filled.desk.put_case(replace(case, state=CaseState.CLOSED))
    assert keeps.case_of("AU_DTA", DAY) is None


def test_what_is_old_goes_with_the_numbers_of_partners(filled: AuthorityStore) -> None:
    keeps, case_id = filled.handing, case_id_of(filled)
    partner_case(filled, "FROMAUDTA1", DAY)
    partner_case(filled, "FROMAUDTA2", DAY + 1, NOON + 86_400)
    keeps.add_handover(handover("t1", case_id))
    keeps.add_outgoing(batch("a" * 64))
    keeps.add_taken(TakenBatch("a" * 64, "SG_MOH", HOUR, 41, 40, NOON))
    keeps.count_answers([AnswerCount("SG_MOH", DAY, ours=True, reason="accepted", count=3)])
    assert keeps.drop_old(NOON) == 0
    assert len(keeps.handovers(case_id)) == 1
    assert keeps.drop_old(NOON + 86_400) == 2
    assert keeps.outgoing() == keeps.taken() == keeps.answers() == keeps.handovers(case_id) == []
    assert keeps.drop_users_of_partners(NOON + 1) == 1
    assert filled.case("FROMAUDTA1") is None
    assert filled.case("FROMAUDTA2") is not None
    assert filled.has_user(USER)
    assert not filled.has_user("user-of-FROMAUDTA1")

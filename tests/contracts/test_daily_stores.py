"""Tables with a partition a day, on SQLite and PostgreSQL: uploads and contact lists."""

from dataclasses import replace

from tests.authority_world import DAY, NOON
from tests.store_rows import USER, contact_list, upload
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.units import SECONDS_PER_DAY


def test_uploads_come_back_by_time_of_receipt(filled: AuthorityStore) -> None:
    later, earlier, other = (
        upload("a", at=NOON + 1),
        upload("b"),
        upload("c", "CASE2"),
    )
    assert all(filled.add_upload(log) for log in (later, earlier, other))
    assert list(filled.uploads("CASE1")) == [earlier, later]
    assert list(filled.uploads("CASE2")) == [other]
    assert list(filled.uploads("CASE9")) == []


def test_an_upload_is_stored_once(filled: AuthorityStore) -> None:
    assert filled.add_upload(upload("a"))
    assert not filled.add_upload(upload("a", at=NOON + 1))
    assert list(filled.uploads("CASE1")) == [upload("a")]


def test_uploads_are_deleted_by_their_time(filled: AuthorityStore) -> None:
    for number in range(4):
        filled.add_upload(upload(str(number), at=NOON + number))
    assert filled.drop_uploads(NOON + 2) == 2
    assert filled.drop_uploads(NOON + 2) == 0
    assert [log.token_id for log in filled.uploads("CASE1")] == ["2", "3"]


def test_contact_lists_come_back_unchanged(filled: AuthorityStore) -> None:
    near = contact_list(basis="within-1.5m")
    for found in (contact_list(), near, replace(contact_list("CASE2"), contacts=())):
        filled.put_contact_list(found)
    assert filled.contact_list("CASE1", "within-2m") == contact_list()
    assert filled.contact_list("CASE1", "within-1.5m") == near
    assert filled.contact_list("CASE2", "within-2m") == replace(contact_list("CASE2"), contacts=())
    assert filled.contact_list("CASE2", "within-1.5m") is None


def test_a_new_list_replaces_the_old_one(filled: AuthorityStore) -> None:
    filled.put_contact_list(contact_list())
    newer = replace(contact_list(day=DAY + 1), contacts=contact_list().contacts[:1])
    filled.put_contact_list(newer)
    assert filled.contact_list("CASE1", "within-2m") == newer


def test_contact_lists_are_deleted_by_their_day(filled: AuthorityStore) -> None:
    filled.put_contact_list(contact_list())
    filled.put_contact_list(contact_list("CASE2", day=DAY + 1))
    assert filled.drop_contact_lists(NOON) == 0
    assert filled.drop_contact_lists(NOON + SECONDS_PER_DAY) == 1
    assert filled.contact_list("CASE1", "within-2m") is None
    assert filled.contact_list("CASE2", "within-2m") is not None
    counted = filled.counts(NOON)
    assert (counted.contact_lists, counted.contacts) == (1, 3)


def test_a_token_is_remembered_after_its_upload_is_gone(filled: AuthorityStore) -> None:
    assert filled.add_upload(upload("a"))
    assert filled.drop_uploads(NOON + 1) == 1
    assert not filled.add_upload(upload("a", at=NOON + SECONDS_PER_DAY))
    assert filled.drop_tokens(NOON) == 0
    assert filled.drop_tokens(NOON + 1) == 1
    assert filled.add_upload(upload("a", at=NOON + SECONDS_PER_DAY))


def test_uploads_of_many_days_are_deleted_to_the_second(filled: AuthorityStore) -> None:
    for day in range(5):
        filled.add_upload(upload(str(day), at=NOON + day * SECONDS_PER_DAY))
    assert filled.upload_ids("CASE1")[0] == ("0", NOON)
    filled.add_upload(upload("of-another", "CASE2"))
    everything = [*(("CASE1", str(day)) for day in range(5)), ("CASE2", "of-another")]
    assert list(filled.all_upload_ids()) == everything
    assert filled.drop_uploads(NOON + 3 * SECONDS_PER_DAY) == 4
    assert [token_id for token_id, _ in filled.upload_ids("CASE1")] == ["3", "4"]
    assert filled.drop_uploads(NOON + 3 * SECONDS_PER_DAY + 1) == 1


# --- lists that are due ---


def test_an_upload_makes_its_cases_list_due_and_one_process_claims_it(
    filled: AuthorityStore,
) -> None:
    assert filled.claim_due_list(NOON, NOON) is None
    filled.add_upload(upload("b", "CASE2", NOON + 1))
    filled.add_upload(upload("a", "CASE1", NOON))
    assert filled.claim_due_list(NOON + 5, NOON) == ("CASE1", NOON)  # the one that waits longest
    assert filled.claim_due_list(NOON + 5, NOON) == ("CASE2", NOON + 1)
    assert filled.claim_due_list(NOON + 5, NOON + 5) is None
    assert filled.claim_due_list(NOON + 9, NOON + 6) == ("CASE1", NOON)  # left undone for long
    filled.due_list_done("CASE1", NOON)
    filled.due_list_done("CASE1", NOON)
    assert filled.claim_due_list(NOON + 99, NOON + 99) == ("CASE2", NOON + 1)


def test_a_newer_upload_stays_due_and_nothing_is_due_for_a_deleted_case(
    filled: AuthorityStore,
) -> None:
    filled.add_upload(upload("a"))
    assert filled.claim_due_list(NOON, NOON) == ("CASE1", NOON)
    filled.add_upload(upload("b", at=NOON + 1))
    filled.due_list_done("CASE1", NOON)  # of the log before
    assert filled.claim_due_list(NOON + 2, NOON) == ("CASE1", NOON + 1)
    assert filled.remove_user(USER)
    assert filled.claim_due_list(NOON + 9, NOON + 9) is None


def test_a_refused_upload_makes_no_list_due(filled: AuthorityStore) -> None:
    filled.add_upload(upload("a"))
    filled.due_list_done("CASE1", NOON)
    assert not filled.add_upload(upload("a"))
    assert filled.claim_due_list(NOON + 9, NOON + 9) is None

"""Rows of the ledger on visits and trips: the measure finds a leak, and the rows keep budgets."""

import pytest

from simulations.studies.leaks_of_contacts import START
from simulations.studies.leaks_of_visits import mutual_bits, visit_rows


def test_what_is_seen_tells_of_the_secret_what_they_have_in_common() -> None:
    assert mutual_bits("aabb", "xxxx") == 0
    assert mutual_bits("abcd", "wxyz") == 2
    assert mutual_bits("aabb", "xxyy") == 1
    assert mutual_bits("aabb", "xyxy") == pytest.approx(0)


def test_a_check_tells_nothing_and_every_row_keeps_its_budget() -> None:
    rows = {row.feature: row for row in visit_rows(START, 1)}
    assert list(rows) == ["visit", "report of visits", "sealed visit", "check of a trip"]
    assert all(row.within_budget for row in rows.values())
    assert rows["visit"].bits == rows["report of visits"].bits == 0
    assert not rows["visit"].accepted
    assert rows["sealed visit"].score == 1.0
    assert 7.9 < rows["check of a trip"].bits <= 8.0

"""Ten phones at known distances on bumble's stack, and the real authority over HTTP."""

import pytest

from tests.radio_world import complaints
from tests.rehearsals.ten_phones import PHONES, meet

pytestmark = pytest.mark.network


@pytest.mark.slow
def test_ten_phones_meet_rotate_and_one_uploads(caplog: pytest.LogCaptureFixture) -> None:
    """Two minutes at the phones' own rhythm, TempIDs valid for 30 s, on a leaping clock."""
    came = meet(seconds=120.0, validity_s=30)
    assert came.faults() == []
    assert complaints(caplog) == []
    assert came.pairs == (PHONES * (PHONES - 1),) * 2
    # the level follows the distance, whichever phone reads, and so does the record
    assert came.weakest_dbm >= -57
    assert came.strongest_dbm <= -34
    assert len(came.contacts_m) == came.people == PHONES - 1


@pytest.mark.slow
def test_phones_that_stay_for_a_moment_are_distinguished() -> None:
    """What says that all went well says so of nothing else."""
    faults = meet(seconds=5.0, validity_s=30).faults()
    assert "not so: each phone was met under two TempIDs" in faults

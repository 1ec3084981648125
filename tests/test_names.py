"""Names that a user writes: suggestions, and FIELD=COLUMN pairs."""

import doctest

import pytest

from tracetogether import names
from tracetogether.errors import InvalidReadingsError
from tracetogether.names import columns_of_fields, did_you_mean, unknown_name

FIELDS = ("time", "scene", "distance")


def test_the_nearest_name_is_suggested_and_a_far_one_is_not() -> None:
    assert did_you_mean("scne", FIELDS) == "; did you mean 'scene'?"
    assert did_you_mean("zzz", FIELDS) == ""
    known = "Known are time, scene, distance."
    assert unknown_name("zzz", FIELDS, "field") == f"there is no field 'zzz'. {known}"
    assert doctest.testmod(names).failed == 0


def test_pairs_of_field_and_column() -> None:
    assert columns_of_fields(None, FIELDS) == {}
    assert columns_of_fields("time=t, distance = range[ft] ", FIELDS) == {
        "time": "t",
        "distance": "range[ft]",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time", "'time' is not FIELD=COLUMN, where FIELD is one of time, scene, distance"),
        ("time=", "is not FIELD=COLUMN"),
        ("=t", "is not FIELD=COLUMN"),
        ("time=t,", "'' is not FIELD=COLUMN"),
        ("tme=t", "there is no field 'tme'; did you mean 'time'?"),
        ("time=t,time=u", "the field 'time' is named twice"),
    ],
)
def test_wrong_pairs_are_errors(text: str, message: str) -> None:
    with pytest.raises(InvalidReadingsError) as raised:
        columns_of_fields(text, FIELDS)
    assert message in str(raised.value)

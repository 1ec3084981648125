"""Names held as codes come back as they were given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.labels import UNKNOWN, Labels

names = st.lists(st.sampled_from(["anna", "ben", "cara", "中", None, ""]))


@given(values=names)
def test_round_trip(values):
    assert Labels.encode(values).to_list() == [value or None for value in values]


@given(values=st.lists(st.sampled_from(["anna", "ben", ""])))
def test_arrays_and_lists_encode_alike(values):
    assert (
        Labels.encode(np.array(values, dtype=np.str_)).to_list() == Labels.encode(values).to_list()
    )


@given(parts=st.lists(names))
def test_concat_keeps_the_rows_in_order(parts):
    joined = Labels.concat([Labels.encode(part) for part in parts])
    assert joined.to_list() == [value or None for part in parts for value in part]
    assert len(set(joined.names)) == len(joined.names)


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True]), slice(1, 3)])
def test_take_picks_rows(rows):
    labels = Labels.encode(["anna", None, "ben"])
    expected = np.array(["anna", None, "ben"], dtype=object)[rows].tolist()
    assert labels.take(rows).to_list() == expected


def test_constant():
    assert Labels.constant("anna", 2).to_list() == ["anna", "anna"]
    assert Labels.constant(None, 2).to_list() == [None, None]
    assert len(Labels.constant("anna", 0)) == 0


@pytest.mark.parametrize("codes", [[0, 1], [UNKNOWN - 1], [[0]]])
def test_codes_that_name_nothing_are_refused(codes):
    with pytest.raises(ValueError, match="code"):
        Labels(np.array(codes, dtype=np.int32), ("anna",))

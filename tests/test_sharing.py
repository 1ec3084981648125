"""Which scenes share a place, people or phones, as columns tell."""

import numpy as np
import pytest

from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.sharing import found_sharing, named_sharing, possible_columns
from tracetogether.labels import Labels

LAYOUT = RecordingLayout.parse("scene=id")


def found(scenes: int, **columns: list[str | None]):
    named = {text.replace("_series", "[series]"): values for text, values in columns.items()}
    assert set(named) <= set(possible_columns(LAYOUT))
    labels = {text: Labels.encode(values) for text, values in named.items()}
    return found_sharing(np.arange(scenes), labels, LAYOUT)


def test_homes_and_one_ends_phones_leave_together_where_both_ends_connect_all() -> None:
    """A recorder of one's own is in every file, as in many recordings of pairs."""
    folders = ["A1", "A2", "B1", "C1", "D1", "E1", "F1"]
    sharing = found(
        7,
        file_series=[f"{folder}/x.txt" for folder in folders],
        rx_model=["mine"] * 7,
        tx_model=["p", "q", "Pixel 3", "pixel3", "r", "s", None],
    )
    assert sharing.groups.tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert sharing.by == ("file[series]", "tx_model")
    assert sharing.still_shared == ("rx_model",)


def test_a_person_is_the_same_at_either_end() -> None:
    sharing = found(4, rx=["ann", "ben", "cem", "eve"], tx=["ben", "dee", "fay", "gus"])
    assert sharing.groups.tolist() == [0, 0, 1, 2]
    assert (sharing.by, sharing.still_shared) == (("rx", "tx"), ())


def test_people_in_all_scenes_are_said_and_scenes_are_left_out() -> None:
    people = ["ann", "ben", "ann"]
    sharing = found(3, rx=people, tx=["cem", "ann", "ben"], rx_model=["x", "y", "z"])
    assert sharing.groups.tolist() == [0, 1, 2]
    assert sharing.by == ("rx_model",)
    assert sharing.still_shared == ("rx", "tx")


def test_folders_of_numbers_alone_are_apart() -> None:
    sharing = found(3, file_series=["run1/a", "run1/b", "run2/c"])
    assert sharing.groups.tolist() == [0, 0, 1]
    assert sharing.by == ("file[folder]",)
    assert not sharing.names_phones


def test_paths_without_a_folder_and_blanks_connect_nothing() -> None:
    sharing = found(3, file_series=["a.txt", "b.txt", "c.txt"], home=[None, None, None])
    assert sharing.groups.tolist() == [0, 1, 2]
    assert sharing.by == sharing.still_shared == ()


@pytest.mark.parametrize(
    ("text", "groups"),
    [("file", [0, 1, 2]), ("file[folder]", [0, 1, 1]), ("file[series]", [0, 0, 0])],
)
def test_a_path_a_folder_and_a_series_of_folders(text, groups) -> None:
    paths = Labels.encode(["in\\H1\\a", "in/H2/b", "in/H2/c"])
    assert named_sharing(np.arange(3), {text: paths}).groups.tolist() == groups

"""User ids read out in groups, with a check character against slips of ear and hand."""

import pytest

from tests.conftest import counted_entropy
from tracetogether.bluetrace.spoken_id import check_character, read_user_id, spoken_user_id
from tracetogether.bluetrace.tempid import new_user_id
from tracetogether.errors import InvalidRequestError

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
USER_ID = new_user_id(counted_entropy(19))


def test_an_id_is_read_with_and_without_groups() -> None:
    spoken = spoken_user_id(USER_ID)
    assert [len(group) for group in spoken.split(" ")] == [4] * 6 + [6]
    joined, dashed = spoken.replace(" ", ""), spoken.replace(" ", "-")
    for text in (spoken, USER_ID, joined, dashed, f" {spoken}\n"):
        assert read_user_id(text) == USER_ID
    assert read_user_id(" person-7 ") == "person-7"  # no such user, as before
    assert read_user_id("") == ""
    assert spoken_user_id("person-7") == "person-7"


def test_every_single_error_and_every_swap_is_found() -> None:
    whole = USER_ID + check_character(USER_ID)
    wrong = {
        whole[:place] + other + whole[place + 1 :]
        for place in range(len(whole))
        for other in ALPHABET
        if other != whole[place]
    }
    assert len(wrong) == 29 * 63
    for first in range(len(whole)):
        for second in range(first + 1, len(whole)):
            swapped = list(whole)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            wrong.add("".join(swapped))
    for text in wrong - {whole}:
        with pytest.raises(InvalidRequestError, match="check character"):
            read_user_id(text)

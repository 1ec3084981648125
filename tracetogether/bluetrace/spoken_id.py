"""User ids as people read them out: groups of four characters, and a check character at the end.

The 64 characters of an id are the elements of the field GF(64), and the check character is a sum
of them with a different weight at each place. One wrong character changes the sum, and so does a
swap of two different ones, at any distance: two weights are never equal. This is Damm's code over
GF(64).
"""

import re
from typing import Final

from tracetogether.bluetrace.tempid import USER_TEXT
from tracetogether.errors import InvalidRequestError

__all__ = ["check_character", "read_user_id", "spoken_user_id"]

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUE: Final = {character: value for value, character in enumerate(_ALPHABET)}
_REDUCED: Final = 0b1000011
"""x^6 + x + 1: the powers of x modulo it are all 63 elements of GF(64) but zero."""
_GROUP: Final = 4


def check_character(user_id: str) -> str:
    """Return the check character of a user id.

    Raises:
        KeyError: a character is not of base64.
    """
    check = 0
    for character in user_id:
        check = (check ^ _VALUE[character]) << 1
        if check >= len(_ALPHABET):
            check ^= _REDUCED
    return _ALPHABET[check]


def spoken_user_id(user_id: str) -> str:
    """Return a user id in groups of four, with its check character after a hyphen.

    A text of another form is returned as it is.

    Example:
        >>> spoken_user_id("AAAAAAAAAAAAAAAAAAAAAAAAAAAB")
        'AAAA AAAA AAAA AAAA AAAA AAAA AAAB-C'
    """
    if len(user_id) != USER_TEXT or not set(user_id) <= set(_ALPHABET):
        return user_id
    groups = re.findall(f".{{1,{_GROUP}}}", user_id)
    return " ".join(groups) + "-" + check_character(user_id)


def read_user_id(text: str) -> str:
    """Return the user id that somebody typed: with or without groups and check character.

    A text of another form is returned without blanks at its ends: no user has it.

    Raises:
        InvalidRequestError: the check character doesn't fit.

    Example:
        >>> read_user_id("AAAA AAAA AAAA AAAA AAAA AAAA AAAB-C")
        'AAAAAAAAAAAAAAAAAAAAAAAAAAAB'
    """
    joined = re.sub(r"[\s\-\u2010-\u2015]", "", text)
    if len(joined) not in {USER_TEXT, USER_TEXT + 1} or not set(joined) <= set(_ALPHABET):
        return text.strip()
    user_id, check = joined[:USER_TEXT], joined[USER_TEXT:]
    if check and check != check_character(user_id):
        msg = "the user id has a mistake: its check character doesn't fit; ask for it again"
        raise InvalidRequestError(msg, "user-id-check")
    return user_id

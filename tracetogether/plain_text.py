"""Text of other people: what a terminal, page or table may show of it.

A phone's model, a tracer's note and a heading of a file are text that somebody else wrote. Shown
as they are, some characters steer a terminal (ESC), hide or disguise a row (line feeds, U+202E),
or can't be stored (NUL). Every text that is shown passes through ``visible``.
"""

import json
import re
from typing import Final

_AFTER_NOUN: Final = re.compile(r" (?:from|in|of|to|with|without) ")
_IRREGULAR: Final = {"people": "person", "batches": "batch", "series": "series"}

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_LINES: Final = "\t\n"
# Control characters (Unicode Cc), line and paragraph separators, marks and overrides of the
# direction of text, invisible format characters, tags, and lone surrogates. Joiners (U+200C,
# U+200D) stay: Persian, Indic scripts and emoji need them. Private use and unassigned characters
# stay: rare Chinese names use them, and they steer nothing.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def one_newline(text: str) -> str:
    """Return a text whose line breaks are single newlines.

    Browsers count a line break as one character and send two.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")


def hidden_in(text: str, *, lines: bool = False) -> bool:
    """Return whether ``text`` has a character that is not shown, or that changes what is.

    Args:
        text: any text.
        lines: line feeds, CR LF and tabs are allowed.
    """
    if lines:
        text = re.sub(r"\r?\n|\t", "", text)
    return _HIDDEN.search(text) is not None


def visible(text: str, *, lines: bool = False) -> str:
    """Return ``text`` with U+FFFD in place of each character that ``hidden_in`` finds.

    Args:
        text: any text.
        lines: line feeds and tabs stay, as in a note of several lines; CR LF becomes LF.
    """
    if not lines:
        return _HIDDEN.sub(_REPLACEMENT, text)
    return _HIDDEN.sub(
        lambda found: found[0] if found[0] in _LINES else _REPLACEMENT,
        text.replace("\r\n", "\n"),  # what a browser sends for a line's end
    )


def escaped_json(text: str) -> str:
    """Return the same JSON document with its hidden characters written as escapes.

    Line feeds stay: JSON allows them between values only.
    """
    return _HIDDEN.sub(
        lambda found: found[0] if found[0] in _LINES else json.dumps(found[0])[1:-1], text
    )


def counted(count: float, plural: str) -> str:
    """Return a number with its noun: "1 upload", "1 person", "0.5 minutes", "1,234 records".

    Args:
        count: how many.
        plural: the noun in the plural, with words before it or a group of words after it: "people",
            "open cases", "cases with logs".
    """
    return f"{round(count, 3):,.12g} {_singular(plural) if count == 1 else plural}"


def _singular(plural: str) -> str:
    before, after = _AFTER_NOUN.split(plural, maxsplit=1)[0], _AFTER_NOUN.search(plural)
    start, space, noun = before.rpartition(" ")
    if noun in _IRREGULAR:
        noun = _IRREGULAR[noun]
    else:
        noun = f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")
    return start + space + noun + (plural[after.start() :] if after else "")

"""The languages that people speak: a list to choose from, and the texts to say or send in them."""

from typing import Any, Final

from babel import Locale

from tracetogether.adapters.operator_pages.texts import TEXTS, Texts
from tracetogether.authority.cases.particulars import NO_LANGUAGE

SPOKEN: Final = (
    *("ar", "bn", "de", "en", "es", "fil", "fr", "hi", "id", "ja", "ko", "ml", "ms", "my", "nan"),
    *("ne", "pa", "pt", "ru", "si", "ta", "te", "th", "ur", "vi", "yue", "zh"),
)
"""Codes to choose from; by program, any code can be stored."""
_WRITTEN: Final = {"nan": "zh", "yue": "zh"}
"""Who speaks these reads Chinese."""
_OTHERWISE: Final = "en"


def language_name(code: str, t: Texts) -> str:
    """Return what a language is called in the language of the page; the code if nobody knows it."""
    return str(Locale.parse(t.language).languages.get(code, code))


def languages_to_choose(t: Texts, *stored: str) -> list[tuple[str, str]]:
    """Return codes with their names: those of the pages first, then the others by name.

    Args:
        t: the texts of the page.
        stored: codes that are in the list in any case; blanks are left out.
    """
    others = {*SPOKEN, *stored} - {*TEXTS, "", NO_LANGUAGE}
    named = sorted(((code, language_name(code, t)) for code in others), key=lambda each: each[1])
    return [*((code, language_name(code, t)) for code in TEXTS), *named]


def spoken_of(code: str, t: Texts) -> dict[str, Any]:
    """Return what a form needs that shows a person's language, and lets somebody choose another."""
    return {
        "spoken": code,
        "spoken_name": language_name(code, t) if code else "",
        "spoken_languages": languages_to_choose(t, code),
    }


def texts_for(code: str, t: Texts) -> Texts:
    """Return the texts to send to somebody who speaks a language: English if there are none.

    Args:
        code: of the person's language; "" if it is not known.
        t: the texts of the page, for a person whose language is not known.
    """
    if not code:
        return t
    return TEXTS.get(_WRITTEN.get(code, code), TEXTS[_OTHERWISE])


def message_to_send(t: Texts, authority: str) -> str:
    """Return the text message to somebody whom three calls did not reach.

    It goes to a number that nobody has answered. So it names no person, no case and no result.
    """
    return t(
        "This is {authority}. We have tried to reach you on three days about your health. Please "
        "ring us back, or call any doctor if you feel ill. We never ask for passwords or money.",
        authority=authority,
    )

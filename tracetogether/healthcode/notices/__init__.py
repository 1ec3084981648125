"""What a holder of passes reads: a code with parameters, as text in one of seven languages.

An authority sends a code and its parameters, never a sentence. The phone, the desk or a paper
makes the text in the holder's language:

    >>> until = 1_796_313_600
    >>> print(text("pass.paper", "en", until=until).splitlines()[0])
    This paper pass is valid until Thursday, December 3, 2026, 16:00 UTC.

Each language has a file in ``catalogues``. Each line of a text is one step: what is so, because of
what, until when, and what the holder can do. A caller may show the first line large.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from string import Formatter
from typing import Final

from tracetogether.errors import InvalidRequestError
from tracetogether.healthcode.notices import local_forms
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RESTRICTIONS
from tracetogether.plain_text import visible
from tracetogether.units import SECONDS_PER_HOUR

LANGUAGES: Final = {
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
    "en": "English",
    "ms": "Bahasa Melayu",
    "ta": "தமிழ்",
    "ja": "日本語",
    "ko": "한국어",
}
"""Language -> what its speakers call it; each has a complete catalogue."""
APPEAL_HOURS: Final = RESTRICTIONS.appeal_s // SECONDS_PER_HOUR
"""Hours within which an appeal is decided; after them the restriction is suspended."""
_DEFAULTS: Final[Mapping[str, object]] = {"hours": APPEAL_HOURS}
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})
_MOST_CHARACTERS: Final = 200
"""Of a text that somebody else wrote, such as a name."""


def language_of(wanted: str) -> str:
    """Return the key of ``LANGUAGES`` that a name of a language means.

    Args:
        wanted: such as "zh", "zh-TW", "zh_Hant_HK", "en-SG", "தமிழ்" or "Tamil".

    Raises:
        InvalidRequestError: no catalogue is in this language.
    """
    asked = visible(wanted[:40]).strip()
    parts = asked.replace("_", "-").split(".")[0].lower().split("-")
    if parts[0] == "zh":
        return "zh-Hant" if _TRADITIONAL & {*parts} and "hans" not in parts else "zh-Hans"
    for key, own_name in LANGUAGES.items():
        if parts[0] == key or asked.casefold() in {own_name.casefold(), _ENGLISH[key]}:
            return key
    raise InvalidRequestError(
        "there are no notices in the language {wanted!r}: choose one of {known}",
        "no-such-language",
        wanted=asked,
        known=", ".join(f"{key} ({own_name})" for key, own_name in LANGUAGES.items()),
    )


_ENGLISH: Final = {
    "zh-Hans": "chinese",
    "zh-Hant": "traditional chinese",
    "en": "english",
    "ms": "malay",
    "ta": "tamil",
    "ja": "japanese",
    "ko": "korean",
}


def codes() -> tuple[str, ...]:
    """Return the codes of all notices, in the order of the catalogues."""
    return tuple(catalogue("en"))


def parameters_of(code: str, language: str = "en") -> dict[str, str]:
    """Return the parameters of a notice, and how each is written: "time", "number" or "".

    Raises:
        InvalidRequestError: there is no such notice or language.
    """
    return dict(_fields(_template(code, language)))


def text(code: str, language: str, /, *, days: LocalDays = UTC_DAYS, **parameters: object) -> str:
    """Return a notice in a language.

    Args:
        code: which notice, such as "pass.withheld.case".
        language: a key of ``LANGUAGES``, or another name that ``language_of`` knows.
        days: the time zone in which times are written.
        parameters: those that ``parameters_of`` names, times in epoch seconds; others are ignored,
            so that a newer authority may send more than an older phone writes. Without ``hours``
            it is ``APPEAL_HOURS``.

    Raises:
        InvalidRequestError: there is no such notice or language, or a parameter is missing or is
            not a number.
    """
    language = language_of(language)
    template = _template(code, language)
    given = {**_DEFAULTS, **parameters}
    written = []
    for literal, name, form, _ in Formatter().parse(template):
        written.append(literal)
        if name is not None:
            written.append(_written(code, name, form or "", given, language, days))
    return "".join(written)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return all notices in a language: code -> text with {parameters}.

    Args:
        language: a key of ``LANGUAGES``.
    """
    path = resources.files(__package__) / "catalogues" / f"{language}.toml"
    return {code: str(said) for code, said in tomllib.loads(path.read_text("utf-8")).items()}


def _template(code: str, language: str) -> str:
    found = catalogue(language_of(language)).get(code)
    if found is None:
        raise InvalidRequestError(
            "there is no notice {notice!r}: this version may be older than the authority's",
            "no-such-notice",
            notice=visible(code[:_MOST_CHARACTERS]),
        )
    return found


def _fields(template: str) -> Iterator[tuple[str, str]]:
    return (
        (name, form or "") for _, name, form, _ in Formatter().parse(template) if name is not None
    )


def _written(
    code: str, name: str, form: str, given: Mapping[str, object], language: str, days: LocalDays
) -> str:
    value = given.get(name)
    if form and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            if form == "time":
                return local_forms.time_text(value, language, days)
            return local_forms.number_text(value, language)
        except (ValueError, OverflowError, OSError):
            value = None  # no such time: infinity, or a year beyond 9999
    if form or value is None:
        raise InvalidRequestError(
            "notice {notice!r} needs {name}" + (" as a number" if form else ""),
            "notice-parameter",
            notice=code,
            name=name,
        )
    return visible(str(value)[:_MOST_CHARACTERS])

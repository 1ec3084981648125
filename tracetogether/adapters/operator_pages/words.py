"""The pages' languages: English as it stands in them, 中文 from a table."""

from collections.abc import Callable
from typing import Final

from tracetogether.adapters.operator_pages.chinese import CHINESE

LANGUAGES: Final = {"en": "English", "zh": "中文"}
HTML_LANGUAGE: Final = {"en": "en", "zh": "zh-Hans"}
DEFAULT: Final = "en"


def language_of(chosen: str, accepted: str) -> str:
    """Return the language of a page.

    Args:
        chosen: what was chosen by hand, if anything.
        accepted: the browser's Accept-Language.
    """
    if chosen in LANGUAGES:
        return chosen
    wanted = []
    for place, part in enumerate(accepted[:200].split(",")):
        name, _, weight = part.strip().partition(";q=")
        language = name.partition("-")[0].lower()
        if language in LANGUAGES:
            wanted.append((-_weight(weight), place, language))
    return min(wanted)[2] if wanted else DEFAULT


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def translator(language: str) -> Callable[..., str]:
    """Return a function from a text in English, and what is to be put in it, to the language."""

    def say(text: str, **values: object) -> str:
        said = CHINESE.get(text, text) if language == "zh" else text
        return said.format(**values) if values else said

    return say

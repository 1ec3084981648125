"""The pages' texts in each language, from ``locale/<language>/LC_MESSAGES/pages.po``.

A text on a page is its own key in English; an error's key is its code, and a label's is the value
that it names. ``docs/reference/write_texts.py`` collects all keys. A file in a new folder is a new
language: its name, its tag for HTML and its plural forms are in the file. A text that a file does
not have is shown in English.
"""

from collections.abc import Sequence
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO
from typing import Final

from babel import negotiate_locale
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tracetogether.errors import TraceTogetherError

_DEFAULT: Final = "en"
_FOLDER: Final = resources.files(__package__) / "locale"


def _compiled(language: str) -> GNUTranslations:
    found = BytesIO()
    with (_FOLDER / language / "LC_MESSAGES/pages.po").open("rb") as file:
        write_mo(found, read_po(file, locale=language, abort_invalid=True))
    found.seek(0)
    return GNUTranslations(found)


class Texts:
    """All texts in one language; called with a text in English, it returns the translation.

    Attributes:
        language: a key of ``LANGUAGES``.
        name: what its speakers call it.
        tag: its name in HTML, such as "zh-Hans".

    Args:
        language: the name of its folder in ``locale``.
        otherwise: gives the texts that the file does not have.
    """

    def __init__(self, language: str, otherwise: GNUTranslations | None = None) -> None:
        self._translations = _compiled(language)
        self.language: Final = language
        self.name: Final = self._of_language("name")
        self.tag: Final = self._of_language("tag")
        if otherwise is not None:
            self._translations.add_fallback(otherwise)

    def _of_language(self, what: str) -> str:
        said = self.label("language", what)
        return self.language if said == what else said

    def __call__(self, text: str, /, **values: object) -> str:
        """Return ``text`` in this language, with ``values`` in place of its {names}."""
        said = self._translations.gettext(text)
        return said.format(**values) if values else said

    def plural(self, singular: str, plural: str, count: int, /, **values: object) -> str:
        """Return the form for ``count``, which is also the value of {count}."""
        said = self._translations.ngettext(singular, plural, count)
        return said.format(count=f"{count:,}", **values)

    def label(self, kind: str, name: str) -> str:
        """Return what a value is called: a state, a priority, a field of a form."""
        return self._translations.pgettext(kind, name)

    def any_of(self, names: Sequence[str]) -> str:
        """Return a list of names of which one is enough, such as "issuer or tracer"."""
        return format_list(names, style="or", locale=self.language)

    def error(self, code: str, /, **figures: object) -> str:
        """Return what a page says about an error: what to do there, and who can help."""
        said = self._translations.pgettext("error", code)
        if said == code:  # an error that no page expects, such as one of the command line
            said = self._translations.pgettext("error", TraceTogetherError.code)
        if "state" in figures:
            figures["state"] = self.label("case-state", str(figures["state"]))
        return said.format(**figures)


def _all_texts() -> dict[str, Texts]:
    """Return the texts of each language that has a folder; English first."""
    english = _compiled(_DEFAULT)
    others = sorted({folder.name for folder in _FOLDER.iterdir() if folder.is_dir()} - {_DEFAULT})
    return {_DEFAULT: Texts(_DEFAULT)} | {name: Texts(name, english) for name in others}


TEXTS: Final = _all_texts()
LANGUAGES: Final = {language: texts.name for language, texts in TEXTS.items()}
HTML_LANGUAGE: Final = {language: texts.tag for language, texts in TEXTS.items()}


def language_of(chosen: str, accepted: str) -> str:
    """Return the language of a page.

    Args:
        chosen: the language that the operator chose; "" for none.
        accepted: the browser's Accept-Language, such as "zh-CN,zh;q=0.9,en;q=0.8".
    """
    wanted = [(1.0, chosen)] if chosen in LANGUAGES else []
    for part in accepted[:200].split(","):
        name, _, quality = part.partition(";")
        try:
            wanted.append((float(quality.strip().removeprefix("q=") or 1), name.strip().lower()))
        except ValueError:
            continue
    preferred = [name for quality, name in sorted(wanted, key=lambda pair: -pair[0]) if quality > 0]
    return negotiate_locale(preferred, list(LANGUAGES), sep="-") or _DEFAULT

"""The pages' texts: every one is translated, none is unused, and figures and plurals fit."""

import re
import runpy
import string
from pathlib import Path
from types import SimpleNamespace

import pytest
from babel.messages import Catalog

from tracetogether.adapters.operator_pages import texts
from tracetogether.adapters.operator_pages.texts import LANGUAGES, TEXTS, language_of

WRITER = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "docs/reference/write_texts.py"))
)
SHELL = re.compile(r"`|(?<!\w)--|tracetogether [a-z]|authority [a-z]+ ")


ALLOWED = {"TraceTogether", "autofocus", "graph"}
"""Words outside of tags that are no text: a name, an attribute, a part of a path."""


def keys(found: Catalog) -> set[tuple[str | None, str | tuple[str, ...]]]:
    return {(text.context, text.id) for text in found if text.id}


def forms(text: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text or ()


def names(text: str) -> set[str]:
    """Return the names of the figures in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_the_catalogue_and_none_is_unused(language: str) -> None:
    used, there = keys(WRITER.texts()), keys(WRITER.catalogue(language))
    if language == "en":  # a text on a page is its own English
        used = {key for key in used if key[0]}
    assert len(used) > 100
    assert there == used, "run `python docs/reference/write_texts.py`, then translate"
    assert WRITER.path_of(language).read_bytes() == WRITER.updated(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_has_the_same_figures(language: str) -> None:
    english = {(text.context, text.id): text for text in WRITER.catalogue("en")}
    there = WRITER.catalogue(language)
    for text in there:
        said = forms(text.string)
        assert all(said), text.id
        assert not text.fuzzy, text.id
        if not text.id:
            continue
        many = isinstance(text.id, tuple)
        assert len(said) == (there.num_plurals if many else 1), text.id
        source = forms(english[text.context, text.id].string if text.context else text.id)
        for form in said:
            assert names(form) == names(source[-1]), text.id
            assert not SHELL.search(form), form


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rule_of_the_plural_is_that_of_the_language(language: str) -> None:
    known, header = Catalog(locale=language), WRITER.catalogue(language)
    assert header.plural_forms == known.plural_forms


def test_a_new_language_takes_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its file does not have yet is in English, and plural forms follow the file's rule."""
    folders = [tmp_path / code / "LC_MESSAGES" for code in ("en", "pl")]
    for folder in folders:
        folder.mkdir(parents=True)
    (folders[0] / "pages.po").write_bytes(WRITER.path_of("en").read_bytes())
    (folders[1] / "pages.po").write_text(
        WRITER.HEADER.format("pl", Catalog(locale="pl").plural_forms)
        + 'msgctxt "language"\nmsgid "name"\nmsgstr "Polski"\n\n'
        'msgid "{count} case"\nmsgid_plural "{count} cases, newest first"\n'
        'msgstr[0] "{count} przypadek"\nmsgstr[1] "{count} przypadki"\n'
        'msgstr[2] "{count} przypadków"\n',
        "utf-8",
    )
    monkeypatch.setattr(texts, "_FOLDER", tmp_path)
    found = texts._all_texts()
    assert {code: said.name for code, said in found.items()} == {"en": "English", "pl": "Polski"}
    polish = found["pl"]
    forms = [polish.plural("{count} case", "{count} cases, newest first", n) for n in (1, 2, 5, 22)]
    assert forms == ["1 przypadek", "2 przypadki", "5 przypadków", "22 przypadki"]
    assert polish.tag == "pl"
    assert polish.label("case-state", "tracing") == "in tracing"
    assert polish.error("date-needed") == "Fill in the date."
    assert polish("Sign out") == "Sign out"


def test_no_text_in_a_template_is_plain_english_only() -> None:
    """Whatever a person reads in a template is in a call of ``t``, ``nt`` or ``label``."""
    for path in (WRITER.PAGES / "templates").glob("*.html"):
        code, tags = r"(?s)\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", r'<[^>]*>|[a-z-]+="[^"]*"'
        shown = re.sub(tags, " ", re.sub(code, "", path.read_text("utf-8")))
        assert set(re.findall(r"[A-Za-z]{2,}", shown)) <= ALLOWED, path.name


def test_codes_that_pages_never_show_are_raised_somewhere() -> None:
    assert WRITER.error_codes() >= WRITER.NEVER_SHOWN


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_act_of_the_audit_log_and_each_detail_has_words(language: str) -> None:
    acts, details = WRITER.audit_words()
    # One act of each way in which the code names them, and one detail of each.
    assert acts >= {"pin.issued", "operator.refused", "contact.called", "case.closed", "purged"}
    assert acts >= {"keys.rotated", "case.unmerged", "users.withdrawn", "authority.made"}
    assert details >= {
        "outcome",
        "day_keys",
        "withdrawn",
        "unmerged",
        "since",
        "date",
        "pins_a_day",
    }
    said = [TEXTS[language].label("act", act) for act in sorted(acts)]
    assert not acts & set(said)
    assert len(set(said)) == len(acts)


def test_plural_forms() -> None:
    forms = ("on {count} day", "on {count} days")
    assert [TEXTS["en"].plural(*forms, days) for days in (1, 2, 1_000)] == [
        "on 1 day",
        "on 2 days",
        "on 1,000 days",
    ]
    assert [TEXTS["zh"].plural(*forms, days) for days in (1, 2)] == ["接触 1 天", "接触 2 天"]
    assert [TEXTS["ms"].plural(*forms, days) for days in (1, 2)] == ["pada 1 hari", "pada 2 hari"]


def test_an_error_that_no_page_expects_has_a_text_without_its_sentence() -> None:
    assert TEXTS["en"].error("pin-form") == TEXTS["en"].error("error")
    assert TEXTS["zh"].error("frobnicated") == TEXTS["zh"].error("error")
    assert TEXTS["en"].error("error").startswith("This did not work")


def test_a_figure_is_put_in_and_a_state_is_translated() -> None:
    assert "12 s" in TEXTS["en"].error("rate-limited", seconds=12)
    assert "2,001" in TEXTS["zh"].error("note-length", most=2_000, count=2_001)
    assert TEXTS["zh"].error("case-closed-already", state="merged").startswith("此病例已合并")
    assert "{case}" in TEXTS["en"].error("open-case-known", case="{case}")  # is text, no name


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "zh-Hans-SG;q=0.3, en-SG; q=0.2", "zh"),
        ("", "de,fr;q=0.5", "en"),
        ("", "de,zh;q=0.5,en;q=0.4", "zh"),
        ("", "en;q=0.4,zh;q=0.5", "zh"),
        ("", "en;q=bad,zh;q=0.1", "zh"),
        ("", "zh;q=0,*", "en"),
        ("", "ZH-tw", "zh"),
        ("", "zh;q=nan,en", "en"),
        ("en", "zh", "en"),
        ("xx", "zh", "zh"),
        ("", "ms-SG,ms;q=0.9,en;q=0.8", "ms"),
        ("ms", "en-GB", "ms"),
    ],
)
def test_the_language_is_the_browsers_or_chosen(chosen: str, accepted: str, language: str) -> None:
    assert language_of(chosen, accepted) == language

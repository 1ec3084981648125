"""Notices: complete in seven languages, with the same parameters, each in its own script."""

import math
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping

import pytest

from tracetogether.authority.status.restriction import RestrictionEvidence
from tracetogether.errors import InvalidRequestError
from tracetogether.healthcode import notices
from tracetogether.healthcode.notices import (
    LANGUAGES,
    catalogue,
    codes,
    language_of,
    parameters_of,
    text,
)
from tracetogether.local_days import LocalDays

SINGAPORE = LocalDays.named("Asia/Singapore")
UNTIL = 1_796_313_600.0  # 2026-12-03 16:00 UTC, a Thursday; Friday 00:00 in Singapore
VALUES: Mapping[str, object] = {
    **dict.fromkeys(("until", "since", "test_by", "decide_by"), UNTIL),
    "hours": 48,
    "reference": "K7",
    "code": "4821 7730",
    "number": "6H3P",
    "name": "陈美玲",
    "command": "tracetogether pass appeal",
}
SCRIPTS = {
    "zh-Hans": {"CJK"},
    "zh-Hant": {"CJK"},
    "en": {"LATIN"},
    "ms": {"LATIN"},
    "ta": {"TAMIL"},
    "ja": {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    "ko": {"HANGUL"},
}
"""The scripts of each language, as the first words of its letters' Unicode names."""
SIMPLIFIED = set("这个码联网检测为说离开时间领请问题规则门诉决发无红绿险动现应给经还进过从们样种产")
TRADITIONAL = set(
    "這個碼聯網檢測為說離開時間領請問題規則門訴決發無紅綠險動現應給經還進過從們樣種產"
)
ENGLISH = re.compile(r"(?i)\b(the|you|your|and|until|pass(es)?|appeal|reason|phone|desk)\b")
needed = pytest.mark.parametrize("language", LANGUAGES)


def plain(said: str) -> str:
    """Return a text without its parameters."""
    return re.sub(r"\{[^}]*\}", "", said)


def scripts(said: str) -> set[str]:
    """Return the scripts of a text's letters."""
    return {
        unicodedata.name(letter).split()[0]
        for letter in plain(said)
        if unicodedata.category(letter) in {"Lu", "Ll", "Lo"}
    }


def test_the_codes_that_other_rooms_use_are_there() -> None:
    assert {
        *("pass.green", "pass.advised", "pass.withheld.case", "pass.withheld.order"),
        *(f"evidence.{evidence.value}" for evidence in RestrictionEvidence),
        *("pass.advised.symptoms", "pass.advised.case", "pass.none"),
        *("pass.lifted", "pass.suspended", "pass.paper", "pass.shown", "appeal.how"),
        *("appeal.open", "appeal.upheld", "appeal.corrected", "appeal.lifted"),
        *("charge.code", "charge.added", "charge.ended", "declaration.noted"),
    } <= {*codes()}


@needed
def test_a_catalogue_has_every_notice_with_the_same_parameters_and_steps(language: str) -> None:
    assert tuple(catalogue(language)) == codes()
    for code in codes():
        assert sorted(parameters_of(code, language).items()) == sorted(parameters_of(code).items())
        said, english = (catalogue(key)[code] for key in (language, "en"))
        assert said.count("\n") == english.count("\n"), (language, code)
        assert all(line.strip() == line != "" for line in said.split("\n")), (language, code)


@needed
def test_a_catalogue_is_in_its_own_script_and_has_no_english_left(language: str) -> None:
    for code, said in catalogue(language).items():
        assert scripts(said), (language, code)
        assert scripts(said) <= SCRIPTS[language], (language, code)
        if language != "en":
            assert not ENGLISH.search(plain(said)), (language, code)
            assert said != catalogue("en")[code]


def test_the_two_chinese_catalogues_do_not_mix_their_characters() -> None:
    only_simplified, only_traditional = SIMPLIFIED - TRADITIONAL, TRADITIONAL - SIMPLIFIED
    simplified, traditional = (
        {*"".join(catalogue(key).values())} for key in ("zh-Hans", "zh-Hant")
    )
    assert len(simplified & only_simplified) > 20
    assert len(traditional & only_traditional) > 20
    assert simplified & only_traditional == set()
    assert traditional & only_simplified == set()


@needed
def test_no_two_notices_say_the_same(language: str) -> None:
    assert len({*catalogue(language).values()}) == len(codes())


@needed
def test_every_notice_is_written_with_all_its_values(language: str) -> None:
    for code in codes():
        said = text(code, language, days=SINGAPORE, **VALUES)
        assert "{" not in said
        for name, form in parameters_of(code).items():
            shown = str(VALUES[name]) if not form else "48" if form == "number" else "00:00"
            assert shown in said, (language, code, name)
        assert ("2026" in said) == ("time" in parameters_of(code).values())


@needed
def test_a_withheld_pass_says_why_until_when_and_how_to_appeal(language: str) -> None:
    for code in ("pass.withheld.case", "pass.withheld.order"):
        lines = catalogue(language)[code].split("\n")
        assert [sorted(re.findall(r"{(\w+)", line)) for line in lines] == [
            [],
            ["reference"],
            ["until"],
            ["hours"],
        ]


@pytest.mark.parametrize(
    ("language", "day"),
    [
        ("zh-Hans", "2026年12月4日星期五"),
        ("zh-Hant", "2026年12月4日 星期五"),
        ("en", "Friday, December 4, 2026"),
        ("ms", "Jumaat, 4 Disember 2026"),
        ("ta", "வெள்ளி, 4 டிசம்பர், 2026"),
        ("ja", "2026年12月4日金曜日"),
        ("ko", "2026년 12월 4일 금요일"),
    ],
)
def test_a_time_is_written_as_the_language_writes_it(language: str, day: str) -> None:
    for days, clock in ((SINGAPORE, "00:00"), (LocalDays.named("Asia/Tokyo"), "01:00")):
        said = text("pass.green", language, until=UNTIL, days=days)
        assert day in said
        assert clock in said
    assert "16:00 UTC" in text("pass.green", language, until=UNTIL)


def test_without_babel_times_are_in_the_international_form() -> None:
    code = (
        "import sys; sys.modules['babel'] = None\n"
        "from tracetogether.healthcode.notices import text\n"
        f"print(text('pass.green', 'ta', until={UNTIL}).encode('ascii', 'replace').decode())\n"
        f"print(text('pass.suspended', 'en', hours=1000))"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "2026-12-03 16:00 UTC" in done.stdout
    assert "within 1000 hours" in done.stdout


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        *(("zh", "zh-Hans"), ("zh-SG", "zh-Hans"), ("zh_CN.UTF-8", "zh-Hans")),
        *(("zh-TW", "zh-Hant"), ("zh_Hant_HK", "zh-Hant"), ("zh-Hans-HK", "zh-Hans")),
        *(("ta-IN", "ta"), ("Tamil", "ta"), ("EN", "en"), ("ko_KR", "ko")),
        *((key, key) for key in LANGUAGES),
        *((own_name, key) for key, own_name in LANGUAGES.items()),
    ],
)
def test_a_language_is_found_by_code_region_and_name(wanted: str, language: str) -> None:
    assert language_of(wanted) == language


def test_an_unknown_language_is_refused_with_the_list_of_those_that_are_there() -> None:
    with pytest.raises(InvalidRequestError, match=r"'Klingon'.*ta \(தமிழ்\)"):
        language_of("Klingon")
    with pytest.raises(InvalidRequestError, match=r"no notices"):
        language_of("../../en")


def test_a_missing_parameter_and_an_unknown_code_are_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"'pass.green' needs until as a number"):
        text("pass.green", "en")
    for wrong in ("tomorrow", math.inf, math.nan, 1e18, True, None):
        with pytest.raises(InvalidRequestError, match="needs until"):
            text("pass.green", "en", until=wrong)
    with pytest.raises(InvalidRequestError, match=r"'charge.added' needs name"):
        text("charge.added", "ja")
    with pytest.raises(InvalidRequestError, match=r"no notice 'pass.red'"):
        text("pass.red", "en")


def test_hours_have_a_default_and_parameters_of_a_newer_authority_are_ignored() -> None:
    assert f"within {notices.APPEAL_HOURS} hours" in text("pass.suspended", "en", colour="red")
    assert "within 24 hours" in text("pass.suspended", "en", hours=24)


def test_the_text_of_others_is_shown_as_text() -> None:
    said = text("charge.added", "en", name="Mei\n{until}\u202e" + "x" * 300)
    assert "Mei\ufffd{until}\ufffdxx" in said
    assert "\u202e" not in said
    assert "x" * 200 not in said

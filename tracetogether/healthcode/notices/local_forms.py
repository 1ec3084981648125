"""Times and numbers as each language writes them; without babel, in the international form."""

from functools import cache
from typing import Final

from tracetogether.local_days import LocalDays

LOCALES: Final = {
    "zh-Hans": "zh_Hans_CN",
    "zh-Hant": "zh_Hant_TW",
    "en": "en",
    "ms": "ms",
    "ta": "ta_SG",
    "ja": "ja",
    "ko": "ko",
}
"""Language -> its locale in babel."""


def time_text(time: float, language: str, days: LocalDays) -> str:
    """Return a time with its day of the week; without babel, as "2026-12-04 16:00".

    Args:
        time: epoch seconds; seconds are left out.
        language: a key of ``LOCALES``.
        days: the time zone; UTC is named in the text.
    """
    zone = " UTC" if days.is_utc else ""
    try:
        from babel.dates import format_date, get_datetime_format  # noqa: PLC0415
    except ImportError:
        return days.text(time) + zone
    locale, moment = LOCALES[language], days.moment(time)
    day = format_date(moment, "full", locale=locale)
    # The clock has 24 hours in every language: many people take "12:00 AM" for noon.
    order = str(get_datetime_format("medium", locale=locale)).replace("'", "")
    return order.replace("{1}", day).replace("{0}", f"{moment:%H:%M}") + zone


@cache
def number_text(number: float, language: str) -> str:
    """Return a number with the separators of a language; without babel, with its digits alone."""
    try:
        from babel.numbers import format_decimal  # noqa: PLC0415
    except ImportError:
        return f"{number:g}"
    return format_decimal(number, locale=LOCALES[language])

"""The picture of a case's fourteen days: a row for each day, from midnight to midnight."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.desk.case_days import CaseDay
from tracetogether.local_days import LocalDays
from tracetogether.svg import box, line, picture, text, titled

_LEFT: Final = 92
_HOUR: Final = 34
_HEAD: Final = 24
_ROW: Final = 52
_COMPANY: Final = 20  # the height of an hour with the most people
_LANE: Final = 10
_NOON, _HOURS = 12, 24


def days_picture(days: Sequence[CaseDay], zone: LocalDays, t: Texts) -> Markup:
    """Return the picture; every part has a tooltip, and a table beside it says the same.

    Args:
        days: the days of a case.
        zone: the authority's time zone.
        t: texts in the reader's language.
    """
    width = _LEFT + _HOURS * _HOUR + 20  # half of "24:00" stands to the right of midnight
    most = max((hour.people for day in days for hour in day.company), default=1)
    parts = [
        text(_LEFT + hour * _HOUR, 14, f"{hour}:00", "small quiet middle")
        for hour in range(0, _HOURS + 1, 3)
    ]
    for place, day in enumerate(days):
        top = _HEAD + place * _ROW
        if place % 2:
            parts.append(box(0, top, width, _ROW, "band", 0))
        parts.append(text(0, top + 16, day.date, "strong small"))
        parts += _trips(day, top, t)
        parts += [
            line(_LEFT + hour * _HOUR, top, _LEFT + hour * _HOUR, top + _ROW, "rule")
            for hour in (0, _NOON // 2, _NOON, _NOON * 3 // 2, _HOURS)
        ]
        parts += _company(day, top, most, t)
        parts += _bars(day, top, zone, t)
    about = t("Company, visits and stays of the case, hour by hour")
    return picture(width, _HEAD + len(days) * _ROW, about, parts, kind="whole")


def _x(day: CaseDay, time: float) -> float:
    """Return where a time of a day stands; a day of 23 or 25 hours is as wide as the others."""
    share = (min(max(time, day.begin), day.end) - day.begin) / (day.end - day.begin)
    return _LEFT + share * _HOURS * _HOUR


def _company(day: CaseDay, top: float, most: int, t: Texts) -> list[Markup]:
    parts = []
    for hour in day.company:
        tall = max(_COMPANY * hour.people / most, 2)
        begin, end = _x(day, hour.begin), _x(day, hour.begin + 3_600)
        bar = box(begin + 1, top + 4 + _COMPANY - tall, end - begin - 2, tall, "second", 1)
        said = t.plural("{count} person nearby", "{count} people nearby", hour.people)
        parts.append(titled(said, bar))
    return parts


def _bars(day: CaseDay, top: float, zone: LocalDays, t: Texts) -> list[Markup]:
    parts = []
    for shown in day.visits:
        if shown.visit is None:
            continue
        begin, end = shown.visit.start, shown.visit.end
        where = t(", ").join(filter(None, (shown.visit.description, shown.visit.address)))
        said = t("Visit: {place}", place=where)
        parts.append(_bar(day, begin, end, top + 27, said, "accent", zone))
    for stay in day.stays:
        where = t(", ").join(filter(None, (stay.place.name, stay.place.site)))
        said = t("Stay: {place}", place=where)
        parts.append(_bar(day, stay.begin, stay.end, top + 39, said, "medium", zone))
    return parts


def _bar(
    day: CaseDay, begin: float, end: float, y: float, said: str, kind: str, zone: LocalDays
) -> Markup:
    left, right = _x(day, begin), _x(day, end)
    when = f"{zone.text(begin)[-5:]}–{zone.text(end)[-5:]}"
    return titled(f"{said}, {when}", box(left, y, max(right - left, 3), _LANE, kind))


def _trips(day: CaseDay, top: float, t: Texts) -> list[Markup]:
    names = [shown.trip.service for shown in day.trips if shown.trip is not None]
    if not names:
        return []
    label = text(0, top + 34, " ".join(names)[:12], "small quiet")
    return [titled(t("Trips: {names}", names=", ".join(names)), label)]

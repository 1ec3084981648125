"""What the logs say of a contact, as lines of the timeline and rows of its table."""

from collections.abc import Callable, Iterable

from tracetogether.adapters.operator_pages.labels import CONTACT_STATES, SIDES
from tracetogether.adapters.operator_pages.pictures import DayNear, PersonNear
from tracetogether.adapters.operator_pages.rendering import (
    BASE,
    day_text,
    metres_text,
    minutes_text,
)
from tracetogether.authority.contacts import Contact, ContactDay
from tracetogether.authority.desk import Followed


def line_of(contact: Contact, followed: Followed | None, say: Callable[..., str]) -> PersonNear:
    """Return a contact's line of the timeline."""
    likely = f"{100 * contact.probability:.0f} %"
    state = "" if followed is None else say(CONTACT_STATES[followed.kept.state])
    link = "" if followed is None else f"{BASE}/contacts/{followed.kept.contact_id}"
    return PersonNear(
        name=contact.pseudonym,
        link=link or f"#{contact.pseudonym}",
        under=f"{likely} · {state}" if state else likely,
        days=[_day(contact.pseudonym, one, say) for one in contact.days],
    )


def _day(name: str, day: ContactDay, say: Callable[..., str]) -> DayNear:
    said = say(
        "{name}, {day}: {minutes} min, nearest {nearest} m, recorded by {side}",
        name=name,
        day=day_text(day.day),
        minutes=minutes_text(day.minutes),
        nearest=metres_text(day.nearest_m),
        side=say(SIDES[day.seen_by]),
    )
    return DayNear(
        day=day.day,
        low=day.minutes.low,
        minutes=day.minutes.median,
        high=day.minutes.high,
        nearest_m=day.nearest_m.median,
        seen_by=day.seen_by,
        said=said,
    )


def days_of(contacts: Iterable[Contact]) -> list[tuple[ContactDay, str]]:
    """Return all days of some contacts, the latest first, each with the person's pseudonym."""
    pairs = [(day, one.pseudonym) for one in contacts for day in one.days]
    return sorted(pairs, key=lambda pair: (-pair[0].day, -pair[0].minutes.median, pair[1]))

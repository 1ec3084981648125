"""What the logs say of a contact, as lines of the timeline and rows of its table."""

from collections.abc import Iterable

from tracetogether.adapters.operator_pages.pictures import TimelineRow
from tracetogether.adapters.operator_pages.rendering import (
    day_text,
    likely_text,
    metres_text,
    minutes_text,
)
from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.contacts.lines import Contact, ContactDay
from tracetogether.authority.desk.views import Followed


def timeline_row(contact: Contact, followed: Followed | None, t: Texts, base: str) -> TimelineRow:
    """Return a contact's row of the timeline, whose link begins with ``base``."""
    likely = likely_text(contact.probability)
    state = "" if followed is None else t.label("contact-state", followed.kept.state.value)
    link = "" if followed is None else f"{base}/contacts/{followed.kept.contact_id}"
    return TimelineRow(
        name=contact.pseudonym,
        link=link or f"#{contact.pseudonym}",
        under=f"{likely} · {state}" if state else likely,
        days=[(day, _day_text(contact.pseudonym, day, t)) for day in contact.days],
    )


def _day_text(name: str, day: ContactDay, t: Texts) -> str:
    return t(
        "{name}, {day}: {minutes} min, nearest {nearest} m, recorded by {side}",
        name=name,
        day=day_text(day.day),
        minutes=minutes_text(day.minutes),
        nearest=metres_text(day.nearest_m),
        side=t.label("side", day.seen_by),
    )


def why(contact: Contact, t: Texts) -> list[str]:
    """Return the facts that decide a contact's place, those that weigh most first."""
    said = []
    for reason in contact.reasons:
        of = reason.figures
        match reason.code:
            case "probability":
                text = t(
                    "{share} likely within {metres:g} m for {limit:g} min or more in 24 hours",
                    share=likely_text(of["probability"]),
                    limit=of["policy_minutes"],
                    metres=of["within_m"],
                )
            case "minutes":
                near = minutes_text(contact.minutes)
                text = t("{minutes} min nearby in total", minutes=near)
            case "busiest_24h":
                near = minutes_text(contact.busiest_24h)
                text = t("{minutes} min in the busiest 24 hours", minutes=near)
            case "nearest":
                text = t("nearest {metres} m", metres=metres_text(contact.nearest_m))
            case "days":
                text = t.plural("on {count} day", "on {count} days", int(of["days"]))
            case "last_seen":
                text = _last_seen(int(of["days_before"]), t)
            case "seen_by":
                text = t("recorded by {side}", side=t.label("side", contact.seen_by))
            case _:
                text = reason.text
        said.append(text)
    return said


def _last_seen(days_before: int, t: Texts) -> str:
    if days_before > 0:
        return t.plural(
            "last nearby {count} day before the case’s date",
            "last nearby {count} days before the case’s date",
            days_before,
        )
    if days_before < 0:
        return t.plural(
            "last nearby {count} day after the case’s date",
            "last nearby {count} days after the case’s date",
            -days_before,
        )
    return t("last nearby on the case’s date")


def days_of(contacts: Iterable[Contact]) -> list[tuple[ContactDay, str]]:
    """Return all days of some contacts, the latest first, each with the person's pseudonym."""
    pairs = [(day, contact.pseudonym) for contact in contacts for day in contact.days]
    return sorted(pairs, key=lambda pair: (-pair[0].day, -pair[0].minutes.median, pair[1]))

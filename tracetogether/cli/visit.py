"""`tracetogether visit`: note visits on the phone, and look for warned places among them."""

import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Final

import click

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.cli.console import answer, fixed, note, right, table, utc_text
from tracetogether.cli.node_folder import LOG
from tracetogether.cli.options import (
    EXISTING_FILE,
    WholeNumber,
    allow_plain_http,
    as_json,
    moment_of,
    number_option,
)
from tracetogether.cli.shown_code import shown_content, texts_in
from tracetogether.cli.visit_folder import (
    in_folder,
    opened_authority,
    opened_visits,
    read_by_trust,
)
from tracetogether.errors import NotFoundError, UnreadableMessageError
from tracetogether.parameters import VISITS
from tracetogether.plain_text import counted
from tracetogether.presence.asking import AskedWarnings, ask_for_warnings
from tracetogether.presence.matching import SamePlace, heard_places, same_places
from tracetogether.presence.packages import WarningPackage, read_bundle, read_package
from tracetogether.presence.posters import KINDS, Poster
from tracetogether.presence.posters_of_others import can_be_reported, read_any_poster
from tracetogether.presence.visits import (
    Visit,
    checked_out,
    forgotten,
    noted_later,
    scanned,
    settled,
)
from tracetogether.sightings import Sightings
from tracetogether.signed.trust import TrustList
from tracetogether.signed.trust_files import read_trust_file
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

_CODES: Final = ("tracetogether:", "http:", "https:", "UKC19TRACING:", "NZCOVIDTRACER:")
_OWN_USE: Final = (
    "Note      this visit finds no warnings and can't be reported: numbers of the NHS's and of New "
    "Zealand's places can be guessed. Tell the tracer of it if you test positive"
)
_MINUTES: Final = WholeNumber(1, VISITS.longest_s // SECONDS_PER_MINUTE)

_key_files = click.option(
    "--key",
    "keys",
    metavar="FILE",
    type=EXISTING_FILE,
    multiple=True,
    help="Who signs posters of the NHS: a public key (PEM) or a JWK set. Can be given several "
    "times.",
)
_code = click.argument("code", metavar="CODE")


@click.group()
def visit() -> None:
    """Note visits to places on this phone, and see warnings of these places."""


@visit.command("in")
@_code
@in_folder
@click.option("--note", "words", metavar="TEXT", default="", help="Your own words, for yourself.")
@click.option("--at", metavar="TIME", help="When (UTC) you came.  [default: the present]")
@click.option(
    "--minutes",
    type=_MINUTES,
    metavar="NUMBER",
    help="After how many minutes the visit ends.  [default: what the poster says]",
)
@_key_files
@as_json
def check_in(
    code: str,
    folder: Path,
    words: str,
    at: str | None,
    minutes: int | None,
    keys: tuple[Path, ...],
    *,
    as_json: bool,
) -> None:
    """Note a visit to the place whose poster holds CODE: its text, or a picture (PNG, JPEG) of it.

    Scan the same poster again to prolong the visit. Another poster ends it, and so does
    `visit out`. Nothing is sent.
    """
    now = time.time()
    poster = _poster_of(code, keys)
    if minutes is not None:
        poster = replace(poster, default_minutes=minutes)
    began = now if at is None else min(moment_of(at, "--at"), now)
    if not poster.counts_at(began):
        msg = "this poster does not count at this time: ask at the place for the present one"
        raise UnreadableMessageError(msg, "poster-times")
    if at is None:
        rule = partial(scanned, poster=poster, now=now, note=words)
    else:
        rule = partial(noted_later, poster=poster, start=began, now=now, note=words)
    with opened_visits(folder, now) as log:
        change = log.update(rule, now)
    noted = change.current
    assert noted is not None  # noqa: S101 - a scan always leaves a visit
    answer(
        _as_json(noted),
        f"Noted     {noted.description}",
        f"Ends      {utc_text(noted.end)} UTC, unless you scan again or check out"
        if noted.open
        else f"Ended     {utc_text(noted.end)} UTC",
        *(() if can_be_reported(poster.text) else (_OWN_USE,)),
        as_json=as_json,
    )


@visit.command("out")
@in_folder
@click.option("--at", metavar="TIME", help="When (UTC) you left.  [default: the present]")
@as_json
def check_out(folder: Path, at: str | None, *, as_json: bool) -> None:
    """End the visit that is open."""
    now = time.time()
    left = now if at is None else min(moment_of(at, "--at"), now)
    with opened_visits(folder, now) as log:
        ended = log.update(partial(checked_out, now=left), now).current
    if ended is None:
        answer({"ended": None}, "No visit is open", as_json=as_json)
        return
    answer(
        {"ended": _as_json(ended)},
        f"Ended     {ended.description}, after {counted(ended.minutes, 'minutes')}",
        as_json=as_json,
    )


@visit.command("list")
@in_folder
@as_json
def list_visits(folder: Path, *, as_json: bool) -> None:
    """List the visits of the last 21 days."""
    now = time.time()
    with opened_visits(folder, now) as log:
        log.update(partial(settled, now=now), now)
        visits = log.visits()
        aside = log.set_aside()
    if aside:
        note(
            f"{counted(aside, 'visits')} would be too old by this machine's clock, which may be "
            "wrong: kept"
        )
    shown = table(
        visits,
        ("from (UTC)", lambda row: utc_text(row.start)),
        (right("minutes"), lambda row: str(row.minutes)),
        (fixed(""), lambda row: "open" if row.open else ""),
        ("place", lambda row: row.description),
        ("address", lambda row: row.address),
        ("note", lambda row: row.note),
    )
    answer(
        {"visits": [_as_json(row) for row in visits]},
        shown if visits else "No visits are noted",
        as_json=as_json,
    )


@visit.command()
@in_folder
@click.option("--place", metavar="NAME", help="Visits of the place with this name.")
@click.option("--since", metavar="TIME", help="Visits that end after this time (UTC).")
@click.option("--until", metavar="TIME", help="Visits that begin before this time (UTC).")
@click.option("--all", "everything", is_flag=True, help="All visits.")
@as_json
def forget(
    folder: Path,
    place: str | None,
    since: str | None,
    until: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Delete visits from this phone, for good. Conditions given together all have to hold."""
    if not everything and place is None and since is None and until is None:
        raise click.UsageError("say which visits: --place, --since, --until or --all")
    begin = None if since is None else moment_of(since, "--since")
    end = None if until is None else moment_of(until, "--until")

    def which(row: Visit) -> bool:
        return (
            (place is None or row.description == place)
            and (begin is None or row.end > begin)
            and (end is None or row.start < end)
        )

    now = time.time()
    with opened_visits(folder, now) as log:
        gone = log.update(partial(forgotten, which=which), now).gone
    answer({"forgotten": len(gone)}, f"Deleted   {counted(len(gone), 'visits')}", as_json=as_json)


@visit.command()
@_code
@_key_files
@as_json
def read(code: str, keys: tuple[Path, ...], *, as_json: bool) -> None:
    """Print what the poster says that holds CODE: its text, or a picture (PNG, JPEG) of it."""
    try:
        poster = _poster_of(code, keys)
    except UnreadableMessageError as error:
        raise UnreadableMessageError(f"{error} ({error.code})", error.code) from None
    kind = KINDS[poster.kind] if poster.kind < len(KINDS) else str(poster.kind)
    times = [
        f"{word}{utc_text(moment)} UTC"
        for word, moment in (("From      ", poster.start), ("Until     ", poster.end))
        if moment is not None
    ]
    answer(
        {
            "description": poster.description,
            "address": poster.address,
            "start": poster.start,
            "end": poster.end,
            "location_id": poster.location_id.hex(),
            "location_id_base64": b64encode(poster.location_id).decode(),
            "form": poster.form,
            "kind": kind,
            "default_minutes": poster.default_minutes,
        },
        f"Place     {poster.description}",
        f"Address   {poster.address}",
        *times,
        f"Form      {poster.form}",
        as_json=as_json,
    )


@visit.command()
@in_folder
@click.option(
    "--server", metavar="URL", help="Address of the authority.  [default: that of the node in DIR]"
)
@allow_plain_http
@number_option(
    "--days",
    "Ask for the warnings of this many days, whatever was asked for before.  [default: since the "
    "last check]",
    most=VISITS.published_days,
)
@as_json
def check(
    folder: Path, server: str | None, days: int | None, *, allow_plain_http: bool, as_json: bool
) -> None:
    """Look whether you were where somebody was who tested positive later.

    Downloads the newest warnings, the same for everybody, and compares them here with your visits
    and with the places that this phone heard by Bluetooth. Check once a day.
    """
    now = time.time()
    with opened_visits(folder, now) as log:
        log.update(partial(settled, now=now), now)
        visits = [_until(row, now) for row in log.visits()]
        with opened_authority(folder, server, allow_plain_http=allow_plain_http) as client:

            def fetch(hour: int) -> list[WarningPackage]:
                data = client.fetch_warnings(hour)
                if data is None:
                    raise NotFoundError("this authority publishes no warnings", "no-warnings")
                return [
                    read_by_trust(folder, client, partial(read_package, message))
                    for message in read_bundle(data)
                ]

            asked_before, before = log.asked_hour(), log.seen()
            asked = ask_for_warnings(fetch, asked_before, now, days or 0)
        whole = asked.whole
        found = [*same_places(visits, whole), *heard_places(_heard_log(folder), whole)]
        log.remember((mark for place in found for mark in place.marks), asked.hour, now)
    fresh = [place for place in found if not place.marks <= before]
    _note_gap(visits, asked, asked_before)
    shown = [_line(place) for place in fresh] or ["No new warning of a place where you were"]
    if fresh:
        shown.append("This does not mean that you were close to anybody. Follow the authority.")
    answer(
        {
            "since": asked.since * SECONDS_PER_HOUR,
            "until": (asked.hour + 1) * SECONDS_PER_HOUR,
            "new": len(fresh),
            "found": [
                {
                    "description": place.description,
                    "address": place.address,
                    "start": place.start,
                    "end": place.end,
                    "minutes": place.minutes,
                    "by": place.by,
                    "new": place in fresh,
                }
                for place in found
            ],
        },
        *shown,
        as_json=as_json,
    )


def _poster_of(code: str, files: Iterable[Path]) -> Poster:
    """Return the first poster among the codes that are shown.

    Raises:
        UnreadableMessageError: there is none; says why.
    """
    keys = reduce(
        TrustList.joined_with, (read_trust_file(file.read_bytes()) for file in files), TrustList([])
    )
    fault = UnreadableMessageError("the picture shows no QR code that can be read", "no-code")
    for text in texts_in(shown_content(code, _CODES)):
        try:
            return read_any_poster(text, keys)
        except UnreadableMessageError as error:
            fault = error
    raise fault


def _until(row: Visit, now: float) -> Visit:
    """Return a visit as far as it has happened."""
    return replace(row, end=max(min(row.end, now), row.start))


def _heard_log(folder: Path) -> Sightings:
    """Return the contact log of the node in this folder; an empty one if there is none."""
    path = folder / LOG
    if not path.exists():
        return Sightings.from_rows([])
    with SqliteContactLog.open(path, read_only=True) as log:
        return log.sightings()


def _note_gap(visits: Iterable[Visit], asked: AskedWarnings, asked_before: int | None) -> None:
    """Say it where earlier warnings could concern the owner, and were not asked for."""
    begin = asked.since * SECONDS_PER_HOUR
    if asked_before is None:
        missed = any(row.start < begin - SECONDS_PER_HOUR for row in visits)
    else:
        missed = asked.since > asked_before + 1
    if missed:
        note(
            f"Warnings from before {utc_text(begin)} UTC were not asked for: "
            f"`tracetogether visit check --days {VISITS.published_days}` asks for them"
        )


def _line(place: SamePlace) -> str:
    where = place.description or "a place that your phone noted"
    if place.address:
        where += f", {place.address}"
    return (
        f"You were in the same place as a person who tested positive: {where}, "
        f"{utc_text(place.start)} UTC, {counted(place.minutes, 'minutes')}"
    )


def _as_json(row: Visit) -> dict[str, Any]:
    return {
        "description": row.description,
        "address": row.address,
        "start": row.start,
        "end": row.end,
        "minutes": row.minutes,
        "open": row.open,
        "note": row.note,
    }

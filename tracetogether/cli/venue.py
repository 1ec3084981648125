"""`tracetogether venue`: what the owner of a place uses."""

import os
from base64 import b64encode
from pathlib import Path
from typing import Final

import click

from tracetogether.cli.console import answer
from tracetogether.cli.options import FILE, as_json, moment_of, number_option
from tracetogether.crypto import SigningKey
from tracetogether.errors import MissingExtraError
from tracetogether.healthcode.passes import PAPER
from tracetogether.parameters import VISITS
from tracetogether.presence.posters import KINDS, Poster, make_poster, poster_url
from tracetogether.units import SECONDS_PER_MINUTE
from tracetogether.whole_file import PUBLIC, write_whole

_ENDINGS: Final = (".html", ".png", ".svg")
_POINT_BYTES: Final = 65  # a P-256 key, not compressed, at the end of its DER


@click.group()
def venue() -> None:
    """Make the poster by which guests of a place note their visits."""


@venue.command()
@click.argument("name")
@click.option("--address", metavar="TEXT", default="", help="Where the place is.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default=KINDS[0],
    show_default=True,
    help="What the place is, for people only.",
)
@number_option(
    "--minutes",
    "After how many minutes a visit ends if nobody scans again.  [default: 120]",
    most=VISITS.longest_s // SECONDS_PER_MINUTE,
)
@click.option("--from", "start", metavar="TIME", help="From when (UTC) the poster counts.")
@click.option("--until", metavar="TIME", help="Until when (UTC) the poster counts.")
@click.option(
    "--host",
    metavar="HOST",
    default="",
    help="A host whose page explains the code to people without the app.",
)
@click.option(
    "--out",
    "files",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Write the poster into FILE: a .html to print, or the code alone as .svg or .png. "
    "Repeatable: the files hold the same poster.",
)
@as_json
def poster(
    name: str,
    address: str,
    kind: str,
    minutes: int | None,
    start: str | None,
    until: str | None,
    host: str,
    files: tuple[Path, ...],
    *,
    as_json: bool,
) -> None:
    """Make a new poster for the place NAME.

    Each poster has a random part, so print the same file again rather than make it twice: two
    posters are two places. Make a new one every few weeks. Who photographs a poster can read
    warnings of the place as long as it hangs.
    """
    for out in files:
        if out.suffix.lower() not in _ENDINGS:
            msg = f"{out.name!r} is none of .html, .png, .svg: choose one of these endings"
            raise click.BadParameter(msg, param_hint="--out")
    made = make_poster(
        name,
        address,
        entropy=os.urandom,
        kind=KINDS.index(kind),
        start=None if start is None else int(moment_of(start, "--from")),
        end=None if until is None else int(moment_of(until, "--until")),
        default_minutes=minutes,
        # The Corona-Warn-App expects a key here. Nobody has its secret half: it is thrown away.
        public_key=SigningKey.generate().public.to_der()[-_POINT_BYTES:],
    )
    url = poster_url(made, host)
    for out in files:
        _write(made, url, out)
    answer(
        {
            "url": url,
            "location_id": made.location_id.hex(),
            "location_id_base64": b64encode(made.location_id).decode(),
            "file": str(files[0]) if files else None,
            "files": [str(out) for out in files],
        },
        url,
        *(
            f"Written to {out}: print it, and hang it up at the door"
            if out.suffix.lower() == ".html"
            else f"Written to {out}: the code alone, for a poster of your own"
            for out in files
        ),
        as_json=as_json,
    )


def _write(made: Poster, url: str, out: Path) -> None:
    try:
        from tracetogether.adapters.qr_drawing import qr_svg, save_qr  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("Drawing a QR code", "qr") from None
    if out.suffix.lower() != ".html":
        save_qr(url, out, PAPER, mode=PUBLIC)
        return
    from tracetogether.adapters.poster_page import poster_page  # noqa: PLC0415

    write_whole(out, poster_page(made.description, made.address, qr_svg(url)))

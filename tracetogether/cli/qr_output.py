"""Showing a QR code: on the terminal, or in a picture that `--out` names."""

from pathlib import Path
from typing import Final

import click
from rich.text import Text

from tracetogether.cli.console import say
from tracetogether.cli.options import FILE
from tracetogether.errors import MissingExtraError
from tracetogether.healthcode.passes import SCREEN

_ENDINGS: Final = (".png", ".svg")
out_option = click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="Write the QR code into FILE, a .png or .svg that only you can read.",
)


def checked_ending(out: Path | None) -> None:
    """Return if the picture's name has an ending that is known.

    Raises:
        click.BadParameter: it has another.
    """
    if out is not None and out.suffix.lower() not in _ENDINGS:
        msg = f"{out.name!r} is neither .png nor .svg: choose one of these endings"
        raise click.BadParameter(msg, param_hint="--out")


def show_qr(text: str, out: Path | None, form: str = SCREEN) -> None:
    """Draw a QR code on the terminal, or write it into ``out``.

    Raises:
        MissingExtraError: segno is not installed.
        StoreError: the file can't be written.
    """
    try:
        from tracetogether.adapters.qr_drawing import qr_lines, save_qr  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("Drawing a QR code", "qr") from None
    if out is not None:
        save_qr(text, out, form)
        return
    # Dark modules are ink on a light ground, whatever colours the terminal has.
    say(*(Text(line, "black on white") for line in qr_lines(text, form)))

"""What a command takes as a code: its text, a file with the text or a picture, standard input."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from tracetogether.adapters.qr_images import MOST_BYTES as MOST_PICTURE_BYTES
from tracetogether.adapters.qr_images import codes_in, is_picture
from tracetogether.errors import UnreadableMessageError

_MARKUP: Final = (b"<svg", b"<?xml", b"<!doctype", b"<html", b"%pdf")
"""How files of drawings and pages begin, in small letters. No code's text begins so."""

_FILE_NAME: Final = re.compile(r"[^\n:]{1,200}\.[A-Za-z][A-Za-z0-9]{1,4}")


def shown_content(shown: str, starts: tuple[str, ...]) -> bytes:
    """Return what was shown: the bytes of a file or of the standard input, or the text itself.

    Args:
        shown: a text, a file's name, or "-".
        starts: how a text begins that is no name of a file.

    Raises:
        click.UsageError: the standard input is a terminal, or a file can't be read. A text that
            looks like a name, such as ``photo.jpg``, is a file that is not there.
    """
    if shown == "-":
        if sys.stdin.isatty():
            raise click.UsageError("give a code's text, a file, or a pipe for the standard input")
        return sys.stdin.buffer.read(MOST_PICTURE_BYTES + 1)
    if not shown.startswith(starts):
        try:
            with Path(shown).open("rb") as file:
                return file.read(MOST_PICTURE_BYTES + 1)
        except (IsADirectoryError, PermissionError) as error:
            raise click.UsageError(f"{shown!r} can't be read: {error.strerror}") from None
        except (OSError, ValueError):  # no file: a text of an unknown kind
            if _FILE_NAME.fullmatch(shown):
                msg = f"there is no file {shown!r} here: check its name and folder"
                raise click.UsageError(msg) from None
    return shown.encode(errors="replace")


def texts_in(content: bytes) -> Sequence[str]:
    """Return the text of a code, or the texts of all codes in a picture.

    Raises:
        UnreadableMessageError: it is a damaged picture, or a file of another kind that may show a
            code: SVG, HTML or PDF ("picture-form").
    """
    if is_picture(content):
        return codes_in(content)
    if content[:16].lstrip().lower().startswith(_MARKUP):
        raise UnreadableMessageError(
            "codes are read from PNG and JPEG alone, not from SVG, HTML or PDF: give such a "
            "picture, or the code's text",
            "picture-form",
        )
    return [content.decode("utf-8", errors="replace").strip("\r\n")]  # blanks count in Base45

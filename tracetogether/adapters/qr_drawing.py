"""QR codes by segno: in a terminal, and as PNG or SVG files."""

from pathlib import Path
from typing import Final

import segno

from tracetogether.healthcode.passes import PAPER, SCREEN
from tracetogether.whole_file import PRIVATE, whole_file

_LEVEL: Final = {SCREEN: "M", PAPER: "Q"}
"""Form -> error correction. A denser code is harder to read from a screen; paper gets torn."""
_BORDER: Final = 4  # modules of quiet zone; ISO 18004 wants four
_PIXELS: Final = 8  # of a module in a PNG
_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_lines(text: str, form: str = SCREEN) -> list[str]:
    """Return the lines of a QR code for a terminal: one character for two modules, dark is ink.

    Args:
        text: what the code holds.
        form: "screen" or "paper", which sets the error correction.
    """
    made = _made(text, form)
    rows = [[bool(module) for module in row] for row in made.matrix_iter(border=_BORDER)]
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_HALVES[pair] for pair in zip(*both, strict=True)) for both in pairs]


def save_qr(text: str, path: Path, form: str = SCREEN, *, mode: int = PRIVATE) -> None:
    """Write a QR code as PNG or SVG, by the ending of the name.

    Args:
        text: what the code holds.
        path: the file.
        form: "screen" or "paper", which sets the error correction.
        mode: of the file; only the owner can read it unless another one is given.

    Raises:
        StoreError: it can't be written.
    """
    with whole_file(path, mode=mode) as half:
        _made(text, form).save(
            str(half), kind=path.suffix[1:].lower(), border=_BORDER, scale=_PIXELS
        )


def qr_svg(text: str, form: str = PAPER) -> str:
    """Return a QR code as an element ``svg`` for a page, 1 mm a module."""
    return _made(text, form).svg_inline(border=_BORDER, unit="mm", scale=1)


def _made(text: str, form: str) -> segno.QRCode:
    return segno.make_qr(text, error=_LEVEL[form], boost_error=False)

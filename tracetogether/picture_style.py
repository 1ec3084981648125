"""One style for all pictures: colours, figures, and how they are written to a file.

Matplotlib is an optional package, so it is imported when the first picture is drawn.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.plain_text import visible
from tracetogether.version import __version__
from tracetogether.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that people with any colour vision can tell apart (after Okabe and Ito).
FOUND: Final = "#0f7b5f"
MISSED: Final = "#e08a00"
FALSE: Final = "#c2334d"
LOGGED: Final = "#5b8db8"
INK: Final = "#1c2430"
QUIET: Final = "#8a929c"
WALL: Final = "#c9ced6"
GRID: Final = "#e3e7ec"
FLOOR: Final = "#f6f7f9"
SERIES: Final = (FOUND, LOGGED, MISSED, FALSE, "#7b5ea7", INK)
"""Colours of curves, in the order in which they are used."""
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Line styles of curves, so that a print in grey can be read as well."""
MARKS: Final = ("o", "s", "D", "^", "v", "P")

_CORNER_IN: Final = 0.14
_ENDINGS: Final = (".png", ".svg", ".pdf")
_MADE_BY: Final = f"tracetogether {__version__}"
_SALT: Final = "tracetogether"  # of names inside an SVG file, random without one


def new_figure(
    width_in: float, height_in: float, *, what: str = "The picture", constrained: bool = True
) -> "Figure":
    """Return an empty figure.

    Args:
        width_in: width in inches.
        height_in: height in inches.
        what: what is drawn, for the error message.
        constrained: whether matplotlib arranges the parts. Without, each part gets its place.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package
    except ImportError:
        raise MissingExtraError(what, "plot") from None
    return Figure(
        figsize=(width_in, height_in),
        facecolor="white",
        layout="constrained" if constrained else None,
    )


def plain_axes(axes: "Axes") -> None:
    """Give axes the style: a light grid, no frame at the top and the right."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(WALL)


def title(axes: "Axes", headline: str, below: str = "") -> None:
    """Write a headline above the axes, on the left, and a smaller line below it.

    Both may hold other people's text: no character begins a formula.
    """
    axes.set_title(
        visible(headline),
        loc="left",
        fontsize=12,
        fontweight="bold",
        color=INK,
        pad=22 if below else 8,
        parse_math=False,
    )
    if below:
        axes.text(
            0,
            1.02,
            visible(below),
            transform=axes.transAxes,
            fontsize=9,
            color=QUIET,
            va="bottom",
            parse_math=False,
        )


def save_figure(figure: "Figure", path: str | Path, *, made_of: str, dpi: int = 150) -> Path:
    """Write a figure as PNG, SVG or PDF, by the ending of the file's name; return the path.

    Version and digest are written in the figure's lower right corner and in the file's metadata.
    The same figure gives the same bytes: no date is written.

    Args:
        figure: what to write.
        path: the file.
        made_of: digest of the data that is drawn, in full.
        dpi: pixels per inch of a PNG.

    Raises:
        StoreError: the ending names no known format, or the file can't be written.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - an optional package
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415 - the same

    target = Path(path)
    ending = target.suffix.lower()
    if ending not in _ENDINGS:
        raise StoreError(f"can't write {target}: end its name in .png, .svg or .pdf")
    width, height = figure.get_size_inches()
    if isinstance(layout := figure.get_layout_engine(), ConstrainedLayoutEngine):
        strip = _CORNER_IN / float(height)  # so that the corner's text covers nothing
        layout.set(rect=(0, strip, 1, 1 - strip))
    mark = figure.text(
        1 - 0.08 / float(width),
        0.05 / float(height),
        f"{_MADE_BY}  {made_of[:12]}",
        ha="right",
        va="bottom",
        fontsize=6,
        color=QUIET,
        in_layout=False,
    )
    try:
        with rc_context({"svg.hashsalt": _SALT}), whole_file(target) as half:
            figure.savefig(half, dpi=dpi, format=ending[1:], metadata=_metadata(ending, made_of))
    finally:
        mark.remove()
    return target


def digest_of_columns(*columns: "np.ndarray[Any, Any]") -> str:
    """Return SHA-256 (hex) over the bytes of columns of numbers, in order."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _metadata(ending: str, made_of: str) -> dict[str, Any]:
    """Return the file's metadata, without a date."""
    by, said = _MADE_BY, f"digest {made_of}"
    if ending == ".png":
        return {"Software": by, "Description": said}
    if ending == ".svg":
        return {"Date": None, "Creator": by, "Description": said}
    return {"CreationDate": None, "Creator": by, "Subject": said}

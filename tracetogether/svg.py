"""Primitives of pictures as SVG: classes for the style sheet, no style and no script inside.

Lengths are SVG user units (pixels at full size), from the left and from the top. Texts are escaped.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tracetogether.plain_text import visible


def short(number: float) -> str:
    """Return a number with one decimal, or with none."""
    return f"{number:.1f}".removesuffix(".0")


def picture(
    width: float, height: float, about: str, parts: Iterable[Markup], *, kind: str = ""
) -> Markup:
    """Return a picture from its parts.

    It is a group to a screen reader, not an image, so that links inside can be reached.

    Args:
        width: of the picture.
        height: of the picture.
        about: what a screen reader says.
        parts: drawn in this order.
        kind: classes; "whole" is never drawn smaller than it is.
    """
    return Markup(
        '<svg class="{4}" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="group" '
        'aria-label="{2}" xmlns="http://www.w3.org/2000/svg">{3}</svg>'
    ).format(short(width), short(height), about, Markup("").join(parts), f"picture {kind}".rstrip())


def text(x: float, y: float, shown: object, kind: str = "") -> Markup:
    """Return a word or a figure; ``kind`` holds its classes."""
    return Markup('<text x="{}" y="{}"{}>{}</text>').format(
        short(x), short(y), Markup(' class="{}"').format(kind) if kind else "", visible(str(shown))
    )


def box(x: float, y: float, width: float, height: float, kind: str, radius: float = 2) -> Markup:
    """Return a rectangle with round corners."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" class="{}"/>').format(
        short(x), short(y), short(max(width, 0)), short(max(height, 0)), radius, kind
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(
        short(x1), short(y1), short(x2), short(y2), kind
    )


def circle(x: float, y: float, radius: float, kind: str) -> Markup:
    """Return a circle around (x, y)."""
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(
        short(x), short(y), short(radius), kind
    )


def half_disc(x: float, y: float, radius: float, side: str, kind: str) -> Markup:
    """Return the half of a disc around (x, y); ``side`` is "left" or "right"."""
    return Markup('<path d="M{0} {1}A{2} {2} 0 0 {3} {0} {4}Z" class="{5}"/>').format(
        short(x), short(y - radius), radius, "01"[side == "right"], short(y + radius), kind
    )


def curve(*points: float, thick: float, kind: str) -> Markup:
    """Return a Bézier curve from x, y of its start, two control points and its end."""
    return Markup(
        '<path d="M{} {}C{} {} {} {} {} {}" fill="none" stroke-width="{}" stroke-opacity="0.75" '
        'class="{}"/>'
    ).format(*map(short, (*points, thick)), kind)


def path(points: Sequence[tuple[float, float]], kind: str, thick: float) -> Markup:
    """Return straight lines from point to point; each point is x and y."""
    drawn = " ".join(f"{short(x)} {short(y)}" for x, y in points)
    return Markup('<path d="M{}" fill="none" stroke-width="{}" class="{}"/>').format(
        drawn, short(thick), kind
    )


def area(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """Return a filled shape whose corners are ``points``, each x and y."""
    drawn = " ".join(f"{short(x)},{short(y)}" for x, y in points)
    return Markup('<polygon points="{}" class="{}"/>').format(drawn, kind)


def link(to: str, *parts: Markup) -> Markup:
    """Return parts that lead to a page; as they are if ``to`` is ""."""
    inside = Markup("").join(parts)
    return Markup('<a href="{}">{}</a>').format(to, inside) if to else inside


def titled(title: str, *parts: Markup) -> Markup:
    """Return a group of parts whose tooltip is ``title``."""
    return Markup("<g><title>{}</title>{}</g>").format(title, Markup("").join(parts))

"""The charts of a city's page: along the main key, by day, and the picture of adoption alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from markupsafe import Markup

from simulations.city.charts import HEIGHT, WIDTH, Chart, ChartLine, ChartMark, chart_parts
from simulations.city.report_data import (
    ADOPTION,
    PRESS_ADOPTION,
    CityReport,
    ReportCurve,
    ReportPoint,
)
from simulations.city.report_words import count_text, percent_text, short_count
from simulations.pages.page_parts import light_colours, source_text
from tracetogether.errors import StoreError
from tracetogether.plain_text import visible
from tracetogether.svg import text
from tracetogether.version import __version__
from tracetogether.whole_file import write_whole

KINDS: Final = ("first", "second", "third", "fourth", "fifth")
"""Classes of lines, in the order in which they are used."""
MOST_LINES: Final = 3
"""Number of lines of one chart along the main key."""
_TITLE_H: Final = 64
_GAP: Final = 40


def save_adoption_picture(report: CityReport, path: Path) -> None:
    """Write the picture of infections averted.

    Raises:
        StoreError: it can't be written, or no key with numbers was varied.
    """
    if report.main is None or len(report.lines[0]) < 2:
        raise StoreError("there is no picture: vary a key with numbers, such as app.adoption")
    if path.suffix.lower() != ".svg":
        raise StoreError(f"can't write {path}: end its name in .svg")
    write_whole(path, adoption_picture(report))


def adoption_picture(report: CityReport) -> str:
    """Return the picture of infections averted by adoption as one SVG file."""
    averted, falsely = along_charts(report)
    width, height = 2 * WIDTH + _GAP, HEIGHT + _TITLE_H
    headline = visible(report.headline())
    title, *rest = _broken(headline, 92)
    style = f":root {{ {light_colours()} }} {source_text('charts.css')}"
    parts = [
        Markup("<title>{}</title><style>{}</style>").format(headline, Markup(style)),  # noqa: S704
        Markup('<rect class="ground" width="100%" height="100%"/>'),
        text(0, 20, title, "title"),
        *(text(0, 46 + 24 * row, words, "title") for row, words in enumerate(rest)),
        _moved(0, _TITLE_H, chart_parts(averted)),
        _moved(WIDTH + _GAP, _TITLE_H, chart_parts(falsely)),
        text(
            width, height + 12, f"tracetogether {__version__}  {report.digest[:12]}", "number tiny"
        ),
    ]
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
            'viewBox="-12 -8 {0} {1}" width="{0}" height="{1}">{2}</svg>\n'
        ).format(width + 24, height + 28, Markup("").join(parts))
    )


def along_charts(report: CityReport) -> tuple[Chart, Chart]:
    """Return the charts of infections averted and of false quarantine along the main key."""
    lines = report.lines[:MOST_LINES]
    main = str(report.main)
    marks: list[ChartMark] = []
    if report.by_adoption:
        x_label, show_x = "share of people with the app", percent_text
        users = f"{PRESS_ADOPTION:.0%}".replace("%", " %")
        shares = [float(point.settings[ADOPTION]) for point in lines[0]]
        if shares[0] <= PRESS_ADOPTION <= shares[-1]:
            marks.append(ChartMark(PRESS_ADOPTION, (report.users_at(PRESS_ADOPTION), f"({users})")))
    else:
        x_label, show_x = main, lambda value: f"{value:g}"
    both = []
    for what, label, about in (
        ("averted", "infections averted", f"Share of infections averted by {x_label}"),
        (
            "falsely",
            "days at home of people not infected",
            f"Days of quarantine of people who were not infected, by {x_label}",
        ),
    ):
        both.append(
            Chart(
                about=about,
                x_label=x_label,
                y_label=label,
                lines=[
                    _along_line(report, line, what, KINDS[place])
                    for place, line in enumerate(lines)
                ],
                marks=marks,
                show_x=show_x,
                show_y=percent_text if what == "averted" else short_count,
            )
        )
    return both[0], both[1]


def _along_line(report: CityReport, line: Sequence[ReportPoint], what: str, kind: str) -> ChartLine:
    main = str(report.main)
    rows: list[tuple[float, float, float | None, float | None]] = []
    for point in line:
        x = float(point.settings[main])
        if what == "falsely":
            value = point.figures["quarantine_days_not"]
            rows.append((x, value.mean, value.low, value.high))
        elif point.share is None:
            rows.append((x, 0.0, None, None))
        elif point.share.ratio is not None:
            rows.append((x, point.share.ratio, point.share.low, point.share.high))
    form: Callable[[float], str] = percent_text if what == "averted" else count_text
    said = [
        f"{x:g}: {form(mean)}"
        + ("" if low is None or high is None else f" ({form(low)} to {form(high)})")
        for x, mean, low, high in rows
    ]
    places, means, lows, highs = zip(*rows, strict=True)
    return ChartLine(kind, places, means, lows, highs, said)


def infections_chart(points: Sequence[ReportPoint], kinds: Sequence[str] = KINDS) -> Chart:
    """Return the chart of new infections by day."""
    return Chart(
        about="New infections by day",
        x_label="day",
        y_label="new infections a day (mean of 7 days)",
        lines=[
            _day_line(point.infections, kind) for point, kind in zip(points, kinds, strict=False)
        ],
        show_y=short_count,
    )


def r_chart(points: Sequence[ReportPoint]) -> Chart:
    """Return the chart of R by day."""
    return Chart(
        about="R by day",
        x_label="day",
        y_label="R: people infected by a case (mean of 7 days)",
        lines=[_day_line(point.r_by_day, kind) for point, kind in zip(points, KINDS, strict=False)],
        show_y=lambda value: f"{value:g}",
    )


def _day_line(curve: ReportCurve, kind: str) -> ChartLine:
    known = [
        (day, mean, low, high)
        for day, (mean, low, high) in enumerate(zip(curve.mean, curve.low, curve.high, strict=True))
        if mean is not None
    ]
    days, means, lows, highs = zip(*known, strict=True) if known else ((), (), (), ())
    return ChartLine(kind, days, means, lows, highs)


def _moved(x: float, y: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<g transform="translate({} {})">{}</g>').format(x, y, Markup("").join(parts))


def _broken(words: str, most: int) -> list[str]:
    lines = [""]
    for word in words.split(" "):
        if len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines

"""The files for everybody: a table of figures, and its description for programs.

The description is a tabular data package of the Frictionless specifications (version 1).
"""

from __future__ import annotations  # the module that defines OpenDay imports this one

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.open_data.cells import FIGURES
from tracetogether.crypto import sha256
from tracetogether.parameters import OPEN_DATA
from tracetogether.tables.spreadsheets import csv_text

if TYPE_CHECKING:
    from tracetogether.authority.open_data.publishing import OpenDay

COLUMNS: Final = ("date", "region", "figure", "people", "noise_95")
_ABOUT: Final = (
    "Counts of one health authority by day. Each count has random noise, which is drawn once, so "
    "that nobody can tell whether one person is in it (differential privacy, epsilon 1 for each "
    "row). A total has noise of its own and differs from the sum of its parts."
)


def figures_csv(days: Iterable[OpenDay], region: str) -> str:
    """Return the table of all days, one row for each figure of a day."""
    rows = [
        (date_of_day(day.day), region, cell.figure, cell.people, cell.noise_95)
        for day in days
        for cell in day.cells
    ]
    return "".join(csv_text([COLUMNS, *rows]))


def day_csv(day: OpenDay, region: str) -> str:
    """Return the table of one day."""
    return figures_csv([day], region)


def datapackage(days: Sequence[OpenDay], region: str, zone: str, licence: str) -> str:
    """Return the description of ``figures.csv`` as JSON.

    Args:
        days: what is published.
        region: code of the authority.
        zone: name of the time zone in which days are counted.
        licence: name of the licence; "" for none.
    """
    table = figures_csv(days, region).encode()
    about: dict[str, Any] = {
        "profile": "tabular-data-package",
        "name": "tracetogether-figures",
        "title": f"Figures of {region}",
        "description": f"{_ABOUT} Days are in the time zone {zone}.",
        "resources": [_resource(table)],
    }
    if licence:
        about["licenses"] = [{"name": licence}]
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"


def _resource(table: bytes) -> dict[str, Any]:
    return {
        "profile": "tabular-data-resource",
        "name": "figures",
        "path": "figures.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(table),
        "hash": f"sha256:{sha256(table).hex()}",
        "schema": {
            "fields": [
                _field("date", "date", "The day.", {"required": True}),
                _field("region", "string", "Code of the authority.", {"required": True}),
                _field(
                    "figure",
                    "string",
                    " ".join(f"{figure.name}: {figure.about}" for figure in FIGURES),
                    {"required": True, "enum": [figure.name for figure in FIGURES]},
                ),
                _field(
                    "people",
                    "integer",
                    f"The count with its noise. Blank: fewer than {OPEN_DATA.small}, or not "
                    "counted.",
                    {"minimum": OPEN_DATA.small},
                ),
                _field(
                    "noise_95",
                    "integer",
                    "The noise lies between minus this and this with a probability of 95 %.",
                    {"required": True, "minimum": 0},
                ),
            ],
            "primaryKey": ["date", "region", "figure"],
            "missingValues": [""],
        },
    }


def _field(name: str, kind: str, about: str, rules: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "description": about, "constraints": rules}

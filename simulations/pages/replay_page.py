"""A recorded run as one HTML page that needs no network: replay, links, logs and scores."""

import csv
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.pages.floor import floor_columns
from simulations.pages.recording import (
    CONTACTS,
    LOGS,
    MANIFEST,
    POSITIONS,
    TRUTH,
    expect_own_files,
)
from simulations.settings.scenario import scenario_of_keys
from simulations.studies.sweep_folder import PLAN
from simulations.studies.sweep_tables import ADOPTION, POINTS
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.whole_file import write_whole

_MOST_FRAMES: Final = 720
_TOKEN_SHOWN: Final = 12
_MARGIN_M: Final = 0.8
_EDGE_M: Final = 0.1  # beyond the outermost wall


def save_page(folder: Path, path: Path, *, sweep: Path | None = None) -> None:
    """Write the page of the run in ``folder``, with the curve of a ``sweep`` if given.

    Raises:
        StoreError: the folder holds no complete run, ``sweep`` is no finished sweep over adoption,
            or the page can't be written.
    """
    curve: dict[str, object] = {} if sweep is None else {"adoption": adoption_curve(sweep)}
    try:
        if sweep is not None:
            curve["adoption_of"] = _sweep_of(sweep, folder)
        page = _page(folder, curve)
    except FileNotFoundError as error:
        raise StoreError(
            f"{folder} holds no complete run ({Path(error.filename).name} is missing); make one "
            "in an empty folder: tracetogether simulate run SCENARIO --out DIR"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} holds a damaged run: {error}") from None
    write_whole(path, page)


def adoption_curve(sweep: Path) -> list[list[float]]:
    """Return rows of adoption, and the low, median and high share of contacts recorded.

    Raises:
        StoreError: the folder holds no finished sweep over adoption.
    """
    file = sweep / f"{POINTS}.csv"
    low, high = "recorded_low", "recorded_high"
    try:
        every = list(_rows(file))
        if failed := sum(int(row.get("failed") or 0) for row in every):
            raise ValueError(f"{failed} of its runs failed")  # noqa: TRY301 - said below
        rows = [row for row in every if row["recorded"]]
        return [
            # A single run has no interval: low and high are the share itself.
            [float(row[name] or row["recorded"]) for name in (ADOPTION, low, "recorded", high)]
            for row in rows
        ]
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{sweep} holds no finished sweep over adoption ({error}); make one in an "
            "empty folder: tracetogether simulate sweep SCENARIO --vary adoption=0.1:1.0:10 "
            "--out DIR"
        ) from None


def _sweep_of(sweep: Path, folder: Path) -> str:
    """Return a sentence that describes a sweep.

    Raises:
        StoreError: another scenario than the run in ``folder``.
        OSError, ValueError, KeyError, TypeError: the run can't be read.
    """
    if not (sweep / PLAN).exists():
        return "Of a sweep that does not say what it played."
    try:
        plan = json.loads((sweep / PLAN).read_text("utf-8"))["plan"]
        name, every = plan["scenario"], [dict(settings) for settings in plan["settings"]]
        fixed = {key: value for key, value in every[0].items() if key != ADOPTION}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise StoreError(f"{sweep / PLAN} is damaged; play the sweep again") from None
    played = json.loads((folder / MANIFEST).read_text("utf-8"))["scenario"]
    if name != played:
        raise StoreError(
            f"{sweep} is a sweep of {name}, but {folder} is a run of {played}: leave out --sweep, "
            f"or give a sweep of {played}"
        )
    words = ", ".join(f"{key} = {value}" for key, value in fixed.items()) or "as it comes"
    return f"A sweep of {name}: {words}; {len(set(plan['seeds']))} runs of each adoption."


def _page(folder: Path, curve: dict[str, object]) -> str:
    template = (resources.files("simulations.pages") / "report_page.html").read_text("utf-8")
    columns = page_columns(folder) | {"adoption": [], "adoption_of": ""} | curve
    text = json.dumps(columns, separators=(",", ":"), allow_nan=False)
    # Inside a script element "</" would end it early, and "<!--" would hide where it ends.
    return template.replace("@DATA@", text.replace("<", "\\u003c"))


def page_columns(folder: Path) -> dict[str, Any]:
    """Return the data of the page, as written into it."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    expect_own_files(manifest, folder)
    with np.load(folder / POSITIONS) as stored:
        xy, tick_s, app = stored["xy"], float(stored["tick_s"]), stored["app"].tolist()
    duration_s = float(manifest["duration_s"])
    stride = max(1, -(-xy.shape[1] // _MOST_FRAMES))
    scores = manifest["scores"]
    tokens: dict[str, int] = {}
    logs: dict[int, list[tuple[float, int, float, int | None]]] = {person: [] for person in app}
    for row in _rows(folder / LOGS):
        token = tokens.setdefault(row["token"][:_TOKEN_SHOWN], len(tokens))
        peer = int(row["peer"]) if row["peer"] else None
        at_s = round(float(row["time"]) - float(manifest["start"]), 1)
        logs[int(row["person"])].append((at_s, token, float(row["rssi_dbm"]), peer))
    for log in logs.values():
        log.sort(key=lambda record: record[0])
    contacts = list(_rows(folder / CONTACTS))
    floor = _floor(manifest)
    found, total = scores["found"], scores["found"] + scores["missed"]
    return {
        "title": f"{manifest['scenario']}: {manifest['title']}",
        "facts": (
            f"Seed {manifest['seed']}; {manifest['people']} people, {manifest['with_app']} with "
            f"the app; a contact is {scores['minutes']:g} minutes within {scores['within_m']:g} m. "
            f"Of {total} contacts with the app the authority's lists found {found} and missed "
            f"{scores['missed']}; {scores['false_contacts']} were listed falsely. "
            f"Digest {manifest['digest'][:16]}."
        ),
        "duration_s": duration_s,
        "within_m": scores["within_m"],
        "people": manifest["people"],
        "app": app,
        "every_s": stride * tick_s,
        "xy": _frames(xy[:, ::stride]),
        "box": _box(xy, floor.get("walls", [])),
        "floor": floor,
        "tokens": list(tokens),
        "logs": logs,
        "policy_minutes": scores["minutes"],
        "cases": _cases(app, contacts, _true_contacts(folder, scores["minutes"])),
        "lists": _lists(app, contacts),
        "minutes": [
            [float(row[key]) for key in ("true_minutes", "minutes_low", "minutes", "minutes_high")]
            for row in contacts
        ],
        "by_systems": scores["by_systems"],
        "by_distance": scores["by_distance"],
        "battery": scores["battery_percent_per_hour"],
    }


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _frames(xy: np.ndarray[Any, np.dtype[np.float32]]) -> list[list[list[int] | None]]:
    """Return frame -> person -> [x, y] in whole centimetres; None while absent."""
    whole = np.rint(np.nan_to_num(xy.swapaxes(0, 1)) * 100).astype(int).tolist()
    there = (~np.isnan(xy[..., 0])).T.tolist()
    return [
        [place if here else None for place, here in zip(places, present, strict=True)]
        for places, present in zip(whole, there, strict=True)
    ]


def _box(xy: np.ndarray[Any, np.dtype[np.float32]], walls: list[list[float]]) -> list[float]:
    """Return least x and y and greatest x and y to show: all people and walls, and a margin."""
    low, high = np.nanmin(xy, axis=(0, 1)) - _MARGIN_M, np.nanmax(xy, axis=(0, 1)) + _MARGIN_M
    ends = np.array(walls).reshape(-1, 2)
    if len(ends):
        low = np.minimum(low, ends.min(axis=0) - _EDGE_M)
        high = np.maximum(high, ends.max(axis=0) + _EDGE_M)
    return [float(value) for value in (*low, *high)]


def _floor(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return walls, doors and furniture of the run's venue; {} in runs of earlier versions."""
    try:
        scenario = scenario_of_keys(manifest["keys"], source=MANIFEST, placed=False)
    except (KeyError, ScenarioError):
        return {}
    return floor_columns(scenario.venue.room())


def _true_contacts(folder: Path, minutes: float) -> set[tuple[int, int]]:
    found = set()
    for row in _rows(folder / TRUTH):
        if float(row["minutes"]) >= minutes:
            person, other = int(row["person"]), int(row["other"])
            found |= {(person, other), (other, person)}
    return found


def _lists(app: list[int], contacts: list[dict[str, str]]) -> dict[int, list[list[Any]]]:
    """Return each index case's list, in its order.

    A line is: chance (None in runs of earlier versions), person, median, low and high minutes,
    nearest distance, true minutes.
    """
    figures = ("minutes", "minutes_low", "minutes_high", "nearest_m", "true_minutes")
    lists: dict[int, list[list[Any]]] = {person: [] for person in app}
    for row in contacts:
        chance = float(row["chance"]) if row.get("chance") else None
        person = int(row["person"]) if row["person"] else None
        line = [chance, person, *(float(row[name]) for name in figures)]
        lists[int(row["case"])].append(line)
    return lists


def _cases(
    app: list[int], contacts: list[dict[str, str]], true: set[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Return each index case with its found, missed and false contacts; most contacts first."""
    listed: dict[int, set[int]] = {person: set() for person in app}
    for row in contacts:
        if int(row["close_contact"]) and row["person"]:
            listed[int(row["case"])].add(int(row["person"]))
    cases: list[dict[str, Any]] = []
    for person in app:
        met = {other for other in app if (person, other) in true}
        cases.append(
            {
                "person": person,
                "found": sorted(met & listed[person]),
                "missed": sorted(met - listed[person]),
                "false": sorted(listed[person] - met),
            }
        )
    cases.sort(key=lambda case: (-len(case["found"]), -len(case["missed"]), case["person"]))
    return cases

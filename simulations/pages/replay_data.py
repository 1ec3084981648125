"""What the script of a run's page needs: positions, lists and logs, in columns as base64."""

import base64
import json
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from simulations.pages.kept_run import KeptRun, log_rows
from simulations.pages.outcomes import OutcomeColumns
from simulations.pages.plan_drawing import CaseMoment, PlanScale, frames_of
from simulations.pages.report_tables import list_rows

_MOST_PLACES: Final = 900_000  # positions in a page, some 5 MB
_MOST_RECORDS: Final = 300_000  # records of logs in a page, some 3 MB
_MOST_LINES: Final = 60_000  # lines of lists in a page, some 3 MB
_TOKEN_SHOWN: Final = 12
_ABSENT: Final = -32768
_MOST_WHOLE: Final = 32_000


def replay_json(
    run: KeptRun, lines: OutcomeColumns, moment: CaseMoment | None, scale: PlanScale
) -> Markup:
    """Return the data as JSON that is safe inside a script element."""
    ticks, stride = frames_of(run, _MOST_PLACES)
    xy = run.tracks.xy[:, ticks].swapaxes(0, 1).astype(np.float64)
    reach = float(np.nanmax(np.abs(xy), initial=1.0)) if len(xy) else 1.0
    unit_m = max(0.01, reach / _MOST_WHOLE)
    whole = np.where(np.isnan(xy), _ABSENT, np.rint(xy / unit_m)).astype("<i2")
    lists, cut = _lists(run, lines, moment)
    data = {
        "frames": _base64(whole),
        "people": run.people,
        "every_s": stride * run.tracks.tick_s,
        "unit_m": unit_m,
        "duration_s": run.duration_s,
        "now_s": 0.0 if moment is None else moment.tick * run.tracks.tick_s,
        "case": None if moment is None else moment.case,
        "plan": {"left_m": scale.left_m, "top_m": scale.top_m, "per_m": scale.per_m},
        "groups": list(run.groups) if any(run.groups) else [],
        "lists": lists,
        "lists_cut": cut,
        "log": _log(run, moment),
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    # Inside a script element "</" would end it early, and "<!--" would hide where it ends.
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON without the character "<"


def _lists(
    run: KeptRun, lines: OutcomeColumns, moment: CaseMoment | None
) -> tuple[dict[int, list[list[Any]]], bool]:
    """Return the lines of each case, and whether those without a contact were left out of some."""
    cases = _first(run, moment)
    whole: dict[int, list[list[Any]]] = {}
    number, cut = 0, False
    for case in cases:
        rows = list_rows(lines, case)
        if number + len(rows) > _MOST_LINES and whole:
            rows, cut = [row for row in rows if row[1] < 5], True
        whole[case] = rows
        number += len(rows)
    return whole, cut


def _first(run: KeptRun, moment: CaseMoment | None) -> list[int]:
    """Return the cases, that of the moment first."""
    first = [] if moment is None else [moment.case]
    return first + [case for case in run.cases.tolist() if case not in first]


def _log(run: KeptRun, moment: CaseMoment | None) -> dict[str, Any]:
    """Return the records of as many cases as fit: columns, and where each case's rows begin."""
    rows = log_rows(run)
    person = np.array(rows["person"], dtype=np.str_).astype(np.int64) if rows["person"] else None
    if person is None:
        empty = {case: [0, 0] for case in run.cases.tolist()}
        return {"bounds": empty, "time": "", "token": "", "rssi": "", "tokens": [], "unit_s": 1}
    time = np.array([float(text) for text in rows["time"]]) - float(run.manifest["start"])
    numbers: dict[str, int] = {}
    token = np.array([numbers.setdefault(text, len(numbers)) for text in rows["token"]])
    peers = dict(zip(rows["token"], rows["peer"], strict=True))
    rssi = np.array([float(text) for text in rows["rssi_dbm"]])
    unit_s = max(1.0, float(time.max()) / 65_000)
    chosen: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    bounds: dict[int, list[int]] = {}
    total = 0
    by_person = np.argsort(person, kind="stable")
    for case in _first(run, moment):
        begin, end = np.searchsorted(person, [case, case + 1], sorter=by_person).tolist()
        if total + end - begin > _MOST_RECORDS:
            continue
        own = by_person[begin:end]
        chosen.append(own[np.argsort(time[own], kind="stable")])
        bounds[case] = [total, total + end - begin]
        total += end - begin
    order = np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)
    used, renumbered = np.unique(token[order], return_inverse=True)
    texts = list(numbers)
    return {
        "bounds": bounds,
        "time": _base64((np.maximum(time[order], 0) / unit_s).astype("<u2")),
        "token": _base64(renumbered.astype("<u4")),
        "rssi": _base64(np.clip(np.rint(rssi[order]), -128, 127).astype("i1")),
        "tokens": [
            [texts[number][:_TOKEN_SHOWN], int(peers[texts[number]] or -1)]
            for number in used.tolist()
        ],
        "unit_s": unit_s,
    }


def _base64(values: "np.ndarray[Any, Any]") -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")

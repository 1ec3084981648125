"""The detection numbers that epidemic simulators want, for OpenABM-Covid19 and covasim.

Those simulators put one number set by hand in the place of Bluetooth and phones. Here it is
computed, with its interval, and written in their own form beside a note of its meaning.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from simulations.studies.sweep import Point
from tracetogether.errors import StoreError
from tracetogether.units import Interval
from tracetogether.whole_file import write_whole

LAYERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "train-carriage": "c",
        "tram": "c",
        "bus": "c",
        "hawker-centre": "c",
        "conference": "c",
        "stadium-exit": "c",
        "lift": "c",
        "queue": "c",
        "corridor-pass": "c",
        "party": "c",
        "office-day": "w",
        "hospital-ward": "w",
        "classroom": "s",
        "dormitory": "h",
    }
)
"""Scenario -> covasim's layer: household, school, work or community."""

AGES: Final = ("0_9", "10_19", "20_29", "30_39", "40_49", "50_59", "60_69", "70_79", "80")
"""Age groups of OpenABM-Covid19's ``app_users_fraction_*``."""

SIMULATORS: Final = ("openabm", "covasim")
NOTE: Final = "README.txt"
OPENABM: Final = "openabm_parameters.csv"
COVASIM: Final = "covasim_contact_tracing.json"


@dataclass(frozen=True, slots=True)
class Detection:
    """What a sweep found of one scenario.

    Attributes:
        scenario: its name.
        adoption: share of people with the app.
        both: share found of contacts both of whom have the app, with its interval.
        everybody: share found of all contacts, with its interval.
        policy: what counted as a contact, in words.
        runs: how many runs.
    """

    scenario: str
    adoption: float
    both: Interval
    everybody: Interval
    policy: str
    runs: int

    @classmethod
    def of(cls, scenario: str, point: Point, *, adoption: float, policy: str) -> "Detection":
        """Return what the runs of one setting found.

        Raises:
            StoreError: there was no true contact, so that there is no share.
        """
        if point.tif is None or point.found is None:
            raise StoreError(
                f"in {scenario} no two people with the app were in contact, so there is no share "
                "to export: raise --seeds, adoption or policy.minutes"
            )
        runs = point.runs - point.failed
        return cls(scenario, adoption, point.tif, point.found, policy, runs)


def export(found: Sequence[Detection], simulator: str, folder: Path) -> Path:
    """Write the numbers in a simulator's form, and a note of what they mean.

    Args:
        found: one per scenario; covasim takes the mean of those on one layer.
        simulator: one of SIMULATORS.
        folder: made if need be.

    Returns:
        The file with the numbers.

    Raises:
        StoreError: it can't be written, or holds something already.
    """
    table = _openabm(found) if simulator == "openabm" else _covasim(found)
    target = folder / (OPENABM if simulator == "openabm" else COVASIM)
    note = folder / NOTE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(file.exists() for file in (target, note)):
            raise StoreError(f"{folder} holds an export already; nothing was overwritten")
    except OSError as error:
        raise StoreError(f"can't write into {folder}: {error.strerror or error}") from None
    write_whole(note, _note(found, simulator))
    write_whole(target, table)  # the last: a folder with it is complete
    return target


def _openabm(found: Sequence[Detection]) -> str:
    """Return a parameter file: names in the first line, a line of values per scenario and bound."""
    names = [
        "scenario",
        "bound",
        "traceable_interaction_fraction",
        *(f"app_users_fraction_{age}" for age in AGES),
    ]
    lines = [",".join(names)]
    for one in found:
        users = [f"{one.adoption:.6g}"] * len(AGES)
        for bound, value in (
            ("median", one.both.median),
            ("low", one.both.low),
            ("high", one.both.high),
        ):
            lines.append(",".join([one.scenario, bound, f"{value:.6g}", *users]))
    return "\n".join(lines) + "\n"


def _covasim(found: Sequence[Detection]) -> str:
    """Return JSON whose "median", "low" and "high" are arguments of ``cv.contact_tracing``."""
    by_layer: dict[str, list[Detection]] = {}
    for one in found:
        by_layer.setdefault(LAYERS.get(one.scenario, "c"), []).append(one)
    document: dict[str, object] = {}
    for bound in ("median", "low", "high"):
        document[bound] = {
            "trace_probs": {
                layer: round(_mean(getattr(one.everybody, bound) for one in ones), 6)
                for layer, ones in sorted(by_layer.items())
            },
            "trace_time": dict.fromkeys(sorted(by_layer), 0),
        }
    document["scenarios"] = {
        layer: [one.scenario for one in ones] for layer, ones in sorted(by_layer.items())
    }
    return json.dumps(document, indent=2) + "\n"


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return sum(every) / len(every)


_MEANINGS: Final = {
    "openabm": """\
For OpenABM-Covid19 (github.com/BDI-pathogens/OpenABM-Covid19), file {file}:
names in the first line, values below, as in its own parameter files; "scenario" and "bound" say
what a line is about and are to be left out when the rest is merged into a parameter file.

traceable_interaction_fraction: "fraction of interactions that are captured if both users have the
  app". Here: of all pairs who were in contact by the policy and both had the app, the share that
  the authority's contact list calls a close contact. OpenABM draws it for every interaction of a
  day; the pairs counted here are those that meet the policy, so shorter interactions are captured
  less.
app_users_fraction_AGE: share of an age group with the app; here everybody's, people have no age.
  Set your own, the fraction above does not hang on it.
""",
    "covasim": """\
For covasim (github.com/InstituteforDiseaseModeling/covasim), file {file}:
"median", "low" and "high" are each arguments of its intervention:

  import covasim as cv, json
  numbers = json.load(open("{file}"))["median"]
  tracing = cv.contact_tracing(**numbers)

trace_probs: "probability of tracing, per layer" (h household, s school, w work, c community).
  Covasim knows no app users, so this is the share of ALL contacts by the policy, whether the two
  have the app or not, that the contact list holds: about adoption squared times what the app
  finds. A layer that is not named is not traced. Where several scenarios share a layer it is
  their mean.
trace_time: days until contacts are told; 0, because the list is there on the day of the upload.
""",
}


def _note(found: Sequence[Detection], simulator: str) -> str:
    target = OPENABM if simulator == "openabm" else COVASIM
    lines = [
        "Detection numbers computed by tracetogether's crowd simulator.",
        "",
        _MEANINGS[simulator].format(file=target),
        "low and high are the central 90 %, by resampling runs. They tell chance, not what a",
        "scenario leaves out.",
        "",
    ]
    lines += [
        f"{one.scenario}: adoption {one.adoption:g}, {one.policy}, {one.runs} runs: of contacts "
        f"with the app on both sides {_three(one.both)}, of all contacts {_three(one.everybody)}"
        for one in found
    ]
    return "\n".join(lines) + "\n"


def _three(value: Interval) -> str:
    return f"{value.median:.3f} ({value.low:.3f} - {value.high:.3f})"


def read_openabm(file: Path) -> list[dict[str, str]]:
    """Return the lines of an exported parameter file, name -> text."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))

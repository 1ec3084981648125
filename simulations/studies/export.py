"""Detection rates for the epidemic simulators OpenABM-Covid19 and covasim.

Those simulators replace Bluetooth and phones by one number set by hand. This module writes the
computed number with its interval, in their own formats, with a note that explains it.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from simulations.provenance import provenance
from simulations.scores.intervals import Measured
from simulations.settings.scenario import LAYERS, NO_LAYER
from simulations.studies.sweep import Point
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.whole_file import write_whole

AGES: Final = ("0_9", "10_19", "20_29", "30_39", "40_49", "50_59", "60_69", "70_79", "80")
"""Age groups of OpenABM-Covid19's ``app_users_fraction_*``."""

SIMULATORS: Final = ("openabm", "covasim")
NOTE: Final = "README.txt"
OPENABM: Final = "openabm_parameters.csv"
COVASIM: Final = "covasim_contact_tracing.json"
FALSE_CONTACTS: Final = "false_contacts.csv"
COVASIM_SCRIPT: Final = "covasim_run.py"
_BOUNDS: Final = ("median", "low", "high")
_LAYER_WORDS: Final = ", ".join(f"{letter} {name}" for letter, name in LAYERS.items())


@dataclass(frozen=True, slots=True)
class Detection:
    """What a sweep found in one scenario.

    Attributes:
        scenario: its name.
        layer: layer of contacts that it belongs to, one of LAYERS, or NO_LAYER.
        adoption: share of people with the app.
        both: share of contacts found if both people have the app, with its interval.
        everybody: share of all contacts found, with its interval.
        false_per_person_hour: number of people listed wrongly, per person (with the app or without)
            and hour in the scenario, with its interval.
        hours: mean time that a person is there.
        policy: what counts as a contact, in words.
        runs: number of runs.
    """

    scenario: str
    layer: str
    adoption: float
    both: Measured
    everybody: Measured
    false_per_person_hour: Measured
    hours: float
    policy: str
    runs: int

    @classmethod
    def of(
        cls, scenario: str, point: Point, *, layer: str, adoption: float, policy: str
    ) -> "Detection":
        """Return the result of all runs of one setting.

        Raises:
            StoreError: there was no true contact, so no share can be given.
        """
        if point.tif is None or point.found is None or point.false_per_person_hour is None:
            raise StoreError(
                f"in {scenario} no two people with the app were in contact {policy}, so there is "
                "no share to export: set people.adoption higher, policy.minutes lower or "
                "duration_s longer, or raise --seeds"
            )
        return cls(
            scenario,
            layer,
            adoption,
            point.tif,
            point.found,
            point.false_per_person_hour,
            point.hours_per_person,
            policy,
            point.runs - point.failed,
        )


def expect_layer(scenario: str, layer: str) -> None:
    """Refuse a missing or unknown layer, whose contacts would count in another one.

    Raises:
        ScenarioError: there is no layer, or it is not known.
    """
    if layer not in LAYERS:
        wrong = "no layer is named" if layer == NO_LAYER else f"there is no layer {layer!r}"
        raise ScenarioError(
            f"{scenario}: {wrong}: write --scenario {scenario}=LAYER, or the key 'layer' in the "
            f"file. Layers are {_LAYER_WORDS}"
        )


def export(found: Sequence[Detection], simulator: str, folder: Path) -> Path:
    """Write the numbers in a simulator's format, the false contacts, and a note about them.

    Args:
        found: one per scenario; covasim gets the mean over scenarios of one layer.
        simulator: one of SIMULATORS.
        folder: created if it is missing.

    Returns:
        The file with the numbers.

    Raises:
        ScenarioError: covasim needs layers, and a scenario has no known one.
        StoreError: the files can't be written, or one exists already.
    """
    if simulator == "covasim":
        for detection in found:
            expect_layer(detection.scenario, detection.layer)
    target = folder / (OPENABM if simulator == "openabm" else COVASIM)
    texts = {
        folder / FALSE_CONTACTS: _false_contacts(found),
        folder / NOTE: _note(found, simulator),
    }
    if simulator == "covasim":
        script = resources.files("simulations.studies") / "covasim_run.txt"
        texts[folder / COVASIM_SCRIPT] = script.read_text("utf-8")
    # The last: a folder with it is complete.
    texts[target] = _openabm(found) if simulator == "openabm" else _covasim(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(file.exists() for file in texts):
            raise StoreError(f"{folder} holds an export already; nothing was overwritten")
        for file, text in texts.items():
            write_whole(file, text)
    except OSError as error:
        raise StoreError(f"can't write into {folder}: {error.strerror or error}") from None
    return target


def _bounds_of(values: Sequence[Measured]) -> dict[str, float]:
    """Return the mean of each bound; without low and high where a value lacks an interval."""
    columns = {bound: [getattr(value, bound) for value in values] for bound in _BOUNDS}
    return {
        bound: round(sum(column) / len(column), 6)
        for bound, column in columns.items()
        if None not in column
    }


def _openabm(found: Sequence[Detection]) -> str:
    """Return a parameter file: names in the first line, a line of values per scenario and bound."""
    names = [
        "scenario",
        "bound",
        "traceable_interaction_fraction",
        *(f"app_users_fraction_{age}" for age in AGES),
    ]
    lines = [names]
    for detection in found:
        users = [f"{detection.adoption:.6g}"] * len(AGES)
        for bound, value in _bounds_of([detection.both]).items():
            lines.append([detection.scenario, bound, f"{value:.6g}", *users])
    return _csv(lines)


def _covasim(found: Sequence[Detection]) -> str:
    """Return JSON whose "median", "low" and "high" are arguments of ``cv.contact_tracing``."""
    by_layer: dict[str, list[Detection]] = {}
    for detection in sorted(found, key=lambda detection: detection.layer):
        by_layer.setdefault(detection.layer, []).append(detection)

    def of_layers(field: str) -> dict[str, list[Any]]:
        return {layer: [getattr(row, field) for row in rows] for layer, rows in by_layer.items()}

    shares, false = (
        {layer: _bounds_of(values) for layer, values in of_layers(field).items()}
        for field in ("everybody", "false_per_person_hour")
    )
    document: dict[str, object] = {}
    whole = [bound for bound in _BOUNDS if all(bound in means for means in shares.values())]
    for bound in whole:
        document[bound] = {
            "trace_probs": {name: means[bound] for name, means in shares.items()},
            "trace_time": dict.fromkeys(by_layer, 0),
        }
    document["false_per_person_hour"] = {
        bound: {name: means[bound] for name, means in false.items()} for bound in whole
    }
    document["hours_a_day"] = {
        layer: round(sum(hours) / len(hours), 6) for layer, hours in of_layers("hours").items()
    }
    document["scenarios"] = of_layers("scenario")
    document["versions"] = dict(provenance().versions)
    return json.dumps(document, indent=2) + "\n"


def _false_contacts(found: Sequence[Detection]) -> str:
    lines = [["scenario", "layer", "bound", "false_per_person_hour", "hours_a_day"]]
    for detection in found:
        names, hours = [detection.scenario, detection.layer], f"{detection.hours:.6g}"
        for bound, value in _bounds_of([detection.false_per_person_hour]).items():
            lines.append([*names, bound, f"{value:.6g}", hours])
    return _csv(lines)


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


_MEANINGS: Final[Mapping[str, str]] = {
    "openabm": """\
For OpenABM-Covid19 (github.com/BDI-pathogens/OpenABM-Covid19), file {file}:
names in the first line, values below; "scenario" and "bound" say what a line is about. OpenABM
reads its own parameter files by position, so set these values by name, after reading such a file
into params, its COVID19.model.Parameters:

  import csv
  from pathlib import Path
  lines = csv.DictReader(Path("{file}").read_text("utf-8").splitlines())
  wanted = ("{scenario}", "median")
  row = next(line for line in lines if (line.pop("scenario"), line.pop("bound")) == wanted)
  params.set_param_dict({{name: float(value) for name, value in row.items()}})

traceable_interaction_fraction: "fraction of interactions that are captured if both users have the
  app". Here: of all pairs who were in contact by the policy and both had the app, the share that
  the authority's contact list calls a close contact. OpenABM draws it for every interaction of a
  day; the pairs counted here are those that meet the policy, so shorter interactions are captured
  less. OpenABM has one such fraction for all its networks: choose one line, or weigh several.
app_users_fraction_AGE: share of an age group with the app; here everybody's, people have no age.
  Set your own, the fraction above does not depend on it.
False contacts: OpenABM traces only interactions that took place and has no parameter for people
  who are listed wrongly. {false} has their rate, to add their quarantine to the result.
""",
    "covasim": """\
For covasim (github.com/InstituteforDiseaseModeling/covasim), file {file}:
"median", "low" and "high" are each arguments of its intervention contact_tracing. The script
{script} runs as it is and prints what the tracing averts:

  pip install "covasim>=4"
  python {script}

trace_probs: "probability of tracing, per layer" ({layers}).
  Covasim knows no app users, so this is the share of ALL contacts by the policy, whether the two
  have the app or not, that the contact list holds: about adoption squared times what the app
  finds. A layer that is not named is not traced. Where several scenarios share a layer it is
  their mean.
  Use pop_type="hybrid", which has these layers: covasim's default population has one layer, "a",
  and traces nobody by these numbers, without a word.
trace_time: days until contacts are notified; 0, because the list exists on the day of the upload.
false_per_person_hour: see below; for each case the script quarantines this number of people, chosen
  at random.
hours_a_day: how long a person is in such a scenario, one stay a day; set your own.
""",
}


def _note(found: Sequence[Detection], simulator: str) -> str:
    target = OPENABM if simulator == "openabm" else COVASIM
    made_by = provenance()
    lines = [
        "Detection numbers computed by tracetogether's crowd simulator.",
        "",
        _MEANINGS[simulator].format(
            file=target,
            scenario=found[0].scenario,
            script=COVASIM_SCRIPT,
            false=FALSE_CONTACTS,
            layers=_LAYER_WORDS,
        ),
        "false_per_person_hour: number of people listed as a contact who were none by the policy,",
        "per person (with the app or without) and hour in the scenario. It grows with the number",
        "of app users, so it is valid for the adoption below.",
        "",
        "low and high are the central 90 % over runs, wider for few runs; one run has neither.",
        "They show random variation, not what a scenario leaves out.",
        "",
    ]
    lines += [
        f"{detection.scenario} (layer {detection.layer}): adoption {detection.adoption:g}, "
        f"{detection.policy}, {detection.runs} runs. Found of contacts with the app on both sides: "
        f"{_three(detection.both)}; of all contacts: {_three(detection.everybody)}. Falsely listed "
        f"per person and hour: {_three(detection.false_per_person_hour)}."
        for detection in found
    ]
    versions = ", ".join(f"{name} {version}" for name, version in made_by.versions.items())
    lines += ["", f"Computed with {versions}; code and tables {made_by.digest}."]
    return "\n".join(lines) + "\n"


def _three(value: Measured) -> str:
    if value.low is None:
        return f"{value.median:.3f} (one run: no interval)"
    return f"{value.median:.3f} ({value.low:.3f} - {value.high:.3f})"

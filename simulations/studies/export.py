"""The detection numbers that epidemic simulators want, for OpenABM-Covid19 and covasim.

Those simulators put one number set by hand in the place of Bluetooth and phones. Here it is
computed, with its interval, and written in their own form beside a note of its meaning.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

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
    """What a sweep found of one scenario.

    Attributes:
        scenario: its name.
        layer: which layer of contacts it stands for, one of LAYERS, or NO_LAYER.
        adoption: share of people with the app.
        both: share found of contacts both of whom have the app, with its interval.
        everybody: share found of all contacts, with its interval.
        false_per_person_hour: how many people who were no contact are listed, per person (with the
            app or without) and hour in the scenario, with its interval.
        hours: how long a person is there.
        policy: what counted as a contact, in words.
        runs: how many runs.
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
        """Return what the runs of one setting found.

        Raises:
            StoreError: there was no true contact, so that there is no share.
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
    """Refuse what is no layer: its contacts would count among others.

    Raises:
        ScenarioError: no layer is named, or one that is not known.
    """
    if layer not in LAYERS:
        wrong = "no layer is named" if layer == NO_LAYER else f"there is no layer {layer!r}"
        raise ScenarioError(
            f"{scenario}: {wrong}: write --scenario {scenario}=LAYER, or the key 'layer' in the "
            f"file. Layers are {_LAYER_WORDS}"
        )


def export(found: Sequence[Detection], simulator: str, folder: Path) -> Path:
    """Write the numbers in a simulator's form, false contacts, and a note of what they mean.

    Args:
        found: one per scenario; covasim takes the mean of those on one layer.
        simulator: one of SIMULATORS.
        folder: made if need be.

    Returns:
        The file with the numbers.

    Raises:
        ScenarioError: covasim wants layers, and a scenario has none that is known.
        StoreError: the files can't be written, or one is there already.
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
    """Return the mean of each bound that all of them have: of one run there is no interval."""
    means = {}
    for bound in _BOUNDS:
        every = [one for value in values if (one := getattr(value, bound)) is not None]
        if len(every) == len(values):
            means[bound] = round(sum(every) / len(every), 6)
    return means


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
    for detection in found:
        by_layer.setdefault(detection.layer, []).append(detection)
    layers = dict(sorted(by_layer.items()))
    shares = {name: _bounds_of([one.everybody for one in of]) for name, of in layers.items()}
    false = {
        name: _bounds_of([one.false_per_person_hour for one in of]) for name, of in layers.items()
    }
    document: dict[str, object] = {}
    whole = [bound for bound in _BOUNDS if all(bound in means for means in shares.values())]
    for bound in whole:
        document[bound] = {
            "trace_probs": {name: means[bound] for name, means in shares.items()},
            "trace_time": dict.fromkeys(layers, 0),
        }
    document["false_per_person_hour"] = {
        bound: {name: means[bound] for name, means in false.items()} for bound in whole
    }
    document["hours_a_day"] = {
        name: round(sum(one.hours for one in of) / len(of), 6) for name, of in layers.items()
    }
    document["scenarios"] = {name: [one.scenario for one in of] for name, of in layers.items()}
    document["versions"] = dict(provenance().versions)
    return json.dumps(document, indent=2) + "\n"


def _false_contacts(found: Sequence[Detection]) -> str:
    lines = [["scenario", "layer", "bound", "false_per_person_hour", "hours_a_day"]]
    for one in found:
        for bound, value in _bounds_of([one.false_per_person_hour]).items():
            lines.append([one.scenario, one.layer, bound, f"{value:.6g}", f"{one.hours:.6g}"])
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
trace_time: days until contacts are told; 0, because the list is there on the day of the upload.
false_per_person_hour: see below; the script quarantines so many people at random for each case.
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
        "false_per_person_hour: how many people who were no contact by the policy are listed as",
        "one, per person (with the app or without) and hour in the scenario. More app users list",
        "more of them: it is for the adoption below.",
        "",
        "low and high are the central 90 % over runs, wider for few runs; one run has neither.",
        "They tell chance, not what a scenario leaves out.",
        "",
    ]
    lines += [
        f"{one.scenario} (layer {one.layer}): adoption "
        f"{one.adoption:g}, {one.policy}, {one.runs} runs: of contacts with the app on both sides "
        f"{_three(one.both)}, of all contacts {_three(one.everybody)}, falsely listed per person "
        f"and hour {_three(one.false_per_person_hour)}"
        for one in found
    ]
    versions = ", ".join(f"{name} {version}" for name, version in made_by.versions.items())
    lines += ["", f"Computed with {versions}; code and tables {made_by.digest}."]
    return "\n".join(lines) + "\n"


def _three(value: Measured) -> str:
    if value.low is None:
        return f"{value.median:.3f} (one run: no interval)"
    return f"{value.median:.3f} ({value.low:.3f} - {value.high:.3f})"


def read_openabm(file: Path) -> list[dict[str, str]]:
    """Return the lines of an exported parameter file, name -> text."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))

"""Many runs over settings and seeds, on any number of workers, resumable and reproducible.

A part is one run: (scenario, settings, seed). It holds the scenario's text, not the path of its
file. So every worker, wherever it is, builds the same run and returns the same row of numbers.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from simulations.one_run import Run, fidelity_of, run
from simulations.provenance import Provenance, digest_of, provenance
from simulations.scores.breakdown import break_down
from simulations.scores.intervals import Measured, rate_of_groups, share_of_groups
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.scenario import Scenario, ScenarioText, full_key, scenario_text
from simulations.studies.executors import executor_of
from simulations.studies.sweep_folder import SweepFolder, SweepRow
from tracetogether.errors import ScenarioError, StoreError, UnreachableError
from tracetogether.units import Interval


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a sweep: everything that a worker needs to know.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's.
        seed: of all random draws.
        cases: number of index cases; everybody with the app if None.
        fidelity: how it is simulated.
        keys: digest of every key as simulated: the file's, defaults and settings.
        made_by: version, code and tables of the process that made the plan, as JSON.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    seed: int
    cases: int | None
    fidelity: str
    keys: str
    made_by: str

    @property
    def name(self) -> str:
        """Return a unique name: a digest of everything that the part's row depends on."""
        depends_on = asdict(self)
        del depends_on["scenario"]  # ``keys`` covers it
        return digest_of(depends_on)[:24]


def values_of(text: str) -> list[str]:
    """Return the values of ``low:high:count`` or ``a,b,c``, as text.

    Raises:
        ScenarioError: the text has neither form, or holds no value.
    """
    wrong = ScenarioError(
        f"{text!r} is neither LOW:HIGH:COUNT, such as 0.1:1.0:10, nor values with commas"
    )
    if ":" in text:
        try:
            low, high, count = text.split(":")
            values = [f"{value:.10g}" for value in np.linspace(float(low), float(high), int(count))]
        except ValueError:
            raise wrong from None
    else:
        values = [value.strip() for value in text.split(",") if value.strip()]
    if not values:
        raise wrong
    return values


def value_text(value: object) -> str:
    """Return a value of Python as a setting has it on the command line.

    >>> value_text(0.32), value_text(True), value_text("stay")
    ('0.32', 'true', 'stay')
    """
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str) else json.dumps(value)


def plan(
    scenario: ScenarioText | str | Path,
    vary: Mapping[str, Sequence[str]],
    *,
    seeds: int,
    settings: Mapping[str, str],
    cases: int | None = None,
    fidelity: str = "auto",
) -> list[Part]:
    """Return one part for each combination of values with each seed, 1 to ``seeds``.

    Args:
        scenario: name, file or text.
        vary: key -> values.
        seeds: runs of each combination.
        settings: key -> value, the same in all parts.
        cases: number of index cases; everybody with the app if None.
        fidelity: see ``run``.

    Raises:
        ScenarioError: there is no such scenario, key or fidelity, or a key is given twice.
    """
    text = scenario if isinstance(scenario, ScenarioText) else scenario_text(scenario)
    fidelity_of(text.read(settings), fidelity)
    names = [full_key(word).name for word in vary]
    fixed = {full_key(word).name: value for word, value in settings.items()}
    if twice := {name for name in names if name in fixed or names.count(name) > 1}:
        raise ScenarioError(f"{', '.join(sorted(twice))} is given twice: name each key once")
    made_by = json.dumps(provenance().to_json(), sort_keys=True)
    parts = []
    for values in itertools.product(*vary.values()):
        chosen = fixed | dict(zip(names, values, strict=True))
        part = Part(
            text, tuple(sorted(chosen.items())), 0, cases, fidelity, _keys(text, chosen), made_by
        )
        parts += [replace(part, seed=seed) for seed in range(1, seeds + 1)]
    return parts


def scenarios_of(parts: Sequence[Part]) -> list[Scenario]:
    """Return each valid scenario among the parts once."""
    found = []
    for part in {part.keys: part for part in parts}.values():
        with suppress(ScenarioError):
            found.append(part.scenario.read(dict(part.settings)))
    return found


def _keys(text: ScenarioText, settings: Mapping[str, str]) -> str:
    """Return the digest of every key as simulated; of the text if the scenario is not valid."""
    try:
        return digest_of(asdict(text.read(settings)))
    except ScenarioError:
        return digest_of(asdict(text))


def play(part: Part) -> SweepRow:
    """Simulate and score one part; return its row. A failure is a row with ``error``."""
    row = _row_of(part)
    try:
        _expect_the_same_code(part)
        scenario = part.scenario.read(dict(part.settings))
        played = run(scenario, seed=part.seed, fidelity=part.fidelity)
        scored = score_run(played, cases=part.cases)
        return row | {
            "digest": played.digest,
            "people": played.tracks.people,
            "with_app": len(played.app),
            "person_hours": float(played.tracks.present().sum()) * played.tracks.tick_s / 3600,
            **_contacts(played, scored),
            "scores": scored.scores.to_json() | break_down(played, scored).to_json(),
        }
    except Exception as error:  # noqa: BLE001 - a failure is data: the other parts go on
        return row | {"error": f"{type(error).__name__}: {error}"}


def _row_of(part: Part) -> SweepRow:
    """Return what is known of a part's row before it runs."""
    return {"settings": dict(part.settings), "seed": part.seed}


def _expect_the_same_code(part: Part) -> None:
    """Refuse a part that was planned by a process with other code or tables.

    Raises:
        StoreError: this process would give another result.
    """
    if differs := Provenance.from_json(json.loads(part.made_by)).differences(provenance()):
        raise StoreError(f"this worker would not play the same: {'; '.join(differs)}")


def _contacts(played: Run, scored: ScoredRun) -> dict[str, int]:
    """Return how many true contacts there were, had the app on both sides, and were recorded."""
    truth, least, people = scored.truth, scored.scores.policy.minutes, played.tracks.people
    first, second = truth.pairs_of(least, played.app)
    recorded = scored.opened.owner * people + scored.opened.peer
    both_ways = np.concatenate([first * people + second, second * people + first])
    return {
        "contacts": 2 * len(truth.pairs_of(least)[0]),
        "contacts_with_app": len(both_ways),
        "recorded": int(np.isin(both_ways, recorded).sum()),
    }


def sweep(
    parts: Sequence[Part],
    *,
    folder: Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[SweepRow]:
    """Run all parts that ``folder`` does not hold yet; return every row in the parts' order.

    Args:
        parts: the runs.
        folder: keeps every finished part; a sweep that was stopped continues from there. A part
            counts as finished only if scenario, version, code and tables are the same. A part that
            failed runs again.
        workers: number of processes; 1 runs in this process.
        cluster: address of a Dask scheduler, used instead of processes here.
        on_progress: called with (parts done, parts in all).

    Raises:
        StoreError: the folder holds another sweep, or can't be written, or a worker of the
            cluster has another version.
        UnreachableError: the cluster does not answer, or no longer does.
        MissingExtraError: Dask is not installed.
    """
    kept = None if folder is None else SweepFolder(folder)
    done = {} if kept is None else kept.open(_plan_of(parts), [part.name for part in parts])
    left = [part for part in parts if part.name not in done]

    def keep(part: Part, row: SweepRow) -> None:
        done[part.name] = row
        if kept is not None:
            kept.keep(part.name, row)
        if on_progress is not None:
            on_progress(len(done), len(parts))

    if workers == 1 and cluster is None:
        for part in left:
            keep(part, play(part))
    elif left:
        with executor_of(workers, cluster) as executor:
            waiting = {executor.submit(play, part): part for part in left}
            for future in as_completed(waiting):
                part = waiting[future]
                try:
                    row = future.result()
                except CancelledError:
                    raise UnreachableError(
                        f"the Dask scheduler at {cluster} went away, with {len(left)} runs to "
                        "play: start it again; the same command goes on from what --out kept"
                    ) from None
                except Exception as error:  # noqa: BLE001 - a worker died: the others go on
                    row = _row_of(part) | {"error": f"{type(error).__name__}: {error}"}
                keep(part, row)
    return [done[part.name] for part in parts]


def _plan_of(parts: Sequence[Part]) -> dict[str, object]:
    """Return what the command asked for, whatever the scenario's file holds now."""
    first = parts[0]
    return {
        "scenario": first.scenario.name,
        "settings": [[list(pair) for pair in part.settings] for part in parts],
        "seeds": [part.seed for part in parts],
        "cases": first.cases,
        "fidelity": first.fidelity,
    }


def digest(rows: Sequence[SweepRow]) -> str:
    """Return SHA-256 (hex) over all rows in canonical order."""
    texts = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


SHARES: Final = (
    "found",
    "recorded",
    "tif",
    "with_app",
    "kept",
    "falsely_listed",
    "false_per_person_hour",
)
"""The figures of a point, each with its interval."""


_OF_ROWS = ("recorded", "contacts", "contacts_with_app", "with_app", "person_hours", "people")
_OF_SCORES = ("found", "false_contacts", "missed", "cases")


@dataclass(frozen=True, slots=True)
class Point:
    """All seeds of one setting.

    Attributes:
        settings: what was set.
        runs, failed: number of seeds, and of failed ones.
        found: share of ALL true contacts (app or not) that contact lists hold, with its central
            90 % by runs, which a single run lacks; None without true contacts.
        recorded: share of all true contacts with an accepted record in the observer's log.
        tif: share of contacts found, counting only those with the app on both sides.
        with_app: share of all true contacts with the app on both sides.
        kept: share recorded of those.
        falsely_listed: share of people on contact lists who were no contact.
        false_per_person_hour: number of such people per person (app or not) and hour there.
        hours_per_person: mean time that a person is there.
    """

    settings: Mapping[str, str]
    runs: int
    failed: int
    found: Measured | None
    recorded: Measured | None
    tif: Measured | None
    with_app: Measured | None
    kept: Measured | None
    falsely_listed: Measured | None = None
    false_per_person_hour: Measured | None = None
    hours_per_person: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        shares = {
            name: None if (value := getattr(self, name)) is None else asdict(value)
            for name in SHARES
        }
        runs = {"runs": self.runs, "failed": self.failed}
        return {"settings": dict(self.settings), **runs, **shares}


def points(rows: Sequence[SweepRow]) -> list[Point]:
    """Return one point for each setting, in the order of the rows.

    A run is one group (``intervals.share_of_groups``). Where only some people were index cases,
    found contacts are scaled up to all people with the app.
    """
    by_setting: dict[tuple[tuple[str, str], ...], list[SweepRow]] = {}
    for row in rows:
        by_setting.setdefault(tuple(row["settings"].items()), []).append(row)
    found = []
    for setting, mine in by_setting.items():
        good = [row for row in mine if "error" not in row]
        logged, everybody, with_app, app, hours, people = (
            np.array([row[name] for row in good], dtype=np.float64) for name in _OF_ROWS
        )
        hits, false, missed, cases = (
            np.array([row["scores"][name] for row in good], dtype=np.float64) for name in _OF_SCORES
        )
        both = hits + missed
        sampled, taken = with_app / np.maximum(both, 1.0), app / np.maximum(cases, 1.0)
        all_have_it = len(good) > 0 and bool((app == people).all())
        found.append(
            Point(
                settings=dict(setting),
                runs=len(mine),
                failed=len(mine) - len(good),
                found=share_of_groups(hits * sampled, everybody),
                recorded=share_of_groups(logged, everybody),
                tif=share_of_groups(hits, both),
                # Not random if everybody has the app.
                with_app=Interval(1.0, 1.0, 1.0)
                if all_have_it and everybody.any()
                else share_of_groups(with_app, everybody),
                kept=share_of_groups(logged, with_app),
                falsely_listed=share_of_groups(false, hits + false),
                false_per_person_hour=rate_of_groups(false * taken, hours),
                hours_per_person=float(hours.sum() / max(people.sum(), 1.0)),
            )
        )
    return found

"""Many runs over settings and seeds, on any number of workers: resumable, and the same rows always.

A part is one run: (settings, seed). Each worker builds it anew from the scenario's file and
returns a small row of numbers, so it makes no difference who plays which part, or when.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from simulations.run import Run, fidelity_of, run
from simulations.scores.breakdown import recorded_pairs
from simulations.scores.breakdown_columns import take_apart
from simulations.scores.bulk_tracing import Judged, judge
from simulations.scores.pair_truth import PairTruth
from simulations.scores.scoring import fraction
from simulations.settings.scenario import full_key, load_scenario
from simulations.streams import Streams
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError
from tracetogether.units import Interval
from tracetogether.whole_file import write_whole

PLAN: Final = "sweep.json"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a sweep: what a worker is told, all of it."""

    scenario: str
    settings: tuple[tuple[str, str], ...]
    seed: int
    cases: int | None
    fidelity: str = "auto"

    @property
    def name(self) -> str:
        """Return a name that is this part's alone."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:24]


def values_of(text: str) -> list[str]:
    """Return the values that ``low:high:count`` or ``a,b,c`` stands for, as text.

    Raises:
        ScenarioError: it is neither.
    """
    if ":" not in text:
        return [one.strip() for one in text.split(",") if one.strip()]
    try:
        low, high, count = text.split(":")
        return [f"{value:.10g}" for value in np.linspace(float(low), float(high), int(count))]
    except ValueError:
        raise ScenarioError(
            f"{text!r} is neither LOW:HIGH:COUNT, such as 0.1:1.0:10, nor values with commas"
        ) from None


def plan(
    scenario: str,
    vary: Mapping[str, Sequence[str]],
    *,
    seeds: int,
    settings: Mapping[str, str],
    cases: int | None = None,
    fidelity: str = "auto",
) -> list[Part]:
    """Return the parts: every combination of values with seeds 1 to ``seeds``.

    Raises:
        ScenarioError: there is no such scenario, key or fidelity.
    """
    fidelity_of(load_scenario(scenario, settings), fidelity)
    names = [full_key(word).name for word in vary]
    fixed = {full_key(word).name: value for word, value in settings.items()}
    parts = []
    for values in itertools.product(*vary.values()):
        chosen = fixed | dict(zip(names, values, strict=True))
        ordered = tuple(sorted(chosen.items()))
        parts += [Part(scenario, ordered, seed, cases, fidelity) for seed in range(1, seeds + 1)]
    return parts


def play(part: Part) -> Row:
    """Play one part and return its row; a failure is a row with ``error``."""
    row: Row = {"settings": dict(part.settings), "seed": part.seed}
    try:
        scenario = load_scenario(part.scenario, dict(part.settings))
        played = run(scenario, seed=part.seed, fidelity=part.fidelity)
        judged = judge(played, cases=part.cases)
        apart = take_apart(played, judged)
        return row | {
            "digest": played.digest,
            "with_app": len(played.app),
            **_contacts(played, judged),
            "scores": judged.scores.to_json() | apart.to_json(),
        }
    except Exception as error:  # noqa: BLE001 - what fails is data: the other parts go on
        return row | {"error": f"{type(error).__name__}: {error}"}


def _contacts(played: Run, judged: Judged) -> dict[str, int]:
    """Return how many true contacts there were, of them with the app, and of these recorded."""
    truth, least = judged.truth, judged.scores.policy.minutes
    if isinstance(truth, PairTruth):
        everybody = np.arange(played.tracks.people)
        one, other = truth.pairs_of(least, played.app)
        held = judged.recorded_pairs(played.tracks.people)
        ways = np.concatenate([one * len(everybody) + other, other * len(everybody) + one])
        return {
            "contacts": 2 * len(truth.pairs_of(least, everybody)[0]),
            "contacts_with_app": len(ways),
            "recorded": int(np.isin(ways, held).sum()),
        }
    true = truth.minutes >= least
    with_app = np.ix_(played.app, played.app)
    return {
        "contacts": int(true.sum()),
        "contacts_with_app": int(true[with_app].sum()),
        "recorded": int((true[with_app] & recorded_pairs(played)).sum()),
    }


def sweep(
    parts: Sequence[Part],
    *,
    folder: Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Play all parts that are not in ``folder`` yet; return every row in the parts' order.

    Args:
        parts: what to play.
        folder: keeps every finished part; a sweep that was stopped goes on from there.
        workers: processes; 1 plays here.
        cluster: address of a Dask scheduler, instead of processes here.
        on_progress: told (parts done, parts in all).

    Raises:
        StoreError: the folder holds another sweep, or can't be written.
        MissingExtraError: Dask is not installed.
    """
    done = {} if folder is None else _kept(folder, parts)
    left = [part for part in parts if part.name not in done]

    def keep(part: Part, row: Row) -> None:
        done[part.name] = row
        if folder is not None:
            _write(folder / f"part-{part.name}.json", row)
        if on_progress is not None:
            on_progress(len(done), len(parts))

    if workers == 1 and cluster is None:
        for part in left:
            keep(part, play(part))
    elif left:
        with _executor(workers, cluster) as executor:
            waiting = {executor.submit(play, part): part for part in left}
            for future in as_completed(waiting):
                keep(waiting[future], future.result())
    return [done[part.name] for part in parts]


@contextmanager
def _executor(workers: int, cluster: str | None) -> Iterator[Executor]:
    if cluster is None:
        # Fresh processes: nothing of this one's state, on any system.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
            yield executor
        return
    try:
        dask = import_module("distributed")
    except ImportError:
        raise MissingExtraError("A sweep on a cluster", "cluster") from None
    with dask.Client(cluster) as client:
        yield cast("Executor", _DaskExecutor(client))


class _DaskExecutor:
    """As much of an executor as a sweep needs: Dask's own futures are of another kind."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - Dask has no types
        self._executor = client.get_executor(pure=False)

    def submit(self, call: Callable[[Part], Row], part: Part) -> Any:  # noqa: ANN401 - same
        """Return the future of ``call(part)``."""
        return self._executor.submit(call, part)


def digest(rows: Sequence[Row]) -> str:
    """Return SHA-256 (hex) over all rows in canonical order."""
    texts = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Point:
    """All seeds of one setting.

    Attributes:
        settings: what was set.
        runs, failed: how many seeds, and how many of them failed.
        found: share of ALL true contacts (app or not) that contact lists hold, with its central
            90 % by resampling seeds; None without true contacts.
        recorded: the same of contacts of which the observer's log holds any believed record.
        tif: share found of contacts both of whom have the app.
        with_app: share of all true contacts both of whom have the app.
        kept: share recorded of those.
    """

    settings: Mapping[str, str]
    runs: int
    failed: int
    found: Interval | None
    recorded: Interval | None
    tif: Interval | None
    with_app: Interval | None
    kept: Interval | None

    def to_json(self) -> dict[str, object]:
        """Return the numbers for a machine to read."""

        def three(value: Interval | None) -> dict[str, float] | None:
            return None if value is None else asdict(value)

        return {
            "settings": dict(self.settings),
            "runs": self.runs,
            "failed": self.failed,
            "found": three(self.found),
            "recorded": three(self.recorded),
            "tif": three(self.tif),
            "with_app": three(self.with_app),
            "kept": three(self.kept),
        }


def points(rows: Sequence[Row]) -> list[Point]:
    """Return one point per setting, in the order of the rows."""
    by_setting: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        by_setting.setdefault(tuple(row["settings"].items()), []).append(row)
    found = []
    for setting, mine in by_setting.items():
        good = [row for row in mine if "error" not in row]
        chance = Streams(0).generator("sweep", "points")
        hits = np.array([row["scores"]["found"] for row in good], dtype=np.float64)
        logged = np.array([row["recorded"] for row in good], dtype=np.float64)
        everybody = np.array([row["contacts"] for row in good], dtype=np.float64)
        both = np.array(
            [row["scores"]["found"] + row["scores"]["missed"] for row in good], dtype=np.float64
        )
        with_app = np.array([row["contacts_with_app"] for row in good], dtype=np.float64)
        sampled = with_app / np.maximum(both, 1.0)
        found.append(
            Point(
                settings=dict(setting),
                runs=len(mine),
                failed=len(mine) - len(good),
                found=fraction(hits * sampled, everybody, chance),
                recorded=fraction(logged, everybody, chance),
                tif=fraction(hits, both, chance),
                with_app=fraction(with_app, everybody, chance),
                kept=fraction(logged, with_app, chance),
            )
        )
    return found


def _kept(folder: Path, parts: Sequence[Part]) -> dict[str, Row]:
    """Return the parts already played, by name; make the folder if need be."""
    names = [part.name for part in parts]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / PLAN
        if file.exists():
            if json.loads(file.read_text("utf-8")).get("parts") != names:
                raise StoreError(f"{folder} holds another sweep; choose an empty folder")
        elif any(folder.iterdir()):
            raise StoreError(f"{folder} holds something that is no sweep; choose an empty folder")
        _write(file, {"parts": names, "first": asdict(parts[0])})
        found = {}
        for name in names:
            kept = folder / f"part-{name}.json"
            if kept.exists():
                found[name] = json.loads(kept.read_text("utf-8"))
    except OSError as error:
        raise StoreError(f"can't keep a sweep in {folder}: {error.strerror or error}") from None
    except (ValueError, AttributeError) as error:
        raise StoreError(f"{folder} holds a damaged sweep: {error}") from None
    return found


def _write(file: Path, value: object) -> None:
    """Write whole or not at all: a sweep may be killed at any moment."""
    write_whole(file, json.dumps(value))

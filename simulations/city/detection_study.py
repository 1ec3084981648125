"""Compute what the app finds, by playing crowds: `tracetogether city detection`.

For each setting of a city, some crowd scenarios stand for it. They are played with the app on every
phone and half of them iPhones. Everybody is the index case in turn, and the authority's own code
makes the lists. Each pair counts once in each direction.

A pair that was within the policy's distance for a minute or more is a contact. Its share *listed*
is that of pairs whom the list holds as close contacts. Its share *kept* is that of pairs with any
accepted record in the log. Other people on the list are listed *falsely*; their number is given per
index case and hour of presence.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulations.city.detection import BANDS, SETTINGS, SYSTEMS, band_of
from simulations.one_run import run
from simulations.provenance import provenance
from simulations.scores.intervals import Measured, rate_of_groups, share_of_groups
from simulations.scores.scoring import ScoredRun, score_run
from simulations.scores.truth import pair_codes
from simulations.settings.scenario import load_scenario
from simulations.studies.executors import results_of
from tracetogether.units import SECONDS_PER_HOUR, Floats

CROWDS: Final[Mapping[str, Sequence[str]]] = {
    "home": ("dormitory",),
    "school": ("classroom",),
    "work": ("office-day",),
    "transport": ("train-carriage", "bus"),
    "city": ("hawker-centre", "party", "queue"),
}
"""The crowd scenarios that stand for each setting."""
_SETTINGS_OF_CROWDS: Final = {"people.adoption": "1", "phones.ios": "0.5"}
_KINDS: Final = ("pairs", "listed", "kept")


@dataclass(frozen=True, slots=True)
class PlayedCrowd:
    """What one run of a crowd found.

    Attributes:
        setting, scenario, seed: what was played.
        digest: of the run.
        counts: (3, systems, bands) directed pairs, those listed, and those kept.
        false: people listed falsely, over all lists.
        hours: hours of presence, over all index cases.
    """

    setting: str
    scenario: str
    seed: int
    digest: str
    counts: Floats
    false: float
    hours: float


def play_crowd(task: tuple[str, str, str, int]) -> PlayedCrowd:
    """Play one crowd.

    Args:
        task: setting, name of the scenario, protocol and seed.
    """
    setting, name, protocol, seed = task
    scenario = load_scenario(name, _SETTINGS_OF_CROWDS | {"phones.protocol": protocol})
    played = run(scenario, seed=seed, fidelity="vectorized")  # the same run, sooner
    scored = score_run(played)
    counts, false = _counted(scored)
    there = played.tracks.present()[played.app].sum() * played.tracks.tick_s
    return PlayedCrowd(
        setting, name, seed, played.digest, counts, false, float(there) / SECONDS_PER_HOUR
    )


def _counted(scored: ScoredRun) -> tuple[Floats, float]:
    lines, truth = scored.scores.lines, scored.truth
    played = lines.run
    people, app, ios = played.tracks.people, played.app, played.phones.system != 0
    contact = truth.minutes >= BANDS[0]
    low, high = np.divmod(truth.code[contact], people)
    both = np.isin(low, app) & np.isin(high, app)
    low, high, minutes = low[both], high[both], truth.minutes[contact][both]
    case, other = np.concatenate([low, high]), np.concatenate([high, low])
    code, band = case * people + other, np.tile(band_of(minutes), 2)
    systems = ios[case].astype(np.int64) + ios[other]
    close = lines.close_contact
    listed_code = lines.listing.case[close] * people + lines.listing.person[close]
    kept_code = scored.opened.case * people + scored.opened.contact
    cell = systems * len(BANDS) + band
    shape = (len(SYSTEMS), len(BANDS))
    counts = np.array(
        [
            np.bincount(cell[rows], minlength=shape[0] * shape[1]).reshape(shape)
            for rows in (
                np.ones(len(code), dtype=bool),
                np.isin(code, listed_code),
                np.isin(code, kept_code),
            )
        ],
        dtype=np.float64,
    )
    near = np.isin(pair_codes(*np.divmod(listed_code, people), people), truth.code[contact])
    return counts, float((~near).sum())


def play_all(
    protocol: str,
    *,
    seeds: int,
    settings: Iterable[str] = SETTINGS,
    workers: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[PlayedCrowd]:
    """Play all crowds of some settings with seeds 1, 2 and so on."""
    tasks = [
        (setting, name, protocol, seed)
        for setting in settings
        for name in CROWDS[setting]
        for seed in range(1, seeds + 1)
    ]
    return results_of(play_crowd, tasks, workers, on_done)


def table_of(protocol: str, played: Sequence[PlayedCrowd]) -> dict[str, Any]:
    """Return the table of what crowds found, for a JSON file."""
    shares = [
        row
        for setting in SETTINGS
        for systems in range(len(SYSTEMS))
        for band in range(len(BANDS))
        if (row := _share_row(setting, systems, band, played)) is not None
    ]
    policy = load_scenario(CROWDS["transport"][0]).policy
    manifest = {
        "policy": policy.name,
        "within_m": policy.within_m,
        "minutes": policy.minutes,
        "code_and_tables": provenance().digest,
        "runs": [
            {
                "setting": crowd.setting,
                "scenario": crowd.scenario,
                "seed": crowd.seed,
                "digest": crowd.digest,
            }
            for crowd in played
        ],
    }
    false = [_false_row(setting, played) for setting in SETTINGS]
    content = {"protocol": protocol, "shares": shares, "false": false, "manifest": manifest}
    kept = json.dumps({"shares": shares, "false": false}, sort_keys=True)
    return content | {"digest": hashlib.sha256(kept.encode()).hexdigest()[:32]}


def table_text(table: Mapping[str, Any]) -> str:
    """Return the text of a table's file."""
    return json.dumps(table, indent=1) + "\n"


def _share_row(
    setting: str, systems: int, band: int, played: Sequence[PlayedCrowd]
) -> dict[str, Any] | None:
    cells = np.array(
        [crowd.counts[:, systems, band] for crowd in played if crowd.setting == setting]
    )
    if not cells.size:
        return None
    pairs, listed, kept = cells.T
    row: dict[str, Any] = {
        "setting": setting,
        "systems": SYSTEMS[systems],
        "from_minutes": BANDS[band],
        "pairs": int(pairs.sum()),
    }
    for name, found in (("listed", listed), ("kept", kept)):
        share = share_of_groups(found, pairs)
        row |= _rounded(name, share)
        row[f"{name}_size"] = _size(share, float(pairs.sum()))
    return row


def _size(share: Measured | None, pairs: float) -> float:
    """Return how many independent pairs would give an interval of this width."""
    if share is None or share.low is None or share.high is None:
        return min(pairs, 2.0)  # one run or none shows nothing of how crowds vary
    half = (share.high - share.low) / 2 / 1.645
    middle = min(max(share.median, 0.05), 0.95)
    return round(min(pairs, max(2.0, middle * (1 - middle) / half**2)), 1)


def _false_row(setting: str, played: Sequence[PlayedCrowd]) -> dict[str, Any]:
    crowds = [crowd for crowd in played if crowd.setting == setting]
    count = np.array([crowd.false for crowd in crowds])
    hours = np.array([crowd.hours for crowd in crowds])
    row: dict[str, Any] = {"setting": setting, "hours": round(float(hours.sum()), 3)}
    rate = rate_of_groups(count, hours) if crowds else None
    row |= _rounded("per_hour", rate)
    if rate is None or rate.low is None or rate.high is None:
        return row | {"size_hours": min(float(hours.sum()), 2.0)}
    half = (rate.high - rate.low) / 2 / 1.645
    least = max(rate.median, 1 / max(float(hours.sum()), 1e-9))
    return row | {"size_hours": round(min(float(hours.sum()), least / half**2), 3)}


def _rounded(name: str, value: Measured | None) -> dict[str, float | None]:
    if value is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    bounds = (value.median, value.low, value.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {
        key: None if bound is None else round(float(bound), 4)
        for key, bound in zip(names, bounds, strict=True)
    }

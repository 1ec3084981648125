"""Places of a run beside the truth: stays right and wrong, and who shared the air of a place.

A stay is what the authority makes of a log's records of a place. In truth a person is at a place
while within ``AT_PLACE_M`` of it, which is about as far as its device is heard indoors. Two people
shared its air if both were at it for ``SHARED_MINUTES`` at the same time. Their stays say so if
they overlap as long.
"""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from simulations.one_run import Run
from simulations.scores.intervals import Measured, flat, share_of_groups
from simulations.scores.published import HeardPlaces
from tracetogether.authority.places.spans import spans_of
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

AT_PLACE_M: Final = 10.0
SHARED_MINUTES: Final = 15
_ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class PlaceScores:
    """What the places of a run add.

    Attributes:
        places: how many there are.
        records: records of places in all logs.
        stays: stays that follow from them.
        right, wrong: stays during most of whose minutes the person was at the place, or was not.
        shared: pairs of a case and a person, both with the app, who shared the air of a place.
        shared_found: share of those whose stays say so, with its central 90 % by cases.
        shared_falsely: share of those whose stays say so, and who did not.
        warned_per_case: people whose stays overlap with a case's, on average.
    """

    places: int
    records: int
    stays: int
    right: int
    wrong: int
    shared: int
    shared_found: Measured | None
    shared_falsely: Measured | None
    warned_per_case: float

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        plain = {
            name: value
            for name, value in asdict(self).items()
            if name not in {"shared_found", "shared_falsely"}
        }
        found, falsely = self.shared_found, self.shared_falsely
        return plain | flat("shared_found", found) | flat("shared_falsely", falsely)


def score_places(run: Run, heard: HeardPlaces) -> PlaceScores | None:
    """Return the scores of a run's places; None if it has none.

    Args:
        run: the run.
        heard: the accepted records of places in all logs.
    """
    keys, app = run.scenario.places, run.app
    if not keys:
        return None
    minutes = int(run.scenario.duration_s // SECONDS_PER_MINUTE)
    stays = right = 0
    claimed_by, there_by = [], []
    for place in range(len(keys)):
        rows = heard.place == place
        there = _at_place(run, place, minutes)
        claimed = np.zeros((len(app), minutes), dtype=np.bool_)
        owners, times = heard.owner[rows], heard.time[rows] - run.start
        order = np.lexsort((times, owners))
        cuts = np.searchsorted(owners[order], app), np.searchsorted(owners[order], app, "right")
        for index, (begin, end) in enumerate(zip(*(cut.tolist() for cut in cuts), strict=True)):
            for first, last in _spans(times[order][begin:end]):
                stay = slice(int(first // 60), int(last // 60) + 1)
                claimed[index, stay] = True
                stays += 1
                right += bool(there[index, stay].mean() > 0.5) if there[index, stay].size else 0
        claimed_by.append(claimed)
        there_by.append(there)
    shared, found, said = _pairs(there_by, claimed_by)
    return PlaceScores(
        places=len(keys),
        records=len(heard.time),
        stays=stays,
        right=right,
        wrong=stays - right,
        shared=int(shared.sum()),
        shared_found=share_of_groups(found, shared),
        shared_falsely=share_of_groups(said - found, said),
        warned_per_case=float(said.mean()) if len(said) else 0.0,
    )


def _spans(times: Floats) -> list[tuple[float, float]]:
    first, last = spans_of(times)
    return list(zip(times[first].tolist(), times[last].tolist(), strict=True))


def _at_place(run: Run, place: int, minutes: int) -> Bools:
    """Return (a, minutes) whether each person with the app was at a place in each minute."""
    room = run.venue
    corner = np.array([room.length_m, room.width_m]) / 2.0
    at = np.array(run.scenario.places[place].at) - corner
    middles = run.tracks.tick((np.arange(minutes, dtype=np.float64) + 0.5) * SECONDS_PER_MINUTE)
    gap = run.tracks.xy[run.app][:, middles].astype(np.float64) - at
    return np.asarray((gap**2).sum(axis=2) <= AT_PLACE_M**2)  # absent people compare false


def _pairs(there: list[Bools], claimed: list[Bools]) -> tuple[Floats, Floats, Floats]:
    """Return, by case: people who shared air, those whose stays say so, and all who are said to."""
    people = len(there[0])
    shared, found, said = np.zeros((3, people))
    for begin in range(0, people, _ROWS_AT_ONCE):
        rows: Ints = np.arange(begin, min(begin + _ROWS_AT_ONCE, people))
        truly, says = (
            np.any([_together(place, rows) for place in places], axis=0)
            for places in (there, claimed)
        )
        shared[rows] = truly.sum(axis=1)
        said[rows] = says.sum(axis=1)
        found[rows] = (truly & says).sum(axis=1)
    return shared, found, said


def _together(present: Bools, rows: Ints) -> Bools:
    """Return (r, a) who was present with each of ``rows`` for SHARED_MINUTES."""
    minutes = present.astype(np.float32)
    together = minutes[rows] @ minutes.T >= SHARED_MINUTES
    together[np.arange(len(rows)), rows] = False
    return np.asarray(together)

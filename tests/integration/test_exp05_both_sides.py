"""Both logs of a pair on the DP-3T recording exp05: better ranked than one, and honest."""

from pathlib import Path

import numpy as np
import pytest

from tracetogether.authority.contacts.lines import contacts_of
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.metrics import auc
from tracetogether.evaluation.recordings import read_recording
from tracetogether.evaluation.truth import TrueMinutes
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Floats

pytestmark = pytest.mark.slow

POLICY = CloseContactPolicy("8 of half an hour", 2.0, 8.0)


@pytest.fixture(scope="module")
def pairs(recordings: Path) -> dict[str, Floats]:
    """Return (pairs, 4): minutes in truth; their 5 %, 95 %, and chance by one log or two."""
    folder = recordings / "dp3t_epfl"
    found: dict[str, list[tuple[float, ...]]] = {"own": [], "both": []}
    for scene in read_recording(
        folder / "readings_exp05.csv.gz",
        RecordingLayout.parse("distance=dist_m,scene=scenario"),
        tracks=folder / "traj_exp05_2hz.csv.gz",
    ).scenes:
        if scene.tracks is None:
            continue
        heard, true = scene.sightings, TrueMinutes.of(scene.tracks, POLICY.within_m)
        observers = {name: code for code, name in enumerate(heard.observer.names)}
        for person, name in enumerate(true.names):
            if name not in observers:
                continue
            mine = heard.observer.codes == observers[name]
            own, others = heard.take(mine), heard.take(~mine)
            for how, more in (("own", None), ("both", others)):
                contacts = contacts_of(own, POLICY, others=more, owner=name)
                lines = {contact.user_id: contact for contact in contacts}
                columns = true.names, true.near[person], true.tracked[person]
                for other, near, tracked in zip(*columns, strict=True):
                    if other == name or not tracked:
                        continue
                    line = lines.get(other)
                    estimate = (0.0, 0.0, 0.0)
                    if line is not None:
                        estimate = (line.minutes.low, line.minutes.high, line.probability)
                    found[how].append((near, *estimate))
    return {how: np.array(rows, dtype=np.float64) for how, rows in found.items()}


def ranked(rows: Floats) -> float:
    return auc(rows[:, 3], rows[:, 0] >= POLICY.minutes)


def test_two_logs_rank_close_contacts_better_than_one(pairs: dict[str, Floats]) -> None:
    print({how: round(ranked(rows), 3) for how, rows in pairs.items()})
    assert ranked(pairs["both"]) > ranked(pairs["own"]) > 0.74


def test_intervals_cover_what_they_say(pairs: dict[str, Floats]) -> None:
    for rows in pairs.values():
        inside = (rows[:, 1] <= rows[:, 0]) & (rows[:, 0] <= rows[:, 2])
        assert inside.mean() > 0.85


def test_the_likelier_the_oftener(pairs: dict[str, Floats]) -> None:
    for rows in pairs.values():
        close = rows[:, 0] >= POLICY.minutes
        shares = [
            close[(rows[:, 3] >= low) & (rows[:, 3] < low + 0.2)].mean()
            for low in (0, 0.2, 0.4, 0.6)
        ]
        assert shares == sorted(shares)
        assert shares[0] < 0.15
        assert shares[-1] > 0.6

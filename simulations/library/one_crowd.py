"""One run of a crowd with its scores: columns, picture, folder."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from simulations import one_run
from simulations.library.frames import FrameColumns, frame_of
from simulations.one_run import DEFAULT_START, Run
from simulations.pages.recording import PICTURE, save_run
from simulations.pages.report import draw_case, save_picture
from simulations.places.tracks import CrowdTracks
from simulations.progress_line import OnProgress, ProgressLine
from simulations.scores.breakdown import Breakdown, break_down
from simulations.scores.scoring import CaseScore, ScoredRun, Scores, score_run
from simulations.settings.scenario import Scenario, load_scenario
from simulations.studies.heard_crowds import HeardCrowd
from tracetogether.errors import MissingExtraError, ScenarioError
from tracetogether.parameters import CloseContactPolicy
from tracetogether.picture_style import new_figure
from tracetogether.sightings import Sightings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CrowdRun(FrameColumns):
    """One run with its scores.

    Attributes:
        run: what happened: tracks, phones, logs.
        scored: the contact lists of all cases beside the truth.
        parts: the scores by operating systems, distance and carry, and the battery.
        recorded_tracks: the source of recorded tracks; None for simulated ones.
    """

    run: Run = field(repr=False)
    scored: ScoredRun = field(repr=False)
    parts: Breakdown = field(repr=False)
    recorded_tracks: str | None = field(default=None, repr=False)

    @property
    def scenario(self) -> Scenario:
        """What was played."""
        return self.run.scenario

    @property
    def seed(self) -> int:
        """The seed of all random draws."""
        return self.run.seed

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all rows of all contact logs."""
        return self.run.digest

    @property
    def scores(self) -> Scores:
        """What the authority's lists found and missed."""
        return self.scored.scores

    @cached_property
    def contacts(self) -> dict[str, npt.NDArray[Any]]:
        """All contact lists beside the truth: name -> (l,) column, a line for each case and person.

        case and person are numbers of people. ``chance`` is P(the policy's minutes or more),
        ``minutes`` and ``nearest_m`` are medians with ``low`` and ``high`` (central 90 %).
        """
        lines = self.scores.lines
        estimated = lines.listing.lines
        return {
            "case": lines.listing.case,
            "person": lines.listing.person,
            "chance": lines.chance,
            "minutes_low": estimated.minutes.low,
            "minutes": estimated.minutes.median,
            "minutes_high": estimated.minutes.high,
            "nearest_low_m": estimated.nearest_m.low,
            "nearest_m": estimated.nearest_m.median,
            "nearest_high_m": estimated.nearest_m.high,
            "close_contact": lines.close_contact,
            "true_minutes": lines.true_minutes,
            "true_nearest_m": lines.true_nearest_m,
            "true_contact": lines.true_contact,
        }

    def to_pandas(self) -> "pd.DataFrame":
        """Return ``contacts`` as a data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(self.contacts)

    def _frame(self) -> dict[str, npt.NDArray[Any]]:
        return self.contacts

    @cached_property
    def readings(self) -> dict[str, npt.NDArray[Any]]:
        """All readings that phones noted, with their true distances: name -> (n,) column.

        The authority has opened the TempIDs: observer and peer are numbers of people.
        ``distance_m`` is NaN while one of the two is absent. ``evaluate`` reads such a table.
        """
        heard = HeardCrowd.of(self.run, self.scenario.policy.within_m)
        return {
            "time": (heard.time * 1000).round().astype("datetime64[ms]"),
            "observer": heard.owner,
            "peer": heard.peer,
            "rssi_dbm": heard.rssi_dbm,
            "tx_power_dbm": heard.tx_power_dbm,
            "distance_m": heard.distance_m,
        }

    def log(self, person: int) -> Sightings:
        """Return what the phone of ``person`` noted, to be estimated like any recording.

        Raises:
            ScenarioError: this person has no app.
        """
        try:
            rows = self.run.logs[person]
        except KeyError:
            with_app = ", ".join(str(number) for number in self.run.app[:8].tolist())
            raise ScenarioError(
                f"person {person} has no app; people with it: {with_app or 'nobody'}"
                f"{', ...' if len(self.run.app) > 8 else ''}"
            ) from None
        return rows.sightings()

    def plot(self, person: int | None = None) -> "Figure":
        """Return the picture of one case: the place from above, and minutes.

        Args:
            person: the case; by default the one with the most true contacts.

        Raises:
            ScenarioError: this person has no app.
            MissingExtraError: matplotlib is not installed.
        """
        return draw_case(self.run, self._case(person))

    def save(self, folder: str | Path) -> Path:
        """Write tracks, logs, truth, lists and manifest into ``folder``; return it.

        There is a picture as well, unless ``why_no_picture`` says something. The folder is what
        ``simulate run --out`` writes and ``simulate report`` reads.

        Raises:
            StoreError: the folder holds something else, or can't be written.
        """
        path = save_run(
            self.run, self.scored, self.parts, folder, recorded_tracks=self.recorded_tracks
        )
        if self.why_no_picture is None:
            save_picture(self.run, self._case(None), path / PICTURE)
        return path

    @property
    def why_no_picture(self) -> str | None:
        """Why there is nothing to draw, in words; None if there is."""
        if not self.scores.cases:
            return "nobody has the app, so there is no case"
        try:
            new_figure(1, 1)
        except MissingExtraError as missing:
            return str(missing)
        return None

    def _case(self, person: int | None) -> CaseScore:
        cases = {case.person: case for case in self.scores.cases}
        if person is None and cases:
            return max(
                cases.values(),
                key=lambda case: (case.true_contacts, case.found, case.false_contacts),
            )
        if person is None or person not in cases:
            raise ScenarioError(f"there is no case {person}: this person has no app")
        return cases[person]

    def __repr__(self) -> str:
        scores, people = self.scores, self.run.tracks.people
        return (
            f"<CrowdRun {self.scenario.name}, seed {self.seed}: {people} people, "
            f"{len(self.run.app)} with the app; {scores.found} contacts found, "
            f"{scores.missed} missed, {scores.false_contacts} listed falsely; "
            f"digest {self.digest[:12]}>"
        )


def run(
    scenario: Scenario | str | Path,
    *,
    seed: int = 1,
    fidelity: str = "auto",
    policy: CloseContactPolicy | None = None,
    cases: int | None = None,
    start: float = DEFAULT_START,
    tracks: CrowdTracks | None = None,
    recorded_tracks: str | None = None,
    on_progress: OnProgress | None = None,
) -> CrowdRun:
    """Play a scenario once and score the whole chain on it.

    Args:
        scenario: a scenario, its name or its file.
        seed: of all random draws.
        fidelity: object, vectorized or auto; all give the same digest.
        policy: what counts as a close contact; by default the scenario's.
        cases: number of index cases; by default everybody with the app.
        start: epoch seconds of the beginning.
        tracks: recorded tracks, used instead of simulated motion.
        recorded_tracks: their source in words, kept by ``save``.
        on_progress: called with (seconds done, seconds in all); by default a line is shown on a
            terminal and in a notebook.

    Raises:
        ScenarioError: there is no such scenario, or it can't be played like this.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    with ProgressLine.unless(on_progress, chosen.name) as advance:
        played = one_run.run(
            chosen,
            seed=seed,
            start=start,
            fidelity=fidelity,
            tracks=tracks,
            on_progress=advance,
        )
    scored = score_run(played, policy=policy, cases=cases)
    return CrowdRun(played, scored, break_down(played, scored), recorded_tracks)

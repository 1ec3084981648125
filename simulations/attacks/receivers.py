"""A net of receivers in a town: which of a person's ways are joined to one track."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simulations.attacks.deployment import DAYS, LISTENER, Deployment, TokensHeard
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import pairs_linked, reported
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.attacks.town import CROSSINGS, SmallTown
from simulations.streams import Streams
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class Track:
    """What receivers make of one person.

    Attributes:
        receivers: how many heard the person.
        joined: how many of them lie in the largest track.
        pairs: share of pairs of sightings that are linked.
    """

    receivers: int
    joined: int
    pairs: float

    @property
    def share(self) -> float:
        """Share of the receivers that heard the person which the largest track joins."""
        return self.joined / self.receivers if self.receivers else 0.0


def track_of(names: Labels, place: Ints, archive_rows: Ints, sightings: int) -> Track:
    """Return the largest track of sightings with one name.

    Args:
        names: (m,) pseudonyms of the sightings that are named.
        place: (n,) receiver of each sighting of the archive.
        archive_rows: (m,) rows of the archive that are named.
        sightings: n.
    """
    heard = len(np.unique(place))
    pairs = np.unique(np.column_stack([names.codes, place[archive_rows]]), axis=0)
    sizes = np.bincount(pairs[:, 0], minlength=1)
    linked = pairs_linked(names, sightings) if sightings > 1 else 0.0
    return Track(heard, int(sizes.max()) if len(pairs) else 0, linked)


def tracks_of(deployment: Deployment, victim: int, times: Floats, place: Ints) -> dict[str, Track]:
    """Return what outsiders, outsiders before any upload, and the server join.

    Args:
        deployment: in which the victim has reported.
        victim: number of a phone.
        times: (n,) when it was heard; no two equal.
        place: (n,) by which receiver.
    """
    archive = deployment.log(TokensHeard.of(LISTENER, victim, times))
    count = len(times)

    def track(named: Sightings) -> Track:
        return track_of(named.peer, place, np.searchsorted(times, named.time), count)

    return {
        "public": track(deployment.recognised(archive)),
        "token": track(archive),
        "server": track(deployment.opened(archive)),
    }


class Sniffers(Attack):
    """Receivers at k crossings of a town write down for 14 days what passes."""

    name = "sniffers"
    summary = "put k receivers into a town for 14 days and join a case's ways to a track"
    metrics: ClassVar = {
        "heard_by": "receivers that heard a person",
        "joined_track": "share of these that the largest track of a case joins, after the upload",
        "linked_pairs": "pairs of a case's sightings that are joined, after the upload",
        "joined_by_token": "share of receivers that one token joins, of anybody, without an upload",
        "joined_by_server": "share that the server joins, if it gets the receivers' archive",
    }
    takes = ("sniffers",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return k receivers for 14 days."""
        return AttackCost(devices=settings.sniffers, hours=DAYS * 24)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return tracks of people in a town; receivers are at other places each time."""
        people = settings.repeats
        chance = Streams(settings.seed).generator("town")
        town = SmallTown.build(people, DAYS, chance)
        deployment = deploy(protocol, Streams(settings.seed), people)
        found: list[dict[str, Track]] = []
        for person in range(people):
            layout = Streams(settings.seed).generator("receivers", person)
            # The first k of one random order: more receivers are the same ones and others.
            placed = layout.permutation(CROSSINGS)[: settings.sniffers]
            times, place = town.passes(person)
            heard = np.isin(place, placed)
            times, place = times[heard], place[heard]
            times, first = np.unique(np.floor(times), return_index=True)
            reported(deployment, [person])
            found.append(tracks_of(deployment, person, times, place[first]))
        seen = [tracks for tracks in found if tracks["token"].receivers]
        public = [tracks["public"] for tracks in seen]
        heard_by = [float(tracks["token"].receivers) for tracks in found]
        return [
            mean_row(protocol, "heard_by", heard_by),
            mean_row(protocol, "joined_track", [track.share for track in public] or [0.0]),
            mean_row(protocol, "linked_pairs", [track.pairs for track in public] or [0.0]),
            *(
                mean_row(protocol, f"joined_by_{who}", [each[who].share for each in seen] or [0.0])
                for who in ("token", "server")
            ),
        ]

"""From a scenario to the tracks of everybody: chooses the module for the kind of motion."""

from simulations.people.mobility import stay
from simulations.people.walking import queue, walk
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario
from simulations.streams import Streams


def move(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of everybody, at one tick per second."""
    match scenario.motion.kind:
        case "queue":
            return queue(scenario, room, streams)
        case "flow" | "wander":
            return walk(scenario, room, streams)
        case _:
            return stay(scenario, room, streams)

"""From a scenario to everybody's tracks: which kind of motion is whose business."""

from simulations.mobility import stay
from simulations.scenario import Scenario
from simulations.streams import Streams
from simulations.tracks import Tracks
from simulations.venue import Room
from simulations.walking import queue, walk


def move(scenario: Scenario, room: Room, streams: Streams) -> Tracks:
    """Return where everybody is, at one tick per second."""
    match scenario.motion.kind:
        case "queue":
            return queue(scenario, room, streams)
        case "flow" | "wander":
            return walk(scenario, room, streams)
        case _:
            return stay(scenario, room, streams)

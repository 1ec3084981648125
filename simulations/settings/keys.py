"""The tables of a scenario: each key is declared once, with type, limits, meaning and default.

msgspec reads these declarations: ``scenario`` checks a file by them, and makes the reference page
and the JSON schema from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np

from simulations.places.corridors import along_corridor, shared_out
from simulations.places.plans import PlannedDoor, PlannedSpace, planned
from simulations.places.venue import Room
from simulations.settings.declared import Share, SpreadDb, about
from simulations.settings.plan_keys import (
    DoorKeys,
    FurnitureKeys,
    PeopleGroupKeys,
    SpaceKeys,
    TimetableKeys,
)
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryShares:
    """Shares of people by where they keep the phone when it is not in the hand."""

    front_pocket: Annotated[Share, about("Share with the phone in a front pocket.")] = 0.5
    back_pocket: Annotated[Share, about("Share with the phone in a back pocket.")] = 0.15
    bag: Annotated[Share, about("Share with the phone in a bag.")] = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleKeys:
    """The people: how many, with the app, and where they carry their phones."""

    count: Annotated[
        int,
        about(
            "Number of people over the whole run. With groups, all members together, or fewer: "
            "then some members of each group are missing.",
            ge=2,
            le=200_000,
        ),
    ]
    adoption: Annotated[Share, about("Share of people with the app running.")]
    in_hand: Annotated[Share, about("Share of time that a phone is in the hand, not stowed.")] = 0.5
    hand_change_s: Annotated[
        float, about("Mean time until a phone is stowed or taken out.", ge=10)
    ] = 300.0
    home: Annotated[
        Mapping[str, Share],
        about(
            "Shares of people by the authority whose app they have, such as "
            "{SG_MOH = 0.9, AU_DTA = 0.1}; together 1. Empty: all have the app of one."
        ),
    ] = field(default_factory=dict)
    stowed: Annotated[CarryShares, about("Where phones are that are not in the hand.")] = field(
        default_factory=CarryShares
    )

    groups: Annotated[
        Mapping[str, PeopleGroupKeys],
        about("Plan: people who have one space and one timetable, such as a class."),
    ] = field(default_factory=dict)

    @property
    def phones(self) -> int:
        """Return how many people carry a phone."""
        if not self.groups:
            return self.count
        carriers = np.array([group.carriers for group in self.groups.values()])
        return round(float((self.members() * carriers).sum()))

    @property
    def with_app(self) -> int:
        """Return how many people have the app."""
        return round(self.adoption * self.phones)

    def members(self) -> Ints:
        """Return (groups,) how many members of each group there are.

        If ``count`` is less than all members, groups are smaller in proportion; the largest
        remainders round up.
        """
        every = np.array([group.people for group in self.groups.values()], dtype=np.int64)
        if self.count >= every.sum():
            return every
        exact = every * self.count / every.sum()
        found: Ints = exact.astype(np.int64)
        largest = np.argsort(found - exact, kind="stable")[: self.count - found.sum()]
        found[largest] += 1
        return found

    def at_home(self) -> Ints:
        """Return (homes,) how many people each authority has; the largest remainders round up."""
        exact = np.array(list(self.home.values())) * self.count
        found: Ints = exact.astype(np.int64)
        largest = np.argsort(found - exact, kind="stable")[: self.count - found.sum()]
        found[largest] += 1
        return found

    def group_of(self) -> Ints:
        """Return (count,) the number of each person's group, in order of the file."""
        members = self.members()
        return np.repeat(np.arange(len(members)), members)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKeys(FurnitureKeys):
    """The room and its places."""

    doors_per_side: Annotated[
        int, about("Doors: on each side of a carriage, on one side of other rooms.", ge=1, le=50)
    ] = 1
    seats_per_bench: Annotated[
        int, about("Carriage: seats on the bench between two doors.", ge=0, le=30)
    ] = 0
    rooms: Annotated[
        int, about("Rooms side by side along the length, with walls between.", ge=1, le=100)
    ] = 1
    corridor_m: Annotated[
        float,
        about(
            "Width of a corridor along all rooms, in addition to width_m. With one, walls hold "
            "people too: each room has its share of the tables or groups, or the rows, and doors "
            "onto the corridor, which has the standing places and an exit at both ends. 0: none; "
            "people walk through the walls, which weaken signals and separate contacts all the "
            "same.",
            ge=0,
            le=20,
        ),
    ] = 0.0
    spaces: Annotated[
        Mapping[str, SpaceKeys],
        about("Plan: a room, yard or corridor, with walls on all sides and its own furniture."),
    ] = field(default_factory=dict)
    doors: Annotated[
        Mapping[str, DoorKeys],
        about("Plan: a door in a wall, between two spaces or to the outside."),
    ] = field(default_factory=dict)

    def room(self) -> Room:
        """Return the room laid out.

        Raises:
            ValueError: seats or standing places don't fit.
        """
        if self.kind == "plan":
            return self._plan()
        if self.spaces or self.doors:
            raise ValueError("spaces and doors are of a plan: set kind to plan")
        if not self.corridor_m:
            return self._one_room()
        if self.kind == "carriage":
            raise ValueError("a carriage has no corridor: leave corridor_m out")
        if self.corridor_m < 1.0:
            raise ValueError(f"a corridor of {self.corridor_m:g} m is too narrow: 1 m is the least")
        parts = [
            replace(
                self,
                length_m=self.length_m / self.rooms,
                rooms=1,
                corridor_m=0.0,
                tables=tables,
                standing_places=0,
                doors_per_side=1,
            )
            for tables in shared_out(self.tables, self.rooms)
        ]
        return along_corridor(
            [part._one_room() for part in parts],  # noqa: SLF001 - of its own class
            self.corridor_m,
            standing_places=self.standing_places,
            doors=self.doors_per_side,
        )

    def _plan(self) -> Room:
        if self.corridor_m or self.rooms > 1:
            raise ValueError("rooms and corridor_m are not for a plan: add [venue.spaces.NAME]")
        spaces = []
        for name, keys in self.spaces.items():
            try:
                furnished = keys.furnished(doors=1, rooms=1)
            except ValueError as error:
                raise ValueError(f"space {name!r}: {error}") from None
            spaces.append(PlannedSpace(name, keys.x_m, keys.y_m, furnished))
        doors = [
            PlannedDoor(name, door.x_m, door.y_m, door.width_m) for name, door in self.doors.items()
        ]
        return planned(self.length_m, self.width_m, spaces, doors)

    def _one_room(self) -> Room:
        if self.kind == "carriage":
            return Room.carriage(
                length_m=self.length_m,
                width_m=self.width_m,
                standing_places=self.standing_places,
                doors_per_side=self.doors_per_side,
                seats_per_bench=self.seats_per_bench,
                seat_pitch_m=self.seat_pitch_m,
            )
        return self.furnished(doors=self.doors_per_side, rooms=self.rooms)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionKeys:
    """How people come, stay, move and go."""

    kind: Annotated[
        Literal["stay", "queue", "flow", "wander"],
        about(
            "stay: come, take a place, leave; queue: stand in line until served; flow: walk from "
            "one end to the other; wander: walk from one random place to the next."
        ),
    ] = "stay"
    aboard_at_start: Annotated[Share, about("Share of people inside from the start.")]
    stop_every_s: Annotated[
        float, about("Time between two stops, when people can come and go.", ge=5)
    ] = 30.0
    dwell_s: Annotated[float, about("How long the doors stay open at a stop.", ge=2)] = 25.0
    stay_median_s: Annotated[
        float, about("Median length of a stay; in a queue, until served.", ge=5)
    ] = 3600.0
    stay_spread: Annotated[
        float, about("Standard deviation of the logarithm of the stay.", ge=0, le=3)
    ] = 0.6
    counterflow: Annotated[Share, about("Flow: share of people who walk the other way.")] = 0.0
    pause_s: Annotated[float, about("Wander: mean time standing between two walks.", ge=0)] = 30.0
    breaks_per_hour: Annotated[
        float, about("How often a seated person takes a break at a standing place.", ge=0, le=60)
    ] = 0.0
    break_s: Annotated[float, about("Mean length of a break.", ge=5)] = 300.0
    visits_per_hour: Annotated[
        float, about("How often a person walks to a seated one, talks, and goes back.", ge=0, le=60)
    ] = 0.0
    visitors: Annotated[
        Literal["all", "standing"],
        about("Who makes visits: all, or only people with a standing place, such as ward staff."),
    ] = "all"
    visit_median_s: Annotated[float, about("Median length of a visit.", ge=1)] = 60.0
    visit_spread: Annotated[
        float, about("Standard deviation of the logarithm of a visit's length.", ge=0, le=3)
    ] = 1.0
    walk_speed_m_s: Annotated[float, about("Mean walking speed inside.", ge=0.1, le=3)] = 0.8
    walk_speed_sd_m_s: Annotated[
        float, about("Standard deviation of walking speeds.", ge=0, le=1)
    ] = 0.15
    seat_wish: Annotated[
        Share, about("Chance that a standing person takes a free seat nearby.")
    ] = 0.6
    stand_by_choice: Annotated[
        Share, about("Share of newcomers who stand although seats are free; 0: nobody does.")
    ] = 0.1
    moves_per_hour: Annotated[
        float, about("How often a standing person changes place at random.", ge=0, le=120)
    ] = 2.0
    set_out_s: Annotated[
        float,
        about("Plan: people set out within this time after an entry of the timetable.", ge=0),
    ] = 60.0
    timetable: Annotated[
        tuple[TimetableKeys, ...],
        about(
            "Plan: where groups are from one time to another. The run begins at the time at which "
            "the first entry starts. Without entries all are in their own space."
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneKeys:
    """The phones: models, operating systems, app and state."""

    ios: Annotated[Share, about("Share of iPhones; all other phones run Android.")]
    models_android: Annotated[int, about("Different Android models in the crowd.", ge=1, le=9)] = 9
    models_ios: Annotated[int, about("Different iPhone models in the crowd.", ge=1, le=5)] = 5
    protocol: Annotated[
        Literal[
            "bluetrace",
            "gaen",
            "dp3t-low-cost",
            "dp3t-unlinkable",
            "dp3t-hybrid",
            "robert",
            "tcn",
            "desire",
        ],
        about("What the phones speak: BlueTrace, or a protocol beside it."),
    ] = "bluetrace"
    radio: Annotated[
        Literal["own", "same"],
        about(
            "own: the protocol's timing and power as deployed; same: BlueTrace's for every "
            "protocol, so that only tokens and matching differ."
        ),
    ] = "own"
    locked: Annotated[Share, about("Share of time that a phone is locked.")] = 0.0
    background: Annotated[
        Share, about("Share of time that it is unlocked with another app in front.")
    ] = 0.0
    state_change_s: Annotated[float, about("Mean time in one of these states.", ge=5)] = 300.0
    lit_every_s: Annotated[
        float, about("Mean time between notifications that light a locked screen.", ge=10)
    ] = 720.0
    lit_s: Annotated[float, about("Mean time that the screen stays lit.", ge=0.1)] = 10.0
    ios_background_rules: Annotated[
        bool, about("Whether iOS hides and slows apps that are not in front.")
    ] = True
    awake_s: Annotated[
        float, about("How long a Bluetooth event lets a locked iPhone's app run.", ge=0, le=600)
    ] = 10.0
    stale_tempid: Annotated[
        bool,
        about("Whether iPhones send a batch's first TempID for 12 hours (a reference app's bug)."),
    ] = False
    rotating_addresses: Annotated[
        bool,
        about(
            "Whether Bluetooth addresses change: on Android with each start of advertising, on "
            "iPhones every 15 minutes. A broadcast token always has an address of its own."
        ),
    ] = True
    later_scans: Annotated[
        bool,
        about(
            "Whether phones also record later scans of an address whose TempID they know from an "
            "exchange."
        ),
    ] = False
    reconnect_s: Annotated[
        float,
        about(
            "Time until a phone connects to the same address again; 0: as its system does, 100 s "
            "on Android and 55 s on iPhones.",
            ge=0,
            le=86_400,
        ),
    ] = 0.0
    bluetooth_drops_per_hour: Annotated[
        float, about("How often Bluetooth stops working.", ge=0, le=60)
    ] = 0.0
    bluetooth_off_s: Annotated[float, about("Mean time until Bluetooth works again.", ge=1)] = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKeys:
    """A device at a fixed spot that speaks BlueTrace and listens to nobody."""

    at: Annotated[
        tuple[float, ...],
        about("Where it is: [x, y] in metres, from the lower left corner of the venue."),
    ]
    name: Annotated[str, about("What it is called; empty: by its number.")] = ""
    tx_dbm: Annotated[
        float, about("Mean power that such a device sends with, dBm.", ge=-30, le=20)
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKeys:
    """What the air does between two phones; explanation/simulation gives the theory of each key."""

    antenna_loss_db: Annotated[
        float, about("Loss of each phone's antenna against an ideal one.", ge=0, le=20)
    ] = 2.5
    breakpoint_m: Annotated[
        float,
        about("Distance beyond which the direct wave falls faster than in free space.", ge=0.5),
    ] = 5.0
    beyond_exponent: Annotated[
        float, about("Path-loss exponent of the direct wave beyond the breakpoint.", ge=2, le=6)
    ] = 3.3
    diffuse_loss_db: Annotated[
        float,
        about(
            "Loss of the diffuse field (waves from all walls), next to the sender.", ge=30, le=120
        ),
    ] = 52.0
    diffuse_decay_db_per_m: Annotated[
        float, about("How fast the diffuse field falls along the room.", ge=0, le=10)
    ] = 0.9
    delay_spread_ns: Annotated[
        float,
        about(
            "Mean extra delay of reflected waves; a larger one makes advertising channels differ.",
            ge=0.1,
            le=500,
        ),
    ] = 6.0
    doppler_hz: Annotated[
        float, about("Spread of the slow Doppler shifts that moving bodies cause.", ge=0, le=20)
    ] = 0.06
    body_loss_db: Annotated[
        float, about("Loss of the direct wave through the body of the phone's owner.", ge=0, le=40)
    ] = 13.0
    obstruction_db: Annotated[
        float, about("Loss of the direct wave per other body in its way.", ge=0, le=30)
    ] = 2.5
    shadowing_sd_db: Annotated[
        SpreadDb, about("Spread of the loss in clutter at a place, for long links.")
    ] = 2.5
    shadowing_length_m: Annotated[
        float, about("Distance over which that loss stays alike.", ge=0.1, le=100)
    ] = 1.5
    pair_sd_db: Annotated[
        SpreadDb, about("Spread of a pair's lasting offset, the same both ways.")
    ] = 1.9
    direction_sd_db: Annotated[
        SpreadDb, about("Spread of the lasting offset of one direction of a pair.")
    ] = 1.2
    receiver_sd_db: Annotated[SpreadDb, about("Spread between receivers of one model.")] = 3.0
    transmitter_sd_db: Annotated[SpreadDb, about("Spread between transmitters of one model.")] = 1.8
    packet_sd_db: Annotated[SpreadDb, about("Spread of one reading's own noise.")] = 1.5
    wall_db: Annotated[float, about("Loss per wall between two rooms.", ge=0, le=40)] = 6.0
    packet_loss: Annotated[Share, about("Share of advertisements lost to collisions.")] = 0.08
    reach_m: Annotated[
        float, about("A scan misses phones that are further away than this when it begins.", ge=1)
    ] = 200.0
    floor_dbm: Annotated[
        float, about("Level at which half of the advertisements are lost.", ge=-130, le=-40)
    ] = -99.0
    floor_width_db: Annotated[
        float,
        about("Standard deviation of the level at which one is lost.", ge=0.01, le=20),
    ] = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKeys:
    """What counts as a close contact."""

    name: Annotated[str, about("Name of the policy.")] = "2m-15min"
    within_m: Annotated[float, about("Greatest distance that counts.", ge=0.1)] = 2.0
    minutes: Annotated[float, about("Minutes that make a close contact.", ge=0)] = 15.0

    least_chance: Annotated[
        float, about("Probability of these minutes from which on a contact is close.", ge=0, le=1)
    ] = 0.3

    def policy(self) -> CloseContactPolicy:
        """Return the policy as the library knows it."""
        return CloseContactPolicy(
            self.name, self.within_m, self.minutes, least_chance=self.least_chance
        )

"""The tables of a scenario: every key is declared once, with its meaning, limits and default."""

from dataclasses import dataclass, field
from typing import Any

from simulations.places.layouts import hall_room, rows_room, tables_room
from simulations.places.venue import Room
from tracetogether.parameters import CloseContactPolicy


def about(
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    one_of: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return what is known of a key: its meaning and its limits."""
    return {"doc": doc, "low": low, "high": high, "one_of": one_of}


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryShares:
    """Shares of people by where they keep the phone when it is not in the hand."""

    front_pocket: float = field(
        default=0.5, metadata=about("Share with the phone in a front pocket.", low=0, high=1)
    )
    back_pocket: float = field(
        default=0.15, metadata=about("Share with the phone in a back pocket.", low=0, high=1)
    )
    bag: float = field(
        default=0.35, metadata=about("Share with the phone in a bag.", low=0, high=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleKeys:
    """Who is there."""

    count: int = field(metadata=about("Number of people over the whole run.", low=2, high=200_000))
    adoption: float = field(metadata=about("Share of people with the app running.", low=0, high=1))
    in_hand: float = field(
        default=0.5,
        metadata=about(
            "Share of time that a phone is in the hand rather than stowed.", low=0, high=1
        ),
    )
    hand_change_s: float = field(
        default=300.0,
        metadata=about("Mean time between taking the phone out and putting it away.", low=10),
    )
    stowed: CarryShares = field(default=CarryShares(), metadata=about("Where it is otherwise."))

    @property
    def with_app(self) -> int:
        """Return how many people have the app."""
        return round(self.adoption * self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKeys:
    """Where they are."""

    kind: str = field(
        metadata=about(
            "Kind of room: benches along walls; seats in rows; tables; people standing in groups; "
            "open floor.",
            one_of=("carriage", "rows", "tables", "groups", "hall"),
        )
    )
    length_m: float = field(metadata=about("Inside length.", low=1, high=2000))
    width_m: float = field(metadata=about("Inside width.", low=1, high=2000))
    doors_per_side: int = field(
        default=1,
        metadata=about("Doors on each side of a carriage, on one side elsewhere.", low=1, high=50),
    )
    seats_per_bench: int = field(
        default=0,
        metadata=about("Carriage: seats on the bench between two doors.", low=0, high=30),
    )
    seat_pitch_m: float = field(
        default=0.6,
        metadata=about("From the middle of one place to the next.", low=0.35, high=10),
    )
    rows: int = field(default=0, metadata=about("Rows: how many.", low=0, high=200))
    seats_per_row: int = field(default=0, metadata=about("Rows: seats in each.", low=0, high=100))
    row_pitch_m: float = field(
        default=0.85, metadata=about("Rows: from one to the next.", low=0.5, high=5)
    )
    tables: int = field(default=0, metadata=about("Tables or groups: how many.", low=0, high=2000))
    seats_per_table: int = field(
        default=0, metadata=about("Places at each table or in each group.", low=0, high=40)
    )
    across_m: float = field(
        default=1.3,
        metadata=about(
            "Tables: from the middle of a person to that of the one opposite.", low=0.6, high=20
        ),
    )
    standing_places: int = field(
        default=0, metadata=about("Places where people stand.", low=0, high=5000)
    )
    rooms: int = field(
        default=1,
        metadata=about("Rooms side by side along the length, with walls between.", low=1, high=100),
    )

    def room(self) -> Room:
        """Return the room laid out.

        Raises:
            ValueError: seats or standing places don't fit.
        """
        if self.kind == "carriage":
            return Room.carriage(
                length_m=self.length_m,
                width_m=self.width_m,
                doors_per_side=self.doors_per_side,
                seats_per_bench=self.seats_per_bench,
                seat_pitch_m=self.seat_pitch_m,
                standing_places=self.standing_places,
            )
        if self.kind == "rows":
            return rows_room(
                length_m=self.length_m,
                width_m=self.width_m,
                rows=self.rows,
                seats_per_row=self.seats_per_row,
                seat_pitch_m=self.seat_pitch_m,
                row_pitch_m=self.row_pitch_m,
                standing_places=self.standing_places,
                doors=self.doors_per_side,
                rooms=self.rooms,
            )
        if self.kind == "hall":
            return hall_room(
                length_m=self.length_m,
                width_m=self.width_m,
                standing_places=self.standing_places,
                doors=self.doors_per_side,
                rooms=self.rooms,
            )
        return tables_room(
            length_m=self.length_m,
            width_m=self.width_m,
            tables=self.tables,
            seats_per_table=self.seats_per_table,
            seat_pitch_m=self.seat_pitch_m,
            across_m=self.across_m,
            standing_places=self.standing_places,
            doors=self.doors_per_side,
            rooms=self.rooms,
            group=self.kind == "groups",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionKeys:
    """How they come, stay, move and go."""

    kind: str = field(
        default="stay",
        metadata=about(
            "stay: come, take a place, leave; queue: stand in line until served; flow: walk from "
            "one end to the other; wander: walk from one random place to the next.",
            one_of=("stay", "queue", "flow", "wander"),
        ),
    )
    aboard_at_start: float = field(
        metadata=about("Share of people inside from the start.", low=0, high=1)
    )
    stop_every_s: float = field(
        default=30.0,
        metadata=about("Time from one stop, or other chance to come and go, to the next.", low=5),
    )
    dwell_s: float = field(default=25.0, metadata=about("How long the doors stay open.", low=2))
    stay_median_s: float = field(
        default=3600.0,
        metadata=about("Median time that a person stays; in a queue, until served.", low=5),
    )
    stay_spread: float = field(
        default=0.6,
        metadata=about("Spread of the stay: standard deviation of its logarithm.", low=0, high=3),
    )
    counterflow: float = field(
        default=0.0, metadata=about("Flow: share who walk the other way.", low=0, high=1)
    )
    pause_s: float = field(
        default=30.0, metadata=about("Wander: mean time standing between two walks.", low=0)
    )
    breaks_per_hour: float = field(
        default=0.0,
        metadata=about(
            "How often a seated person goes to a standing place for a while.", low=0, high=60
        ),
    )
    break_s: float = field(default=300.0, metadata=about("Mean length of such a break.", low=5))
    visits_per_hour: float = field(
        default=0.0,
        metadata=about(
            "How often a person goes to see one who sits, stands beside and talks, and goes back.",
            low=0,
            high=60,
        ),
    )
    visitors: str = field(
        default="all",
        metadata=about(
            "Who pays such visits: all, or only those whose place is a standing one, such as "
            "staff on a ward.",
            one_of=("all", "standing"),
        ),
    )
    visit_median_s: float = field(
        default=60.0, metadata=about("Median length of such a visit.", low=1)
    )
    visit_spread: float = field(
        default=1.0,
        metadata=about(
            "Spread of visits: standard deviation of the length's logarithm.", low=0, high=3
        ),
    )
    walk_speed_m_s: float = field(
        default=0.8, metadata=about("Mean walking speed inside.", low=0.1, high=3)
    )
    walk_speed_sd_m_s: float = field(
        default=0.15, metadata=about("Spread of walking speeds.", low=0, high=1)
    )
    seat_wish: float = field(
        default=0.6,
        metadata=about(
            "Chance that a standing person takes a seat that became free nearby.", low=0, high=1
        ),
    )
    stand_by_choice: float = field(
        default=0.1,
        metadata=about(
            "Share of those who come and stand though seats are free; with 0 all sit while there "
            "is a seat anywhere.",
            low=0,
            high=1,
        ),
    )
    moves_per_hour: float = field(
        default=2.0,
        metadata=about("How often a standing person changes place for no reason.", low=0, high=120),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneKeys:
    """What they carry."""

    ios: float = field(metadata=about("Share of iPhones; the others run Android.", low=0, high=1))
    models_android: int = field(
        default=9, metadata=about("Different Android models in the crowd.", low=1, high=9)
    )
    models_ios: int = field(
        default=5, metadata=about("Different iPhone models in the crowd.", low=1, high=5)
    )
    app: str = field(
        default="bluetrace",
        metadata=about(
            "What the app does: bluetrace connects and exchanges; broadcast only sends and "
            "listens, with the timing and power of exposure notification.",
            one_of=("bluetrace", "broadcast"),
        ),
    )
    locked: float = field(
        default=0.0, metadata=about("Share of time that a phone is locked.", low=0, high=1)
    )
    background: float = field(
        default=0.0,
        metadata=about(
            "Share of time that it is unlocked with another app in front.", low=0, high=1
        ),
    )
    state_change_s: float = field(
        default=300.0, metadata=about("Mean time in one of these states.", low=5)
    )
    lit_every_s: float = field(
        default=720.0,
        metadata=about("Mean time between notifications that light a locked screen.", low=10),
    )
    lit_s: float = field(
        default=10.0, metadata=about("Mean time that the screen stays lit.", low=0.1)
    )
    ios_background_rules: bool = field(
        default=True, metadata=about("Whether iOS hides and slows apps that are not in front.")
    )
    awake_s: float = field(
        default=10.0,
        metadata=about(
            "How long a Bluetooth event lets a locked iPhone's app run.", low=0, high=600
        ),
    )
    stale_tempid: bool = field(
        default=False,
        metadata=about(
            "The reference app's bug: iPhones send the first TempID of a batch for 12 hours."
        ),
    )
    rotating_addresses: bool = field(
        default=True,
        metadata=about(
            "Whether Bluetooth addresses change: each time an Android starts to advertise, every "
            "15 minutes on iPhones."
        ),
    )
    bluetooth_drops_per_hour: float = field(
        default=0.0, metadata=about("How often Bluetooth drops out.", low=0, high=60)
    )
    bluetooth_off_s: float = field(
        default=300.0, metadata=about("Mean time until it is back.", low=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKeys:
    """What the air does between two phones; the meaning of each is in explanation/simulation."""

    antenna_loss_db: float = field(
        default=2.5,
        metadata=about("Loss of each phone's antenna against an ideal one.", low=0, high=20),
    )
    breakpoint_m: float = field(
        default=5.0,
        metadata=about(
            "Distance beyond which the direct wave falls faster than in free space.", low=0.5
        ),
    )
    beyond_exponent: float = field(
        default=3.3,
        metadata=about(
            "Path-loss exponent of the direct wave beyond the breakpoint.", low=2, high=6
        ),
    )
    diffuse_loss_db: float = field(
        default=52.0,
        metadata=about(
            "Loss of the field that walls reflect from all sides, next to the sender.",
            low=30,
            high=120,
        ),
    )
    diffuse_decay_db_per_m: float = field(
        default=0.9, metadata=about("How fast that field falls along the room.", low=0, high=10)
    )
    delay_spread_ns: float = field(
        default=6.0,
        metadata=about(
            "Mean extra delay of reflected waves; decides how unlike the advertising channels are.",
            low=0.1,
            high=500,
        ),
    )
    doppler_hz: float = field(
        default=0.06,
        metadata=about(
            "Spread of the slow Doppler shifts that moving bodies cause.", low=0, high=20
        ),
    )
    body_loss_db: float = field(
        default=13.0,
        metadata=about(
            "Loss of the direct wave right through the body of the phone's owner.", low=0, high=40
        ),
    )
    obstruction_db: float = field(
        default=2.5,
        metadata=about("Loss of the direct wave per other body in its way.", low=0, high=30),
    )
    shadowing_sd_db: float = field(
        default=2.5,
        metadata=about(
            "Spread of the loss in clutter that belongs to places, of long links.", low=0, high=15
        ),
    )
    shadowing_length_m: float = field(
        default=1.5,
        metadata=about("Distance over which that clutter is alike.", low=0.1, high=100),
    )
    pair_sd_db: float = field(
        default=1.9,
        metadata=about(
            "Spread of the lasting offset of a pair, the same both ways.", low=0, high=15
        ),
    )
    direction_sd_db: float = field(
        default=1.2,
        metadata=about("Spread of the lasting offset of one direction of a pair.", low=0, high=15),
    )
    receiver_sd_db: float = field(
        default=3.0, metadata=about("Spread between receivers of one model.", low=0, high=15)
    )
    transmitter_sd_db: float = field(
        default=1.8, metadata=about("Spread between transmitters of one model.", low=0, high=15)
    )
    packet_sd_db: float = field(
        default=1.5, metadata=about("Spread of one reading's own noise.", low=0, high=15)
    )
    wall_db: float = field(
        default=6.0, metadata=about("Loss per wall between two rooms.", low=0, high=40)
    )
    packet_loss: float = field(
        default=0.08, metadata=about("Share of advertisements lost to collisions.", low=0, high=1)
    )
    reach_m: float = field(
        default=200.0,
        metadata=about(
            "Phones further apart when a scan begins are not heard in it, whatever the level.",
            low=1,
        ),
    )
    floor_dbm: float = field(
        default=-99.0,
        metadata=about("Level at which half of the advertisements are lost.", low=-130, high=-40),
    )
    floor_width_db: float = field(
        default=2.0, metadata=about("Softness of that floor.", low=0.01, high=20)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKeys:
    """What counts as a close contact."""

    name: str = field(default="2m-15min", metadata=about("What to call the policy."))
    within_m: float = field(default=2.0, metadata=about("Nearness that counts.", low=0.1))
    minutes: float = field(
        default=15.0, metadata=about("Minutes that make a close contact.", low=0)
    )

    def policy(self) -> CloseContactPolicy:
        """Return the policy as the library knows it."""
        return CloseContactPolicy(self.name, self.within_m, self.minutes)

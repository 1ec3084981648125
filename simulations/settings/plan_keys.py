"""The tables of a venue of several spaces: spaces, doors, groups of people and their timetable."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from simulations.places.layouts import hall_room, rows_room, tables_room
from simulations.places.venue import Room
from simulations.settings.declared import Share, about

OWN: Final = "own"
"""The space of a timetable's entry that stands for each group's own space."""
AWAY: Final = "away"
"""The space of a timetable's entry that stands for outside the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FurnitureKeys:
    """A rectangle of floor, and the places on it."""

    kind: Annotated[
        Literal["carriage", "rows", "tables", "groups", "hall", "plan"],
        about(
            "carriage: benches along walls; rows: seats in rows; tables: seats at tables; "
            "groups: people standing in groups; hall: open floor; plan: several spaces, as "
            "[venue.spaces.NAME], within length_m by width_m."
        ),
    ]
    length_m: Annotated[float, about("Inside length.", ge=1, le=2000)]
    width_m: Annotated[float, about("Inside width.", ge=1, le=2000)]
    seat_pitch_m: Annotated[
        float, about("Distance between the centres of two seats side by side.", ge=0.35, le=10)
    ] = 0.6
    rows: Annotated[int, about("Rows: number of rows.", ge=0, le=200)] = 0
    seats_per_row: Annotated[int, about("Rows: seats in each row.", ge=0, le=100)] = 0
    row_pitch_m: Annotated[float, about("Rows: distance between two rows.", ge=0.5, le=5)] = 0.85
    tables: Annotated[int, about("Number of tables or groups.", ge=0, le=2000)] = 0
    seats_per_table: Annotated[
        int, about("Places at each table or in each group.", ge=0, le=40)
    ] = 0
    across_m: Annotated[
        float, about("Tables: distance between two people who sit opposite.", ge=0.6, le=20)
    ] = 1.3
    standing_places: Annotated[int, about("Places where people stand.", ge=0, le=5000)] = 0

    def furnished(self, *, doors: int, rooms: int) -> Room:
        """Return the floor with its places.

        Args:
            doors: on one side.
            rooms: side by side along the length, with walls between.

        Raises:
            ValueError: seats or standing places don't fit.
        """
        floor: dict[str, Any] = {
            "length_m": self.length_m,
            "width_m": self.width_m,
            "standing_places": self.standing_places,
            "doors": doors,
            "rooms": rooms,
        }
        if self.kind == "hall":
            return hall_room(**floor)
        if self.kind == "rows":
            return rows_room(
                **floor,
                rows=self.rows,
                seats_per_row=self.seats_per_row,
                seat_pitch_m=self.seat_pitch_m,
                row_pitch_m=self.row_pitch_m,
            )
        return tables_room(
            **floor,
            tables=self.tables,
            seats_per_table=self.seats_per_table,
            seat_pitch_m=self.seat_pitch_m,
            across_m=self.across_m,
            group=self.kind == "groups",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceKeys(FurnitureKeys):
    """One space of a plan."""

    kind: Annotated[
        Literal["rows", "tables", "groups", "hall"],
        about(
            "rows: seats in rows; tables: seats at tables; groups: people standing in groups; "
            "hall: open floor."
        ),
    ]
    x_m: Annotated[float, about("Left side, from the left side of the venue.", ge=0, le=2000)]
    y_m: Annotated[float, about("Lower side, from the lower side of the venue.", ge=0, le=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorKeys:
    """One door of a plan."""

    x_m: Annotated[
        float, about("Centre, on a wall, from the left side of the venue.", ge=0, le=2000)
    ]
    y_m: Annotated[float, about("Centre, from the lower side of the venue.", ge=0, le=2000)]
    width_m: Annotated[float, about("Width of the gap in the wall.", ge=0.6, le=50)] = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleGroupKeys:
    """People who belong together."""

    people: Annotated[int, about("Members.", ge=1, le=200_000)]
    space: Annotated[str, about("Their own space: each has a place there, seats first.")]
    carriers: Annotated[
        Share, about("Share of members who carry a phone; the app is on people.adoption of them.")
    ] = 1.0
    keeps_together: Annotated[
        Share,
        about("Chance that a member takes a place beside another one, in a space not their own."),
    ] = 0.7
    visits: Annotated[
        tuple[str, ...], about("Groups whose seated members they visit; empty: all groups.")
    ] = ()
    visits_per_hour: Annotated[
        float, about("How often a member makes a visit; 0: motion.visits_per_hour.", ge=0, le=60)
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimetableKeys:
    """Where some groups are for a time."""

    starts: Annotated[str, about("Time of day, such as 08:45.")]
    ends: Annotated[str, about("Time of day at which the next entry of these groups starts.")]
    space: Annotated[
        str, about("Name of a space; own: each group's own space; away: outside the venue.")
    ] = OWN
    groups: Annotated[tuple[str, ...], about("Names of groups; empty: all groups.")] = ()

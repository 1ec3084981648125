"""Scenarios: strict TOML in, frozen values out; every key is documented where it is declared."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import tomli_w

from simulations.places.venue import Room
from simulations.settings.declared import about
from simulations.settings.file_faults import FileFaults
from simulations.settings.keys import (
    ChannelKeys,
    MotionKeys,
    PeopleKeys,
    PhoneKeys,
    PlaceKeys,
    PolicyKeys,
    VenueKeys,
)
from simulations.settings.strict_tables import ScenarioKey, ScenarioShelf, StrictTables
from simulations.settings.timetables import check_groups
from tracetogether.errors import ScenarioError
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_MINUTE
from tracetogether.whole_file import write_whole

SCHEMA: Final = 1

LAYERS: Final[Mapping[str, str]] = MappingProxyType(
    {"h": "household", "s": "school", "w": "work", "c": "community"}
)
"""Layers of contacts, by the letters that covasim has for them."""
NO_LAYER: Final = "none"

_CODE: Final = re.compile(r"[A-Z0-9_]{2,32}")
_SUM_WITHIN: Final = 1e-6

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One setting to simulate. The file's name gives ``name``; all other fields are keys."""

    name: str
    schema: Annotated[int, about("Version of these keys.", ge=SCHEMA, le=SCHEMA)]
    title: Annotated[str, about("Short title.")]
    modelled_on: Annotated[
        str, about("What in the world this stands for, and the source of its numbers.")
    ]
    duration_s: Annotated[float, about("Simulated time.", ge=10, le=86400)]
    layer: Annotated[
        Literal["none", "h", "s", "w", "c"],
        about(
            "Layer of contacts in epidemic simulators: h household, s school, w work, c "
            "community. With none, an export needs --scenario NAME=LAYER."
        ),
    ] = "none"
    people: Annotated[PeopleKeys, about("Who is there.")]
    venue: Annotated[VenueKeys, about("Where they are.")]
    motion: Annotated[MotionKeys, about("How they come, stay, move and go.")]
    phones: Annotated[PhoneKeys, about("What they carry.")]
    channel: Annotated[ChannelKeys, about("What the air does.")] = field(
        default_factory=ChannelKeys
    )
    policy: Annotated[PolicyKeys, about("What counts as a close contact.")] = field(
        default_factory=PolicyKeys
    )
    places: Annotated[
        tuple[PlaceKeys, ...], about("Devices at fixed spots that phones note as they note phones.")
    ] = ()

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Scenario":
        """Return a scenario by its name or from a file; see ``load_scenario``."""
        return load_scenario(name_or_path)

    def with_(self, settings: Mapping[str, Any] = _NONE, **named: Any) -> "Scenario":  # noqa: ANN401 - a key's value
        """Return this scenario with other values.

        Args:
            settings: key -> value. A key is dotted, or the last part of only one dotted key.
            named: the same for keys without a dot.

        Raises:
            ScenarioError: a key is unknown or given twice, or a value is out of range.

        >>> Scenario.load("lift").with_({"phones.ios": 1.0}, adoption=0.5).people.adoption
        0.5
        """
        table = asdict(self)
        given: set[str] = set()
        for word, value in [*settings.items(), *named.items()]:
            key = full_key(word).name
            if key in given:
                raise ScenarioError(f"{key} is given twice: name each key once")
            given.add(key)
            *tables, last = key.split(".")
            inner = table
            for part in tables:
                inner = inner[part]
            inner[last] = value.item() if hasattr(value, "item") else value
        return scenario_of_keys(table, source=self.name)

    def text(self) -> "ScenarioText":
        """Return the scenario as the text of a file, with every key."""
        keys = asdict(self)
        del keys["name"]
        return ScenarioText(self.name, self.name, tomli_w.dumps(keys))

    def save(self, path: str | Path) -> Path:
        """Write the scenario as a TOML file with every key, and return its path.

        Raises:
            StoreError: the file can't be written.
        """
        target = Path(path)
        write_whole(target, self.text().text)
        return target


_GONE: Final = MappingProxyType(
    {
        "phones.app": "set 'phones.protocol' to bluetrace, or to gaen in place of broadcast; "
        "'phones.radio' says whose radio the phones have"
    }
)
_TABLES: Final = StrictTables(Scenario, _GONE)
_SHELF: Final = ScenarioShelf("simulations", "tracetogether simulate list")


def scenario_keys() -> Sequence[ScenarioKey]:
    """Return every key that a scenario may hold, in order."""
    return _TABLES.keys


def scenario_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors that check TOML by one."""
    return _TABLES.schema()


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the library."""
    return _SHELF.names()


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario's unread text, which another machine can read to the same scenario.

    Attributes:
        name: of the scenario.
        source: the file, for error messages.
        text: TOML.
    """

    name: str
    source: str
    text: str

    def read(self, settings: Mapping[str, str] = _NONE) -> Scenario:
        """Return the scenario; see ``load_scenario``."""
        return parse_scenario(self.text, name=self.name, source=self.source, settings=settings)


def load_scenario(name_or_path: str | Path, settings: Mapping[str, str] = _NONE) -> Scenario:
    """Return a scenario by its name or from a file.

    Args:
        name_or_path: a name from ``scenario_names``; with a suffix or a folder, a file.
        settings: key -> value as text, which replace the file's values. A key is dotted, or the
            last part of only one dotted key: ``adoption`` is ``people.adoption``.

    Raises:
        ScenarioError: there is no such scenario, it is not TOML, or a key is unknown, missing or
            out of range.

    >>> load_scenario("lift", {"adoption": "0.5"}).people.adoption
    0.5
    """
    return scenario_text(name_or_path).read(settings)


def scenario_text(name_or_path: str | Path) -> ScenarioText:
    """Return the unread text of a scenario.

    Raises:
        ScenarioError: there is no such scenario, or its file can't be read.
    """
    return ScenarioText(*_SHELF.text(name_or_path))


def parse_scenario(
    text: str, *, name: str, source: str, settings: Mapping[str, str] = _NONE
) -> Scenario:
    """Return the scenario that ``text`` (TOML) describes; error messages name ``source``."""
    scenario = _TABLES.parse(text, name=name, source=source, settings=settings)
    replaced = frozenset(full_key(key).name for key in settings)
    _check_together(scenario, FileFaults(source, text, replaced), placed=True)
    return scenario


def scenario_of_keys(keys: Mapping[str, Any], *, source: str, placed: bool = True) -> Scenario:
    """Return the scenario with these keys, its name among them.

    Args:
        keys: as ``dataclasses.asdict`` returns them for a scenario.
        source: the file, for error messages.
        placed: whether people need places in the room; on recorded tracks they don't.

    Raises:
        ScenarioError: a key is unknown, missing or out of range.
    """
    table = dict(keys)
    name = str(table.pop("name", ""))
    scenario = _TABLES.convert(table, name=name, source=source)
    _check_together(scenario, FileFaults(source), placed=placed)
    return scenario


def cautions(scenario: Scenario) -> list[str]:
    """Return why a valid scenario can't find any contact, each reason with its remedy."""
    found = []
    lasts, wanted = scenario.duration_s / SECONDS_PER_MINUTE, scenario.policy.minutes
    if lasts < wanted:
        found.append(
            f"It lasts {counted(lasts, 'minutes')}, and its policy needs "
            f"{counted(wanted, 'minutes')} for a contact, "
            f"so there can't be any: set duration_s to {wanted * SECONDS_PER_MINUTE:g} or more, or "
            f"policy.minutes to {lasts:g} or less."
        )
    people, with_app = scenario.people.count, scenario.people.with_app
    if with_app < 2:
        found.append(
            f"With the app on {with_app} of {people} phones, nobody can be found: set "
            f"people.adoption to {2 / people:.3g} or more."
        )
    return found


def full_key(word: str) -> ScenarioKey:
    """Return the key that ``word`` names: by its dotted name, or by the end of only one.

    Raises:
        ScenarioError: no key has this name, or several do.
    """
    return _TABLES.full_key(word)


def _check_together(scenario: Scenario, faults: FileFaults, *, placed: bool) -> None:
    """Check the rules that concern several keys.

    Raises:
        ScenarioError: some are broken; the message names all of them.
    """
    stowed = scenario.people.stowed
    if stowed.front_pocket + stowed.back_pocket + stowed.bag <= 0:
        faults.add(
            "people.stowed", "the shares in [people.stowed] are all 0; a phone must be somewhere"
        )
    if scenario.phones.locked + scenario.phones.background > 1:
        faults.add(
            "phones.locked", "'phones.locked' and 'phones.background' are together more than 1"
        )
    if scenario.phones.later_scans and scenario.phones.protocol != "bluetrace":
        faults.add(
            "phones.later_scans",
            "'phones.later_scans' is of BlueTrace: set it to false, or 'phones.protocol' to "
            "bluetrace",
        )
    if scenario.motion.dwell_s >= scenario.motion.stop_every_s:
        faults.add("motion.dwell_s", "'motion.dwell_s' must be shorter than 'motion.stop_every_s'")
    _check_homes(scenario, faults)
    if scenario.places and scenario.phones.protocol != "bluetrace":
        faults.add("places", "[[places]] speak BlueTrace: set 'phones.protocol' to bluetrace")
    try:
        room = scenario.venue.room()
    except ValueError as error:
        faults.add("", f"in [venue]: {error}")
    else:
        _check_devices(scenario, room, faults)
        if placed:
            _check_places(scenario, room, faults)
    faults.check()


def _check_homes(scenario: Scenario, faults: FileFaults) -> None:
    """Check that authorities have codes and all people, and issue TempIDs."""
    home = scenario.people.home
    if not home:
        return
    if abs(sum(home.values()) - 1) > _SUM_WITHIN:
        faults.add(
            "people.home",
            f"the shares in 'people.home' are together {sum(home.values()):g}; they must be 1",
        )
    wrong = [code for code in home if not _CODE.fullmatch(code)]
    if wrong:
        faults.add(
            "people.home",
            f"'people.home' names authorities by codes such as SG_MOH, not {wrong[0]!r}",
        )
    if scenario.phones.protocol != "bluetrace":
        faults.add(
            "people.home",
            "'people.home' is of BlueTrace: set 'phones.protocol' to bluetrace, or leave it out",
        )


def _check_devices(scenario: Scenario, room: Room, faults: FileFaults) -> None:
    """Check that devices at fixed spots are within the room."""
    for number, place in enumerate(scenario.places, start=1):
        inside = len(place.at) == 2 and all(
            0 <= at <= side
            for at, side in zip(place.at, (room.length_m, room.width_m), strict=True)
        )
        if not inside:
            faults.add(
                f"places.{number}.at",
                f"'places.{number}.at' is [x, y] within {room.length_m:g} by {room.width_m:g} m, "
                f"not {list(place.at)}",
            )


def _check_places(scenario: Scenario, room: Room, faults: FileFaults) -> None:
    """Check that people have places in the room, or spaces and times of a plan."""
    if scenario.venue.kind == "plan":
        _check_plan(scenario, room, faults)
    elif scenario.people.groups or scenario.motion.timetable:
        faults.add(
            "venue.kind",
            "[people.groups] and [[motion.timetable]] are for a plan: set 'venue.kind' to plan "
            "and add [venue.spaces.NAME]",
        )
    if scenario.motion.kind != "stay":
        if room.plan is not None:
            faults.add(
                "motion.kind",
                "walls hold people only where 'motion.kind' is stay: set it to stay, or leave "
                "'venue.corridor_m' or the plan out",
            )
        return
    if scenario.venue.kind == "plan":
        return
    places = len(room.seats) + len(room.standing)
    if places < scenario.people.count * scenario.motion.aboard_at_start:
        faults.add(
            "people.count",
            f"'people.count' is {scenario.people.count}, but the room has only {places} places "
            "('venue.seats_per_bench', 'venue.standing_places' and the like)",
        )


def _check_plan(scenario: Scenario, room: Room, faults: FileFaults) -> None:
    people, spaces = scenario.people, list(scenario.venue.spaces)
    try:
        check_groups(people, scenario.motion, room, spaces, scenario.duration_s)
    except ValueError as error:
        faults.add("", str(error))

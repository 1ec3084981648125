"""Scenarios: strict TOML in, frozen values out; every key is documented where it is declared."""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import inspect

from simulations.settings.keys import (
    ChannelKeys,
    MotionKeys,
    PeopleKeys,
    PhoneKeys,
    PolicyKeys,
    VenueKeys,
    about,
)
from tracetogether.errors import ScenarioError
from tracetogether.names import did_you_mean
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_MINUTE

SCHEMA: Final = 1

LAYERS: Final[Mapping[str, str]] = MappingProxyType(
    {"h": "household", "s": "school", "w": "work", "c": "community"}
)
"""Layers of contacts, by the letters that covasim has for them."""
NO_LAYER: Final = "none"

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


@dataclass(frozen=True, slots=True)
class ScenarioKey:
    """One documented key.

    Attributes:
        name: dotted, as an error message writes it.
        type_name: "text", "whole number", "number" or "switch" (true or false).
        default: None where the key is required.
        low, high: the least and the greatest value; None without such a limit.
        one_of: the values that are allowed; empty if any is.
        doc: its meaning.
    """

    name: str
    type_name: str
    default: str | int | float | None
    low: float | None
    high: float | None
    one_of: tuple[str, ...]
    doc: str

    @property
    def span(self) -> str:
        """Return which values are allowed, in words; "any" without limits."""
        if self.one_of:
            return f"one of {', '.join(self.one_of)}"
        if self.type_name == "switch":
            return "true or false"
        if self.low is None:
            return "any"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g}" if self.low == self.high else f"from {self.low:g} to {self.high:g}"

    @property
    def default_text(self) -> str:
        """Return the default as a scenario file writes it; "required" without one."""
        if self.default is None:
            return "required"
        return str(self.default).lower() if self.type_name == "switch" else str(self.default)

    def refusal(self, value: object) -> str:
        """Return what is wrong with a value from TOML; "" if it fits."""
        switch, number = isinstance(value, bool), isinstance(value, int | float)
        fits = {
            "text": isinstance(value, str),
            "whole number": isinstance(value, int) and not switch,
            "number": number and not switch,
            "switch": switch,
        }
        if not fits[self.type_name]:
            return self.wrong_type(value)
        if self.one_of:
            hint = did_you_mean(str(value), self.one_of)
            return (
                "" if value in self.one_of else f"{self.name!r} is {self.span}, not {value!r}{hint}"
            )
        if not isinstance(value, int | float) or switch:
            return ""
        # Written so that NaN fails as well.
        if not (self.low is None or value >= self.low) & (self.high is None or value <= self.high):
            return f"{self.name!r} is {self.span}, not {value!r}"
        return "" if abs(value) <= sys.float_info.max else f"{self.name!r} must be finite"

    def wrong_type(self, value: object) -> str:
        """Return the refusal of a value that has not this key's type."""
        if self.type_name == "switch":
            return f"{self.name!r} is {self.span}, not {value!r}"
        return f"{self.name!r} wants a {self.type_name}, got {value!r}"


_TYPE_NAMES: Final = {
    inspect.StrType: "text",
    inspect.LiteralType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "switch",
}


@cache
def scenario_keys() -> Sequence[ScenarioKey]:
    """Return every key that a scenario may hold, in order."""
    table = inspect.type_info(Scenario)
    return tuple(_keys_of(table)) if isinstance(table, inspect.DataclassType) else ()


def _keys_of(table: inspect.DataclassType, prefix: str = "") -> Iterator[ScenarioKey]:
    described = {entry.name: entry for entry in table.fields}  # msgspec puts required ones first
    for declared in fields(table.cls):
        entry = described[declared.name]
        if not isinstance(entry.type, inspect.Metadata):
            continue  # the scenario's name, which is no key
        name, kind = f"{prefix}{entry.name}", entry.type.type
        if isinstance(kind, inspect.DataclassType):
            yield from _keys_of(kind, f"{name}.")
        else:
            yield ScenarioKey(
                name=name,
                type_name=_TYPE_NAMES[type(kind)],
                default=None if entry.required else entry.default,
                low=getattr(kind, "ge", None),
                high=getattr(kind, "le", None),
                one_of=getattr(kind, "values", ()),
                doc=(entry.type.extra_json_schema or {})["description"],
            )


def scenario_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors that check TOML by one."""
    schema = msgspec.json.schema(Scenario)
    top = schema["$defs"]["Scenario"]
    del top["properties"]["name"]
    top["required"].remove("name")
    for table in schema["$defs"].values():
        table["additionalProperties"] = False
    return schema


def _shipped() -> dict[str, Any]:
    folder = resources.files("simulations") / "scenarios"
    found = {item.name.removesuffix(".toml"): item for item in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if found[name].name.endswith(".toml")}


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the library."""
    return list(_shipped())


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
    text = str(name_or_path)
    shipped = _shipped()
    if text in shipped:
        return ScenarioText(text, f"{text}.toml", shipped[text].read_text("utf-8"))
    path = Path(text)
    if not path.suffix and len(path.parts) == 1:
        nearest = did_you_mean(text, shipped)
        msg = f"there is no scenario {text!r}{nearest}; `tracetogether simulate list` lists them"
        raise ScenarioError(msg)
    try:
        return ScenarioText(path.stem, str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"{path}: this scenario can't be read: {reason}"
        raise ScenarioError(msg) from error


def parse_scenario(
    text: str, *, name: str, source: str, settings: Mapping[str, str] = _NONE
) -> Scenario:
    """Return the scenario that ``text`` (TOML) describes; error messages name ``source``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{source}: this is not TOML: {error}"
        raise ScenarioError(msg) from error
    for key, value in settings.items():
        _set(table, key, value)
    return _scenario_of(table, name, source, placed=True)


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
    return _scenario_of(table, str(table.pop("name", "")), source, placed=placed)


def _scenario_of(table: dict[str, Any], name: str, source: str, *, placed: bool) -> Scenario:
    _check_table(table, "", source)
    scenario = msgspec.convert({**table, "name": name}, Scenario)
    _check_together(scenario, source, placed=placed)
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
    keys = {key.name: key for key in scenario_keys()}
    if word in keys:
        return keys[word]
    ending = [name for name in keys if name.endswith(f".{word}")]
    if len(ending) == 1:
        return keys[ending[0]]
    if ending:
        raise ScenarioError(f"{word!r} can be {' or '.join(ending)}: write one of them")
    short = {name.rpartition(".")[2]: name for name in keys}
    nearest = did_you_mean(word, keys) or did_you_mean(word, short)
    raise ScenarioError(f"there is no scenario key {word!r}{nearest}")


def _set(table: dict[str, Any], word: str, text: str) -> None:
    """Write one setting into the file's table, where it is checked with all other keys."""
    key = full_key(word)
    value: object = text
    if key.type_name != "text":
        toml = text.lower() if key.type_name == "switch" else text  # True as well as true
        try:
            (value,) = tomllib.loads(f"value = {toml}").values()
        except ValueError:  # not TOML, or more than one value
            raise ScenarioError(key.wrong_type(text)) from None
    *tables, last = key.name.split(".")
    for part in tables:
        inner: Any = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the file is wrong here: checking the table raises the error
        table = inner
    table[last] = value


def _check_table(table: Mapping[str, Any], prefix: str, source: str) -> None:
    """Check each key below ``prefix``, "" or such as "people."."""
    known: dict[str, ScenarioKey | None] = {}  # None: a table of keys
    for key in scenario_keys():
        if key.name.startswith(prefix):
            name, dot, _ = key.name.removeprefix(prefix).partition(".")
            known[name] = None if dot else key
    for name in table:
        if name not in known:
            hint = did_you_mean(name, known) or f"; known here: {', '.join(known)}"
            raise ScenarioError(f"{source}: unknown key {prefix + name!r}{hint}")
    for name, found in known.items():
        if found is None:
            inner = table.get(name, {})
            if not isinstance(inner, Mapping):
                msg = f"{prefix + name!r} is a table: write [{prefix + name}] and its keys below"
                raise ScenarioError(f"{source}: {msg}")
            _check_table(inner, f"{prefix}{name}.", source)
        elif name in table:
            if refusal := found.refusal(table[name]):
                raise ScenarioError(f"{source}: {refusal}")
        elif found.default is None:
            raise ScenarioError(f"{source}: the key {found.name!r} is missing: {found.doc}")


def _check_together(scenario: Scenario, source: str, *, placed: bool) -> None:
    """Check the rules that concern several keys."""
    stowed = scenario.people.stowed
    if stowed.front_pocket + stowed.back_pocket + stowed.bag <= 0:
        msg = f"{source}: the shares in [people.stowed] are all 0; a phone must be somewhere"
        raise ScenarioError(msg)
    if scenario.phones.locked + scenario.phones.background > 1:
        msg = f"{source}: 'phones.locked' and 'phones.background' are together more than 1"
        raise ScenarioError(msg)
    if scenario.motion.dwell_s >= scenario.motion.stop_every_s:
        msg = f"{source}: 'motion.dwell_s' must be shorter than 'motion.stop_every_s'"
        raise ScenarioError(msg)
    try:
        room = scenario.venue.room()
    except ValueError as error:
        msg = f"{source}: in [venue]: {error}"
        raise ScenarioError(msg) from None
    if scenario.motion.kind != "stay" or not placed:
        return
    places = len(room.seats) + len(room.standing)
    if places < scenario.people.count * scenario.motion.aboard_at_start:
        msg = (
            f"{source}: 'people.count' is {scenario.people.count}, but the room has only "
            f"{places} places ('venue.seats_per_bench', 'venue.standing_places' and the like)"
        )
        raise ScenarioError(msg)

"""Scenarios: strict TOML in, frozen values out; every key is documented where it is declared."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_type_hints

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
    """One setting to simulate."""

    name: str
    schema: int = field(metadata=about("Version of these keys.", low=SCHEMA, high=SCHEMA))
    title: str = field(metadata=about("One line for people."))
    modelled_on: str = field(
        metadata=about("What in the world this stands for, and where its numbers are from.")
    )
    duration_s: float = field(metadata=about("Simulated time.", low=10, high=86400))
    layer: str = field(
        default=NO_LAYER,
        metadata=about(
            "Layer of contacts that epidemic simulators put this in: h household, s school, w "
            "work, c community; an export asks for it where it is none.",
            one_of=(NO_LAYER, *LAYERS),
        ),
    )
    people: PeopleKeys = field(metadata=about("Who is there."))
    venue: VenueKeys = field(metadata=about("Where they are."))
    motion: MotionKeys = field(metadata=about("How they come, stay, move and go."))
    phones: PhoneKeys = field(metadata=about("What they carry."))
    channel: ChannelKeys = field(default=ChannelKeys(), metadata=about("What the air does."))
    policy: PolicyKeys = field(
        default=PolicyKeys(), metadata=about("What counts as a close contact.")
    )


@dataclass(frozen=True, slots=True)
class ScenarioKey:
    """One documented key.

    Attributes:
        name: dotted, as an error message writes it.
        type_name: "text", "whole number", "number" or "switch" (true or false).
        default: None where the key is required.
    """

    name: str
    type_name: str
    default: str | int | float | None
    low: float | None
    high: float | None
    one_of: tuple[str, ...]
    doc: str


_TYPE_NAMES: Final = {str: "text", int: "whole number", float: "number", bool: "switch"}


def _fields(cls: type) -> Iterator[tuple[str, Any, Any]]:
    """Yield (key, type, field) of each key of a table."""
    hints = get_type_hints(cls)
    for item in fields(cls):
        if item.metadata:
            yield item.name, hints[item.name], item


def scenario_keys(cls: type = Scenario, prefix: str = "") -> list[ScenarioKey]:
    """Return every key that a scenario may hold, in order."""
    keys: list[ScenarioKey] = []
    for name, hint, item in _fields(cls):
        if hint not in _TYPE_NAMES:
            keys += scenario_keys(hint, f"{prefix}{name}.")
            continue
        has_default = isinstance(item.default, str | int | float)
        meta = item.metadata
        keys.append(
            ScenarioKey(
                name=f"{prefix}{name}",
                type_name=_TYPE_NAMES[hint],
                default=item.default if has_default else None,
                low=meta["low"],
                high=meta["high"],
                one_of=meta["one_of"],
                doc=meta["doc"],
            )
        )
    return keys


def _shipped() -> dict[str, Any]:
    folder = resources.files("simulations") / "scenarios"
    found = {item.name.removesuffix(".toml"): item for item in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if found[name].name.endswith(".toml")}


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the library."""
    return list(_shipped())


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario as it is written; all that another machine needs to read the same one.

    Attributes:
        name: what to call it.
        source: where it is from, for error messages.
        text: TOML.
    """

    name: str
    source: str
    text: str

    def read(self, settings: Mapping[str, str] = _NONE) -> Scenario:
        """Return the scenario; see ``load_scenario``."""
        return parse_scenario(self.text, name=self.name, source=self.source, settings=settings)


def load_scenario(name_or_path: str | Path, settings: Mapping[str, str] = _NONE) -> Scenario:
    """Return a scenario by its name, or from a file (anything with a suffix or a folder).

    Args:
        name_or_path: which.
        settings: key -> value as text, in place of the file's; a key is dotted, or the last part
            of a dotted one where only one ends so (``adoption`` is ``people.adoption``).

    Raises:
        ScenarioError: there is none, it is not TOML, or a key is unknown, missing or out of range.
    """
    return scenario_text(name_or_path).read(settings)


def scenario_text(name_or_path: str | Path) -> ScenarioText:
    """Return what a scenario's file says, unread.

    Raises:
        ScenarioError: there is none, or it can't be read.
    """
    text = str(name_or_path)
    shipped = _shipped()
    if text in shipped:
        return ScenarioText(text, f"{text}.toml", shipped[text].read_text("utf-8"))
    path = Path(text)
    if not path.suffix and len(path.parts) == 1:
        nearest = _nearest(text, list(shipped))
        msg = f"there is no scenario {text!r}{nearest}; `tracetogether simulate list` names them"
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
    """Return the scenario that ``text`` (TOML) describes; ``source`` is for error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{source}: this is not TOML: {error}"
        raise ScenarioError(msg) from error
    for key, value in settings.items():
        _set(table, key, value)
    return _scenario_of(table, name, source, placed=True)


def scenario_of_keys(keys: Mapping[str, Any], *, source: str, placed: bool = True) -> Scenario:
    """Return the scenario whose keys as played are ``keys``, with its name among them.

    Args:
        keys: as ``dataclasses.asdict`` gives a scenario.
        source: where they are from, for error messages.
        placed: whether its people need places in its room: not those of recorded tracks.

    Raises:
        ScenarioError: a key is unknown, missing or out of range.
    """
    table = dict(keys)
    return _scenario_of(table, str(table.pop("name", "")), source, placed=placed)


def _scenario_of(table: dict[str, Any], name: str, source: str, *, placed: bool) -> Scenario:
    scenario = Scenario(name=name, **_read_table(Scenario, table, prefix="", source=source))
    _check_together(scenario, source, placed=placed)
    return scenario


def cautions(scenario: Scenario) -> list[str]:
    """Return what makes a valid scenario unable to find anybody, each with what to do."""
    found = []
    lasts, wanted = scenario.duration_s / SECONDS_PER_MINUTE, scenario.policy.minutes
    if lasts < wanted:
        found.append(
            f"It lasts {lasts:g} minutes, and its policy calls {wanted:g} minutes a contact, so "
            f"nobody can be one: set duration_s to {wanted * SECONDS_PER_MINUTE:g} or more, or "
            f"policy.minutes to {lasts:g} or less."
        )
    people, with_app = scenario.people.count, scenario.people.with_app
    if with_app < 2:
        found.append(
            f"With {with_app} of {people} people on it the app can find nobody: set "
            f"people.adoption to {2 / people:.3g} or more."
        )
    return found


def full_key(word: str) -> ScenarioKey:
    """Return the key that ``word`` means: its dotted name, or the end of only one.

    Raises:
        ScenarioError: there is none, or more than one.
    """
    keys = {key.name: key for key in scenario_keys()}
    if word in keys:
        return keys[word]
    ending = [name for name in keys if name.endswith(f".{word}")]
    if len(ending) == 1:
        return keys[ending[0]]
    if ending:
        raise ScenarioError(f"{word!r} can be {' or '.join(ending)}: write which")
    short = {name.rpartition(".")[2]: name for name in keys}
    nearest = _nearest(word, list(keys)) or _nearest(word, list(short))
    raise ScenarioError(f"there is no scenario key {word!r}{nearest}")


def _set(table: dict[str, Any], word: str, text: str) -> None:
    """Write one setting into the file's table; its kind and limits are checked with the rest."""
    key = full_key(word)
    value: object = text
    if key.type_name != "text":
        try:
            (value,) = tomllib.loads(f"value = {text}").values()
        except ValueError:  # not TOML, or more than one value
            raise ScenarioError(f"{key.name!r} wants a {key.type_name}, got {text!r}") from None
    *tables, last = key.name.split(".")
    for part in tables:
        inner: Any = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the file is wrong here, and reading it says so
        table = inner
    table[last] = value


def _nearest(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return f"; did you mean {match[0]!r}?" if match else ""


def _read_table(cls: type, table: dict[str, Any], *, prefix: str, source: str) -> dict[str, Any]:
    known = {name: (hint, item) for name, hint, item in _fields(cls)}
    for name in table:
        if name not in known:
            hint_text = _nearest(name, list(known)) or f"; known here: {', '.join(known)}"
            msg = f"{source}: unknown key {prefix + name!r}{hint_text}"
            raise ScenarioError(msg)
    values: dict[str, Any] = {}
    for name, (hint, item) in known.items():
        key = prefix + name
        if name not in table:
            if item.default is not MISSING:
                continue
            msg = f"{source}: the key {key!r} is missing: {item.metadata['doc']}"
            raise ScenarioError(msg)
        if hint not in _TYPE_NAMES:
            if not isinstance(table[name], dict):
                msg = f"{source}: {key!r} is a table: write [{key}] and its keys below"
                raise ScenarioError(msg)
            values[name] = hint(**_read_table(hint, table[name], prefix=f"{key}.", source=source))
        else:
            values[name] = _read_value(hint, table[name], item.metadata, key=key, source=source)
    return values


def _read_value(
    hint: type,
    value: Any,  # noqa: ANN401 - whatever TOML held
    meta: Any,  # noqa: ANN401 - the mapping that _key made
    *,
    key: str,
    source: str,
) -> str | int | float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        str: isinstance(value, str),
        int: number and isinstance(value, int),
        float: number,
        bool: isinstance(value, bool),
    }[hint]
    if not fits:
        msg = f"{source}: {key!r} wants a {_TYPE_NAMES[hint]}, got {value!r}"
        raise ScenarioError(msg)
    if meta["one_of"] and value not in meta["one_of"]:
        nearest = _nearest(str(value), list(meta["one_of"]))
        msg = f"{source}: {key!r} is one of {', '.join(meta['one_of'])}, not {value!r}{nearest}"
        raise ScenarioError(msg)
    if hint not in (str, bool):
        low, high = meta["low"], meta["high"]
        # Written so that NaN fails as well.
        if not ((low is None or value >= low) and (high is None or value <= high)):
            span = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
            if low == high:
                span = f"{low:g}"
            msg = f"{source}: {key!r} is {span}, not {value!r}"
            raise ScenarioError(msg)
        if value in (float("inf"), float("-inf")):
            msg = f"{source}: {key!r} must be finite"
            raise ScenarioError(msg)
    result: str | int | float = hint(value)
    return result


def _check_together(scenario: Scenario, source: str, *, placed: bool) -> None:
    """Check what no key can check alone."""
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

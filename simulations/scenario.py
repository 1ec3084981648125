"""Scenarios: strict TOML in, frozen values out; every key is documented where it is declared."""

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final, get_type_hints

from simulations.venue import Carriage
from tracetogether.errors import ScenarioError
from tracetogether.parameters import CloseContactPolicy

SCHEMA: Final = 1


def _about(
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
        default=0.5, metadata=_about("Share with the phone in a front pocket.", low=0, high=1)
    )
    back_pocket: float = field(
        default=0.15, metadata=_about("Share with the phone in a back pocket.", low=0, high=1)
    )
    bag: float = field(
        default=0.35, metadata=_about("Share with the phone in a bag.", low=0, high=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleKeys:
    """Who is there."""

    count: int = field(metadata=_about("Number of people over the whole run.", low=2, high=2000))
    adoption: float = field(metadata=_about("Share of people with the app running.", low=0, high=1))
    in_hand: float = field(
        default=0.5,
        metadata=_about(
            "Share of time that a phone is in the hand rather than stowed.", low=0, high=1
        ),
    )
    hand_change_s: float = field(
        default=300.0,
        metadata=_about("Mean time between taking the phone out and putting it away.", low=10),
    )
    stowed: CarryShares = field(default=CarryShares(), metadata=_about("Where it is otherwise."))


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKeys:
    """Where they are."""

    kind: str = field(metadata=_about("Kind of room.", one_of=("carriage",)))
    length_m: float = field(metadata=_about("Inside length.", low=5, high=200))
    width_m: float = field(metadata=_about("Inside width.", low=2, high=5))
    doors_per_side: int = field(metadata=_about("Doors on each side.", low=2, high=12))
    seats_per_bench: int = field(
        metadata=_about("Seats on the bench between two doors.", low=1, high=30)
    )
    seat_pitch_m: float = field(
        metadata=_about("From the middle of one seat to the next.", low=0.35, high=1)
    )
    standing_places: int = field(metadata=_about("Places where people stand.", low=1, high=1000))

    def carriage(self) -> Carriage:
        """Return the room laid out.

        Raises:
            ValueError: seats or standing places don't fit.
        """
        return Carriage.build(
            length_m=self.length_m,
            width_m=self.width_m,
            doors_per_side=self.doors_per_side,
            seats_per_bench=self.seats_per_bench,
            seat_pitch_m=self.seat_pitch_m,
            standing_places=self.standing_places,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionKeys:
    """How they come, stay, move and go."""

    aboard_at_start: float = field(
        metadata=_about("Share of people inside from the start.", low=0, high=1)
    )
    stop_every_s: float = field(metadata=_about("Time from one stop to the next.", low=30))
    dwell_s: float = field(default=25.0, metadata=_about("How long the doors stay open.", low=5))
    stay_median_s: float = field(metadata=_about("Median time that a person stays aboard.", low=30))
    stay_spread: float = field(
        default=0.6,
        metadata=_about("Spread of the stay: standard deviation of its logarithm.", low=0, high=3),
    )
    walk_speed_m_s: float = field(
        default=0.8, metadata=_about("Mean walking speed inside.", low=0.1, high=3)
    )
    walk_speed_sd_m_s: float = field(
        default=0.15, metadata=_about("Spread of walking speeds.", low=0, high=1)
    )
    seat_wish: float = field(
        default=0.6,
        metadata=_about(
            "Chance that a standing person takes a seat that became free nearby.", low=0, high=1
        ),
    )
    moves_per_hour: float = field(
        default=2.0,
        metadata=_about(
            "How often a standing person changes place for no reason.", low=0, high=120
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneKeys:
    """What they carry."""

    ios: float = field(metadata=_about("Share of iPhones; the others run Android.", low=0, high=1))
    models_android: int = field(
        default=9, metadata=_about("Different Android models in the crowd.", low=1, high=9)
    )
    models_ios: int = field(
        default=5, metadata=_about("Different iPhone models in the crowd.", low=1, high=5)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKeys:
    """What the air does between two phones; the meaning of each is in explanation/simulation."""

    antenna_loss_db: float = field(
        default=2.5,
        metadata=_about("Loss of each phone's antenna against an ideal one.", low=0, high=20),
    )
    breakpoint_m: float = field(
        default=5.0,
        metadata=_about(
            "Distance beyond which the direct wave falls faster than in free space.", low=0.5
        ),
    )
    beyond_exponent: float = field(
        default=3.3,
        metadata=_about(
            "Path-loss exponent of the direct wave beyond the breakpoint.", low=2, high=6
        ),
    )
    diffuse_loss_db: float = field(
        default=52.0,
        metadata=_about(
            "Loss of the field that walls reflect from all sides, next to the sender.",
            low=30,
            high=120,
        ),
    )
    diffuse_decay_db_per_m: float = field(
        default=0.9, metadata=_about("How fast that field falls along the room.", low=0, high=10)
    )
    delay_spread_ns: float = field(
        default=6.0,
        metadata=_about(
            "Mean extra delay of reflected waves; decides how unlike the advertising channels are.",
            low=0.1,
            high=500,
        ),
    )
    doppler_hz: float = field(
        default=0.06,
        metadata=_about(
            "Spread of the slow Doppler shifts that moving bodies cause.", low=0, high=20
        ),
    )
    body_loss_db: float = field(
        default=13.0,
        metadata=_about(
            "Loss of the direct wave right through the body of the phone's owner.", low=0, high=40
        ),
    )
    obstruction_db: float = field(
        default=2.5,
        metadata=_about("Loss of the direct wave per other body in its way.", low=0, high=30),
    )
    pair_sd_db: float = field(
        default=2.2,
        metadata=_about(
            "Spread of the lasting offset of a pair, the same both ways.", low=0, high=15
        ),
    )
    direction_sd_db: float = field(
        default=1.2,
        metadata=_about("Spread of the lasting offset of one direction of a pair.", low=0, high=15),
    )
    receiver_sd_db: float = field(
        default=3.0, metadata=_about("Spread between receivers of one model.", low=0, high=15)
    )
    transmitter_sd_db: float = field(
        default=1.8, metadata=_about("Spread between transmitters of one model.", low=0, high=15)
    )
    packet_sd_db: float = field(
        default=1.5, metadata=_about("Spread of one reading's own noise.", low=0, high=15)
    )
    packet_loss: float = field(
        default=0.08, metadata=_about("Share of advertisements lost to collisions.", low=0, high=1)
    )
    floor_dbm: float = field(
        default=-99.0,
        metadata=_about("Level at which half of the advertisements are lost.", low=-130, high=-40),
    )
    floor_width_db: float = field(
        default=2.0, metadata=_about("Softness of that floor.", low=0.01, high=20)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKeys:
    """What counts as a close contact."""

    name: str = field(default="2m-15min", metadata=_about("What to call the policy."))
    within_m: float = field(default=2.0, metadata=_about("Nearness that counts.", low=0.1))
    minutes: float = field(
        default=15.0, metadata=_about("Minutes that make a close contact.", low=0)
    )

    def policy(self) -> CloseContactPolicy:
        """Return the policy as the library knows it."""
        return CloseContactPolicy(self.name, self.within_m, self.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One setting to simulate."""

    name: str
    schema: int = field(metadata=_about("Version of these keys.", low=SCHEMA, high=SCHEMA))
    title: str = field(metadata=_about("One line for people."))
    modelled_on: str = field(
        metadata=_about("What in the world this stands for, and where its numbers are from.")
    )
    duration_s: float = field(metadata=_about("Simulated time.", low=10, high=86400))
    people: PeopleKeys = field(metadata=_about("Who is there."))
    venue: VenueKeys = field(metadata=_about("Where they are."))
    motion: MotionKeys = field(metadata=_about("How they come, stay, move and go."))
    phones: PhoneKeys = field(metadata=_about("What they carry."))
    channel: ChannelKeys = field(default=ChannelKeys(), metadata=_about("What the air does."))
    policy: PolicyKeys = field(
        default=PolicyKeys(), metadata=_about("What counts as a close contact.")
    )


@dataclass(frozen=True, slots=True)
class ScenarioKey:
    """One documented key.

    Attributes:
        name: dotted, as an error message writes it.
        type_name: "text", "whole number" or "number".
        default: None where the key is required.
    """

    name: str
    type_name: str
    default: str | int | float | None
    low: float | None
    high: float | None
    one_of: tuple[str, ...]
    doc: str


_TYPE_NAMES: Final = {str: "text", int: "whole number", float: "number"}


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


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Return a scenario by its name, or from a file (anything with a suffix or a folder).

    Raises:
        ScenarioError: there is none, it is not TOML, or a key is unknown, missing or out of range.
    """
    text = str(name_or_path)
    shipped = _shipped()
    if text in shipped:
        return parse_scenario(shipped[text].read_text("utf-8"), name=text, source=f"{text}.toml")
    path = Path(text)
    if not path.suffix and len(path.parts) == 1:
        nearest = _nearest(text, list(shipped))
        msg = f"there is no scenario {text!r}{nearest}; `tracetogether simulate list` names them"
        raise ScenarioError(msg)
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"{path}: this scenario can't be read: {reason}"
        raise ScenarioError(msg) from error
    return parse_scenario(content, name=path.stem, source=str(path))


def parse_scenario(text: str, *, name: str, source: str) -> Scenario:
    """Return the scenario that ``text`` (TOML) describes; ``source`` is for error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{source}: this is not TOML: {error}"
        raise ScenarioError(msg) from error
    values = _read_table(Scenario, table, prefix="", source=source)
    scenario = Scenario(name=name, **values)
    _check_together(scenario, source)
    return scenario


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
    }[hint]
    if not fits:
        msg = f"{source}: {key!r} wants a {_TYPE_NAMES[hint]}, got {value!r}"
        raise ScenarioError(msg)
    if meta["one_of"] and value not in meta["one_of"]:
        nearest = _nearest(str(value), list(meta["one_of"]))
        msg = f"{source}: {key!r} is one of {', '.join(meta['one_of'])}, not {value!r}{nearest}"
        raise ScenarioError(msg)
    if hint is not str:
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


def _check_together(scenario: Scenario, source: str) -> None:
    """Check what no key can check alone."""
    stowed = scenario.people.stowed
    if stowed.front_pocket + stowed.back_pocket + stowed.bag <= 0:
        msg = f"{source}: the shares in [people.stowed] are all 0; a phone must be somewhere"
        raise ScenarioError(msg)
    if scenario.motion.dwell_s >= scenario.motion.stop_every_s:
        msg = f"{source}: 'motion.dwell_s' must be shorter than 'motion.stop_every_s'"
        raise ScenarioError(msg)
    try:
        venue = scenario.venue.carriage()
    except ValueError as error:
        msg = f"{source}: in [venue]: {error}"
        raise ScenarioError(msg) from None
    places = len(venue.seats) + len(venue.standing)
    if places < scenario.people.count:
        msg = (
            f"{source}: 'people.count' is {scenario.people.count}, but the carriage has only "
            f"{places} places ('venue.seats_per_bench', 'venue.standing_places')"
        )
        raise ScenarioError(msg)

"""Strict TOML tables: the keys of a dataclass, and a file's values checked by them.

A dataclass declares each key once, with its type, its limits, its meaning and its default. msgspec
reads these declarations. A key that is unknown, missing or out of range is an error that names the
file, the key and the nearest known key.

A field that is a mapping of names to dataclasses stands for tables with names of the user's choice
(``[venue.spaces.yard]``). A tuple of dataclasses stands for numbered tables
(``[[motion.timetable]]``, of which the first has the number 1). A mapping of names to numbers is
one value (``home = {SG_MOH = 0.9, AU_DTA = 0.1}``).
"""

import math
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from simulations.settings.file_faults import FileFaults
from tracetogether.errors import ScenarioError
from tracetogether.names import did_you_mean

_Form = TypeVar("_Form")

ANY_NAME: Final = "NAME"
"""The part of a key that stands for a name of the user's choice."""
ANY_NUMBER: Final = "NUMBER"
"""The part of a key that stands for the number of a table."""
TEXTS: Final = "list of texts"
NUMBERS: Final = "list of numbers"
SHARES: Final = "table of shares"


@dataclass(frozen=True, slots=True)
class ScenarioKey:
    """One documented key.

    Attributes:
        name: dotted, as an error message writes it.
        type_name: "text", "whole number", "number", "switch" (true or false), "list of texts",
            "list of numbers" or "table of shares" (each a name and a number from 0 to 1).
        default: None where the key is required.
        low, high: the least and the greatest value; None without such a limit.
        one_of: the values that are allowed; empty if any is.
        doc: its meaning.
    """

    name: str
    type_name: str
    default: str | int | float | tuple[str, ...] | Mapping[str, float] | None
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
        if self.type_name == SHARES:
            return "each from 0 to 1"
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
        if self.type_name == TEXTS:
            return str(list(self.default)) if isinstance(self.default, tuple) else "[]"
        return str(self.default).lower() if self.type_name == "switch" else str(self.default)

    def refusal(self, value: object) -> str:
        """Return what is wrong with a value from TOML; "" if it fits."""
        switch, number = isinstance(value, bool), isinstance(value, int | float)
        fits = {
            "text": isinstance(value, str),
            "whole number": isinstance(value, int) and not switch,
            "number": number and not switch,
            "switch": switch,
            TEXTS: isinstance(value, list | tuple) and all(isinstance(text, str) for text in value),
            NUMBERS: isinstance(value, list | tuple) and all(map(_is_number, value)),
            SHARES: isinstance(value, Mapping) and all(map(_is_share, value.values())),
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
    inspect.VarTupleType: TEXTS,
    inspect.DictType: SHARES,
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and 0 <= value <= 1


def _type_name(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.FloatType):
        return NUMBERS
    return _TYPE_NAMES[type(kind)]


def _tables_in(kind: inspect.Type) -> tuple[inspect.DataclassType, str] | None:
    """Return the tables that a field holds, and the part of their keys; None if it is a value."""
    if isinstance(kind, inspect.DataclassType):
        return kind, ""
    if isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.DataclassType):
        return kind.value_type, f"{ANY_NAME}."
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.DataclassType):
        return kind.item_type, f"{ANY_NUMBER}."
    return None


def _keys_of(table: inspect.DataclassType, prefix: str = "") -> Iterator[ScenarioKey]:
    described = {entry.name: entry for entry in table.fields}  # msgspec puts required ones first
    for declared in fields(table.cls):
        entry = described[declared.name]
        if not isinstance(entry.type, inspect.Metadata):
            continue  # the scenario's name, which is no key
        name, kind = f"{prefix}{entry.name}", entry.type.type
        if (tables := _tables_in(kind)) is not None:
            yield from _keys_of(tables[0], f"{name}.{tables[1]}")
        else:
            yield ScenarioKey(
                name=name,
                type_name=_type_name(kind),
                default=None if entry.required else _default(entry),
                low=getattr(kind, "ge", None),
                high=getattr(kind, "le", None),
                one_of=getattr(kind, "values", ()),
                doc=(entry.type.extra_json_schema or {})["description"],
            )


def _default(entry: inspect.Field) -> Any:  # noqa: ANN401 - a key's value
    """Return what a key is if a file does not name it."""
    made = entry.default_factory
    return entry.default if made is msgspec.NODEFAULT else made()


class StrictTables(Generic[_Form]):
    """The keys of one kind of file, and how its text is read.

    Args:
        form: a dataclass whose field ``name`` is the file's name; all other fields are keys or
            dataclasses of keys.
        gone: dotted key that earlier versions had -> what to write in its place.
    """

    def __init__(self, form: type[_Form], gone: Mapping[str, str] = MappingProxyType({})) -> None:
        self._form = form
        self._gone = gone

    @cached_property
    def keys(self) -> Sequence[ScenarioKey]:
        """Return every key that a file may hold, in order."""
        table = inspect.type_info(self._form)
        return tuple(_keys_of(table)) if isinstance(table, inspect.DataclassType) else ()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a file, for editors that check TOML by one."""
        schema = msgspec.json.schema(self._form)
        top = schema["$defs"][self._form.__name__]
        del top["properties"]["name"]
        top["required"].remove("name")
        for table in schema["$defs"].values():
            table["additionalProperties"] = False
            for said in table["properties"].values():  # msgspec leaves these defaults out
                if said.get("additionalProperties", {}).get("type") == "number":
                    said["default"] = {}
        return schema

    def full_key(self, word: str) -> ScenarioKey:
        """Return the key that ``word`` names: by its dotted name, or by the end of only one.

        Raises:
            ScenarioError: no key has this name, or several do.
        """
        keys = {key.name: key for key in self.keys if not _free_parts(key.name)}
        if word in keys:
            return keys[word]
        for key in self.keys:
            if _free_parts(key.name) and _fits(word, key.name):
                return replace(key, name=word)
        ending = [name for name in keys if name.endswith(f".{word}")]
        if len(ending) == 1:
            return keys[ending[0]]
        if ending:
            raise ScenarioError(f"{word!r} can be {' or '.join(ending)}: write one of them")
        for name, remedy in self._gone.items():
            if word in {name, name.rpartition(".")[2]}:
                raise ScenarioError(f"there is no scenario key {word!r} any more: {remedy}")
        short = {name.rpartition(".")[2]: name for name in keys}
        nearest = did_you_mean(word, keys) or did_you_mean(word, short)
        raise ScenarioError(f"there is no scenario key {word!r}{nearest}")

    def parse(self, text: str, *, name: str, source: str, settings: Mapping[str, str]) -> _Form:
        """Return what ``text`` (TOML) describes.

        Args:
            text: of the file.
            name: becomes the value's name.
            source: the file, for error messages.
            settings: key -> value as text, which replace the file's values.

        Raises:
            ScenarioError: it is not TOML, or keys are unknown, missing or out of range; the
                message names all of them with their lines.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            msg = f"{source}: this is not TOML: {error}"
            raise ScenarioError(msg) from error
        for key, value in settings.items():
            self._set(table, key, value)
        replaced = frozenset(self.full_key(key).name for key in settings)
        return self._converted(table, name, FileFaults(source, text, replaced))

    def convert(self, table: Mapping[str, Any], *, name: str, source: str) -> _Form:
        """Return what the values of ``table`` describe; see ``parse``."""
        return self._converted(table, name, FileFaults(source))

    def _converted(self, table: Mapping[str, Any], name: str, faults: FileFaults) -> _Form:
        self._check_table(table, "", faults)
        faults.check()
        return msgspec.convert({**table, "name": name}, self._form)

    def replaced(self, value: _Form, settings: Mapping[str, str]) -> _Form:
        """Return ``value`` with other values of some keys; see ``parse``.

        Raises:
            ScenarioError: a key is unknown or out of range.
        """
        table = asdict(cast("Any", value))
        name = table.pop("name")
        for key, text in settings.items():
            self._set(table, key, text)
        return self.convert(table, name=name, source=name)

    def _set(self, table: dict[str, Any], word: str, text: str) -> None:
        """Write one setting into the file's table, where it is checked with all other keys."""
        key = self.full_key(word)
        value: object = text
        if key.type_name != "text":
            toml = text.lower() if key.type_name == "switch" else text  # True as well as true
            if toml.startswith("."):  # TOML wants the 0 of .5, and people leave it out
                toml = f"0{toml}"
            try:
                (value,) = tomllib.loads(f"value = {toml}").values()
            except ValueError:  # not TOML, or more than one value
                raise ScenarioError(key.wrong_type(text)) from None
        *tables, last = key.name.split(".")
        inner: Any = table
        for depth, part in enumerate(tables):
            if isinstance(inner, list | tuple):
                if isinstance(inner, list) and part == str(len(inner) + 1):
                    inner.append({})  # the next number begins a new table
                if not part.isdigit() or not 0 < int(part) <= len(inner):
                    place = ".".join(tables[:depth])
                    raise ScenarioError(f"there are {len(inner)} [[{place}]], no number {part}")
                inner = inner[int(part) - 1]
            elif (
                depth
                and part not in inner
                and self._below(".".join([*tables[:depth], ANY_NAME, ""]))
            ):
                hint = did_you_mean(part, inner) or f"; there are: {', '.join(inner) or 'none'}"
                raise ScenarioError(f"there is no [{'.'.join(tables[: depth + 1])}]{hint}")
            else:
                numbered = self._below(".".join([*tables[: depth + 1], ANY_NUMBER, ""]))
                inner = inner.setdefault(part, [] if numbered else {})
            if not isinstance(inner, dict | list | tuple):
                return  # the file is wrong here: checking the table raises the error
        if isinstance(inner, dict):
            inner[last] = value

    def _below(self, prefix: str) -> bool:
        """Return whether there are keys that begin with ``prefix``."""
        return any(key.name.startswith(prefix) for key in self.keys)

    def _check_table(
        self, table: Mapping[str, Any], prefix: str, faults: FileFaults, shown: str | None = None
    ) -> None:
        """Check each key below ``prefix``, "" or such as "people."; messages say ``shown``."""
        shown = prefix if shown is None else shown
        known: dict[str, ScenarioKey | None] = {}  # None: a table of keys, or several
        for key in self.keys:
            if key.name.startswith(prefix):
                name, dot, _ = key.name.removeprefix(prefix).partition(".")
                known[name] = None if dot else key
        for name in table:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known here: {', '.join(known)}"
                if remedy := self._gone.get(prefix + name):
                    hint = f": {remedy}"
                faults.add(shown + name, f"unknown key {shown + name!r}{hint}")
        for name, found in known.items():
            if found is None:
                self._check_inner(table, prefix, name, faults, shown)
            elif name in table:
                if refusal := replace(found, name=shown + name).refusal(table[name]):
                    faults.add(shown + name, refusal)
            elif found.default is None:
                faults.add("", f"the key {shown + name!r} is missing: {found.doc}")

    def _check_inner(
        self, table: Mapping[str, Any], prefix: str, name: str, faults: FileFaults, shown: str
    ) -> None:
        """Check the tables below ``prefix + name``: one, one for each name, or numbered ones."""
        below, place = f"{prefix}{name}.", f"{shown}{name}"
        if self._below(f"{below}{ANY_NUMBER}."):
            rows = table.get(name, ())
            if not isinstance(rows, list | tuple) or not all(
                isinstance(row, Mapping) for row in rows
            ):
                msg = f"{place!r} is a list of tables: write [[{place}]] and its keys, each time"
                faults.add(place, msg)
                return
            for number, row in enumerate(rows, start=1):
                self._check_table(row, f"{below}{ANY_NUMBER}.", faults, f"{place}.{number}.")
            return
        named = self._below(f"{below}{ANY_NAME}.")
        inner = table.get(name, {})
        if not isinstance(inner, Mapping):
            head = f"{place}.{ANY_NAME}" if named else place
            faults.add(place, f"{place!r} is a table: write [{head}] and its keys below")
            return
        if not named:
            self._check_table(inner, below, faults, f"{place}.")
            return
        for word, entry in inner.items():
            if not isinstance(entry, Mapping) or not word.strip() or "." in word:
                msg = f"{place!r} holds tables with names: write [{place}.{ANY_NAME}] and its keys"
                faults.add(f"{place}.{word}", msg)
                continue
            self._check_table(entry, f"{below}{ANY_NAME}.", faults, f"{place}.{word}.")


def _free_parts(name: str) -> bool:
    """Return whether a key has a part that the user chooses."""
    return bool({ANY_NAME, ANY_NUMBER} & set(name.split(".")))


def _fits(word: str, name: str) -> bool:
    """Return whether a dotted word is a key, whose parts NAME and NUMBER stand for any."""
    parts, wanted = word.split("."), name.split(".")
    return len(parts) == len(wanted) and all(
        want in (part, ANY_NAME) or (want == ANY_NUMBER and part.isdigit())
        for part, want in zip(parts, wanted, strict=True)
    )


@dataclass(frozen=True, slots=True)
class ScenarioShelf:
    """The scenarios that come with a package, and how others are found.

    Attributes:
        package: whose folder ``scenarios`` holds the TOML files.
        lists: the command that lists them, for error messages.
    """

    package: str
    lists: str

    def _shipped(self) -> dict[str, Traversable]:
        folder = resources.files(self.package) / "scenarios"
        found = {item.name.removesuffix(".toml"): item for item in folder.iterdir()}
        return {name: found[name] for name in sorted(found) if found[name].name.endswith(".toml")}

    def names(self) -> list[str]:
        """Return the names of the scenarios that come with the package."""
        return list(self._shipped())

    def text(self, name_or_path: str | Path) -> tuple[str, str, str]:
        """Return the name, the source (for error messages) and the text of a scenario.

        Args:
            name_or_path: a name from ``names``; with a suffix or a folder, a file.

        Raises:
            ScenarioError: there is no such scenario, or its file can't be read.
        """
        text = str(name_or_path)
        shipped = self._shipped()
        if text in shipped:
            return text, f"{text}.toml", shipped[text].read_text("utf-8")
        path = Path(text)
        if not path.suffix and len(path.parts) == 1:
            nearest = did_you_mean(text, shipped)
            msg = f"there is no scenario {text!r}{nearest}; `{self.lists}` lists them"
            raise ScenarioError(msg)
        try:
            return path.stem, str(path), path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            msg = f"{path}: this scenario can't be read: {reason}"
            raise ScenarioError(msg) from error

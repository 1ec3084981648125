"""What a result depends on besides its scenario and seed: the code and the tables of numbers.

A kept result replaces a new run only if all of this is the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import import_module, resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from typing import Any, Final

import tracetogether

PACKAGES: Final = ("simulations", "tracetogether")

WITHOUT_EFFECT: Final = frozenset(
    {
        "simulations/attacks",
        "simulations/city",
        "simulations/library",
        "simulations/pages",
        "simulations/progress_line.py",
        "simulations/scores/cost.py",
        "simulations/scores/work_speeds.py",
        "simulations/scenarios",  # a scenario's own keys say what it holds
        "simulations/studies",  # what is done with rows; how they are made is sweep.py below
        "tracetogether/__main__.py",
        "tracetogether/adapters",
        "tracetogether/authority",  # but for what follows below
        "tracetogether/base45.py",
        "tracetogether/cbor.py",
        "tracetogether/cli",
        "tracetogether/conformance",
        "tracetogether/evaluation",
        "tracetogether/healthcode",
        "tracetogether/node",
        "tracetogether/phone_registration.py",
        "tracetogether/picture_style.py",
        "tracetogether/presence",
        "tracetogether/shapes",
        "tracetogether/signed",
    }
)
"""Parts of the packages that neither runs nor scores import; every other part counts."""

WITH_EFFECT: Final = (
    "simulations/studies/sweep.py",
    "tracetogether/authority/contacts",
    "tracetogether/authority/intake",
    "tracetogether/authority/places/spans.py",
)
"""Parts inside WITHOUT_EFFECT that count nevertheless."""

TABLES: Final = (
    "simulations.phones.battery",
    "simulations.phones.phones",
    "simulations.phones.radios",
    "tracetogether.parameters",
    "tracetogether.proximity.attenuation",
    "tracetogether.proximity.calibration",
)
"""Modules with the constants of the protocol, the phones and the estimators."""

LIBRARIES: Final = ("numpy", "scipy", "simpy")
_SHOWN: Final = 16  # hex digits of a digest: 64 bits tell any two versions apart


@dataclass(frozen=True, slots=True)
class Provenance:
    """The versions, code and tables that a run was made with.

    Attributes:
        versions: name of a package -> its version.
        code: part of the source -> digest of its files.
        tables: module -> digest of its constants, as they are in memory.
    """

    versions: Mapping[str, str]
    code: Mapping[str, str]
    tables: Mapping[str, str]

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the three tables for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> "Provenance":  # noqa: ANN401 - whatever a file held
        """Read what ``to_json`` returned.

        Raises:
            ValueError: the value has another form.
        """
        names = ("versions", "code", "tables")
        if not isinstance(value, dict) or not all(isinstance(value.get(n), dict) for n in names):
            raise ValueError("it does not say with which version, code and tables it was played")
        return cls(*(value[name] for name in names))

    @property
    def digest(self) -> str:
        """Return one digest of everything."""
        return digest_of(self.to_json())

    def differences(self, here: "Provenance") -> list[str]:
        """Return, in words, each difference between this and ``here``."""
        found = []
        for kind, theirs, ours in (
            ("", self.versions, here.versions),
            ("code of ", self.code, here.code),
            ("table ", self.tables, here.tables),
        ):
            for name in sorted({*theirs, *ours}):
                then, now = theirs.get(name), ours.get(name)
                if then != now:
                    found.append(f"{kind}{name} ({then or 'none'}, here {now or 'none'})")
        return found


def provenance() -> Provenance:
    """Return the provenance of a run in this process."""
    versions = {"tracetogether": tracetogether.__version__}
    versions |= {name: version(name) for name in LIBRARIES}
    return Provenance(versions, _code(), {name: _constants(name) for name in TABLES})


def city_provenance() -> Provenance:
    """Return the provenance of a run of a city in this process."""
    found = provenance()
    code = _digest_of_sources(resources.files("simulations.city"))
    policies = resources.files("simulations.studies") / "gate_policies.py"
    return replace(
        found,
        code={
            **found.code,
            "simulations/city": code,
            "simulations/studies/gate_policies.py": _digest_of_sources(policies),
        },
    )


def digest_of(value: object) -> str:
    """Return a digest (hex) of a JSON value that does not depend on the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[: 2 * _SHOWN]


@cache  # imported code stays the same, even if its file changes
def _code() -> dict[str, str]:
    return {name: _digest_of_sources(part) for name, part in _parts()}


def _digest_of_sources(part: Traversable) -> str:
    digest = hashlib.sha256()
    for file, content in _sources(part, ""):
        digest.update(f"{file}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:_SHOWN]


def _parts() -> Iterator[tuple[str, Traversable]]:
    """Yield the name and place of each part of the source that counts."""
    for package in PACKAGES:
        for part in resources.files(package).iterdir():
            name = f"{package}/{part.name}"
            source = part.name.endswith(".py") or (part.is_dir() and part.name != "__pycache__")
            if source and name not in WITHOUT_EFFECT:
                yield name, part
    for name in WITH_EFFECT:
        package, *place = name.split("/")
        yield name, resources.files(package).joinpath(*place)


def _sources(at: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of all Python files at or below a place, in order."""
    if at.is_file():
        yield name, at.read_bytes().replace(b"\r\n", b"\n")
        return
    for inner in sorted(at.iterdir(), key=lambda entry: entry.name):
        if inner.is_dir() or inner.name.endswith(".py"):
            yield from _sources(inner, f"{name}/{inner.name}")


def _constants(module: str) -> str:
    values = vars(import_module(module))
    texts = [
        f"{name}={values[name]!r}"
        for name in sorted(values)
        if name.isupper() and name.strip("_") and not name.startswith("__")
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_SHOWN]

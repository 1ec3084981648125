"""The scenarios of cities: strict TOML in, frozen values out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from simulations.city.keys import CityScenario
from simulations.settings.strict_tables import ScenarioKey, ScenarioShelf, StrictTables
from tracetogether.errors import ScenarioError

_TABLES: Final = StrictTables(CityScenario)
_SHELF: Final = ScenarioShelf("simulations.city", "tracetogether city list")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def city_keys() -> Sequence[ScenarioKey]:
    """Return every key that a city's scenario may hold, in order."""
    return _TABLES.keys


def city_schema() -> dict[str, Any]:
    """Return the JSON schema of a city's scenario file."""
    return _TABLES.schema()


def city_key(word: str) -> ScenarioKey:
    """Return the key that ``word`` names: by its dotted name, or by the end of only one.

    Raises:
        ScenarioError: no key has this name, or several do.
    """
    return _TABLES.full_key(word)


def city_names() -> list[str]:
    """Return the names of the cities that come with the library."""
    return _SHELF.names()


def load_city(name_or_path: str | Path, settings: Mapping[str, str] = _NONE) -> CityScenario:
    """Return the scenario of a city by its name or from a file.

    Args:
        name_or_path: a name from ``city_names``; with a suffix or a folder, a file.
        settings: key -> value as text, which replace the file's values.

    Raises:
        ScenarioError: there is no such scenario, it is not TOML, or a key is unknown, missing or
            out of range.

    >>> load_city("test-town", {"people.count": "3000"}).people.count
    3000
    """
    name, source, text = _SHELF.text(name_or_path)
    scenario = _TABLES.parse(text, name=name, source=source, settings=settings)
    return _checked(scenario, source)


def replaced(scenario: CityScenario, settings: Mapping[str, object]) -> CityScenario:
    """Return the scenario with other values of some keys.

    Args:
        scenario: the city.
        settings: key -> value, a number, a switch or text as a scenario file writes it.

    Raises:
        ScenarioError: a key is unknown, or a value is out of range.

    >>> replaced(load_city("test-town"), {"app.adoption": 0.4}).app.adoption
    0.4
    """
    texts = {key: f"{value}" for key, value in settings.items()}
    return _checked(_TABLES.replaced(scenario, texts), scenario.name)


def value_of(scenario: CityScenario, name: str) -> Any:  # noqa: ANN401 - any value of a scenario
    """Return the value of a dotted key, such as ``app.adoption``."""
    value: Any = scenario
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _checked(scenario: CityScenario, source: str) -> CityScenario:
    people = scenario.people
    for table, shares in (("ages", people.ages), ("households", people.households)):
        if sum(getattr(shares, key) for key in type(shares).__slots__) <= 0:
            raise ScenarioError(f"{source}: the shares in [people.{table}] are all 0")
    presence = scenario.presence
    for key in ("places_shops", "places_halls", "places_vehicles"):
        if getattr(presence, key) and scenario.app.protocol != "bluetrace":
            raise ScenarioError(
                f"{source}: devices of places speak BlueTrace, so presence.{key} needs "
                f"app.protocol = bluetrace, not {scenario.app.protocol}"
            )
    return scenario

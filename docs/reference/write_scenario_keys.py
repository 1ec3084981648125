"""Write scenario-keys.md and city-keys.md from the declared keys.

`python docs/reference/write_scenario_keys.py`
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulations.city.scenario import city_keys, city_schema
from simulations.settings.scenario import scenario_keys, scenario_schema
from simulations.settings.strict_tables import ANY_NAME, ANY_NUMBER, ScenarioKey

HEAD = """# Scenario keys

Written by `python docs/reference/write_scenario_keys.py` from `simulations.settings`; the
test suite compares the two.

A scenario is a TOML file. `tracetogether simulate run FILE.toml` plays it.
`tracetogether simulate list` names the scenarios that come with the library; their files are in
`simulations/scenarios/`.

`tracetogether simulate check FILE.toml` checks a file without playing it. `--set
people.adoption=0.32` replaces a value of the file. The last part of a key is enough if only one key
ends with it: `--set adoption=0.32`. `tracetogether simulate keys --json` prints a JSON schema,
which editors use to check and complete a TOML file.

A key that is unknown, missing, of the wrong kind or outside its limits is an error. The message
names the file and the key, and suggests the nearest known key for a misspelt one. You can leave out
keys that have a default, and a whole table of such keys.
[explanation/simulation](../explanation/simulation.md) explains the channel's keys.
"""
COLUMNS = "\n| key | kind | limits | default | meaning |\n|---|---|---|---|---|\n"


CITY_HEAD = """# Keys of a city

Written by `python docs/reference/write_scenario_keys.py` from `simulations.city.keys`; the test
suite compares the two.

A city is a TOML file too, with keys of its own. `tracetogether city run FILE.toml` runs it,
`tracetogether city list` names the cities that come with the library, and their files are in
`simulations/city/scenarios/`. `--set`, the errors and the JSON schema are as
[for a crowd](scenario-keys.md). [howto/city](../howto/city.md) shows how to use it.
"""


def page() -> str:
    """Return the page about crowds."""
    return HEAD + _tables(scenario_keys(), scenario_schema(), "Scenario")


def city_page() -> str:
    """Return the page about cities."""
    return CITY_HEAD + _tables(city_keys(), city_schema(), "CityScenario")


def _tables(keys: Sequence[ScenarioKey], schema: dict[str, Any], form: str) -> str:
    tables: dict[str, list[ScenarioKey]] = {}
    for key in keys:
        tables.setdefault(key.name.rpartition(".")[0], []).append(key)
    return "".join(
        f"\n## {_title(table, schema['$defs'], form)}\n{COLUMNS}{''.join(map(_row, found))}"
        for table, found in tables.items()
    )


def _title(table: str, definitions: dict[str, Any], form: str) -> str:
    if not table:
        return "At the top"
    found = form
    described: dict[str, Any] = {}
    head = f"[{table}]"
    for part in table.split("."):
        if part == ANY_NAME:
            found = described["additionalProperties"]["$ref"].rpartition("/")[2]
        elif part == ANY_NUMBER:
            found = described["items"]["$ref"].rpartition("/")[2]
            head = f"[[{table.removesuffix(f'.{ANY_NUMBER}')}]]"
        else:
            described = definitions[found]["properties"][part]
            found = described.get("$ref", "").rpartition("/")[2]
    meaning = described["description"].rstrip(".")
    return f"{head}: {meaning[0].lower()}{meaning[1:]}"


def _row(key: ScenarioKey) -> str:
    default = key.default_text if key.default is None else f"`{key.default_text}`"
    return f"| `{key.name}` | {key.type_name} | {key.span} | {default} | {key.doc} |\n"


if __name__ == "__main__":
    Path(__file__).with_name("scenario-keys.md").write_text(page(), "utf-8")
    Path(__file__).with_name("city-keys.md").write_text(city_page(), "utf-8")

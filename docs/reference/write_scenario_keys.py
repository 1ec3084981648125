"""Write scenario-keys.md from the declared keys: `python docs/reference/write_scenario_keys.py`."""

from pathlib import Path

from simulations.settings.scenario import ScenarioKey, scenario_keys, scenario_schema

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


def page() -> str:
    """Return the page."""
    return HEAD + "".join(
        f"\n## {_title(table)}\n{COLUMNS}{''.join(map(_row, keys))}"
        for table, keys in _by_table().items()
    )


def _by_table() -> dict[str, list[ScenarioKey]]:
    tables: dict[str, list[ScenarioKey]] = {}
    for key in scenario_keys():
        tables.setdefault(key.name.rpartition(".")[0], []).append(key)
    return tables


def _title(table: str) -> str:
    if not table:
        return "At the top"
    found = "Scenario"
    definitions = scenario_schema()["$defs"]
    for part in table.split("."):
        described = definitions[found]["properties"][part]
        found = described["$ref"].rpartition("/")[2]
    meaning = described["description"].rstrip(".")
    return f"[{table}]: {meaning[0].lower()}{meaning[1:]}"


def _row(key: ScenarioKey) -> str:
    default = key.default_text if key.default is None else f"`{key.default_text}`"
    return f"| `{key.name}` | {key.type_name} | {key.span} | {default} | {key.doc} |\n"


if __name__ == "__main__":
    Path(__file__).with_name("scenario-keys.md").write_text(page(), "utf-8")

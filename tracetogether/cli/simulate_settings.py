"""`--set key=value`, as every command about scenarios takes it."""

from contextlib import suppress

import click

from simulations.settings.scenario import Scenario, cautions, full_key
from tracetogether.cli.console import err
from tracetogether.errors import ScenarioError


def read_settings(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    """Read ``key=value`` words."""
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"write key=value, not {word!r}")
        name = key.strip()
        with suppress(ScenarioError):  # an unknown key is refused with the scenario
            name = full_key(name).name
        if name in settings:
            raise click.BadParameter(f"{name} is given twice: name each key once")
        settings[name] = value.strip()
    return settings


def caution(*scenarios: Scenario) -> None:
    """Warn of scenarios that can find nobody; the same warning once."""
    for warning in dict.fromkeys(text for scenario in scenarios for text in cautions(scenario)):
        err().print(f"Warning: {warning}", style="yellow", soft_wrap=True)


setting = click.option(
    "--set",
    "settings",
    multiple=True,
    callback=read_settings,
    metavar="KEY=VALUE",
    help="Set a key of the scenario, such as adoption=0.32 or phones.ios=0.6; may be repeated.",
)

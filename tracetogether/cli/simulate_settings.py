"""`--set key=value`, as every command about scenarios takes it."""

import click

from simulations.settings.scenario import Scenario, cautions
from tracetogether.cli.console import err


def read_settings(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    """Read ``key=value`` words."""
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"write key=value, not {word!r}")
        if key.strip() in settings:
            raise click.BadParameter(f"{key.strip()} is given twice: name each key once")
        settings[key.strip()] = value.strip()
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

"""`--set key=value`, as every command about scenarios takes it."""

import click


def read_settings(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    """Read ``key=value`` words."""
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"write key=value, not {word!r}")
        settings[key.strip()] = value.strip()
    return settings


setting = click.option(
    "--set",
    "settings",
    multiple=True,
    callback=read_settings,
    metavar="KEY=VALUE",
    help="Set a key of the scenario, such as adoption=0.32 or phones.ios=0.6; may be repeated.",
)

"""`tracetogether conformance`: known answers and checks for other apps and servers."""

from pathlib import Path

import click

from tracetogether.cli.console import answer
from tracetogether.cli.options import FOLDER, as_json
from tracetogether.conformance import known_answers


@click.group()
def conformance() -> None:
    """Test other apps and servers: known answers, a server's answers, a phone's radio."""


@conformance.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
def vectors(folder: Path, *, as_json: bool) -> None:
    """Write the known answers for phone apps to DIR, as JSON with a README.

    They hold payloads, advertisements, the order of an exchange, a batch of TempIDs, a log to
    upload, and the server's refusals. Files of the same names are replaced.
    """
    written = known_answers.write(folder)
    answer(
        {"files": [str(path) for path in written]},
        f"Wrote {len(written)} files to {folder}; its README.md explains them",
        as_json=as_json,
    )

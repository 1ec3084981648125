"""`tracetogether gate check`: the verdict on one text or picture."""

import time
from functools import reduce
from pathlib import Path
from typing import Final

import click

from tracetogether.cli.console import print_json, utc_text
from tracetogether.cli.gate_folder import DEFAULT_FOLDER, SETTINGS, GateSettings, load_lists
from tracetogether.cli.options import EXISTING_FILE, as_json, moment_of
from tracetogether.cli.shown_code import shown_content, texts_in
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.healthcode.verdicts import Admitted, Refused
from tracetogether.plain_text import visible
from tracetogether.signed.trust import TrustList
from tracetogether.signed.trust_files import read_trust_file

_CODES: Final = ("HC1:", "NZCP:", "shc:/")  # how a text begins that is no name of a file


@click.command()
@click.argument("shown", metavar="[TEXT|FILE|-]", default="-")
@click.option(
    "--trust",
    "files",
    metavar="FILE",
    type=EXISTING_FILE,
    multiple=True,
    help="Keys that the gate believes: a PEM certificate, a JWK set, or a trust list. Can be given "
    "several times.  [default: the lists of the gate in ./gate]",
)
@click.option(
    "--at", metavar="TIME", help="Time (UTC) at which it is shown; the default is the present."
)
@click.option("--explain", is_flag=True, help="Print the reason too: for operators, not guards.")
@as_json
@click.pass_context
def check(
    ctx: click.Context,
    shown: str,
    files: tuple[Path, ...],
    at: str | None,
    *,
    explain: bool,
    as_json: bool,
) -> None:
    """Check one pass: a code's text, or a file with the text or a picture (PNG, JPEG) of it.

    Prints one of four words: pass, not now, not ours, unreadable. Exits with 0 for a pass and 1 for
    anything else. Give "-" or nothing to use the standard input.

    Nothing is asked over a network, and nothing is kept.
    """
    now = time.time() if at is None else moment_of(at, "--at")
    verdict = _judge(shown_content(shown, _CODES), _lists(files, now), now)
    if as_json:
        print_json(_as_json(verdict))
    else:
        click.echo(verdict.for_guard)
        if explain:
            click.echo(_explained(verdict))
    ctx.exit(0 if isinstance(verdict, Admitted) else 1)


def _lists(files: tuple[Path, ...], now: float) -> GateLists:
    """Return the keys in the files; without files, the lists of the gate in this folder.

    Raises:
        click.UsageError: there is no file and no gate.
        ClockError: the gate's lists are too old at ``now``, or from a later time.
    """
    if files:
        trust = reduce(TrustList.joined_with, map(_read_keys, files))
        return GateLists(trust, RevocationList.of("", (), 0))
    if not (DEFAULT_FOLDER / SETTINGS).is_file():
        msg = "say which keys the gate believes: --trust FILE, or `tracetogether gate init URL`"
        raise click.UsageError(msg)
    lists = load_lists(DEFAULT_FOLDER, GateSettings.load(DEFAULT_FOLDER))
    lists.check_age(now)
    return lists


def _read_keys(file: Path) -> TrustList:
    try:
        return read_trust_file(file.read_bytes())
    except TrustError as error:
        raise TrustError("{file}: {fault}", error.code, file=file, fault=error) from None


def _judge(content: bytes, lists: GateLists, now: float) -> Admitted | Refused:
    """Return the verdict on a text, or on the codes of a picture: the first that is admitted."""
    try:
        verdicts = [lists.judge(text, now) for text in texts_in(content)]
    except UnreadableMessageError as error:
        return Refused("unreadable", str(error), error.code)
    if not verdicts:
        return Refused("unreadable", "the picture shows no QR code that can be read", "no-code")
    return next((verdict for verdict in verdicts if isinstance(verdict, Admitted)), verdicts[0])


def _as_json(verdict: Admitted | Refused) -> dict[str, object]:
    return {
        "verdict": verdict.for_guard,
        "reason": verdict.reason,
        "kind": verdict.kind,
        "issuer": verdict.issuer,
        "not_before": verdict.not_before,
        "expires": verdict.expires,
    }


def _explained(verdict: Admitted | Refused) -> str:
    """Return the reason for an operator; the issuer is text of a stranger."""
    lines = [f"{verdict.reason}: {visible(verdict.for_log)}"]
    if verdict.kind is not None:
        lines.append(f"{verdict.kind} of {visible(verdict.issuer or 'nobody')}")
    if verdict.not_before is not None and verdict.expires is not None:
        lines.append(f"{utc_text(verdict.not_before)} to {utc_text(verdict.expires)} UTC")
    return "\n".join(lines)

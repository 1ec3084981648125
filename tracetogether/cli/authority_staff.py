"""`tracetogether authority user` and `audit`: who works here, and what was done."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.operators import roles_named
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    as_json,
    folder_argument,
    folder_option,
)
from tracetogether.cli.console import out, print_json, utc_text
from tracetogether.errors import MissingExtraError
from tracetogether.whole_file import read_secret


@click.group()
def user() -> None:
    """Add, list and disable operators and their roles."""


user.command_class = FolderCommand


@user.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="What the operator may do; give it once for each role.",
)
@folder_option
@as_json
def add(name: str, roles: tuple[str, ...], folder: Path, *, as_json: bool) -> None:
    """Add the operator NAME and print the token, which is shown this once.

    The token is for HTTP (`Authorization: Bearer`). For the pages, `user password` sets a password.
    """
    token = new_secret()
    with opened_folder(folder) as service:
        service.staff.add(name, roles_named(roles), token, time.time())
    if as_json:
        print_json({"name": name, "operator_token": token})
    else:
        tell_tokens([(name, token)], folder)


def tell_tokens(added: Sequence[tuple[str, str]], folder: Path) -> None:
    """Print new operators' tokens, and what they are not for."""
    for name, token in added:
        out().print(f"Token of {name} for HTTP (shown only now): {token}", soft_wrap=True)
    name = added[0][0] if len(added) == 1 else "NAME"
    out().print(
        "The pages ask for a password instead: "
        f"tracetogether authority user password {name} --dir {folder}",
        soft_wrap=True,
    )


class _PasswordCommand(click.Command):
    """A command that refuses a password among its words, and repeats none of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            msg = (
                "a password is no argument: every user of this machine can read those. Use "
                "--password-file, --stdin or TRACETOGETHER_PASSWORD, or type it when asked"
            )
            raise click.UsageError(msg, ctx) from None


@user.command(cls=_PasswordCommand)
@click.argument("name")
@click.option(
    "--stdin", "from_stdin", is_flag=True, help="Read it from standard input instead of asking."
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read it from the first line of a file that its owner alone can read.",
)
@folder_option
def password(name: str, folder: Path, password_file: Path | None, *, from_stdin: bool) -> None:
    """Give the operator NAME a password for the pages; asks for it, twice.

    Without --stdin and --password-file, TRACETOGETHER_PASSWORD is taken if it is set. Codes are
    set up anew at the next sign-in, and sessions end.
    """
    try:
        from tracetogether.adapters.operator_pages import sign_in_for  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("Signing in at the pages", "server") from None
    if from_stdin and password_file is not None:
        msg = "give either --stdin or --password-file"
        raise click.UsageError(msg)
    with opened_folder(folder) as service:
        if from_stdin:
            chosen = sys.stdin.readline().rstrip("\r\n")
        elif password_file is not None:
            chosen = read_secret(password_file).partition("\n")[0].rstrip("\r")
        else:
            chosen = os.environ.get("TRACETOGETHER_PASSWORD") or click.prompt(
                "Password", hide_input=True, confirmation_prompt=True
            )
        sign_in_for(service).set_password(name, chosen, time.time())
    out().print(f"{name} signs in at the server's /desk and sets up codes there")


@user.command("list")
@folder_option
@as_json
def list_users(folder: Path, *, as_json: bool) -> None:
    """List all operators."""
    with opened_folder(folder) as service:
        staff = service.staff.all()
    if as_json:
        from tracetogether.shapes.oversight import OperatorLine  # noqa: PLC0415 - optional

        print_json([OperatorLine.of(operator).json_value() for operator in staff])
        return
    table = Table("name", "roles", "since (UTC)", "disabled")
    for one in staff:
        roles = ", ".join(sorted(role.value for role in one.roles))
        table.add_row(one.name, roles, utc_text(one.added_at), "YES" if one.disabled else "no")
    out().print(table)


@user.command()
@click.argument("name")
@folder_option
def disable(name: str, folder: Path) -> None:
    """Shut the operator NAME out from the next request on."""
    with opened_folder(folder) as service:
        service.staff.disable(name, time.time())
    out().print(f"Disabled: {name}")


@click.group()
def audit() -> None:
    """Read and check the audit log."""


@audit.command()
@folder_argument
@click.option(
    "--head",
    metavar="NUMBER:DIGEST",
    help="What an earlier check printed: the log must still hold it.",
)
@as_json
def verify(folder: Path, head: str | None, *, as_json: bool) -> None:
    """Check every entry of the audit log of DIR (./authority) against the one before."""
    with opened_folder(folder) as service:
        number, digest = service.audit.verify(_head(head))
    if as_json:
        print_json({"entries": number, "head": f"{number}:{digest.hex()}"})
    else:
        out().print(
            f"{number} entries, none changed. Head: {number}:{digest.hex()}", soft_wrap=True
        )


@audit.command("list")
@folder_argument
@as_json
def list_entries(folder: Path, *, as_json: bool) -> None:
    """Print the audit log of DIR (./authority)."""
    with opened_folder(folder) as service:
        entries = list(service.audit.entries(limit=10**9))
    if as_json:
        from tracetogether.shapes.oversight import AuditLine  # noqa: PLC0415 - optional

        print_json([AuditLine.of(entry).json_value() for entry in entries])
        return
    table = Table("number", "time (UTC)", "by", "act", "subject", "details")
    for one in entries:
        details = ", ".join(f"{name} {value}" for name, value in one.details.items())
        table.add_row(str(one.number), utc_text(one.time), one.by, one.act, one.subject, details)
    out().print(table)


def _head(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError:
        msg = "expected NUMBER:DIGEST, as `audit verify` printed it"
        raise click.BadParameter(msg, param_hint="--head") from None

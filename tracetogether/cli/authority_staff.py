"""`tracetogether authority user` and `audit`: operators, and the audit log."""

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from tracetogether.authority.access.operators import roles_named
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.access.resets import Reset
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    folder_argument,
    folder_option,
    operator_of,
)
from tracetogether.cli.console import answer, local_text, print_json, say, table
from tracetogether.cli.options import EXISTING_FILE, as_json
from tracetogether.errors import MissingExtraError, NotFoundError
from tracetogether.plain_text import counted
from tracetogether.whole_file import read_secret

reset_token_option = click.option(
    "--operator-token",
    "token",
    type=EXISTING_FILE,
    help="File with your token: the console is no person, and two people must act.",
)


@click.group()
def user() -> None:
    """Add, list and disable operators."""


user.command_class = FolderCommand


@user.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="Role of the operator. Repeatable.",
)
@folder_option
@as_json
def add(name: str, roles: tuple[str, ...], folder: Path, *, as_json: bool) -> None:
    """Add the operator NAME and print the token, which is never shown again.

    Programs send the token over HTTP (`Authorization: Bearer`). To sign in at the pages, an
    operator needs a password: see `user password`.
    """
    token = new_secret()
    with opened_folder(folder) as service:
        service.staff.add(name, roles_named(roles), token, time.time(), by=CONSOLE)
    if as_json:
        print_json({"name": name, "operator_token": token})
    else:
        print_tokens([(name, token)], folder)


def print_tokens(added: Sequence[tuple[str, str]], folder: Path) -> None:
    """Print new operators' tokens, and how to set a password for the pages."""
    name = added[0][0] if len(added) == 1 else "NAME"
    say(
        *(f"Token of {name} for HTTP (shown only now): {token}" for name, token in added),
        "The pages ask for a password instead: "
        f"tracetogether authority user password {name} --dir {folder}",
    )


class _PasswordCommand(FolderCommand):
    """A command that refuses a password among its arguments, and never prints one."""

    def extra_argument(self, message: str) -> str:
        """Return an error message without the argument, which may be a password."""
        del message
        return (
            "a password must not be an argument: every user of this machine can read it. Use "
            "--password-file, --stdin or TRACETOGETHER_PASSWORD, or type it when asked"
        )


@user.command(cls=_PasswordCommand)
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--password-file",
    type=EXISTING_FILE,
    help="Read the password from the first line of this file, which only its owner may read.",
)
@folder_option
def password(name: str, folder: Path, password_file: Path | None, *, from_stdin: bool) -> None:
    """Set the password of the operator NAME for the pages; asks for it twice.

    Without --stdin and --password-file, the command uses TRACETOGETHER_PASSWORD if it is set. The
    operator's sessions end, and the next sign-in sets up codes again.
    """
    try:
        from tracetogether.adapters.operator_pages import sign_in_for  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("Signing in at the pages", "server") from None
    if from_stdin and password_file is not None:
        msg = "give either --stdin or --password-file"
        raise click.UsageError(msg)
    with opened_folder(folder) as service:
        if name not in {operator.name for operator in service.staff.all(by=CONSOLE)}:
            msg = "there is no such operator: `authority user list` shows all"
            raise NotFoundError(msg, "no-such-operator")
        if from_stdin:
            chosen = sys.stdin.readline().rstrip("\r\n")
        elif password_file is not None:
            chosen = read_secret(password_file).partition("\n")[0].rstrip("\r")
        else:
            chosen = os.environ.get("TRACETOGETHER_PASSWORD") or click.prompt(
                "Password", hide_input=True, confirmation_prompt=True
            )
        sign_in_for(service).set_password(name, chosen, time.time(), by=CONSOLE)
    say(f"{name} signs in at the server's /desk and sets up codes there")


@user.command("list")
@folder_option
@as_json
def list_users(folder: Path, *, as_json: bool) -> None:
    """List all operators."""
    with opened_folder(folder) as service:
        staff, days = service.staff.all(by=CONSOLE), service.days
    shown = table(
        staff,
        ("name", lambda operator: operator.name),
        ("roles", lambda operator: ", ".join(sorted(role.value for role in operator.roles))),
        (f"since ({days.name})", lambda operator: local_text(operator.added_at, days)),
        ("disabled", lambda operator: "YES" if operator.disabled else "no"),
    )

    from tracetogether.shapes.oversight import OperatorLine  # noqa: PLC0415 - optional

    answer(
        lambda: [OperatorLine.of(operator).json_value() for operator in staff],
        shown,
        as_json=as_json,
    )


@user.command()
@click.argument("name")
@folder_option
def disable(name: str, folder: Path) -> None:
    """Disable the operator NAME, from the next request on."""
    with opened_folder(folder) as service:
        service.staff.disable(name, time.time(), by=CONSOLE)
    say(f"Disabled: {name}")


@user.command("roles")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="Role that the operator has from now on. Repeatable.",
)
@folder_option
def change_roles(name: str, roles: tuple[str, ...], folder: Path) -> None:
    """Give the operator NAME these roles in place of all others, from the next request on."""
    with opened_folder(folder) as service:
        service.staff.change_roles(name, roles_named(roles), time.time(), by=CONSOLE)
    say(f"{name} has the roles {', '.join(sorted(roles))}")


_forgotten_option = click.option(
    "--password",
    "forgotten",
    is_flag=True,
    help="The password is forgotten: reset it together with the codes.",
)


@user.command("reset")
@click.argument("name")
@_forgotten_option
@reset_token_option
@folder_option
def ask_reset(name: str, folder: Path, token: Path | None, *, forgotten: bool) -> None:
    """Ask for the codes of the operator NAME to be reset, when the phone with the app is lost.

    Another admin confirms that within a day with `user confirm-reset`. The password stays, except
    with --password.
    """
    what = Reset.PASSWORD if forgotten else Reset.CODES
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        service.code_resets.ask(name, time.time(), what=what, by=by)
    lost = "chooses another password and " if forgotten else ""
    say(f"Another admin can confirm now that {name} {lost}sets up codes again")


@user.command("confirm-reset")
@click.argument("name")
@_forgotten_option
@reset_token_option
@folder_option
@as_json
def confirm_reset(
    name: str, folder: Path, token: Path | None, *, forgotten: bool, as_json: bool
) -> None:
    """Confirm what another admin asked: codes and sessions of the operator NAME end.

    With --password, a new password is printed this once. It works for three days, until NAME has
    chosen another one.
    """
    try:
        from tracetogether.adapters.operator_pages import sign_in_for  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("Signing in at the pages", "server") from None
    now = time.time()
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        give = partial(sign_in_for(service).give_password, name, now, by=by)
        what = Reset.PASSWORD if forgotten else Reset.CODES
        new = service.code_resets.confirm(name, now, what=what, new_password=give, by=by)
    said = [f"Password of {name} (shown only now, works once): {new}"] if new else []
    next_step = f"{name} sets up codes again at the next sign-in"
    answer({"name": name, "password": new or None}, *said, next_step, as_json=as_json)


@click.group()
def audit() -> None:
    """Read and check the audit log."""


@audit.command()
@folder_argument
@click.option(
    "--head",
    metavar="NUMBER:DIGEST",
    help="Head that an earlier check printed; fails if the log does not contain it any more.",
)
@as_json
def verify(folder: Path, head: str | None, *, as_json: bool) -> None:
    """Check the chain of entries in the audit log of DIR (./authority)."""
    with opened_folder(folder) as service:
        number, digest = service.audit.verify(_head(head), by=CONSOLE)
    newest = f"{number}:{digest.hex()}"
    answer(
        {"entries": number, "head": newest},
        f"{counted(number, 'entries')}, none changed. Head: {newest}",
        as_json=as_json,
    )


@audit.command("list")
@folder_argument
@as_json
def list_entries(folder: Path, *, as_json: bool) -> None:
    """Print the audit log of DIR (./authority)."""
    with opened_folder(folder) as service:
        entries, days = list(service.audit.entries(limit=10**9, by=CONSOLE)), service.days
    shown = table(
        entries,
        ("number", lambda entry: str(entry.number)),
        (f"time ({days.name})", lambda entry: local_text(entry.time, days)),
        ("by", lambda entry: entry.by),
        ("act", lambda entry: entry.act),
        ("subject", lambda entry: entry.subject),
        ("details", lambda entry: ", ".join(f"{k} {v}" for k, v in entry.details.items())),
    )

    from tracetogether.shapes.oversight import AuditLine  # noqa: PLC0415 - optional

    answer(lambda: [AuditLine.of(entry).json_value() for entry in entries], shown, as_json=as_json)


def _head(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError:
        msg = "expected NUMBER:DIGEST, as `audit verify` printed it"
        raise click.BadParameter(msg, param_hint="--head") from None

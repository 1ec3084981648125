"""`tracetogether authority pass`: keys that sign passes, papers, and the policy in use."""

import time
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.status.policy import StatusFact, StatusPolicy, status_policies
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.authority_status import acting, operator_option
from tracetogether.cli.console import answer, say, table, utc_text
from tracetogether.cli.notice_language import language_option
from tracetogether.cli.options import EXISTING_FILE, as_json
from tracetogether.cli.qr_output import checked_ending, out_option, show_qr
from tracetogether.healthcode.notices import text as notice_text
from tracetogether.healthcode.passes import PAPER


@click.group("pass")
def authority_pass() -> None:
    """Keys that sign passes, passes on paper, and the policy that passes follow."""


authority_pass.command_class = FolderCommand


@authority_pass.command("keys")
@folder_option
@as_json
def pass_keys(folder: Path, *, as_json: bool) -> None:
    """List the keys that sign passes now and soon; no secret is shown.

    The last line is the fingerprint that gates print at `gate init`: read it aloud to them.
    """
    now = time.time()
    with opened_folder(folder) as service:
        found = service.passes.keys_in_use(now, by=CONSOLE)
        lists = service.passes.list_key(by=CONSOLE).kid.hex()
    facts = [
        {"kid": key.kid, "from": date_of_day(key.first_day), "until": key.until_s} for key in found
    ]
    shown = table(
        found,
        ("kid", lambda key: key.kid),
        ("signs from (UTC)", lambda key: date_of_day(key.first_day)),
        ("counts until (UTC)", lambda key: utc_text(key.until_s)),
    )
    groups = " ".join(lists[place : place + 4] for place in range(0, len(lists), 4))
    answer({"keys": facts, "lists": lists}, shown, f"Key for lists: {groups}", as_json=as_json)


@authority_pass.command("retire")
@click.argument("kid")
@folder_option
@as_json
def retire_key(kid: str, folder: Path, *, as_json: bool) -> None:
    """Retire the key with this KID: gates refuse its passes once they have the next list.

    Another key signs from now on. Phones get new passes when they next ask, papers must be printed
    again. If others know keys.txt, run `authority keys rotate` too.
    """
    with opened_folder(folder) as service:
        successor = service.passes.retire_key(kid, time.time(), by=CONSOLE)
    answer(
        {"retired": kid.lower(), "successor": successor.kid},
        f"Retired {kid.lower()}; {successor.kid} signs from now on",
        as_json=as_json,
    )


@authority_pass.command("paper")
@click.option("--reason", required=True, help="Why this person needs a paper; it is audited.")
@click.option(
    "--user",
    "user_id",
    metavar="ID",
    help="Id of a person who had a paper before.  [default: a new person]",
)
@click.option(
    "--hint",
    metavar="TEXT",
    help="A few characters by which a guard knows the holder, such as initials. Everybody who "
    "reads the paper reads them.  [default: none]",
)
@language_option
@out_option
@operator_option
@folder_option
@as_json
def paper(
    reason: str,
    user_id: str | None,
    hint: str | None,
    language: str,
    out: Path | None,
    token_file: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> None:
    """Issue a pass on paper to a person without a phone: one QR code, valid for seven days.

    Keep the id that is printed with the person's file: restrictions, appeals and the next paper
    refer to it. The audit log names the operator, who may give out 100 a day.
    """
    checked_ending(out)
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        days = service.days
        made = service.passes.paper(now, reason, user_id=user_id, hint=hint, by=by)
    if as_json:
        facts = {"pass": made.text, "not_before": made.not_before, "expires": made.expires}
        answer({"user_id": made.user_id, **facts}, as_json=True)
    if out is not None or not as_json:
        show_qr(made.text, out, PAPER)
    if not as_json:
        say(
            notice_text("pass.paper", language, days=days, until=made.expires),
            f"The person's id: {made.user_id}",
            f"To read out: {spoken_user_id(made.user_id)}",
        )


@authority_pass.command("policy")
@click.argument("name", required=False)
@click.option(
    "--file",
    "path",
    type=EXISTING_FILE,
    metavar="FILE.toml",
    help="Take the policy NAME from this file, in the form of the built-in ones.",
)
@folder_option
@as_json
def status_policy(name: str | None, path: Path | None, folder: Path, *, as_json: bool) -> None:
    """Show the policy that passes follow, or use the policy NAME from now on.

    A policy that withholds passes without two people, or by computed contact, is refused.
    """
    if path is not None and name is None:
        msg = "--file needs NAME: which policy of the file to use"
        raise click.UsageError(msg)
    with opened_folder(folder) as service:
        if name is not None:
            known = status_policies(path)
            if name not in known:
                msg = f"there is no policy {name!r}: choose one of {', '.join(known)}"
                raise click.BadParameter(msg, param_hint="NAME")
            service.passes.use_policy(known[name], time.time(), by=CONSOLE)
        used = service.passes.policy_in_use(by=CONSOLE)
    answer(
        {"name": used.name, **used.to_table()},
        _rules(used),
        f"Source: {used.source}",
        as_json=as_json,
    )


def _rules(policy: StatusPolicy) -> Table:
    return table(
        list(StatusFact),
        ("fact", lambda fact: fact.value),
        ("effect", lambda fact: policy.rule(fact).effect.value),
        ("days", lambda fact: str(policy.rule(fact).days)),
        ("people who decide", lambda fact: str(policy.rule(fact).people)),
        title=f"Policy {policy.name}",
    )

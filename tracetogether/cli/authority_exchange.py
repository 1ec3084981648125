"""`tracetogether authority partner exchange`: records to partners and from them."""

import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.handover.overview import PartnerOverview
from tracetogether.authority.handover.rows import BatchState, OutgoingBatch
from tracetogether.authority.handover.taking import Taken
from tracetogether.authority.partners.partner import Partner
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    folder_option,
    operator_of,
    token_option,
)
from tracetogether.cli.console import answer, fixed, note, right, table, utc_text
from tracetogether.cli.options import EXISTING_FILE, as_json
from tracetogether.errors import AccessDeniedError, InvalidRequestError, TraceTogetherError
from tracetogether.plain_text import counted
from tracetogether.whole_file import whole_file

_TIMEOUT_S = 20.0


@click.group()
def exchange() -> None:
    """Hand records of partners' TempIDs over, and take those of phones of this authority."""


exchange.command_class = FolderCommand


@exchange.command()
@click.argument("organisations", nargs=-1, metavar="[ORGANISATION]...")
@folder_option
@as_json
def run(organisations: tuple[str, ...], folder: Path, *, as_json: bool) -> None:
    """Fetch the lists of partners with an address, send them all that waits, and ask for answers.

    Run this every ten minutes, for instance by cron. What does not arrive is tried again, after
    pauses that double up to six hours. Exit status 1 if a partner could not be reached or refuses.
    """
    reached: list[dict[str, object]] = []
    with opened_folder(folder) as service:
        partners = [
            partner
            for partner in service.partners.all(by=CONSOLE)
            if partner.address and (not organisations or partner.organisation in organisations)
        ]
        if organisations and len(partners) < len(set(organisations)):
            raise InvalidRequestError("a partner is unknown, or has no address", "no-such-partner")
        reached.extend(_with(service, partner) for partner in partners)
    lines = [_reached_text(line) for line in reached] or ["No partner has an address"]
    answer(reached, *lines, as_json=as_json)
    if any(line["fault"] for line in reached):
        click.get_current_context().exit(1)


def _with(service: Authority, partner: Partner) -> dict[str, object]:
    """Exchange everything with a partner; return what happened."""
    code, now = partner.organisation, time.time()
    line: dict[str, object] = {"organisation": code, "sent": 0, "answers": 0, "fault": ""}
    own = service.partners.organisation
    try:
        with AuthorityClient(partner.address, timeout_s=_TIMEOUT_S, retries=1) as client:
            service.partners.update(code, client.fetch_trust_list(), now, by=CONSOLE)
            service.record_sending.pack(now)
            for batch in service.record_sending.to_send(code, now):
                try:
                    client.hand_over(own, batch.message)
                except TraceTogetherError as error:
                    service.record_sending.failed(batch, error.code or "unreachable", now)
                    raise
                service.record_sending.sent(batch, now)
                line["sent"] = batch.records + int(str(line["sent"]))
            _, answers = client.hand_over(own, service.record_sending.greeting(code, now))
            line["answers"] = service.record_taking.from_partner(code, answers, now).answers
    except TraceTogetherError as error:
        line["fault"] = str(error)
    return line


def _reached_text(line: dict[str, object]) -> str:
    said = f"{line['organisation']}: sent {counted(int(str(line['sent'])), 'records')}"
    return f"{said}; {line['fault']}" if line["fault"] else said


@exchange.command()
@click.argument("organisation")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the files.  [default: here]",
)
@token_option
@folder_option
@as_json
def export(
    organisation: str, out: Path, token: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Write all that waits for the partner ORGANISATION to files that somebody carries there.

    Only the partner can open them. Written again, they are the same files.
    """
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        batches = service.record_sending.export(organisation, time.time(), by=by)
        own = service.partners.organisation
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for batch in batches:
        path = out / f"records-{own}-{batch.hour}-{batch.digest[:12]}.cose"
        with whole_file(path) as half:
            half.write_bytes(batch.message)
        written.append({"file": str(path), "records": batch.records, "digest": batch.digest})
    lines = [f"{line['file']}: {counted(int(str(line['records'])), 'records')}" for line in written]
    answer(written, *(lines or [f"Nothing waits for {organisation}"]), as_json=as_json)


@exchange.command("import")
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@token_option
@folder_option
@as_json
def take(files: tuple[Path, ...], token: Path | None, folder: Path, *, as_json: bool) -> None:
    """Take FILES that a partner wrote: records, or answers. A file counts once.

    A file that is refused stops none of the others. Exit status 1 if one was refused.
    """
    said: list[dict[str, object]] = []
    refused = 0
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        for file in files:
            try:
                taken = service.record_taking.from_file(file.read_bytes(), time.time(), by=by)
            except AccessDeniedError:
                raise
            except TraceTogetherError as error:
                refused += 1
                note(f"{file}: {error}")
                continue
            said.append({"file": str(file), **_taken(taken)})
        service.finder.work_off(time.time())
    answer(said, *map(_taken_text, said), as_json=as_json)
    if refused:
        click.get_current_context().exit(1)


def _taken(taken: Taken) -> dict[str, object]:
    return {
        "organisation": taken.organisation,
        "records": taken.records,
        "accepted": taken.accepted,
        "already": taken.already,
        "answers": taken.answers,
    }


def _taken_text(line: dict[str, object]) -> str:
    if line["already"]:
        return f"{line['file']}: was taken before"
    if line["answers"]:
        count = counted(int(str(line["answers"])), "counts")
        return f"{line['file']}: {count} of {line['organisation']}"
    count = counted(int(str(line["records"])), "records")
    return f"{line['file']}: {count} of {line['organisation']}, {line['accepted']} of our people"


@exchange.command()
@click.argument("organisation")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write.",
)
@token_option
@folder_option
@as_json
def answers(
    organisation: str, out: Path, token: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Write our answers for the partner ORGANISATION to a file: counts of days that are over."""
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        message = service.record_taking.export_answers(organisation, time.time(), by=by)
    with whole_file(out) as half:
        half.write_bytes(message)
    said = f"Wrote {out}: {organisation} takes it by `authority partner exchange import`"
    answer({"organisation": organisation, "file": str(out)}, said, as_json=as_json)


@exchange.command("list")
@folder_option
@as_json
def list_exchange(folder: Path, *, as_json: bool) -> None:
    """List what went to partners and came from them in the last 25 days, and what they answered."""
    with opened_folder(folder) as service:
        found = service.partners_overview.all(by=CONSOLE)

    from tracetogether.shapes.partners import PartnerLine  # noqa: PLC0415 - pydantic is optional

    answer(
        lambda: [
            {
                **PartnerLine.of(shown).json_value(),
                "outgoing": [_outgoing(batch) for batch in shown.outgoing],
            }
            for shown in found
        ],
        *_tables(found),
        as_json=as_json,
    )


def _outgoing(batch: OutgoingBatch) -> dict[str, object]:
    return {
        "digest": batch.digest,
        "hour": batch.hour,
        "records": batch.records,
        "state": batch.state.value,
        "tries": batch.tries,
        "fault": batch.fault,
    }


def _tables(found: list[PartnerOverview]) -> Iterator[Table | str]:
    if not found:
        yield "There are no partners"
        return
    yield table(
        found,
        (fixed("partner"), lambda shown: shown.organisation),
        (right("waits"), lambda shown: str(shown.waiting)),
        (right("tries"), lambda shown: str(shown.tries)),
        ("last fault", lambda shown: shown.fault),
        (right("records sent"), lambda shown: str(shown.sent_records)),
        (right("records taken"), lambda shown: str(shown.taken_records)),
    )
    for shown in found:
        for batch in shown.outgoing:
            when = utc_text(batch.hour * 3_600.0)
            yield f"{shown.organisation} {when}: {counted(batch.records, 'records')}, " + (
                f"next try {utc_text(batch.next_try_at)}"
                if batch.state is BatchState.WAITS and batch.tries
                else batch.state.value
            )
        for count in shown.answers:
            who = "we" if count.ours else shown.organisation
            day = utc_text(count.day * 86_400.0).split()[0]
            yield f"{shown.organisation} {day}: {who} answered {count.count} {count.reason}"

"""`tracetogether authority`: set up, serve, purge, migrate; other commands have own modules."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from tracetogether.authority.access.sources import TrustedProxies
from tracetogether.authority.oversight.clock_witness import RunningClock
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_backup import backup, restore
from tracetogether.cli.authority_case import case
from tracetogether.cli.authority_charge import charge
from tracetogether.cli.authority_demo import demo_data
from tracetogether.cli.authority_export import export
from tracetogether.cli.authority_folder import (
    DEFAULT_NAME,
    KEYS,
    OPERATOR_TOKEN,
    create_folder,
    migrate_folder,
    opened_folder,
)
from tracetogether.cli.authority_follow import follow_up
from tracetogether.cli.authority_import import import_cases, import_operators
from tracetogether.cli.authority_keys import keys
from tracetogether.cli.authority_load import load
from tracetogether.cli.authority_open_data import open_data
from tracetogether.cli.authority_options import (
    clock_is_right_option,
    database_option,
    folder_argument,
    other_database_option,
)
from tracetogether.cli.authority_partner import partner
from tracetogether.cli.authority_pass import authority_pass
from tracetogether.cli.authority_phones import phones
from tracetogether.cli.authority_place import place
from tracetogether.cli.authority_policy import policy
from tracetogether.cli.authority_settings import limits, time_zone
from tracetogether.cli.authority_staff import audit, user
from tracetogether.cli.authority_status import appeal, order, restriction
from tracetogether.cli.authority_team import team
from tracetogether.cli.authority_wall import bulletin, wall
from tracetogether.cli.authority_warnings import warnings
from tracetogether.cli.console import answer, note, progress, say
from tracetogether.cli.folder_locks import shared_use
from tracetogether.cli.options import EXISTING_FILE, as_json, moment_of, number_option
from tracetogether.cli.revoked_file import update_revoked
from tracetogether.errors import ClockError, MissingExtraError, TraceTogetherError
from tracetogether.local_days import UTC_NAME
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_MINUTE

_PEOPLE_AT_ONCE: Final = 2_000  # whom the wall counts, in one transaction
_MINUTES_BETWEEN_PURGES: Final = 60
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@click.group()
def authority() -> None:
    """Run a health authority: issue TempIDs, receive contact logs, list contacts."""


for _command in (
    case,
    charge,
    user,
    keys,
    audit,
    limits,
    load,
    demo_data,
    export,
    follow_up,
    policy,
    backup,
    restore,
    time_zone,
    phones,
    authority_pass,
    order,
    restriction,
    warnings,
    appeal,
    partner,
    open_data,
    place,
    wall,
    bulletin,
    team,
):
    authority.add_command(_command)
case.add_command(import_cases)
user.add_command(import_operators)


@authority.command()
@folder_argument
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Organisation code.")
@database_option("Empty PostgreSQL database, postgresql://…; without it, an SQLite file.")
@click.option(
    "--time-zone",
    "zone",
    default=UTC_NAME,
    show_default=True,
    metavar="NAME",
    help="Time zone in which days of follow-up are counted, such as Asia/Singapore.",
)
@as_json
def init(folder: Path, name: str, database: str | None, zone: str, *, as_json: bool) -> None:
    """Make a new authority in DIR (./authority), with database, keys and an operator token."""
    create_folder(folder, now=time.time(), name=name, database=database, time_zone=zone)
    token_file = folder / OPERATOR_TOKEN
    answer(
        {"dir": str(folder), "name": name, "operator_token_file": str(token_file)},
        f"Authority {name} made in {folder}",
        f"  operator token: {token_file} (for HTTP, not for the pages; only you can read it)",
        f"  keys:           {folder / KEYS} (they open TempIDs; keep them out of backups)",
        f"  time zone:      {zone} (of dates and follow-up; `authority time-zone` changes it)",
        f"Next: tracetogether authority serve {folder}",
        as_json=as_json,
    )


@authority.command()
@folder_argument
@number_option(
    "--port",
    "Port to listen on; 0 chooses a free port and prints it.",
    default=8000,
    least=0,
    most=65_535,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@number_option(
    "--workers",
    "Number of server processes. With PostgreSQL: one for each core.",
    default=1,
    most=64,
)
@other_database_option
@click.option(
    "--tls-cert", type=EXISTING_FILE, help="Serve https with this certificate chain (PEM)."
)
@click.option(
    "--tls-key",
    type=EXISTING_FILE,
    help="Private key of the certificate, if it is in another file.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="ADDRESS",
    multiple=True,
    help="Address or network of a proxy whose X-Forwarded-For is trusted. Repeatable.",
)
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    help="Serve below this path of the site, such as /tracing. The proxy may remove it or not.",
)
@clock_is_right_option
def serve(
    folder: Path,
    port: int,
    host: str,
    workers: int,
    database: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    trusted_proxies: tuple[str, ...],
    root_path: str,
    *,
    clock_is_right: bool,
) -> None:
    """Serve the authority in DIR (./authority) over HTTP until interrupted.

    Data whose retention has ended is purged at the start and every hour.
    """
    try:
        from tracetogether.adapters import http_api, operator_pages  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("The authority's server", "server") from None
    if tls_key is not None and tls_cert is None:
        msg = "--tls-key needs --tls-cert: https needs a certificate too"
        raise click.UsageError(msg)
    if tls_cert is not None:
        http_api.check_certificate(tls_cert, tls_key, time.time())
    proxies, root = TrustedProxies.of(trusted_proxies), http_api.root_path_of(root_path)
    with opened_folder(folder, database) as service:  # report errors first
        if not clock_is_right:
            _look_at_clock(service, time.time())
    with shared_use(folder), http_api.listening(host, port) as listener:
        scheme = "http" if tls_cert is None else "https"
        url = f"{scheme}://{http_api.address_text(host, listener.getsockname()[1])}{root}"

        def work() -> None:
            with (
                opened_folder(folder, database) as service,
                _kept_up(folder, service, clock_is_right),
            ):
                give = operator_pages.sign_in_for(service).give_password
                app = http_api.create_app(service, proxies=proxies, root_path=root, passwords=give)
                name = service.store.setting("authority") or ""
                pages = operator_pages.create_pages(service, name=name, root_path=root)
                http_api.mount_pages(app, operator_pages.BASE, pages, root_path=root)
                figures = operator_pages.create_open_pages(service, name=name, root_path=root)
                http_api.mount_pages(app, operator_pages.OPEN_BASE, figures, root_path=root)
                with suppress(KeyboardInterrupt):  # Ctrl-C ends the server
                    http_api.serve(app, listener, tls_cert=tls_cert, tls_key=tls_key)

        note(f"Serving {folder} on {url} (described at /openapi.json); Ctrl-C ends it")
        note(f"The tracers' pages: {url}{operator_pages.BASE}")
        if host not in _LOOPBACK and tls_cert is None:
            note("This is unencrypted http: give --tls-cert, or put an https proxy before it.")
        if workers == 1:
            work()
        else:
            http_api.in_processes(workers, work)


@contextmanager
def _kept_up(folder: Path, service: Authority, clock_is_right: bool) -> Iterator[None]:  # noqa: FBT001 - a flag
    """Purge now and every hour; read changed keys and compute due lists every minute."""
    stop = threading.Event()
    thread = threading.Thread(
        target=_keep_up, args=(folder, service, stop, clock_is_right), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _look_at_clock(service: Authority, now: float) -> None:
    """Return if a server may start; print a note if it can't purge before the clock is confirmed.

    Raises:
        ClockError: the clock is behind, so that expired TempIDs would be valid again.
    """
    service.purge.check_behind(now)
    try:
        service.purge.check_clock(now)
    except ClockError as error:
        note(str(error))


def _keep_up(folder: Path, service: Authority, stop: threading.Event, clock_is_right: bool) -> None:  # noqa: FBT001
    clock = RunningClock()
    next_purge = 0
    for minute in itertools.count():
        now, elapsed = time.time(), time.monotonic()
        try:
            service.custody.save_keys(service.custody.keys)
            service.custody.require(now)
            if minute >= next_purge:
                right = (clock_is_right and minute == 0) or clock.agrees(now, elapsed)
                service.purge(now, clock_is_right=right)
                clock.confirm(now, elapsed)
                next_purge = minute + _MINUTES_BETWEEN_PURGES
                update_revoked(folder, service.store, now)
                service.open_data.keep_up(now)
                service.store.sum_up_counts()
        except ClockError as error:  # checked each minute, printed each hour
            if minute % _MINUTES_BETWEEN_PURGES == 0:
                note(str(error))
        except TraceTogetherError as error:  # the next minute tries again
            note(f"Upkeep failed: {error}")
        try:
            while service.store.count_changed_people(_PEOPLE_AT_ONCE, wait=True):
                pass
        except TraceTogetherError as error:
            note(f"People to call were not counted for the wall: {error}")
        try:  # lists that an earlier run of the server, or another process, left to do
            service.finder.work_off(time.time(), after_restart=minute == 0)
        except TraceTogetherError as error:
            note(f"Contact lists were not computed: {error}")
        try:
            if not service.purge.clock_suspect(now):
                service.publishing.publish(now)
        except TraceTogetherError as error:
            note(f"Warnings were not published: {error}")
        if stop.wait(SECONDS_PER_MINUTE):
            return


@authority.command()
@folder_argument
@click.option(
    "--now",
    metavar="TIME",
    help="Purge as if it were this time (UTC or epoch seconds). Destroyed data can't be restored.",
)
@clock_is_right_option
@as_json
def purge(folder: Path, now: str | None, *, clock_is_right: bool, as_json: bool) -> None:
    """Destroy data in DIR (./authority) whose retention has ended.

    This affects day keys, uploads, contact lists, PINs and cases.
    """
    moment = time.time() if now is None else moment_of(now, "--now")
    with opened_folder(folder) as service:
        purged = service.purge(
            moment,
            clock_is_right=clock_is_right or now is not None,
            rehearsed=now is not None,
        )
        update_revoked(folder, service.store, moment)
        service.tallies.tell(moment)
        if now is None:
            service.open_data.keep_up(moment)
    kinds = ("day_keys", "uploads", "contact_lists", "pins", "cases")
    counts = {kind: getattr(purged, kind) for kind in kinds}
    text = ", ".join(counted(count, what.replace("_", " ")) for what, count in counts.items())
    answer(counts, f"Gone: {text}", as_json=as_json)


@authority.command()
@folder_argument
@other_database_option
def migrate(folder: Path, database: str | None) -> None:
    """Bring the database of DIR (./authority) to this release's schema.

    Make a backup first, by `tracetogether authority backup`. Contacts of logs that an earlier
    release received are put under follow-up.
    """
    with progress("Cases") as advance:
        contacts = migrate_folder(folder, time.time(), database, advance)
    say(f"The database of {folder} is up to date")
    if contacts:
        say(f"New under follow-up: {counted(contacts, 'contacts')}")
    with opened_folder(folder, database) as service:
        several = service.casework.several_open()
    for case_ids in several:
        say(
            f"One person has {counted(len(case_ids), 'open cases')}; merge them, or close all but "
            f"one: {', '.join(case_ids)}"
        )

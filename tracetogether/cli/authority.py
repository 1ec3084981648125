"""`tracetogether authority`: set up, serve, purge, back up; the rest is in its own modules."""

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
from tracetogether.cli.authority_demo import demo_data
from tracetogether.cli.authority_export import export
from tracetogether.cli.authority_folder import (
    DEFAULT_NAME,
    KEYS,
    OPERATOR_TOKEN,
    bring_up_to_date,
    create_folder,
    opened_folder,
)
from tracetogether.cli.authority_follow import follow_up
from tracetogether.cli.authority_import import import_cases, import_operators
from tracetogether.cli.authority_keys import keys
from tracetogether.cli.authority_limits import limits
from tracetogether.cli.authority_load import load
from tracetogether.cli.authority_options import (
    clock_is_right_option,
    database_option,
    folder_argument,
    moment_of,
    other_database_option,
)
from tracetogether.cli.authority_staff import audit, user
from tracetogether.cli.authority_time_zone import time_zone
from tracetogether.cli.console import err, out, print_json, progress
from tracetogether.cli.folder_locks import served_from
from tracetogether.cli.options import as_json
from tracetogether.cli.revoked_file import keep_revoked
from tracetogether.errors import ClockError, MissingExtraError, TraceTogetherError
from tracetogether.local_days import UTC_NAME
from tracetogether.units import SECONDS_PER_MINUTE

_MINUTES_BETWEEN_PURGES: Final = 60
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@click.group()
def authority() -> None:
    """Run a health authority: issue TempIDs, take contact logs in, list contacts."""


for _command in (
    case,
    user,
    keys,
    audit,
    limits,
    load,
    demo_data,
    export,
    follow_up,
    backup,
    restore,
    time_zone,
):
    authority.add_command(_command)
case.add_command(import_cases)
user.add_command(import_operators)


@authority.command()
@folder_argument
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Organisation code.")
@database_option("An empty PostgreSQL database, postgresql://…; an SQLite file if left out.")
@click.option(
    "--time-zone",
    "zone",
    default=UTC_NAME,
    show_default=True,
    metavar="NAME",
    help="Where the authority is, such as Asia/Singapore: days of follow-up are counted there.",
)
@as_json
def init(folder: Path, name: str, database: str | None, zone: str, *, as_json: bool) -> None:
    """Make a new authority in DIR (./authority): its database, keys and operator token."""
    create_folder(folder, now=time.time(), name=name, database=database, time_zone=zone)
    token_file = folder / OPERATOR_TOKEN
    if as_json:
        print_json({"dir": str(folder), "name": name, "operator_token_file": str(token_file)})
        return
    console = out()
    console.print(f"Authority {name} made in {folder}", soft_wrap=True)
    console.print(
        f"  operator token: {token_file} (for HTTP, not for the pages; only you can read it)\n"
        f"  keys:           {folder / KEYS} (they open TempIDs; keep them out of backups)\n"
        f"  time zone:      {zone} (of dates and follow-up; `authority time-zone` changes it)\n"
        f"Next: tracetogether authority serve {folder}",
        soft_wrap=True,
    )


@authority.command()
@folder_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one and says which.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that serve; with PostgreSQL as many as there are cores.",
)
@other_database_option
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM): serve https.")
@click.option("--tls-key", type=_FILE, help="Its private key, if it is not in the same file.")
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="ADDRESS",
    multiple=True,
    help="Address or network of a proxy whose X-Forwarded-For is believed; may be repeated.",
)
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    help="Serve below this path of the site, such as /tracing; a proxy may cut it off or not.",
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

    Every hour, and at the start, what has outlived its time is purged.
    """
    try:
        from tracetogether.adapters import http_api, operator_pages  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError("The authority's server", "server") from None
    if tls_key is not None and tls_cert is None:
        msg = "--tls-key needs --tls-cert: a key alone makes no https"
        raise click.UsageError(msg)
    if tls_cert is not None:
        http_api.check_certificate(tls_cert, tls_key, time.time())
    proxies, root = TrustedProxies.of(trusted_proxies), http_api.root_path_of(root_path)
    with opened_folder(folder, database) as service:  # what is wrong is told before anything else
        if not clock_is_right:
            _look_at_clock(service, time.time())
    with served_from(folder), http_api.listening(host, port) as listener:
        scheme = "http" if tls_cert is None else "https"
        url = f"{scheme}://{http_api.address_text(host, listener.getsockname()[1])}{root}"

        def work() -> None:
            with (
                opened_folder(folder, database) as service,
                _kept_up(folder, service, clock_is_right),
            ):
                app = http_api.create_app(service, proxies=proxies, root_path=root)
                pages = operator_pages.create_pages(
                    service, name=service.store.noted("authority") or "", root_path=root
                )
                http_api.mount_pages(app, operator_pages.BASE, pages, root_path=root)
                with suppress(KeyboardInterrupt):  # which is how one ends it
                    http_api.serve(app, listener, tls_cert=tls_cert, tls_key=tls_key)

        _tell(f"Serving {folder} on {url} (described at /openapi.json); Ctrl-C ends it")
        _tell(f"The tracers' pages: {url}{operator_pages.BASE}")
        if host not in _LOOPBACK and tls_cert is None:
            _tell("This is plain http: give --tls-cert, or let a proxy stand before it.")
        if workers == 1:
            work()
        else:
            http_api.in_processes(workers, work)


@contextmanager
def _kept_up(folder: Path, service: Authority, clock_is_right: bool) -> Iterator[None]:  # noqa: FBT001 - a flag
    """Purge now and every hour; learn of keys and find the lists that are due every minute."""
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


def _tell(text: str) -> None:
    err().print(text, soft_wrap=True)


def _look_at_clock(service: Authority, now: float) -> None:
    """Return if a server may start; say so if nothing is purged until the clock is confirmed.

    Raises:
        ClockError: the clock is behind: what has expired would be valid again.
    """
    service.purge.check_behind(now)
    try:
        service.purge.check_clock(now)
    except ClockError as error:
        _tell(str(error))


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
                keep_revoked(folder, service.store, now)
        except ClockError as error:  # asked again each minute, said each hour
            if minute % _MINUTES_BETWEEN_PURGES == 0:
                _tell(str(error))
        except TraceTogetherError as error:  # the next time tries again
            _tell(f"Upkeep failed: {error}")
        try:  # what an earlier run of the server did not get done, or another process
            service.due.work_off(time.time(), after_restart=minute == 0)
        except TraceTogetherError as error:
            _tell(f"Contact lists were not found: {error}")
        if stop.wait(SECONDS_PER_MINUTE):
            return


@authority.command()
@folder_argument
@click.option(
    "--now",
    metavar="TIME",
    help="Purge as of this time (UTC or epoch seconds). What a later time destroys is gone.",
)
@clock_is_right_option
@as_json
def purge(folder: Path, now: str | None, *, clock_is_right: bool, as_json: bool) -> None:
    """Destroy what has outlived its time in DIR (./authority).

    That is: day keys, uploads, contact lists, PINs, cases.
    """
    moment = time.time() if now is None else moment_of(now)
    with opened_folder(folder) as service:
        purged = service.purge(
            moment,
            clock_is_right=clock_is_right or now is not None,
            rehearsed=now is not None,
        )
        keep_revoked(folder, service.store, moment)
        service.tallies.tell(moment)
    said = {
        "day_keys": purged.day_keys,
        "uploads": purged.uploads,
        "contact_lists": purged.contact_lists,
        "pins": purged.pins,
        "cases": purged.cases,
    }
    if as_json:
        print_json(said)
    else:
        out().print(
            "Gone: " + ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in said.items())
        )


@authority.command()
@folder_argument
@other_database_option
def migrate(folder: Path, database: str | None) -> None:
    """Bring the database of DIR (./authority) to this release's schema.

    Back it up before, by `tracetogether authority backup`.

    Contacts of logs that came in before there was a follow-up are put on its lists.
    """
    with progress("Cases") as told:
        contacts = bring_up_to_date(folder, time.time(), database, told)
    out().print(f"The database of {folder} is up to date")
    if contacts:
        out().print(f"New under follow-up: {contacts} contacts")
    with opened_folder(folder, database) as service:
        several = service.casework.several_open()
    for case_ids in several:
        out().print(
            f"One person has {len(case_ids)} open cases; merge them, or close all but one: "
            + ", ".join(case_ids)
        )

"""The authority's work per CPU-second, each figure beside another way in the same run.

    pytest tests/benchmarks/test_authority_speed.py --benchmark-enable -s

CPU time of the process that does the work, the best of several runs; without --benchmark-enable one
small run each, which checks the counted work alone.
"""

import gzip
import http.client
import json
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tests.benchmarks.processor import cpu_s
from tests.fresh_stores import fresh_store, inside
from tracetogether.adapters import http_api
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.databases import Database
from tracetogether.adapters.sql_store.tables import CONTACTS
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.intake.opening import open_log
from tracetogether.bluetrace.tempid import TempIDBatch
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY

RECORDS = 20_000


def fortnight(world: World, records: int) -> list[Sighting]:
    """Return what a phone heard in 14 days: 60 people, 12 minutes at a time, every 30 s."""
    users = [world.user() for _ in range(60)]
    rows: list[Sighting] = []
    visit = 0
    while len(rows) < records:
        day, person = visit // 60 % 14, users[visit % 60]
        at = NOON - (day + 1) * SECONDS_PER_DAY + visit % 7 * 1_800
        rows += world.heard(person, at, 12, every_s=30.0)
        visit += 1
    return sorted(rows[:records], key=lambda row: row.time)


def test_a_large_upload(tmp_path: Path, full: bool) -> None:
    """Decoded, opened, filtered, sealed and stored; beside json and a decryption per record."""
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(os.urandom, store=store)
        records = RECORDS if full else 2_000
        rows = fortnight(world, records)
        body = write_upload(rows)
        packed = gzip.compress(body)
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        runs = 15 if full else 1
        tokens = iter([world.token(case, body, NOON) for _ in range(runs)])
        issuer = world.authority.issuance.issuer

        def take() -> None:
            receipt = world.authority.intake.take_upload(next(tokens), body, NOON, packed=packed)
            assert (receipt.records, receipt.accepted) == (records, records)

        def one_by_one() -> None:
            for record in json.loads(body)["records"]:
                issuer.open(record["msg"], record["timestamp"])

        opened = open_log(parse_upload(body).records, issuer, uploader="", received_at=NOON)
        distinct = len({row.peer for row in rows})
        assert opened.decryptions <= 2 * distinct  # not of records
        spent = cpu_s(take, runs)
        if full:
            plain = cpu_s(one_by_one, 1)
            parsed = cpu_s(lambda: json.loads(body), 5)
            print(
                f"\nupload of {records} records ({len(body)} bytes, {distinct} TempIDs): "
                f"{spent * 1e3:.0f} ms, {records / spent:,.0f} records/s; "
                f"record by record {plain / spent:.0f} times as long, json.loads alone "
                f"{parsed / spent:.2f} times"
            )
            assert records / spent > 150_000  # half of what a quiet machine does
            assert plain > 20 * spent
            assert spent < 4 * parsed


def test_batches_of_tempids(full: bool) -> None:
    """A batch, as the route answers it; beside the same answer without any crypto."""
    import msgspec

    world = World.of(os.urandom)
    count = 300 if full else 3
    users = [world.user() for _ in range(count)]
    ready = world.authority.issuance.batch(users[0], NOON).to_json()

    def issue() -> None:
        for user in users:
            msgspec.json.encode(world.authority.issuance.batch(user, NOON).to_json())

    def without() -> None:
        for _ in users:
            msgspec.json.encode(ready)

    spent, plain = cpu_s(issue, 3), cpu_s(without, 3)
    assert len(ready["tempIDs"]) == 100
    if full:
        print(
            f"\nbatches of 100: {count / spent:,.0f}/s, {100 * count / spent:,.0f} TempIDs/s; "
            f"{spent / plain:.1f} times the encoding alone"
        )


class _Served:
    """A server in a process of its own, whose CPU time can be read, and a line to it."""

    def __init__(self, folder: Path, *, crypto: bool) -> None:
        with http_api.listening("127.0.0.1", 0) as listener:
            forking = multiprocessing.get_context("fork")
            self.process = forking.Process(target=_serve, args=(folder, listener, crypto))
            self.process.start()
            self._line = http.client.HTTPConnection(*listener.getsockname()[:2], timeout=60)
        self._line.connect()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fetch(self, credential: str) -> int:
        """Return how many TempIDs came."""
        self._line.request("POST", "/v1/tempids", headers={"Authorization": f"Bearer {credential}"})
        answer = self._line.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body.count(b'"tempID"')

    def close(self) -> None:
        self._line.close()
        assert self.process.pid is not None
        self.process.terminate()
        self.process.join()


def _serve(folder: Path, listener: socket.socket, crypto: bool) -> None:
    with opened_folder(folder) as service:
        if not crypto:
            ready = service.issuance.batch("A" * 28, time.time())  # noqa: TID251 - as the server's
            object.__setattr__(service, "issuance", _Ready(ready))
        http_api.serve(http_api.create_app(service), listener)


@dataclass
class _Ready:
    """Issues the same batch again and again."""

    ready: TempIDBatch

    def batch(self, _user: str, _now: float) -> TempIDBatch:
        return self.ready


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads CPU times from /proc")
def test_batches_over_http(tmp_path: Path, full: bool) -> None:
    """A batch as a phone fetches it, sockets, limits, store and all; with and without crypto."""
    folder = tmp_path / "desk"
    create_folder(folder, now=time.time())  # noqa: TID251 - as the server's
    phones, each = (20, 25) if full else (2, 3)
    with opened_folder(folder) as service:
        credentials = [service.issuance.register().credential for _ in range(phones)]
    spent = []
    for crypto in (True, False):
        server = _Served(folder, crypto=crypto)
        try:
            server.fetch(credentials[0])
            began = server.cpu_s()
            came = sum(server.fetch(credential) for credential in credentials for _ in range(each))
            spent.append(server.cpu_s() - began)
        finally:
            server.close()
        assert came == phones * each * 100
    if full:
        with_crypto, without = (phones * each / seconds for seconds in spent)
        print(
            f"\nbatches over HTTP, SQLite: {with_crypto:,.0f} per CPU-second, without crypto "
            f"{without:,.0f}: {without / with_crypto:.2f} times"
        )
        assert without / with_crypto < 3  # the crypto is not what a batch over HTTP costs most


def line(number: int) -> tuple[object, ...]:
    numbers = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, NOON, NOON)
    return (DAY, f"C{number % 50}", "basis", number, b"person", 1, 1, *numbers)


@pytest.fixture
def postgres(postgres_url: str) -> SqlStore:
    store = SqlStore.create(postgres_url, name="SG_MOH")
    users = [f"u{number}" for number in range(50)]  # a person has one open case
    for user in users:
        store.add_user(user, user.encode())
    with inside(store).transactions.writing() as connection:
        for number, user in enumerate(users):
            values = {"case_id": f"C{number}", "user_id": user, "day": DAY}
            connection.execute(
                sa.text("INSERT INTO cases VALUES (:case_id, :user_id, :day, 0, 0)"), values
            )
    return store


def wall_s(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def test_copy_beside_row_inserts(postgres: SqlStore, full: bool) -> None:
    """Wall time: the server works too."""
    rows = [line(number) for number in range(20_000 if full else 100)]
    database: Database = inside(postgres).database

    def copy() -> None:
        with inside(postgres).transactions.writing() as connection:
            database.make_day(connection, DAY)
            database.bulk(connection, CONTACTS, CONTACTS.columns.keys(), rows)

    def insert() -> None:
        columns = [column.name for column in CONTACTS.columns]
        with inside(postgres).transactions.writing() as connection:
            connection.execute(CONTACTS.delete())
            for row in rows:
                connection.execute(CONTACTS.insert(), dict(zip(columns, row, strict=True)))

    copied = wall_s(copy)
    assert postgres.counts(NOON).contacts == len(rows)
    inserted = wall_s(insert)
    assert postgres.counts(NOON).contacts == len(rows)
    postgres.close()
    if full:
        print(
            f"\nCOPY {len(rows) / copied:,.0f} rows/s, row by row {len(rows) / inserted:,.0f}: "
            f"{inserted / copied:.0f} times"
        )
        assert inserted > 3 * copied


def test_a_dropped_day_beside_deleted_rows(postgres: SqlStore, full: bool) -> None:
    """A day's contact rows, as many as a wave has in three weeks; what is left to vacuum."""
    rows = 1_000_000 if full else 1_000
    database: Database = inside(postgres).database
    kinds = {sa.LargeBinary: "'\\x00'::bytea", sa.Integer: "1", sa.Float: "0.5", sa.Text: "''"}
    values = {
        "day": ":day",
        "case_id": "'C' || n % 50",
        "basis": "'basis'",
        "place": "n",
    }
    picked = ", ".join(
        values.get(column.name) or kinds[type(column.type)] for column in CONTACTS.columns
    )

    def fill(day: int) -> None:
        with inside(postgres).transactions.writing() as connection:
            database.make_day(connection, day)
            made = f"INSERT INTO contacts SELECT {picked} FROM generate_series(1, {rows}) AS n"  # noqa: S608
            connection.execute(sa.text(made), {"day": day})

    def delete() -> None:
        with inside(postgres).transactions.writing() as connection:
            gone = connection.execute(CONTACTS.delete().where(CONTACTS.c.day == DAY)).rowcount
            assert gone == rows

    def drop() -> None:
        with inside(postgres).transactions.writing() as connection:
            assert database.drop_days(connection, CONTACTS, DAY + 2) == rows

    fill(DAY)
    deleted = wall_s(delete)
    with inside(postgres).transactions.reading() as connection:
        left = sa.text(f"SELECT pg_total_relation_size('contacts_d{DAY}')")
        dead_bytes = connection.execute(left).scalar_one()
    assert dead_bytes > 0  # deleted rows keep their place until they are vacuumed
    with inside(postgres).transactions.writing() as connection:
        database.drop_days(connection, CONTACTS, DAY + 1)
    fill(DAY + 1)
    dropped = wall_s(drop)
    with inside(postgres).transactions.reading() as connection:
        gone = sa.text(f"SELECT to_regclass('contacts_d{DAY + 1}')")
        assert connection.execute(gone).scalar() is None
    assert postgres.counts(NOON).contacts == 0
    postgres.close()
    if full:
        print(
            f"\n{rows:,} contact rows: day dropped in {dropped * 1e3:.0f} ms, rows deleted in "
            f"{deleted * 1e3:.0f} ms: {deleted / dropped:.1f} times, and {dead_bytes / 1e6:.0f} MB "
            "are left to vacuum"
        )
        assert deleted > 3 * dropped

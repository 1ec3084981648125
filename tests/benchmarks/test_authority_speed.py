"""The authority's work per CPU-second, each figure beside another way in the same run.

    pytest tests/benchmarks/test_authority_speed.py --benchmark-enable -s

CPU time of this process, the best of several runs; without --benchmark-enable one small run each,
which checks the counted work alone.
"""

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.databases import Database
from tracetogether.adapters.sql_store.tables import CONTACTS, UPLOADS
from tracetogether.authority.opening import open_log
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY

RECORDS = 20_000


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--benchmark-enable"))


def cpu_s(act: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        began = time.process_time()
        act()
        spent.append(time.process_time() - began)
    return min(spent)


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
    with SqlStore.create(tmp_path / "a.db", name="SG_MOH") as store:
        world = World.of(os.urandom, store=store)
        records = RECORDS if full else 2_000
        rows = fortnight(world, records)
        body = write_upload(rows)
        packed = gzip.compress(body)
        case = world.authority.casework.open_case(world.user(), NOON)
        runs = 7 if full else 1
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
            print(
                f"\nupload of {records} records ({len(body)} bytes, {distinct} TempIDs): "
                f"{spent * 1e3:.0f} ms, {records / spent:,.0f} records/s; "
                f"record by record {plain / spent:.0f} times as long"
            )
            assert records / spent > 150_000  # half of what a quiet machine does


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


def line(number: int) -> tuple[object, ...]:
    numbers = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, NOON, NOON)
    return (DAY, f"C{number % 50}", "basis", number, b"person", 1, 1, *numbers)


@pytest.fixture
def postgres(postgres_url: str) -> SqlStore:
    store = SqlStore.create(postgres_url, name="SG_MOH")
    store.add_user("u", b"u")
    with store._transactions.writing() as connection:
        for number in range(50):
            values = {"case_id": f"C{number}", "user_id": "u", "day": DAY}
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
    database: Database = postgres._database

    def copy() -> None:
        with postgres._transactions.writing() as connection:
            database.make_day(connection, DAY)
            database.bulk(connection, CONTACTS, rows)

    def insert() -> None:
        columns = [column.name for column in CONTACTS.columns]
        with postgres._transactions.writing() as connection:
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
    rows = 5_000 if full else 20
    database: Database = postgres._database

    def fill(day: int) -> None:
        with postgres._transactions.writing() as connection:
            database.make_day(connection, day)
            upload = b"w" * 64, b"s" * 2_000
            database.bulk(
                connection,
                UPLOADS,
                ((day, f"{day}-{n}", f"C{n % 50}", "u", 0.0, *upload) for n in range(rows)),
            )

    def delete() -> None:
        with postgres._transactions.writing() as connection:
            connection.execute(UPLOADS.delete().where(UPLOADS.c.day == DAY))

    def drop() -> None:
        with postgres._transactions.writing() as connection:
            assert database.drop_days(connection, UPLOADS, DAY + 2) == rows

    fill(DAY)
    deleted = wall_s(delete)
    fill(DAY + 1)
    dropped = wall_s(drop)
    assert postgres.counts(NOON).uploads == 0
    postgres.close()
    if full:
        print(
            f"\n{rows} uploads: day dropped in {dropped * 1e3:.0f} ms, rows deleted in "
            f"{deleted * 1e3:.0f} ms: {deleted / dropped:.1f} times"
        )

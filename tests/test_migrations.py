"""The migrations make exactly the tables that the store uses, from older files too."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store, inside
from tests.old_schemas import FIRST_SCHEMA, of_schema, upgraded
from tracetogether.adapters.sql_store import SqlStore, migrating
from tracetogether.adapters.sql_store.tables import METADATA
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.access.operators import operator_digest
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.followed import ContactQuery, Outcome
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import migrate_folder, opened_folder
from tracetogether.errors import ConflictError, StoreError
from tracetogether.keyring import KeyRing


@pytest.mark.parametrize("place", ["sqlite", "postgres"])
def test_the_migrations_make_the_tables_that_the_store_uses(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    where = tmp_path / "a.db" if place == "sqlite" else request.getfixturevalue("postgres_url")
    with SqlStore.create(where, name="SG_MOH") as store:
        with inside(store).database.engine.connect() as connection:
            context = MigrationContext.configure(connection)
            found = compare_metadata(context, METADATA)
        assert [
            difference for difference in found if "alembic_version" not in str(difference)
        ] == []


def test_a_file_from_before_the_first_migration_is_refused_and_then_migrated(
    tmp_path: Path,
) -> None:
    KeyRing.generate(NOON, entropy=counted_entropy(1)).save(tmp_path / "keys.txt")
    old = sqlite3.connect(tmp_path / "authority.db")
    old.executescript(FIRST_SCHEMA)
    old.execute("INSERT INTO settings VALUES ('authority', 'AU_DTA')")
    old.execute("INSERT INTO operators VALUES (?)", (operator_digest("token"),))
    old.execute("INSERT INTO users VALUES ('user', ?)", (credential_digest("secret"),))
    old.execute("INSERT INTO cases VALUES ('CASE', 'user', 18386, ?, ?)", (NOON, NOON))
    old.execute("INSERT INTO pins VALUES ('user', 'CASE', 18386, x'00', ?, 5, 0)", (NOON + 9,))
    old.execute("INSERT INTO uploads VALUES ('token', 'CASE', 'user', ?, x'00')", (NOON,))
    old.commit()
    old.close()
    with pytest.raises(StoreError, match="authority migrate`, which keeps users and cases"):
        SqlStore.open(tmp_path / "authority.db")
    migrate_folder(tmp_path, NOON)
    with opened_folder(tmp_path) as service:
        assert service.store.setting("authority") == "AU_DTA"
        assert service.access.phone("secret") == "user"
        operator = service.access.operator("token")
        assert (operator.name, operator.roles) == ("operator", ALL_ROLES)
        case = service.casework.case("CASE", by=CONSOLE)
        assert (case.user_id, case.day, case.opened_at) == ("user", 18_386, NOON)
        left = service.store.counts(NOON)
        assert (left.users, left.cases, left.uploads, left.open_pins) == (1, 1, 0, 0)
        assert [entry.act for entry in service.audit.entries(by=CONSOLE)] == ["authority.migrated"]
        assert service.pins.issue(case, NOON, by=CONSOLE)
    with SqlStore.open(tmp_path / "authority.db") as store:
        with inside(store).database.engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), METADATA)
        assert [
            difference for difference in found if "alembic_version" not in str(difference)
        ] == []


def test_another_programs_file_is_not_migrated(tmp_path: Path) -> None:
    KeyRing.generate(NOON, entropy=counted_entropy(1)).save(tmp_path / "keys.txt")
    other = sqlite3.connect(tmp_path / "authority.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreError, match="not an authority's database"):
        migrate_folder(tmp_path, NOON)
    other = sqlite3.connect(tmp_path / "authority.db")
    assert [name for (name,) in other.execute("SELECT name FROM sqlite_master")] == ["theirs"]
    other.close()


def test_contacts_in_old_uploads_are_followed_up_after_a_migration(tmp_path: Path) -> None:
    """A tracer of an authority that upgrades finds the contacts of what was uploaded before."""
    with fresh_store(tmp_path / "newest.db") as store:
        world = World.of(counted_entropy(5), store=store)
        world.keys.save(tmp_path / "keys.txt")
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        world.take(case, world.heard(world.user(), NOON - 4 * 3600, 90, rssi_dbm=-45), NOON)
    of_schema("0002", tmp_path / "authority.db", tmp_path / "newest.db")
    with pytest.raises(StoreError, match="has schema version 0002"):
        SqlStore.open(tmp_path / "authority.db")
    assert migrate_folder(tmp_path, NOON + 3_600) == 1
    with opened_folder(tmp_path) as service:
        (followed,) = service.desk.page(ContactQuery(due_on=DAY), by=CONSOLE).contacts
        assert (followed.kept.case_id, followed.kept.found_at) == (case.case_id, NOON)
        assert service.audit.verify(by=CONSOLE)[0]
    assert migrate_folder(tmp_path, NOON + 7_200) == 0


@pytest.mark.parametrize("place", ["sqlite", "postgres"])
def test_a_person_with_several_open_cases_keeps_them_and_gets_no_more(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'a.db'}"
        if place == "sqlite"
        else request.getfixturevalue("postgres_url").replace("postgresql:", "postgresql+psycopg:")
    )
    engine = sa.create_engine(url)
    cases = [
        ("OLD", "twice", NOON, "tracing"),
        ("NEW", "twice", NOON + 1, "open"),
        ("NEW-TOO", "twice", NOON + 1, "open"),
        ("DONE", "twice", NOON + 2, "closed"),
        ("ONLY", "once", NOON, "open"),
    ]
    with engine.begin() as connection:
        upgraded(connection, "0005")
        for user in ("twice", "once"):
            connection.execute(
                sa.text("INSERT INTO users VALUES (:user, :digest)"),
                {"user": user, "digest": user.encode()},
            )
        for case_id, user, at, state in cases:
            connection.execute(
                sa.text(
                    "INSERT INTO cases (case_id, user_id, day, opened_at_s, active_at_s, state) "
                    "VALUES (:case_id, :user, 18386, :at, :at, :state)"
                ),
                {"case_id": case_id, "user": user, "at": at, "state": state},
            )
        migrating.migrate(connection)
        kept = connection.execute(sa.text("SELECT case_id, duplicate, unconfirmed FROM cases"))
        found = {case_id: (bool(duplicate), bool(waits)) for case_id, duplicate, waits in kept}
        exempt = {case_id for case_id, (duplicate, _) in found.items() if duplicate}
        assert set(found) == {case_id for case_id, *_ in cases}
        assert exempt == {"OLD", "NEW-TOO"}
        assert not any(waits for _, waits in found.values())
    new = sa.text(
        "INSERT INTO cases (case_id, user_id, day, opened_at_s, active_at_s) "
        "VALUES ('X', :user, 18386, 0, 0)"
    )
    for user in ("twice", "once"):
        with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
            connection.execute(new, {"user": user})
    engine.dispose()


def test_migrate_names_the_open_cases_of_one_person_and_merging_ends_it(tmp_path: Path) -> None:
    with fresh_store(tmp_path / "newest.db") as store:
        world = World.of(counted_entropy(6), store=store)
        world.keys.save(tmp_path / "keys.txt")
        first = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    of_schema("0005", tmp_path / "authority.db", tmp_path / "newest.db")
    old = sqlite3.connect(tmp_path / "authority.db")
    old.execute(
        "INSERT INTO cases (case_id, user_id, day, opened_at_s, active_at_s, state, assigned_to, "
        "merged_into, known_contact) SELECT 'SECOND', user_id, day, opened_at_s + 1, "
        "active_at_s, state, '', '', 0 FROM cases"
    )
    old.commit()
    old.close()
    done = CliRunner().invoke(cli, ["authority", "migrate", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"SECOND, {first.case_id}" in " ".join(done.output.split())
    with opened_folder(tmp_path) as service:
        assert service.casework.several_open() == [("SECOND", first.case_id)]
        with pytest.raises(ConflictError, match="has an open case already"):
            service.casework.open_case(first.user_id, NOON, by=CONSOLE)
        service.casework.close("SECOND", NOON, by=CONSOLE)
        with pytest.raises(ConflictError, match=first.case_id):  # the exempt one is still open
            service.casework.open_case(first.user_id, NOON, by=CONSOLE)
        with pytest.raises(ConflictError, match=first.case_id):
            service.casework.reopen("SECOND", NOON, by=CONSOLE)
        service.casework.close(first.case_id, NOON, by=CONSOLE)
        service.casework.open_case(first.user_id, NOON, by=CONSOLE)


@pytest.mark.parametrize("revision", ["0019", "0021", "0027"])
def test_a_contact_of_an_earlier_release_can_be_called_and_described(
    tmp_path: Path, revision: str
) -> None:
    with SqlStore.create(tmp_path / "newest.db", name="SG_MOH") as store:
        world = World.of(counted_entropy(3), store=store)
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        world.take(case, world.heard(world.user(), NOON - 7_200, 60, rssi_dbm=-45), NOON)
        world.authority.finder.refresh(case, NOON)
        (kept,) = store.desk.contacts_of([case.case_id])
    folder = tmp_path / "old"
    folder.mkdir()
    of_schema(revision, folder / "authority.db", tmp_path / "newest.db")
    world.keys.save(folder / "keys.txt")
    migrate_folder(folder, NOON)
    with opened_folder(folder) as service:
        calling = service.calling
        calling.save(kept.contact_id, Outcome.NOT_REACHED, NOON, by=CONSOLE)
        calling.save(kept.contact_id, Outcome.SYMPTOMS, NOON, name="Ann", phone="+65 1", by=CONSOLE)
        person = service.follow_up.reveal(kept.contact_id, "a test", NOON, by=CONSOLE)
        assert (person.name, person.phone) == ("Ann", "+65 1")

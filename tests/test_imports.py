"""Cases and operators from CSV: every bad line is named, and nothing comes in by halves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.desk.imports import BadCell
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.cli import cli
from tracetogether.errors import ConflictError, NotFoundError


@pytest.fixture
def world() -> World:
    world = World.of(counted_entropy(41))
    world.authority.staff.add("ravi", frozenset({Role.TRACER}), "token", NOON, by=CONSOLE)
    world.authority.staff.add("nora", frozenset({Role.EXPORTER}), "token2", NOON, by=CONSOLE)
    return world


def test_right_lines_open_cases(world: World) -> None:
    one, two = world.user(), world.user()
    body = f"\ufeffdate,user_id,assigned_to\n2020-05-02, {one} ,ravi\n\n,{two},\n".encode()
    wanted, bad = world.authority.case_import.check(body, NOON, by=CONSOLE)
    assert bad == []
    assert [case.line for case in wanted] == [2, 4]
    assert world.authority.casework.cases(by=CONSOLE) == []  # a check brings nothing in
    first, second = world.authority.case_import.run(wanted, NOON, by=CONSOLE)
    assert (first.user_id, first.date, first.assigned_to) == (one, "2020-05-02", "ravi")
    assert (second.user_id, second.date, second.assigned_to) == (two, "2020-05-04", "")


def test_ids_as_they_are_read_out_open_cases_and_a_slip_is_named(world: World) -> None:
    user, other = spoken_user_id(world.user()), spoken_user_id(world.user())
    slip = other[:-1] + ("A" if other[-1] != "A" else "B")
    wanted, bad = world.authority.case_import.check(
        f"user_id\n{user}\n{slip}\n{user.replace(' ', '')}\n".encode(), NOON, by=CONSOLE
    )
    assert [case.line for case in wanted] == [2]
    assert [(cell.line, cell.column) for cell in bad] == [(3, "user_id"), (4, "user_id")]
    assert "check character" in bad[0].remedy
    assert "the same as on line 2" in bad[1].remedy
    (opened,) = world.authority.case_import.run(wanted, NOON, by=CONSOLE)
    assert spoken_user_id(opened.user_id) == user


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_spreadsheet_separates_cells_by_semicolons_or_tabs(world: World, separator: str) -> None:
    user = world.user()
    lines = ["user_id,date,assigned_to", f"{user},2020-05-02,ravi"]
    wanted, bad = world.authority.case_import.check(
        "\n".join(lines).replace(",", separator).encode(), NOON, by=CONSOLE
    )
    assert bad == []
    opened = world.authority.case_import.run(wanted, NOON, by=CONSOLE)
    assert [(case.user_id, case.date, case.assigned_to) for case in opened] == [
        (user, "2020-05-02", "ravi")
    ]


def test_every_bad_line_is_named_with_its_column_and_remedy(world: World) -> None:
    good, busy = world.user(), world.user()
    world.authority.casework.open_case(busy, NOON, by=CONSOLE)
    lines = [
        "user_id,date,assigned_to",
        f"{good},2020-05-02,",
        "nobody-of-that-id,2020-05-02,",
        f"{world.user()},02/05/2020,",
        f"{world.user()},2020-06-02,",
        f"{world.user()},2020-04-01,nora",
        f"{good},2020-05-02,",
        f"{busy},2020-05-02,",
        f"{world.user()},2020-05-02",
    ]
    wanted, bad = world.authority.case_import.check("\n".join(lines).encode(), NOON, by=CONSOLE)
    assert [row.line for row in wanted] == [2]
    places = [(fault.line, fault.column) for fault in bad]
    assert places == [
        (3, "user_id"),
        (4, "date"),
        (5, "date"),
        (6, "date"),
        (6, "assigned_to"),
        (7, "user_id"),
        (8, "user_id"),
        (9, ""),
    ]
    assert all(":" in fault.remedy for fault in bad)
    assert "line 2" in bad[5].remedy
    assert "nobody-of-that-id" not in repr(bad)


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b"", 1, "user_id"),
        (b"user_id,color\n", 1, "color"),
        (b"date\n2020-05-04\n", 1, "user_id"),
        (b"user_id,user_id\n", 1, ""),
        (b"user_id\nx\n\xff\xfe\n", 3, ""),
        (b'user_id\nx\n"unfinished\n', 3, ""),
        (b"user_id\n" + b"x" * 10_000_001, 1, ""),
    ],
)
def test_what_is_no_such_table(world: World, body: bytes, line: int, column: str) -> None:
    _, bad = world.authority.case_import.check(body, NOON, by=CONSOLE)
    assert (line, column) in [(fault.line, fault.column) for fault in bad]


def test_nothing_comes_in_by_halves(world: World) -> None:
    one, two = world.user(), world.user()
    wanted, bad = world.authority.case_import.check(
        f"user_id\n{one}\n{two}\n".encode(), NOON, by=CONSOLE
    )
    assert bad == []
    world.authority.issuance.withdraw(two, NOON)
    before = world.authority.audit.verify(by=CONSOLE)
    with pytest.raises(NotFoundError):
        world.authority.case_import.run(wanted, NOON, by=CONSOLE)
    assert world.authority.casework.cases(by=CONSOLE) == []
    assert world.authority.audit.verify(by=CONSOLE) == before


def test_only_who_may_give_cases_away_imports_them_assigned(world: World) -> None:
    body = f"user_id,assigned_to\n{world.user()},ravi\n".encode()
    issuer = Caller("desk", frozenset({Role.ISSUER}))
    _, bad = world.authority.case_import.check(body, NOON, by=issuer)
    assert [fault.column for fault in bad] == ["assigned_to"]


def test_operators_come_with_their_tokens(world: World) -> None:
    body = b"name,roles\nsiti,tracer\nmei,supervisor tracer\n"
    wanted, bad = world.authority.operator_import.check(body, by=CONSOLE)
    assert bad == []
    added = world.authority.operator_import.run(wanted, NOON, by=CONSOLE)
    for operator, token in added:
        assert world.authority.access.operator(token).name == operator.name
    assert added[1][0].roles == {Role.SUPERVISOR, Role.TRACER}


def test_bad_operators_are_named(world: World) -> None:
    body = b"name,roles\nravi,tracer\nS\xc3\xa9,tracer\ntom,king\nana,\nbob,tracer\nbob,tracer\n"
    wanted, bad = world.authority.operator_import.check(body, by=CONSOLE)
    assert [row.name for row in wanted] == ["bob"]
    places = [(fault.line, fault.column) for fault in bad]
    assert places == [(2, "name"), (3, "name"), (4, "roles"), (5, "roles"), (7, "name")]
    admin = Caller("a", frozenset({Role.ADMIN}))
    _, bad = world.authority.operator_import.check(b"name,roles\nx,tracer\n", by=admin)
    assert bad == [BadCell(2, "roles", "you can't grant a role that you don't hold")]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def run(*words: str, fails: bool = False) -> str:
        result = CliRunner().invoke(cli, ["authority", *words])
        assert (result.exception is not None) == fails, result.output
        if fails:
            assert isinstance(result.exception, ConflictError)
            assert "nothing was imported" in str(result.exception)
        return result.stdout

    run("init")
    return run


def test_the_command_line_imports_all_or_nothing(run: Callable[..., str]) -> None:
    Path("staff.csv").write_text("name,roles\nsiti,tracer\ntom,king\n", "utf-8")
    assert "roles" in run("user", "import", "staff.csv", fails=True)
    assert "siti" not in run("user", "list")
    Path("staff.csv").write_text("name,roles\nsiti,tracer\n", "utf-8")
    assert "1 line without a fault" in run("user", "import", "staff.csv", "--dry-run")
    assert "siti" not in run("user", "list")
    said = run("user", "import", "staff.csv")
    assert "Token of siti for HTTP" in said
    assert "The pages ask for a password instead" in said
    Path("cases.csv").write_text("user_id\nnobody\n", "utf-8")
    assert "no such user" in run("case", "import", "cases.csv", fails=True)
    assert '"column": "user_id"' in run("case", "import", "cases.csv", "--json", fails=True)

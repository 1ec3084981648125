"""No route, command, import or method takes more than one person to restrict."""

import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tracetogether.adapters.http_api import guard
from tracetogether.authority.access.permissions import CONSOLE, Action
from tracetogether.authority.service import Authority
from tracetogether.cli import cli

ROOT = Path(__file__).parent.parent
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/reference/openapi.json").read_text("utf-8"))
PEOPLE = {"user_id", "user_ids", "users", "people", "pseudonym", "pseudonyms", "persons"}
RESTRICTS = {
    Action.ADD_ORDER,
    Action.SET_RESTRICTION,
    Action.CONFIRM_RESTRICTION,
}
LISTS_ALLOWED = {
    "POST /v1/cases": set[str](),
    "POST /v1/operators": {"roles"},
    "PUT /v1/cases/{case_id}/particulars": {"clear"},  # names of fields
    "PUT /v1/followed/{contact_id}/particulars": {"clear"},
    "PUT /v1/operators/{name}/roles": {"roles", "had"},
    "POST /v1/team/hand-over": {"cases", "operators"},  # who of the staff works on which cases
    "POST /v1/visits": {"visits", "trips"},  # a phone's own, of one case: places and times
}
"""Bodies that hold lists, and of what: none of people to restrict, so nobody is restricted."""


def parts(schema: Any, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Yield name and schema of every property of a schema, however deep."""
    if isinstance(schema, list):
        for below in schema:
            yield from parts(below, seen)
    if not isinstance(schema, dict):
        return
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    if reference and reference not in seen:
        yield from parts(DOCUMENT["components"]["schemas"][reference], seen | {reference})
    for name, below in schema.get("properties", {}).items():
        yield name, below
        yield from parts(below, seen)
    for key in ("items", "anyOf", "oneOf", "allOf", "additionalProperties"):
        yield from parts(schema.get(key), seen)


def requests() -> Iterator[tuple[str, Any]]:
    """Yield each request that writes, as "POST /v1/cases", with the schema of its body."""
    for path, methods in DOCUMENT["paths"].items():
        for method, about in methods.items():
            if method in {"post", "put", "patch", "delete"}:
                kinds = about.get("requestBody", {}).get("content", {})
                for schema in [kind.get("schema", {}) for kind in kinds.values()] or [{}]:
                    yield f"{method.upper()} {path}", schema


def is_list(schema: Any) -> bool:
    return "array" in json.dumps(schema) or "additionalProperties" in json.dumps(schema)


def test_threat_bulk_restriction_has_no_route() -> None:
    found = dict(requests())
    assert len(found) > 25
    restricting = {
        f"{method} {path}"
        for (method, path), action in guard.ACTIONS.items()
        if action in RESTRICTS
    }
    assert restricting <= found.keys()
    for place in restricting:
        assert not is_list(found[place]), place
        lists = [name for name, schema in parts(found[place]) if is_list(schema)]
        assert lists == [], place
    for place, schema in found.items():  # and nothing else takes a list of people
        if place == "POST /v1/uploads":
            continue  # a phone's own log: readings of TempIDs, for one case
        lists = {name for name, below in parts(schema) if is_list(below)}
        assert lists <= LISTS_ALLOWED.get(place, set()), place
        assert not lists & PEOPLE, place


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}".strip())
    else:
        yield path, command


def test_threat_bulk_restriction_has_no_command() -> None:
    found = dict(commands(cli))
    restricting = {
        path: command
        for path, command in found.items()
        if path.startswith(("authority order", "authority restriction", "authority appeal"))
    }
    assert len(restricting) == 11
    for path, command in restricting.items():
        for parameter in command.params:
            assert parameter.nargs == 1, (path, parameter.name)
            assert not parameter.multiple, (path, parameter.name)
            files = isinstance(parameter.type, click.Path | click.File)
            assert not files or parameter.name in {"folder", "token_file"}, (path, parameter.name)
    takes_people = [
        path
        for path, command in found.items()
        if any(parameter.name in PEOPLE and parameter.nargs != 1 for parameter in command.params)
    ]
    assert takes_people == []


def test_threat_bulk_restriction_has_no_method_and_no_import() -> None:
    world = World.of(counted_entropy(77))
    for part in ("orders", "restrictions", "appeals", "laboratory"):
        for name, function in inspect.getmembers(
            type(getattr(world.authority, part)), inspect.isfunction
        ):
            for parameter in inspect.signature(function).parameters.values():
                assert parameter.name not in PEOPLE - {"user_id"}, (part, name)
                if parameter.name in {"user_id", "restriction_id", "order_id", "appeal_id"}:
                    assert parameter.annotation is str, (part, name)
    assert {field.name for field in fields(Authority)} >= {"case_import", "operator_import"}
    header = b"user_id,ground,reference,evidence,until\nx,order,ORDER,none,2020-05-05\n"
    for to_do, faults in (
        world.authority.case_import.check(header, NOON, by=CONSOLE),
        world.authority.operator_import.check(header, by=CONSOLE),
    ):
        assert to_do == []
        assert {"ground", "reference", "evidence", "until"} <= {bad.column for bad in faults}


def test_nothing_that_finds_contacts_knows_of_restrictions() -> None:
    """Bluetooth contact alone never withholds a pass: no code leads from one to the other."""
    for room in ("contacts", "tracing", "intake", "cases", "desk", "access"):
        for file in (ROOT / "tracetogether" / "authority" / room).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    assert ".status" not in str(node.module), file
                elif isinstance(node, ast.Import):
                    assert all(".status" not in alias.name for alias in node.names), file

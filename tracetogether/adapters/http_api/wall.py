"""Routes of the wall, and of the line on top of all pages."""

from collections.abc import Callable

from fastapi import APIRouter

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.service import Authority
from tracetogether.shapes.oversight import Done
from tracetogether.shapes.wall import Board, BulletinShape, NewBulletin, WallShape


def add_wall(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' ones."""

    @router.get("/wall")
    def show_wall(by: By) -> WallShape:
        """Show the figures of today. Roles: viewer, supervisor, auditor."""
        return WallShape.of(authority.wall.figures(clock(), by=by))

    @router.get("/bulletin")
    def show_bulletin(by: By) -> Board:  # noqa: ARG001 - every operator may read it
        """Show the line on top of all pages, if there is one.

        Roles: issuer, tracer, supervisor, exporter, keyholder, auditor, admin, restrictor,
        reviewer, viewer.
        """
        found = authority.bulletins.current(clock())
        return Board(bulletin=None if found is None else BulletinShape.of(found))

    @router.put("/bulletin")
    def put_bulletin(by: By, asked: NewBulletin) -> BulletinShape:
        """Put a line on top of all pages, for at most seven days. Role: supervisor.

        It replaces the one before. The audit log keeps its text: name nobody in it.
        """
        made = authority.bulletins.put(asked.text, asked.until, clock(), by=by)
        return BulletinShape.of(made)

    @router.delete("/bulletin")
    def end_bulletin(by: By) -> Done:
        """Take the line away. Role: supervisor."""
        authority.bulletins.end(clock(), by=by)
        return Done(done=True)

"""What the browser keeps of these pages: the session, the language; and paths to go on to."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.rendering import BASE

SESSION_COOKIE: Final = "__Host-desk"  # the prefix binds it to https, this host and every path
SCREEN_COOKIE: Final = "__Host-wall"
LANGUAGE_COOKIE: Final = "__Host-desk-language"
_YEAR_S: Final = 365 * 86_400


def keep(answer: Response, cookie: str, value: str, *, longest_s: int | None = None) -> None:
    """Give the browser a cookie that no script reads and no other site sends."""
    answer.set_cookie(
        cookie, value, max_age=longest_s, path="/", secure=True, httponly=True, samesite="strict"
    )


def keep_language(answer: Response, language: str) -> None:
    """Remember which language was chosen."""
    keep(answer, LANGUAGE_COOKIE, language, longest_s=_YEAR_S)


def local_path(path: str) -> str:
    """Return a path of these pages below their base; "/" for anything else."""
    inside = path.removeprefix(BASE)
    plain = inside.startswith("/") and not inside.startswith("//") and "\\" not in inside
    return inside if plain and inside.isascii() and inside.isprintable() else "/"

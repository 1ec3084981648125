"""Prose avoids a list of hard words, loop variables have names, and no two classes share one."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BANNED = re.compile(
    r"(?<![\w'’-])(so many|so much|of whom|whoever|for who|is told|told|stands (?:in|there|beside)"
    r"|set right|by itself|heed|anew|lest|a hair|of now|he|his)(?! et al)(?![\w'’-])",
    re.IGNORECASE,
)
"""Each has a plainer form: say the symbol, "they", "again", "may not", "in", "alone"."""
TEXTS = (
    "README.md",
    "pyproject.toml",
    ".ci/*",
    "docs/**/*.md",
    "tests/vm/*",
    "tracetogether/**/*.html",
    "tracetogether/**/*.po",
    "simulations/**/*.html",
    "simulations/**/*.toml",
)
CODE = sorted(
    path
    for folder in ("tracetogether", "simulations", "tests", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__)
)
PRODUCT = [path for path in CODE if path.relative_to(ROOT).parts[0] not in {"tests", "docs"}]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and texts of a Python file with the line that each begins in."""
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type in kinds:
            yield token.start[0], token.string


def banned(text: str, first_line: int) -> list[str]:
    """Return the banned words of a text, each with its line."""
    return [
        f"{first_line + text[: found.start()].count(chr(10))}: {found[0]!r}"
        for found in BANNED.finditer(re.sub(r"\s", lambda space: space[0], text))
    ]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", sorted({path.parent for path in CODE}), ids=place)
def test_comments_and_texts_of_code_are_in_plain_words(folder: Path) -> None:
    hits = [
        f"{place(path)}:{hit}"
        for path in CODE
        if path.parent == folder
        for line, text in prose(path)
        for hit in banned(text, line)
    ]
    assert hits == []


def test_documents_and_pages_are_in_plain_words() -> None:
    paths = {path for pattern in TEXTS for path in ROOT.glob(pattern) if path.is_file()}
    hits = [
        f"{place(path)}:{hit}"
        for path in sorted(paths)
        for hit in banned(path.read_text("utf-8"), 1)
    ]
    assert hits == []


def test_the_list_finds_words_and_leaves_parts_of_words() -> None:
    assert banned("It is told\nso many things", 7) == ["7: 'is told'", "8: 'so many'"]
    assert banned("The heading, history, a hairpin, soothsayers his-tory; He et al.", 1) == []


def test_loop_variables_say_what_they_hold() -> None:
    loops = (ast.For, ast.AsyncFor, ast.comprehension)
    hits = [
        f"{place(path)}:{name.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, loops)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name) and name.id == "one"
    ]
    assert hits == []


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{place(path)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}

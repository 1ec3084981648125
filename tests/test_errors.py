"""Errors carry a code and figures, and nothing in the product reads their sentences."""

import inspect
import pickle
import re
from pathlib import Path

import pytest

import tracetogether.errors
from tracetogether.errors import (
    AuthorityError,
    ConflictError,
    MissingExtraError,
    NotFoundError,
    RateLimitedError,
    TraceTogetherError,
)

ROOT = Path(__file__).parents[1]
KINDS = [
    kind
    for _, kind in inspect.getmembers(tracetogether.errors, inspect.isclass)
    if issubclass(kind, TraceTogetherError)
]
READS_A_SENTENCE = re.compile(
    r"\bin str\((error|problem|reason|exception)\b|\bin reason\b"
    r"|str\((error|problem|exception)\)\.(startswith|endswith|removeprefix|partition)"
    r"|re\.\w+\([^)\n]*(str\(error\)|message)"
)


def test_each_class_has_a_code_of_its_own() -> None:
    codes = [kind.__dict__["code"] for kind in KINDS]
    assert len(codes) == len(set(codes)) > 25
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_code_and_figures_beside_the_sentence() -> None:
    error = NotFoundError(
        "there is no case {case} among {count:,}", "no-such", case="K7", count=9_000
    )
    assert (str(error), error.code) == ("there is no case K7 among 9,000", "no-such")
    assert error.figures == {"case": "K7", "count": 9_000}
    assert ConflictError("as it is").code == "conflict"


def test_a_figure_is_a_value_and_no_format() -> None:
    assert str(AuthorityError("this is {name}", name="{0} {name}")) == "this is {0} {name}"
    assert str(AuthorityError("a sentence with {braces}")) == "a sentence with {braces}"


def test_a_rate_limit_says_when_in_words_and_in_figures() -> None:
    error = RateLimitedError(12)
    assert "12 s" in str(error)
    assert (error.retry_after_s, error.code, error.figures) == (12, "rate-limited", {"seconds": 12})
    assert "pip install" in str(MissingExtraError("The picture", "plot"))


def test_an_error_crosses_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ConflictError("{n} left", "full", n=3)))  # noqa: S301 - our own
    assert (str(error), error.code, error.figures) == ("3 left", "full", {"n": 3})


@pytest.mark.parametrize("package", ["tracetogether", "simulations"])
def test_nothing_reads_the_sentence_of_an_error(package: str) -> None:
    assert READS_A_SENTENCE.search('if "locked" not in str(error):')
    for path in (ROOT / package).rglob("*.py"):
        assert not READS_A_SENTENCE.search(path.read_text("utf-8")), path

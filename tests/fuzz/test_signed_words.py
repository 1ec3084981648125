"""Strangers' bytes: our readers agree with general libraries, and any text ends in a verdict."""

import math
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_healthcode_check import GREEN, KEY, NOON, TRUSTED, text_of
from tests.test_passes_of_others import EU, VECTORS, eu
from tracetogether import base45
from tracetogether.cbor import Tagged, read_cbor, write_cbor
from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.verdicts import Admitted, Refused
from tracetogether.signed import cose, hcert

WORDS = {"pass", "not now", "not ours", "unreadable"}
INTEGERS = st.integers(-(2**64), 2**64 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.binary(max_size=30) | st.text(max_size=30)
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(INTEGERS | st.text(max_size=9) | st.binary(max_size=9), inner, max_size=4)
        | st.builds(Tagged, st.sampled_from([18, 61]), inner)
    ),
    max_leaves=12,
)  # fmt: skip


def same(ours: object, theirs: object) -> bool:
    """Return whether two readers found the same value, of the same types."""
    if isinstance(ours, Tagged):
        if isinstance(theirs, datetime):  # cbor2 reads the tags 0 and 1 as dates
            return ours.tag in (0, 1)
        return (
            isinstance(theirs, cbor2.CBORTag)
            and ours.tag == theirs.tag
            and same(ours.value, theirs.value)
        )
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list):
        assert isinstance(theirs, list)
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict):
        assert isinstance(theirs, dict)
        return list(ours) == list(theirs) and all(map(same, ours.values(), theirs.values()))
    if isinstance(ours, float):
        assert isinstance(theirs, float)
        return (math.isnan(ours) and math.isnan(theirs)) or (
            ours == theirs and math.copysign(1, ours) == math.copysign(1, theirs)
        )
    return ours == theirs


@given(VALUES)
@settings(max_examples=60)
def test_what_we_write_is_read_the_same_by_both(value: object) -> None:
    written = write_cbor(value)
    assert same(read_cbor(written), cbor2.loads(written))
    assert write_cbor(read_cbor(written)) == written


@given(VALUES, st.data())
@settings(max_examples=60)
def test_what_we_accept_of_changed_bytes_is_what_cbor2_reads(
    value: object, data: st.DataObject
) -> None:
    changed = bytearray(write_cbor(value))
    for at in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    expect_agreement(bytes(changed))


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_what_we_accept_of_any_bytes_is_what_cbor2_reads(data: bytes) -> None:
    expect_agreement(data)


def expect_agreement(data: bytes) -> None:
    try:
        ours = read_cbor(data)
    except UnreadableMessageError:
        return
    try:
        theirs = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, OverflowError):
        assert has_date(ours), data  # it also checks dates, which we hand on
        return
    assert same(ours, theirs)


def has_date(value: object) -> bool:
    if isinstance(value, Tagged):
        return value.tag in (0, 1) or has_date(value.value)
    inner = (
        value
        if isinstance(value, list)
        else list(value.values())
        if isinstance(value, dict)
        else []
    )
    return any(map(has_date, inner))


def messages() -> Iterator[bytes]:
    """Yield all layers of CBOR of the vectors that are readable so far."""
    for path in EU:
        text, _, _ = eu(path.stem)
        try:
            message = hcert.from_text(text)
            read = cose.read(message)
        except UnreadableMessageError:
            continue
        yield from (message, read.protected, read.payload)


def test_real_messages_are_read_as_cbor2_reads_them() -> None:
    found = [data for data in messages() if data]
    assert len(found) >= 70
    for data in found:
        assert same(read_cbor(data), cbor2.loads(data))


@given(st.binary(max_size=200))
def test_base45_comes_back_and_every_other_text_is_refused(data: bytes) -> None:
    text = base45.encode(data)
    assert base45.decode(text) == data
    assert len(text) == len(data) // 2 * 3 + len(data) % 2 * 2


@given(st.text(base45.ALPHABET, max_size=12))
def test_each_text_of_base45_stands_for_one_value(text: str) -> None:
    groups = [
        [base45.ALPHABET.index(c) for c in text[at : at + 3]] for at in range(0, len(text), 3)
    ]
    sums = [sum(value * 45**place for place, value in enumerate(group)) for group in groups]
    fits = all(
        len(group) > 1 and total < 256 ** (len(group) - 1)
        for group, total in zip(groups, sums, strict=True)
    )
    if fits:
        assert base45.encode(base45.decode(text)) == text
    else:
        with pytest.raises(UnreadableMessageError, match="more than two bytes"):
            base45.decode(text)


@pytest.mark.parametrize("text", ["a", "AÄ", "0\x00", "GGW\n", "ＡＢ", "\ud800"])
def test_characters_outside_the_alphabet_are_refused(text: str) -> None:
    with pytest.raises(UnreadableMessageError) as found:
        base45.decode(text)
    assert found.value.code == "base45-character"


def fuzzed(count: int) -> Iterator[str]:
    """Yield texts near to real ones: changed as text, under zlib, under COSE, and signed again."""
    draw = np.random.default_rng(16)
    own = text_of(GREEN)
    nz = (VECTORS / "nzcp" / "valid" / "nzcp.txt").read_text().strip()
    texts = [own, nz, eu("CO3")[0], eu("DE-1")[0], eu("SE-2")[0]]
    inner = [hcert.from_text(text) for text in texts if text.startswith("HC1:")]
    payloads = [cose.read(message).payload for message in inner]
    alphabet = base45.ALPHABET + "aé\x00\n"
    for number in range(count):
        kind = number % 5
        if kind == 0:
            shown = list(texts[number // 5 % len(texts)])
            for _ in range(draw.integers(1, 4)):
                shown[draw.integers(len(shown))] = alphabet[draw.integers(len(alphabet))]
            yield "".join(shown)
        elif kind == 1:
            shown = texts[number // 5 % len(texts)]
            yield shown[: draw.integers(len(shown))] + shown[draw.integers(len(shown)) :]
        elif kind == 2:
            yield "".join(map(chr, draw.integers(0, 0xD7FF, draw.integers(0, 40))))
        elif kind == 3:
            yield "HC1:" + base45.encode(zlib.compress(changed(inner, draw), 1))
        else:
            yield hcert.to_text(cose.sign(changed(payloads, draw), KEY, KEY.public.kid))


def changed(messages: list[bytes], draw: np.random.Generator) -> bytes:
    data = bytearray(messages[draw.integers(len(messages))])
    for _ in range(draw.integers(1, 4)):
        data[draw.integers(len(data))] = draw.integers(256)
    return bytes(data)


@pytest.mark.parametrize("count", [4_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_any_text_ends_in_a_verdict(count: int) -> None:
    seen: Counter[str] = Counter()
    for text in fuzzed(count):
        verdict = check(text, TRUSTED, (), NOON)
        assert isinstance(verdict, Admitted | Refused)
        assert verdict.for_guard in WORDS
        seen[verdict.reason] += 1
    assert seen.total() == count
    assert len(seen) >= 20, seen  # the texts reach the deeper rules too

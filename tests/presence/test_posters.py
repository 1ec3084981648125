"""Posters: made, read, and refused with a named reason; strangers' bytes never crash a reader."""

import json
import os
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.test_plain_text import EVIL
from tracetogether.crypto import VerifyingKey
from tracetogether.errors import UnreadableMessageError
from tracetogether.presence.posters import NHS, NOTIFY_ME, NZ, OWN, make_poster, poster_url
from tracetogether.presence.posters_of_others import read_any_poster
from tracetogether.protobuf import bytes_field, number_field, read_fields
from tracetogether.signed.trust import PASS, POSTERS, TrustedKey, TrustList
from tracetogether.signed.trust_files import read_trust_file

UK = json.loads(
    (Path(__file__).parents[1] / "vectors/passes/posters_signed/uk.json").read_text("utf-8")
)
UK_KEY = VerifyingKey.from_pem(UK["public_key"].encode())
UK_KEYS = TrustList([TrustedKey(UK["kid"].encode(), UK_KEY, "", "", frozenset({POSTERS}), 0, 2e9)])
ENTROPY = counted_entropy(3)
BAR = make_poster("Bar ⚓ 吧", "Pier 1", entropy=ENTROPY, kind=3, default_minutes=90)
FAIR = make_poster("Fair", entropy=ENTROPY, start=1_600_000_000, end=1_600_090_000)
NZ_PLACE = {
    "gln": "7000000000016",
    "ver": "c19:1",
    "typ": "entry",
    "opn": "Dairy",
    "adr": "1 Queen St\nAuckland",
}


def nz(place: object) -> str:
    return "NZCOVIDTRACER:" + b64encode(json.dumps(place).encode()).decode()


def code_of(text: str, keys: TrustList = UK_KEYS) -> str:
    with pytest.raises(UnreadableMessageError) as caught:
        read_any_poster(text, keys)
    assert str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("poster", [BAR, FAIR], ids=["bar", "fair"])
@pytest.mark.parametrize("host", ["", "health.example", "127.0.0.1:8000"])
def test_a_poster_comes_back(poster: object, host: str) -> None:
    url = poster_url(poster, host)  # type: ignore[arg-type]
    assert url.startswith(f"https://{host}/visit?v=1#" if host else "tracetogether:visit?v=1#")
    found = read_any_poster(f"  {url}\n")
    assert replace(found, text="") == replace(poster, text="")  # type: ignore[type-var]
    assert found.text == url
    assert found.form == OWN


def test_two_posters_of_one_name_are_two_places_and_no_id_is_shown() -> None:
    one, other = (make_poster("Bar", entropy=os.urandom) for _ in range(2))
    assert one.location_id != other.location_id
    assert one.location_id.hex() not in repr(one)
    assert repr(one.location_id) not in repr(one)
    assert one.text not in repr(one)


def test_a_poster_counts_in_its_time() -> None:
    assert [FAIR.counts_at(now) for now in (1_599_999_999, 1_600_000_000, 1_600_090_000)] == [
        False,
        True,
        False,
    ]
    assert BAR.counts_at(0)
    assert (BAR.default_s, FAIR.default_s) == (5_400, 7_200)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"description": " "}, "poster-texts"),
        ({"description": "x" * 101}, "poster-texts"),
        ({"description": EVIL}, "poster-texts"),
        ({"address": "a\nb"}, "poster-texts"),
        ({"start": 5, "end": 5}, "poster-times"),
        ({"end": 10**13}, "poster-times"),
        ({"default_minutes": 1_441}, "poster-times"),
    ],
)
def test_a_poster_against_the_rules_is_not_made(changed: dict, code: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        make_poster(**{"description": "Bar", "entropy": ENTROPY, **changed})
    assert caught.value.code == code


def payload(version: int = 1, place: bytes = bytes_field(2, b"Bar"), seed: bytes = b"s") -> str:
    whole = number_field(1, version) + bytes_field(2, place)
    whole += bytes_field(3, bytes_field(3, seed))
    return urlsafe_b64encode(whole).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "poster-form"),
        ("HC1:ABC", "poster-form"),
        ("https://health.example/else?v=1#" + payload(), "poster-form"),
        ("http://health.example/visit?v=1#" + payload(), "poster-form"),
        ("https://[::1/visit?v=1#" + payload(), "poster-form"),
        ("https://e.coronawarn.app?v=2#" + payload(), "poster-version"),
        ("tracetogether:visit#" + payload(), "poster-version"),
        ("tracetogether:visit?v=1#" + payload(version=2), "poster-version"),
        ("tracetogether:visit?v=1#", "poster-base64"),
        ("tracetogether:visit?v=1#A", "poster-base64"),
        ("tracetogether:visit?v=1#A!", "poster-base64"),
        ("tracetogether:visit?v=1#" + payload(place=b""), "poster-texts"),
        ("tracetogether:visit?v=1#" + payload(seed=b""), "poster-seed"),
        ("tracetogether:visit?v=1#" + payload(seed=bytes(65)), "poster-seed"),
        ("tracetogether:visit?v=1#" + payload(place=bytes_field(2, b"\xff")), "protobuf-not-utf-8"),
        ("tracetogether:visit?v=1#" + payload()[:-4], "protobuf-cut-short"),
        ("tracetogether:visit?v=1#" + "A" * 5_000, "poster-too-long"),
        (UK["cases"][0]["text"] + "." + "A" * 5_000, "poster-too-long"),
    ],
)
def test_what_is_no_poster_is_refused_by_name(text: str, code: str) -> None:
    assert code_of(text) == code


def test_a_poster_of_notify_me_is_read() -> None:
    place = number_field(1, 3) + bytes_field(2, b"Beiz") + bytes_field(3, b"Bern")
    place += number_field(4, 1_600_000_000) + number_field(5, 1_600_003_600)
    url = "https://qr.notify-me.ch?v=3#" + payload(3, place)
    found = read_any_poster(url)
    assert (found.description, found.address, found.form) == ("Beiz", "Bern", NOTIFY_ME)
    assert (found.start, found.end) == (1_600_000_000, 1_600_003_600)


@pytest.mark.parametrize("case", UK["cases"], ids=lambda case: case["name"])
def test_signed_posters_of_the_nhs(case: dict) -> None:
    if case["expected"] == "accept":
        found = read_any_poster(case["text"], UK_KEYS)
        assert (found.description, found.form) == (
            "Government Office Of Human Resources",
            NHS,
        )
        assert code_of(case["text"], TrustList([])) == "poster-signature"
        of_passes = TrustList(replace(row, purposes=frozenset({PASS})) for row in UK_KEYS.keys)
        assert code_of(case["text"], of_passes) == "poster-signature"
    else:
        assert code_of(case["text"]) in {"poster-form", "poster-nhs-form", "poster-signature"}


def jwk_set() -> bytes:
    point = UK_KEY.to_der()[-64:]
    x, y = (urlsafe_b64encode(part).decode().rstrip("=") for part in (point[:32], point[32:]))
    return json.dumps(
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": UK["kid"], "x": x, "y": y}]}
    ).encode()


UK_JWK = jwk_set()


def test_the_key_of_the_nhs_can_be_a_jwk() -> None:
    keys = read_trust_file(UK_JWK)
    accepted = [case for case in UK["cases"] if case["expected"] == "accept"]
    places = {read_any_poster(case["text"], keys).location_id for case in accepted}
    assert len(accepted) == 2
    assert len(places) == 1  # the place's number decides, not who printed the poster when


def test_a_poster_of_new_zealand_is_read() -> None:
    found = read_any_poster(nz(NZ_PLACE))
    assert (found.description, found.address) == ("Dairy", "1 Queen St, Auckland")
    assert found.form == NZ
    renamed = read_any_poster(nz({**NZ_PLACE, "opn": "Shop"}))
    assert renamed.location_id == found.location_id


@pytest.mark.parametrize(
    "place",
    [
        [],
        {**NZ_PLACE, "ver": "c19:2"},
        {**NZ_PLACE, "typ": "exit"},
        {**NZ_PLACE, "gln": 7},
        {**NZ_PLACE, "gln": "70000000000１6"},
        {**NZ_PLACE, "opn": 1},
    ],
)
def test_a_poster_of_new_zealand_against_its_rules(place: object) -> None:
    assert code_of(nz(place)) == "poster-nz-form"


def test_names_of_new_zealand_are_bounded_too() -> None:
    assert code_of(nz({**NZ_PLACE, "opn": EVIL})) == "poster-texts"
    assert code_of("NZCOVIDTRACER:" + b64encode(b"[" * 3_000).decode()) == "poster-nz-form"
    assert code_of("NZCOVIDTRACER:x") == "poster-nz-form"


STARTS = (
    BAR.text,
    poster_url(FAIR, "health.example"),
    "https://qr.notify-me.ch?v=3#" + payload(3),
    UK["cases"][0]["text"],
    nz(NZ_PLACE),
)


def changed_text(text: str, draw: np.random.Generator) -> str:
    """Return a text with some characters replaced, cut out or put in."""
    letters = list(text)
    for at, cut, put, letter, any_letter in draw.integers(
        0, [len(text) + 1, 3, 3, 127, 0x3000], (draw.integers(1, 6), 5)
    ).tolist():
        letters[at : at + cut] = [chr(letter if letter > 31 else any_letter)] * put
    return "".join(letters)


def tried(count: int, seed: int) -> tuple[int, set[str]]:
    """Return how many changed posters were read, and the codes of all refusals."""
    draw, read, codes = np.random.default_rng(seed), 0, set()
    for number in range(count):
        text = changed_text(STARTS[number % len(STARTS)], draw)
        try:
            read_any_poster(text, UK_KEYS)
            read += 1
        except UnreadableMessageError as error:
            codes.add(error.code)
    return read, codes


def test_any_text_is_a_poster_or_refused_by_name() -> None:
    read, codes = tried(5_000, 1)
    assert read > 100
    assert all(code.startswith(("poster-", "protobuf-")) for code in codes)
    assert len(codes) > 8


@pytest.mark.slow
def test_any_of_100_000_texts_is_a_poster_or_refused_by_name() -> None:
    _, codes = tried(100_000, 2)
    assert all(code.startswith(("poster-", "protobuf-")) for code in codes)


def fields_of_anything(count: int, seed: int) -> int:
    """Return how many random messages are read; the others raise the one named error."""
    draw, kinds = np.random.default_rng(seed), {1: 0, 2: 2, 3: 2, 4: 2}
    codes: list[str] = []
    for number in range(count):
        data = bytearray(draw.bytes(number % 40) if number % 2 else BAR.payload)
        if not number % 2:
            data[draw.integers(len(data))] = draw.integers(256)
        try:
            read_fields(bytes(data), kinds, "it")
        except UnreadableMessageError as error:
            codes.append(error.code)
    assert all(code.startswith("protobuf-") for code in codes)
    return count - len(codes)


def test_any_bytes_are_fields_or_refused_by_name() -> None:
    assert fields_of_anything(5_000, 3) > 100


@pytest.mark.slow
def test_any_of_100_000_messages_is_fields_or_refused_by_name() -> None:
    assert fields_of_anything(100_000, 4) > 1_000

"""Posters, places' ids, sealed visits and times, against the Corona-Warn-App's known answers."""

import json
from base64 import b64decode, urlsafe_b64decode
from datetime import datetime
from pathlib import Path

import pytest

from tracetogether.crypto import sha256
from tracetogether.errors import SealError, UnreadableMessageError
from tracetogether.presence.matching import overlap
from tracetogether.presence.posters import (
    CORONA_WARN,
    location_id_of,
    poster_url,
    read_payload,
    read_poster,
)
from tracetogether.presence.sealed import SealedVisit, WarnedTime, encryption_key, mac_key

VECTORS = Path(__file__).parents[1] / "vectors" / "passes" / "presence"


def answers(name: str) -> list[dict[str, object]]:
    return json.loads((VECTORS / f"{name}.json").read_text())


def raw(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    return urlsafe_b64decode(padded.replace("+", "-").replace("/", "_"))


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


POSTERS = answers("posters")
IDS = answers("location_ids")
REPORTS = {row["kind"]: row for row in answers("reports")}
TIMES = answers("derive_times")["scenarios"]
OVERLAPS = answers("overlaps")


def test_no_known_answer_is_missing() -> None:
    sizes = [len(POSTERS["good"]), len(POSTERS["refuse"]), len(IDS["ids"]), len(IDS["hashes"])]
    assert sizes == [1, 2, 3, 1]
    assert [len(REPORTS), len(TIMES), len(OVERLAPS)] == [3, 5, 7]


@pytest.mark.parametrize("row", POSTERS["good"], ids=lambda row: row["description"])
def test_a_poster_of_the_corona_warn_app_is_read(row: dict) -> None:
    poster = read_poster(row["url"])
    assert (poster.description, poster.address) == (row["description"], row["address"])
    assert (poster.start, poster.end, poster.kind) == (row["start_s"], row["end_s"], row["type"])
    assert poster.default_minutes == row["default_minutes"]
    assert poster.form == CORONA_WARN
    under_ours = poster_url(poster)
    assert under_ours.partition("#")[2] == row["url"].partition("#")[2]
    for host in ("", "health.example"):
        assert read_poster(poster_url(poster, host)).location_id == poster.location_id


@pytest.mark.parametrize("url", POSTERS["refuse"])
def test_an_address_of_another_version_is_no_poster(url: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        read_poster(url)
    assert caught.value.code == "poster-form"


@pytest.mark.parametrize("row", IDS["ids"], ids=lambda row: row["name"])
def test_a_place_has_the_id_of_its_poster(row: dict) -> None:
    payload = raw(row["payload_base64"])
    assert location_id_of(payload) == b64decode(row["location_id_base64"])
    assert read_payload(payload, CORONA_WARN).location_id == location_id_of(payload)


def test_a_place_is_published_by_the_digest_of_its_id() -> None:
    (row,) = IDS["hashes"]
    assert sha256(bytes.fromhex(row["location_id_hex"])).hex() == row["hash_hex"]


def test_keys_come_out_of_the_id() -> None:
    row = REPORTS["keys"]
    place = b64decode(row["location_id_base64"])
    assert mac_key(place) == b64decode(row["mac_key_base64"])
    assert encryption_key(place) == b64decode(row["encryption_key_base64"])


def test_a_visit_is_sealed_to_the_published_bytes() -> None:
    row = REPORTS["encrypt"]
    place, iv = b64decode(row["location_id_base64"]), b64decode(row["iv_base64"])
    first, last = row["start_minute_of_epoch"] // 10, row["end_minute_of_epoch"] // 10
    time = WarnedTime(first, last - first, row["transmission_risk_level"])
    sealed = SealedVisit.seal(place, time, lambda _count: iv)
    assert sealed.ciphertext == b64decode(row["encrypted_base64"])
    assert sealed.mac == b64decode(row["mac_base64"])
    assert sealed.open(place) == time
    assert len(sealed.to_bytes()) == 104
    assert SealedVisit.from_bytes(sealed.to_bytes()) == sealed
    assert SealedVisit.from_columns(sealed.to_columns()) == sealed


def test_a_published_visit_is_opened() -> None:
    row = REPORTS["decrypt"]
    place, iv = b64decode(row["location_id_base64"]), b64decode(row["iv_base64"])
    sealed = SealedVisit(
        sha256(place), iv, b64decode(row["encrypted_base64"]), b64decode(row["mac_base64"])
    )
    assert sealed.open(place) == WarnedTime(
        row["start_interval"], row["period"], row["transmission_risk_level"]
    )
    for changed in (
        SealedVisit(sealed.place, sealed.iv, sealed.ciphertext, bytes(32)),
        SealedVisit(sealed.place, bytes(16), sealed.ciphertext, sealed.mac),
    ):
        with pytest.raises(SealError):
            changed.open(place)
    with pytest.raises(SealError):
        sealed.open(bytes(32))


@pytest.mark.parametrize("row", TIMES, ids=lambda row: row["description"])
def test_a_stay_is_warned_of_in_whole_intervals(row: dict) -> None:
    time = WarnedTime.of_stay(epoch(row["start"]), epoch(row["end"]))
    if row["expected_start"] is None:
        assert time is None
    else:
        assert time is not None
        assert time.start_s == epoch(row["expected_start"])
        assert time.end_s == epoch(row["expected_end"])


@pytest.mark.parametrize("row", OVERLAPS, ids=lambda row: row["name"])
def test_a_visit_overlaps_with_a_warning(row: dict) -> None:
    start, end = map(epoch, row["check_in"])
    warned = WarnedTime(int(epoch(row["warning_start"]) // 600), row["warning_periods_of_10_min"])
    shared = overlap(start, end, warned) if row["same_location"] else None
    minutes = None if shared is None else int((shared[1] - shared[0]) // 60)
    assert minutes == row["overlap_minutes"]

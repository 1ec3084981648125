"""The page of attacks shows what was played and kept, and cheap attacks still yield it."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulations.attacks.deployments import PROTOCOLS
from simulations.attacks.expectations import LAST_ACCEPTED_S
from simulations.attacks.library import ATTACKS
from simulations.attacks.playback import acceptance
from simulations.attacks.published import PUBLISHED
from simulations.attacks.rows import AttackSettings

DOCS = Path(__file__).parents[2] / "docs" / "explanation"


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "write_attacks.py"))


@pytest.fixture(scope="module")
def kept(writer: dict[str, Any]) -> dict[str, Any]:
    return json.loads(writer["KEPT"].read_text("utf-8"))


def test_the_page_and_the_picture_are_written_from_what_was_kept(
    writer: dict[str, Any], kept: dict[str, Any]
) -> None:
    page = writer["PAGE"].read_text("utf-8")
    assert writer["with_parts"](page, kept) == page, "run `python docs/write.py --only attacks`"
    assert f"digest {writer['digest'](kept)}".encode() in writer["PICTURE"].read_bytes()
    with pytest.raises(ValueError, match="no place for needs"):
        writer["with_parts"]("", kept)


def test_every_attack_was_played_against_every_protocol(kept: dict[str, Any]) -> None:
    assert list(kept["rows"]) == list(ATTACKS)
    for name, rows in kept["rows"].items():
        assert {row["protocol"] for row in rows} == set(PROTOCOLS)
        assert {row["metric"] for row in rows} == set(ATTACKS[name].metrics)
    assert set(PUBLISHED) <= set(ATTACKS)


@pytest.mark.parametrize("name", ["clock", "counting", "tags"])
def test_cheap_attacks_yield_what_was_kept(name: str, kept: dict[str, Any]) -> None:
    for protocol in ("bluetrace", "robert", "gaen", "dp3t-hybrid", "desire"):
        of_protocol = [row for row in kept["rows"][name] if row["protocol"] == protocol]
        rows = ATTACKS[name].play(protocol, AttackSettings())
        assert [row.to_json() for row in rows] == of_protocol


@pytest.mark.parametrize("name", ["bluetrace", "gaen", "dp3t-hybrid"])
def test_replays_of_random_moments_count_less_and_less(name: str, kept: dict[str, Any]) -> None:
    last = LAST_ACCEPTED_S[name]
    shares = acceptance(name, np.array([0, last / 2, last + 700.0]), repeats=6)
    assert shares[0] == 1 >= shares[1] > shares[2] == 0
    curve = kept["acceptance"][name]
    assert curve == sorted(curve, reverse=True)

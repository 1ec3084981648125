"""The main job, as a newcomer runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LINE = {
    "pseudonym",
    "chance",
    "minutes",
    "minutes_low",
    "minutes_high",
    "nearest_m",
    "close_contact",
    "true_minutes",
    "true_nearest_m",
    "true_contact",
}


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracetogether", "demo", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict]:
    folder = tmp_path_factory.mktemp("demo")
    found = {}
    for seed in (1, 2):
        done = demo(folder, "--seed", str(seed), "--json", "--picture", f"{seed}.png")
        assert done.returncode == 0, done.stderr
        found[seed] = json.loads(done.stdout)
        assert (folder / f"{seed}.png").read_bytes().startswith(b"\x89PNG")
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return what the demo without options prints, and the picture that it writes."""
    folder = tmp_path_factory.mktemp("plain")
    done = demo(folder)
    assert done.returncode == 0, done.stderr
    return done.stdout, folder / "tracetogether-demo.png"


@pytest.mark.network
def test_counts_agree_with_the_lines(seeds: dict[int, dict]) -> None:
    for said in seeds.values():
        lines = said["contacts"]
        assert lines
        assert all(set(line) == LINE for line in lines)
        close = [line for line in lines if line["close_contact"]]
        true = [line for line in lines if line["true_minutes"] >= said["policy"]["minutes"]]
        assert said["found"] == sum(line["close_contact"] for line in true)
        assert said["false_contacts"] == len(close) - said["found"]
        assert said["found"] + said["missed"] == said["true_contacts"] >= len(true)
        assert said["true_contacts"] >= 1
        for line in lines:
            assert line["true_nearest_m"] is not None  # each line is somebody of the run
            assert line["minutes_low"] <= line["minutes"] <= line["minutes_high"]
            assert line["minutes_low"] < line["minutes_high"]


@pytest.mark.network
def test_records_came_through_the_whole_chain(seeds: dict[int, dict]) -> None:
    for said in seeds.values():
        assert said["records"] >= len(said["contacts"])
        assert 0 < said["records_believed"] <= said["records"]
        assert said["seconds"] < 60


@pytest.mark.network
def test_two_seeds_are_two_truths(seeds: dict[int, dict]) -> None:
    first, other = (
        sorted(line["true_minutes"] for line in said["contacts"]) for said in seeds.values()
    )
    assert first != other


@pytest.mark.network
def test_the_table_ends_with_the_counts(plain: tuple[str, Path], seeds: dict[int, dict]) -> None:
    words = " ".join(plain[0].split())
    said = seeds[2]  # the default seed: another run of it says the same
    assert (
        f"Found {said['found']} of {said['true_contacts']} true contacts with the app, "
        f"missed {said['missed']}, listed {said['false_contacts']} falsely." in words
    )
    assert words.count("no: false") == said["false_contacts"]
    for line in said["contacts"]:  # names, minutes and all
        assert (line["pseudonym"] in words) == (line["close_contact"] or line["true_contact"])
    assert "�" not in words  # a line break in a heading is no hidden character
    assert "within 2 m" in words
    assert plain[1].exists()


def test_wrong_use(tmp_path: Path) -> None:
    done = demo(tmp_path, "--seed", "x")
    assert done.returncode == 2
    assert "Invalid value for '--seed'" in done.stderr


def digest_in(picture: Path) -> bytes:
    """Return the digest that a PNG names as its source."""
    (digest,) = re.findall(rb"digest ([0-9a-f]{64})", picture.read_bytes())
    return bytes(digest)


@pytest.mark.network
def test_the_picture_in_the_docs_is_that_of_the_command(plain: tuple[str, Path]) -> None:
    docs = Path(__file__).parent.parent / "docs" / "demo.png"
    assert digest_in(plain[1]) == digest_in(docs), (
        "make it again: python docs/explanation/write_pictures.py demo"
    )

"""A packet capture of a phone that notes visits and looks for warnings, in a network of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_gate_without_network import no_network

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, list[str]]]:
    done = subprocess.run(
        [*no_network(), sys.executable, "-m", "tests.captured_phone"],
        cwd=tmp_path_factory.mktemp("phone"),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if "PermissionError" in done.stderr:
        pytest.skip("a packet capture needs the right CAP_NET_RAW")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_check_in_sends_not_one_packet(captured: dict[str, tuple[int, list[str]]]) -> None:
    assert captured["control"][0] > 0, "the capture sees nothing at all"
    quiet = {name: count for name, (count, _) in captured.items() if "phone" not in name}
    del quiet["control"]
    assert quiet == dict.fromkeys(quiet, 0)
    assert {"visit in", "visit out", "visit list", "visit forget", "trip add"} <= set(quiet)


def test_a_check_is_one_request_of_the_same_bytes(
    captured: dict[str, tuple[int, list[str]]],
) -> None:
    sent = [content for name, (_, content) in captured.items() if "phone" in name]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert "".join(sent[0]).count("GET ") == 1
    assert sent[0][0].startswith("GET /v1/warnings/")
    assert "Authorization" not in "".join(sent[0])

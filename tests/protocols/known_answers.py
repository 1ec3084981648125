"""Known answers of the protocols beside BlueTrace; vectors/protocols/README.md has sources."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors" / "protocols"


def answers(name: str) -> Any:  # each file has its own form
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def raw(text: str) -> bytes:
    return bytes.fromhex(text)

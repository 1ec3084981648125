"""The known answers that this package ships as JSON: read, and made again."""

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tracetogether.conformance.answers import answer_vectors
from tracetogether.conformance.exchange_vectors import exchange_vectors
from tracetogether.conformance.log_vectors import batch_vectors, upload_vectors
from tracetogether.conformance.payload_vectors import payload_vectors
from tracetogether.whole_file import write_whole

_MADE_BY: Final = {
    "answers.json": answer_vectors,
    "batch.json": batch_vectors,
    "exchange.json": exchange_vectors,
    "payloads.json": payload_vectors,
    "upload.json": upload_vectors,
}
NAMES: Final = (*_MADE_BY, "README.md")
_FOLDER: Final = resources.files("tracetogether.conformance") / "vectors"


def shipped(name: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the content of a file of known answers, such as ``upload.json``."""
    return json.loads((_FOLDER / name).read_text("utf-8"))


def made(name: str) -> str:
    """Return a file of known answers as the code makes it now; the README as it is shipped."""
    if name not in _MADE_BY:
        return (_FOLDER / name).read_text("utf-8")
    return json.dumps(_MADE_BY[name](), indent=1, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write all files to a folder, which is made if there is none, and return their paths.

    Raises:
        StoreError: a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        write_whole(folder / name, made(name))
    return [folder / name for name in NAMES]

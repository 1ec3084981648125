"""Write openapi.json from the application: `python docs/reference/write_openapi.py`."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tracetogether.adapters.http_api import create_app
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.service import Authority
from tracetogether.keyring import KeyRing


def document() -> str:
    """Return the OpenAPI document of a new authority, as JSON."""
    with TemporaryDirectory() as folder, SqlStore.create(Path(folder) / "a.db", name="A") as store:
        authority = Authority.assemble(
            KeyRing.generate(0.0), name="A", store=store, save_keys=lambda _: None
        )
        described = create_app(authority).openapi()
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("openapi.json").write_text(document(), "utf-8")

"""The authority over HTTP: FastAPI under /v1, its description at /openapi.json."""

from tracetogether.adapters.http_api.app import create_app
from tracetogether.adapters.http_api.mounting import mount_pages, root_path_of
from tracetogether.adapters.http_api.server import (
    address_text,
    in_processes,
    listening,
    running,
    serve,
)
from tracetogether.adapters.http_api.tls import check_certificate

__all__ = [
    "address_text",
    "check_certificate",
    "create_app",
    "in_processes",
    "listening",
    "mount_pages",
    "root_path_of",
    "running",
    "serve",
]

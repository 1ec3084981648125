"""The authority over HTTP: FastAPI under /v1, its description at /openapi.json."""

from tracetogether.adapters.http_api.app import create_app
from tracetogether.adapters.http_api.server import listening, running, serve

__all__ = ["create_app", "listening", "running", "serve"]

"""The authority over HTTP: FastAPI under /v1, its description at /openapi.json."""

from tracetogether.adapters.http_api.app import create_app
from tracetogether.adapters.http_api.server import in_processes, listening, running, serve

__all__ = ["create_app", "in_processes", "listening", "running", "serve"]

"""Running the application with uvicorn: in the foreground, or in a thread for a while."""

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from tracetogether.adapters.http_api.connections import (
    ACCEPTED_AT_ONCE,
    ConnectionLimits,
    Listener,
    protocol_of,
)
from tracetogether.adapters.http_api.repeated_lines import once_a_minute
from tracetogether.errors import AuthorityError

_GRACE_S: Final = 5
_SWITCH_S: Final = 0.001  # a log that is read in a thread lets the event loop go on this soon


@contextmanager
def listening(host: str, port: int) -> Iterator[Listener]:
    """Take a port while the body runs, a free one if 0.

    Raises:
        AuthorityError: the port is taken or not allowed.
    """
    try:
        listener = _bound(host, port)
    except OSError as error:
        msg = f"can't listen on {host} port {port} ({error.strerror}): choose another with --port"
        raise AuthorityError(msg) from None
    except UnicodeError:
        msg = f"{host} is not the name of a host: check --host"
        raise AuthorityError(msg) from None
    with listener:
        yield listener


def _bound(host: str, port: int) -> Listener:
    # asyncio switches off the 40 ms wait of small writes (TCP_NODELAY) only where the protocol
    # is named, which socket.create_server does not do.
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )[0]
    listener = Listener(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere this would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def address_text(host: str, port: int) -> str:
    """Return host and port as a URL has them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def serve(
    app: FastAPI,
    listener: Listener,
    *,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve on ``listener`` (from ``listening``) until interrupted. Callers are not logged.

    Args:
        app: from ``create_app``.
        listener: from ``listening``.
        tls_cert: certificate chain (PEM); plain HTTP if None.
        tls_key: its private key, if that is not in the same file.

    Raises:
        AuthorityError: certificate or key can't be read.
    """
    config = _config(app, listener, log_level="warning")
    config.ssl_certfile, config.ssl_keyfile = tls_cert, tls_key
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        msg = f"can't use the certificate {tls_cert} ({error.strerror or error}): check both files"
        raise AuthorityError(msg) from None
    sys.setswitchinterval(_SWITCH_S)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        app.state.afterwards.close()


def in_processes(count: int, work: Callable[[], None]) -> None:
    """Run ``work`` in ``count`` processes until interrupted, or until one of them ends.

    They share what the caller has open, a listening socket above all. The caller must have no
    threads.

    Raises:
        AuthorityError: a process ended unexpectedly; the others were ended too.
    """
    if not hasattr(os, "fork"):
        msg = "several workers need a system that can fork: leave --workers out"
        raise AuthorityError(msg)
    forking = multiprocessing.get_context("fork")
    workers = [forking.Process(target=work, daemon=True) for _ in range(count)]
    ended: list[object] = []
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for worker in workers:
            worker.start()
        ended = list(multiprocessing.connection.wait([worker.sentinel for worker in workers]))
    except KeyboardInterrupt:  # which is how one ends it
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
        for worker in workers:
            if worker.pid is not None:
                worker.terminate()
        for worker in workers:
            worker.join()
    if ended and any(worker.exitcode for worker in workers):
        msg = "a worker ended unexpectedly: its last messages are above"
        raise AuthorityError(msg)


@contextmanager
def running(
    app: FastAPI,
    *,
    port: int = 0,
    limits: ConnectionLimits | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> Iterator[str]:
    """Serve on loopback in a background thread while the body runs; yields the URL.

    Args:
        app: from ``create_app``.
        port: a free one if 0.
        limits: of connections; those of ``serve`` if None.
        tls_cert: as for ``serve``.
        tls_key: as for ``serve``.

    Raises:
        AuthorityError: the port is taken or not allowed.
    """
    with listening("127.0.0.1", port) as listener:
        listener.limits = limits or listener.limits
        config = _config(app, listener)
        config.ssl_certfile, config.ssl_keyfile = tls_cert, tls_key
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="authority")
        thread.start()  # connections wait in the listener's queue from now on
        try:
            scheme = "http" if tls_cert is None else "https"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            app.state.afterwards.close()


def _config(app: FastAPI, listener: Listener, log_level: str | None = None) -> uvicorn.Config:
    for name in ("uvicorn.error", "asyncio"):
        once_a_minute(logging.getLogger(name))
    return uvicorn.Config(
        app,
        http=protocol_of(listener),
        loop="asyncio",  # the one that asks the listener for connections
        backlog=ACCEPTED_AT_ONCE,
        access_log=False,  # paths hold case ids, lines hold addresses
        log_config=None,
        log_level=log_level,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is the application's: ``forwarded``
        timeout_graceful_shutdown=_GRACE_S,
    )

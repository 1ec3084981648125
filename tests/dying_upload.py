"""A process that is killed at one step of an upload, as a crash would end it."""

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.service import Authority
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.crypto import sha256
from tracetogether.keyring import KeyRing

ATTEMPT = "a" * 32
BODY = b'{"records": []}'


def prepared() -> ForkServerContext:
    """Return processes that have this module imported when they start.

    One server imports it and forks for each process, so that a process costs no second of imports.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def uploading(context: ForkServerContext, *words: object) -> ForkServerProcess:
    """Return a process that will call ``upload_and_die`` with ``words``."""
    return context.Process(target=upload_and_die, args=words)


def upload_and_die(
    place: str, keys: Path, user: str, pin: str, step: str, when: str, now: float
) -> None:
    """Redeem a PIN and upload a log, until the process kills itself before or after a step."""
    owner = {"seal": UploadTokens, "refresh": Tracing}.get(step, SqlStore)
    real = getattr(owner, step)

    def dying(*args: object, **named: object) -> None:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, step, dying)
    store = SqlStore.open(place if "://" in place else Path(place))
    authority = Authority.assemble(
        KeyRing.load(keys), name=store.name, store=store, save_keys=lambda _: None
    )
    token = authority.intake.redeem_pin(user, pin, sha256(BODY), now, attempt=ATTEMPT)
    receipt = authority.intake.take_upload(token, BODY, now)
    authority.tracing.refresh(authority.casework.case(receipt.case_id, by=CONSOLE))

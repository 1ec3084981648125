"""The command `tracetogether` for tests that call it often, from a process with its imports done.

A real call spends a second on imports and then a tenth on its work. Here one process imports all
commands once, listens, and forks for each call. What a caller starts is a small program named
`tracetogether`, which hands over its words, folder, environment and open files, and ends as the
command ends. So shells, pipes, background jobs and exit codes work as with the real command.
tests/test_cli_start.py and the tutorial start the real one.
"""

import array
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
_CALLER = """#!{python} -IS
import array, json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({place!r})
words = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), os.umask(0o77)]).encode()
files = array.array("i", [0, 1, 2])
server.sendmsg([len(words).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
server.sendall(words)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: server.sendall(bytes([number])))
code = int(server.recv(8) or b"1")
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """Yield a folder for the front of PATH, whose `tracetogether` starts without its imports."""
    place = folder / "socket"
    caller = folder / "tracetogether"
    caller.write_text(_CALLER.format(python=sys.executable, place=str(place)))
    caller.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.warm_commands", str(place)], cwd=ROOT, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listens\n"
        try:
            yield folder
        finally:
            server.terminate()


def _import_commands() -> None:
    """Import what any command imports."""
    from tracetogether import cli

    for module in pkgutil.walk_packages(cli.__path__, f"{cli.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()  # a collection in a child would copy all pages


def _serve(place: str) -> None:
    """Answer calls until SIGTERM."""
    _import_commands()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen(64)
    print("listens", flush=True)
    answering: set[int] = set()
    while True:
        caller, _ = listening.accept()
        answering -= {child for child in answering if os.waitpid(child, os.WNOHANG)[0]}
        child = os.fork()
        if child == 0:
            listening.close()
            _answer(caller)
        answering.add(child)
        caller.close()


def _answer(caller: socket.socket) -> None:
    """Run one command for a caller, pass its signals on, and tell it the exit code."""
    files = array.array("i", [0] * 3)
    head, [(_, _, data)], _, _ = caller.recvmsg(4, socket.CMSG_SPACE(files.itemsize * 3))
    files = array.array("i", data)
    words = b""
    while len(words) < int.from_bytes(head, "big"):
        words += caller.recv(65_536)
    command = os.fork()
    if command == 0:
        caller.close()
        _run(files, *json.loads(words))
    for file in (*files, 0, 1, 2):
        os.close(file)  # a pipe ends when the command alone has closed it
    ended = os.pidfd_open(command)
    while ended not in select.select([caller, ended], [], [])[0]:
        number = (caller.recv(1) or bytes([signal.SIGKILL]))[0]  # a caller that was killed is gone
        with suppress(ProcessLookupError):
            os.kill(command, number)
        if number == signal.SIGKILL:
            break
    _, status = os.waitpid(command, 0)
    with suppress(OSError):
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(
    files: "array.array[int]", words: list[str], folder: str, environment: dict[str, str], mask: int
) -> None:
    """Become the command: its files, folder, environment and words, as a new process has them."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.umask(mask)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["tracetogether", *words]
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        tty = os.isatty(number) or name == "stderr"
        mode = "r" if name == "stdin" else "w"
        raw = io.FileIO(number, mode, closefd=False)
        buffer = io.BufferedReader(raw) if name == "stdin" else io.BufferedWriter(raw)
        setattr(sys, name, io.TextIOWrapper(buffer, "utf-8", line_buffering=tty))
    from tracetogether.cli import main

    main()  # ends the process, once what was printed is written


if __name__ == "__main__":
    _serve(sys.argv[1])

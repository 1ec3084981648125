"""Three attackers on one server, on loopback: what everybody else notices of it.

    python -m tests.rehearsals.attack --seconds 20

Each attacker is a process of its own that does all of this at once: it registers phones and
pretends one upload after the other whose small gzip unpacks to millions of empty lists, sends such
bodies at 10 kB/s, begins 20 gzip bombs that it never ends, opens 400 connections every few seconds
and says nothing, and tries 30 passwords at the same time, again and again. All counts and times
are bounded, and the server is the rehearsal's own. Meanwhile somebody asks for /v1/health twenty
times a second. Attackers and server share the machine: on a busy one everybody waits.
"""

import argparse
import asyncio
import contextlib
import gzip
import hashlib
import http.client
import json
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlencode, urlsplit

ROOT: Final = Path(__file__).parents[2]
ATTACKERS: Final = 3
MEDIAN_MS: Final = 50.0
MEMORY_MIB: Final = 300.0
_ASK_EVERY_S: Final = 0.05
_PATIENCE_S: Final = 5.0
_SILENT: Final = 400
_HALF_SENT: Final = 20
_PASSWORDS: Final = 30
_AGAIN_S: Final = 3.0
_SLOW_BYTES_A_S: Final = 10_000
_PHONES: Final = 40  # that an attacker registers, at most
_LISTS: Final = 5_000_000
_HEALTH: Final = "/v1/health"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        answered: how often /v1/health answered with 200.
        failed: how often it did not.
        median_ms, late_ms: of its answers: the median, and what 5 % take longer than.
        memory_mib: the most that the server's process held in memory.
        attacks: how often an attack was answered how: {"pretended 429": 17}.
        lines: how many lines the server logged.
    """

    answered: int
    failed: int
    median_ms: float
    late_ms: float
    memory_mib: float
    attacks: dict[str, int] = field(default_factory=dict)
    lines: int = 0

    def faults(self) -> list[str]:
        """Return which targets were missed."""
        said = []
        if self.median_ms >= MEDIAN_MS:
            said.append(f"the median of {_HEALTH} is {self.median_ms:.0f} ms")
        if self.memory_mib >= MEMORY_MIB:
            said.append(f"the server held {self.memory_mib:.0f} MiB")
        if self.failed:
            said.append(f"{_HEALTH} failed {self.failed} times")
        return said


def lists_bomb() -> tuple[bytes, str]:
    """Return a log whose events are millions of empty lists, as gzip, and the log's digest."""
    log = b'{"records":[],"events":[' + b",".join([b"[]"] * _LISTS) + b"]}"
    return gzip.compress(log, 6), hashlib.sha256(log).hexdigest()


def request(
    address: tuple[str, int], method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=_PATIENCE_S)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Attacker:
    """One attacker: some threads, each with one kind of attack, until the time is over."""

    def __init__(self, address: tuple[str, int], seconds: float, log: tuple[bytes, str]) -> None:
        self._address = address
        self._until = time.monotonic() + seconds
        self._packed, self._digest = log
        packer = zlib.compressobj(9, wbits=31)
        self._bomb = packer.compress(bytes(16_000_000)) + packer.flush()
        self._phones = 0
        self.counts: Counter[str] = Counter()

    def attack(self) -> dict[str, int]:
        """Do all attacks at once; return how each was answered."""
        kinds: list[Callable[[], None]] = [
            self._pretend,
            self._send_slowly,
            self._begin_bombs,
            self._say_nothing,
            *[self._sign_in] * _PASSWORDS,
        ]
        threads = [threading.Thread(target=self._keep_on, args=(kind,)) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dict(self.counts)

    @property
    def _on(self) -> bool:
        return time.monotonic() < self._until

    def _keep_on(self, kind: Callable[[], None]) -> None:
        while self._on:
            try:
                kind()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.counts[f"{kind.__name__.strip('_')} {type(error).__name__}"] += 1
                time.sleep(0.02)

    def _phone(self) -> str:
        if self._phones >= _PHONES:
            time.sleep(0.2)
            msg = "enough phones"
            raise ValueError(msg)
        self._phones += 1
        status, said = request(self._address, "POST", "/v1/users")
        self.counts[f"register {status}"] += 1
        return str(json.loads(said)["credential"])

    def _leave(self, credential: str) -> dict[str, str]:
        """Return the headers of an upload that is only pretended."""
        asked = {"pin": "00000000", "sha256": self._digest}
        status, said = request(
            self._address,
            "POST",
            "/v1/upload-tokens",
            json.dumps(asked).encode(),
            Authorization=f"Bearer {credential}",
            Content_Type="application/json",
            X_Chaff="1",
        )
        self.counts[f"token {status}"] += 1
        return {
            "Authorization": f"Bearer {json.loads(said)['upload_token']}",
            "X_Credential": credential,
            "Content_Type": "application/json",
            "Content_Encoding": "gzip",
        }

    def _pretend(self) -> None:
        credential = self._phone()
        status = 0
        while self._on and status != 429:
            leave = self._leave(credential)
            for _ in range(2):
                status, _ = request(self._address, "POST", "/v1/uploads", self._packed, **leave)
                self.counts[f"pretended {status}"] += 1

    def _send(self, body: bytes, leave: dict[str, str], end: int) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(*self._address, timeout=_PATIENCE_S)
        connection.putrequest("POST", "/v1/uploads")
        for name, value in leave.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:end])
        return connection

    def _send_slowly(self) -> None:
        leave, step = self._leave(self._phone()), _SLOW_BYTES_A_S // 10
        connection = self._send(self._packed, leave, step)
        with contextlib.closing(connection):
            for start in range(step, len(self._packed), step):
                time.sleep(0.1)
                connection.send(self._packed[start : start + step])
            self.counts[f"slow {connection.getresponse().status}"] += 1

    def _begin_bombs(self) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(_HALF_SENT):
                leave = self._leave(self._phone())
                half = self._send(self._bomb, leave, len(self._bomb) - 20)
                stack.enter_context(contextlib.closing(half))
                self.counts["half-sent"] += 1
            while self._on:
                time.sleep(0.1)

    def _say_nothing(self) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(_SILENT):
                stack.enter_context(socket.create_connection(self._address, timeout=_PATIENCE_S))
                self.counts["silent"] += 1
            self._rest()

    def _sign_in(self) -> None:
        said = urlencode({"name": "nobody", "password": "a guess", "code": "000000"}).encode()
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        status, _ = request(self._address, "POST", "/desk/sign-in", said, **form)
        self.counts[f"sign-in {status}"] += 1
        self._rest()

    def _rest(self) -> None:
        time.sleep(min(_AGAIN_S, max(0.0, self._until - time.monotonic())))


def _attack(
    address: tuple[str, int],
    seconds: float,
    log: tuple[bytes, str],
    results: "Queue[dict[str, int]]",
) -> None:
    results.put(Attacker(address, seconds, log).attack())


@contextlib.contextmanager
def own_server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """Run an authority in ``folder`` with one worker; yields its process and address."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tracetogether", "authority"]
    place = str(folder / "authority")
    subprocess.run([*command, "init", place], env=environment, check=True, capture_output=True)
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(
            [*command, "serve", place, "--port", "0"], env=environment, stderr=log, text=True
        ) as server,
    ):
        try:
            deadline = time.monotonic() + 60
            while "/desk" not in (said := (folder / "log").read_text()):
                assert server.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.05)
            url = urlsplit(said.split()[3])
            yield server, (str(url.hostname), int(url.port or 0))
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def most_memory_mib(process: int) -> float:
    """Return the most that a process has held in memory (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) / 1024


async def ask_meanwhile(
    address: tuple[str, int], over: Callable[[], bool]
) -> tuple[list[float], int]:
    """Ask for health over and over; return seconds to each answer, and how many failed."""
    times: list[float] = []
    failed = 0
    while not over():
        began = time.perf_counter()
        try:
            status, _ = await asyncio.to_thread(request, address, "GET", _HEALTH)
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            times.append(time.perf_counter() - began)
        else:
            failed += 1
        await asyncio.sleep(_ASK_EVERY_S)
    return times, failed


def rehearse(seconds: float, folder: Path, attackers: int = ATTACKERS) -> Outcome:
    """Let attackers at a server of their own for so long.

    Args:
        seconds: of the attack.
        folder: an empty one, for the authority.
        attackers: how many processes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1_024, hard), hard))  # as systemd's default
    spawning = multiprocessing.get_context("spawn")
    results = spawning.Queue()
    log = lists_bomb()
    try:
        with own_server(folder) as (server, address):
            processes = [
                spawning.Process(target=_attack, args=(address, seconds, log, results), daemon=True)
                for _ in range(attackers)
            ]
            for process in processes:
                process.start()
            until = time.monotonic() + seconds
            times, failed = asyncio.run(ask_meanwhile(address, lambda: time.monotonic() > until))
            counts: Counter[str] = Counter()
            for _ in processes:
                counts.update(results.get(timeout=120))
            for process in processes:
                process.join()
            memory = most_memory_mib(server.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Outcome(
        answered=len(times),
        failed=failed,
        median_ms=median(times or [float("inf")]) * 1_000,
        late_ms=quantiles(times, n=20)[-1] * 1_000 if len(times) > 1 else float("inf"),
        memory_mib=memory,
        attacks=dict(sorted(counts.items())),
        lines=len((folder / "log").read_text().splitlines()),
    )


def main() -> int:
    """Rehearse and print what came of it; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--attackers", type=int, default=ATTACKERS, choices=range(ATTACKERS + 1))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = rehearse(min(chosen.seconds, 120.0), Path(folder), chosen.attackers)
    if chosen.json:
        print(json.dumps(asdict(found)))
    else:
        print(
            f"{_HEALTH}: {found.answered} answers, {found.failed} failures, median "
            f"{found.median_ms:.1f} ms, 95 % within {found.late_ms:.1f} ms\n"
            f"memory: {found.memory_mib:.0f} MiB; {found.lines} lines logged"
        )
        for what, count in found.attacks.items():
            print(f"  {count:6,} {what}")
    for fault in found.faults():
        print(f"missed: {fault}", file=sys.stderr)
    return 1 if found.faults() else 0


if __name__ == "__main__":
    sys.exit(main())

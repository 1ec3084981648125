"""Run what a phone does with visits in a network of its own, and print what was on the line.

`python -m tests.captured_phone`, inside `unshare --net --map-root-user`, in an empty folder. It
prints one JSON object: packets and their contents by step. Steps with "phone" in their name are the
same act of two phones with different visits.
"""

import fcntl
import json
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import time as wall  # noqa: TID251 - the commands read this clock

from tests.presence.test_posters import BAR, NZ_PLACE, nz
from tests.test_cli_visit import publishing, told, warning_of_an_hour_ago

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_EVERYTHING = 0x0003


def switch_loopback_on() -> None:
    """Switch the network's only interface on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _GET_FLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))


def packets(line: socket.socket) -> list[bytes]:
    """Return the packets that came since the last call."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(line.recv(65_535))
    return found


def contents(seen: list[bytes], port: int) -> list[str]:
    """Return the contents of TCP packets to a port, each once: loopback shows a packet twice."""
    said = {}
    for ip in seen:
        tcp = ip[(ip[0] & 15) * 4 :]
        content = tcp[(tcp[12] >> 4) * 4 :] if ip[9] == socket.IPPROTO_TCP else b""
        if content and int.from_bytes(tcp[2:4]) == port:
            said[tcp[4:8], content] = content.decode("latin-1")
    return list(said.values())


def captured() -> dict[str, tuple[int, list[str]]]:
    """Return step -> number of packets, and what was sent to the server."""
    switch_loopback_on()
    found: dict[str, tuple[int, list[str]]] = {}
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING)) as line,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody,
        publishing() as site,
    ):
        line.setblocking(False)
        port = int(site.url.rpartition(":")[2])
        earlier = str(int(wall()) - 7_200)

        def step(name: str, act: Callable[[], object]) -> None:
            packets(line)
            act()
            seen = packets(line)
            found[name] = len(seen), contents(seen, port)

        def words(*call: str) -> Callable[[], object]:
            return lambda: told(*call)

        step("control", lambda: somebody.sendto(b"a datagram to nobody", ("127.0.0.1", 9)))
        step("visit in", words("visit", "in", BAR.text, "--dir", "one"))
        step("visit in, earlier", words(
            "visit", "in", nz(NZ_PLACE), "--at", earlier, "--minutes", "20", "--dir", "one"
        ))  # fmt: skip
        step("visit out", words("visit", "out", "--dir", "one"))
        step("visit list", words("visit", "list", "--dir", "one"))
        step("visit forget", words("visit", "forget", "--until", earlier, "--dir", "one"))
        step("visit read", words("visit", "read", BAR.text))
        step("venue poster", words("venue", "poster", "Hall", "--out", "hall.png"))
        step("trip add", words("trip", "add", "G1", "2026-01-25", "--car", "5", "--dir", "one"))
        step("trip list", words("trip", "list", "--dir", "one"))
        told("visit", "in", nz(NZ_PLACE), "--dir", "other")
        told("visit", "in", BAR.text, "--dir", "other")
        site.warn(warning_of_an_hour_ago())
        for phone in ("one", "other"):  # the first check notes who may warn
            told("visit", "check", "--server", site.url, "--dir", phone)
        for phone in ("one", "other"):
            step(
                f"check of phone {phone}",
                words("visit", "check", "--server", site.url, "--dir", phone),
            )
    return found


if __name__ == "__main__":
    print(json.dumps(captured()))

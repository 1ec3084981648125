"""A private D-Bus with a mock of BlueZ on it, each a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOCK = Path(__file__).parent / "bluez_air.py"
ADDRESSES = ["00:00:00:11:11:11", "00:00:00:22:22:22", "00:00:00:33:33:33"]
"""Of hci0, hci1 and hci2."""

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"""


@contextmanager
def mock_of_bluez(folder: Path) -> Iterator[str]:
    """Run a bus with three adapters that know no device yet; yield the bus's address.

    Their levels are those of their numbers' distance, or what ``set_levels`` says.
    """
    address = f"unix:path={folder / 'bus'}"
    (folder / "bus.xml").write_text(_CONFIGURATION.format(socket=folder / "bus"))
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={folder / 'bus.xml'}", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        mock = subprocess.Popen(
            [sys.executable, str(MOCK), str(folder / "levels.json"), *ADDRESSES],
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with mock:
            assert mock.stdout is not None
            assert mock.stdout.readline() == b"ready\n"
            yield address
            mock.terminate()
        daemon.terminate()


def set_levels(folder: Path, levels_dbm: dict[tuple[int, int], float | None]) -> None:
    """Let adapters hear each other at these levels from now on, by (sender, receiver)."""
    said = {f"{sender} {receiver}": level for (sender, receiver), level in levels_dbm.items()}
    new = folder / "levels.new"
    new.write_text(json.dumps(said))
    new.replace(folder / "levels.json")

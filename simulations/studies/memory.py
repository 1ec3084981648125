"""The largest memory of this process."""

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_STATUS: Final = Path("/proc/self/status")


def peak_mb() -> float:
    """Return the largest memory of this process so far, megabytes; 0 where it is not known."""
    try:
        # Linux: getrusage would also count the memory of the process that started this one.
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) / 2**10
    try:
        resource: Any = import_module("resource")  # not on Windows
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)

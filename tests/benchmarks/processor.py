"""What an act costs the processor."""

import time
from collections.abc import Callable


def cpu_s(act: Callable[[], object], times: int) -> float:
    """Return the least CPU time of the repetitions, in seconds."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        act()
        spent.append(time.process_time() - began)
    return min(spent)

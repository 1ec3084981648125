"""How the crowd's figures are printed, with their intervals."""

from simulations.scores.intervals import Measured


def shown(value: Measured | None, digits: int = 2, *, none: str = "-") -> str:
    """Return a figure as people read it: with its central 90 %, or that it has none."""
    if value is None:
        return none
    if value.low is None or value.high is None:
        return f"{value.median:.{digits}f} (no interval)"
    return f"{value.median:.{digits}f} ({value.low:.{digits}f} - {value.high:.{digits}f})"

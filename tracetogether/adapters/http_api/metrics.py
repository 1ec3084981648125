"""Metrics in Prometheus's text form."""

from collections.abc import Iterable
from typing import Final

_LINES: Final = """\
# HELP tracetogether_{name} {about}
# TYPE tracetogether_{name} {kind}
tracetogether_{name} {value}
"""


def metrics_text(metrics: Iterable[tuple[str, str, float]]) -> str:
    """Return metrics, each of name, description and value, as text without labels."""
    return "".join(
        _LINES.format(
            name=name,
            about=about,
            value=value,
            kind="counter" if name.endswith("_total") else "gauge",
        )
        for name, about, value in metrics
    )

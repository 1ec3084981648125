"""What a server's log says of an error: one line with its reason, and no value of anybody's."""

from pathlib import Path
from traceback import extract_tb
from typing import Final

from tracetogether.errors import TraceTogetherError
from tracetogether.plain_text import visible

_FRAMES: Final = 3


def reason_of(error: BaseException) -> str:
    """Return why something failed, in one line.

    Errors of this library say it themselves. Of others there is the kind, and the lines of code
    that it came from: their messages quote values.
    """
    if isinstance(error, TraceTogetherError):
        return visible(str(error))
    frames = extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"{Path(one.filename).name}:{one.lineno} ({one.name})" for one in reversed(frames)]
    return f"{type(error).__name__} at {', from '.join(places) or 'an unknown place'}"

"""The reason for an error in one line of a server's log, without anybody's data."""

from pathlib import Path
from traceback import extract_tb
from typing import Final

from tracetogether.errors import TraceTogetherError
from tracetogether.plain_text import visible

_FRAMES: Final = 3


def reason_of(error: BaseException) -> str:
    """Return why something failed, in one line.

    For an error of this library, that is its message. For any other error, it is the class and the
    last lines of code: messages of other libraries can quote values.
    """
    if isinstance(error, TraceTogetherError):
        return visible(str(error))
    frames = extract_tb(error.__traceback__)[-_FRAMES:]
    places = [
        f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})" for frame in reversed(frames)
    ]
    return f"{type(error).__name__} at {', from '.join(places) or 'an unknown place'}"

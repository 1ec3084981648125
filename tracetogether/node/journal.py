"""What a node reports: events as they happen, counts, and the troubles that last."""

from collections import Counter
from collections.abc import Callable

Tell = Callable[[str, str], None]
"""Takes the name of an event and a sentence about it."""


class Journal:
    """Counts and troubles of one node.

    Args:
        tell: takes each event.

    Attributes:
        counts: how often each thing happened.
        troubles: what is wrong now and what follows from it, by topic.
    """

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.counts: Counter[str] = Counter()
        self.troubles: dict[str, str] = {}

    def failed(self, topic: str, event: str, text: str) -> None:
        """Report a failure: every one is an event."""
        self.troubles[topic] = text
        self.tell(event, text)

    def worked(self, topic: str, event: str, text: str) -> None:
        """Report a success: every one is an event, and ends the trouble."""
        self.troubles.pop(topic, None)
        self.tell(event, text)

    def wrong(self, topic: str, event: str, text: str) -> None:
        """Keep what is wrong; only its beginning is an event."""
        begins = topic not in self.troubles
        self.troubles[topic] = text
        if begins:
            self.tell(event, text)

    def right(self, topic: str, event: str = "", text: str = "") -> None:
        """Forget what was wrong; its end is an event, if that has a name."""
        if self.troubles.pop(topic, None) is not None and event:
            self.tell(event, text)

"""Line breaks, so that every door counts the characters of a text in the same way."""


def one_newline(text: str) -> str:
    """Return a text whose line breaks are single newlines.

    Browsers count a line break as one character and send two.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")

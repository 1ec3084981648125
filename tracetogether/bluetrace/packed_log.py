"""A log as it is uploaded: gzip, filled up so that its length says little."""

import gzip

from tracetogether.parameters import UPLOAD_BUCKETS


def packed_log(body: bytes, at_least: int = 0) -> bytes:
    """Return a log as gzip, filled up to the next of ``UPLOAD_BUCKETS``.

    The filling is a comment in gzip's own header, which every program that unpacks it skips: the
    log and its digest stay what they are.
    """
    packed: bytes = gzip.compress(body, 6, mtime=0)
    sizes = [size for size in UPLOAD_BUCKETS if size >= max(len(packed) + 1, at_least)]
    if not sizes:
        return packed  # larger than what is accepted
    begin, rest = bytearray(packed[:10]), packed[10:]
    begin[3] |= 0x10  # RFC 1952, 2.3.1: FCOMMENT, up to a zero byte
    return bytes(begin) + b" " * (sizes[0] - len(packed) - 1) + b"\0" + rest

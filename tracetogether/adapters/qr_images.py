"""QR codes in pictures: reads PNG and JPEG by Pillow and zxing-cpp (the extra `qr`)."""

import io
import warnings
from typing import Final

from tracetogether.errors import MissingExtraError, UnreadableMessageError

MOST_BYTES: Final = 20 << 20
MOST_PIXELS: Final = 50_000_000  # cameras of phones; a PNG of a few bytes can claim far more
_ENOUGH: Final = (2_000, 2_000)  # pixels: JPEG is decoded at half or a quarter above this
_FORMATS: Final = ("PNG", "JPEG")
_STARTS: Final = (b"\x89PNG\r\n", b"\xff\xd8\xff")


def is_picture(data: bytes) -> bool:
    """Return whether ``data`` begins like a PNG or JPEG file."""
    return data.startswith(_STARTS)


def codes_in(picture: bytes) -> list[str]:
    """Return the texts of all QR codes in a PNG or JPEG file.

    Raises:
        UnreadableMessageError: it is no such picture ("picture-damaged"), or too large
            ("picture-too-large").
        MissingExtraError: the extra `qr` is not installed.
    """
    try:
        import zxingcpp  # noqa: PLC0415 - these two are optional, and take time to import
        from PIL import Image  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("Reading codes in pictures", "qr") from None
    if len(picture) > MOST_BYTES:
        raise UnreadableMessageError("a picture of more than 20 MiB", "picture-too-large")
    too_large = UnreadableMessageError(
        "a picture of more than 50 million pixels", "picture-too-large"
    )
    try:
        with warnings.catch_warnings():  # of Pillow, which has limits of its own
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(picture), formats=_FORMATS)
        small = image.width * image.height <= MOST_PIXELS
        image.draft("L", _ENOUGH)
        grey = image.convert("L") if small else None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large from None
    except Exception:  # noqa: BLE001 - Pillow's decoders raise errors of many kinds
        raise UnreadableMessageError("the picture is damaged", "picture-damaged") from None
    if grey is None:
        raise too_large
    found = zxingcpp.read_barcodes(
        grey, formats=zxingcpp.barcode_formats_from_str("QRCode"), text_mode=zxingcpp.TextMode.Plain
    )
    return [code.text for code in found]

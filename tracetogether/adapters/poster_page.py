"""A venue's poster as a page to print: the code, the place's name, and what a scan does."""

from html import escape
from string import Template
from typing import Final

from tracetogether.plain_text import visible

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>$name</title>
<style>
@page { size: A4; margin: 15mm }
body { font: 14pt/1.4 sans-serif; text-align: center; color: #000; background: #fff }
h1 { font-size: 30pt; margin: 0 0 2mm; overflow-wrap: anywhere }
svg { width: 120mm; height: 120mm }
p { margin: 3mm auto; max-width: 150mm }
</style>
</head>
<body>
<h1>$name</h1>
<p>$address</p>
$code
<p>Scan this code when you come, and again when you stay longer. Your phone notes your visit.
Nothing is sent.</p>
<p lang="zh-Hans">到店时请扫码，停留较久时请再扫一次。到访记录只保存在您的手机上，不会上传。</p>
</body>
</html>
""")


def poster_page(description: str, address: str, code: str) -> str:
    """Return the page in HTML; it loads nothing.

    Args:
        description: the place's name; text of a stranger.
        address: where it is; "" leaves the line empty.
        code: the QR code as an element ``svg``.
    """
    return _PAGE.substitute(
        name=escape(visible(description)), address=escape(visible(address)), code=code
    )

"""What all pages share: style, templates and the policy (CSP) that lets a browser run nothing else.

A page is one HTML file without network. It holds its style and its script, and its policy names
their hashes. Names and titles of scenarios are other people's text: the templates escape them.
"""

import base64
import hashlib
import re
from importlib import resources
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracetogether.plain_text import visible

_HERE: Final = "simulations.pages"
_STYLES: Final = ("charts.css", "page.css")
_SPACE: Final = re.compile(r"(?<=\d) (?=[%M](?!\w))")  # "32 %" and "5.6 M" stay on one line


def page_environment(package: str) -> Environment:
    """Return the templates of a package, with the macros of all pages."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader(_HERE, "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def style_and_script(package: str, style: str, script: str) -> dict[str, Markup | str]:
    """Return ``css``, ``js`` and their ``policy`` for a template.

    Args:
        package: holds the two files.
        style: file of the page's own style, after that of all pages; "" for none.
        script: file of the page's script.
    """
    css = "".join(source_text(name) for name in _STYLES)
    css += source_text(style, package) if style else ""
    js = source_text(script, package)
    return {
        "css": Markup(css),  # noqa: S704 - files of this package
        "js": Markup(js),  # noqa: S704 - the same
        "policy": (
            f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(js)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
    }


def light_colours() -> str:
    """Return the variables of the light style, for a picture on its own."""
    return source_text("page.css").partition("{")[2].partition("}")[0].strip()


def source_text(name: str, package: str = _HERE) -> str:
    """Return the text of a file of a package."""
    return (resources.files(package) / name).read_text("utf-8")


def _hash(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"sha256-{digest}"


def _shown(value: object) -> object:
    return (
        _SPACE.sub("\N{NO-BREAK SPACE}", visible(value, lines=True))
        if type(value) is str
        else value
    )

"""The operators' pages: rendered here, usable without scripts, in English and 中文."""

from tracetogether.adapters.operator_pages.app import create_pages, sign_in_for
from tracetogether.adapters.operator_pages.open_page import OPEN_BASE, create_open_pages
from tracetogether.adapters.operator_pages.rendering import BASE

__all__ = ["BASE", "OPEN_BASE", "create_open_pages", "create_pages", "sign_in_for"]

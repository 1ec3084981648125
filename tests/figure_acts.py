"""The methods of figures, screens and bulletins as every role may try them, with their actions."""

from collections.abc import Callable
from typing import Any

from tests.authority_world import NOON
from tracetogether.authority.access.permissions import Action, Caller

FIGURES: dict[str, tuple[Action, Callable[[Any, Caller], object]]] = {
    "bulletins.put": (
        Action.SET_BULLETIN,
        lambda service, by: service.bulletins.put("x", NOON + 60, NOON, by=by),
    ),
    "bulletins.end": (
        Action.SET_BULLETIN,
        lambda service, by: service.bulletins.end(NOON, by=by),
    ),
    "open_data.all": (Action.SHOW_OPEN_DATA, lambda service, by: service.open_data.all(by=by)),
    "open_data.preview": (
        Action.SHOW_OPEN_DATA,
        lambda service, by: service.open_data.preview(NOON, by=by),
    ),
    "open_data.publish": (
        Action.PUBLISH_OPEN_DATA,
        lambda service, by: service.open_data.publish(NOON, by=by),
    ),
    "open_data.stop": (
        Action.PUBLISH_OPEN_DATA,
        lambda service, by: service.open_data.stop(NOON, by=by),
    ),
    "screens.add": (
        Action.CHANGE_SCREENS,
        lambda service, by: service.screens.add("lobby", NOON, by=by),
    ),
    "screens.all": (Action.CHANGE_SCREENS, lambda service, by: service.screens.all(by=by)),
    "screens.end": (
        Action.CHANGE_SCREENS,
        lambda service, by: service.screens.end("lobby", NOON, by=by),
    ),
    "wall.figures": (Action.SHOW_WALL, lambda service, by: service.wall.figures(NOON, by=by)),
}
FIGURES_FOR_NOBODY = {
    *("bulletins.current", "screens.enter", "screens.who"),
    *("open_data.keep_up", "open_data.settings", "open_data.published", "open_data.edition"),
}
"""Methods that act for no caller."""

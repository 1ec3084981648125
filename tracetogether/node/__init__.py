"""A phone on a real radio: the port to Bluetooth, and what drives a ``Device`` on it."""

from tracetogether.node.backoff import PAUSES, Pauses
from tracetogether.node.driver import Node

__all__ = ["PAUSES", "Node", "Pauses"]

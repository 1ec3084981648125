"""The authority's keys: a forward-secret chain of day keys, and OpenTrace's static keys."""

from tracetogether.keyring.ring import DayKeys, Fit, KeyRing

__all__ = ["DayKeys", "Fit", "KeyRing"]

"""Bluetooth proximity contact tracing: TempIDs, calibrated nearness, contact logs, uploads.

The public names below do no I/O and read no clock. What touches the outside is in
``tracetogether.adapters``, one module for each outside thing. A name's module is imported when the
name is first used.
"""

from typing import TYPE_CHECKING

from tracetogether.lazy_names import lazy_names
from tracetogether.version import __version__ as __version__

if TYPE_CHECKING:
    from tracetogether.bluetrace.batch import TempID, TempIDBatch
    from tracetogether.bluetrace.handshake import BlueTraceExchange
    from tracetogether.bluetrace.tempid import (
        OpenedTempID,
        OpenedTempIDs,
        TempIDIssuer,
        new_user_id,
    )
    from tracetogether.bluetrace.upload import ContactLogFile, parse_upload, write_upload
    from tracetogether.contactlog import ContactLog, MemoryContactLog
    from tracetogether.device import Device
    from tracetogether.errors import TraceTogetherError
    from tracetogether.exchange import Advertisement, Exchange
    from tracetogether.keyring import KeyRing
    from tracetogether.labels import Labels
    from tracetogether.parameters import SINGAPORE_POLICY, CloseContactPolicy
    from tracetogether.proximity.by_time import Moments, encounters_by_time
    from tracetogether.proximity.calibration import Calibration
    from tracetogether.proximity.encounters import Encounter, Encounters, encounters
    from tracetogether.proximity.share_estimator import ShareEstimator
    from tracetogether.proximity.slots import Slots
    from tracetogether.rejection import Rejection
    from tracetogether.sightings import Sighting, Sightings
    from tracetogether.units import Interval
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "Advertisement": "exchange",
            "BlueTraceExchange": "bluetrace.handshake",
            "Calibration": "proximity.calibration",
            "CloseContactPolicy": "parameters",
            "ContactLog": "contactlog",
            "ContactLogFile": "bluetrace.upload",
            "Device": "device",
            "Encounter": "proximity.encounters",
            "Encounters": "proximity.encounters",
            "Exchange": "exchange",
            "Interval": "units",
            "KeyRing": "keyring",
            "Labels": "labels",
            "MemoryContactLog": "contactlog",
            "Moments": "proximity.by_time",
            "OpenedTempID": "bluetrace.tempid",
            "OpenedTempIDs": "bluetrace.tempid",
            "Rejection": "rejection",
            "SINGAPORE_POLICY": "parameters",
            "ShareEstimator": "proximity.share_estimator",
            "Sighting": "sightings",
            "Sightings": "sightings",
            "Slots": "proximity.slots",
            "TempID": "bluetrace.batch",
            "TempIDBatch": "bluetrace.batch",
            "TempIDIssuer": "bluetrace.tempid",
            "TraceTogetherError": "errors",
            "encounters": "proximity.encounters",
            "encounters_by_time": "proximity.by_time",
            "new_user_id": "bluetrace.tempid",
            "parse_upload": "bluetrace.upload",
            "write_upload": "bluetrace.upload",
        },
    )

__all__ = [
    "SINGAPORE_POLICY",
    "Advertisement",
    "BlueTraceExchange",
    "Calibration",
    "CloseContactPolicy",
    "ContactLog",
    "ContactLogFile",
    "Device",
    "Encounter",
    "Encounters",
    "Exchange",
    "Interval",
    "KeyRing",
    "Labels",
    "MemoryContactLog",
    "Moments",
    "OpenedTempID",
    "OpenedTempIDs",
    "Rejection",
    "ShareEstimator",
    "Sighting",
    "Sightings",
    "Slots",
    "TempID",
    "TempIDBatch",
    "TempIDIssuer",
    "TraceTogetherError",
    "encounters",
    "encounters_by_time",
    "new_user_id",
    "parse_upload",
    "write_upload",
]


def __dir__() -> list[str]:
    """Return the public names, without the modules that they are in."""
    return sorted([*__all__, "__version__"])

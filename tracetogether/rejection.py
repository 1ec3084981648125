"""Why a record or a message was not believed: a value, not an exception."""

from enum import Enum


class Rejection(Enum):
    """A reason; the first three are OpenTrace's own words."""

    NO_MSG = "no_msg"
    EXPIRED_ID = "expired_id"
    FAILED_DECRYPTION = "failed_decryption"
    KEY_DESTROYED = "key_destroyed"
    MALFORMED = "malformed"
    INVALID_RSSI = "invalid_rssi"
    IMPLAUSIBLE = "implausible"
    SELF_TEMPID = "self_tempid"
    WITHDRAWN = "withdrawn"
    QUARANTINED = "quarantined"
    TWO_PLACES = "two_places"
    FOREIGN = "foreign"  # a partner's: handed over to it
    FOREIGN_UNKNOWN = "foreign_unknown"  # of an authority that is no partner

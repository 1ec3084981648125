"""Known answers for batches of TempIDs and for the file that a phone uploads."""

import hashlib
from dataclasses import asdict
from typing import Any, Final

from tracetogether.bluetrace.upload import write_upload
from tracetogether.conformance.known_phones import (
    NOW,
    ORGANISATION,
    OTHER_MODEL,
    OTHER_USER,
    OWN_MODEL,
    OWN_USER,
    batch_of,
)
from tracetogether.parameters import UPLOAD_BUCKETS
from tracetogether.sightings import Sighting

DAMAGED: Final = {
    "no object": [],
    "no TempIDs": {"status": "SUCCESS", "refreshTime": NOW},
    "no time to fetch the next batch": {"status": "SUCCESS", "tempIDs": []},
    "a TempID without its text": {
        "tempIDs": [{"startTime": NOW, "expiryTime": NOW + 900}],
        "refreshTime": NOW,
    },
    "a time that is a word": {
        "tempIDs": [{"tempID": "A" * 84, "startTime": "soon", "expiryTime": NOW}],
        "refreshTime": NOW,
    },
}
"""Answers that are no batch: the phone keeps the one that it has."""


def batch_vectors() -> dict[str, Any]:
    """Return the content of batch.json."""
    batch = batch_of(OWN_USER)
    first, second, last = (batch.tempids[place] for place in (0, 1, -1))
    edges = (
        ("a second before the first window", first.start - 1),
        ("the first second", first.start),
        ("when it was fetched", NOW),
        ("the last second of the first window", first.expiry - 1),
        ("the end of the first window is the start of the second", second.start),
        ("half a second before that", second.start - 0.5),
        ("the last second of the batch", last.expiry - 1),
        ("its end: no TempID is valid, so the phone shows none", last.expiry),
        ("a second before the next batch is due", batch.refresh_at - 1),
        ("when the next batch is due", batch.refresh_at),
    )
    return {
        "about": "`answer` is what POST /v1/tempids returns. `at` says which of its TempIDs (by "
        "number, from 0) a phone shows at a time, null for none, and whether it fetches a new "
        "batch. `damaged` are answers that are no batch.",
        "answer": batch.to_json(),
        "at": [
            {
                "about": about,
                "now": now,
                "shows": _number_at(now),
                "fetches": batch.renewal_due(now),
            }
            for about, now in edges
        ],
        "damaged": [{"about": about, "answer": answer} for about, answer in DAMAGED.items()],
    }


def _number_at(now: float) -> int | None:
    """Return the number of the TempID that is shown; a window has its start, and not its end."""
    for number, tempid in enumerate(batch_of(OWN_USER)):
        if tempid.start <= now < tempid.expiry:
            return number
    return None


def sightings() -> list[Sighting]:
    """Return what a phone recorded in one exchange as a central and one as a peripheral."""
    token = batch_of(OTHER_USER, 1).tempids[0].text
    heard = Sighting(
        time=NOW + 100.7,
        peer=token,
        rssi_dbm=-61.0,
        tx_power_dbm=12.0,
        peer_model=OTHER_MODEL,
        observer_model=OWN_MODEL,
        organisation=ORGANISATION,
    )
    written_to = Sighting(
        time=NOW + 240.0,
        peer=token,
        rssi_dbm=-70.5,
        peer_model=OTHER_MODEL,
        observer_model=OWN_MODEL,
        organisation=ORGANISATION,
        as_central=False,
    )
    return [heard, written_to]


LIVE: Final[tuple[dict[str, Any], ...]] = (
    {"about": "the first second of a TempID", "at": ["start", 0], "becomes": "accepted"},
    {
        "about": "a second later, in milliseconds",
        "at": ["start", 1],
        "milliseconds": True,
        "becomes": "accepted",
    },
    {
        "about": "a level between two whole numbers, and no power",
        "at": ["start", 2],
        "changes": {"rssi": -60.5, "txPower": None},
        "becomes": "accepted",
    },
    {"about": "a second before the TempID", "at": ["start", -1], "becomes": "expired_id"},
    {"about": "a second after the TempID", "at": ["expiry", 1], "becomes": "expired_id"},
    {
        "about": "the uploader's own TempID",
        "at": ["start", 0],
        "msg": "own",
        "becomes": "self_tempid",
    },
    {"about": "no TempID", "at": ["start", 3], "changes": {"msg": ""}, "becomes": "no_msg"},
    {
        "about": "text that is no TempID",
        "at": ["start", 4],
        "changes": {"msg": "not_found"},
        "becomes": "failed_decryption",
    },
    {
        "about": "a made-up TempID",
        "at": ["start", 5],
        "changes": {"msg": "A" * 82 + "==", "org": ""},
        "becomes": "failed_decryption",
    },
    {
        "about": "a made-up TempID said to be another authority's",
        "at": ["start", 5],
        "changes": {"msg": "A" * 82 + "==", "org": "ELSEWHERE"},
        "becomes": "foreign_unknown",
        "or": "foreign",
    },
    {
        "about": "a level that stands for 'not known'",
        "at": ["start", 6],
        "changes": {"rssi": 127},
        "becomes": "invalid_rssi",
    },
    {"about": "no time", "changes": {"timestamp": "now"}, "becomes": "malformed"},
)
"""Records for a server that runs, made from the TempIDs that it issues."""


def upload_vectors() -> dict[str, Any]:
    """Return the content of upload.json."""
    body = write_upload(sightings())
    return {
        "about": "`sightings` are what a phone recorded; `body` is the file that it uploads and "
        "`sha256` the digest for POST /v1/upload-tokens, over these bytes before compression. "
        "Another spelling of the same JSON is as good, with its own digest. `sizes` are the "
        "lengths that gzip is filled up to. `live` makes a body for a server that runs.",
        "sightings": [asdict(row) for row in sightings()],
        "body": body.decode(),
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "sizes": list(UPLOAD_BUCKETS),
        "live": {
            "about": "Two phones register and fetch a batch each; the first uploads. Each record "
            "is `record` with `msg`: the first TempID of the other phone ('own': of the "
            "uploader). `at` is the edge of that TempID's window and the seconds to add. "
            "`changes` replace fields of the record; null removes one. `becomes` is what the "
            "server's receipt counts the record as, and `or` what it may say instead: a server "
            "may have one reason for partners' records and for all other authorities'.",
            "record": {
                "modelC": OWN_MODEL,
                "modelP": OTHER_MODEL,
                "org": ORGANISATION,
                "rssi": -60,
                "txPower": 12,
                "v": 2,
            },
            "records": list(LIVE),
        },
    }

"""Write radio.md from the code's own numbers: `python docs/reference/write_radio.py`."""

# ruff: noqa: E501 - the lines of the page are as long as in other pages

from pathlib import Path

from tracetogether.adapters.bumble_radio import HABITS
from tracetogether.bluetrace.handshake import CENTRAL, MAX_TOKEN, NO_TOKENS, PROFILE
from tracetogether.bluetrace.payload import MAX_PAYLOAD_BYTES, PROTOCOL_VERSION
from tracetogether.conformance.exchange_vectors import exchange_vectors
from tracetogether.conformance.payload_vectors import payload_vectors
from tracetogether.exchange import LinkEvent, Step
from tracetogether.node.advertising import MAX_ADVERTISEMENT_BYTES
from tracetogether.node.radio import LIMITS
from tracetogether.parameters import BLUETRACE, RETENTION, TIMINGS
from tracetogether.sighting_writer import MAX_SIGHTINGS_PER_MINUTE
from tracetogether.units import (
    RSSI_UNKNOWN_DBM,
    SECONDS_PER_DAY,
    TRANSMIT_HIGHEST_DBM,
    TRANSMIT_LOWEST_DBM,
)

STEPS = {
    Step.READ: "read the value",
    Step.WRITE: "write the own value",
    Step.HANG_UP: "disconnect",
    Step.WAIT: "go on waiting",
    Step.FINISH: "nothing: it is over",
}
EVENTS = {
    LinkEvent.CONNECTED: "the connection stands",
    LinkEvent.VALUE_READ: "the value was read",
    LinkEvent.READ_FAILED: "reading failed",
    LinkEvent.WRITE_DONE: "the peer confirmed the write",
    LinkEvent.WRITE_FAILED: "the peer refused the write",
    LinkEvent.TIMED_OUT: "the time is over",
    LinkEvent.DISCONNECTED: "the connection ended",
}


def page() -> str:
    """Return the page."""
    parts = (_head, _places, _packets, _values, _order, _times, _kept)
    return "\n".join(part() for part in parts)


def _head() -> str:
    return """# The radio side of a phone

Written by `python docs/reference/write_radio.py` from the code's own numbers; the test suite compares the two. An app that does what this
page says exchanges TempIDs with this library's phones, and with OpenTrace's where their UUIDs are the same. [The protocol](../explanation/protocol.md)
says why. [Known answers](../../tracetogether/conformance/vectors/README.md) are for the app's own tests.

A phone is a *peripheral* and a *central* at once: it advertises and serves its own value, and it scans, connects, reads and writes.
"""


def _places() -> str:
    return f"""## Service and value

| what | value |
|---|---|
| service, one, primary | `{PROFILE.service}` |
| characteristic, one | `{PROFILE.characteristic}` |
| its properties | read, write, write without response |
| its permissions | readable and writeable without pairing or encryption |
| company identifier of the manufacturer data | {PROFILE.company_id} (`0x{PROFILE.company_id:04X}`) |

These are the UUIDs of OpenTrace's sample for Android. Other builds have other ones, and phones meet only within one build:
`tracetogether node init --service … --characteristic …`. If a peer's service lacks the characteristic, use the one whose UUID is that of
the service: version 1 had it so. A request to pair is refused: a paired phone shows an identity that outlasts its TempIDs.
"""


def _packets() -> str:
    shown = exchange_vectors()["advertise"][0]
    packet = bytes.fromhex(shown["packet_hex"])
    rows, at = [], 0
    names = {
        0x01: "flags: general discovery, no BR/EDR",
        0x07: "complete list of 128-bit services, least significant byte first",
        0x0A: f"transmit power, signed, here {shown['tx_power_dbm']} dBm; left out if unknown",
        0xFF: "manufacturer data: company identifier, least significant byte first, then three "
        f"characters, here `{shown['manufacturer_data']}`",
    }
    while at < len(packet):
        size = packet[at] + 1
        rows.append(
            f"| {at} | {size} | `{packet[at : at + size].hex(' ')}` | {names[packet[at + 1]]} |"
        )
        at += size
    table = "\n".join(rows)
    return f"""## Advertisement

Legacy advertising, connectable, no name, {len(packet)} of {MAX_ADVERTISEMENT_BYTES} bytes:

| from | bytes | here | meaning |
|---|---|---|---|
{table}

The three characters are hexadecimal digits, drawn at random each time that advertising begins. An iPhone sees one Android phone under
several identifiers and tells it by them. If they do not fit, they are cut from the end; without any left, the field is left out. OpenTrace's
iPhones send the name `TR` and no manufacturer data. The address is random, and it changes together with the TempID: an address that stayed
would join two TempIDs.

A packet belongs to a phone if the service is in a list of 128-bit services, complete or not (types `0x07` and `0x06`). All else may be
missing, in another order or of any content. A field that is cut short ends the packet, and what stood before it counts. A power outside
{TRANSMIT_LOWEST_DBM:g} to {TRANSMIT_HIGHEST_DBM:g} dBm is unknown. A level counts if it lies above {RSSI_UNKNOWN_DBM:g} and below 0 dBm.
"""


def _values() -> str:
    send = payload_vectors()["send"]
    read, written = send["value_to_be_read"], send["value_to_write"]
    reads = exchange_vectors()["reads"]
    rows = "\n".join(
        f"| {row['mtu']} | {', '.join(f'{size} from {offset}' for offset, size in row['parts'])} |"
        for row in reads["requests"]
    )
    none = ", ".join(f"`{text}`" for text in sorted(NO_TOKENS) if text)
    return f"""## Values

UTF-8 JSON without framing. The peripheral serves, here in {read["bytes"]} bytes:

```json
{read["text"]}
```

The central writes, here in {written["bytes"]} bytes; `rs` is the level at which it heard the peripheral's advertisement, rounded:

```json
{written["text"]}
```

`id` is the TempID, `mp` and `mc` are the phone models, `o` is the organisation code of the authority, `v` is {PROTOCOL_VERSION}. A value has at most
{MAX_PAYLOAD_BYTES} bytes. A reader accepts keys in any order, unknown keys, floats, escapes, a missing model, and the keys of version 1 (`msg`, `modelP`, `modelC`, `org`,
`rssi`, `txPower`), and sends none of these. It rejects and counts what is no JSON object, has a TempID of more than {MAX_TOKEN} characters, or is
its own TempID. A phone without a TempID advertises nothing; others send {none} or an empty text, which are no TempIDs.

**Packets.** The central asks for an MTU of {HABITS.mtu}; without an agreement it is 23. A part of a value has at most MTU - 1 bytes. A part of full
length is followed by another request, even if it was the last. The {read["bytes"]} bytes above are read so:

| MTU | parts |
|---|---|
{rows}

The peripheral answers a request at an offset with `value[offset:]`, and serves the same value for a whole connection, even if its TempID
changes meanwhile. Some iPhones answer each later request with the first part again: their value is that first part. A value longer than
MTU - 3 bytes is written in prepared parts (Prepare Write, Execute Write), and read once it is whole.
"""


def _order() -> str:
    rows = "\n".join(
        f"| {state.name.lower()} | {EVENTS[event]} | {STEPS[step]} | {following.name.lower()} |"
        for (state, event), (following, step) in CENTRAL.items()
    )
    return f"""## An exchange

The central decides; the peripheral only answers. After one exchange both have a record. The level in the central's record is that of the
advertisement, and the level in the peripheral's record is the one that was written to it.

| state | event | the central's next step | next state |
|---|---|---|---|
{rows}
"""


def _times() -> str:
    low = TIMINGS.scan_s + TIMINGS.scan_pause_min_s
    high = TIMINGS.scan_s + TIMINGS.scan_pause_max_s
    return f"""## Times and limits

| what | value |
|---|---|
| a scan | {TIMINGS.scan_s:g} s, begun every {low:g} to {high:g} s at random |
| advertising | {TIMINGS.advertise_s:g} s on, {TIMINGS.advertise_gap_s:g} s off; this library's interval is {1000 * HABITS.advertise_every_s:g} ms |
| silence at a change of TempID | up to {TIMINGS.change_s:g} s before the end and up to {TIMINGS.change_s:g} s after the beginning, at random |
| an attempt to connect, with all its steps | {TIMINGS.connection_timeout_s:g} s |
| a peer that was heard waits for its turn | {TIMINGS.queue_max_s:g} s at most, the newest first; one connection at a time |
| the same peer is left alone | {TIMINGS.blacklist_s:g} s after an exchange, on either side |
| connections of others | {LIMITS.incoming} at a time, {LIMITS.incoming_s:g} s each, {LIMITS.writes} writes each |
| records | {MAX_SIGHTINGS_PER_MINUTE} a minute; more are rejected as implausible |
| a TempID is shown | from its `startTime` on and before its `expiryTime`, {BLUETRACE.validity_s} s at most; never outside |
| a new batch is due | at `refreshTime`, looked at every {TIMINGS.refresh_check_s:g} s |
"""


def _kept() -> str:
    return f"""## What a phone keeps

One record for each value that it accepts. The upload has them in [OpenTrace's JSON](openapi.json) (`LogRecord`).

| field | as the central | as the peripheral |
|---|---|---|
| `timestamp` | the time of the exchange, whole epoch seconds | the same |
| `msg`, `org`, `v` | as they were read | as they were written |
| `modelC` | the own model | `mc` |
| `modelP` | `mp` | the own model |
| `rssi` | the level of the advertisement | `rs` |
| `txPower` | the advertised power; left out if unknown | left out |

No address is kept. Records are deleted after {RETENTION.log_s // SECONDS_PER_DAY} days, once in {TIMINGS.purge_every_s / 3600:g} hours, by a clock that is known to be right. The credential of the
registration, the batch and the log are private files.
"""


if __name__ == "__main__":
    Path(__file__).with_name("radio.md").write_text(page(), "utf-8")

"""Reports against what was heard. Every reading of a disclosed number counts, at any time."""

from collections.abc import Sequence

import numpy as np

from tracetogether.diagnosis import HeardTokens
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import NUMBER_BYTES
from tracetogether.tcn.report import NumberReport


def near(log: Sightings, reports: Sequence[NumberReport]) -> Sightings:
    """Return the readings of disclosed numbers; the peer is the report's verification key.

    Args:
        log: one phone's log, or a crowd's.
        reports: what ``report.read_report`` returned; each is ratcheted once.
    """
    heard = HeardTokens.of(log, NUMBER_BYTES, NUMBER_BYTES)
    known = heard.index()
    rows, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for place, report in enumerate(reports):
        _, row = heard.rows_of(known.find(report.numbers()))
        rows.append(row)
        owners.append(np.full(len(row), place))
    row, first = np.unique(np.concatenate(rows), return_index=True)
    names = [report.rvk.hex() for report in reports]
    code = {name: place for place, name in enumerate(dict.fromkeys(names))}
    table = np.array([code[name] for name in names] or [0], dtype=np.int32)
    peer = Labels(table[np.concatenate(owners)[first]], tuple(code))
    return log.take(row).replaced(peer=peer, notes=())

"""A log that is too large for one upload: the oldest records are thinned, all TempIDs stay."""

import numpy as np
import pytest

from tracetogether.bluetrace.upload import parse_upload
from tracetogether.cli.upload_choice import fitting_body
from tracetogether.contactlog import thinned
from tracetogether.parameters import MAX_UPLOAD_BYTES, MAX_UPLOAD_RECORDS
from tracetogether.sightings import Sighting

NOW = 1_600_000_000.0
LIFE_S = 900
TOKENS, EVERY_S = 40, 60


def rows_of(tokens: int = TOKENS, every_s: int = EVERY_S) -> list[Sighting]:
    """Return a quarter of an hour of each token, one after the other, in both directions."""
    rows = [
        Sighting(NOW + number * LIFE_S + second, f"{number:084d}", -60.0, 1.0, as_central=central)
        for number in range(tokens)
        for second in range(0, LIFE_S, every_s)
        for central in (True, False)
    ]
    return sorted(rows, key=lambda row: row.time)


def test_a_log_that_fits_stays_whole() -> None:
    rows = rows_of()
    assert thinned(rows, len(rows)) == rows


@pytest.mark.parametrize("share", [0.95, 0.6, 0.3, 0.1])
def test_the_oldest_go_first_and_no_token_is_lost(share: float) -> None:
    rows = rows_of()
    most = int(share * len(rows))
    kept = thinned(rows, most)
    assert len(kept) == most
    assert {(row.peer, row.as_central) for row in kept} == {
        (row.peer, row.as_central) for row in rows
    }
    counts = np.array([sum(row.peer == f"{n:084d}" for row in kept) for n in range(TOKENS)])
    assert (np.diff(counts) >= -1).all()  # newer tokens have as many records or more
    assert counts[-1] > counts[0] or share == 0.1


def test_where_tokens_alone_are_too_many_one_record_of_each_direction_stays() -> None:
    assert len(thinned(rows_of(), 5)) == 2 * TOKENS


def test_a_log_is_thinned_until_the_authority_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of()
    whole = fitting_body(rows)
    most = len(whole) // 3
    monkeypatch.setattr("tracetogether.cli.upload_choice.MAX_UPLOAD_BYTES", most)
    body = fitting_body(rows)
    assert 0.9 * most < len(body) <= most
    assert len(set(parse_upload(body).records.token)) == TOKENS
    monkeypatch.setattr("tracetogether.cli.upload_choice.MAX_UPLOAD_RECORDS", 100)
    assert len(parse_upload(fitting_body(rows)).records) == 100


@pytest.mark.slow
def test_two_hundred_thousand_records_fit_one_upload() -> None:
    """A record a minute of 7,000 TempIDs in both directions, twice what may be sent."""
    rows = rows_of(tokens=7_000)
    assert len(rows) > 2 * MAX_UPLOAD_RECORDS
    body = fitting_body(rows)
    assert 0.95 * MAX_UPLOAD_BYTES < len(body) <= MAX_UPLOAD_BYTES
    assert len(set(parse_upload(body).records.token)) == 7_000

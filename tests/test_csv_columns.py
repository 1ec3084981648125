"""Tables are read as the csv module and float() read them, only faster."""

import csv
import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tracetogether.errors import InvalidReadingsError
from tracetogether.tables.byte_fields import MISSING_WORDS
from tracetogether.tables.csv_columns import BAD_LINES_KEPT, CsvColumns, read_csv


def read(path: Path, **options: object) -> CsvColumns:
    defaults = {
        "numbers": {"time": "t", "power": "p"},
        "labels": {"peer": "tx", "model": "m"},
        "required": {"time", "peer"},
        "may_be_empty": {"power"},
    }
    return read_csv(path, **{**defaults, **options})


@pytest.fixture
def table(tmp_path):
    def write(text: str | bytes, name: str = "readings.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_columns_may_have_any_order_and_others_between(table):
    columns = read(table("m,x,tx,t,p\nA1,9,anna,1.5,-20\n,,ben,2,\n"))
    assert columns.numbers["time"].tolist() == [1.5, 2.0]
    assert columns.numbers["power"][0] == -20
    assert math.isnan(columns.numbers["power"][1])
    assert columns.labels["peer"].to_list() == ["anna", "ben"]
    assert columns.labels["model"].to_list() == ["A1", None]
    assert (columns.rows, columns.bad_count, columns.bad_lines) == (2, 0, ())


def test_an_optional_column_may_be_missing(table):
    columns = read(table("t,tx\n1,anna\n"))
    assert set(columns.numbers) == {"time"}
    assert set(columns.labels) == {"peer"}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("block_bytes", [1, 3, 8_000_000])
def test_line_ends_byte_order_mark_and_last_newline(table, end, last, mark, block_bytes):
    lines = [b"t,tx", b"1,anna", b"", b"x,ben", b"3,cara"]
    path = table(mark + end.join(lines) + (end if last else b""))
    columns = read(path, block_bytes=block_bytes)
    assert columns.labels["peer"].to_list() == ["anna", "cara"]
    assert [bad.line for bad in columns.bad_lines] == [4]


def test_gzip_is_recognised_by_its_content(table):
    packed = gzip.compress(b"t,tx\n1,anna\n2,ben\n")
    assert read(table(packed, "r.csv.gz")).rows == 2
    assert read(table(packed, "r.csv")).rows == 2


def test_two_fields_may_share_a_column(table):
    columns = read(table("t,tx\n1,2\n"), numbers={"time": "t", "power": "t"})
    assert columns.numbers["power"].tolist() == [1.0]


def test_malformed_lines_are_named_and_counted(table):
    path = table("t,p,tx\n1,-3,anna\n2,x,ben\n3,-3\n4,-3,ben,9\n,-3,ben\n6,-3,\n7,-3,ben\n")
    columns = read(path)
    assert columns.numbers["time"].tolist() == [1.0, 7.0]
    assert columns.bad_count == 5
    assert [(bad.line, bad.reason) for bad in columns.bad_lines] == [
        (3, "power (column 'p') is not a number: 'x'"),
        (4, "2 fields where the header has 3"),
        (5, "4 fields where the header has 3"),
        (6, "time (column 't') is empty"),
        (7, "peer (column 'tx') is empty"),
    ]


def test_only_the_first_malformed_lines_are_kept_but_all_are_counted(table):
    lines = [f"{n},anna" if n % 2 else f"x{n},anna" for n in range(2, 202)]
    columns = read(table("t,tx\n" + "\n".join(lines)), block_bytes=64)
    assert columns.bad_count == 100
    assert [bad.line for bad in columns.bad_lines] == list(range(2, 2 + 2 * BAD_LINES_KEPT, 2))


def test_strict_stops_at_the_first_malformed_line(table):
    path = table("t,tx\n1,anna\n2,ben\n3\nx,ben\n")
    with pytest.raises(InvalidReadingsError, match="line 4: 1 fields"):
        read(path, strict=True)


def test_a_quoted_field_may_hold_commas_quotes_and_newlines(table):
    path = table('t,tx\n1,"a,""b"""\n2,"two\nlines"\nx,z\n4,d\n')
    for block_bytes in (1, 5, 1000):
        columns = read(path, block_bytes=block_bytes)
        assert columns.labels["peer"].to_list() == ['a,"b"', "two\nlines", "d"]
        assert [bad.line for bad in columns.bad_lines] == [5]


def test_an_unclosed_quote_loses_only_its_own_line(table):
    columns = read(table('t,tx\n1,anna\n2,"ben\n3,cara\n4,dora\n'), block_bytes=4)
    assert columns.labels["peer"].to_list() == ["anna", "cara", "dora"]
    assert [bad.line for bad in columns.bad_lines] == [3]
    assert "quotes" in columns.bad_lines[0].reason


def test_names_with_nul_or_without_utf8_are_malformed(table):
    columns = read(table(b"t,tx\n1,anna\n2,\xff\xfe\n3,be\0n\n4,\xe4\xb8\xad\n"), block_bytes=12)
    assert columns.labels["peer"].to_list() == ["anna", "中"]
    assert [bad.line for bad in columns.bad_lines] == [3, 4]
    quoted = read(table(b't,tx\n1,"anna"\n2,\xff\xfe\n4,\xe4\xb8\xad\n'))
    assert quoted.labels["peer"].to_list() == ["anna", "中"]
    assert [bad.line for bad in quoted.bad_lines] == [3]


def test_names_of_84_characters_and_of_thousands(table):
    tokens = [f"{n:03d}" * 28 for n in range(50)] + ["x" * 5000]
    path = table("t,tx\n" + "".join(f"1,{token}\n" for token in tokens * 2))
    assert read(path).labels["peer"].to_list() == tokens * 2


def test_progress_ends_at_the_size_of_the_file(table):
    path = table("t,tx\n" + "1,anna\n" * 100)
    seen: list[tuple[int, int]] = []
    read(path, block_bytes=100, on_progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"", "is empty"),
        ("r.csv", b"\n\n", "is empty"),
        ("r.csv.gz", b"", "is empty"),
        ("r.csv", b"t,tx\n", "no line under it"),
        ("r.csv", b"t,tx\nx,anna\n", "no readable line; malformed lines: 1, .* line 2: time"),
        ("r.csv.gz", b"t,tx\n1,anna\n", "not gzip"),
        ("r.csv.gz", gzip.compress(b"t,tx\n" + b"1,anna\n" * 999, mtime=0)[:40], "cut short"),
        ("r.csv.gz", gzip.compress(b"t,tx\n1,a\n", mtime=0)[:-8] + b"damaged!", "damaged"),
        ("r.csv", "t,tx\n1,anna\n".encode("utf-16") + b"\x00\xdc1\0", "damaged UTF-16"),
        ("r.csv", bytes(range(256)) * 4, "not a table"),
        ("r.csv", b"\x89PNG\x0d\x0a\x1a\x0a\0\0\0\x0dIHDR", "not a table"),
        ("r.csv", b"t,tx\n" + b"7" * 3_000_000, "line of over"),
        ("r.csv", b"t tx\n1 anna\n", "separate its fields by commas, semicolons or tabs"),
        ("r.csv", b"1600000000,anna,-60\n", "no header: its first line holds values"),
        ("r.csv", b"PK\x03\x04rest", "workbook"),
        ("r.csv", b"t,who\n1,anna\n", "no column 'tx' .* has: t, who; .*--columns peer="),
        ("r.csv", b"t,tx,t\n1,anna,2\n", "more than one column 't'"),
    ],
)
def test_the_error_says_what_is_wrong_with_the_table(table, name, content, message):
    path = table(content, name)
    with pytest.raises(InvalidReadingsError, match=message) as failure:
        read(path, block_bytes=1_000_000)
    assert str(path) in str(failure.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(InvalidReadingsError, match="there is no file"):
        read(tmp_path / "missing.csv")
    with pytest.raises(InvalidReadingsError, match="is a directory"):
        read(tmp_path)


# --- against the csv module and float() --------------------------------------------

numbers = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-2_000_000_000, 2_000_000_000, places=6).map(str),
    st.from_regex(r"[+-]?[0-9]{0,19}\.?[0-9]{0,24}", fullmatch=True),
    st.sampled_from(["", " ", "nan", "inf", "1e5", " 7 ", "-", ".", "+.", "--1", "1-", "1_0", "٣"]),
)
names = st.one_of(
    st.sampled_from(["anna", "ben", "", " cara ", 'a"b', "a,b", "two\nlines"]),
    st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=12),
)
rows = st.lists(
    st.one_of(
        st.tuples(numbers, names, numbers).map(list),
        st.lists(names, max_size=5),
    ),
    min_size=1,
    max_size=12,
)


def expected(text: str) -> tuple[list[float], list[str | None], list[float], int]:
    """Read the table slowly and naively."""
    times, peers, powers, bad = [], [], [], 0
    for row in list(csv.reader(io.StringIO(text)))[1:]:
        if not row:
            continue
        plain = len(row) == 3 and (row[0] + row[2]).isascii() and "_" not in row[0] + row[2]
        if not plain or {row[0].strip(), row[1].strip()} & MISSING_WORDS:
            bad += 1
            continue
        time, peer, power = row
        try:
            values = float(time), math.nan if power.strip() in MISSING_WORDS else float(power)
        except ValueError:
            bad += 1
            continue
        times.append(values[0])
        peers.append(peer.strip())
        powers.append(values[1])
    return times, peers, powers, bad


@pytest.mark.slow
@given(
    table=rows, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), size=st.integers(1, 90)
)
@example(table=[["9007199254740993", "a", "0.1"]], quoting=csv.QUOTE_MINIMAL, size=90)
@example(table=[["-0", "a", "00000000000000000000.5"]], quoting=csv.QUOTE_MINIMAL, size=90)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_agrees_with_the_csv_module(tmp_path, table, quoting, size):
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=quoting)
    writer.writerow(["t", "tx", "p"])
    writer.writerows(table)
    text = buffer.getvalue()
    path = tmp_path / "random.csv"
    path.write_bytes(text.encode())
    times, peers, powers, bad = expected(text)
    try:
        columns = read(path, block_bytes=size)
    except InvalidReadingsError:
        assert not times
        return
    assert columns.bad_count == bad
    assert columns.labels["peer"].to_list() == peers
    # Bit for bit: the sign of zero too.
    assert columns.numbers["time"].tobytes() == np.array(times).tobytes()
    assert np.array_equal(columns.numbers["power"], np.array(powers), equal_nan=True)


@given(values=st.lists(st.floats(-1e15, 1e15), min_size=1), places=st.integers(0, 12))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_decimals_are_rounded_as_float_does(tmp_path, values, places):
    texts = [f"{value:.{places}f}" for value in values]
    path = tmp_path / "decimals.csv"
    path.write_text("t,tx\n" + "".join(f"{text},a\n" for text in texts))
    times = read(path).numbers["time"]
    assert times.tobytes() == np.array([float(text) for text in texts]).tobytes()

"""`tracetogether estimate` in a pipeline: a file of encounters out, the standard input in."""

import io
import json
import re

import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner, Result

from tracetogether.cli.estimate import estimate
from tracetogether.errors import InvalidReadingsError, StoreError

TOKEN = "Q" * 84
PEERS = ("participant-0017", "participant-0018", TOKEN, "=1+1")
TABLE = "t,rx,tx,rssi\n" + "".join(
    f"{1_600_000_000 + 30 * n},participant-0001,{peer},{-55 - n % 7 - 5 * place}\n"
    for n in range(60)
    for place, peer in enumerate(PEERS)
)
COLUMNS = [
    *("observer", "peer", "start", "end", "minutes_near", "minutes_low", "minutes_high"),
    *("nearest_m", "nearest_low_m", "nearest_high_m", "readings", "chance"),
]


def run(*arguments: str, given: str | bytes | None = None, width: str = "80") -> Result:
    return CliRunner().invoke(estimate, list(arguments), input=given, env={"COLUMNS": width})


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text(TABLE)
    return str(path)


def read(path):
    match path.suffix:
        case ".csv":
            return pd.read_csv(path, parse_dates=["start", "end"])
        case ".ndjson":
            frame = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
            return frame.assign(**{name: pd.to_datetime(frame[name]) for name in ("start", "end")})
        case _:
            return pl.read_parquet(path).to_pandas()


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_encounters_go_to_a_file(table, tmp_path, ending):
    path = tmp_path / f"encounters.{ending}"
    done = run(table, "-o", str(path))
    assert done.exit_code == 0
    assert f"Written to {path}: 4 rows." in done.stderr
    assert "─" not in done.stdout  # the tables are in the file
    assert "4 encounters, as 1 phone heard them, from 240 readings" in done.stdout
    frame, listed = read(path), json.loads(run(table, "--json").stdout)
    assert frame.columns.tolist() == COLUMNS
    names = ["'=1+1" if name == "=1+1" and ending == "csv" else name for name in frame["peer"]]
    assert names == ["'=1+1" if ending == "csv" and row["peer"] == "=1+1" else row["peer"]
                     for row in listed]  # fmt: skip
    for name in ("minutes_near", "minutes_low", "chance", "nearest_m", "readings"):
        assert frame[name].tolist() == pytest.approx([row[name] for row in listed]), name
    assert [moment.timestamp() for moment in frame["end"]] == [row["end_s"] for row in listed]


def test_half_minutes_go_to_a_file(table, tmp_path):
    path = tmp_path / "near.csv"
    done = run(table, "--by-time", "--estimator", "bucket-cwa", "-o", str(path))
    assert (done.exit_code, done.stdout) == (0, "")
    frame = pd.read_csv(path)
    assert len(frame) == 240
    assert frame["distance_m"].isna().all()
    assert len(run(table, "--by-time").stdout.splitlines()) == 241
    assert len(json.loads(run(table, "--by-time", "--json", "-o", str(path)).stdout)) == 240


def test_a_wrong_ending_is_wrong_use_and_a_wrong_folder_an_error(table, tmp_path):
    done = run(table, "-o", str(tmp_path / "encounters.xls"))
    assert done.exit_code == 2
    assert "must end in one of .csv, .ndjson, .parquet" in done.stderr
    done = run(table, "-o", str(tmp_path / "none" / "encounters.csv"))
    assert isinstance(done.exception, StoreError)


def test_readings_come_from_the_standard_input(table):
    assert run("-", "--json", given=TABLE).stdout == run(table, "--json").stdout
    done = run("-", "--json", given=TABLE.replace("1600000030", "?").encode("utf-16"))
    assert sum(row["readings"] for row in json.loads(done.stdout)) == 236


def test_errors_and_notes_name_the_standard_input():
    done = run("-", given="t,tx,rssi\n0,ann,-60\n30,ann,-61\n30,ann,127\n")
    assert done.exit_code == 0
    assert "standard input: dropped 1 readings" in done.stderr
    assert "tracetogether-" not in done.stderr
    done = run("-", given="a,b\n")
    assert isinstance(done.exception, InvalidReadingsError)
    assert str(done.exception).startswith("standard input has no column 'rssi'")


def test_a_terminal_is_no_table(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(SystemExit) as ended:
        estimate.main(["-"])
    assert ended.value.code == 2


@pytest.mark.parametrize("width", [80, 100, 140])
def test_tables_fit_the_terminal(table, width):
    done = run(table, width=str(width))
    lines = done.stdout.splitlines()[:-1]  # the last one is a sentence
    shown = "\n".join(lines)
    assert max(map(len, lines)) <= width
    heads = r"observer +peer +from.+likely +minutes near +nearest, m"
    assert re.search(heads + (" +readings" if width >= 100 else " *$"), shown, re.MULTILINE)
    assert shown.count("Q") == 31  # a token is cut
    assert "in brackets: from 5 % to 95 %." in " ".join(shown.split())


def test_a_table_is_never_written_over_itself(table, tmp_path):
    over = tmp_path / "." / "readings.csv"
    done = run(table, "-o", str(over))
    assert done.exit_code == 2
    assert "choose another file to write" in done.stderr
    assert over.read_text() == TABLE
    twice = run(table, "-o", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.csv"))
    assert "--plot" in twice.stderr
    assert not (tmp_path / "a.csv").exists()

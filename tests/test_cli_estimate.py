"""`tracetogether estimate`: results on stdout, warnings on stderr, clear messages for wrong use."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tracetogether.cli.estimate import estimate
from tracetogether.errors import CalibrationError, InvalidReadingsError

KEYS = [
    "observer",
    "peer",
    "start_s",
    "end_s",
    "chance",
    "minutes_near",
    "minutes_low",
    "minutes_high",
    "nearest_m",
    "readings",
]
HEADER = "t,rx,tx,rx_model,tx_model,rssi,tx_power\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(estimate, [str(argument) for argument in arguments])


def lines(seed: int = 0, count: int = 400) -> list[str]:
    chance = np.random.default_rng(seed)
    return [
        f"{1.6e9 + 5 * n + chance.random():.3f},anna,{chance.choice(['ben', 'cara'])},M,N,"
        f"{chance.integers(-90, -60)},-21\n"
        for n in range(count)
    ]


@pytest.fixture
def readings(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text(HEADER + "".join(lines()))
    return path


def rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_is_one_list_of_encounters(readings):
    found = rows(run(readings, "--json"))
    assert [list(row) for row in found] == [KEYS] * 2
    assert sum(row["readings"] for row in found) == 400
    for row in found:
        assert row["observer"] == "anna"
        assert row["minutes_low"] <= row["minutes_near"] <= row["minutes_high"]
        assert row["minutes_low"] < row["minutes_high"]
        assert row["start_s"] < row["end_s"]
        assert 0 < row["nearest_m"] < 50


def test_the_likeliest_comes_first_and_the_minutes_can_be_chosen(readings):
    some, more = (
        {row["peer"]: row["chance"] for row in rows(run(readings, "--minutes", least, "--json"))}
        for least in ("5", "10")
    )
    assert all(0 < more[peer] < some[peer] < 1 for peer in ("ben", "cara"))
    table = run(readings, "--minutes", "5").stdout
    assert "how likely they were near for so long or longer" in table
    first, second = sorted(some, key=lambda peer: -some[peer])
    assert table.index(first) < table.index(second)
    assert f"{100 * some[first]:.0f} %" in table
    assert run(readings, "--minutes", "0").exit_code == 2


def test_gzip_and_shuffled_rows_give_the_same(readings, tmp_path):
    packed = tmp_path / "packed.csv.gz"
    shuffled = np.random.default_rng(1).permutation(np.array(lines(), dtype=object))
    packed.write_bytes(gzip.compress((HEADER + "".join(shuffled)).encode()))
    assert rows(run(packed, "--json")) == rows(run(readings, "--json"))


def test_half_the_rows_give_half_the_readings(tmp_path):
    half = tmp_path / "half.csv"
    half.write_text(HEADER + "".join(lines()[::2]))
    assert sum(row["readings"] for row in rows(run(half, "--json"))) == 200


@pytest.mark.parametrize("name", ["smoothed", "bucket-cwa", "bucket-swisscovid", "bucket-lfph"])
def test_every_estimator_prints_tables(readings, name):
    result = run(readings, "--estimator", name)
    assert result.exit_code == 0
    assert "anna" in result.stdout
    assert "2 encounters, as 1 phone heard them, from 400 readings" in result.stdout
    assert f"Estimator: {name}." in result.stdout


def test_a_wider_radius_is_more_minutes(readings):
    near, far = (rows(run(readings, "--radius", radius, "--json")) for radius in ("1", "4"))
    assert near[0]["minutes_near"] < far[0]["minutes_near"]


def test_other_column_names(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("who,when,level\nben,5.5,-60\n")
    columns = "time=when, peer = who,rssi=level"
    assert [row["peer"] for row in rows(run(path, "--columns", columns, "--json"))] == ["ben"]


def test_a_calibration_table_replaces_the_advertised_power(readings, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(
        "oem,device,model,rssi_correction,tx_power,confidence\nx,m,M,4,-25,3\nx,n,N,4,-35,3\n"
    )
    advertised, known = (
        rows(run(readings, "--json")),
        rows(run(readings, "--calibration", table, "--json")),
    )
    assert (
        known[0]["minutes_near"] > advertised[0]["minutes_near"]
    )  # it sends more weakly than it says


def test_bad_lines_and_dropped_readings_are_reported_on_stderr(readings):
    text = readings.read_text().splitlines(keepends=True)
    text[3] = "yesterday,anna,ben,M,N,-70,-21\n"
    text[5] = "1,2,3\n"
    text[7] = text[7].replace(text[7].split(",")[5], "127")
    readings.write_text("".join(text))
    result = run(readings, "--json")
    assert sum(row["readings"] for row in rows(result)) == 397
    assert "Skipped 2 malformed lines" in result.stderr
    assert "line 4: time (column 't') is neither a number nor a date" in result.stderr
    assert "line 6: 3 fields where the header has 7" in result.stderr
    assert "dropped 1 readings: 1 with a stand-in for an unknown" in result.stderr
    assert "1 reading dropped, 2 lines skipped" in run(readings).stdout


def test_strict_names_the_line(readings):
    readings.write_text(readings.read_text() + "x,y\n")
    result = run(readings, "--strict")
    assert isinstance(result.exception, InvalidReadingsError)
    assert "line 402: 2 fields" in str(result.exception)
    assert result.stdout == ""


def test_only_readings_without_signal_are_an_error(tmp_path):
    path = tmp_path / "none.csv"
    path.write_text("t,tx,rssi\n1,ben,127\n")
    result = run(path, "--json")
    assert isinstance(result.exception, InvalidReadingsError)
    assert "none of its 1 readings can be used" in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize("unit", [[], ["--time-unit", "ms"]])
def test_milliseconds_are_recognised(tmp_path, unit):
    path = tmp_path / "ms.csv"
    path.write_text("t,tx,rssi\n1600000000000,ben,-60\n")
    result = run(path, "--json", *unit)
    assert rows(result)[0]["start_s"] == 1_600_000_000.0
    assert ("is in milliseconds since 1970" in result.stderr) is (not unit)


def test_readings_that_no_radio_reports_are_dropped_and_counted(tmp_path):
    path = tmp_path / "odd.csv"
    odd = ["-99999999999999999999", "-1e307", "-1000", "-128", "0", "127"]
    good = [f"{1600000000 + 30 * n},ben,-66" for n in range(20)]
    path.write_text("\n".join(["t,tx,rssi", *good, *(f"1600000000,ben,{rssi}" for rssi in odd),
                               "1e300,ben,-66"]) + "\n")  # fmt: skip
    (row,) = json.loads(run(path, "--json").stdout)
    assert row["readings"] == 20
    assert row["nearest_m"] > 0.1
    assert "dropped 7 readings: 1 with a time unlike the others, 2 with" in run(path).stderr


def test_names_cannot_steer_the_terminal(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("t,tx,rssi\n1,[b]x[/],-60\n2,\x1b[31mc,-60\n")
    output = run(path).stdout
    assert "\x1b" not in output
    assert "[b]x[/]" in output


def test_troubles_with_files_are_the_library_s_errors(tmp_path, readings):
    missing = run(tmp_path / "none.csv")
    assert isinstance(missing.exception, InvalidReadingsError)
    table = run(readings, "--calibration", tmp_path / "none.csv")
    assert isinstance(table.exception, CalibrationError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--radius", "0"], "not a distance above 0 m"),
        (["--radius", "nan"], "not a distance above 0 m"),
        (["--radius", "inf"], "not a distance above 0 m"),
        (["--radius", "two"], "not a valid float"),
        (["--estimator", "bucket-cwe"], "did you mean 'bucket-cwa'?"),
        (["--estimator", "zzz"], "Known are single-log"),
        (["--columns", "tme=t"], "did you mean 'time'?"),
        (["--columns", "time"], "not FIELD=COLUMN"),
        (["--columns", "time=t,"], "not FIELD=COLUMN"),
        (["--columns", "time=t,time=u"], "named twice"),
    ],
)
def test_wrong_use_is_status_2_and_says_how(readings, arguments, message):
    result = run(readings, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_recording_with_twenty_people(recordings):
    result = run(recordings / "dp3t_epfl" / "readings_exp05.csv.gz", "--json")
    found = rows(result)
    assert {row["observer"] for row in found} == {str(n) for n in range(1, 21)}
    assert sum(row["readings"] for row in found) == 184_717

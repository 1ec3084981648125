"""A person's table gives the right minutes or a clear error, in every command that reads one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result

from tracetogether.cli.calibrate import calibrate
from tracetogether.cli.estimate import estimate
from tracetogether.cli.evaluate import evaluate
from tracetogether.errors import InvalidReadingsError

START = 1_600_000_000
TIMES = [START + 30 * row for row in range(60)]
SINGAPORE = timezone(timedelta(hours=8))


def level(row: int) -> object:
    return -66 - row % 5


def table(
    times: list[object],
    rssi: Callable[[int], object] = level,
    *,
    separator: str = ",",
    quote: str = "",
    header: str = "t,rx,tx,rssi",
) -> str:
    rows = [[time, "ann", "ben", rssi(row)] for row, time in enumerate(times)]
    lines = [separator.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]
    return "\n".join([header.replace(",", separator), *lines, ""])


def dates(form: str, zone: timezone = UTC) -> list[object]:
    return [datetime.fromtimestamp(time, zone).strftime(form) for time in TIMES]


def estimated(tmp_path: Path, text: str | bytes, *options: str) -> Result:
    path = tmp_path / "readings.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return CliRunner().invoke(estimate, [str(path), "--json", *options])


def refused(result: Result) -> str:
    assert isinstance(result.exception, InvalidReadingsError), result.output
    assert result.stdout == ""
    return str(result.exception)


# --- tables that are read as they are ----------------------------------------------

SAME = {
    "seconds": table(TIMES),
    "milliseconds": table([time * 1000 for time in TIMES]),
    "microseconds": table([time * 10**6 for time in TIMES]),
    "nanoseconds": table([time * 10**9 for time in TIMES]),
    "all digits of an exponent": table([f"{time:.9E}" for time in TIMES]),
    "ISO 8601, T and Z": table(dates("%Y-%m-%dT%H:%M:%SZ")),
    "ISO 8601, blank, fraction and +0000": table(dates("%Y-%m-%d %H:%M:%S.000+0000")),
    "ISO 8601, +08:00": table([f"{date}+08:00" for date in dates("%Y-%m-%d %H:%M:%S", SINGAPORE)]),
    "ISO 8601, +08": table([f"{date}+08" for date in dates("%Y-%m-%dT%H:%M:%S", SINGAPORE)]),
    "slashes and UTC": table(dates("%Y/%m/%d %H:%M:%S UTC")),
    "quoted dates": table(dates("%Y-%m-%dT%H:%M:%SZ"), quote='"'),
    "semicolons": table(TIMES, separator=";"),
    "tabs": table(TIMES, separator="\t"),
    "bars": table(TIMES, separator="|"),
    "sep= line": "sep=;\n" + table(TIMES, separator=";"),
    "decimal commas": table(TIMES, lambda row: f"{level(row)},0", separator=";"),
    "quoted decimal commas": table(TIMES, lambda row: f"{level(row)},0", quote='"'),
    "byte order mark": "\ufeff" + table(TIMES),
    "CRLF": table(TIMES).replace("\n", "\r\n"),
    "UTF-16": table(TIMES, separator="\t").encode("utf-16"),
    "blank lines": "\n\n" + table(TIMES).replace("\n", "\n\n"),
    "capitals": table(TIMES, header="T,RX,TX,RSSI"),
    "blanks in the header": table(TIMES, header=" t , rx , tx , rssi"),
    "a comment above": "# recorded by ann\n" + table(TIMES),
    "a header behind #": "# " + table(TIMES),
    "a column of row numbers": "\n".join(
        (f"{row - 1 if row else ''},{line}" if line else line)
        for row, line in enumerate(table(TIMES).split("\n"))
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_table_in_many_forms_gives_the_same_minutes(tmp_path, kind):
    (expected,) = json.loads(estimated(tmp_path, SAME["seconds"]).stdout)
    result = estimated(tmp_path, SAME[kind])
    assert result.exit_code == 0, result.exception
    (row,) = json.loads(result.stdout)
    assert row == expected
    assert (row["start_s"], row["end_s"], row["readings"]) == (TIMES[0], TIMES[-1], 60)


def test_dates_without_a_zone_are_refused_with_the_remedy(tmp_path):
    text = table(dates("%Y-%m-%d %H:%M:%S", SINGAPORE))
    assert "--time-zone Asia/Singapore" in refused(estimated(tmp_path, text))
    for zone in ("Asia/Singapore", "+08:00"):
        (row,) = json.loads(estimated(tmp_path, text, "--time-zone", zone).stdout)
        assert row["start_s"] == START
    wrong = estimated(tmp_path, text, "--time-zone", "Singapur")
    assert wrong.exit_code == 2
    assert "no time zone 'Singapur'" in " ".join(wrong.stderr.split())


def test_times_from_a_start_are_read_with_a_note(tmp_path):
    result = estimated(tmp_path, table([time - START for time in TIMES]))
    (row,) = json.loads(result.stdout)
    assert (row["start_s"], row["end_s"]) == (0, 1770)
    assert "counts from a start of its own: taken as seconds, 29.5 minutes" in result.stderr


def test_the_given_unit_of_times_from_a_start_is_used(tmp_path):
    text = table([1000 * (time - START) for time in TIMES])
    (row,) = json.loads(estimated(tmp_path, text, "--time-unit", "ms").stdout)
    assert (row["start_s"], row["end_s"]) == (0, 1770)


def test_a_wrong_unit_is_refused(tmp_path):
    message = refused(estimated(tmp_path, SAME["milliseconds"], "--time-unit", "s"))
    assert "are milliseconds since 1970: say --time-unit ms" in message


# --- tables that are refused ---------------------------------------------------------

REFUSED = {
    "40 % ms": (
        table([time * (1000 if row % 5 < 2 else 1) for row, time in enumerate(TIMES)]),
        "60% are seconds since 1970 and 40% are milliseconds since 1970",
    ),
    "half dates": (
        table([d if row % 2 else TIMES[row] for row, d in enumerate(dates("%Y-%m-%dT%H:%M:%SZ"))]),
        "50% are dates and 50% are numbers",
    ),
    "a quarter 0": (
        table([time * bool(row % 4) for row, time in enumerate(TIMES)]),
        "25% are numbers from a start (such as 0)",
    ),
    "1.6E+09": (table(["1.6E+09"] * 60), "'1.6E+09' has lost its seconds"),
    "1,60000E+12": (table(["1,60000E+12"] * 60, separator=";"), "has lost its seconds"),
    "1600000000 in every row": (table([START] * 60), "has lost its seconds"),
    "serial days": (
        table([time / 86_400 + 25_569 for time in TIMES]),
        "days since 1900, such as 44087.5",
    ),
    "parts of a day": (table([time / 86_400 % 1 for time in TIMES]), "parts of a day"),
    "hours since 1970": (table([time / 3_600 for time in TIMES]), "say --time-unit h"),
    "days since 1970": (table([time / 86_400 for time in TIMES]), "within one second"),
    "elapsed ms": (table([30_000 * row for row in range(60)]), "say --time-unit ms"),
    "five elapsed ms": (table([30_000 * row for row in range(5)]), "say --time-unit ms"),
    "elapsed ms, ten a second": (table([100 * row for row in range(60)]), "say --time-unit ms"),
    "elapsed us": (table([30_000_000 * row for row in range(60)]), "say --time-unit us"),
    "1975": (table([157_766_400 + 30 * row for row in range(60)]), "does not tell"),
    "2500": (table([16_725_225_600 + 30 * row for row in range(60)]), "no time between the years"),
    "negative": (table([30 * row - START for row in range(60)]), "negative times"),
    "1900": (table(["1900-01-01T12:26:40Z"] * 60), "outside the years 2000 to 2100"),
    "day or month": (table(dates("%d/%m/%Y %H:%M:%S")), "day before month or month before day"),
    "day or month, points": (table(dates("%d.%m.%Y %H:%M")), "day before month or month"),
    "a date alone": (table(dates("%Y-%m-%d")), "without a time of day"),
    "a time alone": (table(dates("%H:%M:%S")), "time of day without a date"),
    "no such month": (table(["2020-13-13T12:26:40Z"] * 9), "neither a number nor a date"),
    "no such day": (table(["2021-02-29T12:26:40Z"] * 9), "neither a number nor a date"),
    "no times": (table([""] * 60), "time (column 't') is empty"),
    "NaT": (table(["NaT"] * 60), "time (column 't') is empty"),
    "thousands": (table([f"{time:,}" for time in TIMES], quote='"'), "marks between thousands"),
    "thousands with points": (
        table([f"{time:,}".replace(",", ".") for time in TIMES], separator=";"),
        "marks between thousands",
    ),
    "two decimal marks": (
        table(TIMES, lambda row: "-66,5" if row % 2 else "-66.5", separator=";"),
        "decimal comma and others with a decimal point",
    ),
    "no header": (table(TIMES).split("\n", 1)[1], "its first line holds values"),
    "blanks between": (table(TIMES, separator=" "), "commas, semicolons or tabs"),
    "UTF-16 without its mark": (table(TIMES).encode("utf-16-le"), "save it as CSV in UTF-8"),
    "no minus signs": (table(TIMES, lambda row: 66), "they lack their minus sign"),
    "bytes": (table(TIMES, lambda row: 190), "subtract 256"),
    "parts": (table(TIMES, lambda row: -0.66), "in another unit than dBm"),
    "a unit": (table(TIMES, lambda row: "-66 dBm"), "has a unit behind it"),
    "a typographic minus": (table(TIMES, lambda row: "\N{MINUS SIGN}66"), "write a hyphen"),
    "NA": (table(TIMES, lambda row: "NA"), "60 without a signal strength"),
    **{
        f"RSSI {value}": (table(TIMES, lambda row, v=value: v), "stand-in for an unknown")
        for value in (-127, 127, 0, 100)
    },
    "own echo": (table(TIMES).replace("ben", "ann"), "a phone hears itself"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_table_is_refused_with_the_remedy(tmp_path, kind):
    text, remedy = REFUSED[kind]
    message = refused(estimated(tmp_path, text))
    assert "readings.csv" in message
    assert remedy in message


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({3: 1000 * START}, "1 with a time unlike the others"),
        ({3: -1}, "1 with a time unlike the others"),
        ({3: "inf"}, "1 without a time"),
        ({3: "2020-09-13T12:26:40Z"}, "1 with a time unlike the others"),
    ],
)
def test_a_single_odd_time_is_dropped_with_a_note(tmp_path, odd, reason):
    result = estimated(tmp_path, table([odd.get(row, time) for row, time in enumerate(TIMES)]))
    (row,) = json.loads(result.stdout)
    assert row["readings"] == 59
    assert f"dropped 1 readings: {reason}." in result.stderr


@pytest.mark.parametrize(
    ("power", "note"),
    [
        (0, "The transmit power is 0 in every reading"),
        (-59, "60 readings tell -59 dBm for the transmit power"),
        (127, "60 readings tell 127 dBm for the transmit power"),
    ],
)
def test_an_impossible_transmit_power_is_ignored(tmp_path, power, note):
    def minutes(text: str) -> tuple[float, str]:
        result = estimated(tmp_path, text)
        (row,) = json.loads(result.stdout)
        return row["minutes_near"], result.stderr

    def with_power(value: object) -> str:
        head, *lines = table(TIMES).rstrip().split("\n")
        return "\n".join([f"{head},tx_power", *(f"{line},{value}" for line in lines)])

    blank, quiet = minutes(with_power(""))
    known, _ = minutes(with_power(-12))
    found, notes = minutes(with_power(power))
    assert found == blank != known
    assert note in notes
    assert "transmit power" not in quiet


# --- tables with known distances -------------------------------------------------------


def recording(**changes: Callable[[int, dict[str, object]], object]) -> str:
    lines = ["t,rx,tx,rssi,dist_m,scenario"]
    places = {"ann": 0.0, "ben": 1.0, "cem": 4.0}
    for scene in ("hall", "yard", "train"):
        for tick in range(24):
            for (observer, place), (peer, other) in permutations(places.items(), 2):
                row: dict[str, object] = {
                    "t": START + 30 * tick,
                    "rx": observer,
                    "tx": peer,
                    "rssi": -60 - len(lines) % 7,
                    "dist_m": abs(place - other),
                    "scenario": scene,
                }
                row |= {name: change(tick, row) for name, change in changes.items()}
                lines.append(",".join(str(cell) for cell in row.values()))
    return "\n".join(lines)


COLUMNS = ("--columns", "distance=dist_m,scene=scenario")
COMMANDS = {
    "evaluate": (evaluate, [*COLUMNS, "--estimators", "constant,mean-attenuation", "--json"]),
    "calibrate": (calibrate, [*COLUMNS, "--json"]),
}


def judged(tmp_path: Path, name: str, text: str, *options: str) -> Result:
    command: Command
    command, given = COMMANDS[name]
    path = tmp_path / "readings.csv"
    path.write_text(text)
    arguments = [str(path), *given, *options]
    if name == "calibrate":
        arguments = ["fit", *arguments, "-o", str(tmp_path / "model.toml")]
    return CliRunner().invoke(command, arguments)


UNUSABLE = {
    "no minus signs": ({"rssi": lambda _, row: -int(str(row["rssi"]))}, "lack their minus sign"),
    "-127": ({"rssi": lambda _, row: -127}, "stand-in for an unknown"),
    "own echoes": ({"tx": lambda _, row: row["rx"]}, "a phone hears itself"),
    "lost seconds": ({"t": lambda *_: "1.6E+09"}, "has lost its seconds"),
    "serial days": ({"t": lambda tick, _: 44_087.5 + tick / 2880}, "say --columns time=t[s]"),
    "elapsed ms": ({"t": lambda tick, _: 30_000 * tick}, "say --columns time=t[ms]"),
    "no zone": ({"t": lambda tick, _: f"2020-09-13 12:{tick:02d}:00"}, "--time-zone"),
    "a scene of years": (
        {"t": lambda tick, _: START + 31_536_000 * (tick % 5) + tick},
        "lasts 1,460 days",
    ),
    "mixed": (
        {"t": lambda tick, row: int(str(row["t"])) * (1000 if tick % 5 < 2 else 1)},
        "are milliseconds since 1970",
    ),
    "no distances": ({"dist_m": lambda *_: ""}, "no reading has a true distance above 0"),
    "infinite distances": ({"dist_m": lambda *_: "inf"}, "no reading has a true distance"),
    "centimetres": ({"dist_m": lambda *_: 250}, "say the unit, such as --columns distance=dist_m"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_recording_without_a_usable_reading_is_refused(tmp_path, name, kind):
    changes, remedy = UNUSABLE[kind]
    message = refused(judged(tmp_path, name, recording(**changes)))
    assert "readings.csv" in message
    assert remedy in message
    assert not (tmp_path / "model.toml").exists()


def local(tick: int, _: object) -> str:
    return datetime.fromtimestamp(START + 30 * tick, SINGAPORE).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda tick, _: (START + 30 * tick) * 1000,
        lambda tick, _: (START + 30 * tick) * 10**9,
        local,
    ],
    ids=["ms", "ns", "dates"],
)
def test_a_recording_in_another_form_gives_the_same_figures(tmp_path, name, change):
    def figures(text: str) -> object:
        result = judged(tmp_path, name, text, "--time-zone", "Asia/Singapore")
        assert result.exit_code == 0, result.exception
        document = json.loads(result.stdout)
        rows = document if isinstance(document, list) else document["figures"]
        return [{key: row[key] for key in row if "per_s" not in key} for row in rows]

    assert figures(recording(t=change)) == figures(recording())

"""Tables of `simulate` on a terminal of 80 columns keep what tells their rows apart."""

import re

import pytest
from click.testing import CliRunner

from tracetogether.cli import cli

SMALL = ("--set", "duration_s=1000", "--set", "policy.minutes=2", "--seeds", "1", "--workers", "1")


@pytest.mark.parametrize(
    ("vary", "heads", "rows"),
    [
        (["people.count=6", "people.adoption=0.5,1.0"], "adoption", ["0.5", "1.0"]),
        (["people.count=6", "phones.locked=0.1,0.25"], "locked", ["0.1", "0.25"]),
        (
            ["people.adoption=0.75", "people.count=6,7", "policy.within_m=1.5,2"],
            "count +within_m",
            ["6 +1.5", "6 +2", "7 +1.5", "7 +2"],
        ),
    ],
)
def test_a_sweeps_table_has_a_whole_column_for_each_varied_key(vary, heads, rows):
    words = [word for each in vary for word in ("--vary", each)]
    done = CliRunner().invoke(
        cli,
        ["simulate", "sweep", "train-carriage", *words, *SMALL],
        env={"COLUMNS": "80"},
    )
    assert done.exit_code == 0, done.output
    table = done.stdout.split("\nDigest ")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert re.search(
        rf"^ {heads} +runs +in a log +on a list +of app's +wrong *$", table, re.MULTILINE
    )
    found = [row for row in rows if re.search(rf"^ {row} +1 ", table, re.MULTILINE)]
    assert found == rows

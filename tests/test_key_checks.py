"""Check values: a damaged key file is refused, and so are keys that are not the database's."""

import re
import shutil
from base64 import b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.authority_world import NOON, NOW
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.custody import CHECK_VALUE, require_keys_of
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import (
    KEYS,
    create_folder,
    migrate_folder,
    opened_folder,
    save_keys,
)
from tracetogether.errors import KeyRingError
from tracetogether.keyring import Fit, KeyRing
from tracetogether.units import SECONDS_PER_DAY, Entropy

STATIC = bytes(range(32))
DAY = int(NOW // SECONDS_PER_DAY)
FOREIGN = "does not belong to this database"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    create_folder(tmp_path / "desk", now=NOON)
    return tmp_path / "desk"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    create_folder(tmp_path / "other", now=NOON)
    return tmp_path / "other"


def without_checks(path: Path, *, own_key: bool) -> None:
    """Write a key file as earlier releases did."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    kept = [line.rpartition(" ")[0] for line in lines if own_key or "authority" not in line]
    path.write_text("".join(f"{line}\n" for line in kept))


@pytest.mark.parametrize("name", ["chain", "authority", "static", "quarantine"])
def test_a_line_that_was_changed_is_refused_by_its_check_value(
    tmp_path: Path, entropy: Entropy, name: str
) -> None:
    path = tmp_path / KEYS
    keys = KeyRing.generate(NOW, entropy=entropy, static_keys=[STATIC])
    keys.quarantine(DAY, DAY + 2)
    keys.save(path)
    text = path.read_text()
    assert KeyRing.load(path).checked
    (line,) = re.findall(rf"^{name} .*$", text, re.MULTILINE)
    words = line.split()
    number = text[: text.index(line)].count("\n") + 1
    other = str(int(words[-2]) + 1) if name == "quarantine" else b64encode(bytes(32)).decode()
    changed = [[*words[:-2], other, words[-1]], [*words[:-1], "0" * 16], [*words, "more"]]
    if name == "chain":
        changed.append([name, str(int(words[1]) + 1), *words[2:]])
    for damaged in changed:
        path.write_text(text.replace(line, " ".join(damaged)))
        with pytest.raises(KeyRingError, match=f"line {number}: the check value") as caught:
            KeyRing.load(path)
        assert not any(len(word) > 40 and word in str(caught.value) for word in words)


def test_an_earlier_file_without_check_values_is_read_and_written_with_them(
    tmp_path: Path, entropy: Entropy
) -> None:
    path = tmp_path / KEYS
    keys = KeyRing.generate(NOW, entropy=entropy)
    keys.save(path)
    whole = path.read_text()
    without_checks(path, own_key=True)
    assert not KeyRing.load(path).checked
    save_keys(keys, path)
    assert path.read_text() == whole


def test_a_check_value_tells_keys_apart_and_nothing_else(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOW, entropy=entropy)
    again = KeyRing.generate(NOW, entropy=entropy)
    value = keys.check_value()
    assert keys.fits(value) == Fit(same_authority=True)
    assert again.fits(value) == Fit(same_authority=False)
    assert KeyRing.of_static(STATIC).has_own_key is False
    for purpose in ("tempid", "check", "own"):
        secret = keys.day_key(purpose, DAY).hex()
        assert not any(part in secret for part in value.split() if len(part) > 8)
    keys.destroy_before(DAY + 3)  # a day on which nothing can be compared any more
    assert keys.fits(value) == Fit(same_authority=True)
    for damaged in ("", "x", "x y z", f"{value.split()[0]} 9999999 x"):
        assert keys.fits(damaged) != Fit(same_authority=True)


def test_keys_of_another_database_open_nothing_and_serve_nothing(desk: Path, other: Path) -> None:
    shutil.copy(other / KEYS, desk / KEYS)
    before = (desk / KEYS).read_bytes()
    with pytest.raises(KeyRingError, match=FOREIGN), opened_folder(desk):
        pass
    caught = CliRunner().invoke(authority, ["serve", str(desk), "--port", "0", "--clock-is-right"])
    assert isinstance(caught.exception, KeyRingError)
    assert "put back the keys.txt that does" in str(caught.exception)
    assert (desk / KEYS).read_bytes() == before


def test_a_machine_without_the_last_rotation_is_not_served_from(desk: Path, tmp_path: Path) -> None:
    shutil.copy(desk / KEYS, tmp_path / "earlier")
    with opened_folder(desk) as service:
        first = service.custody.rotate(NOON, by=CONSOLE)
        store, stale = service.store, KeyRing.load(tmp_path / "earlier")
        # Until batches reach the new chain's first day, the old keys are as good.
        require_keys_of(store, stale, (first - 2) * SECONDS_PER_DAY)
        for day in (first - 1, first, first + 30):
            with pytest.raises(KeyRingError, match="lacks the last rotation"):
                require_keys_of(store, stale, day * SECONDS_PER_DAY)
            service.custody.require(day * SECONDS_PER_DAY)
        stale.adopt(service.custody.keys)  # which is what copying the file does
        require_keys_of(store, stale, first * SECONDS_PER_DAY)


def test_a_running_server_takes_no_other_authoritys_keys_over(desk: Path, other: Path) -> None:
    with opened_folder(desk) as service:
        key = service.custody.keys.day_key("tempid", DAY)
        shutil.copy(other / KEYS, desk / KEYS)
        with pytest.raises(KeyRingError, match="replaced by another authority's"):
            service.custody.save_keys(service.custody.keys)
        assert service.custody.keys.day_key("tempid", DAY) == key


def test_keys_and_database_of_an_earlier_release_are_brought_together_once(desk: Path) -> None:
    with opened_folder(desk) as service:
        noted = service.store.setting(CHECK_VALUE)
        service.store.put_setting(CHECK_VALUE, "none")  # as if this were another machine's database
    without_checks(desk / KEYS, own_key=False)
    earlier = (desk / KEYS).read_text()
    with pytest.raises(KeyRingError, match=r"copy keys\.txt from"), opened_folder(desk):
        pass
    assert (desk / KEYS).read_text() == earlier
    assert noted is not None
    from tracetogether.adapters.sql_store import SqlStore

    with SqlStore.open(desk / "authority.db") as store:
        store.put_setting(CHECK_VALUE, noted)
    migrate_folder(desk, NOON)  # the own key follows from the same chain, the same everywhere
    with opened_folder(desk) as service:
        assert service.store.setting(CHECK_VALUE) == noted
    assert KeyRing.load(desk / KEYS).checked


@pytest.mark.parametrize("found", ["lost", "foreign"])
def test_lost_keys_are_replaced_by_word_alone(desk: Path, other: Path, found: str) -> None:
    def run(*words: str, answer: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(authority, ["keys", *words, "--dir", str(desk)], input=answer)
        return result.exit_code, result.output

    (desk / KEYS).unlink()
    if found == "foreign":
        shutil.copy(other / KEYS, desk / KEYS)
    assert run("replace", answer="n\n")[0] == 1
    assert run("list")[0] == 1
    assert run("replace", "--yes")[0] == 0
    assert run("list")[0] == 0
    with opened_folder(desk) as service:
        assert [entry.act for entry in service.audit.entries(by=CONSOLE)][-1] == "keys.replaced"

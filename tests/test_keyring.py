"""The chain of day keys, static keys, and their file."""

import os
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from tracetogether.errors import KeyRingError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOW = 1_700_000_000.0
DAY = int(NOW // SECONDS_PER_DAY)
STATIC = bytes(range(32))


def test_keys_differ_by_purpose_day_and_context(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOW, entropy=entropy)
    made = {
        keys.day_key(purpose, day, context)
        for purpose in ("tempid", "upload-pin")
        for day in (DAY, DAY + 1)
        for context in ("", "x")
    }
    assert len(made) == 8
    assert keys.day_key("tempid", DAY) in made


def test_the_chain_is_a_function_of_its_first_value(entropy: Entropy) -> None:
    secret = entropy(32)
    one, other = KeyRing((DAY, secret)), KeyRing((DAY, secret))
    other.destroy_before(DAY + 7)
    assert one.day_key("p", DAY + 9) == other.day_key("p", DAY + 9)


def test_chain_known_answer() -> None:
    """Computed with HMAC from the standard library: HKDF-Expand to one block."""
    import hashlib
    import hmac

    def expand(secret: bytes, info: bytes) -> bytes:
        return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()

    tomorrow = expand(STATIC, b"tracetogether/v1/chain/next-day")
    wanted = expand(tomorrow, b"tracetogether/v1/chain/day-key/tempid/101/SG")
    assert KeyRing((100, STATIC)).day_key("tempid", 101, "SG") == wanted


def test_destroyed_days_are_gone_for_good(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOW, entropy=entropy)
    aead = keys.aead("tempid", DAY)
    assert keys.aead("tempid", DAY) is aead
    assert keys.purge(NOW + 25 * SECONDS_PER_DAY) == 0
    assert keys.purge(NOW + 26 * SECONDS_PER_DAY) == 1
    assert keys.oldest_day == DAY + 1
    assert not keys.has_day(DAY)
    for ask in (keys.day_key, keys.aead):
        with pytest.raises(KeyRingError, match="destroyed"):
            ask("tempid", DAY)
    assert keys.day_key("tempid", DAY + 1)
    assert keys.purge(NOW + 26 * SECONDS_PER_DAY) == 0


def test_purge_goes_back_with_no_clock(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOW, entropy=entropy)
    assert keys.purge(NOW - 100 * SECONDS_PER_DAY) == 0
    assert keys.has_day(DAY)


def test_a_forged_time_costs_bounded_work(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOW, entropy=entropy)
    assert keys.day_key("p", DAY + 3_999)
    with pytest.raises(KeyRingError, match="check the clock"):
        keys.day_key("p", DAY + 4_000)


def test_static_rings_have_no_days() -> None:
    keys = KeyRing.of_static(STATIC)
    assert keys.oldest_day is None
    assert not keys.has_day(DAY)
    assert keys.purge(NOW) == 0
    with pytest.raises(KeyRingError, match="static keys only"):
        keys.day_key("p", DAY)


def test_rings_without_keys_are_refused() -> None:
    with pytest.raises(KeyRingError, match="needs a chain"):
        KeyRing()
    with pytest.raises(KeyRingError, match="32 bytes"):
        KeyRing.of_static(b"short")


def test_the_file_round_trips(tmp_path: Path, entropy: Entropy) -> None:
    path = tmp_path / "keys.txt"
    keys = KeyRing.generate(NOW, entropy=entropy, static_keys=[STATIC])
    keys.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = KeyRing.load(path)
    assert again.day_key("p", DAY + 3) == keys.day_key("p", DAY + 3)
    assert len(again.static) == 1
    assert path.read_text().startswith("# tracetogether key ring")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.txt"]


def test_saving_wipes_the_destroyed_key_from_the_old_file(tmp_path: Path, entropy: Entropy) -> None:
    path, link = tmp_path / "keys.txt", tmp_path / "second-name-of-the-old-file"
    keys = KeyRing.generate(NOW, entropy=entropy)
    keys.save(path)
    os.link(path, link)
    old = path.read_bytes()
    keys.destroy_before(DAY + 1)
    keys.save(path)
    assert link.read_bytes() == bytes(len(old))
    with pytest.raises(KeyRingError, match="destroyed"):
        KeyRing.load(path).day_key("p", DAY)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.txt"
    KeyRing.of_static(STATIC).save(path)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match="chmod 600"):
        KeyRing.load(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no key"),
        ("# only words\n", "holds no key"),
        ("chain x " + b64encode(STATIC).decode(), "line 1"),
        ("static tooshort\n", "line 1: not a key"),
        ("static " + b64encode(STATIC).decode() + "\nchain 5 ****\n", "line 2: not a key"),
        ("static " + "ключ" * 11, "line 1: not a key"),
        ("chain " + "9" * 5_000 + " " + b64encode(STATIC).decode(), "line 1"),
        ("statik " + b64encode(STATIC).decode(), "line 1: expected"),
        (f"chain 5 {b64encode(STATIC).decode()}\n" * 2, "line 2: expected"),
    ],
)
def test_damaged_files_name_the_line_and_no_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match=complaint) as caught:
        KeyRing.load(path)
    assert b64encode(STATIC).decode() not in str(caught.value)


def test_missing_and_unwritable_files(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="can't read"):
        KeyRing.load(tmp_path / "none")
    with pytest.raises(KeyRingError, match="can't write"):
        KeyRing.of_static(STATIC).save(tmp_path / "no folder" / "keys.txt")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    with pytest.raises(KeyRingError, match="not text"):
        KeyRing.load(binary)


def test_keys_do_not_show(entropy: Entropy) -> None:
    secret = entropy(32)
    shown = repr(KeyRing((DAY, secret), [STATIC]))
    assert shown == f"KeyRing(oldest_day={DAY}, static_keys=1)"

"""Answers that are computed once an edition: strangers who ask cost no work and hold no thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tracetogether.adapters.http_api.editions import EditionAnswer

QUARTER = 900.0


def test_an_edition_is_computed_once_and_begins_at_a_full_quarter() -> None:
    asked: list[float] = []
    answer = EditionAnswer(lambda now: asked.append(now) or b"%d" % len(asked), QUARTER)
    bodies = [answer.at(now).body for now in (10.0, 899.9, 900.0, 1_799.0, 5.0)]
    assert bodies == [b"1", b"1", b"2", b"2", b"3"]  # the clock was set back at last
    assert asked == [10.0, 900.0, 5.0]


def test_while_the_next_edition_is_computed_strangers_get_the_last_one_at_once() -> None:
    begun, go_on = Event(), Event()

    def slow(now: float) -> bytes:
        if now >= QUARTER:
            begun.set()
            assert go_on.wait(10)
        return b"%d" % now

    answer = EditionAnswer(slow, QUARTER)
    assert answer.at(0.0).body == b"0"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(answer.at, QUARTER)
        try:
            assert begun.wait(10)
            assert {answer.at(QUARTER + n).body for n in range(50)} == {b"0"}
        finally:
            go_on.set()
        assert first.result().body == b"900"
    assert answer.at(QUARTER).body == b"900"


def test_an_edition_that_failed_is_computed_again() -> None:
    tries: list[float] = []

    def broken_once(now: float) -> bytes:
        tries.append(now)
        if len(tries) == 1:
            raise OSError
        return b"made"

    answer = EditionAnswer(broken_once, QUARTER)
    try:
        answer.at(0.0)
    except OSError:
        assert answer.at(1.0).body == b"made"
    assert tries == [0.0, 1.0]

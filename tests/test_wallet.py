"""The wallet of a phone: which pass is shown, and what happens when new ones come."""

from collections.abc import Callable

import pytest

from tests.authority_world import NOON
from tracetogether.crypto import SigningKey
from tracetogether.errors import StoreError, UnreadableMessageError
from tracetogether.healthcode.passes import Pass
from tracetogether.healthcode.wallet import FetchedPasses, Wallet, held_pass
from tracetogether.signed import cose, hcert
from tracetogether.units import SECONDS_PER_HOUR, Entropy

HOUR = SECONDS_PER_HOUR
KEY = SigningKey.from_secret(bytes(31) + b"\x07")


def text_of(number: int, begin: int = int(NOON)) -> str:
    made = Pass("SG_MOH", begin, begin + HOUR, number.to_bytes(8))
    return hcert.to_text(cose.sign(made.write(), KEY, KEY.public.kid))


def fetched(*numbers_and_hours: tuple[int, int]) -> FetchedPasses:
    held = tuple(held_pass(text_of(n, int(NOON) + h * HOUR)) for n, h in numbers_and_hours)
    return FetchedPasses({"notice": "pass.green", "parameters": {}}, held, int(NOON) + 12 * HOUR)


def test_no_pass_is_shown_twice_unless_all_are_used(entropy: Entropy) -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 0), (3, 0)), NOON)
    shown = []
    for _ in range(6):
        held, wallet = wallet.choose(NOON, entropy=entropy)
        assert held is not None
        shown.append(held.number)
    assert len(set(shown[:3])) == len(set(shown[3:])) == 3


def test_the_choice_is_random(entropy_of: Callable[[int], Entropy]) -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 0)), NOON)
    first = [wallet.choose(NOON, entropy=entropy_of(seed))[0] for seed in range(40)]
    counts = [sum(held == wallet.held[place] for held in first) for place in (0, 1)]
    assert sum(counts) == 40
    assert min(counts) > 10  # 1 in 1,000 that a fair choice has ten or fewer


def test_a_pass_that_is_fetched_again_stays_marked_as_shown(entropy: Entropy) -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 0)), NOON)
    held, wallet = wallet.choose(NOON, entropy=entropy)
    again = wallet.with_fetched(fetched((1, 0), (2, 0)), NOON + 60)
    other, _ = again.choose(NOON + 60, entropy=entropy)
    assert held is not None
    assert other is not None
    assert held.number != other.number


def test_the_next_hours_pass_is_shown_from_two_minutes_before_its_hour() -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 1)), NOON)
    numbers = {
        seconds: [int(held.number, 16) for held in wallet.valid(NOON + HOUR + seconds)]
        for seconds in (-121, -119, 0)
    }
    assert numbers == {-121: [1], -119: [2], 0: [2]}


def test_in_its_last_minutes_the_last_pass_is_shown_though_no_next_one_is_held() -> None:
    wallet = Wallet().with_fetched(fetched((1, 0)), NOON)
    assert len(wallet.valid(NOON + HOUR - 1)) == 1
    assert wallet.valid(NOON + HOUR) == ()


def test_renewal_is_due_after_half_a_day_or_without_a_pass() -> None:
    wallet = Wallet().with_fetched(fetched(*((n, n) for n in range(24))), NOON)
    assert Wallet().renewal_due(NOON)
    assert not wallet.renewal_due(NOON + 12 * HOUR - 1)
    assert wallet.renewal_due(NOON + 12 * HOUR)
    assert wallet.renewal_due(NOON + 30 * HOUR)


def test_expired_passes_leave_and_withheld_ones_leave_nothing() -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 1)), NOON)
    later = wallet.with_fetched(fetched((3, 2)), NOON + 1.5 * HOUR)
    assert [int(held.number, 16) for held in later.held] == [2, 3]
    notice = {"notice": "pass.withheld.case", "parameters": {"until": 1}}
    assert later.with_fetched(FetchedPasses(notice, (), 0), NOON).held == ()


def test_a_wallet_is_read_as_it_was_written() -> None:
    wallet = Wallet().with_fetched(fetched((1, 0), (2, 1)), NOON)
    _, wallet = wallet.choose(NOON)
    assert Wallet.from_json(wallet.to_json()) == wallet


@pytest.mark.parametrize("given", [None, [], {}, {"version": 2}, {"version": 1, "passes": [[1]]}])
def test_a_damaged_wallet_is_named(given: object) -> None:
    with pytest.raises(StoreError, match="damaged"):
        Wallet.from_json(given)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"notice": {"notice": "pass.green", "parameters": {}}, "passes": "text"},
        {"notice": {"notice": 1, "parameters": {}}, "passes": [], "refresh_time": 1},
        {"notice": {"notice": "a", "parameters": {}}, "passes": [7], "refresh_time": 1},
        {"notice": {"notice": "a", "parameters": {}}, "passes": ["HC1:X"], "refresh_time": 1},
    ],
)
def test_an_answer_without_passes_is_refused(answer: object) -> None:
    with pytest.raises(UnreadableMessageError):
        FetchedPasses.from_json(answer)


def test_a_wallet_shows_no_pass_in_its_repr() -> None:
    wallet = Wallet().with_fetched(fetched((1, 0)), NOON)
    assert "HC1:" not in repr(wallet)
    assert wallet.held[0].number not in repr(wallet)

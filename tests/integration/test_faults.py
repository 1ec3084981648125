"""The process is killed at each step of an upload.

Afterwards the store holds no log or one whole log, and the phone can try again.
"""

import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.dying_upload import ATTEMPT, BODY, prepared, uploading
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.service import Authority
from tracetogether.crypto import sha256
from tracetogether.errors import ConflictError
from tracetogether.keyring import KeyRing

# (the step, whether it dies before or after it, is the PIN spent, is the upload there)
POINTS = [
    ("try_pin", "before", False, False),
    ("use_pin", "after", False, False),
    ("add_audit", "after", False, False),  # redeemed, not committed
    ("seal", "before", True, False),  # committed, not answered
    ("add_upload", "before", True, False),
    ("add_upload", "after", True, False),  # written, not committed
    ("refresh", "before", True, True),  # committed, list not found yet, not answered
]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return prepared()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize(("step", "when", "spent", "there"), POINTS)
def test_threat_crash_half_way_loses_nothing(
    request: pytest.FixtureRequest,
    processes: ForkServerContext,
    tmp_path: Path,
    database: str,
    step: str,
    when: str,
    spent: bool,
    there: bool,
) -> None:
    place: Path | str = tmp_path / "a.db"
    if database == "postgres":
        place = request.getfixturevalue("postgres_url")
    with SqlStore.create(place, name="SG_MOH") as store:
        world = World.of(counted_entropy(1), store=store)
        world.keys.save(tmp_path / "keys.txt")
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    words = (str(place), tmp_path / "keys.txt", case.user_id, pin, step, when, NOON)
    phone = uploading(processes, *words)
    phone.start()
    phone.join(timeout=180)
    assert phone.exitcode == -signal.SIGKILL
    with SqlStore.open(place) as store:
        authority = Authority.assemble(
            KeyRing.load(tmp_path / "keys.txt"),
            name=store.name,
            store=store,
            save_keys=lambda _: None,
        )
        assert len(store.uploads(case.case_id)) == int(there)
        authority.audit.verify(by=CONSOLE)
        acts = [entry.act for entry in authority.audit.entries(by=CONSOLE)]
        assert acts.count("pin.redeemed") == int(spent)
        assert acts.count("upload.taken") == int(there)
        # The phone asks again, by the name of its attempt.
        token = authority.intake.redeem_pin(
            case.user_id, pin, sha256(BODY), NOON + 1, attempt=ATTEMPT
        )
        if there:
            with pytest.raises(ConflictError, match="already received"):
                authority.intake.take_upload(token, BODY, NOON + 1)
        else:
            authority.intake.take_upload(token, BODY, NOON + 1)
        assert len(store.uploads(case.case_id)) == 1
        assert authority.tracing.contacts(case, by=CONSOLE).uploads == 1

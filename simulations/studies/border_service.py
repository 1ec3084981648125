"""Cases of a simulated crowd, handed over by the service's own code from authority to authority.

Each authority of the run becomes a whole service with a store, the run's keys and the people with
its app. They recognise each other, as two people on each side do. One case of each authority
uploads its log; the records go to the others in sealed batches, and come out as contact lists.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from itertools import permutations
from typing import Final

import numpy as np

from simulations.one_run import Run
from simulations.scores.scoring import ScoredLines
from simulations.streams import Streams
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import sha256
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_HOUR, Entropy

MakeAuthority = Callable[[str, KeyRing, Entropy], AbstractContextManager[Authority]]
"""Called with a code, the keys and random bytes; returns a service on an empty store."""

_DAYS: Final = 30
_ADDS: Final = Caller("adds partners", frozenset({Role.KEYHOLDER}))
_CONFIRMS: Final = Caller("confirms partners", frozenset({Role.KEYHOLDER}))


def hand_over(
    played: Run, lines: ScoredLines, make: MakeAuthority, delay_h: float
) -> tuple[int, int]:
    """Hand one case of each authority over; return people listed, and those listed alike.

    A person is listed alike if the contact's authority says the same as ``lines``: close contact
    or not.

    Args:
        played: a run with people of several authorities.
        lines: lists across the border, as they are expected.
        make: makes a service.
        delay_h: hours between the end of the hour of the upload and the arrival.
    """
    streams = Streams(played.seed)
    end = played.start + played.scenario.duration_s
    with ExitStack() as stack:
        services = {
            code: stack.enter_context(
                make(code, source.keys, streams.entropy("border", "service", code))
            )
            for code, source in played.sources.items()
        }
        for person, user_id in played.user_ids.items():
            code = played.homes[person]
            services[code].store.add_user(user_id, credential_digest(user_id))
        for here, there in permutations(services, 2):
            _recognise(services[here], services[there], end)
        expected = _expected(played, lines)
        tried = same = 0
        for code, service in services.items():
            cases = sorted({case for case, _ in expected if played.homes[case] == code})
            if not cases:
                continue
            case = int(streams.generator("border", "case", code).choice(cases))
            _upload(service, played, case, end)
            arrives_at = (np.floor(end / SECONDS_PER_HOUR) + 1 + delay_h) * SECONDS_PER_HOUR
            for other in services.keys() - {code}:
                listed = _listed_by(services[other], service, played, float(arrives_at))
                wanted = expected.get((case, other), {})
                people = listed.keys() | wanted.keys()
                tried += len(people)
                same += sum(listed.get(who) == wanted.get(who) for who in people)
    return tried, same


def _expected(played: Run, lines: ScoredLines) -> Mapping[tuple[int, str], dict[str, bool]]:
    """Return the expected lists: case and authority -> user id -> whether a close contact."""
    found: dict[tuple[int, str], dict[str, bool]] = {}
    columns = (lines.listing.case, lines.listing.person, lines.close_contact)
    for case, person, close in zip(*(column.tolist() for column in columns), strict=True):
        of = found.setdefault((case, played.homes[person]), {})
        of[played.user_ids[person]] = close
    return found


def _recognise(here: Authority, there: Authority, now: float) -> None:
    code, key = there.partners.organisation, there.passes.list_key(by=CONSOLE)
    here.partners.add(
        there.passes.trust_list(now),
        now,
        days=_DAYS,
        purposes=frozenset({"records"}),
        address="",
        by=_ADDS,
    )
    here.partners.confirm(code, there.partners.own_fingerprint(key), now, by=_CONFIRMS)


def _upload(service: Authority, played: Run, person: int, now: float) -> None:
    user_id = played.user_ids[person]
    case = service.casework.open_case(user_id, now, by=CONSOLE)
    pin = service.pins.issue(case, now, by=CONSOLE)
    body = write_upload(played.logs[person].rows())
    token = service.intake.redeem_pin(user_id, pin, sha256(body), now)
    service.intake.take_upload(token, body, now)
    service.finder.work_off(now)


def _listed_by(
    receiver: Authority, sender: Authority, played: Run, arrives_at: float
) -> dict[str, bool]:
    """Return user id -> whether a close contact, as the receiver lists the sender's records."""
    origin, code = sender.partners.organisation, receiver.partners.organisation
    sender.record_sending.pack(arrives_at)
    for batch in sender.record_sending.to_send(code, arrives_at):
        receiver.record_taking.from_partner(origin, batch.message, arrives_at)
        sender.record_sending.sent(batch, arrives_at)
    receiver.finder.work_off(arrives_at)
    policy = played.scenario.policy.policy()
    return {
        contact.user_id: contact.close_contact
        for case in receiver.casework.cases(by=CONSOLE)
        if case.origin == origin
        for contact in receiver.tracing.contacts(case, policy, by=CONSOLE).contacts
    }

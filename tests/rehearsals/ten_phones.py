"""Ten phones in a row on bumble's stack, an authority over HTTP, and one of them a case.

    python -m tests.rehearsals.ten_phones                 # two minutes, TempIDs valid for 30 s

The phones keep the rhythm of phones. Their clock and the authority's are one that leaps; the
network between them is the machine's own.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from tests.authority_world import OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.leaping_loop import LeapingLoop
from tests.radio_world import NOW, Phone, Room
from tests.radio_world import world as air_world
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import BLUETRACE, TIMINGS, PhoneTimings
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY

PHONES: Final = 10
SPACING_M: Final = 0.6
CASE: Final = "p0"


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came of it.

    Attributes:
        pairs: ordered pairs of phones, and how many of them stand in the first one's log.
        fewest_tempids: TempIDs under which the least met phone was met.
        sightings: in all logs.
        levels_dbm: of the others in the case's log, the nearest phone first: means.
        weakest_dbm, strongest_dbm: of all sightings.
        rejections: of the phones, by reason.
        links_left: ends of connections left open.
        accepted, rejected: of the case's upload.
        uploaded: sightings that the case sent.
        contacts_m: nearest distances in the contact list, ascending (metres).
        people: how many people the list names.
    """

    pairs: tuple[int, int]
    fewest_tempids: int
    sightings: int
    levels_dbm: list[float]
    weakest_dbm: float
    strongest_dbm: float
    rejections: dict[str, int]
    links_left: int
    accepted: int
    rejected: dict[str, int]
    uploaded: int
    contacts_m: list[float]
    people: int

    def faults(self) -> list[str]:
        """Return what is not as it should be."""
        others = PHONES - 1
        right = {
            "all pairs are in the logs of both": self.pairs[0] == self.pairs[1],
            "each phone was met under two TempIDs": self.fewest_tempids >= 2,
            "no phone rejected anything": not self.rejections,
            "no connection is left": self.links_left == 0,
            "the whole log was accepted": self.accepted == self.uploaded and not self.rejected,
            "the list has each of the others once": len(self.contacts_m) == self.people == others,
            "the farther the weaker": self.levels_dbm == sorted(self.levels_dbm, reverse=True),
            "the distances differ": len(set(self.contacts_m)) == others,
        }
        return [f"not so: {what}" for what, holds in right.items() if not holds]


class _Clock:
    """The loop's time as epoch seconds, for the threads of the server too."""

    loop: LeapingLoop | None = None

    def __call__(self) -> float:
        return NOW + (0.0 if self.loop is None else self.loop.time())


def meet(seconds: float = 120.0, validity_s: int = 30, timings: PhoneTimings = TIMINGS) -> Meeting:
    """Let ten phones be in a room for so long, and the first of them upload."""
    clock = _Clock()
    world = World.of(counted_entropy(0), since=NOW - SECONDS_PER_DAY)
    brief = replace(BLUETRACE, validity_s=validity_s, early_start_s=0)
    # The silence at a change is as short, measured by a TempID's time, as in life.
    change_s = timings.change_s * validity_s / BLUETRACE.validity_s
    timings = replace(timings, change_s=change_s)
    issuer = TempIDIssuer(world.keys, "SG_MOH", parameters=brief)
    issuance = replace(world.authority.issuance, issuer=issuer, parameters=brief)
    authority = replace(world.authority, issuance=issuance)
    names = [f"p{number}" for number in range(PHONES)]
    with http_api.running(http_api.create_app(authority, clock=clock)) as url:
        clients = {name: AuthorityClient(url) for name in names}
        registered = {name: clients[name].register() for name in names}
        owners: dict[str, str] = {}  # token -> name

        def fetcher(name: str) -> Callable[[], Awaitable[object]]:
            async def fetch() -> object:
                batch = clients[name].fetch_batch()  # in this very instant of the leaping clock
                owners.update({tempid.text: name for tempid in batch})
                return batch

            return fetch

        async def stay() -> tuple[list[Phone], int]:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, LeapingLoop)
            clock.loop = loop
            room = Room({name: SPACING_M * place for place, name in enumerate(names)})
            async with air_world(room) as here:
                for name in names:
                    here.start(
                        name,
                        fetch=fetcher(name),
                        timings=timings,
                        now=clock,
                        advertise_every_s=0.25,
                    )
                await asyncio.sleep(seconds)
            return list(here.phones.values()), here.air.open_links

        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            phones, links_left = runner.run(stay())
        logs = {phone.name: phone.log.rows() for phone in phones}
        sent, receipt, contacts = _trace(url, clients[CASE], registered[CASE], logs[CASE])
        for client in clients.values():
            client.close()
    everything = [row for rows in logs.values() for row in rows]
    met = {(name, owners[row.peer]) for name, rows in logs.items() for row in rows}
    under = Counter(owners[token] for token in {row.peer for row in everything})
    heard: dict[str, list[float]] = {name: [] for name in names if name != CASE}
    for row in logs[CASE]:
        heard[owners[row.peer]].append(row.rssi_dbm)
    rejections: Counter[str] = Counter()
    for phone in phones:
        rejections.update({why.value: n for why, n in phone.node.device.rejections.items()})
    return Meeting(
        pairs=(len(met), PHONES * (PHONES - 1)),
        fewest_tempids=min(under[name] for name in names),
        sightings=len(everything),
        levels_dbm=[sum(levels) / max(len(levels), 1) for levels in heard.values()],
        weakest_dbm=min(row.rssi_dbm for row in everything),
        strongest_dbm=max(row.rssi_dbm for row in everything),
        rejections=dict(rejections),
        links_left=links_left,
        accepted=receipt["accepted"],  # type: ignore[arg-type]
        rejected=receipt["rejected"],  # type: ignore[arg-type]
        uploaded=sent,
        contacts_m=sorted(float(contact["nearest_m"]) for contact in contacts),  # type: ignore[arg-type]
        people=len({contact["pseudonym"] for contact in contacts}),
    )


def _trace(
    url: str, client: AuthorityClient, person: PhoneRegistration, log: list[Sighting]
) -> tuple[int, dict[str, object], list[dict[str, object]]]:
    """Upload a case's log; return its length, the receipt and the contact list."""
    with AuthorityClient(url, operator_token=OPERATOR_TOKEN) as operator:
        case_id = operator.open_case(person.user_id)
        body = write_upload(log)
        receipt = client.upload(body, client.redeem_pin(operator.issue_pin(case_id), body))
        return len(log), receipt, operator.contacts(case_id)["contacts"]


def main() -> None:
    """Let them meet and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--validity", type=int, default=30, help="seconds that a TempID is valid")
    chosen = parser.parse_args()
    result = meet(chosen.seconds, chosen.validity)
    print(json.dumps(asdict(result), indent=1))
    faults = result.faults()
    print("faults:", *(faults or ["none"]), sep="\n  ")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

"""An authority whose cases report visits, and the posters of some places."""

from collections.abc import Sequence
from typing import Final

from tests.authority_world import DAY, NOON, NOW, World
from tests.conftest import counted_entropy
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.presence.taking import SentTrip, SentVisit, VisitsReceipt
from tracetogether.presence.packages import WarningPackage, read_package
from tracetogether.presence.posters import Poster, make_poster, poster_url
from tracetogether.presence.trips import TripDay, read_trips
from tracetogether.signed.trust import TrustList
from tracetogether.units import SECONDS_PER_HOUR

HOUR: Final = float(SECONDS_PER_HOUR)
MEI = Caller("mei", frozenset({Role.TRACER, Role.SUPERVISOR}))
RAVI = Caller("ravi", frozenset({Role.TRACER}))
CAFE = make_poster("Café", "Lane 1", entropy=counted_entropy(71))
BAR = make_poster("Bar", "Lane 2", entropy=counted_entropy(72))


def sent(poster: Poster, start: float, minutes: float = 60) -> SentVisit:
    """Return a visit as a phone sends it."""
    return SentVisit(poster_url(poster), start, start + minutes * 60)


class PresenceWorld(World):
    """An authority with cases that report visits."""

    @classmethod
    def new(cls, store: AuthorityStore | None = None) -> "PresenceWorld":
        """Return a new authority."""
        return cls.of(counted_entropy(18), store=store)

    def case_of(self, registered_at: float | None = None, assigned_to: str = "") -> Case:
        """Open a case for a new user."""
        new = self.authority.issuance.register(registered_at)
        case = self.authority.casework.open_case(new.user_id, NOON, by=CONSOLE)
        if assigned_to:
            roles = frozenset({Role.TRACER})
            self.authority.staff.add(assigned_to, roles, assigned_to, NOW, by=CONSOLE)
            return self.authority.casework.assign(case.case_id, assigned_to, NOON, by=CONSOLE)
        return case

    def report(
        self,
        case: Case,
        visits: Sequence[SentVisit] = (),
        trips: Sequence[SentTrip] = (),
        now: float = NOON,
    ) -> VisitsReceipt:
        """Report visits and trips for a case, with a new token."""
        token = self.token(case, b"the log of %s" % case.case_id.encode(), now)
        return self.authority.visits.take(token, visits, trips, now)

    def states(self, case: Case) -> list[str]:
        """Return the states of a case's visits, by their beginning."""
        found = self.authority.warnings.of_case(case.case_id, by=CONSOLE)
        return [shown.kept.state.value for shown in found.visits]

    def trust(self, now: float) -> TrustList:
        """Return the authority's trust list as phones read it."""
        list_key = self.authority.passes.list_key(by=CONSOLE)
        return TrustList.read(self.authority.passes.trust_list(now), list_key)

    def packages(self, now: float) -> list[WarningPackage]:
        """Return all packages that are out."""
        kept = self.store.presence
        bodies = [
            kept.package("warnings", line.number, line.edition) or b""
            for line in kept.packages("warnings")
        ]
        return [read_package(body, self.trust(now)) for body in bodies]

    def trip_lists(self, now: float) -> dict[int, TripDay]:
        """Return the newest lists of trips by the number of their date."""
        kept = self.store.presence
        return {
            line.number: read_trips(
                kept.package("trips", line.number, line.edition) or b"", self.trust(now)
            )
            for line in kept.packages("trips")
        }


__all__ = ["BAR", "CAFE", "DAY", "HOUR", "MEI", "NOON", "RAVI", "PresenceWorld", "sent"]

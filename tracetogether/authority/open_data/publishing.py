"""Counts a day when it is over, adds noise that stays the same, and publishes the day once."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import BATCHES, PASS_BATCHES
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.followed import person_in
from tracetogether.authority.open_data.cells import (
    FIGURES,
    NOTICES,
    PASSES_FETCHED,
    OpenFigure,
    people_in_pairs,
)
from tracetogether.authority.open_data.files import day_csv
from tracetogether.authority.open_data.noise import Draws, discrete_laplace, noise_within
from tracetogether.authority.open_data.store import (
    OPEN_DATA_FROM,
    OPEN_DATA_UNTIL,
    FoundContact,
    OpenStore,
)
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.issuing import NOTICED
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.crypto import sha256
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import OPEN_DATA, OpenDataRules

PHONES: Final = "phones"
"""Under which name it is counted how many phones fetched TempIDs; the wall shows it."""
_PURPOSE: Final = "open"
_SETTING: Final = "open_data"
_NOISE: Final = "tracetogether/v1/open-data/"
_LICENCE_CHARACTERS: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
)
_LONGEST_LICENCE: Final = 40


@dataclass(frozen=True, slots=True)
class OpenCell:
    """One figure of one day, as everybody reads it.

    Attributes:
        figure: its name.
        people: the count with its noise; None if that is below ten, or nobody counted.
        noise_95: the noise lies between minus this and this with a probability of 95 %.
    """

    figure: str
    people: int | None
    noise_95: int


def noisy_cell(
    figure: OpenFigure, count: int, key: bytes, cell: str, rules: OpenDataRules = OPEN_DATA
) -> OpenCell:
    """Return a figure as everybody reads it: with noise, and blank if that makes it small.

    The noise follows from the key, the cell and the count. If a day were published twice, with a
    count that changed meanwhile, equal noise would show the exact change.

    Args:
        figure: what is counted.
        count: the exact count.
        key: of the day, 32 bytes.
        cell: which region and day it is.
        rules: below what a figure is left blank.
    """
    draws = Draws(key, f"{_NOISE}{cell}/{figure.name}/{count}".encode())
    noisy = count + discrete_laplace(draws, figure.most)
    people = noisy if noisy >= rules.small else None
    return OpenCell(figure.name, people, noise_within(figure.most))


@dataclass(frozen=True, slots=True)
class OpenDay:
    """All figures of a day.

    Attributes:
        day: number of the day, in the authority's time zone.
        cells: in the order of ``FIGURES``.
    """

    day: int
    cells: tuple[OpenCell, ...]


@dataclass(frozen=True, slots=True)
class OpenSettings:
    """What the operators chose.

    Attributes:
        served: whether strangers get the files.
        daily: whether the service publishes each further day when it is due.
        licence: name of the licence, such as CC-BY-4.0; "" for none.
    """

    served: bool = False
    daily: bool = False
    licence: str = ""


@dataclass(frozen=True, slots=True)
class OpenData:
    """Counts, previews and publishes figures for everybody.

    Args:
        keys: noise is drawn from their day keys.
        store: holds what is counted, and what is published.
        audit: the log.
        organisation: code of the authority; it is the only region that the store knows.
        days: the authority's time zone.
        rules: what is left out, and when a day is published.
    """

    keys: KeyRing
    store: OpenStore
    audit: Audit
    organisation: str
    days: LocalDays = UTC_DAYS
    rules: OpenDataRules = OPEN_DATA

    # --- operators ---

    def preview(self, now: float, *, by: Caller) -> list[OpenDay]:
        """Return the days that would be published at ``now``, as everybody would read them."""
        by.require(Action.SHOW_OPEN_DATA)
        return self._due(now)

    def publish(
        self, now: float, *, daily: bool = False, licence: str = "", by: Caller
    ) -> list[OpenDay]:
        """Publish all days that are due, and serve the files from now on. A day never changes.

        Args:
            now: epoch seconds.
            daily: let the service publish each further day when it is due.
            licence: name of the licence; "" keeps the one that was named before.
            by: the caller.

        Raises:
            InvalidRequestError: the name of the licence has other characters than such names.
            ConflictError: somebody else publishes the same day now.
        """
        by.require(Action.PUBLISH_OPEN_DATA)
        if len(licence) > _LONGEST_LICENCE or not _LICENCE_CHARACTERS.issuperset(licence):
            msg = "name the licence as data catalogues do, such as CC-BY-4.0 or ODbL-1.0"
            raise InvalidRequestError(msg, "open-data-licence")
        chosen = OpenSettings(True, daily, licence or self.settings().licence)  # noqa: FBT003
        with self.audit.atomic():
            self._put(chosen)
            if daily:
                self.audit.record("open-data.daily", now, by=by.name)
            return self._publish(now, by.name)

    def stop(self, now: float, *, by: Caller) -> None:
        """Serve the files no more, and stop publishing daily. What is published stays stored.

        Who has fetched the files keeps them.
        """
        by.require(Action.PUBLISH_OPEN_DATA)
        with self.audit.atomic():
            self._put(OpenSettings(licence=self.settings().licence))
            self.audit.record("open-data.stopped", now, by=by.name)

    def all(self, *, by: Caller) -> Sequence[OpenDay]:
        """Return what is published, the oldest day first."""
        by.require(Action.SHOW_OPEN_DATA)
        return self.store.open_data.published()

    # --- the service itself ---

    def keep_up(self, now: float) -> None:
        """Count what can't be counted later; publish what is due, if it is to be published daily.

        Call it at least once a day: the counts of requests live for two days.
        """
        yesterday = self.days.day(now) - 1
        begin, end = self.days.start(yesterday), self.days.start(yesterday + 1)
        store = self.store.open_data
        counts = {
            PASSES_FETCHED: store.asking(PASS_BATCHES.name, begin, end),
            NOTICES: store.asking(NOTICED.name, begin, end),
            PHONES: store.asking(BATCHES.name, begin, end),
        }
        store.put_daily(yesterday, counts)
        store.put_daily(yesterday + 1, {PHONES: store.asking(BATCHES.name, end, now)})
        store.drop_daily(self.days.day(now) - self.rules.kept_days)
        if self.settings().daily:
            with self.audit.atomic():
                self._publish(now, "clock")

    # --- everybody ---

    def settings(self) -> OpenSettings:
        """Return what the operators chose."""
        kept = self.store.setting(_SETTING)
        return OpenSettings() if kept is None else OpenSettings(*json.loads(kept))

    def published(self) -> Sequence[OpenDay] | None:
        """Return what everybody may read, the oldest day first; None if nothing is served."""
        return self.store.open_data.published() if self.settings().served else None

    def edition(self) -> tuple[OpenSettings, int]:
        """Return a value that changes when something else is published; it costs two queries."""
        settings = self.settings()
        return settings, len(self.store.open_data.published_days()) if settings.served else 0

    # --- parts of the above ---

    def _put(self, chosen: OpenSettings) -> None:
        kept = json.dumps([chosen.served, chosen.daily, chosen.licence])
        self.store.put_setting(_SETTING, kept)

    def _publish(self, now: float, by: str) -> list[OpenDay]:
        due = self._due(now)
        for day in due:
            if not self.store.open_data.publish(day):
                msg = "that day is published already: `authority open-data list` shows it"
                raise ConflictError(msg, "open-data-published")
            digest = sha256(day_csv(day, self.organisation).encode()).hex()
            self.audit.record("open-data.published", now, by=by, day=day.day, sha256=digest)
            self.store.put_setting(OPEN_DATA_UNTIL, repr(self.days.start(day.day + 1)))
        return due

    def _due(self, now: float) -> list[OpenDay]:
        """Return the days that are over and not published.

        Where the time zone has changed, a day may begin before the newest published one ended. It
        is left out: people in the hours that both have would be in two sets of figures.
        """
        today = self.days.day(now)
        published = set(self.store.open_data.published_days())
        since = float(self.store.setting(OPEN_DATA_FROM) or 0)
        until = float(self.store.setting(OPEN_DATA_UNTIL) or 0)
        return [
            self._made(day)
            for day in range(today - self.rules.kept_days, today - self.rules.after_days + 1)
            if day not in published
            and self.days.start(day) >= until
            and self.days.start(day + 1) > since
            and self.keys.has_day(day)
        ]

    def _made(self, day: int) -> OpenDay:
        counts = self._counted(day)
        return OpenDay(day, tuple(self._cell(figure, day, counts) for figure in FIGURES))

    def _cell(self, figure: OpenFigure, day: int, counts: Mapping[str, int]) -> OpenCell:
        if figure.name not in counts:
            return OpenCell(figure.name, None, noise_within(figure.most))
        key, cell = self.keys.day_key(_PURPOSE, day), f"{self.organisation}/{day}"
        return noisy_cell(figure, counts[figure.name], key, cell, self.rules)

    def _counted(self, day: int) -> dict[str, int]:
        """Return the exact counts of a day; a figure that can't be counted is missing."""
        begin, end = self.days.start(day), self.days.start(day + 1)
        store = self.store.open_data
        found = list(store.found(begin, end))
        restricted = store.restricted(begin, end)
        appealed = store.appealed(begin, end)

        def on(wanted: Callable[[str, str], bool]) -> int:
            return len({user for user, ground, proof in restricted if wanted(ground, proof)})

        def decided(state: AppealState) -> int:
            return len({user for user, outcome in appealed if outcome == state.value})

        return {
            "cases_declared": store.declared(begin, end),
            "contacts_found": self._people(found),
            "contacts_reached": self._people([contact for contact in found if contact.prompt]),
            **store.daily(day),
            "visits_published": store.visiting(begin, end),
            "restricted": on(lambda *_: True),
            "restricted_case": on(lambda ground, _: ground == Ground.CASE.value),
            "restricted_order": on(lambda ground, _: ground == Ground.ORDER.value),
            "restricted_without_evidence": on(
                lambda _, proof: proof == RestrictionEvidence.NONE.value
            ),
            "appeals": len({user for user, _ in appealed}),
            "appeals_lifted": decided(AppealState.LIFTED),
            "appeals_corrected": decided(AppealState.CORRECTED),
            "appeals_upheld": decided(AppealState.UPHELD),
        }

    def _people(self, found: Sequence[FoundContact]) -> int:
        persons = (
            (each.case_user, person_in(each.person, each.contact_id, each.day, self.keys))
            for each in found
        )
        known = ((case, person) for case, person in persons if person is not None)
        return people_in_pairs(known, self.rules.contacts_of_a_case)

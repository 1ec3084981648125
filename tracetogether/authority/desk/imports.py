"""Import cases and operators from CSV: check every line, then import all of them or none."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - `date` is a column here
from typing import Final

from tracetogether.authority.access.operators import OPERATOR_NAME, Operator, Staff
from tracetogether.authority.access.permissions import CONSOLE, Action, Caller, Role
from tracetogether.authority.cases.case import Case, CaseState, day_of
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.errors import AuthorityError, ConflictError, InvalidRequestError, NotFoundError
from tracetogether.units import Entropy

MOST_IMPORT_BYTES: Final = 10_000_000
CASE_COLUMNS: Final = ("user_id", "date", "assigned_to")
OPERATOR_COLUMNS: Final = ("name", "roles")
_OPTIONAL: Final = frozenset({"date", "assigned_to"})
_SEPARATORS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class BadCell:
    """One mistake in a file, and how to correct it.

    Attributes:
        line: 1-based number in the file.
        column: its name, or "" for the whole line.
        remedy: what is wrong and what to do; it repeats nothing from the file.
    """

    line: int
    column: str
    remedy: str


@dataclass(frozen=True, slots=True)
class CaseToOpen:
    """One line of a file of cases."""

    line: int
    user_id: str = field(repr=False)
    day: int
    assigned_to: str


@dataclass(frozen=True, slots=True)
class OperatorToAdd:
    """One line of a file of operators."""

    line: int
    name: str
    roles: frozenset[Role]


def lines_of(
    body: bytes, columns: Sequence[str]
) -> tuple[list[tuple[int, dict[str, str]]], list[BadCell]]:
    """Return the lines of a CSV file, each as (number, column -> cell), and its mistakes.

    Args:
        body: the file: UTF-8, with or without a byte order mark; commas, semicolons or tabs
            separate its cells; the first line has the names.
        columns: the allowed names; all but ``date`` and ``assigned_to`` are required.
    """
    if len(body) > MOST_IMPORT_BYTES:
        return [], [BadCell(1, "", "the file is larger than 10 MB: import it in parts")]
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        return [], [BadCell(line, "", "this is not UTF-8: save the table as CSV UTF-8")]
    first_line = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first_line.count)  # depends on the spreadsheet's language
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, bad = [], []
    try:
        names = [name.strip() for name in next(reader, [])]
        bad = _bad_names(names, columns)
        if bad:
            return [], bad
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                many = (
                    f"{len(cells)} cells where the first line has {len(names)}: "
                    "check the separators"
                )
                bad.append(BadCell(reader.line_num, "", many))
                continue
            values = [cell.strip() for cell in cells]
            rows.append((reader.line_num, dict(zip(names, values, strict=True))))
    except csv.Error:
        bad.append(BadCell(reader.line_num, "", "the quotes don't match: check them on this line"))
    return rows, bad


def _bad_names(names: Sequence[str], columns: Sequence[str]) -> list[BadCell]:
    wanted = ", ".join(columns)
    bad = [
        BadCell(1, name, f"there is no such column: there are {wanted}")
        for name in names
        if name not in columns
    ]
    missing = [column for column in columns if column not in names and column not in _OPTIONAL]
    bad += [
        BadCell(1, column, "this column is missing: add it to the first line") for column in missing
    ]
    if len(set(names)) < len(names):
        bad.append(BadCell(1, "", "a column occurs twice: remove one"))
    return bad


def _with_read_ids(
    rows: Sequence[tuple[int, dict[str, str]]],
) -> tuple[list[tuple[int, dict[str, str]]], list[BadCell]]:
    """Return the lines with plain user ids in place of ids as they are read out, and the slips."""
    read, bad = [], []
    for line, row in rows:
        try:
            read.append((line, {**row, "user_id": read_user_id(row["user_id"])}))
        except InvalidRequestError as error:
            bad.append(BadCell(line, "user_id", str(error)))
    return read, bad


@dataclass(frozen=True, slots=True)
class CaseImport:
    """Opens cases from a file; raises AccessDeniedError if ``by`` may not open cases."""

    casework: Casework

    def check(
        self, body: bytes, now: float, *, by: Caller
    ) -> tuple[list[CaseToOpen], list[BadCell]]:
        """Return the cases that a file would open, and its mistakes.

        Columns: ``user_id``, also as it is read out; ``date`` as YYYY-MM-DD (today if blank);
        ``assigned_to``, the name of a tracer. A user with an open case, or with two lines, is
        reported too.
        """
        by.require(Action.OPEN_CASE)
        rows, bad = lines_of(body, CASE_COLUMNS)
        today = self.casework.days.day(now)
        operators = self.casework.store.operators()
        tracers = {person.name for person in operators if person.holds(Role.TRACER)}
        rows, slips = _with_read_ids(rows)
        bad += slips
        busy = self._with_open_cases({row["user_id"] for _, row in rows})
        found, seen = [], dict[str, int]()
        for line, row in rows:
            wrong = list(self._wrong(line, row, now, tracers, busy, seen))
            bad += wrong
            if not wrong:
                day = day_of(Date.fromisoformat(row["date"])) if row.get("date") else today
                found.append(CaseToOpen(line, row["user_id"], day, row.get("assigned_to", "")))
        if any(case.assigned_to for case in found) and not by.may(Action.ASSIGN_CASE):
            bad.append(BadCell(1, "assigned_to", "only a supervisor gives cases to tracers"))
        return found, sorted(bad, key=lambda cell: cell.line)

    def _wrong(
        self,
        line: int,
        row: Mapping[str, str],
        now: float,
        tracers: set[str],
        busy: set[str],
        seen: dict[str, int],
    ) -> Iterator[BadCell]:
        user_id, date = row["user_id"], row.get("date", "")
        day: int | None = self.casework.days.day(now)
        if date:
            day = _day(date)
            if day is None:
                yield BadCell(line, "date", "this is no date: write it as 2020-05-04")
        if user_id in seen:
            yield BadCell(line, "user_id", f"the same as on line {seen[user_id]}: remove one")
        elif user_id in busy:
            yield BadCell(line, "user_id", "the user has an open case already: remove the line")
        elif day is not None:
            try:
                self.casework.check(user_id, now, day)
            except InvalidRequestError as error:
                yield BadCell(line, "date", str(error))
            except AuthorityError as error:
                yield BadCell(line, "user_id", str(error))
        seen.setdefault(user_id, line)
        if row.get("assigned_to") and row["assigned_to"] not in tracers:
            yield BadCell(line, "assigned_to", "there is no such tracer: `authority user list`")

    def _with_open_cases(self, user_ids: set[str]) -> set[str]:
        busy = {CaseState.OPEN, CaseState.TRACING}
        cases = self.casework.store.cases()
        return {case.user_id for case in cases if case.state in busy} & user_ids

    def run(self, wanted: Sequence[CaseToOpen], now: float, *, by: Caller) -> list[Case]:
        """Open all of the cases, or none.

        Raises:
            AuthorityError: one of them can't be opened any more, so none was. The message names
                the line.
        """
        by.require(Action.OPEN_CASE)
        opened = []
        with self.casework.audit.atomic():
            for row in wanted:
                try:
                    case = self.casework.open_case(row.user_id, now, row.day, by=by)
                    if row.assigned_to:
                        case = self.casework.assign(case.case_id, row.assigned_to, now, by=by)
                except (ConflictError, InvalidRequestError, NotFoundError) as error:
                    msg = f"line {row.line}: {error}; no case was opened"
                    raise type(error)(msg, error.code) from None
                opened.append(case)
        return opened


@dataclass(frozen=True, slots=True)
class OperatorImport:
    """Adds operators from a file; raises AccessDeniedError if ``by`` may not add operators."""

    staff: Staff
    entropy: Entropy

    def check(self, body: bytes, *, by: Caller) -> tuple[list[OperatorToAdd], list[BadCell]]:
        """Return the operators that a file would add, and its mistakes.

        Columns: ``name``; ``roles``, one or more with blanks between.
        """
        by.require(Action.ADD_OPERATOR)
        rows, bad = lines_of(body, OPERATOR_COLUMNS)
        operators = self.staff.store.operators()
        taken = {person.name: "there is or was an operator of that name" for person in operators}
        known = {role.value: role for role in Role}
        found = []
        for line, row in rows:
            name, roles = row["name"], row["roles"].replace(",", " ").split()
            wrong = []
            if not OPERATOR_NAME.fullmatch(name) or name == CONSOLE.name:
                rule = "a name has up to 32 of a-z, 0-9, dot, dash and underscore"
                wrong.append(BadCell(line, "name", rule))
            elif name in taken:
                wrong.append(BadCell(line, "name", f"{taken[name]}: choose another"))
            granted = frozenset(known[role] for role in roles if role in known)
            if not roles or len(granted) < len(set(roles)):
                wrong.append(BadCell(line, "roles", f"give one or more of {', '.join(known)}"))
            elif not granted <= by.roles:
                wrong.append(BadCell(line, "roles", "you can't grant a role that you don't hold"))
            taken.setdefault(name, f"the same name as on line {line}")
            bad += wrong
            if not wrong:
                found.append(OperatorToAdd(line, name, granted))
        return found, sorted(bad, key=lambda cell: cell.line)

    def run(
        self, wanted: Sequence[OperatorToAdd], now: float, *, by: Caller
    ) -> list[tuple[Operator, str]]:
        """Add all of the operators, or none; return each with its token, which is not stored.

        Raises:
            AuthorityError: one of them can't be added any more, so none was.
        """
        by.require(Action.ADD_OPERATOR)
        added = []
        with self.staff.audit.atomic():
            for row in wanted:
                token = new_secret(self.entropy)
                added.append((self.staff.add(row.name, row.roles, token, now, by=by), token))
        return added


def _day(text: str) -> int | None:
    try:
        return day_of(Date.fromisoformat(text)) if len(text) == len("2020-05-04") else None
    except ValueError:
        return None

"""`tracetogether demo`: every step of contact tracing in a minute, beside the simulated truth."""

import math
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
from rich.text import Text

from simulations.one_run import DEFAULT_START, Run, run
from simulations.pages.report import save_picture
from simulations.scores.scoring import CaseScore, ContactScore, ListedContact, score_case
from simulations.scores.truth import GroundTruth, ground_truth
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from simulations.studies.costs import who_tests_positive
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.cli.console import (
    fixed,
    interval_text,
    percent,
    print_json,
    progress,
    right,
    say,
    table,
)
from tracetogether.cli.options import FILE, as_json, number_option
from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.parameters import DEMO_POLICY
from tracetogether.units import SECONDS_PER_HOUR, Interval

SCENARIO: Final = "train-carriage"
PICTURE: Final = Path("tracetogether-demo.png")


@dataclass(frozen=True, slots=True)
class _Traced:
    """The authority's answer about the case, its naming key, and the size of the upload."""

    case: int
    contacts: tuple[ListedContact, ...]
    records: int
    accepted: int
    naming_key: bytes = field(repr=False)


class _Clock:
    """The authority's clock, which the simulated phones set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def set(self, now: float) -> None:
        self.now = now


class _HttpTempIDs:
    """Fetches TempIDs from a real server, for each phone under its own credential."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.phones: dict[str, AuthorityClient] = {}

    def enrol(self, person: int) -> str:  # noqa: ARG002 - the authority never learns it
        client = AuthorityClient(self._url)
        user_id = client.register().user_id
        self.phones[user_id] = client
        return user_id

    def batch(self, user_id: str, now: float) -> TempIDBatch:  # noqa: ARG002 - the server's clock
        return self.phones[user_id].fetch_batch()

    def close(self) -> None:
        for client in self.phones.values():
            client.close()


@click.command()
@number_option("--seed", "Random seed.", default=2, least=0)
@click.option(
    "--picture",
    type=FILE,
    default=PICTURE,
    show_default=True,
    help="File of the picture.",
)
@as_json
def demo(seed: int, picture: Path, *, as_json: bool) -> None:
    """Simulate half an hour in a train and a positive test, and show which contacts are found.

    The command starts an authority on SQLite in a temporary folder, with a real HTTP server on this
    machine. It simulates people in a carriage, whose phones fetch TempIDs from the server and
    meet. One passenger tests positive, gets a PIN and uploads the log. The command prints the
    contacts beside the truth.
    """
    if not picture.resolve().parent.is_dir():  # said now, not after the minute that it takes
        raise StoreError(f"can't write {picture}: there is no folder {picture.parent}")
    began = time.monotonic()
    played, truth, traced = _play(seed)
    scored = score_case(
        played, truth, traced.case, traced.contacts, DEMO_POLICY, naming_key=traced.naming_key
    )
    save_picture(played, scored, picture)
    seconds = time.monotonic() - began
    if as_json:
        print_json(_facts(played, scored, traced, seed, picture, seconds))
    else:
        _print(played, scored, traced, picture, seconds)


def _play(seed: int) -> tuple[Run, GroundTruth, _Traced]:
    """Return the run, the truth about it, and what the authority found."""
    try:
        from tracetogether.adapters import http_api  # noqa: PLC0415 - optional packages
    except ImportError:
        raise MissingExtraError("The demo's authority", "server") from None
    scenario = load_scenario(SCENARIO)
    clock = _Clock(DEFAULT_START)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tracetogether-")))
        # Keys and user ids decide when phones change TempIDs, so the seed gives them too.
        keys = Streams(seed).entropy("authority", "keys")
        operator_token = create_folder(folder, now=clock.now, entropy=keys)
        users = Streams(seed).entropy("authority", "users")
        service = stack.enter_context(opened_folder(folder, entropy=users))
        url = stack.enter_context(http_api.running(http_api.create_app(service, clock=clock)))
        tempids = _HttpTempIDs(url)
        stack.callback(tempids.close)
        with progress(f"{scenario.people.count} people in a train") as advance:
            played = run(
                scenario, seed=seed, source=tempids, on_time=clock.set, on_progress=advance
            )
        clock.set(played.start + scenario.duration_s + SECONDS_PER_HOUR)
        truth = ground_truth(played.tracks, DEMO_POLICY.within_m, walls=played.venue.walls)
        case = who_tests_positive(played, truth, DEMO_POLICY.minutes)
        with AuthorityClient(url, operator_token=operator_token) as desk:
            case_id = desk.open_case(played.user_ids[case])
            pin = desk.issue_pin(case_id)  # in life, read out over the telephone
            phone = tempids.phones[played.user_ids[case]]
            body = write_upload(played.logs[case].rows())
            receipt = phone.upload(body, phone.redeem_pin(pin, body))
            answer = desk.contacts(case_id, policy=DEMO_POLICY.name)
    contacts = tuple(_listed(line) for line in answer["contacts"])
    traced = _Traced(
        case, contacts, receipt["records"], receipt["accepted"], service.desk.keys.naming_key
    )
    return played, truth, traced


def _listed(line: dict[str, Any]) -> ListedContact:
    return ListedContact(
        pseudonym=line["pseudonym"],
        probability=line["probability"],
        minutes=Interval(line["minutes_low"], line["minutes"], line["minutes_high"]),
        nearest_m=Interval(line["nearest_low_m"], line["nearest_m"], line["nearest_high_m"]),
        close_contact=line["close_contact"],
    )


def _facts(
    played: Run, scored: CaseScore, traced: _Traced, seed: int, picture: Path, seconds: float
) -> dict[str, Any]:
    return {
        "scenario": SCENARIO,
        "seed": seed,
        "people": played.scenario.people.count,
        "with_app": len(played.app),
        "policy": asdict(DEMO_POLICY),
        "records": traced.records,
        "records_believed": traced.accepted,
        "contacts": [
            {
                "pseudonym": line.pseudonym,
                "chance": line.probability,
                "minutes": line.minutes.median,
                "minutes_low": line.minutes.low,
                "minutes_high": line.minutes.high,
                "nearest_m": line.nearest_m.median,
                "close_contact": line.close_contact,
                "true_minutes": line.true_minutes,
                "true_nearest_m": _finite(line.true_nearest_m),
                "true_contact": line.true_contact,
            }
            for line in scored.listed
        ],
        "true_contacts": scored.true_contacts,
        "found": scored.found,
        "missed": scored.missed,
        "false_contacts": scored.false_contacts,
        "picture": str(picture),
        "seconds": round(seconds, 2),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(played: Run, scored: CaseScore, traced: _Traced, picture: Path, seconds: float) -> None:
    near = f"within {DEMO_POLICY.within_m:g} m"
    shown = [line for line in scored.listed if line.close_contact or line.true_contact]
    minutes = played.scenario.duration_s // 60
    found = (
        f"Found {scored.found} of {scored.true_contacts} true contacts with the app, "
        f"missed {scored.missed}, listed {scored.false_contacts} falsely."
    )
    say(
        f"{played.scenario.people.count} people in a train for {minutes:g} minutes, "
        f"{len(played.app)} of them with the app. One of these tests positive and uploads "
        f"{traced.records} records; the authority accepts {traced.accepted} of them.",
        table(
            shown,
            (fixed("person"), lambda line: line.pseudonym),
            (right("likely"), lambda line: percent(line.probability)),
            (right(f"minutes {near}"), lambda line: interval_text(line.minutes)),
            (right("true"), lambda line: f"{line.true_minutes:.0f}"),
            (right("nearest, m"), lambda line: f"{line.nearest_m.median:.1f}"),
            (right("true"), lambda line: f"{line.true_nearest_m:.1f}"),
            ("close contact", lambda line: "yes" if line.close_contact else "no"),
            ("in truth", _verdict),
            title="The authority's contact list, beside the truth",
            caption=f"likely: {near} for {DEMO_POLICY.minutes:g} minutes or more; a close contact "
            f"from {percent(DEMO_POLICY.least_chance)} on; in brackets 5 % to 95 %",
        ),
    )
    if others := len(scored.listed) - len(shown):
        say(f"{others} more were heard, and are close contacts neither way.")
    say(
        Text.assemble((found, "bold"), f" ({seconds:.0f} s; picture: {picture})"),
        "One case is a matter of luck: `tracetogether simulate run train-carriage` takes everybody "
        "in turn.",
    )


def _verdict(line: ContactScore) -> Text:
    return {
        (True, True): Text("yes", "green"),
        (False, False): Text("no"),
        (True, False): Text("no: false", "red"),
        (False, True): Text("yes: missed", "yellow"),
    }[line.close_contact, line.true_contact]

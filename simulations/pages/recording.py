"""Writes a run into a folder: positions, contact logs, truth and scores, and a manifest."""

import csv
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.fidelities.record_columns import ContactLogs
from simulations.one_run import Run, log_rows
from simulations.pages.whereabouts import groups_of, meeting_spaces, space_codes
from simulations.provenance import provenance
from simulations.scores.breakdown import Breakdown
from simulations.scores.published import senders
from simulations.scores.scoring import ScoredRun, Scores
from simulations.scores.truth import GroundTruth
from tracetogether import __version__
from tracetogether.errors import StoreError
from tracetogether.whole_file import whole_file, write_whole

MANIFEST: Final = "manifest.json"
POSITIONS: Final = "positions.npz"
LOGS: Final = "contact-logs.csv"
TRUTH: Final = "truth.csv"
CONTACTS: Final = "contacts.csv"
PICTURE: Final = "picture.png"
_FILES: Final = (POSITIONS, LOGS, TRUTH, CONTACTS)
TRACKS: Final = ("xy", "facing", "posture", "carry")

RECORDED_TRACKS: Final = "recorded_tracks"
"""The manifest's key for the source of recorded tracks."""


def prepare_folder(folder: str | Path) -> Path:
    """Return the folder; create it if it is missing. It must be empty or hold an earlier run.

    Raises:
        StoreError: it holds something else, or can't be created.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        holds_something = any(path.iterdir())
    except OSError as error:
        raise StoreError(f"can't make the folder {path}: {error.strerror or error}") from None
    if holds_something and not is_a_run(path / MANIFEST):
        raise StoreError(
            f"{path} holds something that is not a recorded run; choose an empty folder, "
            "nothing was overwritten"
        )
    return path


def is_a_run(manifest: Path) -> bool:
    """Return whether a file is the manifest of a run."""
    try:
        return "digest" in json.loads(manifest.read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def save_run(
    run: Run,
    scored: ScoredRun,
    parts: Breakdown,
    folder: str | Path,
    *,
    recorded_tracks: str | None = None,
) -> Path:
    """Write the run into ``folder`` and return it.

    positions.npz: xy (P, T, 2) m, facing (P, T) rad, posture and carry (P, T) codes, tick_s, app
    (the people with the app), user_ids (theirs), group (P,) names, space (P, T) numbers of names
    in spaces, -1 for none. contact-logs.csv: every row of every phone's log, and whose TempID it
    was (peer; blank where it does not open). truth.csv: every pair that was ever there together (of
    a vectorized run: that was ever within the policy's radius), with both groups, and the space in
    which the two were near for longest.
    contacts.csv: every line of every case's contact list beside the truth, each list in its order;
    ``chance`` is P(the policy's minutes or more). manifest.json is written last: a folder with one
    is complete. It holds the digest of each of these files.

    ``recorded_tracks`` is the source of recorded tracks, if the run is on such.

    Raises:
        StoreError: the folder holds something else, or can't be written.
    """
    path = prepare_folder(folder)
    try:
        for stale in (MANIFEST, PICTURE):  # of another run that was kept here
            (path / stale).unlink(missing_ok=True)
        with whole_file(path / POSITIONS) as half:
            np.savez_compressed(
                half,
                **{name: getattr(run.tracks, name) for name in TRACKS},
                tick_s=np.array(run.tracks.tick_s),
                app=run.app,
                user_ids=np.array([run.user_ids[person] for person in run.app.tolist()]),
                group=np.array(groups_of(run.scenario, run.tracks.people)),
                space=space_codes(run.venue, run.tracks.xy),
                spaces=np.array([] if run.venue.plan is None else run.venue.plan.names, np.str_),
            )
        _write(path / LOGS, _LOG_COLUMNS, _logs(run))
        _write(path / TRUTH, _TRUTH_COLUMNS, _truth(run, scored.truth))
        _write(path / CONTACTS, _CONTACT_COLUMNS, _contacts(scored.scores))
        document = manifest(run, scored.scores, parts)
        document["sha256"] = {name: file_digest(path / name) for name in _FILES}
        if recorded_tracks is not None:
            document[RECORDED_TRACKS] = recorded_tracks
        text = json.dumps(document, indent=2, ensure_ascii=False)
        write_whole(path / MANIFEST, text + "\n")
    except OSError as error:
        raise StoreError(f"can't write into {path}: {error.strerror or error}") from None
    return path


def manifest(run: Run, scores: Scores, parts: Breakdown) -> dict[str, object]:
    """Return everything that is needed to repeat the run and to check the repetition."""
    return {
        "scenario": run.scenario.name,
        "title": run.scenario.title,
        "seed": run.seed,
        "start": run.start,
        "duration_s": run.scenario.duration_s,
        "people": run.tracks.people,
        "with_app": len(run.app),
        "index_cases": [case.person for case in scores.cases],
        "digest": run.digest,
        "scores": scores.to_json() | parts.to_json(),
        "counts": dict(run.counts),
        "keys": asdict(run.scenario),
        "rejections": {reason.value: count for reason, count in run.rejections.items()},
        "versions": {
            "tracetogether": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "provenance": provenance().to_json(),
        "files": list(_FILES),
    }


def file_digest(path: Path) -> str:
    """Return SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expect_own_files(manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuse a folder with a file that its manifest does not describe.

    Raises:
        StoreError: a file belongs to another run, or was changed.
        OSError: a file is missing or can't be read.
    """
    for name, digest in manifest.get("sha256", {}).items():
        if file_digest(folder / name) != digest:
            raise StoreError(
                f"{folder / name} is not the file that {MANIFEST} was written with: it is of "
                "another run, or was changed. Play the run again with: tracetogether simulate run "
                f"--from {folder / MANIFEST} --out DIR"
            )


_LOG_COLUMNS: Final = (
    "person",
    "time",
    "token",
    "rssi_dbm",
    "tx_power_dbm",
    "peer_model",
    "observer_model",
    "as_central",
    "peer",
)
_TRUTH_COLUMNS: Final = (
    "person",
    "other",
    "minutes",
    "nearest_m",
    "group",
    "other_group",
    "space",
)
_CONTACT_COLUMNS: Final = (
    "case",
    "person",
    "pseudonym",
    "chance",
    "minutes_low",
    "minutes",
    "minutes_high",
    "nearest_low_m",
    "nearest_m",
    "nearest_high_m",
    "close_contact",
    "true_minutes",
    "true_nearest_m",
    "true_contact",
)


def _write(path: Path, columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> None:
    with whole_file(path) as half, half.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _logs(run: Run) -> Iterable[tuple[object, ...]]:
    people = {user_id: person for person, user_id in run.user_ids.items()}
    rows = list(log_rows(run.logs))
    peers: list[str | None] = [None] * len(rows)
    issuers = [source.issuer for source in run.sources.values()]
    if run.issuer is not None:
        issuers.append(run.issuer)
    if issuers and rows:
        times, tokens = np.array([row.time for _, row in rows]), [row.peer for _, row in rows]
        for issuer in issuers:
            opened = issuer.open_many(tokens, times).user.to_list()
            peers = [peer or user for peer, user in zip(peers, opened, strict=True)]
    elif run.tokens is not None:
        said = {token: run.user_ids[who] for token, who in senders(run, run.tokens).items()}
        peers = [said.get(row.peer) for _, row in rows]
    for (person, row), peer in zip(rows, peers, strict=True):
        yield (
            person,
            f"{row.time:.6f}",
            row.peer,
            row.rssi_dbm,
            "" if row.tx_power_dbm is None else row.tx_power_dbm,
            row.peer_model or "",
            row.observer_model or "",
            int(row.as_central),
            people.get(peer or "", ""),
        )


def _truth(run: Run, truth: GroundTruth) -> Iterable[tuple[object, ...]]:
    in_columns = isinstance(run.logs, ContactLogs)  # a large crowd has too many pairs together
    first, second = truth.pairs_of(0.0) if in_columns else truth.pairs_together()
    groups = groups_of(run.scenario, run.tracks.people)
    columns = (first, second, truth.minutes_of(first, second), truth.nearest_m_of(first, second))
    spaces = meeting_spaces(run, first, second)
    rows = zip(*(column.tolist() for column in columns), spaces, strict=True)
    for person, other, minutes, gap_m, space in rows:
        near = (f"{minutes:.4f}", f"{gap_m:.3f}")
        yield person, other, *near, groups[person], groups[other], space


def _contacts(scores: Scores) -> Iterable[tuple[object, ...]]:
    for case in scores.cases:
        for line in case.listed:
            yield (
                case.person,
                "" if line.person is None else line.person,
                line.pseudonym,
                f"{line.probability:.4f}",
                *(f"{value:.3f}" for value in astuple(line.minutes)),
                *(f"{value:.3f}" for value in astuple(line.nearest_m)),
                int(line.close_contact),
                f"{line.true_minutes:.4f}",
                f"{line.true_nearest_m:.3f}",
                int(line.true_contact),
            )

"""Exposure windows and the three scores that are computed from them."""

import numpy as np
import pytest

from tests.protocols.known_answers import answers
from tests.protocols.test_gaen import START, TEK, log_of, peer
from tracetogether.gaen.corona_warn import RiskLevel, judge, normalised_minutes, risk_levels
from tracetogether.gaen.near import matches
from tracetogether.gaen.report import MISSING, DiagnosisKeys
from tracetogether.gaen.risk import (
    FirstRiskSettings,
    SecondRiskSettings,
    day_summaries,
    first_risk,
    score_first,
    weighted_seconds,
)
from tracetogether.gaen.windows import (
    ExposureWindows,
    infectiousness_of,
    scan_seconds,
    windows_of,
)
from tracetogether.labels import Labels

CASES = answers("cwa_risk")["cases"]
TABLE = np.array([0] * 12 + [1, 1] + [2] * 5 + [1] * 5 + [0] * 5)  # days -14 to +14
TODAY = 20_000


def windows_of_case(case: dict) -> ExposureWindows:
    windows = case["exposureWindows"]
    scans = [
        (place, scan) for place, window in enumerate(windows) for scan in window["scanInstances"]
    ]

    def column(name: str) -> np.ndarray:
        return np.array([window[name] for window in windows], dtype=np.int64)

    def scan_column(name: str) -> np.ndarray:
        return np.array([scan[name] for _, scan in scans], dtype=np.int64)

    return ExposureWindows(
        Labels.constant("ben", len(windows)),
        TODAY - column("ageInDays"),
        column("reportType"),
        column("infectiousness"),
        column("calibrationConfidence"),
        np.array([place for place, _ in scans]),
        scan_column("typicalAttenuation"),
        scan_column("minAttenuation"),
        scan_column("secondsSinceLastScan"),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["description"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_apps_judgement(case: dict, shuffled: bool) -> None:
    windows = windows_of_case(case)
    if shuffled:
        windows = windows.shuffled(np.random.default_rng(3))
    result = judge(windows)

    def age(level: RiskLevel) -> int | None:
        day = result.newest(level)
        return None if day is None else TODAY - day

    assert result.total == case["expTotalRiskLevel"]
    assert age(RiskLevel.LOW) == case["expAgeOfMostRecentDateWithLowRisk"]
    assert age(RiskLevel.HIGH) == case["expAgeOfMostRecentDateWithHighRisk"]
    assert result.count(RiskLevel.LOW) == case["expNumberOfDaysWithLowRisk"]
    assert result.count(RiskLevel.HIGH) == case["expNumberOfDaysWithHighRisk"]
    expected = case["expTotalMinimumDistinctEncountersWithLowRisk"]
    assert result.low_encounters == expected
    assert result.high_encounters == case["expTotalMinimumDistinctEncountersWithHighRisk"]


def one_scan(least_db: int, report: int = 1, infectiousness: int = 2) -> dict:
    """Return a case with a scan of 300 seconds."""
    scan = {
        "minAttenuation": least_db, "typicalAttenuation": least_db, "secondsSinceLastScan": 300
    }  # fmt: skip
    window = {
        "ageInDays": 1, "reportType": report, "infectiousness": infectiousness,
        "calibrationConfidence": 0, "scanInstances": [scan],
    }  # fmt: skip
    return {"exposureWindows": [window]}


def test_weights_levels_and_values_are_those_of_the_apps_configuration() -> None:
    known = answers("cwa_risk")["configuration"]
    for part in known["minutesAtAttenuationWeights"]:
        bounds = part["attenuationRange"]
        assert bounds["maxExclusive"]
        for least_db in (bounds["min"], bounds["max"] - 1):
            (minutes,) = normalised_minutes(windows_of_case(one_scan(least_db)))
            assert minutes == round(5 * 1.6 * part["weight"], 9)
    last = known["minutesAtAttenuationWeights"][-1]["attenuationRange"]["max"]
    assert normalised_minutes(windows_of_case(one_scan(last))).tolist() == [0]
    values = {
        row["transmissionRiskLevel"]: row["transmissionRiskValue"]
        for row in known["transmissionRiskValueMapping"]
    }
    offsets = known["trlEncoding"]
    names = ("ConfirmedTest", "ConfirmedClinicalDiagnosis", "SelfReport", "Recursive")
    for report, name in enumerate(names, start=1):
        for infectiousness, strength in ((1, "Standard"), (2, "High")):
            level = offsets[f"reportTypeOffset{name}"]
            level += offsets[f"infectiousnessOffset{strength}"]
            windows = windows_of_case(one_scan(63, report, infectiousness))
            assert risk_levels(windows).tolist() == [level]
            assert normalised_minutes(windows).tolist() == [round(5 * values[level], 9)]


def test_nine_minutes_are_nine_though_tenths_do_not_add_up() -> None:
    (case,) = [case for case in CASES if "tenth" in case["description"]]
    assert normalised_minutes(windows_of_case(case)).tolist() == [9.6]
    scan = {"minAttenuation": 75, "typicalAttenuation": 75, "secondsSinceLastScan": 300}
    window = {**case["exposureWindows"][0], "infectiousness": 1, "reportType": 2}
    windows = windows_of_case({"exposureWindows": [{**window, "scanInstances": [scan] * 18}]})
    assert normalised_minutes(windows).tolist() == [9.0]
    assert judge(windows).total is RiskLevel.HIGH


def seen(offsets_s: list[float], days: int = 0) -> tuple:
    """Return a log with readings of the known key at these times, its matches and keys."""
    begin = START * 600.0 + 7_200
    times = [begin + offset for offset in offsets_s]
    peers = [peer(TEK, START, int((time - START * 600) // 600)) for time in times]
    log = log_of(peers, times, ["ben"] * len(times))
    keys = DiagnosisKeys.of([TEK], [START], report_type=1, days_since_onset=days)
    return log, matches(log, keys), keys


def test_a_window_ends_before_30_minutes() -> None:
    windows = windows_of(*seen([0, 300, 1_799, 1_800, 3_000, 3_600]), infectiousness=TABLE)
    assert np.bincount(windows.window).tolist() == [3, 2, 1]
    assert windows.infectiousness.tolist() == [2, 2, 2]
    assert windows.confidence.tolist() == [3, 3, 3]
    assert windows.typical_db.tolist() == [45] * 6
    assert windows.seconds.tolist() == [120, 300, 300, 300, 300, 300]


def test_readings_close_in_time_are_one_scan() -> None:
    log, found, keys = seen([0, 4, 29.4, 54.9, 240])
    log = log.replaced(rssi_dbm=np.array([-50.0, -61.0, -62.0, -70.0, -58.0]))
    windows = windows_of(log, found, keys, infectiousness=TABLE)
    assert windows.least_db.tolist() == [35, 55, 43]
    assert windows.typical_db.tolist() == [43, 55, 43]  # (35 + 46 + 47) / 3 rounded
    assert windows.seconds.tolist() == [120, 0, 240]


def test_windows_of_many_phones_and_keys_stay_apart() -> None:
    entropy = np.random.default_rng(8)
    secrets = [entropy.bytes(16) for _ in range(5)]
    keys = DiagnosisKeys.of(secrets, [START] * 5, report_type=1, days_since_onset=0)
    rows = sorted(
        (START * 600 + float(entropy.integers(0, 86_000)), person, number)
        for person in range(4)
        for number in range(5)
        for _ in range(40)
    )
    log = log_of(
        [
            peer(secrets[number], START, int((time - START * 600) // 600))
            for time, _, number in rows
        ],
        [time for time, _, _ in rows],
        [f"phone {person}" for _, person, _ in rows],
    )
    windows = windows_of(log, matches(log, keys), keys, infectiousness=TABLE)
    expected = 0
    for person in range(4):
        for number in range(5):
            opened = -np.inf
            for time, other, key in rows:
                if (other, key) == (person, number) and time - opened >= 1_800:
                    opened = time
                    expected += 1
    assert len(windows) == expected
    assert len(set(windows.window.tolist())) == expected


def test_seconds_since_the_last_scan_are_whole_minutes_up_to_five() -> None:
    time = np.array([600.0, 659.0, 660.0, 1_200.0, 600.0])
    before = np.array([np.nan, 600.0, 659.0, 600.0, 300.0])
    assert scan_seconds(time, before).tolist() == [120, 0, 60, 300, 300]


def test_infectiousness_by_days_since_onset() -> None:
    days = np.array([-15, -14, -2, 0, 5, 14, 15, MISSING])
    assert infectiousness_of(days, TABLE).tolist() == [0, 0, 1, 2, 1, 0, 0, 1]


def test_first_score_multiplies_four_buckets_at_their_bounds() -> None:
    rising = tuple(range(1, 9))
    settings = FirstRiskSettings(rising, rising, rising, rising)

    def score(lost: float = 5, days: int = 0, minutes: int = 35, risk: int = 8) -> int:
        arrays = (np.array([lost]), np.array([days]), np.array([minutes]), np.array([risk]))
        return int(score_first(*arrays, settings)[0])

    assert score() == 4_096
    bounds = [73.1, 73, 63, 51, 33, 27, 15, 10]
    assert [score(lost) // 512 for lost in bounds] == list(rising)
    assert [score(days=days) // 512 for days in (14, 13, 11, 9, 7, 5, 3, 1)] == list(rising)
    assert [score(minutes=m) // 512 for m in (0, 5, 10, 15, 20, 25, 30, 31)] == list(rising)
    assert [score(risk=risk) // 512 for risk in range(9)] == list(range(9))
    with pytest.raises(ValueError, match="eight scores"):
        FirstRiskSettings((1,), rising, rising, rising)


def test_an_exposure_of_the_first_version() -> None:
    ones = (1,) * 8
    settings = FirstRiskSettings(ones, ones, ones, ones, thresholds_db=(45, 46))
    log, found, keys = seen([0, 300, 600, 1_201, 1_500])
    log = log.replaced(rssi_dbm=np.array([-58.0, -60.0, -62.0, -60.0, -60.0]))
    exposures = first_risk(log, found, keys, START * 600 + 3 * 86_400.0, settings)
    assert exposures.minutes.tolist() == [15, 10]
    # 43 dB for 150 + 300 s, 45 for 300, 47 for 150: over 900 s
    assert exposures.attenuation_db.tolist() == [(43 * 450 + 45 * 300 + 47 * 150) / 900, 45]
    assert exposures.minutes_at.tolist() == [[7.5, 5, 2.5], [0, 599 / 60, 0]]
    assert exposures.score.tolist() == [0, 0]  # a key without a risk level


def test_day_summaries_of_the_second_version() -> None:
    windows = windows_of(*seen([0, 300, 3_000]), infectiousness=TABLE)
    settings = SecondRiskSettings((30, 45, 60), (2.0, 1.0, 0.5, 0.0), (0, 0.5, 0, 0, 0, 0))
    assert weighted_seconds(windows, settings).tolist() == [420, 300]
    found = day_summaries(windows, settings)
    assert (found.greatest.tolist(), found.score.tolist()) == ([210], [360])
    assert found.weighted_s.tolist() == [720]
    assert found.observer.to_list() == ["ben"]
    at_least = SecondRiskSettings(
        (30, 45, 60), (2.0, 1.0, 0.5, 0.0), (0, 0.5, 0, 0, 0, 0), least_window_score=151
    )
    assert day_summaries(windows, at_least).score.tolist() == [210]

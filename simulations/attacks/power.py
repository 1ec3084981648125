"""Attackers who make a phone that is far away look near: by a false claim, or by a loud sender."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.claims import LEAST_CLAIM_DBM, NEAREST_RSSI_DBM, written_down
from simulations.attacks.deployment import BEGIN, Deployment, TokensHeard, numbers_of
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.phone_made import CLAIMED_DBM
from simulations.attacks.rows import (
    SIMULATED,
    Attack,
    AttackCost,
    AttackRow,
    AttackSettings,
    exact_row,
    mean_row,
)
from simulations.radio.channel import direct_loss_db
from simulations.streams import Streams
from tracetogether.labels import Labels
from tracetogether.parameters import CWA_POLICY
from tracetogether.proximity.calibration import (
    EXPOSURE_NOTIFICATION_TRANSMIT,
    RECEIVE,
    Calibration,
)
from tracetogether.proximity.encounters import DEFAULT_ESTIMATOR, encounters
from tracetogether.proximity.estimates import chances_of
from tracetogether.proximity.grid import group_sums
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_HOUR, Floats, Ints

_CASE: Final = 0
_NEAR_M: Final = 5.0
_FAR_M: Final = 10.0
_NOON_S: Final = 12 * SECONDS_PER_HOUR
_BREAKPOINT_M: Final = 8.0
_BEYOND_EXPONENT: Final = 3.0
_BODY_DB: Final = 12.0  # pockets and bodies on the way
_PHONE_SD_DB: Final = 3.0  # between phones, for as long as they are together
_READING_SD_DB: Final = 4.0
_EVERY_S: Final = 30.0


def levels(distance_m: Floats, seconds: Floats, chance: np.random.Generator) -> Floats:
    """Return what phones at given distances receive of one phone, (people, times) dBm.

    Args:
        distance_m: (people,) from the sender.
        seconds: (times,) of the readings.
        chance: of phones and of readings.
    """
    radiated = EXPOSURE_NOTIFICATION_TRANSMIT.mean_dbm
    loss = direct_loss_db(distance_m, _BREAKPOINT_M, _BEYOND_EXPONENT) + _BODY_DB + RECEIVE.mean_db
    of_phone = chance.normal(0, _PHONE_SD_DB, len(distance_m))
    noise = chance.normal(0, _READING_SD_DB, (len(distance_m), len(seconds)))
    return np.asarray((radiated - loss + of_phone)[:, None] + noise)


def alarmed(warned: Sightings) -> Ints:
    """Return who is a close contact by the Corona-Warn-App's rule: 15 weighted minutes."""
    if not len(warned):
        return np.empty(0, np.int64)
    people, minutes = _minutes(warned, f"{CWA_POLICY.rule}")
    return np.asarray(people[chances_of(minutes, CWA_POLICY.minutes) >= CWA_POLICY.least_chance])


def minutes_near(warned: Sightings) -> float:
    """Return the mean of the people's minutes within 2 m by the default estimator."""
    if not len(warned):
        return 0.0
    _, minutes = _minutes(warned, DEFAULT_ESTIMATOR)
    return float(minutes[:, minutes.shape[1] // 2].mean())


def _minutes(warned: Sightings, estimator: str) -> tuple[Ints, Floats]:
    """Return who was near the case, and the minutes at the quantiles of the phones' offsets."""
    # All pseudonyms are the same case here, however often its tokens change their name.
    one_case = warned.replaced(peer=Labels.constant("case", len(warned)))
    met = encounters(
        one_case,
        within_m=CWA_POLICY.within_m,
        estimator=estimator,
        calibration=Calibration.prior(),
    )
    people, of = np.unique(numbers_of(met.observer), return_inverse=True)
    columns = [group_sums(each, of, len(people)) for each in met.minutes_at_offset_quantiles.T]
    return people, np.column_stack(columns)


class ForgedPower(Attack):
    """Somebody changes what is claimed beside a token, or sends it louder."""

    name = "power"
    summary = "change the claimed transmit power on the way, or send louder than a phone"
    metrics: ClassVar = {
        "moved_db": "decibels by which a changed claim makes a phone look nearer",
        "alarms_5m": "share of people at 5 m who are alarmed by the rule of CWA, no attack",
        "alarms_10m": "the same at 10 m",
        "alarms_5m_claim": "at 5 m, with the changed claim",
        "alarms_10m_claim": "at 10 m, with the changed claim",
        "alarms_5m_loud": "at 5 m, sent louder by the gain",
        "alarms_10m_loud": "at 10 m, sent louder by the gain",
        "minutes_10m": "minutes within 2 m at 10 m, by the default estimator, no attack",
        "minutes_10m_claim": "the same, with the changed claim",
        "minutes_10m_loud": "the same, sent louder by the gain",
    }
    takes = ("people", "gain_db", "stay_min")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one sender that plays the case's tokens again, or a loud phone."""
        del settings
        return AttackCost(devices=1, hours=0.5)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return dB moved by a claim, and alarms at 5 and 10 m by shipped estimators."""
        people = settings.people
        deployment = deploy(protocol, Streams(settings.seed), people + 1)
        seconds = np.arange(0, settings.stay_min * 60, _EVERY_S)
        rows: list[AttackRow] = []
        moved = float("nan")
        for distance in (_NEAR_M, _FAR_M):
            chance = Streams(settings.seed).generator("levels", f"{distance:g}")
            level = levels(np.full(people, distance), seconds, chance)
            honest = warned_at(protocol, deployment, level, seconds, forged=False)
            claimed = warned_at(protocol, deployment, level, seconds, forged=True)
            loud = warned_at(
                protocol,
                deployment,
                np.minimum(level + settings.gain_db, NEAREST_RSSI_DBM),
                seconds,
                forged=False,
            )
            if distance == _NEAR_M:
                moved = _attenuation(honest) - _attenuation(claimed)
            for kind, warned in (("", honest), ("_claim", claimed), ("_loud", loud)):
                yes = np.isin(np.arange(1, people + 1), alarmed(warned)).astype(np.float64)
                rows.append(mean_row(protocol, f"alarms_{distance:g}m{kind}", yes.tolist()))
                if distance == _FAR_M:
                    near = minutes_near(warned)
                    row = exact_row(protocol, f"minutes_10m{kind}", near, None, SIMULATED)
                    rows.append(row)
        expected = 0.0 if protocol == "robert" else None
        if protocol not in {"robert", "bluetrace"}:
            expected = float(CLAIMED_DBM - LEAST_CLAIM_DBM)
        source = "exact: from -21 to -50 dBm claimed" if expected else "the level itself is claimed"
        if expected == 0:
            source = "exact: the server leaves the claim out"
        return [exact_row(protocol, "moved_db", round(moved, 6), expected, source), *rows]


def warned_at(
    protocol: str, deployment: Deployment, level: Floats, seconds: Floats, *, forged: bool
) -> Sightings:
    """Return the readings that warn, if all people are near the case at these levels.

    Args:
        protocol: its name.
        deployment: of the case, 0, and the people, 1 to n.
        level: (n, times) dBm.
        seconds: (times,) after noon of the first day.
        forged: whether somebody changes what is claimed.
    """
    people = np.repeat(np.arange(1, len(level) + 1), len(seconds))
    times = np.tile(BEGIN + _NOON_S + seconds, len(level))
    heard = TokensHeard.of(people, _CASE, times, rssi_dbm=np.rint(level).ravel()).both_ways()
    log = deployment.log(heard)
    written: dict[str, tuple[str, float, bool]] = {}
    tokens = deployment.tokens(heard.sender, heard.sent)
    for row, token in enumerate(tokens):
        if token not in written:
            at = float(heard.sent[row])
            kept = written_down(protocol, token, at, -70.0, forged=forged)
            stated = kept.rssi_dbm != -70.0
            power = kept.rssi_dbm if stated else kept.tx_power_dbm
            written[token] = kept.peer, np.nan if power is None else power, stated
    kept_of = [written[token] for token in tokens]
    levels_stated = np.array([kept[2] for kept in kept_of], dtype=bool)
    values = np.array([kept[1] for kept in kept_of])
    changed = log.replaced(
        rssi_dbm=np.where(levels_stated, values, log.rssi_dbm),
        tx_power_dbm=np.where(levels_stated, np.nan, values),
    )
    if protocol != "desire":  # whose log holds what the two made of the token
        changed = changed.replaced(peer=Labels.encode([kept[0] for kept in kept_of]))
    reported(deployment, [_CASE], changed)
    return deployment.warned(changed)


def _attenuation(warned: Sightings) -> float:
    found = Calibration.prior().attenuation(warned)
    return float(np.mean(found.db))

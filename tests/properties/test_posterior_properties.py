"""What holds for the posterior whatever is heard."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proximity_world import START
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.posterior import infer
from tracetogether.proximity.sampling import Effort
from tracetogether.sightings import Sightings

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})
SHORT = Effort(chains=2, approach=4, moves=4, kept_every=2, leaps=2)

rows = st.lists(
    st.tuples(
        st.integers(0, 1200).map(lambda n: START + n),
        st.sampled_from(["anna", "ben", "cara"]),
        st.sampled_from(["anna", "ben", "cara", "dora"]),
        st.integers(-80, -40),
    ).filter(lambda row: row[1] != row[2]),
    min_size=1,
    max_size=60,
)


def log(readings, model: str = "known") -> Sightings:
    return Sightings.from_columns(
        time=[row[0] for row in readings],
        observer=[row[1] for row in readings],
        peer=[row[2] for row in readings],
        rssi_dbm=[row[3] for row in readings],
        observer_model=[model] * len(readings),
        peer_model=[model] * len(readings),
    )


def medians(posterior) -> dict[tuple[str, str], np.ndarray]:
    distance = posterior.distance_m((0.5,))[0]
    names = [*posterior.pairs.names, ""]
    return {
        (names[a], names[b]): distance[row]
        for row, (a, b) in enumerate(
            zip(posterior.pairs.first.tolist(), posterior.pairs.second.tolist(), strict=True)
        )
    }


@pytest.mark.slow
@given(
    readings=rows, louder_db=st.integers(0, 20), logs=st.sampled_from([LogsUsed.OWN, LogsUsed.PAIR])
)
@settings(max_examples=80, deadline=None)
def test_a_stronger_signal_is_never_farther(readings, louder_db, logs):
    who = readings[0][1:3]
    louder = [(t, a, b, rssi + louder_db * ({a, b} == set(who))) for t, a, b, rssi in readings]
    before = medians(infer(log(readings), logs, calibration=KNOWN))
    after = medians(infer(log(louder), logs, calibration=KNOWN))
    pair = tuple(who) if logs is LogsUsed.OWN else tuple(sorted(who))
    assert np.all(after[pair] <= before[pair] * (1 + 1e-6))


@pytest.mark.slow
@given(readings=rows, logs=st.sampled_from([LogsUsed.OWN, LogsUsed.PAIR]), scans=st.integers(1, 30))
@settings(max_examples=80, deadline=None)
def test_more_missed_scans_are_never_nearer(readings, logs, scans):
    """anna hears ben while cara comes and goes; then she listens more often, to ben alone."""
    steady = [(START + 60.0 * n, "anna", "ben", -60) for n in range(21)]
    steady += [(START + 60.0 * n, "cara", "ben", -60) for n in range(21)]
    heard = [row for row in readings if {row[1], row[2]} == {"anna", "cara"}]
    heard += [(START + 300.0, "anna", "cara", -70), (START + 900.0, "anna", "cara", -70)]
    missed = [(START + 315.0 + 20 * n, "anna", "ben", -60) for n in range(scans)]
    scans_with_cara = {row[0] // 10 for row in heard}
    missed = [row for row in missed if row[0] // 10 not in scans_with_cara]
    before = medians(infer(log(steady + heard), logs, calibration=KNOWN))["anna", "cara"]
    after = medians(infer(log(steady + heard + missed), logs, calibration=KNOWN))["anna", "cara"]
    assert np.all(after >= before * (1 - 1e-6))


@given(readings=rows, seed=st.integers(0, 99), logs=st.sampled_from(list(LogsUsed)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_readings_has_no_effect(readings, seed, logs):
    order = np.random.default_rng(seed).permutation(len(readings))
    one, other = (
        infer(log(some), logs, calibration=KNOWN, effort=SHORT)
        for some in (readings, [readings[n] for n in order])
    )
    assert one.mean_log10_m.tobytes() == other.mean_log10_m.tobytes()
    assert one.persistent_sd.tobytes() == other.persistent_sd.tobytes()


@given(readings=rows, logs=st.sampled_from([LogsUsed.OWN, LogsUsed.PAIR]))
@settings(max_examples=40, deadline=None)
def test_unknown_phones_give_wider_intervals(readings, logs):
    known = infer(log(readings), logs, calibration=KNOWN)
    other = infer(log(readings, "other"), logs, calibration=KNOWN)
    assert np.all(other.persistent_sd > known.persistent_sd)


@given(readings=rows, logs=st.sampled_from(list(LogsUsed)), within_m=st.floats(0.2, 20))
@settings(max_examples=30, deadline=None)
def test_a_posterior_is_a_distribution_in_every_slot(readings, logs, within_m):
    found = infer(log(readings), logs, calibration=KNOWN, effort=SHORT)
    near, wider = found.probability(within_m), found.probability(2 * within_m)
    assert np.all((near >= 0) & (near <= wider + 1e-6) & (wider <= 1 + 1e-6))
    time_s = np.full(near.shape, 60.0)
    minutes = found.minutes(within_m, time_s)
    assert np.all(minutes.low >= 0)
    assert np.all(minutes.high <= found.slots + 1e-4)
    low, median, high = found.distance_m()
    assert np.all(low < median)
    assert np.all(median < high)
    # Draw by draw, the nearest moment is no farther than any moment: so are the quantiles.
    spread = found.persistent_sd[:, None, None] * found.persistent_z
    draws_m = 10 ** (found.mean_log10_m + spread)
    quantiles_m = np.quantile(draws_m, (0.05, 0.5, 0.95), axis=2).min(axis=2)
    nearest = found.nearest_m(time_s)
    for nearest_m, least_m in zip(
        (nearest.low, nearest.median, nearest.high), quantiles_m, strict=True
    ):
        assert np.all(nearest_m <= least_m * (1 + 1e-6))

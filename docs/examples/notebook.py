"""From a table of readings to the number that an epidemic simulator needs.

    python notebook.py [READINGS.csv]

READINGS.csv has the columns of docs/howto/notebook.md; without it, two simulated half hours in an
office stand for a recording. Needs `pip install 'tracetogether[pandas,plot]' covasim`.
"""

import sys

import covasim as cv
import numpy as np
import pandas as pd

from simulations import Scenario, run, sweep
from tracetogether import ShareEstimator, Sightings, encounters, encounters_by_time
from tracetogether.evaluation import evaluate_recording, read_recording

PATH = sys.argv[1] if len(sys.argv) > 1 else "readings.csv"
if len(sys.argv) == 1:
    office = Scenario.load("office-day").with_(count=12, duration_s=1800, adoption=1)
    heard = [pd.DataFrame(run(office, seed=seed).readings).assign(room=seed) for seed in (1, 2)]
    for frame in heard:  # other people in each run
        frame[["observer", "peer"]] += 100 * frame[["room"]].to_numpy()
    pd.concat(heard).to_csv(PATH, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")

# Encounters, and the chance of being near over time, of the phone with the most readings.
table = pd.read_csv(PATH, dtype={"observer": str, "peer": str})
own = table[table.observer == table.observer.mode()[0]]
log = Sightings.from_columns(
    time=own.time, observer=own.observer, peer=own.peer, rssi_dbm=own.rssi_dbm
)
frame = encounters(log, within_m=2.0).to_pandas()
print(frame.nlargest(3, "minutes_near")[["peer", "start", "minutes_near", "nearest_m"]])
near = encounters_by_time(log).to_pandas().pivot_table("chance_near", "start", "peer")
near.plot(ylabel="P(within 2 m)", legend=False).figure.savefig("near.svg")

# An estimator of one's own beside the shipped ones: which half minutes lose less than 55 dB?
loud = ShareEstimator("loud", lambda slots, _: np.where(slots.attenuation_db < 55, 1.0, 0.0))
columns = "time=time,observer=observer,peer=peer,rssi=rssi_dbm,distance=distance_m,scene=room"
recording, chosen = read_recording(PATH, columns), ["single-log", "bucket-cwa", loud]
rows = evaluate_recording(recording, chosen, radii_m=[2.0], windows_s=[300.0])
print(rows.to_pandas()[["estimator", "logs", "auc", "ndcf", "ece"]])

# A quarter of an hour of a school over adoption; the share of contacts found at its own 40 %.
school = Scenario.load("school").with_({"policy.minutes": 8}, duration_s=900)
found = sweep(school, {"adoption": [0.2, 0.4, 0.6]}, seeds=2, cases=20)
found.save_plot("school.svg")
share = found.to_pandas().set_index("people.adoption").loc[0.4, "found"]

# The number used: covasim's 2,000 people for 60 days, without tracing in schools and with it.
traced = cv.contact_tracing(trace_probs={"s": share}, trace_time={"s": 0})
for measures in ([], [traced]):
    city = {"pop_type": "hybrid", "pop_size": 2000, "pop_infected": 20, "n_days": 60}
    tests = cv.test_prob(symp_prob=0.2, asymp_prob=0.01)
    sim = cv.Sim(city, rand_seed=1, verbose=0, interventions=[tests, *measures])
    sim.run()
    known = f"{share:.1%} of contacts in schools traced" if measures else "no tracing"
    print(f"{known}: {int(sim.summary['cum_infections']):,} infections")

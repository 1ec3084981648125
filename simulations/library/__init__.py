"""The crowd simulator from Python: play a scenario, vary it, compare two.

``from simulations import Scenario, run, sweep, compare`` gives these names. The commands
``simulate run`` and ``simulate sweep`` call the same functions.

>>> from simulations import Scenario, run
>>> lift = Scenario.load("lift").with_(adoption=1.0)
>>> played = run(lift, seed=3)
>>> played.scenario.people.adoption
1.0
"""

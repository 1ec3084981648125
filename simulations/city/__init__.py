"""An epidemic in a whole city whose contacts are computed when needed and never stored.

``City``, ``run``, ``compare`` and ``sweep`` are the names for programs. ``run`` and ``compare`` are
functions here, and also modules of this package: the functions are bound last, so they stay.
"""

from simulations.city.compare import Comparison
from simulations.city.public import City, CityResult, CitySweepResult, compare, run, sweep

__all__ = ["City", "CityResult", "CitySweepResult", "Comparison", "compare", "run", "sweep"]

"""Options that the commands about cities share."""

from simulations.city.scenario import city_key
from tracetogether.cli.options import number_option
from tracetogether.cli.simulate_options import settings_option

city_setting = settings_option(city_key, "app.adoption=0.32 or reproduction_number=3")
people_option = number_option("--people", "Number of people, instead of the scenario's.", least=50)
days_option = number_option("--days", "Number of days, instead of the scenario's.")

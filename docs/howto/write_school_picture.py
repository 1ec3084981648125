"""Write docs/school.png, the picture of the school in howto/simulate.md, and its caption there.

`python docs/howto/write_school_picture.py`
"""

from pathlib import Path

from simulations.one_run import Run, run
from simulations.pages.report import save_picture
from simulations.scores.scoring import CaseScore, score_run
from simulations.settings.scenario import Scenario, parse_scenario

DOCS = Path(__file__).parent.parent
PICTURE, PAGE = DOCS / "school.png", DOCS / "howto" / "simulate.md"
BEGIN, END = "<!-- the picture of the school -->\n", "<!-- end of the picture -->\n"


def school() -> Scenario:
    """Return the scenario of the page."""
    text = PAGE.read_text("utf-8").split("```toml\n")[1].split("```")[0]
    return parse_scenario(text, name="my-school", source=str(PAGE))


def played() -> tuple[Run, CaseScore]:
    """Return the run with seed 1, and its case with the most contacts."""
    found = run(school(), seed=1, fidelity="vectorized")
    cases = score_run(found).scores.cases
    return found, max(cases, key=lambda case: (case.true_contacts, -case.person))


def caption(case: CaseScore) -> str:
    """Return the picture and its caption as Markdown."""
    return (
        "![The school from above: walls, doors, desks and a pupil's contacts](../school.png)\n\n"
        f"One pupil of seed 1: the authority's list holds {case.found} of {case.true_contacts} "
        f"contacts with the app, and {case.false_contacts}\n"
        "pupils who were none. Written by `python docs/howto/write_school_picture.py`.\n"
    )


def page_with(case: CaseScore) -> str:
    """Return the page with the caption of this case."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + caption(case) + END + rest.partition(END)[2]


if __name__ == "__main__":
    found, case = played()
    save_picture(found, case, PICTURE)
    PAGE.write_text(page_with(case), "utf-8")

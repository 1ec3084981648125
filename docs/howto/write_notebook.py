"""Write the script and its output into notebook.md: `python docs/howto/write_notebook.py`.

Runs docs/examples/notebook.py in a folder of its own, which takes 20 seconds. Needs covasim.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).with_name("notebook.md")
SCRIPT = PAGE.parent.parent / "examples" / "notebook.py"
BEGIN, END = "<!-- the script -->\n", "<!-- end of the script -->\n"


def output(folder: Path) -> str:
    """Return what the script prints in a folder, on a machine without a display."""
    display = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND", "COLUMNS")
    environment = {name: value for name, value in os.environ.items() if name not in display}
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, SCRIPT],
        cwd=folder,
        env=environment | {"COVASIM_VERBOSE": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def block(printed: str) -> str:
    """Return the script and what it printed, in Markdown.

    The script is marked as `py`, so that the test of `python` blocks doesn't run it again.
    """
    return f"```py\n{SCRIPT.read_text('utf-8')}```\n\nIt prints:\n\n```text\n{printed}```\n"


def page_with(printed: str) -> str:
    """Return the page with the script and what it printed."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + block(printed) + END + rest.partition(END)[2]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page_with(output(Path(folder))), "utf-8")


if __name__ == "__main__":
    main()

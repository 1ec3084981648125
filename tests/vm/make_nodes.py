"""Before the virtual machine starts: nodes in a new folder, with an authority's TempIDs.

    python -m tests.vm.make_nodes FOLDER NAME...

The authority serves over HTTP while they register, then it ends; the nodes live on their TempIDs.
"""

import os
import sys
import time
from pathlib import Path

from tests.authority_world import World
from tracetogether.adapters import http_api
from tracetogether.cli.node_folder import NodeSettings, create_node
from tracetogether.units import SECONDS_PER_DAY


def main() -> None:
    """Make the nodes."""
    folder = Path(sys.argv[1])
    now = time.time()  # noqa: TID251 - the guest's clock
    world = World.of(os.urandom, since=now - SECONDS_PER_DAY)
    with http_api.running(http_api.create_app(world.authority)) as url:
        for name in sys.argv[2:]:
            create_node(folder / name, NodeSettings(url, "SG_MOH", f"Model {name}"), now=now)


main()

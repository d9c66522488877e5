"""Deletes what an actor of Ray that is gone has left: BASE_DIR ACTOR. A shell runs it when the
pipe of the actor has ended, so it costs nothing until then."""

from __future__ import annotations

import sys

from pyro_mcp._pyro import Pyro
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE

# The label of a workspace that says to which actor it belongs.
LABEL = "ray-actor"


def delete_those_of(base_dir: str, actor: str) -> None:
    """Deletes the workspaces of an actor."""
    pyro = Pyro(base_dir=base_dir)
    for one in pyro.list_workspaces()["workspaces"]:
        if one["labels"].get(LABEL) == actor:
            try:
                pyro.delete_workspace(one["workspace_id"])
            except PyroError as error:
                if error.code not in GONE:
                    raise


if __name__ == "__main__":
    delete_those_of(*sys.argv[1:])

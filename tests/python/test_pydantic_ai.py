"""The backend for Pydantic AI: the conformance suite that the framework brings along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.workspaces", reason="SKIPPED: pydantic-ai is not installed")

from pydantic_ai.messages import WorkspaceRef
from pydantic_ai.workspaces import WorkspaceUnavailableError
from pydantic_ai.workspaces.conformance import WorkspaceBackendSuite

from conftest import ENVIRONMENT, no_machine_is_left
from pyro_mcp import AsyncPyro, Pyro
from pyro_mcp.integrations.pydantic_ai import PyroBackend


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pyro]:
    base = tmp_path_factory.mktemp("pydantic") / "base"
    pyro = Pyro(base_dir=base)
    yield pyro
    for one in pyro.list_workspaces()["workspaces"]:
        pyro.delete_workspace(one["workspace_id"])
    no_machine_is_left(base)


@pytest.fixture(scope="module")
def one(plain: Pyro) -> WorkspaceRef:
    made = plain.create_workspace(environment=ENVIRONMENT, ttl_seconds=3600)
    return WorkspaceRef(provider="pyro", id=made["workspace_id"])


class TestSuite(WorkspaceBackendSuite):
    """One workspace for all rules that do not destroy it."""

    @pytest.fixture
    def backend(self, plain: Pyro, one: WorkspaceRef) -> PyroBackend:
        return PyroBackend(one, pyro=AsyncPyro(plain.manager))

    @pytest.fixture
    def fresh_backend(self, plain: Pyro) -> Callable[[], PyroBackend]:
        return lambda: PyroBackend(pyro=AsyncPyro(plain.manager), environment=ENVIRONMENT)

    @pytest.fixture
    def attach_backend(self, plain: Pyro) -> Callable[[WorkspaceRef], PyroBackend]:
        return lambda ref: PyroBackend(ref, pyro=AsyncPyro(plain.manager))

    @pytest.fixture
    def destroy_environment(self) -> Callable[[Any], Any]:
        return lambda backend: backend.delete()


@pytest.mark.anyio
async def test_a_backend_creates_its_workspace_when_it_is_used(plain: Pyro) -> None:
    before = plain.list_workspaces()["count"]
    backend = PyroBackend(pyro=AsyncPyro(plain.manager), environment=ENVIRONMENT, name="mine")
    await backend.delete()
    assert backend.ref is None and plain.list_workspaces()["count"] == before
    assert await backend.working_dir() == "/workspace"
    assert backend.ref is not None
    assert plain.status_workspace(backend.ref.id)["name"] == "mine"
    # One that was stopped goes on.
    plain.stop_workspace(backend.ref.id)
    with pytest.raises(WorkspaceUnavailableError):
        await backend.run(["true"])
    again = PyroBackend(backend.ref, pyro=AsyncPyro(plain.manager))
    assert (await again.run("true", shell=True)).exit_code == 0
    await again.delete()
    await again.delete()
    assert plain.list_workspaces()["count"] == before


def test_what_is_of_others_is_refused() -> None:
    with pytest.raises(ValueError, match="'elsewhere'"):
        PyroBackend(WorkspaceRef(provider="elsewhere", id="x"))

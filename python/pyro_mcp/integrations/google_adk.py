"""An environment for Google's Agent Development Kit: its tools for commands and files work in a
workspace.

    from google.adk.tools.environment import EnvironmentToolset
    from pyro_mcp.integrations.google_adk import PyroEnvironment

    toolset = EnvironmentToolset(environment=PyroEnvironment())
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from google.adk.environment import BaseEnvironment, ExecutionResult

from pyro_mcp._async import AsyncPyro, AsyncWorkspace
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE


class PyroEnvironment(BaseEnvironment):
    """A workspace, which `initialize` creates and `close` deletes.

    Args:
        pyro: Where it runs; `AsyncPyro()` unless given.
        environment: The environment of the guest.
        ttl_seconds: How long it lives, used or not.
        options: Further arguments of `AsyncPyro.workspace`.
    """

    def __init__(
        self,
        *,
        pyro: AsyncPyro | None = None,
        environment: str = "debian:12",
        ttl_seconds: int = 3600,
        **options: Any,
    ) -> None:
        self._pyro = pyro or AsyncPyro()
        self._options = {"environment": environment, "ttl_seconds": ttl_seconds, **options}
        self._workspace: AsyncWorkspace | None = None

    @property
    def working_dir(self) -> Path:
        """The directory in which commands start."""
        return Path("/workspace")

    async def initialize(self) -> None:
        """Creates the workspace, if there is none."""
        if self._workspace is None:
            made = await self._pyro.create_workspace(**self._options)
            self._workspace = self._pyro.attach_workspace(made["workspace_id"])
        self._is_initialized = True

    async def close(self) -> None:
        """Deletes the workspace, if there is one."""
        workspace, self._workspace = self._workspace, None
        self._is_initialized = False
        if workspace is not None:
            try:
                await workspace.delete()
            except PyroError as error:
                if error.code not in GONE:
                    raise

    async def execute(self, command: str, *, timeout: float | None = None) -> ExecutionResult:
        """Runs a shell command."""
        ran = await self._opened().run(command, timeout=timeout)
        return ExecutionResult(
            exit_code=ran.exit_code,
            stdout=ran.stdout.decode(errors="replace"),
            stderr=ran.stderr.decode(errors="replace"),
            timed_out=ran.timed_out,
        )

    async def read_file(self, path: Path) -> bytes:
        """Returns the content of a file."""
        return await self._opened().files.read(PurePosixPath(path))

    async def write_file(self, path: Path, content: str | bytes) -> None:
        """Writes a file, and makes the directories that it needs."""
        await self._opened().files.write(PurePosixPath(path), content)

    def _opened(self) -> AsyncWorkspace:
        if self._workspace is None:
            raise RuntimeError("the environment is not initialized: call initialize() first")
        return self._workspace

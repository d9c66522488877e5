"""A backend for the workspaces of Pydantic AI: an agent works in a microVM.

    from pydantic_ai import Agent
    from pyro_mcp.integrations.pydantic_ai import PyroBackend

    backend = PyroBackend(environment="debian:13-agent")
    result = await agent.run("Fix the tests", workspace=backend)
    await backend.delete()
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai.messages import WorkspaceRef
from pydantic_ai.workspaces import (
    CommandResult,
    FileEntry,
    WorkspaceCommand,
    WorkspaceOutputLimitError,
    WorkspaceTimeoutError,
    WorkspaceUnavailableError,
)

from pyro_mcp._async import AsyncPyro, AsyncWorkspace
from pyro_mcp._files import FileState
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE

PROVIDER = "pyro"
_WORKING_DIR = "/workspace"
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024


class PyroBackend:
    """One workspace, which the first operation creates, or which `ref` names. It is not deleted
    when a run ends: `delete` does that, or the end of its time to live.

    Args:
        ref: The workspace to work in, as the `ref` of another backend.
        pyro: Where it runs; `AsyncPyro()` unless given.
        environment: The environment of a new one; Pydantic AI needs nothing but a shell in it.
        ttl_seconds: How long a new one lives, used or not.
        options: Further arguments of `AsyncPyro.workspace`, for a new one.
    """

    def __init__(
        self,
        ref: WorkspaceRef | None = None,
        *,
        pyro: AsyncPyro | None = None,
        environment: str = "debian:12",
        ttl_seconds: int = 3600,
        **options: Any,
    ) -> None:
        if ref is not None and ref.provider != PROVIDER:
            raise ValueError(f"the workspace is one of {ref.provider!r}, not of {PROVIDER!r}")
        self._pyro = pyro or AsyncPyro()
        self._options = {"environment": environment, "ttl_seconds": ttl_seconds, **options}
        self._ref = ref
        self._workspace: AsyncWorkspace | None = None
        # The first operations may be many at once.
        self._opening = asyncio.Lock()

    @property
    def ref(self) -> WorkspaceRef | None:
        """What names the workspace; None until there is one."""
        return self._ref

    async def working_dir(self) -> str:
        """The directory in which commands start."""
        async with self._open():
            return _WORKING_DIR

    async def run(
        self,
        command: WorkspaceCommand,
        *,
        shell: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> CommandResult:
        """Runs a command to its end."""
        if isinstance(command, str) is not shell:
            raise TypeError("a text needs shell=True, and a list of words needs shell=False")
        async with self._open() as workspace:
            ran = await workspace.run(
                command, env=env, timeout=timeout, max_output=_MAX_OUTPUT_BYTES
            )
        stdout = ran.stdout.decode(errors="replace")
        stderr = ran.stderr.decode(errors="replace")
        if ran.timed_out:
            message = f"the command still ran after {timeout} seconds"
            raise WorkspaceTimeoutError(message, stdout=stdout, stderr=stderr)
        if ran.truncated:
            raise WorkspaceOutputLimitError(
                f"the command printed more than {_MAX_OUTPUT_BYTES} bytes",
                limit=_MAX_OUTPUT_BYTES,
                stdout=stdout,
                stderr=stderr,
            )
        return CommandResult(exit_code=ran.exit_code, stdout=stdout, stderr=stderr)

    async def read_bytes(self, path: str) -> bytes:
        """Returns the content of a file."""
        async with self._open() as workspace:
            return await workspace.files.read(path)

    async def write_bytes(self, path: str, data: bytes) -> None:
        """Writes a file, and makes the directories that it needs."""
        async with self._open() as workspace:
            await workspace.files.write(path, data)

    async def stat(self, path: str) -> FileEntry:
        """Returns what is known of a file or directory."""
        async with self._open() as workspace:
            return _entry(await workspace.files.stat(path))

    async def list_dir(self, path: str) -> Sequence[FileEntry]:
        """Returns the entries of a directory."""
        async with self._open() as workspace:
            entries = await workspace.files.list(path)
            return [_entry(await _target(workspace, entry)) for entry in entries]

    async def make_dir(self, path: str) -> None:
        """Makes a directory, and those that it needs."""
        async with self._open() as workspace:
            await workspace.files.mkdir(path)

    async def remove(self, path: str) -> None:
        """Removes a file, or a directory with all that is in it."""
        normal = posixpath.normpath(path)
        if posixpath.commonpath([normal, _WORKING_DIR]) == normal:
            raise ValueError(f"{path} is the working directory, or has it in it")
        async with self._open() as workspace:
            await workspace.files.remove(path, recursive=True)

    async def exists(self, path: str) -> bool:
        """Whether there is a file or directory at this path."""
        async with self._open() as workspace:
            return await workspace.files.exists(path)

    async def delete(self) -> None:
        """Deletes the workspace, if there is one."""
        if self._ref is None:
            return
        try:
            await self._pyro.delete_workspace(self._ref.id)
        except PyroError as error:
            if error.code not in GONE:
                raise

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncWorkspace]:
        """The workspace; if it ends meanwhile, the error is the one that the framework knows."""
        try:
            async with self._opening:
                if self._workspace is None:
                    self._workspace = await self._find_or_create()
            yield self._workspace
        except PyroError as error:
            if error.code not in GONE:
                raise
            raise WorkspaceUnavailableError(str(error)) from error

    async def _find_or_create(self) -> AsyncWorkspace:
        if self._ref is None:
            # A task that is cancelled meanwhile leaves no workspace.
            made = await self._pyro.create_workspace(**self._options)
            self._ref = WorkspaceRef(provider=PROVIDER, id=made["workspace_id"])
        else:
            status = await self._pyro.status_workspace(self._ref.id)
            if status["state"] == "stopped":
                await self._pyro.start_workspace(self._ref.id)
        return self._pyro.attach_workspace(self._ref.id)


def _entry(state: FileState) -> FileEntry:
    size = state.size if state.is_file else None
    return FileEntry(name=state.name, path=state.path, is_dir=state.is_dir, size=size)


async def _target(workspace: AsyncWorkspace, entry: FileState) -> FileState:
    """What a link leads to, or the link, if it leads nowhere."""
    if not entry.is_link:
        return entry
    try:
        return await workspace.files.stat(entry.path)
    except OSError:
        return entry

"""A sandbox for Strands Agents: their shell and their editor of files work in a workspace.

    from pyro_mcp import Pyro
    from pyro_mcp.integrations.strands import PyroSandbox
    from strands import Agent

    with Pyro().workspace() as workspace:
        agent = Agent(model=..., sandbox=PyroSandbox(workspace))
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncGenerator, Callable
from typing import Any

from strands.sandbox.errors import SandboxPathNotFoundError, SandboxTimeoutError
from strands.sandbox.posix_shell import PosixShellSandbox
from strands.sandbox.types import ExecutionResult, FileInfo, StreamChunk, StreamType
from strands.types.tools import AgentTool
from strands.vended_tools.file_editor import make_file_editor
from strands.vended_tools.shell import make_shell

from pyro_mcp._async import AsyncPyro
from pyro_mcp._pyro import Workspace


class PyroSandbox(PosixShellSandbox):
    """A workspace, which stays what it is when the agent has ended: whoever made it deletes it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = AsyncPyro(workspace._pyro.manager).attach_workspace(workspace.id)

    async def execute_streaming(
        self,
        command: str,
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[StreamChunk | ExecutionResult, None]:
        """Runs a shell command: what it prints, as it comes, and then its result."""
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[StreamChunk | None] = asyncio.Queue()

        def put(stream: StreamType) -> Callable[[bytes], None]:
            # A character may come in two pieces.
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

            def on_output(data: bytes) -> None:
                # On another thread.
                chunk = StreamChunk(decoder.decode(data), stream)
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)

            return on_output

        running = asyncio.create_task(
            self.workspace.run(
                command,
                timeout=timeout,
                cwd=cwd,
                env=env,
                on_stdout=put("stdout"),
                on_stderr=put("stderr"),
            )
        )
        running.add_done_callback(lambda _: chunks.put_nowait(None))
        try:
            while (chunk := await chunks.get()) is not None:
                yield chunk
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait([running])
        ran = running.result()
        stdout = ran.stdout.decode(errors="replace")
        stderr = ran.stderr.decode(errors="replace")
        if ran.timed_out:
            raise SandboxTimeoutError(timeout, stdout, stderr)
        yield ExecutionResult(ran.exit_code, stdout, stderr)

    async def read_file(self, path: str, **kwargs: Any) -> bytes:
        """Returns the content of a file."""
        return await self.workspace.files.read(path)

    async def write_file(self, path: str, content: bytes, **kwargs: Any) -> None:
        """Writes a file, and makes the directories that it needs."""
        await self.workspace.files.write(path, content)

    async def remove_file(self, path: str, **kwargs: Any) -> None:
        """Removes a file."""
        await self.workspace.files.remove(path)

    async def list_files(self, path: str, **kwargs: Any) -> list[FileInfo]:
        """Returns the entries of a directory."""
        try:
            entries = await self.workspace.files.list(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SandboxPathNotFoundError(path) from error
        return [FileInfo(one.name, one.is_dir, one.size if one.is_file else None) for one in entries]

    def get_tools(self) -> list[AgentTool]:
        """A shell and an editor of files, which an agent gets by itself."""
        return [
            make_file_editor(sandbox=self, name="sandbox_file_editor"),
            make_shell(sandbox=self, name="sandbox_shell"),
        ]

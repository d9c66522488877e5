"""The processes and files of an `AsyncWorkspace`: those of `Workspace`, with coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from pyro_mcp import results
from pyro_mcp._async_stream import AsyncStream
from pyro_mcp._commands import DEFAULT_MAX_OUTPUT, Input, Ran
from pyro_mcp._files import DEFAULT_MAX_BYTES, Files, FileState, GuestPath
from pyro_mcp._manager import StreamName
from pyro_mcp._process import Process

if TYPE_CHECKING:
    from pyro_mcp._async import AsyncWorkspace

R = TypeVar("R")


class AsyncProcess:
    """A command that runs in the background: `Process` with coroutines."""

    def __init__(self, workspace: AsyncWorkspace, id: int) -> None:
        self.workspace = workspace
        self.id = id

    def __repr__(self) -> str:
        return f"AsyncProcess({self.id}, workspace {self.workspace.id!r})"

    async def poll(self) -> int | None:
        """Its exit code; None while it runs, as `Process.poll`."""
        return await self._do(lambda process: process.poll())

    async def wait(
        self, timeout: float | None = None, *, max_output: int = DEFAULT_MAX_OUTPUT
    ) -> Ran:
        """Waits for its end and returns what it did, as `Process.wait`."""
        return await self._do(lambda process: process.wait(timeout, max_output=max_output))

    async def read(
        self,
        stream: StreamName = "stdout",
        *,
        offset: int = 0,
        max_bytes: int = DEFAULT_MAX_OUTPUT,
    ) -> bytes:
        """What it has printed so far, from the byte `offset` on."""
        return await self._do(
            lambda process: process.read(stream, offset=offset, max_bytes=max_bytes)
        )

    def follow(self) -> AsyncStream[results.WorkspaceLogs]:
        """Iterates over its output, from its beginning to its end, as `Process.follow`."""
        workspace = self.workspace._pyro.plain.attach_workspace(self.workspace.id)
        return AsyncStream(Process(workspace, self.id).follow())

    async def signal(self, signal: str | int = "TERM") -> bool:
        """Sends a signal to its process group. Returns False if it has already ended."""
        return await self._do(lambda process: process.signal(signal))

    async def kill(self) -> bool:
        """Ends it and all that it has started. Returns False if it has already ended."""
        return await self._do(lambda process: process.kill())

    async def _do(self, work: Callable[[Process], R]) -> R:
        return await self.workspace._do(lambda workspace: work(Process(workspace, self.id)))


class AsyncFiles:
    """The files of a workspace's guest: `Files` with coroutines."""

    def __init__(self, workspace: AsyncWorkspace, user: str | None = None) -> None:
        self.workspace = workspace
        self.user = user

    def as_user(self, user: str) -> AsyncFiles:
        """The same files, as this user sees them."""
        return AsyncFiles(self.workspace, user)

    async def read(self, path: GuestPath, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Returns the content of a file, as `Files.read`."""
        return await self._do(lambda files: files.read(path, max_bytes=max_bytes))

    async def read_text(self, path: GuestPath, *, max_bytes: int = DEFAULT_MAX_BYTES) -> str:
        """Returns the content of a file that is UTF-8."""
        return (await self.read(path, max_bytes=max_bytes)).decode()

    async def write(
        self,
        path: GuestPath,
        data: Input,
        *,
        mode: int | None = None,
        parents: bool = True,
        append: bool = False,
    ) -> None:
        """Writes a file, as `Files.write`."""
        await self._do(
            lambda files: files.write(path, data, mode=mode, parents=parents, append=append)
        )

    async def list(self, path: GuestPath = ".") -> list[FileState]:
        """Returns the entries of a directory, sorted by name."""
        return await self._do(lambda files: files.list(path))

    async def stat(self, path: GuestPath, *, follow: bool = True) -> FileState:
        """Returns what is known of a file, directory or link, as `Files.stat`."""
        return await self._do(lambda files: files.stat(path, follow=follow))

    async def exists(self, path: GuestPath) -> bool:
        """Whether there is something at this path. A link is followed."""
        return await self._do(lambda files: files.exists(path))

    async def mkdir(self, path: GuestPath, *, parents: bool = True, exist_ok: bool = True) -> None:
        """Makes a directory."""
        await self._do(lambda files: files.mkdir(path, parents=parents, exist_ok=exist_ok))

    async def remove(self, path: GuestPath, *, recursive: bool = False) -> None:
        """Removes a file, a link or a directory, as `Files.remove`."""
        await self._do(lambda files: files.remove(path, recursive=recursive))

    async def move(self, source: GuestPath, destination: GuestPath) -> None:
        """Moves a file or directory to a new path, as `Files.move`."""
        await self._do(lambda files: files.move(source, destination))

    async def pack(
        self,
        path: GuestPath = ".",
        *,
        exclude: Iterable[str] = (),
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> bytes:
        """Returns what is in a directory as a tar archive, as `Files.pack`."""
        return await self._do(
            lambda files: files.pack(path, exclude=exclude, max_bytes=max_bytes)
        )

    async def unpack(self, archive: bytes, path: GuestPath = ".") -> None:
        """Unpacks a tar archive into a directory, as `Files.unpack`."""
        await self._do(lambda files: files.unpack(archive, path))

    async def _do(self, work: Callable[[Files], R]) -> R:
        return await self.workspace._do(lambda workspace: work(Files(workspace, self.user)))

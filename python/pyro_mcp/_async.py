"""`AsyncPyro`: the methods of `Pyro` as coroutines. A cancelled call ends everything that it
started before the cancellation is raised; a workspace or VM that it has just created is deleted."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pyro_mcp import results
from pyro_mcp._manager import VmManager, Wanted
from pyro_mcp._operations import AsyncOperations, AsyncWorkspaceOperations
from pyro_mcp._pyro import GONE, OnBytes, Pyro, method_like
from pyro_mcp._server import DEFAULT_PROFILE, Profile, Server
from pyro_mcp._stream import Chunk, Stream
from pyro_mcp.errors import PyroError

P = ParamSpec("P")
R = TypeVar("R")


async def _on_thread(
    work: Callable[[Wanted], R], discard: Callable[[R], object] | None = None
) -> R:
    """Does the work on a separate thread, so that any number of calls can wait. If the task is
    cancelled, `discard` gets the result of work that was already done."""
    cancelled = threading.Event()
    delivering = threading.Lock()
    future: concurrent.futures.Future[R] = concurrent.futures.Future()

    def wanted() -> bool:
        # An interpreter that exits waits for this thread.
        return not cancelled.is_set() and threading.main_thread().is_alive()

    def run() -> None:
        try:
            result = work(wanted)
            with delivering:
                delivered = not cancelled.is_set()
                if delivered:
                    future.set_result(result)
            if not delivered:
                if discard is not None:
                    discard(result)
                future.set_result(result)
        except BaseException as error:  # noqa: BLE001 - the awaiting task gets it
            future.set_exception(error)

    threading.Thread(target=run, name="pyro-call").start()
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        with delivering:
            cancelled.set()
            delivered = future.done()
        if delivered and discard is not None and future.exception() is None:
            result = future.result()
            await _on_thread(lambda _: discard(result))
        await asyncio.wait([waiting])
        # The task is cancelled, so the outcome is not reported.
        waiting.exception()
        raise


class AsyncStream(AsyncIterator[Chunk], Generic[R]):
    """Iterates over the output of a call, as `Stream` does."""

    def __init__(self, stream: Stream[R]) -> None:
        self._stream = stream

    async def __anext__(self) -> Chunk:
        chunk = await _on_thread(self._stream.next)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    @property
    def result(self) -> R:
        """The result of the call, once the stream is exhausted."""
        return self._stream.result

    async def close(self) -> None:
        """Cancels the call unless it has ended, and waits until all that it started has ended."""
        await _on_thread(lambda _: self._stream.close())

    async def __aenter__(self) -> AsyncStream[R]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncWorkspace(AsyncWorkspaceOperations):
    """One workspace. As an asynchronous context manager it creates the workspace at its beginning
    and deletes it at its end, unless the workspace existed before."""

    def __init__(self, pyro: AsyncPyro, make: Callable[[], Made] | str) -> None:
        self._pyro: AsyncPyro = pyro
        self._make = make
        self.id = make if isinstance(make, str) else ""

    async def exec(
        self,
        command: str,
        *,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        stdin: str | None = None,
        secret_env: dict[str, str] | None = None,
        detach: bool = False,
        timeout_seconds: int = 30,
        on_stdout: OnBytes | None = None,
        on_stderr: OnBytes | None = None,
    ) -> results.ExecResult:
        """Runs a command. With a callback for either output, both go to callbacks, which are
        called on another thread, and the result has neither."""
        pyro = self._pyro
        if on_stdout is not None or on_stderr is not None:
            pyro = pyro.with_output(on_stdout, on_stderr)
        return await pyro.exec_workspace(
            self.id,
            command=command,
            env=env,
            cwd=cwd,
            user=user,
            stdin=stdin,
            secret_env=secret_env,
            detach=detach,
            timeout_seconds=timeout_seconds,
        )

    def stream(
        self, command: str, *, timeout_seconds: int = 30
    ) -> AsyncStream[results.ExecResult]:
        """Runs a command and iterates over its output."""
        workspace = self._pyro.plain.attach_workspace(self.id)
        return AsyncStream(workspace.stream(command, timeout_seconds=timeout_seconds))

    async def push(
        self, source_path: str | os.PathLike[str], *, dest: str = "/workspace"
    ) -> results.Pushed:
        """Copies files into it."""
        return await self._pyro.push_workspace_sync(self.id, source_path, dest=dest)

    async def __aenter__(self) -> AsyncWorkspace:
        if not isinstance(self._make, str):
            self.id = (await self._make())["workspace_id"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(self._make, str):
            return
        try:
            await self.delete()
        except PyroError as failure:
            if failure.code not in GONE:
                raise


Made = Coroutine[Any, Any, results.Workspace]


def _like(
    create: Callable[Concatenate[AsyncPyro, P], Made],
) -> Callable[
    [Callable[[AsyncPyro, Callable[[], Made]], AsyncWorkspace]],
    Callable[Concatenate[AsyncPyro, P], AsyncWorkspace],
]:
    """Gives a method the parameters of one that creates a workspace."""

    def decorate(
        opened: Callable[[AsyncPyro, Callable[[], Made]], AsyncWorkspace],
    ) -> Callable[Concatenate[AsyncPyro, P], AsyncWorkspace]:
        def method(self: AsyncPyro, /, *args: P.args, **kwargs: P.kwargs) -> AsyncWorkspace:
            return opened(self, lambda: create(self, *args, **kwargs))

        return method_like(method, opened, create)

    return decorate


class AsyncPyro(AsyncOperations):
    """Runs commands in microVMs, as `Pyro` does, with coroutines as methods. Each call uses a
    separate thread."""

    def __init__(
        self,
        manager: VmManager | None = None,
        *,
        backend_name: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        max_active_vms: int | None = 4,
    ) -> None:
        self.plain = Pyro(
            manager,
            backend_name=backend_name,
            base_dir=base_dir,
            cache_dir=cache_dir,
            max_active_vms=max_active_vms,
        )

    @property
    def manager(self) -> VmManager:
        """The manager that runs them."""
        return self.plain.manager

    @_like(AsyncOperations.create_workspace)
    def workspace(self, make: Callable[[], Made]) -> AsyncWorkspace:
        """Creates a workspace, as `create_workspace`, for an `async with` statement."""
        return AsyncWorkspace(self, make)

    def attach_workspace(self, workspace_id: str) -> AsyncWorkspace:
        """An existing workspace. It is not deleted at the end of an `async with` statement."""
        return AsyncWorkspace(self, workspace_id)

    def with_output(
        self, on_stdout: OnBytes | None = None, on_stderr: OnBytes | None = None
    ) -> AsyncPyro:
        """Returns an `AsyncPyro` whose commands pass output to callbacks, instead of returning it.
        The callbacks are called on another thread."""
        other = AsyncPyro(self.manager)
        other.plain = self.plain.with_output(on_stdout, on_stderr)
        return other

    def stream(self, call: Callable[[Pyro], R]) -> AsyncStream[R]:
        """Makes a call, as `Pyro.stream`, and iterates over the output of its command."""
        return AsyncStream(self.plain.stream(call))

    def create_server(self, *, profile: Profile = DEFAULT_PROFILE) -> Server:
        """Returns an MCP server with the same operations."""
        return self.plain.create_server(profile=profile)

    async def _call(self, operation: str, request: dict[str, object]) -> Any:
        def call(wanted: Wanted) -> Any:
            on_output = self.plain.on_output
            return self.manager.call(operation, request, on_output=on_output, wanted=wanted)

        def discard(response: Any) -> None:
            self.manager.discard(operation, response)

        return await _on_thread(call, discard)

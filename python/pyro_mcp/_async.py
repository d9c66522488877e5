"""`AsyncPyro`: the methods of `Pyro` as coroutines. A cancelled call ends everything that it
started before the cancellation is raised; a workspace or VM that it has just created is deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar

from pyro_mcp import results
from pyro_mcp._async_parts import AsyncFiles, AsyncProcess
from pyro_mcp._async_stream import AsyncStream, on_thread
from pyro_mcp._commands import DEFAULT_MAX_OUTPUT, Command, Input, OnBytes, Ran
from pyro_mcp._manager import VmManager, Wanted
from pyro_mcp._operations import AsyncOperations, AsyncWorkspaceOperations
from pyro_mcp._pyro import GONE, Pyro, Workspace
from pyro_mcp._server import DEFAULT_PROFILE, Profile, Server
from pyro_mcp.errors import PyroError

R = TypeVar("R")


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
        """Runs a shell command, as `Workspace.exec`. Callbacks are called on another thread."""
        return await self._do(
            lambda workspace: workspace.exec(
                command,
                env=env,
                cwd=cwd,
                user=user,
                stdin=stdin,
                secret_env=secret_env,
                detach=detach,
                timeout_seconds=timeout_seconds,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
            )
        )

    async def run(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | None = None,
        input: Input | None = None,
        secret_env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        max_output: int = DEFAULT_MAX_OUTPUT,
        on_stdout: OnBytes | None = None,
        on_stderr: OnBytes | None = None,
    ) -> Ran:
        """Runs a command, as `Workspace.run`. Callbacks are called on another thread."""
        return await self._do(
            lambda workspace: workspace.run(
                command,
                env=env,
                cwd=cwd,
                user=user,
                input=input,
                secret_env=secret_env,
                timeout=timeout,
                max_output=max_output,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
            )
        )

    async def start_process(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | None = None,
        input: Input | None = None,
        secret_env: Mapping[str, str] | None = None,
    ) -> AsyncProcess:
        """Starts a command in the background, as `Workspace.start_process`."""
        started = await self._do(
            lambda workspace: workspace.start_process(
                command, env=env, cwd=cwd, user=user, input=input, secret_env=secret_env
            )
        )
        return AsyncProcess(self, started.id)

    async def processes(self) -> list[AsyncProcess]:
        """The commands that are running, the oldest first, whoever has started them."""
        running = await self._do(lambda workspace: workspace.processes())
        return [AsyncProcess(self, one.id) for one in running]

    async def process(self, id: int) -> AsyncProcess:
        """The command with this number, which may have ended."""
        await self._do(lambda workspace: workspace.process(id))
        return AsyncProcess(self, id)

    @property
    def files(self) -> AsyncFiles:
        """The files of the guest."""
        return AsyncFiles(self)

    async def port(self, guest_port: int) -> str:
        """The address on this host of a TCP port of the guest, as `Workspace.port`."""
        return await self._do(lambda workspace: workspace.port(guest_port))

    def shell_command(self, *, user: str | None = None) -> list[str]:
        """The command that opens a terminal in this workspace, as `Workspace.shell_command`."""
        return self._pyro.plain.attach_workspace(self.id).shell_command(user=user)

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

    def __repr__(self) -> str:
        return f"AsyncWorkspace({self.id!r})"

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


    async def _do(self, work: Callable[[Workspace], R]) -> R:
        """Does something with the workspace on another thread, until the task is cancelled."""
        pyro = self._pyro.plain

        def run(wanted: Wanted) -> R:
            return work(pyro._with(pyro.on_output, wanted).attach_workspace(self.id))

        return await on_thread(run)


Made = Coroutine[Any, Any, results.Workspace]


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

    def __repr__(self) -> str:
        return f"AsyncPyro({self.manager!r})"

    async def __aenter__(self) -> AsyncPyro:
        """For an `async with` statement, at whose end nothing is done."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @property
    def manager(self) -> VmManager:
        """The manager that runs them."""
        return self.plain.manager

    def workspace(
        self,
        *,
        environment: str = "debian:12",
        vcpu_count: int = 1,
        mem_mib: int = 1024,
        ttl_seconds: int = 3600,
        network: bool = False,
        network_policy: str | None = None,
        published_ports: list[str | int] | None = None,
        allow_host_compat: bool = False,
        seed_path: str | os.PathLike[str] | None = None,
        from_snapshot: str | None = None,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        secrets: list[dict[str, object]] | None = None,
        exclude: list[str] | None = None,
        exclude_from: str | os.PathLike[str] | None = None,
        git_ignored: str = "include",
        unreadable: str = "fail",
        pull: str = "missing",
    ) -> AsyncWorkspace:
        """Creates a workspace for an `async with` statement; otherwise as `Pyro.workspace`."""
        return AsyncWorkspace(
            self,
            lambda: self.create_workspace(
                environment=environment,
                vcpu_count=vcpu_count,
                mem_mib=mem_mib,
                ttl_seconds=ttl_seconds,
                network=network,
                network_policy=network_policy,
                published_ports=published_ports,
                allow_host_compat=allow_host_compat,
                seed_path=seed_path,
                from_snapshot=from_snapshot,
                name=name,
                labels=labels,
                secrets=secrets,
                exclude=exclude,
                exclude_from=exclude_from,
                git_ignored=git_ignored,
                unreadable=unreadable,
                pull=pull,
            ),
        )

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

        return await on_thread(call, discard)

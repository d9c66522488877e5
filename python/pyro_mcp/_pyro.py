"""`Pyro`: the operations as methods, and further methods that are built on them."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar, cast

from pyro_mcp import _commands, results
from pyro_mcp._commands import DEFAULT_MAX_OUTPUT, Command, Input, Kept, OnBytes, Ran
from pyro_mcp._files import Files
from pyro_mcp._manager import OnOutput, StreamName, VmManager, Wanted
from pyro_mcp._operations import Operations, WorkspaceOperations
from pyro_mcp._process import Process
from pyro_mcp._program import program
from pyro_mcp._server import DEFAULT_PROFILE, Profile, Server, create_server
from pyro_mcp._stream import Stream
from pyro_mcp.errors import PyroError

R = TypeVar("R")


class Workspace(WorkspaceOperations):
    """One workspace. As a context manager it deletes the workspace at its end, if it created it."""

    def __init__(self, pyro: Pyro, workspace_id: str, *, made: bool = False) -> None:
        self._pyro: Pyro = pyro
        self._made = made
        self.id = workspace_id

    def exec(
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
        """Runs a shell command, as `Pyro.exec_workspace`, for 30 seconds at most unless
        `timeout_seconds` is given. An output with a callback goes there as it is printed, and the
        result does not have it. `run` takes the words of a command, and returns bytes."""
        pyro = self._pyro
        kept = Kept(DEFAULT_MAX_OUTPUT, on_stdout, on_stderr)
        streamed = on_stdout is not None or on_stderr is not None
        if streamed:
            pyro = pyro._with(kept.take, pyro._wanted)
        result = pyro.exec_workspace(
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
        if streamed:
            kept.complete(cast("dict[str, Any]", result))
        return result

    def run(
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
        """Runs a command, and returns what it printed as bytes.

        Args:
            command: A list with the words of the command, or a line for a shell.
            env: Environment variables.
            cwd: Working directory; a relative one is below /workspace, which is the default.
            user: User that runs it: `USER` or `USER:GROUP`; the default is root.
            input: Its standard input; there is none by default.
            secret_env: Secrets of the workspace with the names of their variables.
            timeout: Seconds after which it is ended; no limit by default.
            max_output: How many bytes of each output are returned, 16 MiB by default; further ones
                are dropped, and `truncated` says so.
            on_stdout, on_stderr: Called with each piece of output as it is printed.
        """
        return _commands.run(
            self._pyro,
            self.id,
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

    def start_process(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | None = None,
        input: Input | None = None,
        secret_env: Mapping[str, str] | None = None,
    ) -> Process:
        """Starts a command in the background; the arguments are those of `run`. It has no time
        limit, and goes on if this process ends."""
        request = _commands.as_request(self.id, command, env, cwd, user, input, secret_env)
        started = self._pyro._call("workspace_exec", {**request, "detach": True})
        return Process(self, started["sequence"])

    def processes(self) -> list[Process]:
        """The commands that are running, the oldest first, whoever has started them."""
        # The output is not wanted.
        logs = self._pyro.read_workspace_logs(self.id, limit=1)
        running = [one for one in logs["entries"] if one.get("interrupted") == "running"]
        return [Process(self, one["sequence"]) for one in running]

    def process(self, id: int) -> Process:
        """The command with this number, which may have ended."""
        process = Process(self, id)
        process.poll()
        return process

    @property
    def files(self) -> Files:
        """The files of the guest."""
        return Files(self)

    def port(self, guest_port: int) -> str:
        """The address on this host, as `127.0.0.1:PORT`, at which a TCP port of the guest is
        reached. It is published if it is not yet."""
        published = self._pyro.list_workspace_ports(self.id)["published_ports"]
        for one in published:
            if one["guest_port"] == guest_port:
                return f"{one['host']}:{one['host_port']}"
        added = self._pyro.add_workspace_port(self.id, guest_port)["published_port"]
        return f"{added['host']}:{added['host_port']}"

    def shell_command(self, *, user: str | None = None) -> list[str]:
        """The command that opens a terminal in this workspace, for a terminal of this host."""
        base_dir = os.fspath(self._pyro.manager.base_dir)
        options = [] if user is None else ["--user", user]
        shell = ["workspace", "exec", "-it", *options, self.id, "--", "sh"]
        return ["env", f"PYRO_BASE_DIR={base_dir}", str(program()), *shell]

    def stream(self, command: str, *, timeout_seconds: int = 30) -> Stream[results.ExecResult]:
        """Runs a command and iterates over its output."""
        return self._pyro.stream(
            lambda pyro: pyro.exec_workspace(
                self.id, command=command, timeout_seconds=timeout_seconds
            )
        )

    def push(
        self, source_path: str | os.PathLike[str], *, dest: str = "/workspace"
    ) -> results.Pushed:
        """Copies files into it, as `Pyro.push_workspace_sync`."""
        return self._pyro.push_workspace_sync(self.id, source_path, dest=dest)

    def __repr__(self) -> str:
        return f"Workspace({self.id!r})"

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._made:
            return
        try:
            self.delete()
        except PyroError as failure:
            # It may have ended before.
            if failure.code not in GONE:
                raise


GONE = ("not_found", "vm_expired")


class Pyro(Operations):
    """Runs commands in microVMs.

    Args:
        manager: Where to run them; if it is given, the other arguments mean nothing.
        backend_name, base_dir, cache_dir, max_active_vms: As those of `VmManager`.
    """

    def __init__(
        self,
        manager: VmManager | None = None,
        *,
        backend_name: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        max_active_vms: int | None = 4,
    ) -> None:
        self._manager = manager or VmManager(
            backend_name=backend_name,
            base_dir=base_dir,
            cache_dir=cache_dir,
            max_active_vms=max_active_vms,
        )
        self.on_output: OnOutput | None = None
        self._wanted: Wanted | None = None

    def __repr__(self) -> str:
        return f"Pyro({self._manager!r})"

    def __enter__(self) -> Pyro:
        """For a `with` statement, at whose end nothing is done: a `Pyro` holds nothing open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @property
    def manager(self) -> VmManager:
        """The manager that runs them."""
        return self._manager

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
    ) -> Workspace:
        """Creates a workspace, which a `with` statement deletes at its end, and which ends after
        `ttl_seconds`, an hour by default, used or not. The arguments are those of
        `create_workspace`."""
        made = self.create_workspace(
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
        )
        return Workspace(self, made["workspace_id"], made=True)

    def attach_workspace(self, workspace_id: str) -> Workspace:
        """An existing workspace. It is not deleted at the end of a `with` statement."""
        return Workspace(self, workspace_id)

    def with_output(
        self, on_stdout: OnBytes | None = None, on_stderr: OnBytes | None = None
    ) -> Pyro:
        """Returns a `Pyro` whose commands pass their output to callbacks as it is printed, instead
        of returning it. An exception in a callback cancels the command, and the call raises it."""

        def on_output(stream: StreamName, data: bytes) -> None:
            callback = on_stdout if stream == "stdout" else on_stderr
            if callback is not None:
                callback(data)

        return self._with(on_output, self._wanted)

    def stream(self, call: Callable[[Pyro], R]) -> Stream[R]:
        """Makes a call on a separate thread and iterates over what its command prints:

            for chunk in pyro.stream(lambda pyro: pyro.exec_vm(vm_id, command="make")):
                print(chunk.stream, chunk.data)
        """
        return Stream(lambda on_output, wanted: call(self._with(on_output, wanted)))

    def create_server(self, *, profile: Profile = DEFAULT_PROFILE) -> Server:
        """Returns an MCP server with the same operations."""
        return create_server(self._manager, profile=profile)

    def _with(self, on_output: OnOutput | None, wanted: Wanted | None) -> Pyro:
        other = copy.copy(self)
        other.on_output = on_output
        other._wanted = wanted
        return other

    def _call(self, operation: str, request: dict[str, object]) -> Any:
        return self._manager.call(
            operation, request, on_output=self.on_output, wanted=self._wanted
        )

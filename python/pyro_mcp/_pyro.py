"""`Pyro`: the operations as methods, and further methods that are built on them."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from pyro_mcp import results
from pyro_mcp._manager import OnOutput, StreamName, VmManager, Wanted
from pyro_mcp._operations import Operations, WorkspaceOperations
from pyro_mcp._server import DEFAULT_PROFILE, Profile, Server, create_server
from pyro_mcp._stream import Stream
from pyro_mcp.errors import PyroError

P = ParamSpec("P")
R = TypeVar("R")
OnBytes = Callable[[bytes], object]


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
        """Runs a command, as `Pyro.exec_workspace`. With a callback for either output, both go to
        callbacks as it is printed, and the result has no output."""
        pyro = self._pyro
        if on_stdout is not None or on_stderr is not None:
            pyro = pyro.with_output(on_stdout, on_stderr)
        return pyro.exec_workspace(
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


def _like(
    create: Callable[Concatenate[Pyro, P], results.Workspace],
) -> Callable[
    [Callable[[Pyro, results.Workspace], Workspace]], Callable[Concatenate[Pyro, P], Workspace]
]:
    """Gives a method the parameters of one that creates a workspace."""

    def decorate(
        opened: Callable[[Pyro, results.Workspace], Workspace],
    ) -> Callable[Concatenate[Pyro, P], Workspace]:
        def method(self: Pyro, /, *args: P.args, **kwargs: P.kwargs) -> Workspace:
            return opened(self, create(self, *args, **kwargs))

        return method_like(method, opened, create)

    return decorate


M = TypeVar("M", bound=Callable[..., Any])


def method_like(method: M, named: Callable[..., Any], parameters: Callable[..., Any]) -> M:
    """Gives a method the name and documentation of one function and the parameters of another."""
    functools.update_wrapper(method, named)
    signature = inspect.signature(parameters)
    returned = inspect.signature(named).return_annotation
    setattr(method, "__signature__", signature.replace(return_annotation=returned))
    return method


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

    @property
    def manager(self) -> VmManager:
        """The manager that runs them."""
        return self._manager

    @_like(Operations.create_workspace)
    def workspace(self, made: results.Workspace) -> Workspace:
        """Creates a workspace, as `create_workspace`; a `with` statement deletes it at its end."""
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

"""A sandbox for the OpenAI Agents SDK: a `SandboxAgent` has its shell and its files in a microVM.

    from agents.run import RunConfig
    from agents.sandbox import SandboxRunConfig
    from pyro_mcp.integrations.openai_agents import PyroOptions, PyroSandboxClient

    sandbox = SandboxRunConfig(client=PyroSandboxClient(), options=PyroOptions(mem_mib=2048))
    result = await Runner.run(agent, "Fix the tests", run_config=RunConfig(sandbox=sandbox))
"""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any, Literal, NoReturn

from agents.sandbox.errors import (
    ExecTimeoutError,
    ExecTransportError,
    PtySessionNotFoundError,
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
    WorkspaceReadNotFoundError,
)
from agents.sandbox.manifest import Manifest
from agents.sandbox.session.base_sandbox_session import BaseSandboxSession
from agents.sandbox.session.pty_types import PtyExecUpdate, truncate_text_by_tokens
from agents.sandbox.session.sandbox_client import BaseSandboxClient, BaseSandboxClientOptions
from agents.sandbox.session.sandbox_session import SandboxSession
from agents.sandbox.session.sandbox_session_state import SandboxSessionState
from agents.sandbox.session.workspace_payloads import coerce_write_payload
from agents.sandbox.snapshot import SnapshotBase, SnapshotSpec, resolve_snapshot
from agents.sandbox.types import ExecResult, ExposedPortEndpoint, User

from pyro_mcp._async import AsyncPyro, AsyncWorkspace
from pyro_mcp._async_parts import AsyncFiles, AsyncProcess
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE

# How long a command runs before the agent is told that it goes on, unless the agent says.
_YIELD_SECONDS = 10.0
_INTERRUPT = "\x03"


class PyroOptions(BaseSandboxClientOptions):
    """The microVM of a session."""

    type: Literal["pyro"] = "pyro"
    environment: str = "debian:13-agent"
    vcpu_count: int = 1
    mem_mib: int = 1024
    network: bool = False
    exposed_ports: tuple[int, ...] = ()
    """Ports of the guest that `resolve_exposed_port` may be asked for."""
    ttl_seconds: int = 6 * 3600
    """When it ends even if the session has not."""


class PyroSessionState(SandboxSessionState):
    """What names the workspace of a session, for a later one."""

    type: Literal["pyro"] = "pyro"
    workspace_id: str
    options: PyroOptions


class PyroSession(BaseSandboxSession):
    """A workspace, in which the framework runs commands and keeps files."""

    state: PyroSessionState

    def __init__(self, workspace: AsyncWorkspace, state: PyroSessionState) -> None:
        self.workspace = workspace
        self.state = state
        # How much of each output the agent has had, by the numbers of the commands that go on.
        self._had: dict[int, list[int]] = {}

    async def exec(
        self,
        *command: str | Path,
        timeout: float | None = None,
        shell: bool | list[str] = True,
        user: str | User | None = None,
    ) -> ExecResult:
        """Runs a command to its end; as another user without sudo, which guests may not have."""
        words = self._prepare_exec_command(*command, shell=shell, user=None)
        return await self._run(words, timeout, _name(user))

    async def _exec_internal(
        self, *command: str | Path, timeout: float | None = None
    ) -> ExecResult:
        return await self._run([str(word) for word in command], timeout, None)

    async def _run(self, words: list[str], timeout: float | None, user: str | None) -> ExecResult:
        try:
            ran = await self.workspace.run(
                words, timeout=timeout, user=user, **(await self._where())
            )
        except PyroError as error:
            _raise_transport(words, error)
        if ran.timed_out:
            raise ExecTimeoutError(command=words, timeout_s=timeout)
        dropped = b"\n(output was too long; its end was dropped)\n" if ran.truncated else b""
        return ExecResult(
            stdout=ran.stdout, stderr=ran.stderr + dropped, exit_code=ran.exit_code
        )

    def supports_pty(self) -> bool:
        """That commands may go on in the background. None of them has a terminal or gets input."""
        return True

    async def pty_exec_start(
        self,
        *command: str | Path,
        timeout: float | None = None,
        shell: bool | list[str] = True,
        user: str | User | None = None,
        tty: bool = False,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        """Starts a command, and waits for its end for a while."""
        words = self._prepare_exec_command(*command, shell=shell, user=None)
        try:
            where = await self._where()
            process = await self.workspace.start_process(words, user=_name(user), **where)
            self._had[process.id] = [0, 0]
            return await self._news(process, yield_time_s, max_output_tokens)
        except PyroError as error:
            _raise_transport(words, error)

    async def pty_write_stdin(
        self,
        *,
        session_id: int,
        chars: str,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        """Waits further for a command's end. Ctrl-C interrupts it; other input it does not get."""
        if session_id not in self._had:
            raise PtySessionNotFoundError(session_id=session_id)
        process = AsyncProcess(self.workspace, session_id)
        try:
            if chars == _INTERRUPT:
                await process.signal("INT")
            elif chars:
                reason = "a running command gets no input but Ctrl-C"
                raise ExecTransportError(command=[str(session_id)], message=reason)
            return await self._news(process, yield_time_s, max_output_tokens)
        except PyroError as error:
            _raise_transport([str(session_id)], error)

    async def pty_terminate_all(self) -> None:
        """Ends the commands that go on."""
        left, self._had = self._had, {}
        for id in left:
            try:
                await AsyncProcess(self.workspace, id).kill()
            except PyroError as error:
                if error.code not in GONE:
                    raise

    async def _news(
        self, process: AsyncProcess, seconds: float | None, max_tokens: int | None
    ) -> PtyExecUpdate:
        """What a command has printed since the agent was told last, or until its end."""
        exit_code: int | None = None
        try:
            seconds = _YIELD_SECONDS if seconds is None else max(seconds, 0.25)
            exit_code = (await process.wait(seconds, max_output=0)).exit_code
        except TimeoutError:
            pass
        had = self._had[process.id]
        told = b""
        for index, stream in enumerate(("stdout", "stderr")):
            new = await process.read(stream, offset=had[index])  # type: ignore[arg-type]
            had[index] += len(new)
            told += new
        if exit_code is not None:
            del self._had[process.id]
        text, tokens = truncate_text_by_tokens(told.decode(errors="replace"), max_tokens)
        going_on = process.id if exit_code is None else None
        return PtyExecUpdate(going_on, text.encode(), exit_code, tokens)

    async def read(self, path: Path, *, user: str | User | None = None) -> io.IOBase:
        """Returns the content of a file."""
        try:
            return io.BytesIO(await self._files(user).read(self.normalize_path(path)))
        except FileNotFoundError as error:
            raise WorkspaceReadNotFoundError(path=path, cause=error) from error
        except PyroError as error:
            raise WorkspaceArchiveReadError(path=path, cause=error) from error

    async def write(
        self, path: Path, data: io.IOBase, *, user: str | User | None = None
    ) -> None:
        """Writes a file, and makes the directories that it needs."""
        content = coerce_write_payload(path=path, data=data).stream.read()
        try:
            await self._files(user).write(self.normalize_path(path, for_write=True), content)
        except PyroError as error:
            raise WorkspaceArchiveWriteError(path=path, cause=error) from error

    async def running(self) -> bool:
        """Whether its machine is there."""
        return await _state(self.workspace) == "started"

    async def persist_workspace(self) -> io.IOBase:
        """Returns the directory of the agent as a tar archive."""
        root = self._workspace_root_path()
        left_out = sorted(path.as_posix() for path in self._persist_workspace_skip_relpaths())
        try:
            return io.BytesIO(await self.workspace.files.pack(root, exclude=left_out))
        except PyroError as error:
            raise WorkspaceArchiveReadError(path=root, cause=error) from error

    async def hydrate_workspace(self, data: io.IOBase) -> None:
        """Unpacks a tar archive into the directory of the agent."""
        root = self._workspace_root_path()
        archive = coerce_write_payload(path=root, data=data).stream.read()
        try:
            await self.workspace.files.unpack(archive, root)
        except PyroError as error:
            raise WorkspaceArchiveWriteError(path=root, cause=error) from error

    async def _resolve_exposed_port(self, port: int) -> ExposedPortEndpoint:
        host, _, host_port = (await self.workspace.port(port)).rpartition(":")
        return ExposedPortEndpoint(host=host, port=int(host_port))

    async def _ensure_backend_started(self) -> None:
        if await _state(self.workspace) == "stopped":
            await self.workspace.start()

    async def _prepare_backend_workspace(self) -> None:
        # Commands start there, also those that would make it.
        await self.workspace.files.mkdir(self._workspace_root_path())

    async def _shutdown_backend(self) -> None:
        # The disk stays, for a session that goes on with this one's state.
        if await self.running():
            await self.workspace.stop()

    async def _where(self) -> dict[str, Any]:
        env = await self.state.manifest.environment.resolve()
        return {"cwd": self.state.manifest.root, "env": env}

    def _files(self, user: str | User | None) -> AsyncFiles:
        name = _name(user)
        return self.workspace.files if name is None else self.workspace.files.as_user(name)


class PyroSandboxClient(BaseSandboxClient[PyroOptions]):
    """Makes a workspace for each session.

    Args:
        pyro: Where they run; unless given, with the program's own limit on their number.
    """

    backend_id = "pyro"
    supports_default_options = True

    def __init__(self, pyro: AsyncPyro | None = None) -> None:
        self._pyro = pyro or AsyncPyro(max_active_vms=None)

    async def create(
        self,
        *,
        snapshot: SnapshotSpec | SnapshotBase | None = None,
        manifest: Manifest | None = None,
        options: PyroOptions | None = None,
    ) -> SandboxSession:
        """Creates a workspace."""
        manifest = self._validate_manifest_for_create(manifest or Manifest())
        options = options or PyroOptions()
        session_id = uuid.uuid4()
        state = PyroSessionState(
            session_id=session_id,
            snapshot=resolve_snapshot(snapshot, str(session_id)),
            manifest=manifest,
            exposed_ports=options.exposed_ports,
            workspace_id=await self._make(options),
            options=options,
        )
        return self._session(state)

    async def resume(self, state: SandboxSessionState) -> SandboxSession:
        """Goes on in the workspace of an earlier session, or in a new one if it is gone."""
        if not isinstance(state, PyroSessionState):
            raise TypeError(f"this is not the state of a session of pyro: {state.type}")
        state.assert_path_grants_rebound()
        is_there = await _state(self._pyro.attach_workspace(state.workspace_id)) is not None
        if not is_there:
            state.workspace_id = await self._make(state.options)
            state.workspace_root_ready = False
        return self._session(state, preserved=is_there)

    async def delete(self, session: SandboxSession) -> SandboxSession:
        """Deletes the workspace of a session."""
        try:
            await self._pyro.delete_workspace(_inner(session).state.workspace_id)
        except PyroError as error:
            if error.code not in GONE:
                raise
        return session

    def deserialize_session_state(self, payload: dict[str, object]) -> SandboxSessionState:
        """Reads a state that was kept."""
        return self._deserialize_session_state_payload(payload, PyroSessionState)

    async def _make(self, options: PyroOptions) -> str:
        # A task that is cancelled meanwhile leaves no workspace.
        made = await self._pyro.create_workspace(
            environment=options.environment,
            vcpu_count=options.vcpu_count,
            mem_mib=options.mem_mib,
            network=options.network,
            ttl_seconds=options.ttl_seconds,
        )
        return made["workspace_id"]

    def _session(self, state: PyroSessionState, *, preserved: bool = False) -> SandboxSession:
        session = PyroSession(self._pyro.attach_workspace(state.workspace_id), state)
        session._set_start_state_preserved(preserved)
        return self._wrap_session(session)


def _inner(session: SandboxSession) -> PyroSession:
    if not isinstance(session._inner, PyroSession):
        raise TypeError("this is not a session of pyro")
    return session._inner


def _name(user: str | User | None) -> str | None:
    return user.name if isinstance(user, User) else user


async def _state(workspace: AsyncWorkspace) -> str | None:
    """Whether a workspace is started or stopped; None if there is none to go on with."""
    try:
        state = (await workspace.status())["state"]
    except PyroError as error:
        if error.code not in GONE:
            raise
        return None
    return state if state in ("started", "stopped") else None


def _raise_transport(words: list[str], error: PyroError) -> NoReturn:
    raise ExecTransportError(
        command=words, message=str(error), cause=error, retryable=error.retry_safe
    ) from error

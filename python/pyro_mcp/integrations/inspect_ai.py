"""A sandbox for Inspect: each sample of an evaluation has a microVM.

    Task(dataset=..., solver=..., sandbox="pyro")
    Task(dataset=..., solver=..., sandbox=("pyro", "debian:13-build"))

Inspect finds it by its entry point, so there is nothing to import, unless more is chosen than the
environment:

    from inspect_ai.util import SandboxEnvironmentSpec
    from pyro_mcp.integrations.inspect_ai import PyroConfig

    sandbox = SandboxEnvironmentSpec("pyro", PyroConfig(network=True, mem_mib=4096))
"""

from __future__ import annotations

import shlex
from typing import Any, Literal, overload

import anyio
from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxConnection,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    SandboxEnvironmentLimits,
    sandboxenv,
)
from inspect_ai.util._sandbox.environment import SandboxUnavailableError
from pydantic import BaseModel, ConfigDict

from pyro_mcp._async import AsyncPyro, AsyncWorkspace
from pyro_mcp._async_parts import AsyncFiles
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE

# By this label `inspect sandbox cleanup pyro` finds what a crash has left.
_LABELS = {"made-by": "inspect"}
# What a shell's exit codes mean.
_CANNOT_EXECUTE = 126


class PyroConfig(BaseModel):
    """The microVM of a sample."""

    model_config = ConfigDict(frozen=True)

    environment: str = "debian:13-agent"
    """The environment. Inspect's tool `python` needs python3 in it."""
    vcpu_count: int = 1
    mem_mib: int = 1024
    network: bool = False
    user: str | None = None
    """Who runs commands and reads files unless a call says: a user of the guest; root by default."""
    ttl_seconds: int = 6 * 3600
    """When it ends even if the evaluation has not."""


@sandboxenv(name="pyro")
class PyroSandbox(SandboxEnvironment):
    """The microVM of one sample."""

    def __init__(self, workspace: AsyncWorkspace, user: str | None = None) -> None:
        super().__init__()
        self.workspace = workspace
        self._user = user

    @classmethod
    def default_concurrency(cls) -> int | None:
        """As many as may be active at a time: one more would wait."""
        return _pyro().manager.max_active_vms

    @classmethod
    def config_deserialize(cls, config: dict[str, Any]) -> BaseModel:
        """Reads a configuration from a log of Inspect."""
        return PyroConfig(**config)

    @classmethod
    async def task_init(cls, task_name: str, config: SandboxEnvironmentConfigType | None) -> None:
        """Installs the environment before the first sample needs it."""
        await _pyro().pull_environment(_config(config).environment, pull="missing")

    @classmethod
    async def sample_init(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        metadata: dict[str, str],
    ) -> dict[str, SandboxEnvironment]:
        """Creates the microVM of a sample."""
        wanted = _config(config)
        pyro = _pyro()
        made = await pyro.create_workspace(
            environment=wanted.environment,
            vcpu_count=wanted.vcpu_count,
            mem_mib=wanted.mem_mib,
            network=wanted.network,
            ttl_seconds=wanted.ttl_seconds,
            labels=_LABELS,
        )
        workspace = pyro.attach_workspace(made["workspace_id"])
        if wanted.user is not None:
            owned = await workspace.run(["chown", wanted.user, "/workspace"])
            if owned.exit_code != 0:
                await workspace.delete()
                raise ValueError(owned.stderr.decode(errors="replace"))
        return {"default": cls(workspace, wanted.user)}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        """Deletes the microVM of a sample."""
        for environment in environments.values():
            await _delete(environment.as_type(PyroSandbox).workspace)

    @classmethod
    async def cli_cleanup(cls, id: str | None) -> None:
        """Deletes what evaluations that crashed have left: one, or all of them."""
        pyro = _pyro()
        for one in (await pyro.list_workspaces())["workspaces"]:
            is_ours = one["labels"].items() >= _LABELS.items()
            if is_ours and id in (None, one["workspace_id"]):
                await _delete(pyro.attach_workspace(one["workspace_id"]))

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Runs a command to its end."""
        limit = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE
        try:
            ran = await self.workspace.run(
                cmd,
                input=input,
                cwd=cwd,
                env=env,
                user=user or self._user,
                timeout=timeout,
                max_output=limit,
            )
        except PyroError as error:
            if error.code in GONE:
                raise SandboxUnavailableError(str(error)) from error
            if error.code in ("command_not_started", "no_such_user"):
                return ExecResult(False, _CANNOT_EXECUTE, "", str(error))
            raise
        stdout = ran.stdout.decode(errors="replace")
        stderr = ran.stderr.decode(errors="replace")
        if ran.timed_out:
            raise TimeoutError(f"the command still ran after {timeout} seconds")
        if ran.truncated:
            limit_text = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR
            raise OutputLimitExceededError(limit_text, stdout or stderr)
        if ran.exit_code == _CANNOT_EXECUTE and stderr.rstrip().endswith("Permission denied"):
            raise PermissionError(stderr)
        return ExecResult(ran.exit_code == 0, ran.exit_code, stdout, stderr)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Writes a file, and makes the directories that it needs."""
        await self._files().write(file, contents)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """Returns the content of a file."""
        limit = SandboxEnvironmentLimits.MAX_READ_FILE_SIZE
        try:
            content = await self._files().read(file, max_bytes=limit)
        except PyroError as error:
            if error.code != "file_too_large":
                raise
            limit_text = SandboxEnvironmentLimits.MAX_READ_FILE_SIZE_STR
            raise OutputLimitExceededError(limit_text, None) from error
        return content.decode() if text else content

    async def connection(self, *, user: str | None = None) -> SandboxConnection:
        """How a person opens a terminal in it."""
        try:
            state = (await self.workspace.status())["state"]
        except PyroError as error:
            raise ConnectionError(str(error)) from error
        if state != "started":
            raise ConnectionError(f"workspace {self.workspace.id} is {state}")
        command = self.workspace.shell_command(user=user or self._user)
        return SandboxConnection(type="pyro", command=shlex.join(command))

    def _files(self) -> AsyncFiles:
        files = self.workspace.files
        return files if self._user is None else files.as_user(self._user)


def _pyro() -> AsyncPyro:
    # The program's own limit: an evaluation has many samples.
    return AsyncPyro(max_active_vms=None)


def _config(config: SandboxEnvironmentConfigType | None) -> PyroConfig:
    if isinstance(config, PyroConfig):
        return config
    if isinstance(config, str):
        return PyroConfig(environment=config)
    if config is None:
        return PyroConfig()
    raise TypeError(f"pyro takes a PyroConfig or the name of an environment, not {config!r}")


async def _delete(workspace: AsyncWorkspace) -> None:
    try:
        # Whoever is cancelled meanwhile would leave it.
        with anyio.CancelScope(shield=True):
            await workspace.delete()
    except PyroError as error:
        if error.code not in GONE:
            raise

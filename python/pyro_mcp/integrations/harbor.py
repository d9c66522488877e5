"""An environment for Harbor, which runs Terminal-Bench: each trial has a microVM.

    harbor run --environment-import-path pyro_mcp.integrations.harbor:PyroEnvironment ...

A task's Dockerfile is built, or its image pulled, as `pyro env build` and `pyro env pull` do.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

from harbor.environments.base import BaseEnvironment, ExecResult
from harbor.environments.capabilities import (
    EnvironmentCapabilities,
    EnvironmentResourceCapabilities,
)
from harbor.environments.definition import (
    COMPOSE_FILE_NAME,
    SNAPSHOT_HASH_LEN,
    environment_content_hash,
    require_agent_environment_definition,
    should_use_prebuilt_docker_image,
)
from harbor.environments.options import EnvironmentOptions
from harbor.environments.tar_transfer import extract_dir, pack_dir_to_bytes

from pyro_mcp._async import AsyncPyro, AsyncWorkspace
from pyro_mcp.errors import PyroError
from pyro_mcp.integrations._gone import GONE

# What a task says nothing of.
_VCPU_COUNT = 1
_MEM_MIB = 2048
# Where the commands of an environment start. Trials of a job share environments.
_DIRECTORIES: dict[str, str] = {}


class PyroOptions(EnvironmentOptions):
    """What may be given with `--ek NAME=VALUE`."""

    environment: str | None = None
    """An environment of pyro for all tasks, instead of their images and Dockerfiles."""
    build_network: bool = True
    """Whether the instructions of a Dockerfile reach the Internet, as they do with Docker."""
    ttl_seconds: int = 6 * 3600
    """When a microVM ends even if its trial has not."""


class PyroEnvironment(BaseEnvironment):
    """The microVM of a trial, or of its verifier."""

    options_model = PyroOptions
    options: PyroOptions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The program's own limit: a job has many trials.
        self._pyro = AsyncPyro(max_active_vms=None)
        self._workspace: AsyncWorkspace | None = None
        self._directory: str | None = None

    @staticmethod
    def type() -> str:
        """The name of the environments of this class."""
        return "pyro"

    @property
    def capabilities(self) -> EnvironmentCapabilities:
        """What a task may ask for."""
        return EnvironmentCapabilities(disable_internet=True)

    @classmethod
    def resource_capabilities(cls) -> EnvironmentResourceCapabilities:
        """A microVM has no more processors and memory than it is given."""
        return EnvironmentResourceCapabilities(cpu_limit=True, memory_limit=True)

    def _validate_definition(self) -> None:
        if self.options.environment is not None:
            return
        image = self.task_env_config.docker_image
        require_agent_environment_definition(self.environment_dir, docker_image=image)
        if (self.environment_dir / COMPOSE_FILE_NAME).exists():
            raise ValueError("the task needs Docker Compose; pyro runs one machine for a trial")

    async def start(self, force_build: bool) -> None:
        """Creates the microVM, and first what it runs, if that is not there."""
        environment = await self._environment(force_build)
        made = await self._pyro.create_workspace(
            environment=environment,
            vcpu_count=int(self._effective_cpus or _VCPU_COUNT),
            mem_mib=self._effective_memory_mb or _MEM_MIB,
            network=self._network_is_public,
            ttl_seconds=self.options.ttl_seconds,
            labels={"made-by": "harbor", "session": _label(self.session_id)},
        )
        self._workspace = self._pyro.attach_workspace(made["workspace_id"])
        self._directory = await self._find_directory(environment)
        await self.ensure_dirs(self._mount_targets(writable_only=True))
        await self._upload_environment_dir_after_start()

    async def _environment(self, force_build: bool) -> str:
        if self.options.environment is not None:
            return self.options.environment
        image = self.task_env_config.docker_image
        if image and should_use_prebuilt_docker_image(
            self.environment_dir, docker_image=image, force_build=force_build
        ):
            # Without the prefix, `debian:12` is pyro's own environment.
            return f"oci:{image}"
        digest = environment_content_hash(self.environment_dir, truncate=SNAPSHOT_HASH_LEN)
        name = re.sub("[^a-z0-9]+", "-", self.environment_name.lower()).strip("-") or "task"
        # What is known by its digest is built once, for all trials.
        built = await self._pyro.build_environment(
            name=f"harbor/{name}:{digest}",
            context=self.environment_dir,
            network=self.options.build_network,
            no_cache=force_build,
        )
        return built["name"]

    async def _find_directory(self, environment: str) -> str | None:
        """Where commands start, as with Docker. Those of a workspace start in /workspace."""
        known: str | None = self.task_env_config.workdir
        if known is not None or self.options.environment is not None:
            return known
        if environment not in _DIRECTORIES:
            # The command of a machine that is no workspace starts where the image says.
            ran = await self._pyro.run_in_vm(environment=environment, command="pwd")
            _DIRECTORIES[environment] = ran["stdout"].removesuffix("\n")
        return _DIRECTORIES[environment]

    async def stop(self, delete: bool) -> None:
        """Deletes the microVM, or keeps its disk. Environments stay, for the next trial."""
        workspace, self._workspace = self._workspace, None
        if workspace is None:
            return
        try:
            await (workspace.delete() if delete else workspace.stop())
        except PyroError as error:
            if error.code not in GONE:
                raise
        if not delete:
            self.logger.info("the workspace %s is kept; it is stopped", workspace.id)

    async def exec(
        self,
        command: str,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        timeout_sec: int | None = None,
        user: str | int | None = None,
    ) -> ExecResult:
        """Runs a command with bash."""
        who = self._resolve_user(user)
        ran = await self._started().run(
            ["bash", "-c", command],
            cwd=cwd or self._directory,
            env=self._merge_env(env),
            timeout=timeout_sec,
            user=None if who is None else str(who),
        )
        if ran.timed_out:
            # The framework's own environments raise no other.
            raise RuntimeError(f"Command timed out after {timeout_sec} seconds")
        return ExecResult(
            stdout=ran.stdout.decode(errors="replace"),
            stderr=ran.stderr.decode(errors="replace"),
            return_code=ran.exit_code,
        )

    async def upload_file(self, source_path: Path | str, target_path: str) -> None:
        """Copies a file of this host into the microVM."""
        source = Path(source_path)
        mode = source.stat().st_mode & 0o777
        await self._started().files.write(target_path, source.read_bytes(), mode=mode)

    async def upload_dir(self, source_dir: Path | str, target_dir: str) -> None:
        """Copies what is in a directory of this host into one of the microVM."""
        packed = pack_dir_to_bytes(source_dir, include_root=False)
        await self._started().files.unpack(packed.getvalue(), target_dir)

    async def download_file(self, source_path: str, target_path: Path | str) -> None:
        """Copies a file of the microVM to this host."""
        content = await self._started().files.read(source_path)
        target = Path(target_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    async def download_dir(self, source_dir: str, target_dir: Path | str) -> None:
        """Copies what is in a directory of the microVM into one of this host, but for links that
        lead out of it."""
        packed = await self._started().files.pack(source_dir)
        for refused in extract_dir(io.BytesIO(packed), target_dir):
            self.logger.warning("not copied from %s: %s", source_dir, refused)

    async def attach(self) -> None:
        """Replaces this process by a terminal in the microVM."""
        command = self._started().shell_command()
        os.execvp(command[0], command)

    def _started(self) -> AsyncWorkspace:
        if self._workspace is None:
            raise RuntimeError("the environment is not started: call start() first")
        return self._workspace


def _label(text: str) -> str:
    return re.sub("[^A-Za-z0-9._-]", "-", text)[:60].strip("-._")

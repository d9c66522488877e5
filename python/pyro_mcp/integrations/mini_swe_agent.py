"""An environment for mini-SWE-agent: its commands run in a microVM.

    environment:
      environment_class: pyro_mcp.integrations.mini_swe_agent.PyroEnvironment
      image: docker.io/swebench/...      # or environment: debian:13-agent
      cwd: /testbed
"""

from __future__ import annotations

import shlex
from typing import Any

from minisweagent.exceptions import Submitted
from minisweagent.utils.serialize import recursive_merge
from pydantic import BaseModel

from pyro_mcp._pyro import Pyro
from pyro_mcp.errors import PyroError

_SUBMITS = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class PyroConfig(BaseModel):
    """The microVM of an agent."""

    environment: str = "debian:12"
    """The environment."""
    image: str = ""
    """An image of a registry, instead of an environment."""
    cwd: str = "/workspace"
    """Where commands start."""
    env: dict[str, str] = {}
    """Variables of all commands."""
    timeout: int = 30
    """Seconds after which a command is ended."""
    interpreter: list[str] = ["bash", "-lc"]
    """What gets the command as its last word."""
    network: bool = False
    vcpu_count: int = 1
    mem_mib: int = 1024
    ttl_seconds: int = 2 * 3600
    """When it ends even if the agent has not."""


class PyroEnvironment:
    """The microVM of one agent. It is deleted with this object, or by `cleanup`."""

    def __init__(self, *, config_class: type[PyroConfig] = PyroConfig, **options: Any) -> None:
        self.config = config_class(**options)
        self._workspace = Pyro(max_active_vms=None).workspace(
            environment=self.config.image or self.config.environment,
            network=self.config.network,
            vcpu_count=self.config.vcpu_count,
            mem_mib=self.config.mem_mib,
            ttl_seconds=self.config.ttl_seconds,
        )

    def execute(
        self, action: dict[str, Any], cwd: str = "", *, timeout: int | None = None
    ) -> dict[str, Any]:
        """Runs a command. Both of its outputs are in one, as on a terminal."""
        limit = timeout or self.config.timeout
        command = shlex.join([*self.config.interpreter, action.get("command", "")])
        try:
            ran = self._workspace.run(
                f"exec 2>&1\n{command}",
                cwd=cwd or self.config.cwd,
                env=self.config.env,
                timeout=limit,
            )
        except PyroError as error:
            return _failed("", error)
        output = ran.stdout.decode(errors="replace")
        if ran.timed_out:
            return _failed(output, TimeoutError(f"the command still ran after {limit} seconds"))
        first, _, rest = output.lstrip().partition("\n")
        if first.strip() == _SUBMITS and ran.exit_code == 0:
            extra = {"exit_status": "Submitted", "submission": rest}
            raise Submitted({"role": "exit", "content": rest, "extra": extra})
        return {"output": output, "returncode": ran.exit_code, "exception_info": ""}

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """What a prompt may say of the environment."""
        uname = self._workspace.run("uname -s; uname -r; uname -v; uname -m").stdout.decode()
        names = ("system", "release", "version", "machine")
        known = dict(zip(names, uname.splitlines()))
        merged: dict[str, Any] = recursive_merge(self.config.model_dump(), known, kwargs)
        return merged

    def serialize(self) -> dict[str, Any]:
        """What a record of the run says of the environment."""
        kind = f"{type(self).__module__}.{type(self).__name__}"
        config = {"environment": self.config.model_dump(mode="json"), "environment_type": kind}
        return {"info": {"config": config}}

    def cleanup(self) -> None:
        """Deletes the microVM."""
        self._workspace.__exit__(None, None, None)

    def __del__(self) -> None:
        # Without a workspace the constructor has failed.
        if hasattr(self, "_workspace"):
            self.cleanup()


def _failed(output: str, error: Exception) -> dict[str, Any]:
    told = f"An error occurred while executing the command: {error}"
    extra = {"exception_type": type(error).__name__, "exception": str(error)}
    return {"output": output, "returncode": -1, "exception_info": told, "extra": extra}

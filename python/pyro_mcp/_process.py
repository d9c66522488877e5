"""A process: a command of a workspace that runs in the background, known by its number."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyro_mcp import results
from pyro_mcp._commands import DEFAULT_MAX_OUTPUT, Deadline, Ran
from pyro_mcp._manager import StreamName
from pyro_mcp._stream import Stream
from pyro_mcp.errors import PyroError

if TYPE_CHECKING:
    from pyro_mcp._pyro import Workspace

# The exit code of a command whose own was lost, because its workspace ended.
_INTERRUPTED = 1


class Process:
    """A command that runs in the background. It is an entry of the workspace's log, so any process
    of this host can wait for it, by its id."""

    def __init__(self, workspace: Workspace, id: int) -> None:
        self.workspace = workspace
        self.id = id

    def __repr__(self) -> str:
        return f"Process({self.id}, workspace {self.workspace.id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Process):
            return NotImplemented
        return (self.workspace.id, self.id) == (other.workspace.id, other.id)

    def __hash__(self) -> int:
        return hash((self.workspace.id, self.id))

    @property
    def command(self) -> str:
        """The line that the guest's shell runs."""
        return self._entry()["command"]

    def poll(self) -> int | None:
        """Its exit code; None while it runs. It is 1 if the workspace ended before the command."""
        entry = self._entry()
        if entry["exit_code"] is None:
            return None if entry.get("interrupted") == "running" else _INTERRUPTED
        return entry["exit_code"]

    def wait(
        self, timeout: float | None = None, *, max_output: int = DEFAULT_MAX_OUTPUT
    ) -> Ran:
        """Waits for its end and returns what it did, with the first `max_output` bytes of each
        output.

        Raises:
            TimeoutError: It still runs after `timeout` seconds, and goes on.
        """
        pyro = self.workspace._pyro
        deadline = Deadline(timeout, pyro._wanted)
        call = pyro._with(None, deadline.wanted)
        try:
            ended = call.wait_command(self.workspace.id, self.id)
        except PyroError as error:
            if not deadline.passed or error.code != "cancelled":
                raise
            raise TimeoutError(f"command {self.id} still runs after {timeout} seconds") from None
        # One byte more tells whether there are more.
        outputs = [self.read(name, max_bytes=max_output + 1) for name in ("stdout", "stderr")]
        return Ran(
            ended["exit_code"],
            outputs[0][:max_output],
            outputs[1][:max_output],
            ended.get("timed_out", False),
            any(len(output) > max_output for output in outputs),
        )

    def read(
        self,
        stream: StreamName = "stdout",
        *,
        offset: int = 0,
        max_bytes: int = DEFAULT_MAX_OUTPUT,
    ) -> bytes:
        """What it has printed so far, from the byte `offset` on."""
        entry = self._entry()
        path = entry["stdout_file"] if stream == "stdout" else entry["stderr_file"]
        with open(os.fsencode(path), "rb") as file:
            file.seek(offset)
            return file.read(max_bytes)

    def follow(self) -> Stream[results.WorkspaceLogs]:
        """Iterates over its output, from its beginning to its end. Closing the stream does not end
        the command."""
        workspace_id = self.workspace.id
        return self.workspace._pyro.stream(
            lambda pyro: pyro.read_workspace_logs(workspace_id, sequence=self.id, follow=True)
        )

    def signal(self, signal: str | int = "TERM") -> bool:
        """Sends a signal to its process group. Returns False if it has already ended."""
        sent = self.workspace._pyro.kill_command(
            self.workspace.id, self.id, signal=str(signal).removeprefix("SIG")
        )
        return sent["sent"]

    def kill(self) -> bool:
        """Ends it and all that it has started. Returns False if it has already ended."""
        return self.signal("KILL")

    def _entry(self) -> results.LogEntry:
        # The output is read elsewhere.
        logs = self.workspace._pyro.read_workspace_logs(
            self.workspace.id, sequence=self.id, limit=1
        )
        return logs["entries"][0]

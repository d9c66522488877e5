"""A sandbox for Deep Agents, the agents of LangChain: they work in a workspace.

    from deepagents import create_deep_agent
    from pyro_mcp import Pyro
    from pyro_mcp.integrations.langchain import PyroSandbox

    with Pyro().workspace(environment="debian:13-agent") as workspace:
        agent = create_deep_agent(model=..., backend=PyroSandbox(workspace))

The framework's tools for files are scripts for python3, so the environment must have it:
`debian:13-agent` and the `-build` ones do, `debian:12` does not.
"""

from __future__ import annotations

from deepagents.backends.protocol import (
    ExecuteResponse,
    FileDownloadResponse,
    FileOperationError,
    FileUploadResponse,
)
from deepagents.backends.sandbox import BaseSandbox

from pyro_mcp._commands import DEFAULT_MAX_OUTPUT
from pyro_mcp._pyro import Workspace
from pyro_mcp.errors import PyroError, PyroFileError

_ERRORS: dict[str, FileOperationError] = {
    "no_such_file": "file_not_found",
    "permission_denied": "permission_denied",
    "is_directory": "is_directory",
    "not_directory": "invalid_path",
    "invalid_input": "invalid_path",
}


class PyroSandbox(BaseSandbox):
    """A workspace, which stays what it is when the agent has ended: whoever made it deletes it.

    Args:
        workspace: Where commands run and files are.
        timeout: Seconds after which a command is ended, unless the agent says; 0 for no limit.
    """

    def __init__(self, workspace: Workspace, *, timeout: int = 30 * 60) -> None:
        self.workspace = workspace
        self._timeout = timeout

    @property
    def id(self) -> str:
        """The workspace's id."""
        return self.workspace.id

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """Runs a shell command. Both of its outputs are in one, as on a terminal."""
        limit = self._timeout if timeout is None else timeout
        ran = self.workspace.run(
            f"exec 2>&1\n{command}", timeout=limit or None, max_output=DEFAULT_MAX_OUTPUT
        )
        output = ran.stdout.decode(errors="replace")
        if ran.timed_out:
            output += f"\n[ended after {limit} seconds]\n"
        return ExecuteResponse(output=output, exit_code=ran.exit_code, truncated=ran.truncated)

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Writes files; each answer says whether it was written."""
        return [
            FileUploadResponse(path=path, error=self._write(path, content))
            for path, content in files
        ]

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Reads files; each answer has the content, or says why not."""
        return [self._read(path) for path in paths]

    def _write(self, path: str, content: bytes) -> FileOperationError | str | None:
        if not path.startswith("/"):
            return "invalid_path"
        try:
            self.workspace.files.write(path, content)
        except PyroError as error:
            return _reason(error)
        return None

    def _read(self, path: str) -> FileDownloadResponse:
        if not path.startswith("/"):
            return FileDownloadResponse(path=path, error="invalid_path")
        try:
            return FileDownloadResponse(path=path, content=self.workspace.files.read(path))
        except PyroError as error:
            return FileDownloadResponse(path=path, error=_reason(error))


def _reason(error: PyroError) -> FileOperationError | str:
    """What a file's answer says. An error of the workspace itself is raised."""
    if not isinstance(error, PyroFileError) and error.code not in ("invalid_input", "file_too_large"):
        raise error
    return _ERRORS.get(error.code, str(error))

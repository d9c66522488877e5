"""Runs untrusted commands in microVMs.

    from pyro_mcp import Pyro

    pyro = Pyro()
    print(pyro.run_in_vm(environment="debian:12", command="git --version")["stdout"])

    with pyro.workspace(seed_path=".") as workspace:
        print(workspace.run(["git", "log", "-1"]).stdout)
        workspace.files.write("/etc/motd", "hello")
        for chunk in workspace.stream("make test"):
            print(chunk.stream, chunk.data)
"""

from typing import TYPE_CHECKING, Any

from pyro_mcp._commands import Ran
from pyro_mcp._files import Files, FileState
from pyro_mcp._manager import VmManager
from pyro_mcp._native import __version__
from pyro_mcp._process import Process
from pyro_mcp._pyro import Pyro, Workspace
from pyro_mcp._server import Server, create_server
from pyro_mcp._stream import Chunk, Stream
from pyro_mcp.errors import (
    PyroError,
    PyroFileError,
    PyroRuntimeError,
    PyroValueError,
    PyroWarning,
    ToolError,
)

if TYPE_CHECKING:
    from pyro_mcp._async import AsyncPyro, AsyncWorkspace
    from pyro_mcp._async_parts import AsyncFiles, AsyncProcess
    from pyro_mcp._async_stream import AsyncStream

__all__ = [
    "AsyncFiles",
    "AsyncProcess",
    "AsyncPyro",
    "AsyncStream",
    "AsyncWorkspace",
    "Chunk",
    "FileState",
    "Files",
    "Process",
    "Pyro",
    "PyroError",
    "PyroFileError",
    "PyroRuntimeError",
    "PyroValueError",
    "PyroWarning",
    "Ran",
    "Server",
    "Stream",
    "ToolError",
    "VmManager",
    "Workspace",
    "__version__",
    "create_server",
]


def __getattr__(name: str) -> Any:
    # What is asynchronous is imported when it is used: asyncio takes half of the time.
    if name.startswith("Async") and name in __all__:
        from pyro_mcp import _async

        return getattr(_async, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

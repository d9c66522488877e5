"""Runs untrusted commands in microVMs.

    from pyro_mcp import Pyro

    pyro = Pyro()
    print(pyro.run_in_vm(environment="debian:12", command="git --version")["stdout"])

    with pyro.workspace(environment="debian:12", seed_path=".") as workspace:
        for chunk in workspace.stream("make test"):
            print(chunk.stream, chunk.data)
"""

from pyro_mcp._async import AsyncPyro, AsyncStream, AsyncWorkspace
from pyro_mcp._manager import VmManager
from pyro_mcp._native import __version__
from pyro_mcp._pyro import Pyro, Workspace
from pyro_mcp._server import Server, create_server
from pyro_mcp._stream import Chunk, Stream
from pyro_mcp.errors import (
    PyroError,
    PyroRuntimeError,
    PyroValueError,
    PyroWarning,
    ToolError,
)

__all__ = [
    "AsyncPyro",
    "AsyncStream",
    "AsyncWorkspace",
    "Chunk",
    "Pyro",
    "PyroError",
    "PyroRuntimeError",
    "PyroValueError",
    "PyroWarning",
    "Server",
    "Stream",
    "ToolError",
    "VmManager",
    "Workspace",
    "__version__",
    "create_server",
]

"""The MCP server: that of the program `pyro`, with the settings of a manager."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from pyro_mcp import _native
from pyro_mcp._manager import VmManager, as_json
from pyro_mcp._program import program
from pyro_mcp.errors import PyroRuntimeError, PyroValueError, ToolError

if TYPE_CHECKING:
    import asyncio.subprocess

Profile = Literal["vm-run", "workspace-core", "workspace-full"]
Transport = Literal["stdio", "streamable-http"]

DEFAULT_PROFILE: Profile = "workspace-full"
_PROTOCOL = "2025-06-18"
_LONGEST_MESSAGE_BYTES = 256 * 1024 * 1024


class Server:
    """An MCP server. Tools that are called through it run in a server of their own, and so does
    every client's."""

    def __init__(
        self,
        manager: VmManager,
        profile: Profile,
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        allow_host_compat: bool = False,
    ) -> None:
        self._manager = manager
        self.profile: Profile = profile
        self._options: list[str] = []
        for directory in files:
            self._options += ["--files", os.fsdecode(directory)]
        if allow_host_compat:
            self._options.append("--allow-host-compat")

    def run(
        self, transport: Transport = "stdio", *, listen: str = "127.0.0.1:8765"
    ) -> None:
        """Becomes the server: this process is replaced by it and the call does not return. Over
        `stdio` it has one client, on standard input and output; over `streamable-http` it listens
        at an address and prints, on standard error, the token that clients must present."""
        options = {"stdio": ["stdio"], "streamable-http": ["http", "--listen", listen]}
        if transport not in options:
            raise PyroValueError(
                f"invalid transport; expected one of: {', '.join(options)}", "invalid_input"
            )
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        command = [*self._command(), "--transport", *options[transport]]
        os.execve(command[0], command, self._variables())

    async def list_tools(self) -> list[dict[str, Any]]:
        """Returns the definitions of its tools."""
        async with self._client() as client:
            tools: list[dict[str, Any]] = []
            cursor: dict[str, Any] = {}
            while True:
                page = await client.request("tools/list", cursor)
                tools += page["tools"]
                if "nextCursor" not in page:
                    return tools
                cursor = {"cursor": page["nextCursor"]}

    async def call_tool(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Calls a tool and returns its content, for models, and its structured content.

        Raises:
            ToolError: The tool failed, or there is none of this name.
        """
        given = json.loads(as_json(arguments or {}))
        async with self._client() as client:
            try:
                parameters = {"name": name, "arguments": given}
                result = await client.request("tools/call", parameters)
            except PyroRuntimeError as error:
                raise ToolError(f"Error executing tool {name}: {error}", error.code) from None
        content: list[dict[str, Any]] = result.get("content", [])
        if result.get("isError"):
            said = " ".join(part["text"] for part in content if part.get("type") == "text")
            raise ToolError(f"Error executing tool {name}: {said}", "tool_failed")
        return content, result.get("structuredContent", {})

    def _command(self) -> list[str]:
        return [str(program()), "mcp", "serve", "--profile", self.profile, *self._options]

    def _variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYRO_BASE_DIR": str(self._manager.base_dir),
            "PYRO_ENVIRONMENT_CACHE_DIR": str(self._manager.cache_dir),
            "PYRO_MAX_ACTIVE_VMS": str(self._manager.max_active_vms),
        }

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[_Client, None]:
        # Only here: whoever calls nothing asynchronously does not load it.
        import asyncio

        process = await asyncio.create_subprocess_exec(
            *self._command(),
            env=self._variables(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_MESSAGE_BYTES,
        )
        try:
            client = _Client(process)
            await client.open()
            yield client
        except BaseException:
            # A cancelled caller wants no answer: on a signal the server ends everything at once.
            # At the end of its input it would first complete the requests.
            with suppress(ProcessLookupError):
                process.terminate()
            raise
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.shield(process.wait())


class _Client:
    """The other end of a server on standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._input = process.stdin
        self._output = process.stdout
        self._last = 0

    async def open(self) -> None:
        client = {"name": "pyro_mcp", "version": _native.__version__}
        await self.request(
            "initialize",
            {"protocolVersion": _PROTOCOL, "capabilities": {}, "clientInfo": client},
        )
        await self._send({"method": "notifications/initialized"})

    async def request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        await self._send({"id": self._last, "method": method, "params": parameters})
        while True:
            line = await self._output.readline()
            if not line:
                raise PyroRuntimeError("the server ended before it answered", "server_gone")
            message = json.loads(line)
            # Notifications of the call have no such number.
            if message.get("id") == self._last and "method" not in message:
                break
        if "error" in message:
            raise PyroRuntimeError(message["error"]["message"], "refused")
        answer: dict[str, Any] = message["result"]
        return answer

    async def _send(self, message: dict[str, Any]) -> None:
        self._input.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self._input.drain()


def create_server(
    manager: VmManager | None = None,
    *,
    profile: Profile = DEFAULT_PROFILE,
    files: Sequence[str | os.PathLike[str]] = (),
    allow_host_compat: bool = False,
) -> Server:
    """Returns an MCP server whose tools are the operations that the profile has.

    Its clients may copy files into guests from the directories `files`, or from the current one
    if there are none. Only with `allow_host_compat` can they ask for a command to run on this
    host, without isolation, if it cannot run guests at all."""
    return Server(
        manager or VmManager(), profile, files=files, allow_host_compat=allow_host_compat
    )

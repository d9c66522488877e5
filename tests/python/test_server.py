"""The MCP server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroValueError, ToolError, create_server


def test_tools_are_those_of_the_program(base_dir: Path) -> None:
    full = asyncio.run(create_server().list_tools())
    assert {"vm_run", "workspace_create", "workspace_exec"} <= {tool["name"] for tool in full}
    assert all(tool["inputSchema"]["type"] == "object" for tool in full)
    few = asyncio.run(Pyro().create_server(profile="vm-run").list_tools())
    assert [tool["name"] for tool in few] == ["vm_run"]


def test_a_tool_returns_what_its_method_returns(pyro: Pyro) -> None:
    server = pyro.create_server()
    arguments = {"environment": ENVIRONMENT, "command": "echo hi"}
    content, structured = asyncio.run(server.call_tool("vm_run", arguments))
    ran = pyro.run_in_vm(environment=ENVIRONMENT, command="echo hi")
    assert set(structured) == set(ran)
    assert structured["stdout"] == "hi\n"
    assert content[0]["type"] == "text"


def test_a_server_has_the_settings_of_its_manager(base_dir: Path, tmp_path: Path) -> None:
    server = Pyro(base_dir=tmp_path / "other").create_server()
    Pyro(base_dir=tmp_path / "other").create_vm(environment=ENVIRONMENT)
    _, structured = asyncio.run(server.call_tool("vm_list"))
    assert structured["count"] == 1
    assert Pyro().list_vms()["count"] == 0


def test_a_failure_is_a_tool_error(pyro: Pyro) -> None:
    server = pyro.create_server()
    with pytest.raises(ToolError, match="Error executing tool vm_status: .*'x' does not exist"):
        asyncio.run(server.call_tool("vm_status", {"vm_id": "x"}))
    with pytest.raises(ToolError, match="Error executing tool nothing: "):
        asyncio.run(server.call_tool("nothing"))


def test_a_server_runs_over_stdio(base_dir: Path) -> None:
    code = "from pyro_mcp import create_server; create_server(profile='vm-run').run()"
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(initialize) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(ran.stdout)
    assert answer["id"] == 1
    assert answer["result"]["serverInfo"]["name"]


def test_an_unknown_transport_is_refused(base_dir: Path) -> None:
    with pytest.raises(PyroValueError, match="expected one of: stdio, streamable-http"):
        create_server().run("sse")  # type: ignore[arg-type]


def test_a_tool_takes_what_its_method_takes(pyro: Pyro, tmp_path: Path) -> None:
    files: Any = [os.fsencode(tmp_path)]
    server = create_server(pyro.manager, files=files)
    arguments = {"environment": ENVIRONMENT, "command": b"printf '\xff' | od -An -tx1"}
    _, ran = asyncio.run(server.call_tool("vm_run", arguments))
    assert ran["stdout"] == " ff\n"
    seed = {"environment": ENVIRONMENT, "seed_path": tmp_path / "nowhere"}
    with pytest.raises(ToolError, match="does not exist"):
        asyncio.run(server.call_tool("workspace_create", seed))
    with pytest.raises(PyroValueError):
        asyncio.run(server.call_tool("vm_run", {"command": object()}))


def test_a_cancelled_tool_ends_its_server_and_its_command(pyro: Pyro) -> None:
    arguments = {"environment": ENVIRONMENT, "command": "sleep 1000", "timeout_seconds": 1000}

    async def give_up() -> None:
        await asyncio.wait_for(pyro.create_server().call_tool("vm_run", arguments), timeout=3)

    begun = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(give_up())
    # Not what it takes, but whether it waited for the command.
    assert time.monotonic() - begun < 60

"""The sandbox for the OpenAI Agents SDK, whose own doubles are all that it has for tests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import AsyncPyro
from test_integrations import KERNEL, run, types_are_right

pytest.importorskip("agents.sandbox", reason="SKIPPED: openai-agents is not installed")

from agents import Model, ModelResponse, Usage, set_tracing_disabled
from agents.sandbox import LocalSnapshotSpec, Manifest
from agents.sandbox.errors import (
    ExecTimeoutError,
    ExecTransportError,
    PtySessionNotFoundError,
    WorkspaceReadNotFoundError,
)
from agents.sandbox.manifest import Environment
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from pyro_mcp.integrations.openai_agents import PyroOptions, PyroSandboxClient

OPTIONS = PyroOptions(environment=ENVIRONMENT)

# It would be sent to a server.
set_tracing_disabled(True)


class Played(Model):
    """Calls tools, one after another, and says what the last of them returned."""

    def __init__(self, *calls: tuple[str, dict[str, Any]]) -> None:
        self.calls = list(calls)
        self.returned: list[str] = []

    async def get_response(  # type: ignore[override]
        self, system_instructions: Any, input: Any, *more: Any, **options: Any
    ) -> Any:
        if not isinstance(input, str) and input[-1].get("type") == "function_call_output":
            self.returned.append(str(input[-1]["output"]))
        if self.calls:
            name, given = self.calls.pop(0)
            item: Any = ResponseFunctionToolCall(
                arguments=json.dumps(given),
                call_id=f"call{len(self.returned)}",
                name=name,
                type="function_call",
            )
        else:
            text = ResponseOutputText(
                annotations=[], text=KERNEL + self.returned[-1], type="output_text"
            )
            item = ResponseOutputMessage(
                id="1", content=[text], role="assistant", status="completed", type="message"
            )
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def test_the_example(base_dir: Path) -> None:
    model = Played(
        ("exec_command", {"cmd": "echo begun; sleep 2; uname", "yield_time_ms": 300}),
        ("exec_command", {"cmd": "uname; pwd"}),
    )
    said = run("OpenAI Agents", model)
    assert said.startswith(KERNEL) and "code 0" in said and "Linux\n/workspace" in said
    assert "Process running with session ID" in model.returned[0]
    assert asyncio.run(AsyncPyro().list_workspaces())["count"] == 0


def test_commands_and_files(base_dir: Path) -> None:
    async def work() -> None:
        client = PyroSandboxClient()
        manifest = Manifest(root="/srv/work", environment=Environment(value={"A": "b c"}))
        session = await client.create(manifest=manifest, options=OPTIONS)
        async with session:
            ran = await session.exec("echo \"$A\"; pwd; echo err >&2; exit 3")
            assert (ran.stdout, ran.stderr, ran.exit_code) == (b"b c\n/srv/work\n", b"err\n", 3)
            ran = await session.exec("id", "-un", shell=False, user="daemon")
            assert ran.stdout == b"daemon\n"
            assert (await session.exec("no-such-program", shell=False)).exit_code == 127
            with pytest.raises(ExecTimeoutError):
                await session.exec("sleep 1000", timeout=0.5)
            await session.write(Path("a/b"), io.BytesIO(b"\xff"))
            assert (await session.read(Path("/srv/work/a/b"))).read() == b"\xff"
            assert [entry.path for entry in await session.ls("a")] == ["/srv/work/a/b"]
            with pytest.raises(WorkspaceReadNotFoundError):
                await session.read(Path("no"))
            await session.mkdir("d")
            await session.rm("a", recursive=True)
            assert (await session.exec("ls")).stdout == b"d\n"
            assert await session.running()
        assert not await session.running()
        await client.delete(session)
        await client.delete(session)
        assert (await AsyncPyro().list_workspaces())["count"] == 0
        with pytest.raises(ExecTransportError) as gone:
            await session.exec("true")
        assert gone.value.retryable

    asyncio.run(work())


def test_a_command_goes_on_until_it_ends_or_is_interrupted(base_dir: Path) -> None:
    async def work() -> None:
        client = PyroSandboxClient()
        session = await client.create(options=OPTIONS)
        async with session:
            line = "echo begun; while ! test -e go; do sleep 0.1; done; echo ended >&2; exit 4"
            # What has been printed when it yields is not certain, but nothing is told twice.
            begun = await session.pty_exec_start(line, yield_time_s=0.3)
            id = begun.process_id
            assert id is not None and begun.exit_code is None
            await session.exec("touch go")
            ended = await session.pty_write_stdin(session_id=id, chars="", yield_time_s=60)
            assert (ended.process_id, ended.exit_code) == (None, 4)
            assert begun.output + ended.output == b"begun\nended\n"
            with pytest.raises(PtySessionNotFoundError):
                await session.pty_write_stdin(session_id=id, chars="")

            started = await session.pty_exec_start("exec sleep 1000", yield_time_s=0.3)
            id = started.process_id
            assert id is not None
            with pytest.raises(ExecTransportError, match="no input"):
                await session.pty_write_stdin(session_id=id, chars="yes\n")
            ended = await session.pty_write_stdin(session_id=id, chars="\x03", yield_time_s=60)
            assert ended.exit_code == 130

            await session.pty_exec_start("echo $$ > pid; exec sleep 1000", yield_time_s=0.3)
            await session.pty_terminate_all()
            look = "test -e /proc/$(cat pid) || exit 0; sleep 0.1"
            gone = f"for i in $(seq 100); do {look}; done; exit 1"
            assert (await session.exec(gone)).ok()
        await client.delete(session)

    asyncio.run(work())


def test_a_session_is_resumed_where_it_was_or_from_its_snapshot(
    base_dir: Path, tmp_path: Path
) -> None:
    async def work() -> None:
        client = PyroSandboxClient()
        snapshot = LocalSnapshotSpec(base_path=tmp_path / "snapshots")
        session = await client.create(snapshot=snapshot, options=OPTIONS)
        async with session:
            await session.exec("mkdir a; echo kept > a/b; echo other > /root/file")
        kept = client.serialize_session_state(session.state)

        state = client.deserialize_session_state(json.loads(json.dumps(kept)))
        session = await client.resume(state)
        async with session:
            # The disk, and not only the directory of the agent.
            assert (await session.exec("cat a/b /root/file")).stdout == b"kept\nother\n"
        await client.delete(session)

        state = client.deserialize_session_state(json.loads(json.dumps(kept)))
        session = await client.resume(state)
        async with session:
            ran = await session.exec("cat a/b /root/file")
            assert (ran.stdout, ran.ok()) == (b"kept\n", False)
        await client.delete(session)

    asyncio.run(work())


def test_a_port_of_the_guest_is_reached(base_dir: Path) -> None:
    async def work() -> None:
        client = PyroSandboxClient()
        options = PyroOptions(environment="debian:13-agent", exposed_ports=(8000,))
        session = await client.create(options=options)
        async with session:
            await session.write(Path("file"), io.BytesIO(b"content"))
            await session.pty_exec_start("exec python3 -m http.server 8000", yield_time_s=0.3)
            ready = "until curl -s localhost:8000 >/dev/null; do sleep 0.1; done"
            assert (await session.exec(ready, timeout=60)).ok()
            endpoint = await session.resolve_exposed_port(8000)
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            writer.write(b"GET /file HTTP/1.0\r\n\r\n")
            assert (await reader.read()).endswith(b"content")
            writer.close()
        await client.delete(session)

    asyncio.run(work())


# It reads the sources of the framework.
@pytest.mark.timeout(1800)
def test_mypy_finds_nothing_in_the_adapter(tmp_path: Path) -> None:
    types_are_right(tmp_path, "openai_agents")

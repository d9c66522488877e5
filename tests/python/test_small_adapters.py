"""The adapters for Google's ADK, Strands and mini-SWE-agent, whose frameworks have no suite."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import AsyncPyro, Pyro, Workspace
from test_integrations import KERNEL, run, types_are_right

# What the frameworks themselves are warned of.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_google_adk(base_dir: Path) -> None:
    pytest.importorskip("google.adk.environment", reason="SKIPPED: google-adk is not installed")
    from pyro_mcp.integrations.google_adk import PyroEnvironment

    async def work() -> None:
        pyro = AsyncPyro()
        environment = PyroEnvironment(pyro=pyro, environment=ENVIRONMENT, name="mine")
        with pytest.raises(RuntimeError, match="not initialized"):
            await environment.execute("true")
        await environment.initialize()
        await environment.initialize()
        assert (await pyro.list_workspaces())["count"] == 1 and environment.is_initialized
        ran = await environment.execute("pwd; echo err >&2; exit 3")
        assert (ran.exit_code, ran.stdout, ran.stderr) == (3, f"{environment.working_dir}\n", "err\n")
        assert (await environment.execute("sleep 1000", timeout=0.5)).timed_out
        await environment.write_file(Path("a/b"), "text")
        assert await environment.read_file(environment.working_dir / "a" / "b") == b"text"
        with pytest.raises(FileNotFoundError):
            await environment.read_file(Path("/no"))
        await environment.close()
        await environment.close()
        assert (await pyro.list_workspaces())["count"] == 0 and not environment.is_initialized

    asyncio.run(work())


def test_strands(workspace: Workspace) -> None:
    pytest.importorskip("strands.sandbox", reason="SKIPPED: strands-agents is not installed")
    from strands.sandbox.errors import SandboxPathNotFoundError, SandboxTimeoutError
    from strands.sandbox.types import ExecutionResult, StreamChunk

    from pyro_mcp.integrations.strands import PyroSandbox

    async def work() -> None:
        sandbox = PyroSandbox(workspace)
        command = "printf 'a\\303'; sleep 0.5; printf '\\274\\n'; echo $A >&2; pwd; exit 3"
        got: list[Any] = []
        async for one in sandbox.execute_streaming(command, cwd="/tmp", env={"A": "b"}):
            got.append(one)
        result = got.pop()
        assert result == ExecutionResult(3, "a\u00fc\n/tmp\n", "b\n")
        assert all(isinstance(one, StreamChunk) for one in got)
        out = [one.data for one in got if one.stream_type == "stdout"]
        assert "".join(out) == "a\u00fc\n/tmp\n" and out[0] == "a"
        with pytest.raises(SandboxTimeoutError) as caught:
            await sandbox.execute("echo x; sleep 1000", timeout=1)
        assert caught.value.stdout == "x\n"
        # Who reads no further ends the command.
        stream = sandbox.execute_streaming("echo $$ > pid; echo x; exec sleep 1000")
        await stream.__anext__()
        await stream.aclose()
        gone = "for i in $(seq 100); do test -e /proc/$(cat pid) || exit 0; sleep 0.1; done; exit 1"
        assert (await sandbox.execute(gone)).exit_code == 0

        await sandbox.write_file("/srv/a/b", b"\xff")
        assert await sandbox.read_file("/srv/a/b") == b"\xff"
        listed = await sandbox.list_files("/srv")
        assert [(one.name, one.is_dir, one.size) for one in listed] == [("a", True, None)]
        await sandbox.remove_file("/srv/a/b")
        assert await sandbox.list_files("/srv/a") == []
        for missing in (sandbox.read_file("/no"), sandbox.remove_file("/no")):
            with pytest.raises(FileNotFoundError):
                await missing
        with pytest.raises(SandboxPathNotFoundError):
            await sandbox.list_files("/no")
        shell = await sandbox.execute_code("echo $((6 * 7))", "sh")
        assert shell.stdout == "42\n"
        names = [tool.tool_name for tool in sandbox.get_tools()]
        assert names == ["sandbox_file_editor", "sandbox_shell"]

    asyncio.run(work())


def test_mini_swe_agent(base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSWEA_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("MSWEA_SILENT_STARTUP", "1")
    pytest.importorskip("minisweagent", reason="SKIPPED: mini-swe-agent is not installed")
    from minisweagent.environments import get_environment
    from minisweagent.exceptions import Submitted

    chosen = {
        "environment_class": "pyro_mcp.integrations.mini_swe_agent.PyroEnvironment",
        "environment": ENVIRONMENT,
        "env": {"A": "b c"},
    }
    environment: Any = get_environment(chosen)
    ran = environment.execute({"command": "echo \"$A\"; pwd >&2; [[ x == x ]] && exit 3"})
    assert ran == {"output": "b c\n/workspace\n", "returncode": 3, "exception_info": ""}
    ended = environment.execute({"command": "echo x; sleep 1000"}, "/tmp", timeout=1)
    assert (ended["output"], ended["returncode"]) == ("x\n", -1)
    assert ended["extra"]["exception_type"] == "TimeoutError"
    with pytest.raises(Submitted) as submitted:
        environment.execute({"command": "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; echo done"})
    assert submitted.value.messages[0]["content"] == "done\n"
    known = environment.get_template_vars(more=1)
    assert (known["system"], known["environment"], known["more"]) == ("Linux", ENVIRONMENT, 1)
    kind = environment.serialize()["info"]["config"]["environment_type"]
    assert kind == chosen["environment_class"]
    environment.cleanup()
    assert Pyro().list_workspaces()["count"] == 0
    # A command of a microVM that is gone is told to the agent.
    assert environment.execute({"command": "true"})["extra"]["exception_type"] == "PyroValueError"


def test_the_example_of_google_adk(base_dir: Path) -> None:
    pytest.importorskip("google.adk.environment", reason="SKIPPED: google-adk is not installed")
    from google.adk.models import BaseLlm, LlmResponse
    from google.genai import types

    class Played(BaseLlm):
        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            last = llm_request.contents[-1].parts[-1]
            if last.function_response is None:
                part = types.Part.from_function_call(name="Execute", args={"command": "uname"})
            else:
                part = types.Part(text=KERNEL + last.function_response.response["stdout"])
            yield LlmResponse(content=types.Content(role="model", parts=[part]))

    assert run("Google ADK", Played(model="played")) == f"{KERNEL}Linux\n"


def test_the_example_of_strands(base_dir: Path) -> None:
    pytest.importorskip("strands.sandbox", reason="SKIPPED: strands-agents is not installed")
    from strands.models import Model

    class Played(Model):
        def update_config(self, **options: Any) -> None:
            pass

        def get_config(self) -> Any:
            return {}

        def structured_output(self, *arguments: Any, **options: Any) -> Any:
            raise NotImplementedError

        async def stream(self, messages: Any, *arguments: Any, **options: Any) -> Any:
            result = messages[-1]["content"][0].get("toolResult")
            yield {"messageStart": {"role": "assistant"}}
            if result is None:
                tool = {"name": "sandbox_shell", "toolUseId": "1"}
                yield {"contentBlockStart": {"start": {"toolUse": tool}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"command": "uname"}'}}}}
            else:
                yield {"contentBlockStart": {"start": {}}}
                yield {"contentBlockDelta": {"delta": {"text": KERNEL + str(result["content"])}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn" if result else "tool_use"}}

    said = run("Strands Agents", Played())
    assert said.startswith(KERNEL) and "Linux" in said


def test_the_example_of_mini_swe_agent(
    base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSWEA_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    pytest.importorskip("minisweagent", reason="SKIPPED: mini-swe-agent is not installed")
    from minisweagent.models.test_models import DeterministicModel, make_output

    submit = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; uname"
    model = DeterministicModel(outputs=[make_output("I look.", [{"command": submit}])])
    assert run("mini-SWE-agent", model) == "Linux\n"


# It reads the sources of the frameworks.
@pytest.mark.timeout(1800)
def test_mypy_finds_nothing_in_the_adapters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSWEA_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    for framework in ("google.adk.environment", "strands.sandbox", "minisweagent"):
        pytest.importorskip(framework, reason=f"SKIPPED: {framework} is not installed")
    types_are_right(tmp_path / "cache", "google_adk", "mini_swe_agent", "strands")

"""The sandbox for Inspect: the checks that the framework brings along, and a whole evaluation."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="SKIPPED: inspect_ai is not installed")

from inspect_ai import Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import bash, python
from inspect_ai.util import SandboxEnvironment
from inspect_ai.util._sandbox.environment import SandboxUnavailableError
from inspect_ai.util._sandbox.self_check import *  # noqa: F403

from pyro_mcp import Pyro
from pyro_mcp.integrations.inspect_ai import PyroConfig, PyroSandbox

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("default::DeprecationWarning")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox_env(base_dir: Path) -> AsyncIterator[SandboxEnvironment]:
    # Root may read and write everything, so the checks that something is not allowed need a user.
    config = PyroConfig(environment="debian:12", user="daemon")
    made = await PyroSandbox.sample_init("task", config, {})
    yield made["default"]
    await PyroSandbox.sample_cleanup("task", config, made, False)


def test_it_is_found_by_its_name() -> None:
    found = [one for one in entry_points(group="inspect_ai") if one.name == "pyro"]
    assert [one.value for one in found] == ["pyro_mcp.integrations.inspect_ai"]


async def test_a_person_can_connect(sandbox_env: SandboxEnvironment) -> None:
    connection = await sandbox_env.connection(user="root")
    words = shlex.split(connection.command)
    assert connection.type == "pyro" and words[-2:] == ["--", "sh"]
    assert words[words.index("--user") + 1] == "root"


async def test_a_sandbox_that_is_gone_is_not_a_failed_command(base_dir: Path) -> None:
    made = await PyroSandbox.sample_init("task", "debian:12", {})
    sandbox = made["default"]
    assert (await sandbox.exec(["id", "-u"])).stdout == "0\n"
    missing = await sandbox.exec(["true"], cwd="/nowhere")
    assert not missing.success and "nowhere" in missing.stderr
    # What another program made is not deleted.
    with Pyro().workspace() as other:
        await PyroSandbox.cli_cleanup(None)
        assert other.status()["state"] == "started"
    with pytest.raises(SandboxUnavailableError):
        await sandbox.exec(["true"])
    with pytest.raises(ConnectionError):
        await sandbox.connection()
    await PyroSandbox.sample_cleanup("task", None, made, False)


async def test_a_configuration_is_checked_and_read_back(base_dir: Path) -> None:
    config = PyroConfig(mem_mib=512)
    assert PyroSandbox.config_deserialize(config.model_dump()) == config
    with pytest.raises(ValueError, match="invalid user"):
        await PyroSandbox.sample_init("task", PyroConfig(environment="debian:12", user="nobody-x"), {})
    assert Pyro().list_workspaces()["count"] == 0


# The framework leaves streams of its own open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_evaluation_runs(
    base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would fetch a table to count tokens with.
    monkeypatch.setattr("inspect_ai.model._model.count_text_tokens", len)
    calls = [
        ModelOutput.for_tool_call("mockllm/model", "bash", {"command": "cat given && id -un"}),
        ModelOutput.for_tool_call("mockllm/model", "python", {"code": "print(6 * 7)"}),
        ModelOutput.from_content("mockllm/model", "the answer is 42"),
    ]
    task = Task(
        dataset=[Sample(input="?", target="42", files={"given": "from the sample"})],
        solver=[use_tools(bash(), python()), generate()],
        scorer=includes(),
        sandbox="pyro",
    )
    model = get_model("mockllm/model", custom_outputs=calls)
    logs = await eval_async(task, model=model, log_dir=str(tmp_path / "logs"))
    assert logs[0].status == "success", logs[0].error
    samples = logs[0].samples
    assert samples is not None
    said = [message.text for message in samples[0].messages if message.role == "tool"]
    assert said == ["from the sampleroot\n", "42\n"]
    assert Pyro().list_workspaces()["count"] == 0


def test_without_asyncio_it_says_so(base_dir: Path) -> None:
    coroutine = PyroSandbox.sample_init("task", None, {})
    with pytest.raises(Exception, match="needs asyncio"):
        coroutine.send(None)

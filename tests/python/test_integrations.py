"""The page about frameworks: each of its examples runs, with a model that is played."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT

PAGE = (ROOT / "docs" / "integrations.md").read_text()
KERNEL = "the kernel is "


def example(heading: str) -> str:
    """The block of Python below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(block)


def run(heading: str, model: Any = None) -> str:
    # With a module of its own: the framework looks there for what annotations name.
    module: dict[str, Any] = {"__name__": "__main__", "model": model}
    exec(compile(example(heading), heading, "exec"), module)
    return str(asyncio.run(module["main"]()))


def test_anything_else(base_dir: Path) -> None:
    assert run("Anything else") == "exit code 0\nLinux\n"


def test_pydantic_ai(base_dir: Path) -> None:
    pytest.importorskip("pydantic_ai", reason="SKIPPED: pydantic-ai is not installed")
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    def play(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("shell", {"command": "uname"})])
        return ModelResponse([TextPart(KERNEL + messages[-1].parts[0].content)])  # type: ignore[union-attr, operator]

    assert run("Pydantic AI", FunctionModel(play)) == f"{KERNEL}exit code 0\nLinux\n"


# The framework leaves streams of its own open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_inspect(base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("inspect_ai", reason="SKIPPED: inspect_ai is not installed")
    from inspect_ai.model import ModelOutput, get_model

    # It would fetch a table to count tokens with.
    monkeypatch.setattr("inspect_ai.model._model.count_text_tokens", len)
    monkeypatch.chdir(tmp_path)
    played = [
        ModelOutput.for_tool_call("mockllm/model", "bash", {"command": "cat file"}),
        ModelOutput.from_content("mockllm/model", "42"),
    ]
    model = get_model("mockllm/model", custom_outputs=played, memoize=False)
    assert run("Inspect", model) == "success"


def test_deep_agents(base_dir: Path) -> None:
    pytest.importorskip("deepagents", reason="SKIPPED: deepagents is not installed")
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage, ToolCall

    class Model(GenericFakeChatModel):
        def bind_tools(self, tools: Any, **options: Any) -> Any:
            return self

        def _generate(self, messages: Any, *arguments: Any, **options: Any) -> Any:
            if messages[-1].type == "tool":
                self.messages = iter([AIMessage(KERNEL + messages[-1].text)])
            return super()._generate(messages, *arguments, **options)

    call = ToolCall(name="execute", args={"command": "uname"}, id="1")
    model = Model(messages=iter([AIMessage("", tool_calls=[call])]))
    assert run("Deep Agents", model).startswith(f"{KERNEL}Linux")


def test_importing_the_package_imports_no_framework() -> None:
    code = "import sys, pyro_mcp; from pyro_mcp import AsyncPyro; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in out.stdout.split()}
    assert not loaded & {"pydantic", "pydantic_ai", "inspect_ai", "deepagents", "anyio"}


def types_are_right(cache: Path, *adapters: str, options: Sequence[str] = ()) -> None:
    """Fails if mypy finds something in these modules."""
    modules = [word for name in adapters for word in ("-m", f"pyro_mcp.integrations.{name}")]
    strict = ["--strict", "--cache-dir", str(cache), *options]
    command = [sys.executable, "-m", "mypy", *strict, *modules]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


# It reads the sources of the frameworks.
@pytest.mark.timeout(1800)
def test_mypy_finds_nothing_in_the_adapters(tmp_path: Path) -> None:
    for framework in ("pydantic_ai", "inspect_ai", "deepagents"):
        pytest.importorskip(framework, reason=f"SKIPPED: {framework} is not installed")
    types_are_right(tmp_path, "inspect_ai", "langchain", "pydantic_ai")

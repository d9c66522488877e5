"""Arguments: names are bytes, and what can only mean one thing is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroError, PyroValueError


@pytest.mark.parametrize(
    "named",
    [os.fsdecode, os.fsencode, lambda path: Path(os.fsdecode(path))],
    ids=["str", "bytes", "path"],
)
def test_a_path_need_not_be_text(
    pyro: Pyro, tmp_path: Path, named: Callable[[bytes], Any]
) -> None:
    source = os.fsencode(tmp_path) + b"/seed-\xff"
    os.mkdir(source)
    Path(os.fsdecode(source), "name").write_text("content")
    with pyro.workspace(environment=ENVIRONMENT, seed_path=named(source)) as workspace:
        assert workspace.exec("cat name")["stdout"] == "content"
        pushed = workspace.push(named(source), dest=os.fsdecode(b"deep-\xfe"))
        # What is named in a result can be used again.
        seed = workspace.status()["workspace_seed"]["seed_path"]
        assert seed is not None and os.fsencode(seed) == source
        assert os.fsencode(pushed["workspace_sync"]["destination"]) == b"/workspace/deep-\xfe"
        assert workspace.exec("cat deep-*/name")["stdout"] == "content"


def test_a_command_need_not_be_text(pyro: Pyro) -> None:
    odd: Any = b"printf '\xff\xc3\xa9' | od -An -tx1"
    for command in (odd, os.fsdecode(odd)):
        result = pyro.run_in_vm(environment=ENVIRONMENT, command=command)
        assert result["stdout"] == " ff c3 a9\n"
        assert os.fsencode(result["command"]) == odd
    words: Any = ["printf", b"\xff%s", os.fsdecode(b"\xfe"), Path("x")]
    result = pyro.run_in_vm(environment=ENVIRONMENT, command=words)
    # The format is used for each word.
    assert result["stdout_lossy_from_bytes"] == 4


def test_what_is_neither_text_nor_a_name_is_an_error_with_a_code(pyro: Pyro) -> None:
    listed: Any = ["echo", "\ud83d"]
    for command in ("echo \ud83d", listed):
        with pytest.raises(PyroValueError, match="command is neither text") as caught:
            pyro.run_in_vm(environment=ENVIRONMENT, command=command)
        assert caught.value.code == "invalid_input"
    strange: Any = [object()]
    with pytest.raises(PyroValueError) as caught:
        pyro.run_in_vm(environment=ENVIRONMENT, command=strange)
    assert caught.value.code == "invalid_input"
    with pytest.raises(PyroValueError) as caught:
        pyro.manager.call("nothing", {})
    assert caught.value.code == "invalid_input"


def test_arguments_that_can_only_mean_one_thing_are_taken(pyro: Pyro) -> None:
    words: Any = ["echo", "a b"]
    seconds: Any = 30.0
    result = pyro.run_in_vm(environment=ENVIRONMENT, command=words, timeout_seconds=seconds)
    assert result["stdout"] == "a b\n"
    wrong: Any = "soon"
    with pytest.raises(PyroValueError, match="must be a whole number, 1 or more") as caught:
        pyro.run_in_vm(environment=ENVIRONMENT, command="true", timeout_seconds=wrong)
    assert caught.value.code == "invalid_input"


def test_hints_are_in_the_words_of_python(pyro: Pyro) -> None:
    vm_id = pyro.create_vm(environment=ENVIRONMENT)["vm_id"]
    with pytest.raises(PyroError) as caught:
        pyro.exec_vm(vm_id, command="true")
    assert caught.value.remedy == f"start it: `start_vm` with vm_id {vm_id}"
    pyro.delete_vm(vm_id)
    with pytest.raises(PyroError) as caught:
        pyro.status_workspace("x")
    assert caught.value.remedy == "`list_workspaces` shows the existing ones"
    nothing: Any = None
    with pytest.raises(PyroError) as caught:
        pyro.run_in_vm(environment=ENVIRONMENT, command=nothing)
    assert caught.value.code == "command_required"
    assert "--" not in f"{caught.value} {caught.value.remedy}"
    for method in (Pyro.create_workspace, Pyro.exec_vm, Pyro.read_workspace_logs, Pyro.doctor):
        assert "--" not in str(method.__doc__).replace("git --version", "")


def test_directories_need_not_be_text(base_dir: Path, tmp_path: Path) -> None:
    odd: Any = os.fsencode(tmp_path) + b"/base-\xff"
    pyro = Pyro(base_dir=odd)
    assert os.fsencode(pyro.manager.base_dir) == odd
    with pyro.workspace(environment=ENVIRONMENT) as workspace:
        assert workspace.exec("echo x")["stdout"] == "x\n"
        directory = workspace.status()["metadata"]["workspace_host_dir"]
        assert os.fsencode(directory).startswith(odd)

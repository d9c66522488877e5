"""Arguments: names are bytes, and what can only mean one thing is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroValueError


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
        workspace.push(named(source), dest=os.fsdecode(b"deep-\xfe"))
        assert workspace.exec("cat deep-*/name")["stdout"] == "content"


def test_a_command_need_not_be_text(pyro: Pyro) -> None:
    odd: Any = b"printf '\xff\xc3\xa9' | od -An -tx1"
    for command in (odd, os.fsdecode(odd)):
        result = pyro.run_in_vm(environment=ENVIRONMENT, command=command)
        assert result["stdout"] == " ff c3 a9\n"


def test_what_is_neither_text_nor_a_name_is_an_error_with_a_code(pyro: Pyro) -> None:
    with pytest.raises(PyroValueError, match="command is neither text") as caught:
        pyro.run_in_vm(environment=ENVIRONMENT, command="echo \ud83d")
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

"""Environments that are built from a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroError


def test_a_dockerfile_is_built_run_and_removed(pyro: Pyro, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("content")
    dockerfile = f"ARG BASE\nFROM ${{BASE}}\nCOPY file /copied\nARG V\nRUN echo $V >/v\n"
    (context / "Dockerfile").write_text(dockerfile)
    name = "test/python-builds"
    arguments = [f"BASE={ENVIRONMENT}", "V=1"]
    built = pyro.build_environment(name=name, context=str(context), build_arg=arguments)
    try:
        assert (built["name"], built["step_count"]) == (f"local:{name}", 3)
        ran = pyro.run_in_vm(environment=f"local:{name}", command="cat /copied /v")
        assert ran["stdout"] == "content1\n"
        again = pyro.build_environment(name=name, context=str(context), build_arg=arguments)
        assert (again["run_count"], again["cached_count"]) == (0, 2)
        (context / "Dockerfile").write_text(f"FROM {ENVIRONMENT}\nRUN echo why >&2; exit 9\n")
        with pytest.raises(PyroError, match="line 2 of the Dockerfile.*exit code 9") as failed:
            pyro.build_environment(name=name, context=str(context))
        assert failed.value.code == "build_step_failed"
    finally:
        pyro.remove_environment(f"local:{name}")

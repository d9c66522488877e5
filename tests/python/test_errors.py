"""Exceptions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pyro_mcp._program
from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroError, PyroRuntimeError, PyroValueError, PyroWarning, VmManager

RUN: dict[str, Any] = {"environment": ENVIRONMENT, "command": "true"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda pyro: pyro.run_in_vm(**RUN, vcpu_count=0),
            "vcpu_count must be between 1 and 8",
        ),
        (
            lambda pyro: pyro.run_in_vm(**RUN, mem_mib=1),
            "mem_mib must be between 256 and 32768",
        ),
        (
            lambda pyro: pyro.create_vm(environment=ENVIRONMENT, ttl_seconds=1),
            "ttl_seconds must be between 60 and 3600",
        ),
        (
            lambda pyro: pyro.run_in_vm(**RUN, timeout_seconds=0),
            "timeout_seconds must be positive",
        ),
        (
            lambda pyro: pyro.run_in_vm(environment="x", command="true"),
            "unknown environment 'x'; expected one of: debian:12, debian:12-base, debian:12-build, "
            "debian:13, debian:13-agent, debian:13-base, debian:13-build",
        ),
        (lambda pyro: pyro.status_vm("x"), "vm 'x' does not exist"),
        (lambda pyro: pyro.status_workspace("x"), "workspace 'x' does not exist"),
        (
            lambda pyro: pyro.create_workspace(environment=ENVIRONMENT, seed_path="/nowhere"),
            "seed_path /nowhere does not exist",
        ),
        (lambda pyro: VmManager(backend_name="x"), "invalid backend; expected one of: qemu"),
        (lambda pyro: Pyro(max_active_vms=0), "max_active_vms must be positive"),
    ],
)
def test_what_cannot_be_meant_is_a_value_error(
    pyro: Pyro, call: Callable[[Pyro], object], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        call(pyro)
    error = caught.value
    assert isinstance(error, PyroValueError)
    assert str(error) == message
    assert error.retry_safe


@pytest.mark.parametrize("count", ["two", 1.5, True, 2**70, float("nan"), object()])
def test_a_value_of_the_wrong_type_is_a_value_error(pyro: Pyro, count: Any) -> None:
    with pytest.raises(PyroValueError):
        pyro.run_in_vm(**RUN, vcpu_count=count)


@pytest.mark.parametrize("command", ["\0", "\ud800", "x" * 200_000])
def test_a_command_that_cannot_be_run_is_a_value_error(pyro: Pyro, command: str) -> None:
    with pytest.raises(ValueError):
        pyro.run_in_vm(environment=ENVIRONMENT, command=command)


def test_what_makers_take_is_named(pyro: Pyro) -> None:
    with pytest.raises(TypeError):
        pyro.create_vm(ENVIRONMENT)  # type: ignore[misc]
    with pytest.raises(TypeError):
        pyro.run_in_vm(ENVIRONMENT, "true")  # type: ignore[misc]


def test_the_wrong_state_is_a_runtime_error_with_facts(pyro: Pyro) -> None:
    vm_id = pyro.create_vm(environment=ENVIRONMENT)["vm_id"]
    with pytest.raises(RuntimeError) as caught:
        pyro.exec_vm(vm_id, command="true")
    error = caught.value
    assert isinstance(error, PyroRuntimeError)
    assert str(error) == f"vm {vm_id} must be in 'started' state before execution"
    assert (error.code, error.retry_safe) == ("not_started", True)
    assert error.cause == "it is in state 'created'"
    assert error.remedy is not None and vm_id in error.remedy
    assert error.__notes__ == [f"caused by: {error.cause}", f"hint: {error.remedy}"]
    pyro.delete_vm(vm_id)


def test_an_error_survives_the_way_to_another_process() -> None:
    error = PyroRuntimeError("message", "code", "cause", None, True)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is PyroRuntimeError
    assert str(copy) == "message"
    assert (copy.code, copy.cause, copy.remedy, copy.retry_safe) == ("code", "cause", None, True)


def test_a_run_without_isolation_is_warned_of(
    pyro: Pyro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PyroError, match="Set allow_host_compat=True"):
        Pyro().run_in_vm(**RUN)
    with pytest.warns(PyroWarning, match="WITHOUT ISOLATION") as warned:
        ran = Pyro().run_in_vm(**RUN, allow_host_compat=True)
    assert ran["execution_mode"] == "host_compat"
    assert warned[0].filename == __file__


def test_a_program_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = iter([tmp_path / "pyro"])
    monkeypatch.setattr(pyro_mcp._program, "_candidates", lambda: nowhere)
    pyro_mcp._program.program.cache_clear()
    with pytest.raises(PyroRuntimeError, match="the program pyro .* is not installed") as caught:
        Pyro()
    assert caught.value.code == "program_missing"
    pyro_mcp._program.program.cache_clear()

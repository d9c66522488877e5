"""Commands with options, shells, services and secrets of a workspace."""

from __future__ import annotations

import time

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroValueError, Workspace

VALUE = "s3cr3t-of-the-test"


def test_a_command_has_variables_a_directory_a_user_and_input(workspace: Workspace) -> None:
    ran = workspace.exec(
        "cat; echo $A; pwd; id -u", env={"A": "b"}, cwd="/tmp", user="daemon", stdin="in\n"
    )
    assert (ran["stdout"], ran["cwd"]) == ("in\nb\n/tmp\n1\n", "/tmp")
    # The default is no object that calls share.
    assert workspace.exec("echo $A")["stdout"] == "\n"
    with pytest.raises(PyroValueError, match="must not be empty"):
        workspace.exec("true", env={"": "x"})


def test_a_detached_command_is_waited_for_and_killed(workspace: Workspace) -> None:
    number = workspace.exec("exit 4", detach=True)["sequence"]
    assert workspace.wait(number)["exit_code"] == 4
    number = workspace.exec("sleep 1000", detach=True)["sequence"]
    assert "exit_code" not in workspace.wait(number, timeout_seconds=1)
    assert workspace.kill(number, signal="TERM")["sent"]
    assert workspace.wait(number)["exit_code"] == 143


def test_a_shell_keeps_what_is_done_in_it(workspace: Workspace) -> None:
    shell = workspace.open_shell(cols=80, rows=24)["shell_id"]
    workspace.write_shell(shell, input="cd /tmp; X=$((6 * 7)); echo =$X=")
    read = workspace.read_shell(shell, plain=True, wait_for="=42=\r\n")
    assert "\n=42=\n" in read["output"]
    workspace.write_shell(shell, input="pwd")
    cursor = read["next_cursor"]
    assert workspace.read_shell(shell, cursor=cursor, wait_for="/tmp\r\n")["matched"]
    assert workspace.signal_shell(shell)["signal"] == "INT"
    assert workspace.close_shell(shell)["closed"]


def test_a_service_is_started_seen_and_stopped(workspace: Workspace) -> None:
    started = workspace.start_service(
        "clock",
        command="echo up; touch up; while :; do sleep 0.1; done",
        readiness={"type": "file", "path": "up"},
    )
    assert (started["state"], started["readiness"]["type"]) == ("running", "file")
    assert workspace.list_services()["running_count"] == 1
    assert workspace.status_service("clock")["service_name"] == "clock"
    assert workspace.logs_service("clock")["stdout"] == "up\n"
    assert workspace.stop_service("clock")["stop_reason"] == "sigterm"
    deadline = time.monotonic() + 60
    workspace.start_service("short", command="exit 3")
    while workspace.status_service("short")["state"] == "running":
        assert time.monotonic() < deadline
    assert workspace.status_service("short")["exit_code"] == 3


def test_secrets_are_used_and_not_returned(pyro: Pyro) -> None:
    secrets = [{"name": "TOKEN", "value": VALUE}]
    with pyro.workspace(environment=ENVIRONMENT, secrets=secrets) as workspace:
        assert workspace.status()["secrets"] == [{"name": "TOKEN", "source_kind": "literal"}]
        ran = workspace.exec("echo $T; wc -c < /run/pyro-secrets/TOKEN", secret_env={"TOKEN": "T"})
        assert ran["stdout"] == f"[REDACTED]\n{len(VALUE)}\n"
        assert VALUE not in str(workspace.logs())

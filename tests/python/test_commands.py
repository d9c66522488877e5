"""`Workspace.run`: words and lines, exact bytes in both directions, and time limits."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from pyro_mcp import AsyncPyro, Pyro, PyroValueError, PyroWarning, Ran, Workspace

EVERY_BYTE = bytes(range(256))
LONGEST_WORD_BYTES = 128 * 1024 - 1


def test_words_are_the_commands_words(workspace: Workspace) -> None:
    words: Any = ["printf", "%s|", "a b", "'\"$HOME", b"\xff", "", "line\nline"]
    assert workspace.run(words) == Ran(0, b"a b|'\"$HOME|\xff||line\nline|", b"")


def test_a_text_is_a_line_for_a_shell(workspace: Workspace) -> None:
    ran = workspace.run("echo $((6 * 7)); echo err >&2; exit 3")
    assert ran == Ran(3, b"42\n", b"err\n")


def test_one_word_with_a_space_is_the_name_of_a_program(workspace: Workspace) -> None:
    assert workspace.run(["echo x"]).exit_code == 127


@pytest.mark.parametrize("word", ["if", "exit", "A=b", "cd", "{", "!"])
def test_a_word_of_a_shell_is_the_name_of_a_program(shared: Workspace, word: str) -> None:
    assert shared.run([word, "3"]).exit_code == 127
    # The shell's own would see a backslash.
    assert shared.run(["echo", "a\\nb"]).stdout == b"a\\nb\n"


def test_a_command_has_variables_a_directory_and_a_user(workspace: Workspace) -> None:
    ran = workspace.run("echo $A; pwd; id -u", env={"A": "b c"}, cwd="/tmp", user="daemon")
    assert ran.stdout == b"b c\n/tmp\n1\n"
    odd = workspace.run("printf %s \"$A\"", env={"A": "\udcff"})
    assert odd.stdout == b"\xff"


def test_input_and_output_are_exact_bytes(workspace: Workspace) -> None:
    data = EVERY_BYTE + "\U0010ffc0\U0010fffd".encode() + EVERY_BYTE
    assert workspace.run(["cat"], input=data).stdout == data
    assert workspace.run("cat >&2", input=data).stderr == data
    assert workspace.run(["cat"], input="gr\u00fc\u00df").stdout == "gr\u00fc\u00df".encode()
    assert workspace.run(["cat"]).stdout == b""


def test_much_input_is_passed(workspace: Workspace) -> None:
    data = EVERY_BYTE * 16 * 1024
    ran = workspace.run("sha256sum", input=data)
    import hashlib

    assert ran.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_line_may_be_longer_than_a_word(workspace: Workspace) -> None:
    words = ["w" * 100_000 for _ in range(8)]
    count = 'cat; for word; do printf " %s" "${#word}"; done'
    ran = workspace.run(["sh", "-c", count, "sh", *words], input=EVERY_BYTE)
    assert ran == Ran(0, EVERY_BYTE + b" 100000" * 8, b"")
    text = "x" * 1024 * 1024
    assert workspace.run(f"printf %s {text} | wc -c; exit 5") == Ran(5, b"1048576\n", b"")


def test_the_longest_word_works_and_a_longer_one_is_refused(workspace: Workspace) -> None:
    ran = workspace.run(["sh", "-c", "echo ${#1}", "sh", "x" * LONGEST_WORD_BYTES])
    assert ran.stdout == f"{LONGEST_WORD_BYTES}\n".encode()
    with pytest.raises(PyroValueError, match="at most 131071 in one") as caught:
        workspace.run(["sh", "-c", "echo ${#1}", "sh", "x" * (LONGEST_WORD_BYTES + 1)])
    assert caught.value.remedy is not None and "input" in caught.value.remedy


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ([], {}, "command has no words"),
        ("a\0b", {}, "command contains a NUL byte"),
        ("\ud800", {}, "command is neither text nor bytes"),
        (["echo", "\ud800"], {}, "command is neither text nor bytes"),
        ("true", {"input": "\ud800"}, "input is neither text nor bytes"),
        ("true", {"timeout": 0}, "timeout must be a positive number of seconds"),
        ("true", {"timeout": float("nan")}, "timeout must be a positive number of seconds"),
        ("true", {"max_output": -1}, "max_output must not be negative"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    pyro: Pyro, command: Any, options: dict[str, Any], message: str
) -> None:
    # Before the workspace is asked.
    with pytest.raises(PyroValueError, match=message):
        pyro.attach_workspace("x").run(command, **options)


@pytest.mark.parametrize("timeout", [1, 1.5])
def test_a_time_limit_ends_the_command_and_keeps_its_output(
    workspace: Workspace, timeout: float
) -> None:
    workspace.run(["true"])
    begun = time.monotonic()
    ran = workspace.run("echo before; echo $$ > pid; sleep 1000", timeout=timeout)
    assert (ran.exit_code, ran.stdout, ran.timed_out) == (124, b"before\n", True)
    assert timeout <= time.monotonic() - begun < 60
    gone = "for i in $(seq 100); do test -e /proc/$(cat pid) || exit 0; sleep 0.1; done; exit 1"
    assert workspace.run(gone).exit_code == 0


def test_what_ends_in_time_was_not_timed_out(workspace: Workspace) -> None:
    assert workspace.run("exit 124", timeout=60.5) == Ran(124, b"", b"", timed_out=False)


def test_further_output_is_dropped_and_said(workspace: Workspace) -> None:
    ran = workspace.run("printf 12345; printf 678 >&2", max_output=3)
    assert (ran.stdout, ran.stderr, ran.truncated) == (b"123", b"678", True)
    assert not workspace.run("printf 123", max_output=3).truncated
    assert workspace.run("echo x", max_output=0).stdout == b""


def test_callbacks_get_all_and_the_result_has_it_too(workspace: Workspace) -> None:
    out: list[bytes] = []
    ran = workspace.run("printf 12345; printf err >&2", max_output=3, on_stdout=out.append)
    assert b"".join(out) == b"12345"
    assert (ran.stdout, ran.stderr) == (b"123", b"err")


def test_an_output_without_a_callback_stays_in_the_result_of_exec(workspace: Workspace) -> None:
    out: list[bytes] = []
    ran = workspace.exec("echo out; printf 'err\\377' >&2", on_stdout=out.append)
    assert (b"".join(out), ran["stdout"], ran["stderr"]) == (b"out\n", "", "err\ufffd")
    assert ran["stderr_lossy"] and ran["stderr_lossy_from_bytes"] == 4


def test_a_workspace_that_is_gone_is_an_error(pyro: Pyro) -> None:
    with pytest.raises(PyroValueError) as caught:
        pyro.attach_workspace("x").run(["true"], timeout=0.5)
    assert caught.value.code == "not_found"


def test_they_can_be_awaited(workspace: Workspace, pyro: Pyro) -> None:
    async def work() -> None:
        attached = AsyncPyro(pyro.manager).attach_workspace(workspace.id)
        ran = await asyncio.gather(*(attached.run(["cat"], input=name) for name in "abc"))
        assert [one.stdout for one in ran] == [b"a", b"b", b"c"]
        assert (await attached.run("sleep 1000", timeout=0.5)).timed_out
        # A cancelled task ends its command.
        command = attached.run("echo $$ > /tmp/pid; exec sleep 1000")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(command, timeout=2)
        gone = "for i in $(seq 100); do test -e /proc/$(cat /tmp/pid) || exit 0; sleep 0.1; done; exit 1"
        assert (await attached.run(gone)).exit_code == 0

    asyncio.run(work())


def test_a_cancellation_that_is_repeated_waits_for_the_end(workspace: Workspace, pyro: Pyro) -> None:
    async def work() -> None:
        attached = AsyncPyro(pyro.manager).attach_workspace(workspace.id)
        task = asyncio.create_task(attached.run("echo $$ > pid; exec sleep 1000"))
        while not await attached.files.exists("pid"):
            await asyncio.sleep(0.1)
        # As anyio does.
        while not task.done():
            task.cancel()
            await asyncio.sleep(0.01)
        assert task.cancelled()
        assert not [thread for thread in threading.enumerate() if thread.name == "pyro-call"]

    asyncio.run(work())


def test_a_call_that_first_installs_an_environment_warns(
    base_dir: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyro = Pyro(cache_dir=tmp_path / "cache")
    with pytest.warns(PyroWarning, match="debian:12 is not installed") as warned:
        plain_engine = pyro.manager._engine

        class Engine:
            """Installs nothing."""

            def call(self, operation: str, request: str, **options: Any) -> str:
                if operation == "env_inspect":
                    return plain_engine.call(operation, request, **options)
                return '{"stdout": ""}'

        pyro.manager._engine = Engine()
        pyro.run_in_vm(environment="debian:12", command="true")
    assert warned[0].filename == __file__
    # Nothing is said of one that would not be installed.
    pyro.run_in_vm(environment="debian:12", command="true", pull="never")
    pyro.run_in_vm(environment="no such", command="true")

"""Commands in the background, and what leads into a workspace from outside."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import time

import pytest

from pyro_mcp import AsyncPyro, Chunk, Process, Pyro, PyroError, Workspace


def test_a_process_is_followed_and_waited_for(workspace: Workspace) -> None:
    process = workspace.start_process(
        ["sh", "-c", "cat; while ! test -e go; do sleep 0.1; done; echo \"$A\" >&2; exit 4"],
        env={"A": "b"},
        input=b"in\xff\n",
    )
    assert workspace.processes() == [process]
    assert process.poll() is None
    stream = process.follow()
    assert next(stream) == Chunk("stdout", b"in\xff\n")
    assert process.read() == b"in\xff\n" and process.read(offset=2, max_bytes=1) == b"\xff"
    with pytest.raises(TimeoutError, match="still runs after 0.2 seconds"):
        process.wait(0.2)
    workspace.files.write("go", "")
    assert list(stream) == [Chunk("stderr", b"b\n")]
    ran = process.wait()
    assert (ran.exit_code, ran.stdout, ran.stderr) == (4, b"in\xff\n", b"b\n")
    assert (process.poll(), workspace.processes()) == (4, [])
    assert process.wait(max_output=2).truncated


def test_a_process_is_found_by_its_number(workspace: Workspace, pyro: Pyro) -> None:
    started = workspace.start_process("trap 'exit 9' TERM; while :; do sleep 0.1; done")
    found = pyro.attach_workspace(workspace.id).process(started.id)
    assert isinstance(found, Process) and found == started
    assert found.command.startswith("trap")
    # It may not have come to its trap yet.
    time.sleep(1)
    assert found.signal("SIGTERM")
    assert started.wait(60).exit_code == 9
    assert not found.signal("TERM")
    with pytest.raises(PyroError) as caught:
        workspace.process(4000)
    assert caught.value.code == "no_such_command"


def test_a_closed_follower_does_not_end_the_process(workspace: Workspace) -> None:
    process = workspace.start_process("echo x; exec sleep 1000")
    with process.follow() as stream:
        assert next(stream).data == b"x\n"
    assert process.poll() is None
    assert process.kill()
    assert process.wait(60).exit_code == 137


def test_a_process_whose_workspace_ends_has_ended(workspace: Workspace) -> None:
    process = workspace.start_process("sleep 1000")
    workspace.stop()
    assert process.poll() not in (None, 0)


def test_processes_can_be_awaited(workspace: Workspace, pyro: Pyro) -> None:
    async def work() -> None:
        attached = AsyncPyro(pyro.manager).attach_workspace(workspace.id)
        process = await attached.start_process("echo out; read line; sleep 1000")
        # It has no input, so `read` ends at once.
        async with process.follow() as stream:
            assert (await stream.__anext__()).data == b"out\n"
        assert [one.id for one in await attached.processes()] == [process.id]
        assert await process.poll() is None
        with pytest.raises(TimeoutError):
            await process.wait(0.1)
        assert await process.signal("KILL")
        assert (await process.wait()).exit_code == 137
        assert await (await attached.process(process.id)).read() == b"out\n"

    asyncio.run(work())


def test_a_port_of_the_guest_has_one_address(workspace: Workspace, pyro: Pyro) -> None:
    address = workspace.port(8000)
    host, _, port = address.partition(":")
    assert host == "127.0.0.1" and int(port) > 0
    assert workspace.port(8000) == address
    assert workspace.port(8001) != address
    attached = AsyncPyro(pyro.manager).attach_workspace(workspace.id)
    assert asyncio.run(attached.port(8000)) == address


def test_the_shell_command_opens_a_terminal(workspace: Workspace) -> None:
    ours, theirs = pty.openpty()
    # Another terminal has other variables.
    variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(
        workspace.shell_command(), stdin=theirs, stdout=theirs, stderr=theirs, env=variables,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, b"tty && echo $((6 * 7)); exit\n")
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:
        # The other end of the terminal is closed.
        pass
    os.close(ours)
    assert process.wait(60) == 0, said
    assert b"/dev/pts/" in said and b"\n42\r\n" in said

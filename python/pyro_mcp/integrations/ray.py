"""Workspaces on the nodes of a Ray cluster. Ray places them, by processors and memory.

    import ray
    from pyro_mcp.integrations.ray import map, workspace

    for outcome in map(lambda workspace, seed: workspace.run(["./fuzz", seed]), seeds):
        print(outcome.item, outcome.error or outcome.value.exit_code)

    one = workspace(environment="debian:13-agent")
    print(ray.get(one.run.remote("uname")).stdout)

Each workspace is that of an actor, so what Ray says of actors holds: it runs on one node, and is
gone with it. Each node needs pyro, and installs an environment once, before its first use there.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from pyro_mcp._commands import Command, Ran
from pyro_mcp._files import GuestPath
from pyro_mcp._pyro import Pyro, Workspace
from pyro_mcp.errors import PyroError, PyroValueError
from pyro_mcp.integrations import _ray_guard
from pyro_mcp.integrations._gone import GONE
from pyro_mcp.integrations._ray_guard import LABEL

# How often in a row no workspace can be made before the rest of the items is given back.
_MOST_FAILURES = 10
# How long the last workspaces may take to be deleted before their guards do it.
_CLOSING_SECONDS = 60
# Waits for the end of the actor, which ends the pipe. It is no child of the actor, because Ray
# kills these with it.
_WAIT = 'exec 3<&0; { read -r _; exec "$@"; } <&3 3<&- &'


class Outcome(NamedTuple):
    """What became of an item."""

    number: int
    """Its place among the items, from 0."""
    item: Any
    value: Any = None
    """What the function returned."""
    error: Exception | None = None
    """Why there is no value: what the function raised, or a `ray.exceptions.RayError` if its node
    or its process is gone."""
    retry_safe: bool = False
    """With an error: whether the function was certainly never called with this item. If not, it
    may have done some of its work, or all of it."""


class WorkspaceActor:
    """A workspace as an actor: `workspace` makes one. It is deleted with the actor."""

    def __init__(self, **options: Any) -> None:
        # Ray decides how many there are.
        self._pyro = Pyro(max_active_vms=None)
        self._workspace: Workspace | None = None
        id = uuid.uuid4().hex
        labels = {"made-by": "ray", LABEL: id, **(options.get("labels") or {})}
        self._options = {**options, "labels": labels}
        # It may be killed at any time, also while it makes a workspace.
        guard = [sys.executable, "-m", _ray_guard.__name__, str(self._pyro.manager.base_dir), id]
        self._guard = subprocess.Popen(
            ["sh", "-c", _WAIT, "sh", *guard],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        self._guard.wait()

    def open(self) -> str:
        """Makes a fresh workspace instead of the present one, and returns its id."""
        self.close()
        self._workspace = self._pyro.workspace(**self._options)
        return self._workspace.id

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on the node, with the workspace before its other arguments."""
        return function(self._opened(), *arguments)

    def run(self, command: Command, **options: Any) -> Ran:
        """Runs a command, as `Workspace.run`."""
        return self._opened().run(command, **options)

    def read(self, path: GuestPath) -> bytes:
        """Returns the content of a file."""
        return self._opened().files.read(path)

    def write(self, path: GuestPath, data: str | bytes) -> None:
        """Writes a file, and makes the directories that it needs."""
        self._opened().files.write(path, data)

    def close(self) -> None:
        """Deletes the workspace, if there is one."""
        workspace, self._workspace = self._workspace, None
        if workspace is None:
            return
        try:
            workspace.delete()
        except PyroError as error:
            if error.code not in GONE:
                raise

    def _opened(self) -> Workspace:
        if self._workspace is None:
            self.open()
        assert self._workspace is not None
        return self._workspace


def workspace(
    *,
    environment: str = "debian:12",
    vcpu_count: int = 1,
    mem_mib: int = 1024,
    ray_options: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Asks Ray for a `WorkspaceActor`, whose methods are called with `.remote()`. The first of
    them makes the workspace.

    Args:
        environment, vcpu_count, mem_mib: Those of the workspace. Ray counts `vcpu_count`
            processors and the memory as in use while the actor lives.
        ray_options: Further options of the actor, such as `resources` or `scheduling_strategy`.
        options: Further arguments of `Pyro.workspace`.
    """
    placed = {"num_cpus": vcpu_count, "memory": mem_mib << 20, **(ray_options or {})}
    # A workspace is not what it was after its actor was started again.
    actor = ray.remote(WorkspaceActor).options(max_restarts=0, max_task_retries=0, **placed)
    return actor.remote(
        environment=environment, vcpu_count=vcpu_count, mem_mib=mem_mib, **options
    )


def map(
    function: Callable[[Workspace, Any], Any],
    items: Iterable[Any],
    *,
    at_once: int | None = None,
    **options: Any,
) -> Iterator[Outcome]:
    """Calls `function(workspace, item)` once for each item, each time with a fresh workspace, on
    the nodes of the cluster. Yields the outcomes as they come.

    An item is given away only when its workspace is there, so a node that dies loses only the
    items that it is working on. These are not tried again: their outcomes say so. Give them to
    `map` again if the function can be repeated.

    Args:
        function: Whatever Ray can send to a node.
        items: Taken from one after another, as there is room.
        at_once: How many workspaces to ask Ray for; as many as the cluster has room for when the
            first outcome is asked for, unless given.
        options: As those of `workspace`.
    """
    todo = enumerate(items)
    following = next(todo, None)
    opening: dict[Any, Any] = {}
    working: dict[Any, tuple[Any, int, Any]] = {}
    idle: list[Any] = []

    def begin(actor: Any = None) -> None:
        if following is not None:
            actor = actor or workspace(**options)
            opening[actor.open.remote()] = actor
        elif actor is not None:
            idle.append(actor)

    failures = 0
    try:
        for _ in range(at_once or _room(**options)):
            begin()
        while following is not None or working:
            (ready,), _ = ray.wait([*opening, *working])
            if ready in working:
                actor, number, item = working.pop(ready)
                try:
                    outcome = Outcome(number, item, ray.get(ready))
                    begin(actor)
                except RayError as error:
                    begin(None if isinstance(error, RayActorError) else actor)
                    outcome = Outcome(number, item, error=_cause(error))
                yield outcome
                continue
            actor = opening.pop(ready)
            try:
                ray.get(ready)
            except RayError as error:
                failures += 1
                cause = _cause(error)
                if failures < _MOST_FAILURES and not isinstance(cause, PyroValueError):
                    begin(None if isinstance(error, RayActorError) else actor)
                    continue
                while following is not None:
                    yield Outcome(*following, error=cause, retry_safe=True)
                    following = next(todo, None)
                continue
            failures = 0
            if following is None:
                idle.append(actor)
                continue
            number, item = following
            working[actor.call.remote(function, item)] = (actor, number, item)
            following = next(todo, None)
    finally:
        _end(idle, [*opening.values(), *(actor for actor, _, _ in working.values())])


def _room(*, vcpu_count: int = 1, mem_mib: int = 1024, **options: Any) -> int:
    """How many workspaces fit onto the nodes, if they are all that is there."""
    # It has no types.
    nodes: Any = ray.nodes
    alive = [node["Resources"] for node in nodes() if node["Alive"]]
    fitting = [
        min(node.get("CPU", 0) // vcpu_count, node.get("memory", 0) // (mem_mib << 20))
        for node in alive
    ]
    return max(1, int(sum(fitting)))


def _end(idle: list[Any], others: list[Any]) -> None:
    """Deletes workspaces that nobody works in; the guards delete the others."""
    closing = [actor.close.remote() for actor in idle]
    if closing:
        ray.wait(closing, num_returns=len(closing), timeout=_CLOSING_SECONDS)
    for actor in [*idle, *others]:
        ray.kill(actor)


def _cause(error: RayError) -> Exception:
    """What was raised on the node, if it was."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return cause if isinstance(cause, Exception) else error

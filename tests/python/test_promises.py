"""What the package promises: names, parameters and keys, as `promises.json` has them."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import pyro_mcp
from conftest import ENVIRONMENT
from pyro_mcp import AsyncPyro, Pyro

PROMISES = json.loads(Path(__file__).with_name("promises.json").read_text())


def promised(name: str) -> inspect.Signature:
    promise = PROMISES["methods"][name]
    kinds = inspect.Parameter
    parameters = [kinds("self", kinds.POSITIONAL_OR_KEYWORD)]
    for parameter in promise.get("positional", []):
        parameters.append(kinds(parameter, kinds.POSITIONAL_OR_KEYWORD))
    # What came after 2.4.0 need not be given.
    for parameter, default in (promise.get("keyword", {}) | promise.get("later", {})).items():
        default = kinds.empty if default == "required" else default
        parameters.append(kinds(parameter, kinds.KEYWORD_ONLY, default=default))
    return inspect.Signature(parameters)


def without_types(function: Any) -> inspect.Signature:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


@pytest.mark.parametrize("name", sorted(set(PROMISES["methods"]) - {"create_server"}))
def test_a_method_has_exactly_the_promised_parameters(name: str) -> None:
    assert without_types(getattr(Pyro, name)) == promised(name)
    assert without_types(getattr(AsyncPyro, name)) == promised(name)
    assert inspect.iscoroutinefunction(getattr(AsyncPyro, name))
    for parameter in inspect.signature(getattr(Pyro, name)).parameters.values():
        documentation = inspect.getdoc(getattr(Pyro, name))
        assert documentation is not None
        assert parameter.name == "self" or f"    {parameter.name}: " in documentation


def test_a_server_can_be_made_without_arguments() -> None:
    for create in (Pyro.create_server, AsyncPyro.create_server, pyro_mcp.create_server):
        for parameter in inspect.signature(create).parameters.values():
            assert parameter.name == "self" or parameter.default is not parameter.empty


def test_the_constructor_is_the_promised_one(base_dir: Path, tmp_path: Path) -> None:
    signature = without_types(Pyro)
    assert str(signature) == (
        "(manager=None, *, backend_name=None, base_dir=None, cache_dir=None, max_active_vms=4)"
    )
    assert without_types(AsyncPyro) == signature
    pyro = Pyro(base_dir=tmp_path / "b", cache_dir=tmp_path / "c", max_active_vms=2)
    manager = pyro.manager
    assert (manager.base_dir, manager.cache_dir) == (tmp_path / "b", tmp_path / "c")
    assert manager.max_active_vms == 2
    assert Pyro(manager).manager is manager
    assert Pyro().manager.base_dir == base_dir
    assert Pyro().manager.max_active_vms == 4


def test_the_package_has_what_is_imported_from_it() -> None:
    from pyro_mcp import Pyro, VmManager, __version__, create_server  # noqa: F401

    assert __version__.count(".") == 2
    for name in pyro_mcp.__all__:
        assert hasattr(pyro_mcp, name)


def has_keys(result: Mapping[str, object], name: str) -> None:
    assert set(result) == set(PROMISES["results"][name])


def test_environments_have_the_promised_keys(pyro: Pyro, tmp_path: Path) -> None:
    environments = pyro.list_environments()
    assert isinstance(environments, list)
    assert [one["name"] for one in environments] == sorted(one["name"] for one in environments)
    pulled = pyro.pull_environment(ENVIRONMENT)
    inspected = pyro.inspect_environment(ENVIRONMENT)
    wanted = set(PROMISES["results"]["environment"])
    for environment in (*environments, pulled, inspected):
        assert wanted <= set(environment)
    has_keys(Pyro(cache_dir=tmp_path / "cache").prune_environments(), "pruned")


def test_vms_have_the_promised_keys(pyro: Pyro) -> None:
    created = pyro.create_vm(environment=ENVIRONMENT)
    has_keys(created, "vm")
    vm_id = created["vm_id"]
    assert created["state"] == "created"
    has_keys(pyro.network_info_vm(vm_id), "network info")
    started = pyro.start_vm(vm_id)
    has_keys(started, "vm")
    assert started["state"] == "started"
    has_keys(pyro.status_vm(vm_id), "vm")
    has_keys(pyro.stop_vm(vm_id), "vm")
    has_keys(pyro.delete_vm(vm_id), "deleted vm")
    assert pyro.list_vms() == {"count": 0, "vms": []}
    has_keys(pyro.reap_expired(), "reaped")

    used = pyro.create_vm(environment=ENVIRONMENT)["vm_id"]
    pyro.start_vm(used)
    ran = pyro.exec_vm(used, command="git --version")
    has_keys(ran, "run")
    assert ran["stdout"].startswith("git version ")
    assert ran["cleanup"] == {"vm_id": used, "deleted": True, "reason": "post_exec_cleanup"}


def test_a_run_has_the_promised_keys(pyro: Pyro) -> None:
    ran = pyro.run_in_vm(environment=ENVIRONMENT, command="echo out; echo err >&2; exit 3")
    has_keys(ran, "run")
    assert (ran["stdout"], ran["stderr"], ran["exit_code"]) == ("out\n", "err\n", 3)


def test_workspaces_have_the_promised_keys(pyro: Pyro, tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    (seed / "a").write_text("from the seed")
    created = pyro.create_workspace(environment=ENVIRONMENT, seed_path=seed)
    has_keys(created, "workspace")
    assert created["workspace_seed"]["mode"] == "directory"
    workspace_id = created["workspace_id"]
    ran = pyro.exec_workspace(workspace_id, command="cat a")
    has_keys(ran, "exec")
    assert (ran["stdout"], ran["sequence"]) == ("from the seed", 1)
    pushed = pyro.push_workspace_sync(workspace_id, seed, dest="sub")
    has_keys(pushed, "push")
    has_keys(pushed["workspace_sync"], "sync")
    logs = pyro.logs_workspace(workspace_id)
    has_keys(logs, "logs")
    has_keys(logs["entries"][0], "log entry")
    read = pyro.read_workspace_logs(workspace_id, sequence=1, offset=5, limit=3)
    assert read["entries"][0]["stdout"] == "the"
    status = pyro.status_workspace(workspace_id)
    has_keys(status, "workspace")
    assert status["command_count"] == 1
    changed = pyro.update_workspace(workspace_id, name="fix", labels={"issue": "7", "a": "b"})
    has_keys(changed, "workspace")
    assert (changed["name"], changed["labels"]) == ("fix", {"a": "b", "issue": "7"})
    changed = pyro.update_workspace(workspace_id, clear_name=True, clear_labels=["a"])
    assert (changed["name"], changed["labels"]) == (None, {"issue": "7"})
    with pytest.raises(pyro_mcp.PyroValueError, match="no effective metadata change") as caught:
        pyro.update_workspace(workspace_id, clear_name=True)
    assert caught.value.code == "nothing_to_change"
    listed = pyro.list_workspaces()
    assert listed["count"] == 1
    has_keys(listed["workspaces"][0], "listed workspace")
    has_keys(pyro.stop_workspace(workspace_id), "workspace")
    has_keys(pyro.start_workspace(workspace_id), "workspace")
    assert pyro.exec_workspace(workspace_id, command="cat sub/a")["exit_code"] == 0
    has_keys(pyro.delete_workspace(workspace_id), "deleted workspace")


def test_the_asynchronous_twin_has_every_method() -> None:
    def public(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")}

    assert public(Pyro) <= public(AsyncPyro)


def test_asynchronous_results_are_the_same(base_dir: Path) -> None:
    async def environments() -> object:
        return await AsyncPyro().list_environments()

    assert asyncio.run(environments()) == Pyro().list_environments()

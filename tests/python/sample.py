"""A program that checkers of types accept."""

from __future__ import annotations

from pathlib import Path

from pyro_mcp import AsyncPyro, Pyro, PyroError, create_server


def work(directory: Path) -> int:
    pyro = Pyro(max_active_vms=2)
    with pyro.workspace(environment="debian:12", seed_path=directory) as workspace:
        stream = workspace.stream("make")
        for chunk in stream:
            text: str = chunk.data.decode()
            print(chunk.stream, text)
        code: int = stream.result["exit_code"]
        version: str | None = workspace.status()["environment_version"]
        print(version)
    try:
        ran = pyro.run_in_vm(environment="debian:12", command="true", mem_mib=512)
        print(ran["stdout"], ran.get("timed_out", False))
    except PyroError as error:
        print(error.code, error.remedy)
    names: list[str] = [environment["name"] for environment in pyro.list_environments()]
    print(names)
    return code


async def work_asynchronously() -> str:
    pyro = AsyncPyro()
    async with pyro.workspace(environment="debian:12") as workspace:
        async for chunk in workspace.stream("make"):
            print(chunk.data)
        return (await workspace.exec("cat result"))["stdout"]


def serve() -> None:
    create_server(profile="vm-run").run(transport="stdio")

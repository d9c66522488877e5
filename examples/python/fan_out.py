"""Runs several commands at once, each in a microVM of its own, and prints results as they come."""

import asyncio

from pyro_mcp import AsyncPyro

COMMANDS = ["echo one", "uname -s", "git --version"]


async def main() -> None:
    pyro = AsyncPyro()

    async def run(command: str) -> str:
        ran = await pyro.run_in_vm(environment="debian:12", command=command)
        return f"{command}: {ran['stdout'].strip()}"

    for result in asyncio.as_completed([run(command) for command in COMMANDS]):
        print(await result)


asyncio.run(main())

"""The story of an agent, told by the Python clients `mcp` (both eras) and `fastmcp`.

    story.py PYRO
"""

import asyncio
import sys

PYRO = sys.argv[1]
ENVIRONMENT = "debian:12"


def check(truth, *what):
    if not truth:
        raise SystemExit(f"not as expected: {what}")


class ByMcp:
    """A client of the package `mcp`."""

    def __init__(self, client):
        self.client = client

    async def names(self):
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, name, news=None, **arguments):
        async def hear(progress, total, message):
            news.append((progress, message))

        options = {"progress_callback": hear} if news is not None else {}
        result = await self.client.call_tool(name, arguments, **options)
        return result.is_error, result.structured_content or result.meta, result.content[0].text


class ByFastMcp:
    """A client of the package `fastmcp`."""

    def __init__(self, client):
        self.client = client

    async def names(self):
        return [tool.name for tool in await self.client.list_tools()]

    async def call(self, name, news=None, **arguments):
        async def hear(progress, total, message):
            news.append((progress, message))

        options = {"progress_handler": hear} if news is not None else {}
        result = await self.client.call_tool(name, arguments, raise_on_error=False, **options)
        return result.is_error, result.structured_content or result.meta, result.content[0].text


async def tell(who, agent):
    names = await agent.names()
    check(names[0] == "vm_run", names)

    news = []
    failed, result, text = await agent.call(
        "vm_run", news, environment=ENVIRONMENT, command="uname -s; exit 3"
    )
    check(not failed and result["exit_code"] == 3 and result["stdout"] == "Linux\n", text)
    progress = [value for value, _ in news]
    check(progress and progress == sorted(set(progress)), news)

    failed, error, text = await agent.call("vm_run", environment="no:1", command="true")
    check(failed and "no:1" in text, text)
    check(error["pyro/error"]["retry_safe"] is True, error)

    failed, result, text = await agent.call(
        "vm_run", environment=ENVIRONMENT, command="seq 100000; echo end >&2"
    )
    check(result["stdout_truncated_from_bytes"] == 588_895, text[:200])
    check(result["stdout"].endswith("100000\n") and result["stderr"] == "end\n", text[:200])

    asked = await agent.client.get_prompt("workspace", {"directory": "/src"})
    text = asked.messages[0].content.text
    check('"/src"' in text and "workspace_exec" in text, text)

    if "workspace_exec" in names:
        await tell_of_workspace(agent)
    print(f"{who}: {len(names)} tools, {len(news)} pieces of news: ok")


async def tell_of_workspace(agent):
    failed, workspace, text = await agent.call("workspace_create", environment=ENVIRONMENT)
    check(not failed, text)
    id = workspace["workspace_id"]
    for command, expected in [("echo kept > note", ""), ("cat note", "kept\n")]:
        failed, result, text = await agent.call("workspace_exec", workspace_id=id, command=command)
        check(not failed and result["stdout"] == expected, text)
    failed, logs, text = await agent.call("workspace_logs", workspace_id=id)
    check(not failed and "cat note" in text, text)
    failed, _, text = await agent.call("workspace_delete", workspace_id=id)
    check(not failed, text)


async def main():
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from fastmcp import Client as FastClient
    from fastmcp.client.transports import StdioTransport

    for mode in ("auto", "legacy"):
        server = stdio_client(StdioServerParameters(command=PYRO, args=["mcp", "serve"]))
        async with Client(server, mode=mode) as client:
            await tell(f"python mcp ({mode})", ByMcp(client))
    async with FastClient(StdioTransport(PYRO, ["mcp", "serve"])) as client:
        await tell("python fastmcp", ByFastMcp(client))


asyncio.run(main())

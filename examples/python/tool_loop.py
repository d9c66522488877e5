"""Gives a model a workspace as its tool, over any endpoint that speaks the chat completions form.

usage: tool_loop.py BASE_URL MODEL PROMPT
"""

import json
import sys
import urllib.request
from typing import Any

from pyro_mcp import Pyro, PyroError, Workspace

TOOL = {
    "type": "function",
    "function": {
        "name": "run",
        "description": "Run a shell command in a Linux microVM; files are kept in /workspace",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
        },
    },
}
MOST_TURNS = 10


def ask(base_url: str, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"model": model, "messages": messages, "tools": [TOOL]}
    request = urllib.request.Request(
        f"{base_url}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        message: dict[str, Any] = json.load(response)["choices"][0]["message"]
    return message


def use_tool(workspace: Workspace, call: dict[str, Any]) -> dict[str, Any]:
    try:
        command = json.loads(call["function"]["arguments"])["command"]
        ran = workspace.exec(command)
        result = {key: ran[key] for key in ("exit_code", "stdout", "stderr")}
    except (PyroError, KeyError, ValueError) as error:
        # The model can do something about it.
        result = {"error": str(error)}
    return {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)}


def main(base_url: str, model: str, prompt: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    with Pyro().workspace(environment="debian:12") as workspace:
        for _ in range(MOST_TURNS):
            answer = ask(base_url, model, messages)
            messages.append(answer)
            calls = answer.get("tool_calls")
            if not calls:
                print(answer["content"])
                return
            messages += [use_tool(workspace, call) for call in calls]
    sys.exit("the model did not come to an end")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The examples work."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from conftest import ROOT, script

EXAMPLES = ROOT / "examples" / "python"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_one_shot(base_dir: Path) -> None:
    assert run("one_shot.py").startswith("git version ")


def test_workspace_loop(base_dir: Path) -> None:
    assert run("workspace_loop.py").splitlines() == [
        "1 1 test $(sh add.sh 2 3) = 5",
        "2 0 sed -i 's/ + 2//' add.sh",
        "3 1 test $(sh add.sh 2 3) = 5",
        "4 0 sed -i 's/ + 1//' add.sh",
        "5 0 test $(sh add.sh 2 3) = 5",
        "passed",
    ]


def test_fan_out(base_dir: Path) -> None:
    lines = sorted(run("fan_out.py").splitlines())
    assert lines[0].startswith("echo one: one")
    assert [line.split(":")[0] for line in lines] == ["echo one", "git --version", "uname -s"]


def test_pytest_fixture(base_dir: Path) -> None:
    command = [script("pytest"), "-q", "-p", "no:cacheprovider", str(EXAMPLES / "test_fixture.py")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert "2 passed" in ran.stdout, ran.stdout


class Endpoint(BaseHTTPRequestHandler):
    """Asks for one command and then answers with what the command printed."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        last = asked["messages"][-1]
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if last["role"] == "user":
            arguments = json.dumps({"command": last["content"]})
            function = {"name": asked["tools"][0]["function"]["name"], "arguments": arguments}
            message["tool_calls"] = [{"id": "1", "type": "function", "function": function}]
        else:
            message["content"] = json.loads(last["content"])["stdout"]
        body = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def test_tool_loop(base_dir: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        printed = run("tool_loop.py", url, "fake", "echo $((6 * 7))")
        server.shutdown()
        thread.join()
    assert printed == "42\n\n"

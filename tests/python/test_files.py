"""Files of a workspace."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from pyro_mcp import AsyncPyro, Pyro, PyroRuntimeError, Workspace


def test_files_are_written_read_and_listed(workspace: Workspace, tmp_path: Path) -> None:
    written = workspace.write_file("notes/a.txt", text="hello")
    assert written["created"] and written["bytes_written"] == 5
    read = workspace.read_file("notes/a.txt")
    assert read["content"] == "hello" and read["sha256"] == written["sha256"]

    source = tmp_path / "bytes"
    source.write_bytes(bytes(range(256)))
    workspace.write_file("bytes", text_file=source, mode="600")
    read = workspace.read_file("bytes", base64=True)
    content = read["content_base64"]
    assert content is not None and base64.b64decode(content) == source.read_bytes()
    assert read["content_lossy"] and read["mode"] == "0600"

    paths = [entry["path"] for entry in workspace.list_files(recursive=True)["entries"]]
    assert "/workspace/notes/a.txt" in paths


def test_a_condition_is_kept(workspace: Workspace) -> None:
    first = workspace.write_file("kept", text="1", if_match="missing")
    workspace.write_file("kept", text="2", if_match=first["sha256"])
    with pytest.raises(PyroRuntimeError) as raised:
        workspace.write_file("kept", text="3", if_match=first["sha256"])
    assert raised.value.code == "file_changed" and raised.value.retry_safe


def test_the_disk_of_a_stopped_one_is_read_and_exported(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.write_file("kept", text="kept")
    with pytest.raises(PyroRuntimeError) as raised:
        workspace.list_disk()
    assert raised.value.code == "wrong_state"
    workspace.stop()
    paths = [entry["path"] for entry in workspace.list_disk()["entries"]]
    assert "/workspace/kept" in paths
    assert workspace.read_disk("kept")["content"] == "kept"
    assert "Debian" in workspace.read_disk("/etc/os-release")["content"]
    image = tmp_path / "disk.ext4"
    exported = workspace.export_disk(output_path=image)
    assert exported["disk_format"] == "ext4" and image.stat().st_size == exported["size_bytes"]
    workspace.start()


def test_they_can_be_awaited(workspace: Workspace, pyro: Pyro) -> None:
    async def work() -> str:
        attached = AsyncPyro(pyro.manager).attach_workspace(workspace.id)
        await attached.write_file("awaited", text="yes")
        return (await attached.read_file("awaited"))["content"]

    assert asyncio.run(work()) == "yes"

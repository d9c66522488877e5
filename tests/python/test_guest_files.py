"""`Workspace.files`: files anywhere in a guest, and why they cannot be had."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest

from pyro_mcp import AsyncPyro, Files, Pyro, PyroError, PyroFileError, PyroValueError, Workspace

EVERY_BYTE = bytes(range(256))


def test_files_are_written_and_read_anywhere(workspace: Workspace) -> None:
    files = workspace.files
    for path in ("/etc/of test/a", "relative/b", PurePosixPath("/root/c"), b"/tmp/\xff", "/-d"):
        files.write(path, EVERY_BYTE)
        assert files.read(path) == EVERY_BYTE
    assert files.read("/workspace/relative/b") == EVERY_BYTE
    files.write("/tmp/text", "gr\u00fc\u00df")
    assert files.read_text("/tmp/text") == "gr\u00fc\u00df"
    files.write("/tmp/text", "!", append=True)
    assert files.read_text("/tmp/text") == "gr\u00fc\u00df!"
    files.write("/tmp/text", "")
    assert files.read("/tmp/text") == b""


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "'", '"', "a\nb", "*", "\udcff", "-rf", "#"])
def test_a_name_is_only_a_name(workspace: Workspace, name: str) -> None:
    files = workspace.files
    files.write(f"/tmp/names/{name}", name.encode("utf-8", "surrogateescape"))
    listed = files.list("/tmp/names")
    assert [entry.name for entry in listed] == [name]
    assert files.read(listed[0].path) == os.fsencode(name)
    files.move(listed[0].path, f"/tmp/moved {name}")
    assert files.exists(f"/tmp/moved {name}") and not files.list("/tmp/names")
    files.remove(f"/tmp/moved {name}")
    assert not files.exists(f"/tmp/moved {name}") and files.list() == []


def test_a_long_file_comes_and_goes_whole(workspace: Workspace) -> None:
    # More than one command writes.
    content = os.urandom(1024) * 1024 * 9
    workspace.files.write("/tmp/long", content, mode=0o600)
    assert workspace.files.read("/tmp/long") == content
    assert workspace.files.stat("/tmp/long").mode & 0o777 == 0o600
    with pytest.raises(PyroValueError) as caught:
        workspace.files.read("/tmp/long", max_bytes=len(content) - 1)
    assert caught.value.code == "file_too_large"
    assert workspace.files.read("/tmp/long", max_bytes=len(content)) == content


def test_a_directory_is_packed_and_unpacked(workspace: Workspace) -> None:
    files = workspace.files
    files.write("a/run", "#!/bin/sh\n", mode=0o750)
    files.write("cache/big", b"x" * 1000)
    files.write("a/cache", "kept")
    workspace.run("ln -s run a/link; mkdir empty")
    packed = files.pack(exclude=["cache"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = sorted(archive.getnames())
    assert names == [".", "./a", "./a/cache", "./a/link", "./a/run", "./empty"]
    files.write("/srv/there/mine", "mine")
    files.unpack(packed, "/srv/there")
    assert [entry.name for entry in files.list("/srv/there")] == ["a", "empty", "mine"]
    assert files.stat("/srv/there/a/run").mode & 0o777 == 0o750
    assert files.stat("/srv/there/a/link", follow=False).is_link
    with pytest.raises(FileNotFoundError):
        files.pack("/no")
    with pytest.raises(NotADirectoryError):
        files.pack("a/run")
    with pytest.raises(PyroFileError, match="does not look like a tar archive"):
        files.unpack(b"no archive" * 100)
    with pytest.raises(PyroValueError) as caught:
        files.pack(max_bytes=len(packed) - 1)
    assert caught.value.code == "file_too_large"
    # The user of the files has what is unpacked, whoever it belonged to.
    workspace.run(["useradd", "-m", "somebody"])
    files.as_user("somebody").unpack(packed, "/home/somebody/there")
    assert workspace.run("stat -c %U /home/somebody/there/a/run").stdout == b"somebody\n"


def test_a_long_archive_is_unpacked_and_nothing_stays(workspace: Workspace) -> None:
    # More than one command writes.
    content = os.urandom(1024) * 1024 * 9
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("long")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    workspace.files.unpack(packed.getvalue(), "/srv/there")
    assert workspace.files.read("/srv/there/long") == content
    assert workspace.files.list("/tmp") == []


def test_what_is_written_meanwhile_is_packed_too(workspace: Workspace) -> None:
    writer = workspace.start_process("while :; do date >>log; done")
    for _ in range(5):
        assert workspace.files.pack()
    writer.kill()


def test_states_and_lists(workspace: Workspace) -> None:
    files = workspace.files
    files.write("d/file", "12345", mode=0o755)
    files.mkdir("d/dir")
    workspace.run(["ln", "-s", "file", "d/link"])
    workspace.run(["ln", "-s", "nothing", "d/dangling"])
    workspace.run(["mkfifo", "d/pipe"])
    entries = {entry.name: entry for entry in files.list("d")}
    assert sorted(entries) == ["dangling", "dir", "file", "link", "pipe"]
    file = entries["file"]
    assert (file.path, file.size, file.mode & 0o7777) == ("/workspace/d/file", 5, 0o755)
    assert file.is_file and not file.is_dir and file.modified_at > 1_700_000_000
    assert entries["dir"].is_dir and entries["link"].is_link and entries["dangling"].is_link
    assert not (entries["pipe"].is_file or entries["pipe"].is_dir or entries["pipe"].is_link)
    assert files.stat("d/link").is_file and files.stat("d/link", follow=False).is_link
    assert files.exists("d/link") and not files.exists("d/dangling")
    assert files.stat("/").path == "/" and files.stat("/").is_dir
    assert "/etc" in [entry.path for entry in files.list("/")]
    # Nobody waits for the other end of a pipe.
    for wait in (lambda: files.read("d/pipe"), lambda: files.write("d/pipe", "")):
        with pytest.raises(PyroFileError, match="Invalid argument"):
            wait()
    # A link to a directory is one.
    workspace.run(["ln", "-s", "d", "to-d"])
    assert len(files.list("to-d")) == 5


def test_many_entries_are_listed(workspace: Workspace) -> None:
    workspace.run("mkdir many && cd many && seq -f 'a rather long name of a file %06g' 5000 | xargs -d '\\n' touch")
    names = [entry.name for entry in workspace.files.list("many")]
    assert names == [f"a rather long name of a file {number:06}" for number in range(1, 5001)]


def test_directories_are_made_and_removed(workspace: Workspace) -> None:
    files = workspace.files
    files.mkdir("/srv/a/b")
    files.mkdir("/srv/a/b")
    files.mkdir("/srv/a/c", parents=False)
    files.mkdir("/srv/n/e/w", exist_ok=False)
    files.remove("/srv/a/c")
    with pytest.raises(PyroFileError) as caught:
        files.remove("/srv/a")
    assert caught.value.errno == errno.ENOTEMPTY
    workspace.run(["ln", "-s", "/srv/a", "/srv/link"])
    files.remove("/srv/link", recursive=True)
    assert files.exists("/srv/a/b")
    files.remove("/srv/a", recursive=True)
    assert not files.exists("/srv/a")


def test_moving_replaces_a_file_and_does_not_move_into_a_directory(workspace: Workspace) -> None:
    files = workspace.files
    files.write("a", "a")
    files.write("b", "b")
    files.move("a", "b")
    assert files.read("b") == b"a" and not files.exists("a")
    files.mkdir("d")
    with pytest.raises(IsADirectoryError):
        files.move("b", "d")
    with pytest.raises(NotADirectoryError):
        files.move("d", "b")
    assert files.list("d") == []


def test_a_reason_that_has_no_number_is_told_in_words(workspace: Workspace) -> None:
    workspace.run("mount --bind /bin/false /bin/cat")
    with pytest.raises(PyroFileError, match="exit code 1") as caught:
        workspace.files.read("/etc/passwd")
    assert (caught.value.errno, caught.value.code) == (None, "file_failed")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


Wrong = Callable[[Files], object]


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        (lambda files: files.read("/no"), FileNotFoundError, "no_such_file"),
        (lambda files: files.read("/tmp"), IsADirectoryError, "is_directory"),
        (lambda files: files.read("/etc/passwd/x"), NotADirectoryError, "not_directory"),
        (lambda files: files.as_user("daemon").read("/etc/shadow"), PermissionError, "permission_denied"),
        (lambda files: files.write("/tmp", ""), IsADirectoryError, "is_directory"),
        (lambda files: files.write("/etc/passwd/x", ""), NotADirectoryError, "not_directory"),
        (lambda files: files.write("/etc/passwd/x/y", ""), NotADirectoryError, "not_directory"),
        (lambda files: files.write("/no/x", "", parents=False), FileNotFoundError, "no_such_file"),
        (lambda files: files.as_user("daemon").write("/etc/x", ""), PermissionError, "permission_denied"),
        (lambda files: files.as_user("daemon").write("/no/x", ""), PermissionError, "permission_denied"),
        (lambda files: files.list("/no"), FileNotFoundError, "no_such_file"),
        (lambda files: files.list("/etc/passwd"), NotADirectoryError, "not_directory"),
        (lambda files: files.as_user("daemon").list("/root"), PermissionError, "permission_denied"),
        (lambda files: files.stat("/no"), FileNotFoundError, "no_such_file"),
        (lambda files: files.mkdir("/tmp", exist_ok=False), FileExistsError, "file_exists"),
        (lambda files: files.mkdir("/tmp", parents=False, exist_ok=False), FileExistsError, "file_exists"),
        (lambda files: files.mkdir("/etc/passwd"), FileExistsError, "file_exists"),
        (lambda files: files.mkdir("/no/x", parents=False), FileNotFoundError, "no_such_file"),
        (lambda files: files.remove("/no"), FileNotFoundError, "no_such_file"),
        (lambda files: files.move("/no", "/tmp/x"), FileNotFoundError, "no_such_file"),
    ],
)
def test_errors_are_told_apart(shared: Workspace, call: Wrong, kind: type[OSError], code: str) -> None:
    with pytest.raises(kind) as caught:
        call(shared.files)
    error: Any = caught.value
    assert isinstance(error, PyroFileError) and isinstance(error, PyroError)
    assert (error.code, error.retry_safe) == (code, True)
    assert error.filename in str(error) and os.strerror(error.errno) in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.errno) == (type(error), str(error), error.errno)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(pyro: Pyro, path: str) -> None:
    with pytest.raises(PyroValueError, match="path"):
        pyro.attach_workspace("x").files.read(path)


def test_they_can_be_awaited(workspace: Workspace, pyro: Pyro) -> None:
    async def work() -> None:
        files = AsyncPyro(pyro.manager).attach_workspace(workspace.id).files
        await files.write("/tmp/a/b", "x", mode=0o640)
        assert await files.read("/tmp/a/b") == b"x"
        assert await files.read_text("/tmp/a/b") == "x"
        assert [entry.name for entry in await files.list("/tmp/a")] == ["b"]
        assert (await files.stat("/tmp/a/b")).mode & 0o777 == 0o640
        await files.move("/tmp/a/b", "/tmp/c")
        await files.mkdir("/tmp/d")
        await files.remove("/tmp/a", recursive=True)
        assert await files.exists("/tmp/c") and not await files.exists("/tmp/a")
        with pytest.raises(PermissionError):
            await files.as_user("daemon").read("/etc/shadow")

    asyncio.run(work())

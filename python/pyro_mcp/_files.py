"""The files of a guest, wherever they are. Each call is one command of the workspace."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shlex
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Union

from pyro_mcp._commands import Input, Ran
from pyro_mcp.errors import PyroFileError, PyroValueError, file_error

if TYPE_CHECKING:
    from pyro_mcp._pyro import Workspace

GuestPath = Union[str, bytes, "os.PathLike[str]"]

DEFAULT_MAX_BYTES = 256 * 1024 * 1024
# Input of one command; longer files are written in several.
_CHUNK_BYTES = 8 * 1024 * 1024
# Room for the names of a directory with some 100,000 entries.
_LONGEST_LIST_BYTES = 64 * 1024 * 1024
# What a guest's programs say, in the words of glibc and of musl.
_REASONS = {
    "No such file or directory": errno.ENOENT,
    "File exists": errno.EEXIST,
    "Is a directory": errno.EISDIR,
    "Not a directory": errno.ENOTDIR,
    "Permission denied": errno.EACCES,
    "Operation not permitted": errno.EPERM,
    "Directory not empty": errno.ENOTEMPTY,
    "Read-only file system": errno.EROFS,
    "No space left on device": errno.ENOSPC,
    "File name too long": errno.ENAMETOOLONG,
    "Filename too long": errno.ENAMETOOLONG,
    "Too many levels of symbolic links": errno.ELOOP,
    "Symbolic link loop": errno.ELOOP,
    "Text file busy": errno.ETXTBSY,
    "Invalid argument": errno.EINVAL,
    "Input/output error": errno.EIO,
}
# What `stat` prints of an entry, or its name, which begins with a point.
_LISTED = re.compile(rb"([0-9a-f]+) (\d+) (-?\d+)\n|\./([^\0]*)\0", re.DOTALL)
# What tar says of a file that is written while it is packed.
_CHANGED = ("file changed as we read it", "file removed before we read it")
_STAT = "stat -c '%f %s %Y'"


class FileState(NamedTuple):
    """What is known of a file, directory or link."""

    path: str
    """Its absolute path. A byte of it that is not UTF-8 is as `os.fsdecode` has it."""
    mode: int
    """Its kind and its permissions, as in `os.stat_result.st_mode`."""
    size: int
    """Its size in bytes."""
    modified_at: int
    """When it was changed last, in seconds since the Unix epoch."""

    @property
    def name(self) -> str:
        """The last component of its path."""
        return posixpath.basename(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


class Files:
    """The files of a workspace's guest: anywhere in it, not only in /workspace, where a relative
    path begins. They are read and written as `user`, which is root unless `as_user` names another.

    Each call is a command in the guest, or a few for a large file, and is in the workspace's log
    as such. What cannot be done
    is a `PyroFileError`, which is also the built-in `FileNotFoundError`, `FileExistsError`,
    `IsADirectoryError`, `NotADirectoryError` or `PermissionError`."""

    def __init__(self, workspace: Workspace, user: str | None = None) -> None:
        self.workspace = workspace
        self.user = user

    def __repr__(self) -> str:
        return f"Files(workspace {self.workspace.id!r}, user={self.user or 'root'})"

    def as_user(self, user: str) -> Files:
        """The same files, as this user sees them."""
        return Files(self.workspace, user)

    def read(self, path: GuestPath, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Returns the content of a file. One with more than `max_bytes` is refused with the code
        `file_too_large`."""
        path = _absolute(path)
        ran = self._do(path, f"{_no_pipe(path)}cat -- {shlex.quote(path)}", max_output=max_bytes)
        if ran.truncated:
            raise _too_large(path, max_bytes, "read a part of it with a command")
        return ran.stdout

    def read_text(self, path: GuestPath, *, max_bytes: int = DEFAULT_MAX_BYTES) -> str:
        """Returns the content of a file that is UTF-8."""
        return self.read(path, max_bytes=max_bytes).decode()

    def write(
        self,
        path: GuestPath,
        data: Input,
        *,
        mode: int | None = None,
        parents: bool = True,
        append: bool = False,
    ) -> None:
        """Writes a file; a text is written as UTF-8. An existing file keeps its owner and, unless
        `mode` is given, its permissions. Missing directories are made unless `parents` is false.
        It is not atomic: a reader may see a part."""
        path = _absolute(path)
        content = data.encode() if isinstance(data, str) else bytes(data)
        name = shlex.quote(path)
        script = _no_pipe(path)
        if parents:
            directory = shlex.quote(posixpath.dirname(path))
            script += f"{{ [ -e {directory} ] || mkdir -p -- {directory}; }} && "
        finish = ""
        if mode is not None:
            # Nobody reads it before it has its permissions.
            script += "umask 077 && "
            finish = f" && chmod {mode:o} -- {name}"
        # At least once, also without content.
        for begin in range(0, len(content) or 1, _CHUNK_BYTES):
            chunk = content[begin : begin + _CHUNK_BYTES]
            add = "-a " if append or begin else ""
            self._do(path, f"{script}tee {add}-- {name} >/dev/null{finish}", chunk)

    def list(self, path: GuestPath = ".") -> list[FileState]:
        """Returns the entries of a directory, sorted by name. Links are not followed."""
        path = _absolute(path)
        # find runs sh once for many entries, unlike stat -c, which would be run for each name.
        each = f"{_STAT} -- \"$@\"; printf '%s\\0' \"$@\""
        find = f"find . -mindepth 1 -maxdepth 1 -exec sh -c {shlex.quote(each)} sh {{}} +"
        # The words of the shell's own cd do not tell why.
        enter = f"{_STAT} -- {shlex.quote(_inside(path))} >/dev/null && cd -- {shlex.quote(path)}"
        ran = self._do(path, f"{enter} && {find}", max_output=_LONGEST_LIST_BYTES)
        states = []
        names = []
        for mode, size, modified, name in _LISTED.findall(ran.stdout):
            if mode:
                states.append((int(mode, 16), int(size), int(modified)))
            else:
                names.append(os.fsdecode(name))
        if len(states) != len(names) or ran.truncated:
            raise file_error(None, path, "it changed while it was listed")
        entries = [
            FileState(posixpath.join(path, name), *state) for name, state in zip(names, states)
        ]
        return sorted(entries, key=lambda entry: entry.path)

    def stat(self, path: GuestPath, *, follow: bool = True) -> FileState:
        """Returns what is known of a file, directory or link; a link is followed unless `follow`
        is false."""
        path = _absolute(path)
        dereference = "-L " if follow else ""
        ran = self._do(path, f"{_STAT} {dereference}-- {shlex.quote(path)}")
        mode, size, modified = ran.stdout.split()
        return FileState(path, int(mode, 16), int(size), int(modified))

    def exists(self, path: GuestPath) -> bool:
        """Whether there is something at this path. A link is followed."""
        try:
            self.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def mkdir(self, path: GuestPath, *, parents: bool = True, exist_ok: bool = True) -> None:
        """Makes a directory."""
        path = _absolute(path)
        name = shlex.quote(path)
        if exist_ok:
            # mkdir -p makes the parents too, and takes what exists.
            made = f"mkdir -p -- {name}" if parents else f"[ -d {name} ] || mkdir -- {name}"
        else:
            parent = shlex.quote(posixpath.dirname(path))
            made = f"mkdir -p -- {parent} && mkdir -- {name}" if parents else f"mkdir -- {name}"
        self._do(path, made)

    def remove(self, path: GuestPath, *, recursive: bool = False) -> None:
        """Removes a file, a link, or an empty directory; with `recursive`, also all that is in a
        directory."""
        path = _absolute(path)
        name = shlex.quote(path)
        directory = "rm -r" if recursive else "rmdir"
        is_directory = f"[ -d {name} ] && ! [ -L {name} ]"
        self._do(path, f"if {is_directory}; then {directory} -- {name}; else rm -- {name}; fi")

    def move(self, source: GuestPath, destination: GuestPath) -> None:
        """Moves a file or directory to a new path, where it replaces a file, or a directory an
        empty one."""
        source = _absolute(source)
        destination = _absolute(destination)
        # A directory at the destination would otherwise be moved into.
        self._do(source, f"mv -T -- {shlex.quote(source)} {shlex.quote(destination)}")

    def pack(
        self,
        path: GuestPath = ".",
        *,
        exclude: Iterable[str] = (),
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> bytes:
        """Returns what is in a directory as a tar archive, with names that are relative to it.
        `exclude` has relative paths that are left out, with all that is in them. An archive of
        more than `max_bytes` is refused with the code `file_too_large`. The guest needs `tar`."""
        path = _absolute(path)
        left_out = "".join(f"--exclude={shlex.quote(f'./{one}')} " for one in exclude)
        script = f"tar -cf - {left_out}-C {shlex.quote(path)} ."
        ran = self._run(script, max_output=max_bytes)
        # What is written meanwhile is packed as it was found; tar says so, and fails.
        changed = ran.stderr.decode(errors="replace").splitlines()
        only_changed = changed and all(one.endswith(_CHANGED) for one in changed)
        if ran.exit_code != 0 and not (ran.exit_code == 1 and only_changed):
            raise _failure(path, ran)
        if ran.truncated:
            raise _too_large(f"the archive of {path}", max_bytes, "exclude something")
        return ran.stdout

    def unpack(self, archive: bytes, path: GuestPath = ".") -> None:
        """Unpacks a tar archive into a directory, which is made if there is none. What is in it
        belongs to the user of these files, whatever the archive says. The guest needs `tar`."""
        path = _absolute(path)
        name = shlex.quote(path)
        # The archive is written first if it is longer than the input of a command may be.
        spool = f"/tmp/.pyro-{os.urandom(8).hex()}.tar" if len(archive) > _CHUNK_BYTES else None
        source = spool or "-"
        try:
            if spool is not None:
                self.write(spool, archive, mode=0o600)
            script = f"mkdir -p -- {name} && tar -xof {source} -C {name}"
            self._do(path, script, None if spool else archive)
        finally:
            if spool is not None:
                self._run(f"rm -f {spool}")

    def _do(
        self,
        path: str,
        script: str,
        input: bytes | None = None,
        *,
        max_output: int = 1024 * 1024,
    ) -> Ran:
        """Runs a script that concerns a path. If it fails, what it said becomes an error."""
        ran = self._run(script, input, max_output=max_output)
        if ran.exit_code != 0:
            raise _failure(path, ran)
        return ran

    def _run(
        self, script: str, input: bytes | None = None, *, max_output: int = 1024 * 1024
    ) -> Ran:
        # Programs say their reasons in English.
        line = os.fsencode(f"export LC_ALL=C; {script}")
        return self.workspace.run(
            line, cwd="/", user=self.user, input=input, max_output=max_output
        )


def _failure(path: str, ran: Ran) -> PyroFileError:
    """The error of what a script said."""
    said = ran.stderr.decode(errors="replace").strip()
    for line in said.splitlines():
        number = _REASONS.get(line.rpartition(": ")[2])
        if number is not None:
            return file_error(number, path)
    # mv has words of its own.
    if "cannot overwrite directory" in said:
        return file_error(errno.EISDIR, path)
    if "cannot overwrite non-directory" in said:
        return file_error(errno.ENOTDIR, path)
    return file_error(None, path, said or f"exit code {ran.exit_code}")


def _too_large(what: str, max_bytes: int, instead: str) -> PyroValueError:
    return PyroValueError(
        f"{what} has more than {max_bytes} bytes",
        "file_too_large",
        remedy=f"raise max_bytes, or {instead}",
        retry_safe=True,
    )


def _absolute(path: GuestPath) -> str:
    text = os.fsdecode(path)
    if not text or "\0" in text:
        message = "path is empty" if not text else "path contains a NUL byte"
        raise PyroValueError(message, "invalid_input", retry_safe=True)
    # `..` stays: behind a link it is not what it seems to be.
    parts = posixpath.join("/workspace", text).split("/")
    return "/" + "/".join(part for part in parts if part not in ("", "."))


def _no_pipe(path: str) -> str:
    """The part of a script that refuses a pipe, whose other end may never come."""
    return f"if [ -p {shlex.quote(path)} ]; then echo 'pipe: Invalid argument' >&2; exit 1; fi; "


def _inside(path: str) -> str:
    """A path that exists only if `path` is a directory that may be entered."""
    return posixpath.join(path, ".")

"""Commands with exact bytes: how `Workspace.run` makes a line of them and collects what they print."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from pyro_mcp._manager import StreamName, Wanted
from pyro_mcp.errors import PyroError, PyroValueError

if TYPE_CHECKING:
    from pyro_mcp._pyro import Pyro

OnBytes = Callable[[bytes], object]
Word = Union[str, bytes, "os.PathLike[str]"]
# A line for a shell, or the words of a command.
Command = Union[str, bytes, Sequence[Word]]
Input = Union[str, bytes]

DEFAULT_MAX_OUTPUT = 16 * 1024 * 1024
TIMED_OUT = 124
# A command without a limit gets one that it does not live to see.
_NO_LIMIT_SECONDS = 10**8
# First words that a shell does not look for in PATH, or does other things for than the program.
# `kill` stays: not every guest has the program.
_MEANT_BY_SHELLS = frozenset(
    (
        ". : [ alias bg break builtin caller case cd command compgen complete continue declare dirs "
        "disown do done echo elif else enable esac eval exec exit export false fc fg fi for function "
        "getopts hash help history if in jobs let local logout mapfile popd printf pushd pwd read "
        "readarray readonly return select set shift shopt source suspend test then time times trap "
        "true type typeset ulimit umask unalias unset until wait while"
    ).split()
)
# The longest word that Linux passes to a program, and so the longest line for a shell.
_LONGEST_WORD_BYTES = 128 * 1024 - 1


class Ran(NamedTuple):
    """What a command did."""

    exit_code: int
    """Its exit code: 124 if it was ended at its time limit, 128 + N if signal N ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    """Whether it was ended at its time limit."""
    truncated: bool = False
    """Whether it printed more than `max_output` bytes, of which the rest was dropped."""


class Kept:
    """The output of a command: the first bytes of each stream, all of which go to callbacks."""

    def __init__(
        self, max_output: int, on_stdout: OnBytes | None = None, on_stderr: OnBytes | None = None
    ) -> None:
        if max_output < 0:
            raise _invalid("max_output must not be negative")
        self._max_output = max_output
        self._total = {"stdout": 0, "stderr": 0}
        self._parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._callbacks = {"stdout": on_stdout, "stderr": on_stderr}

    def take(self, stream: StreamName, data: bytes) -> None:
        """Gets a piece of output."""
        room = max(0, self._max_output - self._total[stream])
        self._parts[stream].append(data[:room])
        self._total[stream] += len(data)
        callback = self._callbacks[stream]
        if callback is not None:
            callback(data)

    def ran(self, exit_code: int, timed_out: bool) -> Ran:
        """The command's end, with what it has printed."""
        outputs = [b"".join(self._parts[stream]) for stream in ("stdout", "stderr")]
        truncated = max(self._total.values()) > self._max_output
        return Ran(exit_code, outputs[0], outputs[1], timed_out, truncated)

    def complete(self, result: dict[str, Any]) -> None:
        """Adds to a result, as the engine would have, the output that has no callback."""
        for stream, callback in self._callbacks.items():
            if callback is not None:
                continue
            kept = b"".join(self._parts[stream])
            total = self._total[stream]
            text = kept.decode(errors="replace")
            result[stream] = text
            if text.encode() != kept:
                result |= {f"{stream}_lossy": True, f"{stream}_lossy_from_bytes": total}
            if len(kept) < total:
                result[f"{stream}_truncated_from_bytes"] = total


class Deadline:
    """A moment at which a call is not wanted any more."""

    def __init__(self, seconds: float | None, wanted: Wanted | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds
        self._wanted = wanted
        self.passed = False

    def wanted(self) -> bool:
        """Whether the call should continue."""
        if self._wanted is not None and not self._wanted():
            return False
        self.passed = self._at is not None and time.monotonic() >= self._at
        return not self.passed


def run(
    pyro: Pyro,
    workspace_id: str,
    command: Command,
    *,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    user: str | None,
    input: Input | None,
    secret_env: Mapping[str, str] | None,
    timeout: float | None,
    max_output: int,
    on_stdout: OnBytes | None,
    on_stderr: OnBytes | None,
) -> Ran:
    """Runs a command to its end, or to the end of its time."""
    kept = Kept(max_output, on_stdout, on_stderr)
    limit = checked_seconds(timeout)
    # The guest counts whole seconds, from the command's beginning.
    fraction = limit if limit is not None and limit != int(limit) else None
    deadline = Deadline(fraction, pyro._wanted)
    call = pyro._with(kept.take, deadline.wanted)
    request = as_request(workspace_id, command, env, cwd, user, input, secret_env)
    request["timeout_seconds"] = _NO_LIMIT_SECONDS if limit is None else math.ceil(limit)
    try:
        ended = call._call("workspace_exec", request)
    except PyroError as error:
        if not deadline.passed or error.code != "cancelled":
            raise
        return kept.ran(TIMED_OUT, True)
    return kept.ran(ended["exit_code"], ended.get("timed_out", False))


def as_request(
    workspace_id: str,
    command: Command,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    user: str | None,
    input: Input | None,
    secret_env: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The request that runs a command in a workspace."""
    line, given = _line(command, input)
    return {
        "workspace_id": workspace_id,
        "command": line,
        "env": None if env is None else dict(env),
        "cwd": cwd,
        "user": user,
        "secret_env": None if secret_env is None else dict(secret_env),
        "stdin": given,
    }


def checked_seconds(timeout: float | None) -> float | None:
    """A time limit, if it can be one."""
    if timeout is None or (timeout > 0 and math.isfinite(timeout)):
        return timeout
    raise _invalid("timeout must be a positive number of seconds, or None for no limit")


def _line(command: Command, input: Input | None) -> tuple[bytes, bytes | None]:
    """The line for the guest's shell, and the command's input."""
    given = None if input is None else _octets("input", input)
    if isinstance(command, (str, bytes)):
        line = _octets("command", command)
    else:
        octets = [_octets("command", os.fspath(word)) for word in command]
        if not octets:
            raise _invalid("command has no words")
        words = [word.decode("utf-8", "surrogateescape") for word in octets]
        line = _octets("command", shlex.join(words))
        if words[0] in _MEANT_BY_SHELLS or "=" in words[0]:
            line = b"exec " + line
        longest = max(map(len, octets))
        if longest > _LONGEST_WORD_BYTES:
            raise _invalid(
                f"a word of the command is {longest} bytes long; Linux takes at most "
                f"{_LONGEST_WORD_BYTES} in one",
                "pass long data with `input`, or write them with `files.write`",
            )
    if b"\0" in line:
        raise _invalid("command contains a NUL byte")
    if len(line) <= _LONGEST_WORD_BYTES:
        return line, given
    # A shell takes no longer line as a word, so it reads the line before the command's input.
    reader = f'eval "$(dd bs={len(line)} count=1 iflag=fullblock 2>/dev/null)"'
    return reader.encode(), line + (given or b"")


def _octets(name: str, text: str | bytes) -> bytes:
    if not isinstance(text, str):
        return bytes(text)
    try:
        # As in `os.listdir` and `sys.argv`, whatever the locale.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _invalid(f"{name} is neither text nor bytes: {error}") from None


def _invalid(message: str, remedy: str | None = None) -> PyroValueError:
    return PyroValueError(message, "invalid_input", remedy=remedy, retry_safe=True)

"""The manager: the settings of an engine, and its calls."""

from __future__ import annotations

import codecs
import functools
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pyro_mcp import _native
from pyro_mcp._operations import METHODS
from pyro_mcp._program import program
from pyro_mcp.errors import PyroError, PyroValueError, PyroWarning

StreamName = Literal["stdout", "stderr"]
OnOutput = Callable[[StreamName, bytes], object]
Wanted = Callable[[], bool]

_BACKENDS = ("qemu",)
# Where the engine's characters for single bytes begin.
_OCTETS = 0x10FF00
_OCTET = re.compile("[\U0010ff80-\U0010ffff]")
# For each byte the character that represents it.
_CHARACTERS = "".join(chr(byte if byte < 0x80 else _OCTETS + byte) for byte in range(256))
# The operations that install a missing environment first.
_INSTALLING = frozenset(("vm_run", "vm_create", "workspace_create"))
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# The keys of responses that name files or are command lines. All else is text.
_NAMES = frozenset(
    (
        "cache_dir command cwd destination install_dir install_manifest kernel_image rootfs_image "
        "seed_path source_path stderr_file stdout_file workspace_host_dir"
    ).split()
)


class VmManager:
    """The directories of machines and the limit on their number. It holds no process, thread or
    open file: threads may share one, and a forked process may keep using it.

    Args:
        backend_name: What runs the machines; `qemu`, or None for the default, which is the same.
        base_dir: Directory for machines; None for that of the program `pyro`.
        cache_dir: Directory for environments; None for that of the program `pyro`.
        max_active_vms: How many machines of this user may be active when a call needs one more,
            those of other processes included; a call that reaches the limit waits. None for
            the program's own limit, the variable PYRO_MAX_ACTIVE_VMS or 4 for each processor.
    """

    def __init__(
        self,
        *,
        backend_name: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        max_active_vms: int | None = 4,
    ) -> None:
        if backend_name is not None and backend_name not in _BACKENDS:
            expected = ", ".join(_BACKENDS)
            raise PyroValueError(
                f"invalid backend; expected one of: {expected}", "invalid_input", retry_safe=True
            )
        if max_active_vms is not None and max_active_vms < 1:
            raise PyroValueError(
                "max_active_vms must be positive", "invalid_input", retry_safe=True
            )
        self.backend_name = backend_name or _BACKENDS[0]
        self._engine = _native.Engine(
            os.environ,
            METHODS,
            # The working directory may change.
            base_dir=_absolute(base_dir),
            cache_dir=_absolute(cache_dir),
            active_limit=max_active_vms,
            program=program(),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickling preserves the settings.
        make = functools.partial(
            VmManager,
            backend_name=self.backend_name,
            base_dir=self.base_dir,
            cache_dir=self.cache_dir,
            max_active_vms=self.max_active_vms,
        )
        return make, ()

    def __repr__(self) -> str:
        limit = self.max_active_vms
        return f"VmManager({self.backend_name}, {str(self.base_dir)!r}, max_active_vms={limit})"

    @property
    def base_dir(self) -> Path:
        """Directory for machines."""
        return Path(self._engine.base_dir)

    @property
    def cache_dir(self) -> Path:
        """Directory for environments."""
        return Path(self._engine.cache_dir)

    @property
    def max_active_vms(self) -> int:
        """How many machines may be active at a time."""
        return self._engine.active_limit

    def call(
        self,
        operation: str,
        request: dict[str, object],
        *,
        on_output: OnOutput | None = None,
        wanted: Wanted | None = None,
    ) -> Any:
        """Runs the operation of this name and returns its response. `on_output`, if given, gets the
        output of a command as it is printed, and the response does not have it. `wanted` is called
        periodically; once it returns False, the call is cancelled."""
        if operation in _INSTALLING and request.get("pull") == "missing":
            self._warn_of_installing(request.get("environment"))
        try:
            response = self._engine.call(
                operation,
                as_json(request),
                on_output=on_output,
                on_news=_tell,
                wanted=wanted,
            )
        except PyroError as error:
            if error.code == "too_many_active":
                raise self._too_many_active(error) from None
            raise
        return json.loads(response, object_hook=_named if _OCTET.search(response) else None)

    def _warn_of_installing(self, environment: object) -> None:
        """Warns if a call will take minutes, because it first builds or pulls an environment."""
        try:
            request = as_json({"environment": environment})
            installed = json.loads(self._engine.call("env_inspect", request))["installed"]
        except PyroError:
            # The call itself says what is wrong with it.
            return
        if not installed:
            _tell(
                "warning",
                f"environment {environment} is not installed: it is built or pulled first, which "
                "can take minutes and is not part of a time limit; `pull_environment` does it "
                "ahead of time, and pull='never' refuses",
            )

    def _too_many_active(self, error: PyroError) -> PyroError:
        """The error with the remedy for this manager: the variable is for those without a limit
        of their own."""
        remedy = (
            "delete one that is not needed, or allow more: `Pyro(max_active_vms=None)` has the "
            "program's limit, PYRO_MAX_ACTIVE_VMS or 4 for each processor; machines of all "
            "processes of this user count"
        )
        return type(error)(str(error), error.code, error.cause, remedy, error.retry_safe)

    def discard(self, operation: str, response: dict[str, Any]) -> None:
        """Deletes the workspace or VM that a call has created, for a caller that does not get the
        response and so does not know its id. Does nothing after other operations."""
        ids = {key: value for key, value in response.items() if key.endswith("_id")}
        self._engine.discard(operation, json.dumps(ids))


def as_json(request: dict[str, Any]) -> str:
    """Returns a request as JSON for the engine and for servers."""
    try:
        texts = {name: _text(name, value) for name, value in request.items()}
        return json.dumps(texts, allow_nan=False, ensure_ascii=False)
    except PyroValueError:
        raise
    except (TypeError, ValueError) as error:
        message = f"an argument cannot be sent to the engine: {error}"
        raise PyroValueError(message, "invalid_input", retry_safe=True) from error


def _text(name: str, value: object) -> object:
    """Names, command lines and input are bytes on Linux. Bytes that are not UTF-8 become the
    characters that represent them in the engine."""
    if isinstance(value, (list, tuple)):
        return [_text(name, one) for one in value]
    if isinstance(value, dict):
        return {_text(name, key): _text(name, one) for key, one in value.items()}
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        try:
            # As in `os.listdir` and `sys.argv`.
            octets = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            message = f"{name} is neither text nor the name of a file: {error}"
            raise PyroValueError(message, "invalid_input", retry_safe=True) from None
    elif isinstance(value, (bytes, bytearray, memoryview)):
        octets = bytes(value)
    else:
        return value
    try:
        text = octets.decode()
        # Such a character would be mistaken for a byte.
        if not _OCTET.search(text):
            return text
    except UnicodeDecodeError:
        pass
    return codecs.charmap_decode(octets, "strict", _CHARACTERS)[0]


def _named(response: dict[str, Any]) -> dict[str, Any]:
    """Converts names in a response to Python's form: `os.fsencode` returns the bytes."""
    for key in _NAMES & response.keys():
        value = response[key]
        if isinstance(value, str):
            response[key] = "".join(map(_surrogate, value))
    return response


def _surrogate(character: str) -> str:
    byte = ord(character) - _OCTETS
    return chr(0xDC00 + byte) if 0x80 <= byte <= 0xFF else character


def _absolute(path: str | bytes | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fsdecode(os.path.abspath(path))


def _tell(level: Literal["info", "warning"], text: str) -> None:
    if level == "warning":
        warnings.warn(text, PyroWarning, stacklevel=_level_of_caller())
    else:
        logging.getLogger("pyro_mcp").info(text)


def _level_of_caller() -> int:
    """How many frames above `_tell` the code is that called this package."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    return level

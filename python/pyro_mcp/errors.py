"""The exceptions. Each is a `PyroError` and also a `ValueError` or a `RuntimeError`."""

from __future__ import annotations

import errno
import os
from typing import Any


class PyroError(Exception):
    """An operation failed.

    Attributes:
        code: A stable error code, for programs.
        cause: The reason, if known: the chain of causes and the last output of what failed.
        remedy: What to do next.
        retry_safe: Whether the call can be repeated without risk. If not,
            the outcome is unknown.
    """

    def __init__(
        self,
        message: str,
        code: str = "failed",
        cause: str | None = None,
        remedy: str | None = None,
        retry_safe: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause
        self.remedy = remedy
        self.retry_safe = retry_safe
        # Shown below the message where an exception is not caught, from Python 3.11 on.
        notes = (("caused by", cause), ("hint", remedy))
        self.__notes__ = [f"{what}: {text}" for what, text in notes if text]

    def __reduce__(self) -> tuple[Any, ...]:
        # For passing it from one process to another.
        arguments = (str(self), self.code, self.cause, self.remedy, self.retry_safe)
        return type(self), arguments


class PyroValueError(PyroError, ValueError):
    """The request is invalid, or names something that does not exist."""


class PyroRuntimeError(PyroError, RuntimeError):
    """The request is valid, but carrying it out failed."""


class PyroFileError(PyroRuntimeError, OSError):
    """A file of a guest cannot be read, written, listed or moved. Where Python has an exception for
    the reason, such as `FileNotFoundError`, it is one of those, too.

    Attributes:
        errno: The number of the reason, as in the module `errno`; None if it is not known.
        filename: The path in the guest.
        strerror: The reason in words.
    """

    def __init__(self, number: int | None, path: str, said: str = "") -> None:
        reason = said if number is None else os.strerror(number)
        code = "file_failed" if number is None else _CODES.get(number, "file_failed")
        PyroRuntimeError.__init__(self, f"{path}: {reason}", code, retry_safe=True)
        self.errno = number
        self.filename = path
        self.strerror = reason

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return file_error, (self.errno, self.filename, self.strerror)


class PyroFileNotFoundError(PyroFileError, FileNotFoundError):
    """There is no such file in the guest."""


class PyroFileExistsError(PyroFileError, FileExistsError):
    """There is such a file in the guest already."""


class PyroIsADirectoryError(PyroFileError, IsADirectoryError):
    """It is a directory of the guest, and not a file."""


class PyroNotADirectoryError(PyroFileError, NotADirectoryError):
    """It, or a part of its path, is not a directory of the guest."""


class PyroPermissionError(PyroFileError, PermissionError):
    """The user of the guest may not do this."""


_CODES = {
    errno.ENOENT: "no_such_file",
    errno.EEXIST: "file_exists",
    errno.EISDIR: "is_directory",
    errno.ENOTDIR: "not_directory",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
}
_KINDS: dict[int, type[PyroFileError]] = {
    errno.ENOENT: PyroFileNotFoundError,
    errno.EEXIST: PyroFileExistsError,
    errno.EISDIR: PyroIsADirectoryError,
    errno.ENOTDIR: PyroNotADirectoryError,
    errno.EACCES: PyroPermissionError,
    errno.EPERM: PyroPermissionError,
}


def file_error(number: int | None, path: str, said: str = "") -> PyroFileError:
    """Returns the error for this reason: a number of the module `errno`, or words if there is
    none."""
    kind = PyroFileError if number is None else _KINDS.get(number, PyroFileError)
    return kind(number, path, said)


class ToolError(PyroRuntimeError):
    """A tool of a server failed."""


class PyroWarning(UserWarning):
    """Something that must not be overlooked, such as a command that runs without isolation."""

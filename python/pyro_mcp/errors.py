"""The exceptions. Each is a `PyroError` and, as code that knows nothing of pyro expects, a
`ValueError` or a `RuntimeError` as well."""

from __future__ import annotations

from typing import Any


class PyroError(Exception):
    """What an operation did not do, and why.

    Attributes:
        code: A stable name of the failure, for programs.
        cause: Why, as far as known: the chain of causes, the last words of what failed.
        remedy: What to do next.
        retry_safe: Whether the same call may be made again without doing anything twice. If not,
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
        # As it has to go from one process to another.
        arguments = (str(self), self.code, self.cause, self.remedy, self.retry_safe)
        return type(self), arguments


class PyroValueError(PyroError, ValueError):
    """The request cannot be meant, or names what does not exist."""


class PyroRuntimeError(PyroError, RuntimeError):
    """The request is sound, but was not carried out."""


class ToolError(PyroRuntimeError):
    """A tool of a server failed."""


class PyroWarning(UserWarning):
    """Something that must not be overlooked, such as a command that runs without isolation."""

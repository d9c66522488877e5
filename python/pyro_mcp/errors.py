"""The exceptions. Each is a `PyroError` and also a `ValueError` or a `RuntimeError`."""

from __future__ import annotations

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


class ToolError(PyroRuntimeError):
    """A tool of a server failed."""


class PyroWarning(UserWarning):
    """Something that must not be overlooked, such as a command that runs without isolation."""

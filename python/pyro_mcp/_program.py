"""The program `pyro` that was installed with this package. It supervises what outlives a call."""

from __future__ import annotations

import functools
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from pyro_mcp.errors import PyroRuntimeError

_DISTRIBUTION = "pyro-mcp"
_NAME = "pyro"


@functools.cache
def program() -> Path:
    """Returns its path."""
    looked = []
    for path in _candidates():
        if os.access(path, os.X_OK):
            return path
        looked.append(str(path))
    raise PyroRuntimeError(
        f"the program {_NAME} that belongs to the package {_DISTRIBUTION} is not installed",
        code="program_missing",
        cause=f"looked at {', '.join(looked)}",
        remedy=f"install the package again: pip install --force-reinstall {_DISTRIBUTION}",
        retry_safe=True,
    )


def _candidates() -> Iterator[Path]:
    # Only here, because it takes long to import.
    import importlib.metadata

    # The installer has recorded where it put it.
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == _NAME and file.parent.name in ("bin", "Scripts"):
            yield Path(os.path.normpath(file.locate()))
    yield Path(sysconfig.get_path("scripts"), _NAME)

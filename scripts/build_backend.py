"""How pip builds the package from its source: the program with cargo, and then, with maturin, the
extension and a wheel of both."""

import os
import subprocess
from pathlib import Path

import maturin
from maturin import (  # noqa: F401 - the rest of the interface
    build_sdist,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

_ROOT = Path(__file__).resolve().parent.parent


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    # Nothing is in it yet, but maturin wants it to be there.
    (_ROOT / "target" / "wheel-data").mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_wheel(directory, config_settings)


def build_wheel(directory, config_settings=None, metadata_directory=None):
    subprocess.run(
        # A packed source has lost which files may be run.
        ["sh", _ROOT / "scripts" / "wheel-data", "--release"],
        check=True,
        # What pip reads is on standard output.
        stdout=2,
        env={"CARGO": "cargo", **os.environ},
    )
    return maturin.build_wheel(directory, config_settings, metadata_directory)

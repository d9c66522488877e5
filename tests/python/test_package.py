"""The wheel: what is in it, and what others say of it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pyro_mcp
from conftest import script
from pyro_mcp._program import program

WHEEL = os.environ.get("PYRO_TEST_WHEEL", "")
HERE = Path(__file__).parent

LARGEST_BYTES = 25 * 1000 * 1000


def run(*command: str) -> str:
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_the_program_is_the_one_that_came_with_the_package() -> None:
    assert program() == Path(script("pyro"))
    assert program().read_bytes().startswith(b"\x7fELF")
    assert run(str(program()), "--version") == f"pyro {pyro_mcp.__version__}\n"


def test_the_wheel_is_one_for_every_python_and_not_large() -> None:
    assert "-cp310-abi3-" in WHEEL
    assert Path(WHEEL).stat().st_size < LARGEST_BYTES
    names = zipfile.ZipFile(WHEEL).namelist()
    assert any(name.endswith(".data/scripts/pyro") for name in names)
    assert "pyro_mcp/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "scripts"))]


def test_twine_finds_nothing() -> None:
    run(script("twine"), "check", "--strict", WHEEL)


def test_abi3audit_finds_nothing() -> None:
    said = run(script("abi3audit"), "--strict", "--verbose", WHEEL)
    assert "0 ABI version mismatches and 0 ABI violations" in said


# The adapters are of classes whose frameworks need not be here; test_integrations.py checks them.
WITHOUT_FRAMEWORKS = [
    "--ignore-missing-imports",
    "--allow-subclassing-any",
    "--allow-untyped-decorators",
    "--no-warn-return-any",
]


@pytest.mark.parametrize("checked", ["package", "sample"])
def test_mypy_finds_nothing(checked: str, tmp_path: Path) -> None:
    package = [*WITHOUT_FRAMEWORKS, "-p", "pyro_mcp"]
    what = package if checked == "package" else [str(HERE / "sample.py")]
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), *what)


def test_ty_finds_nothing() -> None:
    run(script("ty"), "check", "--python", sys.prefix, str(HERE / "sample.py"))


@pytest.mark.parametrize(
    "wrong",
    [
        "Pyro().run_in_vm(environment='debian:12', command=3)",
        "Pyro().run_in_vm('debian:12', command='true')",
        "Pyro().workspace(environment=3)",
        "Pyro().run_in_vm(environment='debian:12', command='true')['nothing']",
        "Pyro().attach_workspace('x').exec('true')['exit_code'].upper()",
    ],
)
def test_mypy_and_ty_find_what_is_wrong(wrong: str, tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(f"from pyro_mcp import Pyro\n\n{wrong}\n")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    ty = [script("ty"), "check", "--python", sys.prefix]
    for checker in (mypy, ty):
        ran = subprocess.run([*checker, str(program)], capture_output=True, text=True)
        assert ran.returncode == 1, ran.stdout + ran.stderr

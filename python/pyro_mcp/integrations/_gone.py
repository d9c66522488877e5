"""The errors of a workspace that is not there, or has just ended."""

from __future__ import annotations

GONE = (
    "command_interrupted",
    "machine_stopped",
    "not_found",
    "not_started",
    "stopped_meanwhile",
    "supervisor_died",
    "supervisor_gone",
    "vm_expired",
    "wrong_state",
)

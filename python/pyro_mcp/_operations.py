# Written by `cargo run -p pyro-dev -- generate` from the table of operations; edit that instead.
"""The operations as methods."""

from __future__ import annotations

import os
from typing import Any

from pyro_mcp import results

METHODS = {
    "vm_run": "run_in_vm",
    "vm_list_environments": "list_environments",
    "vm_create": "create_vm",
    "vm_start": "start_vm",
    "vm_exec": "exec_vm",
    "vm_stop": "stop_vm",
    "vm_delete": "delete_vm",
    "vm_status": "status_vm",
    "vm_network_info": "network_info_vm",
    "vm_reap_expired": "reap_expired",
    "workspace_create": "create_workspace",
    "workspace_list": "list_workspaces",
    "workspace_update": "update_workspace",
    "workspace_exec": "exec_workspace",
    "workspace_wait": "wait_command",
    "workspace_kill": "kill_command",
    "workspace_sync_push": "push_workspace_sync",
    "workspace_sync_pull": "pull_workspace_sync",
    "workspace_status": "status_workspace",
    "workspace_stop": "stop_workspace",
    "workspace_start": "start_workspace",
    "workspace_logs": "read_workspace_logs",
    "workspace_export": "export_workspace",
    "workspace_diff": "diff_workspace",
    "workspace_file_list": "list_workspace_files",
    "workspace_file_read": "read_workspace_file",
    "workspace_file_write": "write_workspace_file",
    "workspace_patch_apply": "apply_workspace_patch",
    "workspace_disk_export": "export_workspace_disk",
    "workspace_disk_list": "list_workspace_disk",
    "workspace_disk_read": "read_workspace_disk",
    "snapshot_create": "create_snapshot",
    "snapshot_list": "list_snapshots",
    "snapshot_delete": "delete_snapshot",
    "workspace_reset": "reset_workspace",
    "workspace_port_add": "add_workspace_port",
    "workspace_port_list": "list_workspace_ports",
    "workspace_port_remove": "remove_workspace_port",
    "shell_open": "open_shell",
    "shell_list": "list_shells",
    "shell_read": "read_shell",
    "shell_write": "write_shell",
    "shell_signal": "signal_shell",
    "shell_resize": "resize_shell",
    "shell_close": "close_shell",
    "shell_attach": "attach_shell",
    "service_start": "start_service",
    "service_list": "list_services",
    "service_status": "status_service",
    "service_logs": "logs_service",
    "service_stop": "stop_service",
    "workspace_delete": "delete_workspace",
    "env_pull": "pull_environment",
    "env_inspect": "inspect_environment",
    "env_prune": "prune_environments",
    "vm_list": "list_vms",
    "doctor": "doctor",
    "demo": "demo",
    "demo_ollama": "demo_ollama",
}


class Operations:
    """Every operation as a method."""

    def _call(self, operation: str, request: dict[str, object]) -> Any:
        raise NotImplementedError

    def run_in_vm(self, *, environment: str, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, vcpu_count: int = 1, mem_mib: int = 1024, timeout_seconds: int = 30, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, stdin: str | None = None) -> results.RunResult:
        """Run one command in a fresh microVM, then throw the microVM away

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it.

        With `allow_host_compat`, on a host that cannot run guests, the command runs on the host itself,
        WITHOUT ISOLATION, and may destroy what is there.

        Args:
            environment: Environment to boot, for example `debian:12`
            command: Shell command to run, for example `git --version`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with a
terminal, which have no limit then
            ttl_seconds: Seconds after which the microVM is ended, whatever happens in it; 60 to 3600; with a terminal,
the default of 600 is 3600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Run the command on the host, WITHOUT ISOLATION, if this host cannot run guests
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = self._call("vm_run", {"environment": environment, "command": command, "env": env, "cwd": cwd, "user": user, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "timeout_seconds": timeout_seconds, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "stdin": stdin})
        return response

    def list_environments(self) -> list[results.Environment]:
        """List the environments that can be booted and whether each is installed

        Returns:
            The environments, by name.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: list[results.Environment] = (self._call("vm_list_environments", {}))["environments"]
        return response

    def create_vm(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False) -> results.Vm:
        """Make a VM that outlives this call; it is not started yet

        It lives until it is deleted or its time is over, whatever comes first; its id is all that is
        needed to use it, from any process of the same user.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Seconds after which the VM is deleted, whatever happens in it; 60 to 3600
            network: Give the guest access to the network
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat})
        return response

    def start_vm(self, vm_id: str) -> results.Vm:
        """Start a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_start", {"vm_id": vm_id})
        return response

    def exec_vm(self, vm_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, timeout_seconds: int = 30, stdin: str | None = None) -> results.RunResult:
        """Run one command in a started VM, then delete the VM

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it. For many commands in one place use a workspace.

        Args:
            vm_id: Id of the VM, as `create_vm` returned it
            command: Shell command to run, for example `git --version`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with a
terminal, which have no limit then
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = self._call("vm_exec", {"vm_id": vm_id, "command": command, "env": env, "cwd": cwd, "user": user, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    def stop_vm(self, vm_id: str) -> results.Vm:
        """Stop a VM in order; its files are kept and it can be started again

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_stop", {"vm_id": vm_id})
        return response

    def delete_vm(self, vm_id: str) -> results.Deleted:
        """Delete a VM with everything in it, whatever it is doing

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that is gone.
                deleted: Whether it is gone.
                reason: Why.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Deleted = self._call("vm_delete", {"vm_id": vm_id})
        return response

    def status_vm(self, vm_id: str) -> results.Vm:
        """Show what a VM is doing

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_status", {"vm_id": vm_id})
        return response

    def network_info_vm(self, vm_id: str) -> results.VmNetwork:
        """Show the network of a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            The network of a VM. Without one there are no addresses, but a reason.
                dns_servers: Its name servers.
                gateway_ip: Its way out.
                guest_ip: Its own address.
                mac_address: The hardware address of its network card.
                network_enabled: Whether it has access to the network.
                outbound_connectivity_expected: Whether connections to the outside should work.
                reason: Why there is no network.
                subnet_cidr: Its network.
                tap_name: Always null: no device of the host is needed.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.VmNetwork = self._call("vm_network_info", {"vm_id": vm_id})
        return response

    def reap_expired(self) -> results.Reaped:
        """Delete the records of the VMs whose time to live is over

        They have ended by themselves, and their disks are gone; this removes their records.

        Returns:
            The VMs that were deleted.
                count: How many there were.
                deleted_vm_ids: Their ids.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Reaped = self._call("vm_reap_expired", {})
        return response

    def create_workspace(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, network_policy: str | None = None, published_ports: list[str | int] | None = None, allow_host_compat: bool = False, seed_path: str | os.PathLike[str] | None = None, from_snapshot: str | None = None, name: str | None = None, labels: dict[str, str] | None = None, secrets: list[dict[str, object]] | None = None, exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Workspace:
        """Make a workspace and start it: a microVM to run many commands in

        Its files are in /workspace, which begins empty or with what seed_path names. It lives until
        it is deleted or its time is over; while nothing runs in it, it is paused and costs nothing. Its
        id is all that is needed to use it, from any process of the same user.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Seconds after which the workspace ends, whatever happens in it; at least 60, or 0 for never
            network: Let the guest reach the Internet, but neither this host nor private networks
            network_policy: The network by name: `off`; `egress`, which is what network means; or
`egress+published-ports`. Ports can be published with each
            published_ports: Publish a TCP port of the guest on this host, on its loopback unless an address is named; the
host's port (1025 to 65535) is any that is free unless it is named
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            seed_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), that the workspace begins with
            from_snapshot: Begin with a snapshot of another workspace of this environment, `ID:NAME`; with `ID:baseline`,
with its seed
            name: Name, of up to 120 characters, for those who list workspaces; several may have the same
            labels: Labels, each a key with a value: `issue=123`
            secrets: Secrets of the workspace: files of root's in /run/pyro-secrets, in the guest's memory only
            exclude: Leave out what matches a pattern, in the syntax of .gitignore: `*.o`, `target/`, `/build`;
the last that matches decides
            exclude_from: Leave out what matches a pattern in a file with one pattern on each line
            git_ignored: Whether to copy what git ignores, by the .gitignore files of a directory: `include` or
`exclude`
            unreadable: What to do about files that cannot be read: `fail`, or `skip` them

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "network_policy": network_policy, "published_ports": published_ports, "allow_host_compat": allow_host_compat, "seed_path": seed_path, "from_snapshot": from_snapshot, "name": name, "labels": labels, "secrets": secrets, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable})
        return response

    def list_workspaces(self) -> results.Workspaces:
        """List the workspaces, the last used first

        Returns:
            All workspaces.
                count: How many there are.
                workspaces: The workspaces, the last used first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspaces = self._call("workspace_list", {})
        return response

    def update_workspace(self, workspace_id: str, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace

        Name and labels are changed together or not at all; a request that would change nothing is
        refused. Labels that it does not name stay. Commands in the workspace run on.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            name: New name, of up to 120 characters
            clear_name: Remove the name
            labels: Labels to add or to change, each a key with a value
            clear_labels: Keys of labels to remove; keys that the workspace does not have are ignored

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_update", {"workspace_id": workspace_id, "name": name, "clear_name": clear_name, "labels": labels, "clear_labels": clear_labels})
        return response

    def exec_workspace(self, workspace_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace, in /workspace

        Its output is kept in the workspace's log; its exit code is returned: 124 if it was ended at its
        time limit, 128 + N if signal N ended it. Many commands may run at once. One whose caller dies
        goes on; the workspace's log shows it.

        With `detach`, the number of the command is returned at once, and it goes on:
        `read_workspace_logs` shows its output, `wait_command` waits for its end, `kill_command` ends it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            command: Shell command to run, for example `make test`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path, or one below /workspace, which is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            detach: Return the command's number at once, and let it go on
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with `detach`
or a terminal, which have no limit then
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command goes on.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it runs on.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                workspace_id: The workspace it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ExecResult = self._call("workspace_exec", {"workspace_id": workspace_id, "command": command, "env": env, "cwd": cwd, "user": user, "secret_env": secret_env, "detach": detach, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    def wait_command(self, workspace_id: str, sequence: int, *, timeout_seconds: int | None = None) -> results.ExecResult:
        """Wait for the end of a command in a workspace, and return its exit code

        Its output is not shown: `read_workspace_logs` does that. If the wait takes longer than its limit, the
        command goes on, and there is no exit code.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it
            timeout_seconds: Seconds to wait at most; without a limit if not given

        Returns:
            What came of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command goes on.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it runs on.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                workspace_id: The workspace it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ExecResult = self._call("workspace_wait", {"workspace_id": workspace_id, "sequence": sequence, "timeout_seconds": timeout_seconds})
        return response

    def kill_command(self, workspace_id: str, sequence: int, *, signal: str = "KILL") -> results.Killed:
        """Send a signal to a command in a workspace

        KILL ends the command with all that it has started; any other signal goes to the command's process
        group. One that has ended already is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it, or `read_workspace_logs` shows it
            signal: Signal, by its name or number

        Returns:
            What became of a signal.
                sent: Whether the command ran, so that the signal was sent.
                sequence: The number of the command.
                signal: The name of the signal.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Killed = self._call("workspace_kill", {"workspace_id": workspace_id, "sequence": sequence, "signal": signal})
        return response

    def push_workspace_sync(self, workspace_id: str, source_path: str | os.PathLike[str], *, dest: str = "/workspace", exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Pushed:
        """Copy files into a started workspace

        All of them appear, or none: they are unpacked beside and moved into their places. Files that
        are there and not in the source stay.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            source_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy
            dest: Directory in the workspace to copy into, absolute or relative to /workspace
            exclude: Leave out what matches a pattern, in the syntax of .gitignore: `*.o`, `target/`, `/build`;
the last that matches decides
            exclude_from: Leave out what matches a pattern in a file with one pattern on each line
            git_ignored: Whether to copy what git ignores, by the .gitignore files of a directory: `include` or
`exclude`
            unreadable: What to do about files that cannot be read: `fail`, or `skip` them

        Returns:
            What was done.
                execution_mode: Where it runs.
                workspace_id: The workspace.
                workspace_sync: What was copied.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pushed = self._call("workspace_sync_push", {"workspace_id": workspace_id, "source_path": source_path, "dest": dest, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable})
        return response

    def pull_workspace_sync(self, workspace_id: str, *, target_path: str | os.PathLike[str] | None = None, paths: list[str] = [], on_conflict: str = "fail", check: bool = False, undo: bool = False) -> results.PulledChanges:
        """Bring what was changed in a started workspace into a directory of this host

        Each path is compared three ways: how the workspace began, what it is there now, and what it is
        here. What only the workspace has changed is taken over, what only the host has changed stays,
        and texts that both have changed are merged line by line. If they cannot be merged, nothing at all
        is changed and the conflicts are named. All of it is done or nothing, also if this is killed: then
        the next pull into the directory undoes it. What git runs or obeys (`.git/hooks`, `.git/config`
        and the like) is left alone unless it is named.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            target_path: Directory of this host; without it, the one that the workspace was seeded from
            paths: Take over only what is at or below this path, absolute or relative to /workspace
            on_conflict: What to do where workspace and host have changed the same lines or file: `fail`, take the
version of the `workspace` or of the `host`, or write both into the file between `markers`
            check: Only show what would be changed
            undo: Undo the last pull of this workspace into the directory, if no file that it wrote was
changed since

        Returns:
            What was taken over.
                changed: Whether anything in the directory was changed, or would be.
                changed_count: Present if files grew or shrank in the workspace while they were read: how many.
                check: Whether nothing was done, but only shown.
                entries: What was done about which path. What is the same already is not listed.
                has_conflicts: Present if it cannot be done as it is: there are conflicts.
                summary: How many paths there are of each kind.
                target_path: The directory of this host.
                truncated: Present if there are more: only 5,000 paths are listed, conflicts first.
                undo: Whether this took a pull back.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PulledChanges = self._call("workspace_sync_pull", {"workspace_id": workspace_id, "target_path": target_path, "paths": paths, "on_conflict": on_conflict, "check": check, "undo": undo})
        return response

    def status_workspace(self, workspace_id: str) -> results.Workspace:
        """Show what a workspace is doing

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_status", {"workspace_id": workspace_id})
        return response

    def stop_workspace(self, workspace_id: str) -> results.Workspace:
        """Stop a workspace in order; its files and logs are kept

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_stop", {"workspace_id": workspace_id})
        return response

    def start_workspace(self, workspace_id: str, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            secrets: Secrets of the workspace: they are not kept on the host's disk, so a stop has lost those that it
had

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_start", {"workspace_id": workspace_id, "secrets": secrets})
        return response

    def logs_workspace(self, workspace_id: str) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output

        Logs are kept until the workspace is deleted, also when it has stopped or its time is over. Of
        what its commands have printed 4 GiB are kept; beyond that, the outputs of the oldest go first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            What was run in a workspace.
                count: How many commands there are in this answer.
                entries: The commands, the first first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = self._call("workspace_logs", {"workspace_id": workspace_id})
        return response

    def read_workspace_logs(self, workspace_id: str, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output

        Logs are kept until the workspace is deleted, also when it has stopped or its time is over. Of
        what its commands have printed 4 GiB are kept; beyond that, the outputs of the oldest go first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Show only the command with this number
            tail: Show only the last N commands
            follow: Show the output of one command as it comes, from its beginning until the command ends: of
the command with the number sequence, or of the newest
            offset: Skip so many bytes of each output
            limit: Show at most this many bytes of each output, and 32 MiB of all outputs: the newest first

        Returns:
            What was run in a workspace.
                count: How many commands there are in this answer.
                entries: The commands, the first first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = self._call("workspace_logs", {"workspace_id": workspace_id, "sequence": sequence, "tail": tail, "follow": follow, "offset": offset, "limit": limit})
        return response

    def export_workspace(self, workspace_id: str, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace

        It appears at the output path when all of it has arrived, or not at all. Permissions,
        modification times and links are kept; everything belongs to you, and setuid, setgid and sticky
        bits are dropped. Devices, pipes and sockets are left out. If the output path ends in .tar,
        .tar.gz, .tgz or .tar.zst, it becomes an archive, in which everything is below the last part of
        what was named; only a file that has such a name itself is copied as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: What to copy, absolute or relative to /workspace; a symbolic link is copied as a link
            output_path: Path of the copy on this host; its directory must exist
            force: Replace what is at the output path, even a directory with all that is in it

        Returns:
            What was copied.
                artifact_type: `file`, `directory` or `symlink`.
                bytes_written: How many bytes its files have.
                changed_count: Present if files grew or shrank while they were read: how many. They have the size that they
            had first.
                entry_count: How many files, directories and links it has, with itself.
                execution_mode: Where the workspace runs.
                left_out_count: Present if there were devices, pipes or sockets: how many, and they were not copied.
                output_path: Where it is on this host.
                workspace_id: The workspace.
                workspace_path: What was copied, as an absolute path in the guest.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Exported = self._call("workspace_export", {"workspace_id": workspace_id, "path": path, "output_path": output_path, "force": force})
        return response

    def diff_workspace(self, workspace_id: str, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot

        It is compared with its seed, or with an empty directory; or with a snapshot. The patch is
        complete, binary files and symbolic links included: `git apply` makes a copy of what it is
        compared with the same as the workspace. What git cannot have in a patch is only listed:
        directories, devices, permissions other than `x`. What is in a directory `.git` is left out. The
        workspace may be stopped: then, and for a snapshot, a throw-away microVM without a network
        compares copies of the disks, and nothing of the workspace runs there.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            paths: What to compare, absolute or relative to /workspace; nothing means all of it
            name_only: Only list which paths differ; no contents are read, and there is no patch
            against: Snapshot to compare with; `baseline` is what the workspace began with

        Returns:
            What was changed in a workspace.
                against: The snapshot that it was compared with; `baseline` is what it began with.
                changed: Whether anything was.
                changed_count: Present if files grew or shrank while they were read: how many. The patch may not have what
            they hold now.
                entries: What differs, sorted by path.
                git_entries_left_out: Present if there are differences in directories `.git`: how many, and they were left out.
                patch: All differences that git knows, as a patch that `git apply` takes.
                patch_base64: Present if bytes in `patch` that are not UTF-8 were replaced: the exact patch, in Base64.
                summary: How many entries there are of each kind.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDiff = self._call("workspace_diff", {"workspace_id": workspace_id, "paths": paths, "name_only": name_only, "against": against})
        return response

    def list_workspace_files(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace

        Symbolic links are named and not followed, unless the path itself is one. A paused workspace is
        woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List what is in its directories, too

        Returns:
            What is in a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether what is in its directories is listed, too.
                truncated: Present if there are more entries: only the first 10,000 are listed.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileListing = self._call("workspace_file_list", {"workspace_id": workspace_id, "path": path, "recursive": recursive})
        return response

    def read_workspace_file(self, workspace_id: str, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file of a started workspace

        Only the part that is asked for is read, however large the file is. A symbolic link is followed
        if it stays in /workspace. A paused workspace is woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte of the file to begin with
            max_bytes: The most bytes to read, 1 to 1048576
            base64: Return the exact bytes in Base64, too

        Returns:
            What a file holds.
                content: What was read, as text.
                content_base64: Present if it was asked for: what was read, in Base64.
                content_lossy: Present if bytes in `content` that are not UTF-8 were replaced.
                max_bytes: The most bytes that were to be read.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if there is more: the byte with which the next part begins.
                offset: The byte of the file with which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes the whole file holds.
                truncated: Whether the file holds more after what was read.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = self._call("workspace_file_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    def write_workspace_file(self, workspace_id: str, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace

        The file holds either what it held before or all of the new content, whatever happens. One that
        exists keeps its mode and owner; directories that are missing are made. When this returns, the
        content is on the workspace's disk. A paused workspace is woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            text: New content of the file, as text
            text_file: File of this host with the new content; `-` is standard input
            base64: New content of the file, in Base64
            mode: Permissions of the file, in octal digits; a new file gets 0644 by default
            if_match: Write only if the present content of the file has this SHA-256, in hexadecimal; with
`missing`, only if the file does not exist

        Returns:
            A file that was written.
                bytes_written: How many bytes were written: all that it holds.
                created: Whether it did not exist before.
                execution_mode: Where it was written.
                mode: Its permissions, in octal digits, for example `0644`.
                path: The file's absolute path.
                sha256: SHA-256 of what it holds, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes it holds.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WrittenFile = self._call("workspace_file_write", {"workspace_id": workspace_id, "path": path, "text": text, "text_file": text_file, "base64": base64, "mode": mode, "if_match": if_match})
        return response

    def apply_workspace_patch(self, workspace_id: str, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace

        It takes what `git diff` prints: new, deleted, renamed and copied files, permissions, symbolic
        links, binary files; and what `diff -u` prints. All of it is applied or nothing. A hunk may be at
        another line than the patch says, but its lines must be the same. A paused workspace is woken for
        it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            patch: The patch, with paths relative to /workspace
            patch_file: File of this host with the patch; `-` is standard input
            strip: How many leading parts of each path to remove; by default, the prefixes that git adds
            check: Only check whether the patch applies

        Returns:
            A patch that was applied.
                changed: Whether any file was changed, or would be.
                check: Whether nothing was done, but only seen whether it fits.
                entries: What was changed, sorted by path.
                execution_mode: Where it was applied.
                moved: Hunks that were not at the line that the patch says.
                summary: How many files there are of each kind.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AppliedPatch = self._call("workspace_patch_apply", {"workspace_id": workspace_id, "patch": patch, "patch_file": patch_file, "strip": strip, "check": check})
        return response

    def export_workspace_disk(self, workspace_id: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image

        The image has the environment and all that was written, with owners, permissions, links and
        devices; it needs nothing else. It is sparse. Nothing of the workspace runs: a throw-away microVM
        without a network makes it. It appears at the output path when it is complete, or not at all.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            output_path: Path on this host that the image gets; its directory must exist
            force: Replace what is at the output path, even a directory with all that is in it

        Returns:
            An image that was made.
                bytes_written: How many bytes the image takes of the host's disk.
                disk_format: `ext4`.
                entry_count: How many files, directories, links and others it has.
                output_path: Where the image is on this host.
                size_bytes: How long the image is, with its holes.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.DiskExport = self._call("workspace_disk_export", {"workspace_id": workspace_id, "output_path": output_path, "force": force})
        return response

    def list_workspace_disk(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace

        The path may be anywhere in its machine, not only in /workspace. Nothing of the workspace runs: a
        throw-away microVM without a network reads a copy of the disk. Symbolic links are named and not
        followed, unless the path itself is one.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List what is in its directories, too

        Returns:
            What is in a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether what is in its directories is listed, too.
                truncated: Present if there are more entries: only the first 10,000 are listed.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileListing = self._call("workspace_disk_list", {"workspace_id": workspace_id, "path": path, "recursive": recursive})
        return response

    def read_workspace_disk(self, workspace_id: str, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file on the disk of a stopped workspace

        The file may be anywhere in its machine, not only in /workspace. Nothing of the workspace runs: a
        throw-away microVM without a network reads a copy of the disk. A symbolic link is followed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte of the file to begin with
            max_bytes: The most bytes to read; never more than 16 MiB at once
            base64: Return the exact bytes in Base64, too

        Returns:
            What a file holds.
                content: What was read, as text.
                content_base64: Present if it was asked for: what was read, in Base64.
                content_lossy: Present if bytes in `content` that are not UTF-8 were replaced.
                max_bytes: The most bytes that were to be read.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if there is more: the byte with which the next part begins.
                offset: The byte of the file with which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes the whole file holds.
                truncated: Whether the file holds more after what was read.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = self._call("workspace_disk_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    def create_snapshot(self, workspace_id: str, snapshot_name: str) -> results.Created:
        """Save what was written in a workspace, to come back to it with `reset_workspace`

        Everything that was written in its machine is saved: files in /workspace and elsewhere, installed
        packages; not what runs. The workspace pauses while it is copied. It may be stopped, too.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot: letters, digits, `.`, `_` and `-`

        Returns:
            A snapshot that was made.
                execution_mode: Where the workspace's commands run.
                snapshot: The snapshot.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Created = self._call("snapshot_create", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    def list_snapshots(self, workspace_id: str) -> results.Snapshots:
        """List the snapshots of a workspace

        The first one, `baseline`, is what the workspace began with; the others are sorted by age, the
        newest first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The snapshots of a workspace.
                count: How many there are.
                snapshots: `baseline`, then the others, the newest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Snapshots = self._call("snapshot_list", {"workspace_id": workspace_id})
        return response

    def delete_snapshot(self, workspace_id: str, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace

        The workspace itself is not changed. The snapshot `baseline` cannot be deleted.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot

        Returns:
            A snapshot that was deleted.
                deleted: Always true.
                snapshot_name: The name that the snapshot had.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.SnapshotDeleted = self._call("snapshot_delete", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    def reset_workspace(self, workspace_id: str, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Throw away what was done in a workspace, back to how it began or to a snapshot

        Its machine is stopped, and a new one starts with the snapshot's disk. Its commands with their
        logs are removed. It keeps its id, its lifetime and its snapshots.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot: Snapshot to go back to; `baseline` is what the workspace began with
            secrets: Secrets of the workspace: they are not kept on the host's disk, so a reset loses those that it
has

        Returns:
            A workspace that was reset.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_reset: What it has now.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ResetWorkspace = self._call("workspace_reset", {"workspace_id": workspace_id, "snapshot": snapshot, "secrets": secrets})
        return response

    def add_workspace_port(self, workspace_id: str, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host

        Connections to the host's port reach what listens on the guest's port, be it there already or
        later; the guest needs no network for that. The host listens on its loopback unless an address is
        named. The port is published again whenever the workspace starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            port: Port in the guest, after the host's port (1025 to 65535) if that matters: `8000`, `8080:80`,
`ADDRESS:8080:80`

        Returns:
            A port that was published.
                published_port: Where it is published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AddedPort = self._call("workspace_port_add", {"workspace_id": workspace_id, "port": port})
        return response

    def list_workspace_ports(self, workspace_id: str) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host

        Those of a workspace that does not run are published again when it starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The ports of a workspace that are published.
                count: How many there are.
                published_ports: In the order in which they were published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PublishedPorts = self._call("workspace_port_list", {"workspace_id": workspace_id})
        return response

    def remove_workspace_port(self, workspace_id: str, host_port: int) -> results.RemovedPort:
        """Publish a port of a workspace no more

        The host's port is free then, and its connections are cut. The workspace may be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            host_port: Port of the host, as `list_workspace_ports` shows it

        Returns:
            A port that is published no more.
                host_port: The port of the host.
                removed: Always true.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RemovedPort = self._call("workspace_port_remove", {"workspace_id": workspace_id, "host_port": host_port})
        return response

    def open_shell(self, workspace_id: str, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open a shell in a workspace: a terminal that stays, with what runs in it

        It keeps its directory, its variables and its running programs from one write to the next, and
        belongs to no client: read it, write to it, attach to it from anywhere. The prompt is `pyro$ `.
        A workspace whose shells only wait, also in a built-in command such as `read`, is paused like any
        other; the next write wakes it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            cwd: Directory to begin in: an absolute path, or one below /workspace
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000
            env: Environment variables of the shell, by name
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = self._call("shell_open", {"workspace_id": workspace_id, "cwd": cwd, "cols": cols, "rows": rows, "env": env, "secret_env": secret_env, "user": user})
        return response

    def list_shells(self, workspace_id: str) -> results.Shells:
        """List the shells of a workspace, those that have ended among them

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The shells of a workspace.
                count: How many there are.
                running_count: How many of them run.
                shells: The shells, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shells = self._call("shell_list", {"workspace_id": workspace_id})
        return response

    def read_shell(self, workspace_id: str, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read what a shell has printed

        A cursor is a place in the output, in characters: pass the `next_cursor` of one read to the next,
        which goes on there. With `plain`, the text is what a person would see, without control sequences.
        To see what came of a command, wait until the shell has printed nothing for a while, or until a
        pattern was printed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cursor: Place to read from, in characters; 0 is the beginning
            max_chars: Most characters to read, 1 to 1048576
            plain: Show what a person would see: the lines of the terminal, without control sequences
            wait_for_idle_ms: Wait until nothing was printed for so many milliseconds, 1 to 10000
            wait_for: Wait until what was printed since the cursor matches this regular expression
            wait_seconds: Seconds after which a wait ends, whatever was printed

        Returns:
            What a shell has printed.
                cols: The columns of its terminal.
                cursor: The place that was asked for.
                cwd: The directory it began in.
                dropped_chars: Present if old output was dropped: how many characters after the cursor are missing.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                matched: Present if a pattern was waited for: whether it was printed.
                next_cursor: The place where the next read goes on.
                output: What was printed from there on.
                plain: Whether `output` is what a person would see.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                truncated: Whether there was more than `max_chars`.
                wait_for_idle_ms: How long nothing was to be printed.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellOutput = self._call("shell_read", {"workspace_id": workspace_id, "shell_id": shell_id, "cursor": cursor, "max_chars": max_chars, "plain": plain, "wait_for_idle_ms": wait_for_idle_ms, "wait_for": wait_for, "wait_seconds": wait_seconds})
        return response

    def write_shell(self, workspace_id: str, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type something into a shell, and Enter

        Control characters are keys: `\\u0003` in JSON is Ctrl-C, `\\u0004` is Ctrl-D, `\\u001b` is Escape.
        Wakes the workspace if it is paused.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            input: Text to type
            append_newline: Whether Enter is typed at the end

        Returns:
            What was typed.
                append_newline: Whether Enter was typed at the end.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                input_length: How many characters were typed, Enter included.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellWritten = self._call("shell_write", {"workspace_id": workspace_id, "shell_id": shell_id, "input": input, "append_newline": append_newline})
        return response

    def signal_shell(self, workspace_id: str, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to what runs in a shell

        It goes to the program in the foreground, as Ctrl-C does; KILL ends the shell with all that it has
        started.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            signal_name: Signal to send

        Returns:
            What was signalled.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                signal: The signal.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellSignalled = self._call("shell_signal", {"workspace_id": workspace_id, "shell_id": shell_id, "signal_name": signal_name})
        return response

    def resize_shell(self, workspace_id: str, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = self._call("shell_resize", {"workspace_id": workspace_id, "shell_id": shell_id, "cols": cols, "rows": rows})
        return response

    def close_shell(self, workspace_id: str, shell_id: str) -> results.ClosedShell:
        """End a shell with all that runs in it

        What runs there gets SIGHUP, as when a window is closed, and is killed if it does not end then. The
        output can still be read. One that has ended already is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell that is closed.
                closed: Always true.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ClosedShell = self._call("shell_close", {"workspace_id": workspace_id, "shell_id": shell_id})
        return response

    def attach_shell(self, workspace_id: str, shell_id: str) -> results.Shell:
        """Connect this terminal to a shell, until the shell ends or Ctrl-] is typed

        Others may be attached to the same shell: all see the same.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = self._call("shell_attach", {"workspace_id": workspace_id, "shell_id": shell_id})
        return response

    def start_service(self, workspace_id: str, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped

        Returns when it is ready, by the one of the four checks that was asked for, or has failed to become
        ready. Its output is kept, the newest 2 million characters of each stream. It outlives whoever
        started it; while it runs, the workspace is not paused, unless it is `pausable`.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service: letters, digits, `.`, `_` and `-`
            command: Shell command to run, for example `python3 -m http.server 8000`
            cwd: Working directory: an absolute path, or one below /workspace
            env: Environment variables of the service, by name; they are kept on the host's disk with it
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            ready_file: Ready when this file exists: an absolute path, or one below /workspace
            ready_tcp: Ready when this TCP port of the guest accepts connections: `8000` or `127.0.0.1:8000`
            ready_http: Ready when this URL in the guest is answered with a status below 400:
`http://127.0.0.1:8000/health`
            ready_command: Ready when this shell command exits with 0
            ready_timeout_seconds: Seconds after which it is ended if it is not ready
            ready_interval_ms: Milliseconds between two checks, 10 to 60000
            published_ports: Publish a TCP port of the guest on this host until the service has ended, by itself or not, as
`add_workspace_port` does; one that is started again keeps it
            restart: When to start it again after it has ended by itself: `no`, or `on-failure`, if it did not exit
with 0; after 1 second, and twice as long before each further time
            max_restarts: How often in a row it is started again at most
            pausable: Let the workspace be paused while the service runs, when nothing else is done in it
            autostart: Start it again whenever the workspace is started after a stop
            readiness: The check as an object, instead of the four: `type` is `file`, `tcp`, `http` or `command`, with
`path`, `address`, `url` or `command`

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_start", {"workspace_id": workspace_id, "service_name": service_name, "command": command, "cwd": cwd, "env": env, "secret_env": secret_env, "user": user, "ready_file": ready_file, "ready_tcp": ready_tcp, "ready_http": ready_http, "ready_command": ready_command, "ready_timeout_seconds": ready_timeout_seconds, "ready_interval_ms": ready_interval_ms, "published_ports": published_ports, "restart": restart, "max_restarts": max_restarts, "pausable": pausable, "autostart": autostart, "readiness": readiness})
        return response

    def list_services(self, workspace_id: str) -> results.Services:
        """List the services of a workspace, those that have ended among them

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The services of a workspace.
                count: How many there are.
                running_count: How many of them run.
                services: The services, by name.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Services = self._call("service_list", {"workspace_id": workspace_id})
        return response

    def status_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Show a service of a workspace: its state, and why it ended if it has

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_status", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    def logs_service(self, workspace_id: str, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show what a service has printed

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service
            tail_lines: Show only so many of the last lines of each output
            all: Show all that is kept
            follow: Pass further output on as it comes, until the service is over

        Returns:
            What a service has printed.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stderr: Its standard error, unless that was streamed.
                stdout: Its standard output, unless that was streamed.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                tail_lines: How many lines of each were asked for; null for all.
                truncated: Whether there was more.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ServiceLogs = self._call("service_logs", {"workspace_id": workspace_id, "service_name": service_name, "tail_lines": tail_lines, "all": all, "follow": follow})
        return response

    def stop_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Stop a service of a workspace

        It gets SIGTERM, and is killed with all that it has started if it has not ended after 10 seconds.
        One that does not run is left as it is; its output can still be read. Ports that were published
        with it are free then.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_stop", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    def delete_workspace(self, workspace_id: str) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, whatever it is doing

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace that is gone.
                deleted: Whether it is gone.
                reason: Why.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDeleted = self._call("workspace_delete", {"workspace_id": workspace_id})
        return response

    def pull_environment(self, environment: str) -> results.Pulled:
        """Install an environment, or check that it is installed

        It is built from the Debian archive that the machine's apt is configured for, which takes
        about half a minute. An installed environment that is complete and unaltered is left as it is.

        Args:
            environment: Environment to install, for example `debian:12`

        Returns:
            An installed environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                kernel_image: Its kernel.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                rootfs_image: The image of its root file system.
                source: Where it came from.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pulled = self._call("env_pull", {"environment": environment})
        return response

    def inspect_environment(self, environment: str) -> results.Environment:
        """Show what an environment consists of and where it is installed

        Args:
            environment: Environment to show, for example `debian:12`

        Returns:
            What is known about one environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Environment = self._call("env_inspect", {"environment": environment})
        return response

    def prune_environments(self) -> results.Pruned:
        """Remove cached environments, kernels and templates that are incomplete, damaged or outdated

        A complete environment of the current catalog is never removed.

        Returns:
            What was removed.
                count: How many they are.
                deleted_environment_dirs: Names of the removed directories, sorted.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pruned = self._call("env_prune", {})
        return response

    def list_vms(self) -> results.Vms:
        """List the VMs that outlive their calls

        Returns:
            All VMs.
                count: How many there are.
                vms: The VMs, the newest first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vms = self._call("vm_list", {})
        return response

    def doctor(self, *, platform: str = "linux-x86_64", boot: bool = False) -> results.Report:
        """Check whether this machine can run guests, and say what is missing

        Exits with 0 only if a guest can run. `boot` proves it by booting one.

        Args:
            platform: Platform to check
            boot: Boot a guest, building its environment first if need be

        Returns:
            What was found.
                accelerator: The accelerator for guests.
                boot: The guest that was booted, if one was asked for.
                build_requirements: Programs that environments are built with.
                disk: Directories and their free space.
                isolation: What is between the VMM and the host, piece by piece.
                issues: What is wrong or could be better.
                kernels: Kernels in the cache.
                kvm: The KVM device.
                networking: What networking needs, or might need.
                parked_machines: Machines that are kept ahead of their use at this moment.
                platform: The platform.
                qemu: The VMM.
                remedies: What to do about it, command by command.
                runtime: What guests consist of.
                runtime_ok: Whether a guest can run.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Report = self._call("doctor", {"platform": platform, "boot": boot})
        return response

    def demo(self, *, network: bool = False) -> results.Demonstration:
        """Show what pyro does: run git in a fresh microVM

        The result is that of `run`. At a terminal each step is shown as it is made; elsewhere, and with
        `--json`, the result is printed as JSON.

        With `network`, a second microVM then asks https://example.com/ for a page, and the result is
        what that one printed: the status of the answer. Where the outside cannot be reached, the result
        is the first one's and says why.

        Args:
            network: Show that a guest can reach the Internet, too

        Returns:
            What was shown.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                network_unreachable: Present if the outside was to be reached and cannot be: why.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Demonstration = self._call("demo", {"network": network})
        return response

    def demo_ollama(self, *, base_url: str = "http://localhost:11434/v1", model: str = "llama3.2:3b", timeout_seconds: int = 90, stream: bool = False) -> results.ModelRun:
        """Let a language model run a command in a microVM, with the tools that an agent has

        The model's server is Ollama or any other that has OpenAI's chat completions with tools; it is
        asked directly, not through a proxy, and with the key in PYRO_MODEL_API_KEY, if there is one. The
        model is asked to clone a git repository in a guest and to see whether that worked. It may call
        a few tools on microVMs and has nothing else: no command runs on the host, no file of the host
        is read, and the microVMs that it leaves are deleted. A call that cannot be meant is answered
        with what is wrong.

        It succeeds if the last command that the model ran printed what it should. It fails if there was
        none, if it printed something else, if the model still calls tools after 12 rounds, or if its
        server gives no reply.

        Args:
            base_url: Address of the model's server, to which `/chat/completions` is added
            model: The model, by the server's name for it; it has to support tools
            timeout_seconds: Seconds that the model may take for a reply, or for each piece of one that comes in pieces
            stream: Ask for replies in pieces, as the model makes them

        Returns:
            What a model had run.
                cleanup: What became of the microVM.
                command: The command.
                corrected: Present if it called a tool in vain at least once.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                fallback_used: Always false: nothing is run in the model's place.
                model: The model.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                rounds: How many replies it gave.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                tool_calls: How many calls of tools it asked for.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ModelRun = self._call("demo_ollama", {"base_url": base_url, "model": model, "timeout_seconds": timeout_seconds, "stream": stream})
        return response


class AsyncOperations:
    """Every operation as a method to await."""

    async def _call(self, operation: str, request: dict[str, object]) -> Any:
        raise NotImplementedError

    async def run_in_vm(self, *, environment: str, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, vcpu_count: int = 1, mem_mib: int = 1024, timeout_seconds: int = 30, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, stdin: str | None = None) -> results.RunResult:
        """Run one command in a fresh microVM, then throw the microVM away

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it.

        With `allow_host_compat`, on a host that cannot run guests, the command runs on the host itself,
        WITHOUT ISOLATION, and may destroy what is there.

        Args:
            environment: Environment to boot, for example `debian:12`
            command: Shell command to run, for example `git --version`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with a
terminal, which have no limit then
            ttl_seconds: Seconds after which the microVM is ended, whatever happens in it; 60 to 3600; with a terminal,
the default of 600 is 3600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Run the command on the host, WITHOUT ISOLATION, if this host cannot run guests
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = await self._call("vm_run", {"environment": environment, "command": command, "env": env, "cwd": cwd, "user": user, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "timeout_seconds": timeout_seconds, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "stdin": stdin})
        return response

    async def list_environments(self) -> list[results.Environment]:
        """List the environments that can be booted and whether each is installed

        Returns:
            The environments, by name.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: list[results.Environment] = (await self._call("vm_list_environments", {}))["environments"]
        return response

    async def create_vm(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False) -> results.Vm:
        """Make a VM that outlives this call; it is not started yet

        It lives until it is deleted or its time is over, whatever comes first; its id is all that is
        needed to use it, from any process of the same user.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Seconds after which the VM is deleted, whatever happens in it; 60 to 3600
            network: Give the guest access to the network
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat})
        return response

    async def start_vm(self, vm_id: str) -> results.Vm:
        """Start a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_start", {"vm_id": vm_id})
        return response

    async def exec_vm(self, vm_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, timeout_seconds: int = 30, stdin: str | None = None) -> results.RunResult:
        """Run one command in a started VM, then delete the VM

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it. For many commands in one place use a workspace.

        Args:
            vm_id: Id of the VM, as `create_vm` returned it
            command: Shell command to run, for example `git --version`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with a
terminal, which have no limit then
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = await self._call("vm_exec", {"vm_id": vm_id, "command": command, "env": env, "cwd": cwd, "user": user, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    async def stop_vm(self, vm_id: str) -> results.Vm:
        """Stop a VM in order; its files are kept and it can be started again

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_stop", {"vm_id": vm_id})
        return response

    async def delete_vm(self, vm_id: str) -> results.Deleted:
        """Delete a VM with everything in it, whatever it is doing

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that is gone.
                deleted: Whether it is gone.
                reason: Why.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Deleted = await self._call("vm_delete", {"vm_id": vm_id})
        return response

    async def status_vm(self, vm_id: str) -> results.Vm:
        """Show what a VM is doing

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_status", {"vm_id": vm_id})
        return response

    async def network_info_vm(self, vm_id: str) -> results.VmNetwork:
        """Show the network of a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            The network of a VM. Without one there are no addresses, but a reason.
                dns_servers: Its name servers.
                gateway_ip: Its way out.
                guest_ip: Its own address.
                mac_address: The hardware address of its network card.
                network_enabled: Whether it has access to the network.
                outbound_connectivity_expected: Whether connections to the outside should work.
                reason: Why there is no network.
                subnet_cidr: Its network.
                tap_name: Always null: no device of the host is needed.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.VmNetwork = await self._call("vm_network_info", {"vm_id": vm_id})
        return response

    async def reap_expired(self) -> results.Reaped:
        """Delete the records of the VMs whose time to live is over

        They have ended by themselves, and their disks are gone; this removes their records.

        Returns:
            The VMs that were deleted.
                count: How many there were.
                deleted_vm_ids: Their ids.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Reaped = await self._call("vm_reap_expired", {})
        return response

    async def create_workspace(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, network_policy: str | None = None, published_ports: list[str | int] | None = None, allow_host_compat: bool = False, seed_path: str | os.PathLike[str] | None = None, from_snapshot: str | None = None, name: str | None = None, labels: dict[str, str] | None = None, secrets: list[dict[str, object]] | None = None, exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Workspace:
        """Make a workspace and start it: a microVM to run many commands in

        Its files are in /workspace, which begins empty or with what seed_path names. It lives until
        it is deleted or its time is over; while nothing runs in it, it is paused and costs nothing. Its
        id is all that is needed to use it, from any process of the same user.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Seconds after which the workspace ends, whatever happens in it; at least 60, or 0 for never
            network: Let the guest reach the Internet, but neither this host nor private networks
            network_policy: The network by name: `off`; `egress`, which is what network means; or
`egress+published-ports`. Ports can be published with each
            published_ports: Publish a TCP port of the guest on this host, on its loopback unless an address is named; the
host's port (1025 to 65535) is any that is free unless it is named
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            seed_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), that the workspace begins with
            from_snapshot: Begin with a snapshot of another workspace of this environment, `ID:NAME`; with `ID:baseline`,
with its seed
            name: Name, of up to 120 characters, for those who list workspaces; several may have the same
            labels: Labels, each a key with a value: `issue=123`
            secrets: Secrets of the workspace: files of root's in /run/pyro-secrets, in the guest's memory only
            exclude: Leave out what matches a pattern, in the syntax of .gitignore: `*.o`, `target/`, `/build`;
the last that matches decides
            exclude_from: Leave out what matches a pattern in a file with one pattern on each line
            git_ignored: Whether to copy what git ignores, by the .gitignore files of a directory: `include` or
`exclude`
            unreadable: What to do about files that cannot be read: `fail`, or `skip` them

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "network_policy": network_policy, "published_ports": published_ports, "allow_host_compat": allow_host_compat, "seed_path": seed_path, "from_snapshot": from_snapshot, "name": name, "labels": labels, "secrets": secrets, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable})
        return response

    async def list_workspaces(self) -> results.Workspaces:
        """List the workspaces, the last used first

        Returns:
            All workspaces.
                count: How many there are.
                workspaces: The workspaces, the last used first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspaces = await self._call("workspace_list", {})
        return response

    async def update_workspace(self, workspace_id: str, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace

        Name and labels are changed together or not at all; a request that would change nothing is
        refused. Labels that it does not name stay. Commands in the workspace run on.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            name: New name, of up to 120 characters
            clear_name: Remove the name
            labels: Labels to add or to change, each a key with a value
            clear_labels: Keys of labels to remove; keys that the workspace does not have are ignored

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_update", {"workspace_id": workspace_id, "name": name, "clear_name": clear_name, "labels": labels, "clear_labels": clear_labels})
        return response

    async def exec_workspace(self, workspace_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace, in /workspace

        Its output is kept in the workspace's log; its exit code is returned: 124 if it was ended at its
        time limit, 128 + N if signal N ended it. Many commands may run at once. One whose caller dies
        goes on; the workspace's log shows it.

        With `detach`, the number of the command is returned at once, and it goes on:
        `read_workspace_logs` shows its output, `wait_command` waits for its end, `kill_command` ends it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            command: Shell command to run, for example `make test`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path, or one below /workspace, which is the default
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            detach: Return the command's number at once, and let it go on
            timeout_seconds: Seconds after which the command is ended; the default of 30 is not for commands with `detach`
or a terminal, which have no limit then
            stdin: Text that the command reads from its standard input

        Returns:
            What came of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command goes on.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it runs on.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                workspace_id: The workspace it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ExecResult = await self._call("workspace_exec", {"workspace_id": workspace_id, "command": command, "env": env, "cwd": cwd, "user": user, "secret_env": secret_env, "detach": detach, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    async def wait_command(self, workspace_id: str, sequence: int, *, timeout_seconds: int | None = None) -> results.ExecResult:
        """Wait for the end of a command in a workspace, and return its exit code

        Its output is not shown: `read_workspace_logs` does that. If the wait takes longer than its limit, the
        command goes on, and there is no exit code.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it
            timeout_seconds: Seconds to wait at most; without a limit if not given

        Returns:
            What came of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command goes on.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it runs on.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                workspace_id: The workspace it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ExecResult = await self._call("workspace_wait", {"workspace_id": workspace_id, "sequence": sequence, "timeout_seconds": timeout_seconds})
        return response

    async def kill_command(self, workspace_id: str, sequence: int, *, signal: str = "KILL") -> results.Killed:
        """Send a signal to a command in a workspace

        KILL ends the command with all that it has started; any other signal goes to the command's process
        group. One that has ended already is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it, or `read_workspace_logs` shows it
            signal: Signal, by its name or number

        Returns:
            What became of a signal.
                sent: Whether the command ran, so that the signal was sent.
                sequence: The number of the command.
                signal: The name of the signal.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Killed = await self._call("workspace_kill", {"workspace_id": workspace_id, "sequence": sequence, "signal": signal})
        return response

    async def push_workspace_sync(self, workspace_id: str, source_path: str | os.PathLike[str], *, dest: str = "/workspace", exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Pushed:
        """Copy files into a started workspace

        All of them appear, or none: they are unpacked beside and moved into their places. Files that
        are there and not in the source stay.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            source_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy
            dest: Directory in the workspace to copy into, absolute or relative to /workspace
            exclude: Leave out what matches a pattern, in the syntax of .gitignore: `*.o`, `target/`, `/build`;
the last that matches decides
            exclude_from: Leave out what matches a pattern in a file with one pattern on each line
            git_ignored: Whether to copy what git ignores, by the .gitignore files of a directory: `include` or
`exclude`
            unreadable: What to do about files that cannot be read: `fail`, or `skip` them

        Returns:
            What was done.
                execution_mode: Where it runs.
                workspace_id: The workspace.
                workspace_sync: What was copied.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pushed = await self._call("workspace_sync_push", {"workspace_id": workspace_id, "source_path": source_path, "dest": dest, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable})
        return response

    async def pull_workspace_sync(self, workspace_id: str, *, target_path: str | os.PathLike[str] | None = None, paths: list[str] = [], on_conflict: str = "fail", check: bool = False, undo: bool = False) -> results.PulledChanges:
        """Bring what was changed in a started workspace into a directory of this host

        Each path is compared three ways: how the workspace began, what it is there now, and what it is
        here. What only the workspace has changed is taken over, what only the host has changed stays,
        and texts that both have changed are merged line by line. If they cannot be merged, nothing at all
        is changed and the conflicts are named. All of it is done or nothing, also if this is killed: then
        the next pull into the directory undoes it. What git runs or obeys (`.git/hooks`, `.git/config`
        and the like) is left alone unless it is named.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            target_path: Directory of this host; without it, the one that the workspace was seeded from
            paths: Take over only what is at or below this path, absolute or relative to /workspace
            on_conflict: What to do where workspace and host have changed the same lines or file: `fail`, take the
version of the `workspace` or of the `host`, or write both into the file between `markers`
            check: Only show what would be changed
            undo: Undo the last pull of this workspace into the directory, if no file that it wrote was
changed since

        Returns:
            What was taken over.
                changed: Whether anything in the directory was changed, or would be.
                changed_count: Present if files grew or shrank in the workspace while they were read: how many.
                check: Whether nothing was done, but only shown.
                entries: What was done about which path. What is the same already is not listed.
                has_conflicts: Present if it cannot be done as it is: there are conflicts.
                summary: How many paths there are of each kind.
                target_path: The directory of this host.
                truncated: Present if there are more: only 5,000 paths are listed, conflicts first.
                undo: Whether this took a pull back.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PulledChanges = await self._call("workspace_sync_pull", {"workspace_id": workspace_id, "target_path": target_path, "paths": paths, "on_conflict": on_conflict, "check": check, "undo": undo})
        return response

    async def status_workspace(self, workspace_id: str) -> results.Workspace:
        """Show what a workspace is doing

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_status", {"workspace_id": workspace_id})
        return response

    async def stop_workspace(self, workspace_id: str) -> results.Workspace:
        """Stop a workspace in order; its files and logs are kept

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_stop", {"workspace_id": workspace_id})
        return response

    async def start_workspace(self, workspace_id: str, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            secrets: Secrets of the workspace: they are not kept on the host's disk, so a stop has lost those that it
had

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_start", {"workspace_id": workspace_id, "secrets": secrets})
        return response

    async def logs_workspace(self, workspace_id: str) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output

        Logs are kept until the workspace is deleted, also when it has stopped or its time is over. Of
        what its commands have printed 4 GiB are kept; beyond that, the outputs of the oldest go first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            What was run in a workspace.
                count: How many commands there are in this answer.
                entries: The commands, the first first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = await self._call("workspace_logs", {"workspace_id": workspace_id})
        return response

    async def read_workspace_logs(self, workspace_id: str, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output

        Logs are kept until the workspace is deleted, also when it has stopped or its time is over. Of
        what its commands have printed 4 GiB are kept; beyond that, the outputs of the oldest go first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Show only the command with this number
            tail: Show only the last N commands
            follow: Show the output of one command as it comes, from its beginning until the command ends: of
the command with the number sequence, or of the newest
            offset: Skip so many bytes of each output
            limit: Show at most this many bytes of each output, and 32 MiB of all outputs: the newest first

        Returns:
            What was run in a workspace.
                count: How many commands there are in this answer.
                entries: The commands, the first first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = await self._call("workspace_logs", {"workspace_id": workspace_id, "sequence": sequence, "tail": tail, "follow": follow, "offset": offset, "limit": limit})
        return response

    async def export_workspace(self, workspace_id: str, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace

        It appears at the output path when all of it has arrived, or not at all. Permissions,
        modification times and links are kept; everything belongs to you, and setuid, setgid and sticky
        bits are dropped. Devices, pipes and sockets are left out. If the output path ends in .tar,
        .tar.gz, .tgz or .tar.zst, it becomes an archive, in which everything is below the last part of
        what was named; only a file that has such a name itself is copied as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: What to copy, absolute or relative to /workspace; a symbolic link is copied as a link
            output_path: Path of the copy on this host; its directory must exist
            force: Replace what is at the output path, even a directory with all that is in it

        Returns:
            What was copied.
                artifact_type: `file`, `directory` or `symlink`.
                bytes_written: How many bytes its files have.
                changed_count: Present if files grew or shrank while they were read: how many. They have the size that they
            had first.
                entry_count: How many files, directories and links it has, with itself.
                execution_mode: Where the workspace runs.
                left_out_count: Present if there were devices, pipes or sockets: how many, and they were not copied.
                output_path: Where it is on this host.
                workspace_id: The workspace.
                workspace_path: What was copied, as an absolute path in the guest.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Exported = await self._call("workspace_export", {"workspace_id": workspace_id, "path": path, "output_path": output_path, "force": force})
        return response

    async def diff_workspace(self, workspace_id: str, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot

        It is compared with its seed, or with an empty directory; or with a snapshot. The patch is
        complete, binary files and symbolic links included: `git apply` makes a copy of what it is
        compared with the same as the workspace. What git cannot have in a patch is only listed:
        directories, devices, permissions other than `x`. What is in a directory `.git` is left out. The
        workspace may be stopped: then, and for a snapshot, a throw-away microVM without a network
        compares copies of the disks, and nothing of the workspace runs there.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            paths: What to compare, absolute or relative to /workspace; nothing means all of it
            name_only: Only list which paths differ; no contents are read, and there is no patch
            against: Snapshot to compare with; `baseline` is what the workspace began with

        Returns:
            What was changed in a workspace.
                against: The snapshot that it was compared with; `baseline` is what it began with.
                changed: Whether anything was.
                changed_count: Present if files grew or shrank while they were read: how many. The patch may not have what
            they hold now.
                entries: What differs, sorted by path.
                git_entries_left_out: Present if there are differences in directories `.git`: how many, and they were left out.
                patch: All differences that git knows, as a patch that `git apply` takes.
                patch_base64: Present if bytes in `patch` that are not UTF-8 were replaced: the exact patch, in Base64.
                summary: How many entries there are of each kind.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDiff = await self._call("workspace_diff", {"workspace_id": workspace_id, "paths": paths, "name_only": name_only, "against": against})
        return response

    async def list_workspace_files(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace

        Symbolic links are named and not followed, unless the path itself is one. A paused workspace is
        woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List what is in its directories, too

        Returns:
            What is in a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether what is in its directories is listed, too.
                truncated: Present if there are more entries: only the first 10,000 are listed.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileListing = await self._call("workspace_file_list", {"workspace_id": workspace_id, "path": path, "recursive": recursive})
        return response

    async def read_workspace_file(self, workspace_id: str, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file of a started workspace

        Only the part that is asked for is read, however large the file is. A symbolic link is followed
        if it stays in /workspace. A paused workspace is woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte of the file to begin with
            max_bytes: The most bytes to read, 1 to 1048576
            base64: Return the exact bytes in Base64, too

        Returns:
            What a file holds.
                content: What was read, as text.
                content_base64: Present if it was asked for: what was read, in Base64.
                content_lossy: Present if bytes in `content` that are not UTF-8 were replaced.
                max_bytes: The most bytes that were to be read.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if there is more: the byte with which the next part begins.
                offset: The byte of the file with which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes the whole file holds.
                truncated: Whether the file holds more after what was read.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = await self._call("workspace_file_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    async def write_workspace_file(self, workspace_id: str, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace

        The file holds either what it held before or all of the new content, whatever happens. One that
        exists keeps its mode and owner; directories that are missing are made. When this returns, the
        content is on the workspace's disk. A paused workspace is woken for it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            text: New content of the file, as text
            text_file: File of this host with the new content; `-` is standard input
            base64: New content of the file, in Base64
            mode: Permissions of the file, in octal digits; a new file gets 0644 by default
            if_match: Write only if the present content of the file has this SHA-256, in hexadecimal; with
`missing`, only if the file does not exist

        Returns:
            A file that was written.
                bytes_written: How many bytes were written: all that it holds.
                created: Whether it did not exist before.
                execution_mode: Where it was written.
                mode: Its permissions, in octal digits, for example `0644`.
                path: The file's absolute path.
                sha256: SHA-256 of what it holds, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes it holds.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WrittenFile = await self._call("workspace_file_write", {"workspace_id": workspace_id, "path": path, "text": text, "text_file": text_file, "base64": base64, "mode": mode, "if_match": if_match})
        return response

    async def apply_workspace_patch(self, workspace_id: str, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace

        It takes what `git diff` prints: new, deleted, renamed and copied files, permissions, symbolic
        links, binary files; and what `diff -u` prints. All of it is applied or nothing. A hunk may be at
        another line than the patch says, but its lines must be the same. A paused workspace is woken for
        it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            patch: The patch, with paths relative to /workspace
            patch_file: File of this host with the patch; `-` is standard input
            strip: How many leading parts of each path to remove; by default, the prefixes that git adds
            check: Only check whether the patch applies

        Returns:
            A patch that was applied.
                changed: Whether any file was changed, or would be.
                check: Whether nothing was done, but only seen whether it fits.
                entries: What was changed, sorted by path.
                execution_mode: Where it was applied.
                moved: Hunks that were not at the line that the patch says.
                summary: How many files there are of each kind.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AppliedPatch = await self._call("workspace_patch_apply", {"workspace_id": workspace_id, "patch": patch, "patch_file": patch_file, "strip": strip, "check": check})
        return response

    async def export_workspace_disk(self, workspace_id: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image

        The image has the environment and all that was written, with owners, permissions, links and
        devices; it needs nothing else. It is sparse. Nothing of the workspace runs: a throw-away microVM
        without a network makes it. It appears at the output path when it is complete, or not at all.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            output_path: Path on this host that the image gets; its directory must exist
            force: Replace what is at the output path, even a directory with all that is in it

        Returns:
            An image that was made.
                bytes_written: How many bytes the image takes of the host's disk.
                disk_format: `ext4`.
                entry_count: How many files, directories, links and others it has.
                output_path: Where the image is on this host.
                size_bytes: How long the image is, with its holes.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.DiskExport = await self._call("workspace_disk_export", {"workspace_id": workspace_id, "output_path": output_path, "force": force})
        return response

    async def list_workspace_disk(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace

        The path may be anywhere in its machine, not only in /workspace. Nothing of the workspace runs: a
        throw-away microVM without a network reads a copy of the disk. Symbolic links are named and not
        followed, unless the path itself is one.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List what is in its directories, too

        Returns:
            What is in a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether what is in its directories is listed, too.
                truncated: Present if there are more entries: only the first 10,000 are listed.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileListing = await self._call("workspace_disk_list", {"workspace_id": workspace_id, "path": path, "recursive": recursive})
        return response

    async def read_workspace_disk(self, workspace_id: str, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file on the disk of a stopped workspace

        The file may be anywhere in its machine, not only in /workspace. Nothing of the workspace runs: a
        throw-away microVM without a network reads a copy of the disk. A symbolic link is followed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte of the file to begin with
            max_bytes: The most bytes to read; never more than 16 MiB at once
            base64: Return the exact bytes in Base64, too

        Returns:
            What a file holds.
                content: What was read, as text.
                content_base64: Present if it was asked for: what was read, in Base64.
                content_lossy: Present if bytes in `content` that are not UTF-8 were replaced.
                max_bytes: The most bytes that were to be read.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if there is more: the byte with which the next part begins.
                offset: The byte of the file with which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: How many bytes the whole file holds.
                truncated: Whether the file holds more after what was read.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = await self._call("workspace_disk_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    async def create_snapshot(self, workspace_id: str, snapshot_name: str) -> results.Created:
        """Save what was written in a workspace, to come back to it with `reset_workspace`

        Everything that was written in its machine is saved: files in /workspace and elsewhere, installed
        packages; not what runs. The workspace pauses while it is copied. It may be stopped, too.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot: letters, digits, `.`, `_` and `-`

        Returns:
            A snapshot that was made.
                execution_mode: Where the workspace's commands run.
                snapshot: The snapshot.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Created = await self._call("snapshot_create", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    async def list_snapshots(self, workspace_id: str) -> results.Snapshots:
        """List the snapshots of a workspace

        The first one, `baseline`, is what the workspace began with; the others are sorted by age, the
        newest first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The snapshots of a workspace.
                count: How many there are.
                snapshots: `baseline`, then the others, the newest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Snapshots = await self._call("snapshot_list", {"workspace_id": workspace_id})
        return response

    async def delete_snapshot(self, workspace_id: str, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace

        The workspace itself is not changed. The snapshot `baseline` cannot be deleted.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot

        Returns:
            A snapshot that was deleted.
                deleted: Always true.
                snapshot_name: The name that the snapshot had.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.SnapshotDeleted = await self._call("snapshot_delete", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    async def reset_workspace(self, workspace_id: str, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Throw away what was done in a workspace, back to how it began or to a snapshot

        Its machine is stopped, and a new one starts with the snapshot's disk. Its commands with their
        logs are removed. It keeps its id, its lifetime and its snapshots.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot: Snapshot to go back to; `baseline` is what the workspace began with
            secrets: Secrets of the workspace: they are not kept on the host's disk, so a reset loses those that it
has

        Returns:
            A workspace that was reset.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots take of the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last one that has ended.
                mem_mib: Memory, in MiB.
                metadata: More about it.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: What its network is: `off`, `egress` or `egress+published-ports`.
                published_ports: Its ports that are published on the host whenever it runs.
                running_service_count: How many of them run.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it did not end in order: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: How long it may exist, in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: Where its files are in the guest.
                workspace_reset: What it has now.
                workspace_seed: What it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ResetWorkspace = await self._call("workspace_reset", {"workspace_id": workspace_id, "snapshot": snapshot, "secrets": secrets})
        return response

    async def add_workspace_port(self, workspace_id: str, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host

        Connections to the host's port reach what listens on the guest's port, be it there already or
        later; the guest needs no network for that. The host listens on its loopback unless an address is
        named. The port is published again whenever the workspace starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            port: Port in the guest, after the host's port (1025 to 65535) if that matters: `8000`, `8080:80`,
`ADDRESS:8080:80`

        Returns:
            A port that was published.
                published_port: Where it is published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AddedPort = await self._call("workspace_port_add", {"workspace_id": workspace_id, "port": port})
        return response

    async def list_workspace_ports(self, workspace_id: str) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host

        Those of a workspace that does not run are published again when it starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The ports of a workspace that are published.
                count: How many there are.
                published_ports: In the order in which they were published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PublishedPorts = await self._call("workspace_port_list", {"workspace_id": workspace_id})
        return response

    async def remove_workspace_port(self, workspace_id: str, host_port: int) -> results.RemovedPort:
        """Publish a port of a workspace no more

        The host's port is free then, and its connections are cut. The workspace may be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            host_port: Port of the host, as `list_workspace_ports` shows it

        Returns:
            A port that is published no more.
                host_port: The port of the host.
                removed: Always true.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RemovedPort = await self._call("workspace_port_remove", {"workspace_id": workspace_id, "host_port": host_port})
        return response

    async def open_shell(self, workspace_id: str, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open a shell in a workspace: a terminal that stays, with what runs in it

        It keeps its directory, its variables and its running programs from one write to the next, and
        belongs to no client: read it, write to it, attach to it from anywhere. The prompt is `pyro$ `.
        A workspace whose shells only wait, also in a built-in command such as `read`, is paused like any
        other; the next write wakes it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            cwd: Directory to begin in: an absolute path, or one below /workspace
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000
            env: Environment variables of the shell, by name
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = await self._call("shell_open", {"workspace_id": workspace_id, "cwd": cwd, "cols": cols, "rows": rows, "env": env, "secret_env": secret_env, "user": user})
        return response

    async def list_shells(self, workspace_id: str) -> results.Shells:
        """List the shells of a workspace, those that have ended among them

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The shells of a workspace.
                count: How many there are.
                running_count: How many of them run.
                shells: The shells, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shells = await self._call("shell_list", {"workspace_id": workspace_id})
        return response

    async def read_shell(self, workspace_id: str, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read what a shell has printed

        A cursor is a place in the output, in characters: pass the `next_cursor` of one read to the next,
        which goes on there. With `plain`, the text is what a person would see, without control sequences.
        To see what came of a command, wait until the shell has printed nothing for a while, or until a
        pattern was printed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cursor: Place to read from, in characters; 0 is the beginning
            max_chars: Most characters to read, 1 to 1048576
            plain: Show what a person would see: the lines of the terminal, without control sequences
            wait_for_idle_ms: Wait until nothing was printed for so many milliseconds, 1 to 10000
            wait_for: Wait until what was printed since the cursor matches this regular expression
            wait_seconds: Seconds after which a wait ends, whatever was printed

        Returns:
            What a shell has printed.
                cols: The columns of its terminal.
                cursor: The place that was asked for.
                cwd: The directory it began in.
                dropped_chars: Present if old output was dropped: how many characters after the cursor are missing.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                matched: Present if a pattern was waited for: whether it was printed.
                next_cursor: The place where the next read goes on.
                output: What was printed from there on.
                plain: Whether `output` is what a person would see.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                truncated: Whether there was more than `max_chars`.
                wait_for_idle_ms: How long nothing was to be printed.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellOutput = await self._call("shell_read", {"workspace_id": workspace_id, "shell_id": shell_id, "cursor": cursor, "max_chars": max_chars, "plain": plain, "wait_for_idle_ms": wait_for_idle_ms, "wait_for": wait_for, "wait_seconds": wait_seconds})
        return response

    async def write_shell(self, workspace_id: str, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type something into a shell, and Enter

        Control characters are keys: `\\u0003` in JSON is Ctrl-C, `\\u0004` is Ctrl-D, `\\u001b` is Escape.
        Wakes the workspace if it is paused.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            input: Text to type
            append_newline: Whether Enter is typed at the end

        Returns:
            What was typed.
                append_newline: Whether Enter was typed at the end.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                input_length: How many characters were typed, Enter included.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellWritten = await self._call("shell_write", {"workspace_id": workspace_id, "shell_id": shell_id, "input": input, "append_newline": append_newline})
        return response

    async def signal_shell(self, workspace_id: str, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to what runs in a shell

        It goes to the program in the foreground, as Ctrl-C does; KILL ends the shell with all that it has
        started.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            signal_name: Signal to send

        Returns:
            What was signalled.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                signal: The signal.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellSignalled = await self._call("shell_signal", {"workspace_id": workspace_id, "shell_id": shell_id, "signal_name": signal_name})
        return response

    async def resize_shell(self, workspace_id: str, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = await self._call("shell_resize", {"workspace_id": workspace_id, "shell_id": shell_id, "cols": cols, "rows": rows})
        return response

    async def close_shell(self, workspace_id: str, shell_id: str) -> results.ClosedShell:
        """End a shell with all that runs in it

        What runs there gets SIGHUP, as when a window is closed, and is killed if it does not end then. The
        output can still be read. One that has ended already is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell that is closed.
                closed: Always true.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ClosedShell = await self._call("shell_close", {"workspace_id": workspace_id, "shell_id": shell_id})
        return response

    async def attach_shell(self, workspace_id: str, shell_id: str) -> results.Shell:
        """Connect this terminal to a shell, until the shell ends or Ctrl-] is typed

        Others may be attached to the same shell: all see the same.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: The directory it began in.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shell = await self._call("shell_attach", {"workspace_id": workspace_id, "shell_id": shell_id})
        return response

    async def start_service(self, workspace_id: str, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped

        Returns when it is ready, by the one of the four checks that was asked for, or has failed to become
        ready. Its output is kept, the newest 2 million characters of each stream. It outlives whoever
        started it; while it runs, the workspace is not paused, unless it is `pausable`.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service: letters, digits, `.`, `_` and `-`
            command: Shell command to run, for example `python3 -m http.server 8000`
            cwd: Working directory: an absolute path, or one below /workspace
            env: Environment variables of the service, by name; they are kept on the host's disk with it
            secret_env: Secrets of the workspace that become environment variables: names of secrets with names of
variables
            user: Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
            ready_file: Ready when this file exists: an absolute path, or one below /workspace
            ready_tcp: Ready when this TCP port of the guest accepts connections: `8000` or `127.0.0.1:8000`
            ready_http: Ready when this URL in the guest is answered with a status below 400:
`http://127.0.0.1:8000/health`
            ready_command: Ready when this shell command exits with 0
            ready_timeout_seconds: Seconds after which it is ended if it is not ready
            ready_interval_ms: Milliseconds between two checks, 10 to 60000
            published_ports: Publish a TCP port of the guest on this host until the service has ended, by itself or not, as
`add_workspace_port` does; one that is started again keeps it
            restart: When to start it again after it has ended by itself: `no`, or `on-failure`, if it did not exit
with 0; after 1 second, and twice as long before each further time
            max_restarts: How often in a row it is started again at most
            pausable: Let the workspace be paused while the service runs, when nothing else is done in it
            autostart: Start it again whenever the workspace is started after a stop
            readiness: The check as an object, instead of the four: `type` is `file`, `tcp`, `http` or `command`, with
`path`, `address`, `url` or `command`

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_start", {"workspace_id": workspace_id, "service_name": service_name, "command": command, "cwd": cwd, "env": env, "secret_env": secret_env, "user": user, "ready_file": ready_file, "ready_tcp": ready_tcp, "ready_http": ready_http, "ready_command": ready_command, "ready_timeout_seconds": ready_timeout_seconds, "ready_interval_ms": ready_interval_ms, "published_ports": published_ports, "restart": restart, "max_restarts": max_restarts, "pausable": pausable, "autostart": autostart, "readiness": readiness})
        return response

    async def list_services(self, workspace_id: str) -> results.Services:
        """List the services of a workspace, those that have ended among them

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The services of a workspace.
                count: How many there are.
                running_count: How many of them run.
                services: The services, by name.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Services = await self._call("service_list", {"workspace_id": workspace_id})
        return response

    async def status_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Show a service of a workspace: its state, and why it ended if it has

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_status", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    async def logs_service(self, workspace_id: str, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show what a service has printed

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service
            tail_lines: Show only so many of the last lines of each output
            all: Show all that is kept
            follow: Pass further output on as it comes, until the service is over

        Returns:
            What a service has printed.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stderr: Its standard error, unless that was streamed.
                stdout: Its standard output, unless that was streamed.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                tail_lines: How many lines of each were asked for; null for all.
                truncated: Whether there was more.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ServiceLogs = await self._call("service_logs", {"workspace_id": workspace_id, "service_name": service_name, "tail_lines": tail_lines, "all": all, "follow": follow})
        return response

    async def stop_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Stop a service of a workspace

        It gets SIGTERM, and is killed with all that it has started if it has not ended after 10 seconds.
        One that does not run is left as it is; its output can still be read. Ports that were published
        with it are free then.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started with its workspace.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it runs, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: What it has to do to be ready; null if it is ready at once.
                ready_at: When it was ready; null if it never was.
                restart: Whether it is started again when it fails: `no` or `on-failure`.
                restart_count: How often it was started again in a row.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_stop", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    async def delete_workspace(self, workspace_id: str) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, whatever it is doing

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace that is gone.
                deleted: Whether it is gone.
                reason: Why.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDeleted = await self._call("workspace_delete", {"workspace_id": workspace_id})
        return response

    async def pull_environment(self, environment: str) -> results.Pulled:
        """Install an environment, or check that it is installed

        It is built from the Debian archive that the machine's apt is configured for, which takes
        about half a minute. An installed environment that is complete and unaltered is left as it is.

        Args:
            environment: Environment to install, for example `debian:12`

        Returns:
            An installed environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                kernel_image: Its kernel.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                rootfs_image: The image of its root file system.
                source: Where it came from.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pulled = await self._call("env_pull", {"environment": environment})
        return response

    async def inspect_environment(self, environment: str) -> results.Environment:
        """Show what an environment consists of and where it is installed

        Args:
            environment: Environment to show, for example `debian:12`

        Returns:
            What is known about one environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages it promises.
                description: What it is for.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: Where it is, or would be, installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: Reference of a published image.
                oci_registry: Registry of a published image; null: it is built from the distribution's archive.
                oci_repository: Repository of a published image.
                platform: The platform it runs on.
                source_digest: SHA-256 of its recipe, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Environment = await self._call("env_inspect", {"environment": environment})
        return response

    async def prune_environments(self) -> results.Pruned:
        """Remove cached environments, kernels and templates that are incomplete, damaged or outdated

        A complete environment of the current catalog is never removed.

        Returns:
            What was removed.
                count: How many they are.
                deleted_environment_dirs: Names of the removed directories, sorted.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pruned = await self._call("env_prune", {})
        return response

    async def list_vms(self) -> results.Vms:
        """List the VMs that outlive their calls

        Returns:
            All VMs.
                count: How many there are.
                vms: The VMs, the newest first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vms = await self._call("vm_list", {})
        return response

    async def doctor(self, *, platform: str = "linux-x86_64", boot: bool = False) -> results.Report:
        """Check whether this machine can run guests, and say what is missing

        Exits with 0 only if a guest can run. `boot` proves it by booting one.

        Args:
            platform: Platform to check
            boot: Boot a guest, building its environment first if need be

        Returns:
            What was found.
                accelerator: The accelerator for guests.
                boot: The guest that was booted, if one was asked for.
                build_requirements: Programs that environments are built with.
                disk: Directories and their free space.
                isolation: What is between the VMM and the host, piece by piece.
                issues: What is wrong or could be better.
                kernels: Kernels in the cache.
                kvm: The KVM device.
                networking: What networking needs, or might need.
                parked_machines: Machines that are kept ahead of their use at this moment.
                platform: The platform.
                qemu: The VMM.
                remedies: What to do about it, command by command.
                runtime: What guests consist of.
                runtime_ok: Whether a guest can run.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Report = await self._call("doctor", {"platform": platform, "boot": boot})
        return response

    async def demo(self, *, network: bool = False) -> results.Demonstration:
        """Show what pyro does: run git in a fresh microVM

        The result is that of `run`. At a terminal each step is shown as it is made; elsewhere, and with
        `--json`, the result is printed as JSON.

        With `network`, a second microVM then asks https://example.com/ for a page, and the result is
        what that one printed: the status of the answer. Where the outside cannot be reached, the result
        is the first one's and says why.

        Args:
            network: Show that a guest can reach the Internet, too

        Returns:
            What was shown.
                cleanup: What became of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                network_unreachable: Present if the outside was to be reached and cannot be: why.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Demonstration = await self._call("demo", {"network": network})
        return response

    async def demo_ollama(self, *, base_url: str = "http://localhost:11434/v1", model: str = "llama3.2:3b", timeout_seconds: int = 90, stream: bool = False) -> results.ModelRun:
        """Let a language model run a command in a microVM, with the tools that an agent has

        The model's server is Ollama or any other that has OpenAI's chat completions with tools; it is
        asked directly, not through a proxy, and with the key in PYRO_MODEL_API_KEY, if there is one. The
        model is asked to clone a git repository in a guest and to see whether that worked. It may call
        a few tools on microVMs and has nothing else: no command runs on the host, no file of the host
        is read, and the microVMs that it leaves are deleted. A call that cannot be meant is answered
        with what is wrong.

        It succeeds if the last command that the model ran printed what it should. It fails if there was
        none, if it printed something else, if the model still calls tools after 12 rounds, or if its
        server gives no reply.

        Args:
            base_url: Address of the model's server, to which `/chat/completions` is added
            model: The model, by the server's name for it; it has to support tools
            timeout_seconds: Seconds that the model may take for a reply, or for each piece of one that comes in pieces
            stream: Ask for replies in pieces, as the model makes them

        Returns:
            What a model had run.
                cleanup: What became of the microVM.
                command: The command.
                corrected: Present if it called a tool in vain at least once.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                fallback_used: Always false: nothing is run in the model's place.
                model: The model.
                oom_killed: Present if the command did not end well, and the guest's kernel killed a process of it
            because the memory was used up.
                rounds: How many replies it gave.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: how many bytes there were before some were replaced.
                stderr_truncated_from_bytes: Present if not all of it is in `stderr`: how many bytes there were.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: how many bytes there were before some were replaced.
                stdout_truncated_from_bytes: Present if not all of it is in `stdout`: how many bytes there were.
                timed_out: Present if the command was ended at its time limit.
                tool_calls: How many calls of tools it asked for.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ModelRun = await self._call("demo_ollama", {"base_url": base_url, "model": model, "timeout_seconds": timeout_seconds, "stream": stream})
        return response


class WorkspaceOperations:
    """Every operation on a workspace as a method of it."""

    _pyro: Operations
    id: str

    def update(self, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace: see `Pyro.update_workspace`."""
        return self._pyro.update_workspace(self.id, name=name, clear_name=clear_name, labels=labels, clear_labels=clear_labels)

    def exec(self, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace, in /workspace: see `Pyro.exec_workspace`."""
        return self._pyro.exec_workspace(self.id, command=command, env=env, cwd=cwd, user=user, secret_env=secret_env, detach=detach, timeout_seconds=timeout_seconds, stdin=stdin)

    def wait(self, sequence: int, *, timeout_seconds: int | None = None) -> results.ExecResult:
        """Wait for the end of a command in a workspace, and return its exit code: see `Pyro.wait_command`."""
        return self._pyro.wait_command(self.id, sequence, timeout_seconds=timeout_seconds)

    def kill(self, sequence: int, *, signal: str = "KILL") -> results.Killed:
        """Send a signal to a command in a workspace: see `Pyro.kill_command`."""
        return self._pyro.kill_command(self.id, sequence, signal=signal)

    def push_sync(self, source_path: str | os.PathLike[str], *, dest: str = "/workspace", exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Pushed:
        """Copy files into a started workspace: see `Pyro.push_workspace_sync`."""
        return self._pyro.push_workspace_sync(self.id, source_path, dest=dest, exclude=exclude, exclude_from=exclude_from, git_ignored=git_ignored, unreadable=unreadable)

    def pull_sync(self, *, target_path: str | os.PathLike[str] | None = None, paths: list[str] = [], on_conflict: str = "fail", check: bool = False, undo: bool = False) -> results.PulledChanges:
        """Bring what was changed in a started workspace into a directory of this host: see `Pyro.pull_workspace_sync`."""
        return self._pyro.pull_workspace_sync(self.id, target_path=target_path, paths=paths, on_conflict=on_conflict, check=check, undo=undo)

    def status(self) -> results.Workspace:
        """Show what a workspace is doing: see `Pyro.status_workspace`."""
        return self._pyro.status_workspace(self.id)

    def stop(self) -> results.Workspace:
        """Stop a workspace in order; its files and logs are kept: see `Pyro.stop_workspace`."""
        return self._pyro.stop_workspace(self.id)

    def start(self, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files: see `Pyro.start_workspace`."""
        return self._pyro.start_workspace(self.id, secrets=secrets)

    def logs(self, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output: see `Pyro.read_workspace_logs`."""
        return self._pyro.read_workspace_logs(self.id, sequence=sequence, tail=tail, follow=follow, offset=offset, limit=limit)

    def export(self, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace: see `Pyro.export_workspace`."""
        return self._pyro.export_workspace(self.id, path, output_path=output_path, force=force)

    def diff(self, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot: see `Pyro.diff_workspace`."""
        return self._pyro.diff_workspace(self.id, paths=paths, name_only=name_only, against=against)

    def list_files(self, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace: see `Pyro.list_workspace_files`."""
        return self._pyro.list_workspace_files(self.id, path=path, recursive=recursive)

    def read_file(self, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file of a started workspace: see `Pyro.read_workspace_file`."""
        return self._pyro.read_workspace_file(self.id, path, offset=offset, max_bytes=max_bytes, base64=base64)

    def write_file(self, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace: see `Pyro.write_workspace_file`."""
        return self._pyro.write_workspace_file(self.id, path, text=text, text_file=text_file, base64=base64, mode=mode, if_match=if_match)

    def apply_patch(self, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace: see `Pyro.apply_workspace_patch`."""
        return self._pyro.apply_workspace_patch(self.id, patch=patch, patch_file=patch_file, strip=strip, check=check)

    def export_disk(self, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image: see `Pyro.export_workspace_disk`."""
        return self._pyro.export_workspace_disk(self.id, output_path=output_path, force=force)

    def list_disk(self, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace: see `Pyro.list_workspace_disk`."""
        return self._pyro.list_workspace_disk(self.id, path=path, recursive=recursive)

    def read_disk(self, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file on the disk of a stopped workspace: see `Pyro.read_workspace_disk`."""
        return self._pyro.read_workspace_disk(self.id, path, offset=offset, max_bytes=max_bytes, base64=base64)

    def create_snapshot(self, snapshot_name: str) -> results.Created:
        """Save what was written in a workspace, to come back to it with `reset_workspace`: see `Pyro.create_snapshot`."""
        return self._pyro.create_snapshot(self.id, snapshot_name)

    def list_snapshots(self) -> results.Snapshots:
        """List the snapshots of a workspace: see `Pyro.list_snapshots`."""
        return self._pyro.list_snapshots(self.id)

    def delete_snapshot(self, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace: see `Pyro.delete_snapshot`."""
        return self._pyro.delete_snapshot(self.id, snapshot_name)

    def reset(self, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Throw away what was done in a workspace, back to how it began or to a snapshot: see `Pyro.reset_workspace`."""
        return self._pyro.reset_workspace(self.id, snapshot=snapshot, secrets=secrets)

    def add_port(self, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host: see `Pyro.add_workspace_port`."""
        return self._pyro.add_workspace_port(self.id, port)

    def list_ports(self) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host: see `Pyro.list_workspace_ports`."""
        return self._pyro.list_workspace_ports(self.id)

    def remove_port(self, host_port: int) -> results.RemovedPort:
        """Publish a port of a workspace no more: see `Pyro.remove_workspace_port`."""
        return self._pyro.remove_workspace_port(self.id, host_port)

    def open_shell(self, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open a shell in a workspace: a terminal that stays, with what runs in it: see `Pyro.open_shell`."""
        return self._pyro.open_shell(self.id, cwd=cwd, cols=cols, rows=rows, env=env, secret_env=secret_env, user=user)

    def list_shells(self) -> results.Shells:
        """List the shells of a workspace, those that have ended among them: see `Pyro.list_shells`."""
        return self._pyro.list_shells(self.id)

    def read_shell(self, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read what a shell has printed: see `Pyro.read_shell`."""
        return self._pyro.read_shell(self.id, shell_id, cursor=cursor, max_chars=max_chars, plain=plain, wait_for_idle_ms=wait_for_idle_ms, wait_for=wait_for, wait_seconds=wait_seconds)

    def write_shell(self, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type something into a shell, and Enter: see `Pyro.write_shell`."""
        return self._pyro.write_shell(self.id, shell_id, input=input, append_newline=append_newline)

    def signal_shell(self, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to what runs in a shell: see `Pyro.signal_shell`."""
        return self._pyro.signal_shell(self.id, shell_id, signal_name=signal_name)

    def resize_shell(self, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal: see `Pyro.resize_shell`."""
        return self._pyro.resize_shell(self.id, shell_id, cols=cols, rows=rows)

    def close_shell(self, shell_id: str) -> results.ClosedShell:
        """End a shell with all that runs in it: see `Pyro.close_shell`."""
        return self._pyro.close_shell(self.id, shell_id)

    def attach_shell(self, shell_id: str) -> results.Shell:
        """Connect this terminal to a shell, until the shell ends or Ctrl-] is typed: see `Pyro.attach_shell`."""
        return self._pyro.attach_shell(self.id, shell_id)

    def start_service(self, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped: see `Pyro.start_service`."""
        return self._pyro.start_service(self.id, service_name, command=command, cwd=cwd, env=env, secret_env=secret_env, user=user, ready_file=ready_file, ready_tcp=ready_tcp, ready_http=ready_http, ready_command=ready_command, ready_timeout_seconds=ready_timeout_seconds, ready_interval_ms=ready_interval_ms, published_ports=published_ports, restart=restart, max_restarts=max_restarts, pausable=pausable, autostart=autostart, readiness=readiness)

    def list_services(self) -> results.Services:
        """List the services of a workspace, those that have ended among them: see `Pyro.list_services`."""
        return self._pyro.list_services(self.id)

    def status_service(self, service_name: str) -> results.Service:
        """Show a service of a workspace: its state, and why it ended if it has: see `Pyro.status_service`."""
        return self._pyro.status_service(self.id, service_name)

    def logs_service(self, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show what a service has printed: see `Pyro.logs_service`."""
        return self._pyro.logs_service(self.id, service_name, tail_lines=tail_lines, all=all, follow=follow)

    def stop_service(self, service_name: str) -> results.Service:
        """Stop a service of a workspace: see `Pyro.stop_service`."""
        return self._pyro.stop_service(self.id, service_name)

    def delete(self) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, whatever it is doing: see `Pyro.delete_workspace`."""
        return self._pyro.delete_workspace(self.id)


class AsyncWorkspaceOperations:
    """Every operation on a workspace as a method of it to await."""

    _pyro: AsyncOperations
    id: str

    async def update(self, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace: see `Pyro.update_workspace`."""
        return await self._pyro.update_workspace(self.id, name=name, clear_name=clear_name, labels=labels, clear_labels=clear_labels)

    async def exec(self, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace, in /workspace: see `Pyro.exec_workspace`."""
        return await self._pyro.exec_workspace(self.id, command=command, env=env, cwd=cwd, user=user, secret_env=secret_env, detach=detach, timeout_seconds=timeout_seconds, stdin=stdin)

    async def wait(self, sequence: int, *, timeout_seconds: int | None = None) -> results.ExecResult:
        """Wait for the end of a command in a workspace, and return its exit code: see `Pyro.wait_command`."""
        return await self._pyro.wait_command(self.id, sequence, timeout_seconds=timeout_seconds)

    async def kill(self, sequence: int, *, signal: str = "KILL") -> results.Killed:
        """Send a signal to a command in a workspace: see `Pyro.kill_command`."""
        return await self._pyro.kill_command(self.id, sequence, signal=signal)

    async def push_sync(self, source_path: str | os.PathLike[str], *, dest: str = "/workspace", exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail") -> results.Pushed:
        """Copy files into a started workspace: see `Pyro.push_workspace_sync`."""
        return await self._pyro.push_workspace_sync(self.id, source_path, dest=dest, exclude=exclude, exclude_from=exclude_from, git_ignored=git_ignored, unreadable=unreadable)

    async def pull_sync(self, *, target_path: str | os.PathLike[str] | None = None, paths: list[str] = [], on_conflict: str = "fail", check: bool = False, undo: bool = False) -> results.PulledChanges:
        """Bring what was changed in a started workspace into a directory of this host: see `Pyro.pull_workspace_sync`."""
        return await self._pyro.pull_workspace_sync(self.id, target_path=target_path, paths=paths, on_conflict=on_conflict, check=check, undo=undo)

    async def status(self) -> results.Workspace:
        """Show what a workspace is doing: see `Pyro.status_workspace`."""
        return await self._pyro.status_workspace(self.id)

    async def stop(self) -> results.Workspace:
        """Stop a workspace in order; its files and logs are kept: see `Pyro.stop_workspace`."""
        return await self._pyro.stop_workspace(self.id)

    async def start(self, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files: see `Pyro.start_workspace`."""
        return await self._pyro.start_workspace(self.id, secrets=secrets)

    async def logs(self, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show what was run in a workspace, with its output: see `Pyro.read_workspace_logs`."""
        return await self._pyro.read_workspace_logs(self.id, sequence=sequence, tail=tail, follow=follow, offset=offset, limit=limit)

    async def export(self, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace: see `Pyro.export_workspace`."""
        return await self._pyro.export_workspace(self.id, path, output_path=output_path, force=force)

    async def diff(self, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot: see `Pyro.diff_workspace`."""
        return await self._pyro.diff_workspace(self.id, paths=paths, name_only=name_only, against=against)

    async def list_files(self, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace: see `Pyro.list_workspace_files`."""
        return await self._pyro.list_workspace_files(self.id, path=path, recursive=recursive)

    async def read_file(self, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file of a started workspace: see `Pyro.read_workspace_file`."""
        return await self._pyro.read_workspace_file(self.id, path, offset=offset, max_bytes=max_bytes, base64=base64)

    async def write_file(self, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace: see `Pyro.write_workspace_file`."""
        return await self._pyro.write_workspace_file(self.id, path, text=text, text_file=text_file, base64=base64, mode=mode, if_match=if_match)

    async def apply_patch(self, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace: see `Pyro.apply_workspace_patch`."""
        return await self._pyro.apply_workspace_patch(self.id, patch=patch, patch_file=patch_file, strip=strip, check=check)

    async def export_disk(self, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image: see `Pyro.export_workspace_disk`."""
        return await self._pyro.export_workspace_disk(self.id, output_path=output_path, force=force)

    async def list_disk(self, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace: see `Pyro.list_workspace_disk`."""
        return await self._pyro.list_workspace_disk(self.id, path=path, recursive=recursive)

    async def read_disk(self, path: str, *, offset: int = 0, max_bytes: int = 65536, base64: bool = False) -> results.FileContent:
        """Read a file on the disk of a stopped workspace: see `Pyro.read_workspace_disk`."""
        return await self._pyro.read_workspace_disk(self.id, path, offset=offset, max_bytes=max_bytes, base64=base64)

    async def create_snapshot(self, snapshot_name: str) -> results.Created:
        """Save what was written in a workspace, to come back to it with `reset_workspace`: see `Pyro.create_snapshot`."""
        return await self._pyro.create_snapshot(self.id, snapshot_name)

    async def list_snapshots(self) -> results.Snapshots:
        """List the snapshots of a workspace: see `Pyro.list_snapshots`."""
        return await self._pyro.list_snapshots(self.id)

    async def delete_snapshot(self, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace: see `Pyro.delete_snapshot`."""
        return await self._pyro.delete_snapshot(self.id, snapshot_name)

    async def reset(self, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Throw away what was done in a workspace, back to how it began or to a snapshot: see `Pyro.reset_workspace`."""
        return await self._pyro.reset_workspace(self.id, snapshot=snapshot, secrets=secrets)

    async def add_port(self, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host: see `Pyro.add_workspace_port`."""
        return await self._pyro.add_workspace_port(self.id, port)

    async def list_ports(self) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host: see `Pyro.list_workspace_ports`."""
        return await self._pyro.list_workspace_ports(self.id)

    async def remove_port(self, host_port: int) -> results.RemovedPort:
        """Publish a port of a workspace no more: see `Pyro.remove_workspace_port`."""
        return await self._pyro.remove_workspace_port(self.id, host_port)

    async def open_shell(self, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open a shell in a workspace: a terminal that stays, with what runs in it: see `Pyro.open_shell`."""
        return await self._pyro.open_shell(self.id, cwd=cwd, cols=cols, rows=rows, env=env, secret_env=secret_env, user=user)

    async def list_shells(self) -> results.Shells:
        """List the shells of a workspace, those that have ended among them: see `Pyro.list_shells`."""
        return await self._pyro.list_shells(self.id)

    async def read_shell(self, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read what a shell has printed: see `Pyro.read_shell`."""
        return await self._pyro.read_shell(self.id, shell_id, cursor=cursor, max_chars=max_chars, plain=plain, wait_for_idle_ms=wait_for_idle_ms, wait_for=wait_for, wait_seconds=wait_seconds)

    async def write_shell(self, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type something into a shell, and Enter: see `Pyro.write_shell`."""
        return await self._pyro.write_shell(self.id, shell_id, input=input, append_newline=append_newline)

    async def signal_shell(self, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to what runs in a shell: see `Pyro.signal_shell`."""
        return await self._pyro.signal_shell(self.id, shell_id, signal_name=signal_name)

    async def resize_shell(self, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal: see `Pyro.resize_shell`."""
        return await self._pyro.resize_shell(self.id, shell_id, cols=cols, rows=rows)

    async def close_shell(self, shell_id: str) -> results.ClosedShell:
        """End a shell with all that runs in it: see `Pyro.close_shell`."""
        return await self._pyro.close_shell(self.id, shell_id)

    async def attach_shell(self, shell_id: str) -> results.Shell:
        """Connect this terminal to a shell, until the shell ends or Ctrl-] is typed: see `Pyro.attach_shell`."""
        return await self._pyro.attach_shell(self.id, shell_id)

    async def start_service(self, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped: see `Pyro.start_service`."""
        return await self._pyro.start_service(self.id, service_name, command=command, cwd=cwd, env=env, secret_env=secret_env, user=user, ready_file=ready_file, ready_tcp=ready_tcp, ready_http=ready_http, ready_command=ready_command, ready_timeout_seconds=ready_timeout_seconds, ready_interval_ms=ready_interval_ms, published_ports=published_ports, restart=restart, max_restarts=max_restarts, pausable=pausable, autostart=autostart, readiness=readiness)

    async def list_services(self) -> results.Services:
        """List the services of a workspace, those that have ended among them: see `Pyro.list_services`."""
        return await self._pyro.list_services(self.id)

    async def status_service(self, service_name: str) -> results.Service:
        """Show a service of a workspace: its state, and why it ended if it has: see `Pyro.status_service`."""
        return await self._pyro.status_service(self.id, service_name)

    async def logs_service(self, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show what a service has printed: see `Pyro.logs_service`."""
        return await self._pyro.logs_service(self.id, service_name, tail_lines=tail_lines, all=all, follow=follow)

    async def stop_service(self, service_name: str) -> results.Service:
        """Stop a service of a workspace: see `Pyro.stop_service`."""
        return await self._pyro.stop_service(self.id, service_name)

    async def delete(self) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, whatever it is doing: see `Pyro.delete_workspace`."""
        return await self._pyro.delete_workspace(self.id)

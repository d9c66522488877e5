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
    "env_build": "build_environment",
    "env_save": "save_environment",
    "env_export": "export_environment",
    "env_remove": "remove_environment",
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

    def run_in_vm(self, *, environment: str, command: str, with_entrypoint: bool = False, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, vcpu_count: int = 1, mem_mib: int = 1024, timeout_seconds: int = 30, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, pull: str = "missing", stdin: str | None = None) -> results.RunResult:
        """Run one command in a new microVM, then discard the microVM

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it.

        With `allow_host_compat`, on a host that cannot run guests, the command runs on the host itself,
        WITHOUT ISOLATION, and may destroy the user's files.

        Args:
            environment: Environment to boot, for example `debian:12`
            command: Shell command to run, for example `git --version`; without one, what the image of a registry
                is made to run
            with_entrypoint: Run the image's entry point with the command as its arguments
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with a
                terminal, which have no limit by default
            ttl_seconds: Seconds after which the microVM is ended even if the command is running; 60 to 3600; with a
                terminal, the default is 3600 instead of 600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Run the command on the host, WITHOUT ISOLATION, if this host cannot run guests
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = self._call("vm_run", {"environment": environment, "command": command, "with_entrypoint": with_entrypoint, "env": env, "cwd": cwd, "user": user, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "timeout_seconds": timeout_seconds, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "pull": pull, "stdin": stdin})
        return response

    def list_environments(self) -> list[results.Environment]:
        """List the environments that can be booted and whether each is installed

        Returns:
            The environments, by name.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: list[results.Environment] = (self._call("vm_list_environments", {}))["environments"]
        return response

    def create_vm(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, pull: str = "missing") -> results.Vm:
        """Create a VM that outlives this call, without starting it

        The VM exists until it is deleted or its time to live is over. Any process of the same user can
        use it by its id.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Time to live in seconds, after which the VM is deleted even if a command is running; 60 to
                3600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "pull": pull})
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
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
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
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with a
                terminal, which have no limit by default
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = self._call("vm_exec", {"vm_id": vm_id, "command": command, "env": env, "cwd": cwd, "user": user, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    def stop_vm(self, vm_id: str) -> results.Vm:
        """Shut down a VM; its files are kept and it can be started again

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = self._call("vm_stop", {"vm_id": vm_id})
        return response

    def delete_vm(self, vm_id: str) -> results.Deleted:
        """Delete a VM with everything in it, even if a command is running

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A deleted VM.
                deleted: Whether it was deleted.
                reason: Why.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Deleted = self._call("vm_delete", {"vm_id": vm_id})
        return response

    def status_vm(self, vm_id: str) -> results.Vm:
        """Show the state of a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
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
            The network of a VM. A VM without a network has no addresses, but a reason.
                dns_servers: Its name servers.
                gateway_ip: Its default gateway.
                guest_ip: Its own address.
                mac_address: The hardware address of its network card.
                network_enabled: Whether it has access to the network.
                outbound_connectivity_expected: Whether outgoing connections should work.
                reason: Why there is no network.
                subnet_cidr: Its subnet.
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

        The VMs ended when their time was over, and their disks were removed then; this removes their
        records.

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

    def create_workspace(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, network_policy: str | None = None, published_ports: list[str | int] | None = None, allow_host_compat: bool = False, seed_path: str | os.PathLike[str] | None = None, from_snapshot: str | None = None, name: str | None = None, labels: dict[str, str] | None = None, secrets: list[dict[str, object]] | None = None, exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail", pull: str = "missing") -> results.Workspace:
        """Create and start a workspace: a microVM for many commands

        Its files are in /workspace, which is empty at first unless seed_path is given. The workspace
        exists until it is deleted or its time to live is over; while nothing runs in it, it is paused
        and uses no processor time. Any process of the same user can use it by its id.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Time to live in seconds, after which the workspace ends even if commands are running; at
                least 60, or 0 for no limit
            network: Let the guest reach the Internet, but neither this host nor private networks
            network_policy: Network policy: `off`; `egress`, the same as network; or `egress+published-ports`. Ports
                can be published with any of them
            published_ports: Publish a TCP port of the guest on this host. The default address is the loopback address;
                the default host port is a free one (1025 to 65535)
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            seed_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy into the new
                workspace
            from_snapshot: Begin with the files of a snapshot of another workspace of this environment, `ID:NAME`;
                `ID:baseline` has the files that workspace began with
            name: Name of up to 120 characters, shown in lists; it need not be unique
            labels: Labels, each a key with a value: `issue=123`
            secrets: Secrets of the workspace: files in /run/pyro-secrets that only root can read, in the guest's
                memory
            exclude: Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
                `/build`; the last matching pattern decides
            exclude_from: Leave out files that match a pattern in this file, which has one pattern on each line
            git_ignored: Whether to copy files that git ignores, according to the .gitignore files of the directory:
                `include` or `exclude`
            unreadable: What to do with files that cannot be read: `fail`, or `skip` them
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "network_policy": network_policy, "published_ports": published_ports, "allow_host_compat": allow_host_compat, "seed_path": seed_path, "from_snapshot": from_snapshot, "name": name, "labels": labels, "secrets": secrets, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable, "pull": pull})
        return response

    def list_workspaces(self) -> results.Workspaces:
        """List the workspaces, the most recently used first

        Returns:
            All workspaces.
                count: How many there are.
                workspaces: The workspaces, the most recently used first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspaces = self._call("workspace_list", {})
        return response

    def update_workspace(self, workspace_id: str, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace

        Name and labels are changed together or not at all; a request that would change nothing is
        refused. Other labels are kept. Running commands are not affected.

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
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_update", {"workspace_id": workspace_id, "name": name, "clear_name": clear_name, "labels": labels, "clear_labels": clear_labels})
        return response

    def exec_workspace(self, workspace_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace

        The command's output is kept in the workspace's log. Its exit code is returned: 124 if it was
        ended at its time limit, 128 + N if signal N ended it. Many commands may run at once. Each starts
        anew in its directory: a `cd` and variables of one do not reach the next. A command keeps running if
        its client dies; the workspace's log shows its output.

        With `detach`, the call returns the command's number at once and the command runs in the
        background: `read_workspace_logs` shows its output, `wait_command` waits for its end, `kill_command` ends it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            command: Shell command to run, for example `make test`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path, or one relative to /workspace, which is the default
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            detach: Return the command's number at once, and run the command in the background
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with
                `detach` or a terminal, which have no limit by default
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command is still running.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it is still running.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
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

        The output is not shown: use `read_workspace_logs`. If the wait ends at its limit, the command keeps
        running and no exit code is returned.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it
            timeout_seconds: Maximum number of seconds to wait; no limit if not given

        Returns:
            The result of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command is still running.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it is still running.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
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

        KILL ends the command with all its processes; any other signal goes to the command's process
        group. If the command has already ended, nothing is done.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` or `read_workspace_logs` returned it
            signal: Signal name or number

        Returns:
            The result of sending a signal.
                sent: Whether the signal was sent: false if the command had already ended.
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

        Either all files are copied or none: they are unpacked into a staging directory first, then
        moved into place. Existing files that are not in the source are kept.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            source_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy
            dest: Directory in the workspace to copy into, absolute or relative to /workspace
            exclude: Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
                `/build`; the last matching pattern decides
            exclude_from: Leave out files that match a pattern in this file, which has one pattern on each line
            git_ignored: Whether to copy files that git ignores, according to the .gitignore files of the directory:
                `include` or `exclude`
            unreadable: What to do with files that cannot be read: `fail`, or `skip` them

        Returns:
            The result of a push.
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
        """Show the state of a workspace

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_status", {"workspace_id": workspace_id})
        return response

    def stop_workspace(self, workspace_id: str) -> results.Workspace:
        """Shut down a workspace; its files and logs are kept

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

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
            secrets: Secrets of the workspace; they are not stored on the host's disk, so the previous ones were lost
                when it stopped

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = self._call("workspace_start", {"workspace_id": workspace_id, "secrets": secrets})
        return response

    def logs_workspace(self, workspace_id: str) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output

        Logs are kept until the workspace is deleted, even if it has stopped or its time to live is
        over. 4 GiB of output are kept; beyond that, the output of the oldest commands is removed first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The commands of a workspace.
                count: How many commands are in this result.
                entries: The commands, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = self._call("workspace_logs", {"workspace_id": workspace_id})
        return response

    def read_workspace_logs(self, workspace_id: str, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output

        Logs are kept until the workspace is deleted, even if it has stopped or its time to live is
        over. 4 GiB of output are kept; beyond that, the output of the oldest commands is removed first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Show only the command with this number
            tail: Show only the last N commands
            follow: Show the output of one command as it is printed, from its beginning until the command ends:
                of command sequence, or of the newest one
            offset: Skip this many bytes of each output
            limit: Show at most this many bytes of each output, and 32 MiB of all outputs: the newest first

        Returns:
            The commands of a workspace.
                count: How many commands are in this result.
                entries: The commands, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = self._call("workspace_logs", {"workspace_id": workspace_id, "sequence": sequence, "tail": tail, "follow": follow, "offset": offset, "limit": limit})
        return response

    def export_workspace(self, workspace_id: str, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace

        The copy appears at the output path only when it is complete. Permissions, modification times
        and links are kept; you own all files, and setuid, setgid and sticky bits are dropped. Devices,
        pipes and sockets are left out. If the output path ends in .tar, .tar.gz, .tgz or .tar.zst, the
        output is an archive whose members begin with the last component of the exported path; only a
        file that has such a name itself is copied unchanged.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Path to copy, absolute or relative to /workspace; a symbolic link is copied as a link
            output_path: Path of the copy on this host; its directory must exist
            force: Replace an existing file or directory at the output path, with everything in it

        Returns:
            What was copied.
                artifact_type: `file`, `directory` or `symlink`.
                bytes_written: The total size of its files, in bytes.
                changed_count: Present if files grew or shrank while they were read: how many. Each copy has the size that
            the file had first.
                entry_count: How many files, directories and links were copied.
                execution_mode: Where the workspace runs.
                left_out_count: Present if there were devices, pipes or sockets, which are not copied: how many.
                output_path: The path of the copy on this host.
                workspace_id: The workspace.
                workspace_path: The absolute path in the guest.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Exported = self._call("workspace_export", {"workspace_id": workspace_id, "path": path, "output_path": output_path, "force": force})
        return response

    def diff_workspace(self, workspace_id: str, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot

        The workspace is compared with its seed (or with an empty directory), or with a snapshot. The
        patch is complete, including binary files and symbolic links: `git apply` turns a copy of the
        seed or snapshot into the workspace's current files. Changes that a git patch cannot express are
        only listed: directories, devices, permissions other than `x`. The contents of `.git`
        directories are left out. The workspace may be stopped. In this case, and for a snapshot, a
        temporary microVM without a network compares copies of the disks, and no program of the
        workspace runs in it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            paths: Path to compare, absolute or relative to /workspace; without one, all of /workspace
            name_only: Only list the paths that differ; no contents are read, and there is no patch
            against: Snapshot to compare with; `baseline` has the files that the workspace began with

        Returns:
            What was changed in a workspace.
                against: The snapshot that it was compared with; `baseline` has the files that it began with.
                changed: Whether anything was changed.
                changed_count: Present if files grew or shrank while they were read: how many. The patch may not have their
            current content.
                entries: The differences, sorted by path.
                git_entries_left_out: Present if there are differences in `.git` directories, which are left out: how many.
                patch: All differences that git can express, as a patch for `git apply`.
                patch_base64: Present if `patch` is not exact, because bytes that are not UTF-8 were replaced: the exact
            patch, in Base64.
                summary: How many entries were changed, by kind of change.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDiff = self._call("workspace_diff", {"workspace_id": workspace_id, "paths": paths, "name_only": name_only, "against": against})
        return response

    def list_workspace_files(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace

        Symbolic links are listed and not followed, unless the path itself is one. A paused workspace is
        resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List subdirectories recursively

        Returns:
            The contents of a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether subdirectories were listed recursively.
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

        Only the requested part is read, however large the file is. A symbolic link is followed if its
        target is in /workspace. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte offset in the file at which to begin
            max_bytes: Maximum number of bytes to read, 1 to 1048576
            base64: Also return the exact bytes, in Base64

        Returns:
            The content of a file.
                content: The content as text.
                content_base64: Present if it was requested: the exact content, in Base64.
                content_lossy: Present if `content` is not exact, because bytes that are not UTF-8 were replaced.
                max_bytes: The maximum number of bytes that was requested.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if the file continues: the byte offset of the next part.
                offset: The byte offset at which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: The size of the whole file in bytes.
                truncated: Whether the file continues after this part.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = self._call("workspace_file_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    def write_workspace_file(self, workspace_id: str, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace

        The file is replaced atomically: it has either its old content or all of the new content. An
        existing file keeps its mode and owner; missing directories are created. When the call returns,
        the content is on the workspace's disk. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            text: New content of the file, as text
            text_file: File on this host with the new content; `-` is standard input
            base64: New content of the file, in Base64
            mode: Permissions of the file, in octal digits; a new file gets 0644 by default
            if_match: Write only if the current content of the file has this SHA-256, in hexadecimal; with
                `missing`, only if the file does not exist

        Returns:
            A file that was written.
                bytes_written: How many bytes were written: the whole content.
                created: Whether the file did not exist before.
                execution_mode: Where it was written.
                mode: Its permissions, in octal digits, for example `0644`.
                path: The file's absolute path.
                sha256: SHA-256 of its content, in hexadecimal, as `if_match` takes it.
                size_bytes: Its size in bytes.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WrittenFile = self._call("workspace_file_write", {"workspace_id": workspace_id, "path": path, "text": text, "text_file": text_file, "base64": base64, "mode": mode, "if_match": if_match})
        return response

    def apply_workspace_patch(self, workspace_id: str, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace

        The patch has the format of `git diff`, with new, deleted, renamed and copied files, permissions,
        symbolic links and binary files, or that of `diff -u`. Either the whole patch is applied or
        nothing. A hunk may apply at another line than the patch says, but its context and removed lines
        must match exactly. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            patch: The patch, with paths relative to /workspace
            patch_file: File on this host with the patch; `-` is standard input
            strip: How many leading components of each path to remove; by default, the prefixes that git adds
            check: Only check whether the patch applies

        Returns:
            A patch that was applied.
                changed: Whether any file was changed, or would be.
                check: Whether the patch was only checked and nothing was changed.
                entries: The changes, sorted by path.
                execution_mode: Where it was applied.
                moved: Hunks that were applied at another line than the patch says.
                summary: How many files were changed, by kind of change.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AppliedPatch = self._call("workspace_patch_apply", {"workspace_id": workspace_id, "patch": patch, "patch_file": patch_file, "strip": strip, "check": check})
        return response

    def export_workspace_disk(self, workspace_id: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image

        The image contains the environment and everything that was written, with owners, permissions,
        links and devices, and depends on no other file. It is sparse. No program of the workspace runs:
        a temporary microVM without a network makes the image. The file appears at the output path only
        when it is complete.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            output_path: Path of the image on this host; its directory must exist
            force: Replace an existing file or directory at the output path, with everything in it

        Returns:
            An image that was exported.
                bytes_written: How many bytes the image occupies on the host's disk.
                disk_format: `ext4`.
                entry_count: How many files, directories, links and other entries it has.
                output_path: The path of the image on this host.
                size_bytes: The length of the image in bytes, holes included.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.DiskExport = self._call("workspace_disk_export", {"workspace_id": workspace_id, "output_path": output_path, "force": force})
        return response

    def list_workspace_disk(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace

        The path may be anywhere in the root file system, not only in /workspace. No program of the
        workspace runs: a temporary microVM without a network reads a copy of the disk. Symbolic links
        are listed and not followed, unless the path itself is one.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List subdirectories recursively

        Returns:
            The contents of a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether subdirectories were listed recursively.
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

        The file may be anywhere in the root file system, not only in /workspace. No program of the
        workspace runs: a temporary microVM without a network reads a copy of the disk. A symbolic link
        is followed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte offset in the file at which to begin
            max_bytes: Maximum number of bytes to read, at most 16 MiB
            base64: Also return the exact bytes, in Base64

        Returns:
            The content of a file.
                content: The content as text.
                content_base64: Present if it was requested: the exact content, in Base64.
                content_lossy: Present if `content` is not exact, because bytes that are not UTF-8 were replaced.
                max_bytes: The maximum number of bytes that was requested.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if the file continues: the byte offset of the next part.
                offset: The byte offset at which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: The size of the whole file in bytes.
                truncated: Whether the file continues after this part.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = self._call("workspace_disk_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    def create_snapshot(self, workspace_id: str, snapshot_name: str) -> results.Created:
        """Save the files of a workspace, to restore them later with `reset_workspace`

        Everything that was written to its root file system is saved, in /workspace and elsewhere,
        installed packages included; running processes are not. The workspace is paused while its disk is
        copied. It may also be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot: letters, digits, `.`, `_` and `-`

        Returns:
            A snapshot that was created.
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

        The first one, `baseline`, has the files that the workspace began with; the others follow, the
        newest first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The snapshots of a workspace.
                count: How many there are.
                snapshots: `baseline`, then the other snapshots, the newest first.
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
                snapshot_name: The name of the snapshot.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.SnapshotDeleted = self._call("snapshot_delete", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    def reset_workspace(self, workspace_id: str, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Restore the files of a workspace to its initial state or to a snapshot

        All later changes are lost. The machine is stopped, and a new one starts with the snapshot's
        disk. The commands and their logs are removed. The workspace keeps its id, its time to live and
        its snapshots.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot: Snapshot to restore; `baseline` has the files that the workspace began with
            secrets: Secrets of the workspace; they are not stored on the host's disk, so a reset discards the
                previous ones

        Returns:
            A workspace that was reset.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_reset: The state that was restored.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ResetWorkspace = self._call("workspace_reset", {"workspace_id": workspace_id, "snapshot": snapshot, "secrets": secrets})
        return response

    def add_workspace_port(self, workspace_id: str, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host

        Connections to the host's port are forwarded to the guest's port. The server in the guest may be
        started later, and the guest needs no network. The host listens on its loopback address unless
        another address is given. The port is published again whenever the workspace starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            port: Port in the guest, optionally after the host's port (1025 to 65535) and address: `8000`,
                `8080:80`, `ADDRESS:8080:80`

        Returns:
            A port that was published.
                published_port: The ports and the address.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AddedPort = self._call("workspace_port_add", {"workspace_id": workspace_id, "port": port})
        return response

    def list_workspace_ports(self, workspace_id: str) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host

        The ports of a stopped workspace are published again when it starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The ports of a workspace that are published.
                count: How many there are.
                published_ports: The ports, in the order in which they were published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PublishedPorts = self._call("workspace_port_list", {"workspace_id": workspace_id})
        return response

    def remove_workspace_port(self, workspace_id: str, host_port: int) -> results.RemovedPort:
        """Stop publishing a port of a workspace

        The host's port is released, and its open connections are closed. The workspace may be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            host_port: Port of the host, as `list_workspace_ports` shows it

        Returns:
            A port that is no longer published.
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
        """Open an interactive shell in a workspace, which stays open after this call

        The shell keeps its directory, variables and running programs between writes, and does not
        depend on a client: any process can read from it, write to it and attach to it. The prompt is
        `pyro$ `. A workspace whose shells only wait, also in a built-in command such as `read`, is
        paused like any other; the next write resumes it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            cwd: Initial working directory: an absolute path, or one relative to /workspace
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000
            env: Environment variables of the shell, by name
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """List the shells of a workspace, including those that have ended

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The shells of a workspace.
                count: How many there are.
                running_count: How many of them are running.
                shells: The shells, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shells = self._call("shell_list", {"workspace_id": workspace_id})
        return response

    def read_shell(self, workspace_id: str, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read the output of a shell

        A cursor is a position in the output, in characters: to continue after a read, pass its
        `next_cursor`. With `plain`, the text is rendered as a terminal shows it, without control
        sequences. To get the result of a command, wait until the shell has printed nothing for a while,
        or until the output matches a pattern.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cursor: Position to read from, in characters; 0 is the beginning
            max_chars: Maximum number of characters to read, 1 to 1048576
            plain: Render the output as lines of text, as a terminal shows it, without control sequences
            wait_for_idle_ms: Wait until nothing has been printed for this many milliseconds, 1 to 10000
            wait_for: Wait until the output after the cursor matches this regular expression
            wait_seconds: Maximum number of seconds to wait

        Returns:
            The output of a shell.
                cols: The columns of its terminal.
                cursor: The requested position.
                cwd: Its initial working directory.
                dropped_chars: Present if old output was dropped: how many characters after the cursor are missing.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                matched: Present if a pattern was given: whether the output matched it.
                next_cursor: The position at which the next read continues.
                output: The output from there on.
                plain: Whether `output` was rendered without control sequences.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                truncated: Whether there is more output than `max_chars`.
                wait_for_idle_ms: The requested idle time, in milliseconds.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellOutput = self._call("shell_read", {"workspace_id": workspace_id, "shell_id": shell_id, "cursor": cursor, "max_chars": max_chars, "plain": plain, "wait_for_idle_ms": wait_for_idle_ms, "wait_for": wait_for, "wait_seconds": wait_seconds})
        return response

    def write_shell(self, workspace_id: str, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type text into a shell, followed by Enter

        Control characters act as keys: `\\u0003` in JSON is Ctrl-C, `\\u0004` is Ctrl-D, `\\u001b` is
        Escape. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            input: Text to type
            append_newline: Whether to type Enter at the end

        Returns:
            The result of a write.
                append_newline: Whether Enter was typed at the end.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                input_length: How many characters were typed, including Enter.
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
        """Send a signal to the programs in a shell

        The signal goes to the program in the foreground, as with Ctrl-C; KILL ends the shell with all its
        processes.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            signal_name: Signal to send

        Returns:
            The result of sending a signal.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """End a shell with all its processes

        Its processes get SIGHUP, as when a terminal window is closed, and are killed if they do not end
        then. The output can still be read. A shell that has already ended is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell that is closed.
                closed: Always true.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """Attach this terminal to a shell, until the shell ends or Ctrl-] is typed

        Several terminals may be attached to the same shell: all show the same output.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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

        Returns when the service is ready, as the requested readiness check determines, or has failed to
        become ready. The newest 2 million characters of each of its output streams are kept. The service
        does not depend on the client that started it. While it runs, the workspace is not paused, unless
        the service is `pausable`.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service: letters, digits, `.`, `_` and `-`
            command: Shell command to run, for example `python3 -m http.server 8000`
            cwd: Working directory: an absolute path, or one relative to /workspace
            env: Environment variables of the service, by name; they are stored on the host's disk
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            ready_file: Ready when this file exists: an absolute path, or one relative to /workspace
            ready_tcp: Ready when this TCP port of the guest accepts connections: `8000` or `127.0.0.1:8000`
            ready_http: Ready when a request in the guest for this URL is answered with a status below 400:
                `http://127.0.0.1:8000/health`
            ready_command: Ready when this shell command exits with 0
            ready_timeout_seconds: Seconds after which the service is ended if it is not ready
            ready_interval_ms: Milliseconds between two readiness checks, 10 to 60000
            published_ports: Publish a TCP port of the guest on this host until the service has ended, by itself or not, as
                `add_workspace_port` does; one that is started again keeps it
            restart: When to restart the service after it has exited: `no`, or `on-failure`, if its exit code was
                not 0. The first restart is after 1 second; the delay doubles with each further one
            max_restarts: Maximum number of consecutive restarts
            pausable: Allow the workspace to be paused while the service runs, if it is otherwise idle
            autostart: Start the service whenever the workspace is started again
            readiness: The readiness check as one object, instead of the four properties: `type` is `file`, `tcp`,
                `http` or `command`, with `path`, `address`, `url` or `command`

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_start", {"workspace_id": workspace_id, "service_name": service_name, "command": command, "cwd": cwd, "env": env, "secret_env": secret_env, "user": user, "ready_file": ready_file, "ready_tcp": ready_tcp, "ready_http": ready_http, "ready_command": ready_command, "ready_timeout_seconds": ready_timeout_seconds, "ready_interval_ms": ready_interval_ms, "published_ports": published_ports, "restart": restart, "max_restarts": max_restarts, "pausable": pausable, "autostart": autostart, "readiness": readiness})
        return response

    def list_services(self, workspace_id: str) -> results.Services:
        """List the services of a workspace, including those that have ended

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The services of a workspace.
                count: How many there are.
                running_count: How many of them are running.
                services: The services, by name.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Services = self._call("service_list", {"workspace_id": workspace_id})
        return response

    def status_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Show the state of a service, and why it ended if it has

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_status", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    def logs_service(self, workspace_id: str, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show the output of a service

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service
            tail_lines: Show only the last N lines of each output
            all: Show all the output that is kept
            follow: Show further output as it is printed, until the service ends

        Returns:
            The output of a service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stderr: Its standard error, unless that was streamed.
                stdout: Its standard output, unless that was streamed.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                tail_lines: The number of lines that was requested for each output; null for all.
                truncated: Whether earlier output was left out.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ServiceLogs = self._call("service_logs", {"workspace_id": workspace_id, "service_name": service_name, "tail_lines": tail_lines, "all": all, "follow": follow})
        return response

    def stop_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Stop a service of a workspace

        The service gets SIGTERM; if it has not ended after 10 seconds, it is killed with all its
        processes. A service that is not running is left as it is. Its output can still be read. Ports
        that were published with it are released.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = self._call("service_stop", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    def delete_workspace(self, workspace_id: str) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, even if commands are running

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A deleted workspace.
                deleted: Whether it was deleted.
                reason: Why.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDeleted = self._call("workspace_delete", {"workspace_id": workspace_id})
        return response

    def pull_environment(self, environment: str, *, pull: str = "always") -> results.Pulled:
        """Install an environment, or check that it is installed

        An environment of the catalog is built from the Debian archive for which the host's apt is
        configured; this takes about half a minute. Another name is that of an image: of a registry
        (`docker.io/library/alpine:3.20`), in a file or directory (`docker-archive:FILE[:TAG]`,
        `oci-archive:FILE[:TAG]`, `oci-layout:DIRECTORY[:TAG]`), or of Docker or Podman on this host
        (`docker:NAME`, `podman:NAME`). What is complete and unaltered is not made again.

        Args:
            environment: Environment to install, for example `debian:12`
            pull: Whether to ask what the name of an image stands for now: `always`; `missing`, only if that is
                not known yet; `never`, and fail if it is not installed. It does not matter to the catalog

        Returns:
            An installed environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                kernel_image: Its kernel.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                rootfs_image: The image of its root file system.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source: The source from which it was built.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pulled = self._call("env_pull", {"environment": environment, "pull": pull})
        return response

    def inspect_environment(self, environment: str) -> results.Environment:
        """Show what an environment consists of and where it is installed

        Args:
            environment: Environment to show, for example `debian:12`

        Returns:
            The description of an environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Environment = self._call("env_inspect", {"environment": environment})
        return response

    def build_environment(self, *, name: str, context: str | os.PathLike[str] | None = None, file: str | os.PathLike[str] | None = None, target: str | None = None, build_arg: list[str] | None = None, from_: str | None = None, packages: list[str] | None = None, run: list[str] | None = None, network: bool = False, no_cache: bool = False, pull: str = "missing", vcpu_count: int = 1, mem_mib: int = 2048) -> results.BuildResult:
        """Build an environment from a Dockerfile, or from packages and commands

        The environment is called `local:NAME`. Each instruction that changes files runs in a microVM,
        without a network unless network is given, and its result is kept: a repeated build runs only
        what has changed. Without a Dockerfile, from names the environment to begin with, packages is
        installed from the network by the package manager that is in it, and each run is a command.

        Args:
            name: Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`
            context: Directory whose files COPY may take; its `.dockerignore` is respected
            file: Dockerfile; by default the one in the directory
            target: Stage to end with, by its name; by default the last one
            build_arg: Value of an ARG of the Dockerfile, as NAME=VALUE
            from_: Environment to begin with, instead of a Dockerfile
            packages: Packages to install, with commas between them
            run: Shell command to run after the packages are installed; may be given several times
            network: Let RUN and run reach the Internet, but neither this host nor private networks
            no_cache: Run all instructions again, whatever was kept
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768

        Returns:
            An environment that was built.
                cache_dir: The environment cache.
                cached_count: How many of those that change files were found in the cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                run_count: How many of those that change files were carried out.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                step_count: How many instructions it is made of.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.BuildResult = self._call("env_build", {"name": name, "context": context, "file": file, "target": target, "build_arg": build_arg, "from": from_, "packages": packages, "run": run, "network": network, "no_cache": no_cache, "pull": pull, "vcpu_count": vcpu_count, "mem_mib": mem_mib})
        return response

    def save_environment(self, workspace_id: str, name: str) -> results.Saved:
        """Save a workspace as an environment of this host

        The environment has the root file system of the workspace as it is now, with everything that was
        installed, written and left there, and is called `local:NAME`. The workspace goes on, and may be
        deleted afterwards. What is in the memory of its machine is not saved, such as processes, secrets
        and the contents of /run. If the name stands for another environment already, that one keeps only
        its digest as a name.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            name: Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`

        Returns:
            An environment that was saved.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                entry_count: How many files, directories, links and other entries it has.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                left_out_count: How many sockets were left out.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Saved = self._call("env_save", {"workspace_id": workspace_id, "name": name})
        return response

    def export_environment(self, environment: str, *, oci_path: str | os.PathLike[str] | None = None, docker_path: str | os.PathLike[str] | None = None, force: bool = False) -> results.ImageExport:
        """Export an image into a file that container tools read

        The image is one that was pulled from a registry, imported, or saved with `save_environment`. The file
        appears at its path only when it is complete.

        Args:
            environment: Name of the image, for example `local:mine`
            oci_path: Path of an OCI layout in a tar file, with layers as they are in the cache
            docker_path: Path of a file in the form of `docker save`, with layers that are not compressed
            force: Replace an existing file or directory at the path, with everything in it

        Returns:
            An image that was exported.
                bytes_written: The length of the file in bytes.
                environment: The image.
                format: `oci-archive` or `docker-archive`: what is before the colon where container tools read it.
                output_path: The path of the file on this host.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ImageExport = self._call("env_export", {"environment": environment, "oci_path": oci_path, "docker_path": docker_path, "force": force})
        return response

    def remove_environment(self, environment: str) -> results.Removed:
        """Remove an installed environment from the cache

        One that a workspace or a VM uses is not removed. An image that has several names goes with the
        last of them, together with the layers that no other image has.

        Args:
            environment: Environment to remove, for example `debian:12-build`

        Returns:
            What was removed.
                deleted_environment_dirs: Names of the removed directories, sorted; none if the image has other names.
                environment: The environment.
                freed_bytes: How many bytes are free again on the disk, about.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Removed = self._call("env_remove", {"environment": environment})
        return response

    def prune_environments(self, *, unused_days: int | None = None) -> results.Pruned:
        """Remove cached environments, kernels and templates that are incomplete, damaged or outdated

        So are images that have no name any more, layers that no image needs, and what interrupted pulls
        have left, and steps of builds that were not used for 14 days. What a workspace or a VM uses is never removed, nor is a complete environment, unless
        unused_days asks for it.

        Args:
            unused_days: Also remove environments that were not used for so many days, 1 to 3650

        Returns:
            What was removed.
                count: How many were removed.
                deleted_environment_dirs: Names of the removed directories, sorted.
                freed_bytes: How many bytes are free again on the disk, about, without those of templates.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pruned = self._call("env_prune", {"unused_days": unused_days})
        return response

    def list_vms(self) -> results.Vms:
        """List the VMs

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
        """Check whether this machine can run guests, and report what is missing

        The exit status is 0 only if a guest can run. `boot` proves it by booting one.

        Args:
            platform: Platform to check
            boot: Boot a guest, after building its environment if necessary

        Returns:
            The report about the host.
                accelerator: The accelerator for guests.
                boot: The guest that was booted, if one was asked for.
                build_requirements: Programs that environments are built with.
                disk: Directories and their free space.
                isolation: The isolation between the VMM and the host, by mechanism.
                issues: Problems and possible improvements.
                kernels: Kernels in the cache.
                kvm: The KVM device.
                networking: The requirements of networking.
                parked_machines: The number of machines that are parked now.
                platform: The platform.
                qemu: The VMM.
                remedies: Commands that solve the problems.
                runtime: The parts of the runtime.
                runtime_ok: Whether a guest can run.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Report = self._call("doctor", {"platform": platform, "boot": boot})
        return response

    def demo(self, *, network: bool = False) -> results.Demonstration:
        """Demonstrate pyro: run git in a new microVM

        The result is that of `run`. On a terminal, each step is shown as it happens; otherwise, and
        with `--json`, the result is printed as JSON.

        With `network`, a second microVM then requests https://example.com/, and the result is the
        output of that microVM: the status of the response. If the Internet cannot be reached, the
        result is that of the first microVM and contains the reason.

        Args:
            network: Also show that a guest can reach the Internet

        Returns:
            The result of the demonstration.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                network_unreachable: Present if the Internet was requested and cannot be reached: why.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Demonstration = self._call("demo", {"network": network})
        return response

    def demo_ollama(self, *, base_url: str = "http://localhost:11434/v1", model: str = "llama3.2:3b", timeout_seconds: int = 90, stream: bool = False) -> results.ModelRun:
        """Let a language model run a command in a microVM, with the tools of an agent

        The model's server is Ollama or any other server with OpenAI's chat completions API and tool
        calls. pyro connects to it directly, not through a proxy, and sends the key in PYRO_MODEL_API_KEY
        if that is set. The model is asked to clone a git repository in a guest and to check the result.
        It can only call a few tools for microVMs: no command runs on the host, no file of the host is
        read, and microVMs that the model leaves behind are deleted. An invalid tool call is answered
        with an explanation of the mistake.

        The demonstration succeeds if the last command of the model printed the expected text. It fails
        if the model ran no command or another one, if it still calls tools after 12 rounds, or if its
        server does not reply.

        Args:
            base_url: Base URL of the model's server, to which `/chat/completions` is appended
            model: Name of the model on the server; the model must support tool calls
            timeout_seconds: Time limit in seconds for each reply of the model; with stream, for each chunk of a reply
            stream: Request streamed replies

        Returns:
            The command that a model ran.
                cleanup: The end of the microVM.
                command: The command.
                corrected: Present if at least one tool call failed.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                fallback_used: Always false: no command is run in place of the model.
                model: The model.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                rounds: How many replies it sent.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                tool_calls: How many tool calls it requested.
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

    async def run_in_vm(self, *, environment: str, command: str, with_entrypoint: bool = False, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, vcpu_count: int = 1, mem_mib: int = 1024, timeout_seconds: int = 30, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, pull: str = "missing", stdin: str | None = None) -> results.RunResult:
        """Run one command in a new microVM, then discard the microVM

        The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
        ended it.

        With `allow_host_compat`, on a host that cannot run guests, the command runs on the host itself,
        WITHOUT ISOLATION, and may destroy the user's files.

        Args:
            environment: Environment to boot, for example `debian:12`
            command: Shell command to run, for example `git --version`; without one, what the image of a registry
                is made to run
            with_entrypoint: Run the image's entry point with the command as its arguments
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path; /root is the default
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with a
                terminal, which have no limit by default
            ttl_seconds: Seconds after which the microVM is ended even if the command is running; 60 to 3600; with a
                terminal, the default is 3600 instead of 600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Run the command on the host, WITHOUT ISOLATION, if this host cannot run guests
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = await self._call("vm_run", {"environment": environment, "command": command, "with_entrypoint": with_entrypoint, "env": env, "cwd": cwd, "user": user, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "timeout_seconds": timeout_seconds, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "pull": pull, "stdin": stdin})
        return response

    async def list_environments(self) -> list[results.Environment]:
        """List the environments that can be booted and whether each is installed

        Returns:
            The environments, by name.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: list[results.Environment] = (await self._call("vm_list_environments", {}))["environments"]
        return response

    async def create_vm(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, allow_host_compat: bool = False, pull: str = "missing") -> results.Vm:
        """Create a VM that outlives this call, without starting it

        The VM exists until it is deleted or its time to live is over. Any process of the same user can
        use it by its id.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Time to live in seconds, after which the VM is deleted even if a command is running; 60 to
                3600
            network: Let the guest reach the Internet, but neither this host nor private networks
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "allow_host_compat": allow_host_compat, "pull": pull})
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
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
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
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with a
                terminal, which have no limit by default
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.RunResult = await self._call("vm_exec", {"vm_id": vm_id, "command": command, "env": env, "cwd": cwd, "user": user, "timeout_seconds": timeout_seconds, "stdin": stdin})
        return response

    async def stop_vm(self, vm_id: str) -> results.Vm:
        """Shut down a VM; its files are kept and it can be started again

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                vm_id: Its id.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Vm = await self._call("vm_stop", {"vm_id": vm_id})
        return response

    async def delete_vm(self, vm_id: str) -> results.Deleted:
        """Delete a VM with everything in it, even if a command is running

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A deleted VM.
                deleted: Whether it was deleted.
                reason: Why.
                vm_id: The VM.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Deleted = await self._call("vm_delete", {"vm_id": vm_id})
        return response

    async def status_vm(self, vm_id: str) -> results.Vm:
        """Show the state of a VM

        Args:
            vm_id: Id of the VM, as `create_vm` returned it

        Returns:
            A VM that outlives the call that made it.
                allow_host_compat: Whether commands were allowed to run on the host.
                created_at: When it was made, in seconds since the Unix epoch.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                network_enabled: Whether it has access to the network.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
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
            The network of a VM. A VM without a network has no addresses, but a reason.
                dns_servers: Its name servers.
                gateway_ip: Its default gateway.
                guest_ip: Its own address.
                mac_address: The hardware address of its network card.
                network_enabled: Whether it has access to the network.
                outbound_connectivity_expected: Whether outgoing connections should work.
                reason: Why there is no network.
                subnet_cidr: Its subnet.
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

        The VMs ended when their time was over, and their disks were removed then; this removes their
        records.

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

    async def create_workspace(self, *, environment: str, vcpu_count: int = 1, mem_mib: int = 1024, ttl_seconds: int = 600, network: bool = False, network_policy: str | None = None, published_ports: list[str | int] | None = None, allow_host_compat: bool = False, seed_path: str | os.PathLike[str] | None = None, from_snapshot: str | None = None, name: str | None = None, labels: dict[str, str] | None = None, secrets: list[dict[str, object]] | None = None, exclude: list[str] | None = None, exclude_from: str | os.PathLike[str] | None = None, git_ignored: str = "include", unreadable: str = "fail", pull: str = "missing") -> results.Workspace:
        """Create and start a workspace: a microVM for many commands

        Its files are in /workspace, which is empty at first unless seed_path is given. The workspace
        exists until it is deleted or its time to live is over; while nothing runs in it, it is paused
        and uses no processor time. Any process of the same user can use it by its id.

        Args:
            environment: Environment to boot, for example `debian:12`
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768
            ttl_seconds: Time to live in seconds, after which the workspace ends even if commands are running; at
                least 60, or 0 for no limit
            network: Let the guest reach the Internet, but neither this host nor private networks
            network_policy: Network policy: `off`; `egress`, the same as network; or `egress+published-ports`. Ports
                can be published with any of them
            published_ports: Publish a TCP port of the guest on this host. The default address is the loopback address;
                the default host port is a free one (1025 to 65535)
            allow_host_compat: Accepted for compatibility, without effect: VMs and workspaces never run on the host
            seed_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy into the new
                workspace
            from_snapshot: Begin with the files of a snapshot of another workspace of this environment, `ID:NAME`;
                `ID:baseline` has the files that workspace began with
            name: Name of up to 120 characters, shown in lists; it need not be unique
            labels: Labels, each a key with a value: `issue=123`
            secrets: Secrets of the workspace: files in /run/pyro-secrets that only root can read, in the guest's
                memory
            exclude: Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
                `/build`; the last matching pattern decides
            exclude_from: Leave out files that match a pattern in this file, which has one pattern on each line
            git_ignored: Whether to copy files that git ignores, according to the .gitignore files of the directory:
                `include` or `exclude`
            unreadable: What to do with files that cannot be read: `fail`, or `skip` them
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_create", {"environment": environment, "vcpu_count": vcpu_count, "mem_mib": mem_mib, "ttl_seconds": ttl_seconds, "network": network, "network_policy": network_policy, "published_ports": published_ports, "allow_host_compat": allow_host_compat, "seed_path": seed_path, "from_snapshot": from_snapshot, "name": name, "labels": labels, "secrets": secrets, "exclude": exclude, "exclude_from": exclude_from, "git_ignored": git_ignored, "unreadable": unreadable, "pull": pull})
        return response

    async def list_workspaces(self) -> results.Workspaces:
        """List the workspaces, the most recently used first

        Returns:
            All workspaces.
                count: How many there are.
                workspaces: The workspaces, the most recently used first.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspaces = await self._call("workspace_list", {})
        return response

    async def update_workspace(self, workspace_id: str, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace

        Name and labels are changed together or not at all; a request that would change nothing is
        refused. Other labels are kept. Running commands are not affected.

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
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_update", {"workspace_id": workspace_id, "name": name, "clear_name": clear_name, "labels": labels, "clear_labels": clear_labels})
        return response

    async def exec_workspace(self, workspace_id: str, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace

        The command's output is kept in the workspace's log. Its exit code is returned: 124 if it was
        ended at its time limit, 128 + N if signal N ended it. Many commands may run at once. Each starts
        anew in its directory: a `cd` and variables of one do not reach the next. A command keeps running if
        its client dies; the workspace's log shows its output.

        With `detach`, the call returns the command's number at once and the command runs in the
        background: `read_workspace_logs` shows its output, `wait_command` waits for its end, `kill_command` ends it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            command: Shell command to run, for example `make test`
            env: Environment variables of the command, by name
            cwd: Working directory: an absolute path, or one relative to /workspace, which is the default
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            detach: Return the command's number at once, and run the command in the background
            timeout_seconds: Time limit of the command in seconds; the default of 30 does not apply to commands with
                `detach` or a terminal, which have no limit by default
            stdin: Text for the command's standard input

        Returns:
            The result of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command is still running.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it is still running.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
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

        The output is not shown: use `read_workspace_logs`. If the wait ends at its limit, the command keeps
        running and no exit code is returned.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` returned it
            timeout_seconds: Maximum number of seconds to wait; no limit if not given

        Returns:
            The result of a command.
                command: The command.
                cwd: Its working directory.
                detached: Present if the command is still running.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
            it is still running.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                sequence: Its number in the workspace's log.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
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

        KILL ends the command with all its processes; any other signal goes to the command's process
        group. If the command has already ended, nothing is done.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Number of the command, as `exec_workspace` or `read_workspace_logs` returned it
            signal: Signal name or number

        Returns:
            The result of sending a signal.
                sent: Whether the signal was sent: false if the command had already ended.
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

        Either all files are copied or none: they are unpacked into a staging directory first, then
        moved into place. Existing files that are not in the source are kept.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            source_path: Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy
            dest: Directory in the workspace to copy into, absolute or relative to /workspace
            exclude: Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
                `/build`; the last matching pattern decides
            exclude_from: Leave out files that match a pattern in this file, which has one pattern on each line
            git_ignored: Whether to copy files that git ignores, according to the .gitignore files of the directory:
                `include` or `exclude`
            unreadable: What to do with files that cannot be read: `fail`, or `skip` them

        Returns:
            The result of a push.
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
        """Show the state of a workspace

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_status", {"workspace_id": workspace_id})
        return response

    async def stop_workspace(self, workspace_id: str) -> results.Workspace:
        """Shut down a workspace; its files and logs are kept

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

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
            secrets: Secrets of the workspace; they are not stored on the host's disk, so the previous ones were lost
                when it stopped

        Returns:
            A workspace.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Workspace = await self._call("workspace_start", {"workspace_id": workspace_id, "secrets": secrets})
        return response

    async def logs_workspace(self, workspace_id: str) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output

        Logs are kept until the workspace is deleted, even if it has stopped or its time to live is
        over. 4 GiB of output are kept; beyond that, the output of the oldest commands is removed first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The commands of a workspace.
                count: How many commands are in this result.
                entries: The commands, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = await self._call("workspace_logs", {"workspace_id": workspace_id})
        return response

    async def read_workspace_logs(self, workspace_id: str, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output

        Logs are kept until the workspace is deleted, even if it has stopped or its time to live is
        over. 4 GiB of output are kept; beyond that, the output of the oldest commands is removed first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            sequence: Show only the command with this number
            tail: Show only the last N commands
            follow: Show the output of one command as it is printed, from its beginning until the command ends:
                of command sequence, or of the newest one
            offset: Skip this many bytes of each output
            limit: Show at most this many bytes of each output, and 32 MiB of all outputs: the newest first

        Returns:
            The commands of a workspace.
                count: How many commands are in this result.
                entries: The commands, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceLogs = await self._call("workspace_logs", {"workspace_id": workspace_id, "sequence": sequence, "tail": tail, "follow": follow, "offset": offset, "limit": limit})
        return response

    async def export_workspace(self, workspace_id: str, path: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.Exported:
        """Copy a file, a directory or a symbolic link out of a started workspace

        The copy appears at the output path only when it is complete. Permissions, modification times
        and links are kept; you own all files, and setuid, setgid and sticky bits are dropped. Devices,
        pipes and sockets are left out. If the output path ends in .tar, .tar.gz, .tgz or .tar.zst, the
        output is an archive whose members begin with the last component of the exported path; only a
        file that has such a name itself is copied unchanged.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Path to copy, absolute or relative to /workspace; a symbolic link is copied as a link
            output_path: Path of the copy on this host; its directory must exist
            force: Replace an existing file or directory at the output path, with everything in it

        Returns:
            What was copied.
                artifact_type: `file`, `directory` or `symlink`.
                bytes_written: The total size of its files, in bytes.
                changed_count: Present if files grew or shrank while they were read: how many. Each copy has the size that
            the file had first.
                entry_count: How many files, directories and links were copied.
                execution_mode: Where the workspace runs.
                left_out_count: Present if there were devices, pipes or sockets, which are not copied: how many.
                output_path: The path of the copy on this host.
                workspace_id: The workspace.
                workspace_path: The absolute path in the guest.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Exported = await self._call("workspace_export", {"workspace_id": workspace_id, "path": path, "output_path": output_path, "force": force})
        return response

    async def diff_workspace(self, workspace_id: str, *, paths: list[str] = [], name_only: bool = False, against: str = "baseline") -> results.WorkspaceDiff:
        """Show what was changed in a workspace since it began, or since a snapshot

        The workspace is compared with its seed (or with an empty directory), or with a snapshot. The
        patch is complete, including binary files and symbolic links: `git apply` turns a copy of the
        seed or snapshot into the workspace's current files. Changes that a git patch cannot express are
        only listed: directories, devices, permissions other than `x`. The contents of `.git`
        directories are left out. The workspace may be stopped. In this case, and for a snapshot, a
        temporary microVM without a network compares copies of the disks, and no program of the
        workspace runs in it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            paths: Path to compare, absolute or relative to /workspace; without one, all of /workspace
            name_only: Only list the paths that differ; no contents are read, and there is no patch
            against: Snapshot to compare with; `baseline` has the files that the workspace began with

        Returns:
            What was changed in a workspace.
                against: The snapshot that it was compared with; `baseline` has the files that it began with.
                changed: Whether anything was changed.
                changed_count: Present if files grew or shrank while they were read: how many. The patch may not have their
            current content.
                entries: The differences, sorted by path.
                git_entries_left_out: Present if there are differences in `.git` directories, which are left out: how many.
                patch: All differences that git can express, as a patch for `git apply`.
                patch_base64: Present if `patch` is not exact, because bytes that are not UTF-8 were replaced: the exact
            patch, in Base64.
                summary: How many entries were changed, by kind of change.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDiff = await self._call("workspace_diff", {"workspace_id": workspace_id, "paths": paths, "name_only": name_only, "against": against})
        return response

    async def list_workspace_files(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files of a started workspace

        Symbolic links are listed and not followed, unless the path itself is one. A paused workspace is
        resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List subdirectories recursively

        Returns:
            The contents of a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether subdirectories were listed recursively.
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

        Only the requested part is read, however large the file is. A symbolic link is followed if its
        target is in /workspace. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte offset in the file at which to begin
            max_bytes: Maximum number of bytes to read, 1 to 1048576
            base64: Also return the exact bytes, in Base64

        Returns:
            The content of a file.
                content: The content as text.
                content_base64: Present if it was requested: the exact content, in Base64.
                content_lossy: Present if `content` is not exact, because bytes that are not UTF-8 were replaced.
                max_bytes: The maximum number of bytes that was requested.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if the file continues: the byte offset of the next part.
                offset: The byte offset at which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: The size of the whole file in bytes.
                truncated: Whether the file continues after this part.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = await self._call("workspace_file_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    async def write_workspace_file(self, workspace_id: str, path: str, *, text: str | None = None, text_file: str | os.PathLike[str] | None = None, base64: str | None = None, mode: str | None = None, if_match: str | None = None) -> results.WrittenFile:
        """Write a file of a started workspace

        The file is replaced atomically: it has either its old content or all of the new content. An
        existing file keeps its mode and owner; missing directories are created. When the call returns,
        the content is on the workspace's disk. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            text: New content of the file, as text
            text_file: File on this host with the new content; `-` is standard input
            base64: New content of the file, in Base64
            mode: Permissions of the file, in octal digits; a new file gets 0644 by default
            if_match: Write only if the current content of the file has this SHA-256, in hexadecimal; with
                `missing`, only if the file does not exist

        Returns:
            A file that was written.
                bytes_written: How many bytes were written: the whole content.
                created: Whether the file did not exist before.
                execution_mode: Where it was written.
                mode: Its permissions, in octal digits, for example `0644`.
                path: The file's absolute path.
                sha256: SHA-256 of its content, in hexadecimal, as `if_match` takes it.
                size_bytes: Its size in bytes.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WrittenFile = await self._call("workspace_file_write", {"workspace_id": workspace_id, "path": path, "text": text, "text_file": text_file, "base64": base64, "mode": mode, "if_match": if_match})
        return response

    async def apply_workspace_patch(self, workspace_id: str, *, patch: str | None = None, patch_file: str | os.PathLike[str] | None = None, strip: int | None = None, check: bool = False) -> results.AppliedPatch:
        """Apply a patch to files of a started workspace

        The patch has the format of `git diff`, with new, deleted, renamed and copied files, permissions,
        symbolic links and binary files, or that of `diff -u`. Either the whole patch is applied or
        nothing. A hunk may apply at another line than the patch says, but its context and removed lines
        must match exactly. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            patch: The patch, with paths relative to /workspace
            patch_file: File on this host with the patch; `-` is standard input
            strip: How many leading components of each path to remove; by default, the prefixes that git adds
            check: Only check whether the patch applies

        Returns:
            A patch that was applied.
                changed: Whether any file was changed, or would be.
                check: Whether the patch was only checked and nothing was changed.
                entries: The changes, sorted by path.
                execution_mode: Where it was applied.
                moved: Hunks that were applied at another line than the patch says.
                summary: How many files were changed, by kind of change.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AppliedPatch = await self._call("workspace_patch_apply", {"workspace_id": workspace_id, "patch": patch, "patch_file": patch_file, "strip": strip, "check": check})
        return response

    async def export_workspace_disk(self, workspace_id: str, *, output_path: str | os.PathLike[str], force: bool = False) -> results.DiskExport:
        """Export the whole root file system of a stopped workspace as one ext4 image

        The image contains the environment and everything that was written, with owners, permissions,
        links and devices, and depends on no other file. It is sparse. No program of the workspace runs:
        a temporary microVM without a network makes the image. The file appears at the output path only
        when it is complete.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            output_path: Path of the image on this host; its directory must exist
            force: Replace an existing file or directory at the output path, with everything in it

        Returns:
            An image that was exported.
                bytes_written: How many bytes the image occupies on the host's disk.
                disk_format: `ext4`.
                entry_count: How many files, directories, links and other entries it has.
                output_path: The path of the image on this host.
                size_bytes: The length of the image in bytes, holes included.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.DiskExport = await self._call("workspace_disk_export", {"workspace_id": workspace_id, "output_path": output_path, "force": force})
        return response

    async def list_workspace_disk(self, workspace_id: str, *, path: str = "/workspace", recursive: bool = False) -> results.FileListing:
        """List files on the disk of a stopped workspace

        The path may be anywhere in the root file system, not only in /workspace. No program of the
        workspace runs: a temporary microVM without a network reads a copy of the disk. Symbolic links
        are listed and not followed, unless the path itself is one.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: Directory or file, absolute or relative to /workspace
            recursive: List subdirectories recursively

        Returns:
            The contents of a directory.
                entries: Its entries, sorted by name; a directory comes before its contents.
                path: The directory.
                recursive: Whether subdirectories were listed recursively.
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

        The file may be anywhere in the root file system, not only in /workspace. No program of the
        workspace runs: a temporary microVM without a network reads a copy of the disk. A symbolic link
        is followed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            path: The file, absolute or relative to /workspace
            offset: Byte offset in the file at which to begin
            max_bytes: Maximum number of bytes to read, at most 16 MiB
            base64: Also return the exact bytes, in Base64

        Returns:
            The content of a file.
                content: The content as text.
                content_base64: Present if it was requested: the exact content, in Base64.
                content_lossy: Present if `content` is not exact, because bytes that are not UTF-8 were replaced.
                max_bytes: The maximum number of bytes that was requested.
                mode: Its permissions, in octal digits, for example `0644`.
                next_offset: Present if the file continues: the byte offset of the next part.
                offset: The byte offset at which `content` begins.
                path: The file's absolute path.
                sha256: Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
                size_bytes: The size of the whole file in bytes.
                truncated: Whether the file continues after this part.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.FileContent = await self._call("workspace_disk_read", {"workspace_id": workspace_id, "path": path, "offset": offset, "max_bytes": max_bytes, "base64": base64})
        return response

    async def create_snapshot(self, workspace_id: str, snapshot_name: str) -> results.Created:
        """Save the files of a workspace, to restore them later with `reset_workspace`

        Everything that was written to its root file system is saved, in /workspace and elsewhere,
        installed packages included; running processes are not. The workspace is paused while its disk is
        copied. It may also be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot_name: Name of the snapshot: letters, digits, `.`, `_` and `-`

        Returns:
            A snapshot that was created.
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

        The first one, `baseline`, has the files that the workspace began with; the others follow, the
        newest first.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The snapshots of a workspace.
                count: How many there are.
                snapshots: `baseline`, then the other snapshots, the newest first.
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
                snapshot_name: The name of the snapshot.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.SnapshotDeleted = await self._call("snapshot_delete", {"workspace_id": workspace_id, "snapshot_name": snapshot_name})
        return response

    async def reset_workspace(self, workspace_id: str, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Restore the files of a workspace to its initial state or to a snapshot

        All later changes are lost. The machine is stopped, and a new one starts with the snapshot's
        disk. The commands and their logs are removed. The workspace keeps its id, its time to live and
        its snapshots.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            snapshot: Snapshot to restore; `baseline` has the files that the workspace began with
            secrets: Secrets of the workspace; they are not stored on the host's disk, so a reset discards the
                previous ones

        Returns:
            A workspace that was reset.
                allow_host_compat: Whether commands were allowed to run on the host.
                command_count: How many commands were run in it.
                created_at: When it was made, in seconds since the Unix epoch.
                disk_bytes: How many bytes its disk, its seed and its snapshots occupy on the host's disk.
                environment: Its environment.
                environment_version: The environment's version.
                execution_mode: Where commands run.
                expires_at: When its time to live is over, in seconds since the Unix epoch; null for never.
                guest_ip: Its IP address, if it has access to the network.
                labels: Its labels.
                last_activity_at: When it was made or last used, in seconds since the Unix epoch.
                last_command: The last command that has ended.
                mem_mib: Memory, in MiB.
                metadata: Further metadata.
                name: Its name, if it has one.
                network_enabled: Whether it has access to the network.
                network_policy: Its network policy: `off`, `egress` or `egress+published-ports`.
                published_ports: The ports that are published on the host while it runs.
                running_service_count: How many of them are running.
                secrets: Its secrets, without their values.
                service_count: How many services it has.
                state: `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
                state_reason: Present if it was not shut down properly: why.
                tap_name: Always null: no device of the host is needed.
                ttl_seconds: Its time to live in seconds; 0 for no limit.
                vcpu_count: Virtual processors.
                workspace_id: Its id.
                workspace_path: The directory of its files in the guest.
                workspace_reset: The state that was restored.
                workspace_seed: The files that it began with.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ResetWorkspace = await self._call("workspace_reset", {"workspace_id": workspace_id, "snapshot": snapshot, "secrets": secrets})
        return response

    async def add_workspace_port(self, workspace_id: str, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host

        Connections to the host's port are forwarded to the guest's port. The server in the guest may be
        started later, and the guest needs no network. The host listens on its loopback address unless
        another address is given. The port is published again whenever the workspace starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            port: Port in the guest, optionally after the host's port (1025 to 65535) and address: `8000`,
                `8080:80`, `ADDRESS:8080:80`

        Returns:
            A port that was published.
                published_port: The ports and the address.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.AddedPort = await self._call("workspace_port_add", {"workspace_id": workspace_id, "port": port})
        return response

    async def list_workspace_ports(self, workspace_id: str) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host

        The ports of a stopped workspace are published again when it starts.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The ports of a workspace that are published.
                count: How many there are.
                published_ports: The ports, in the order in which they were published.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.PublishedPorts = await self._call("workspace_port_list", {"workspace_id": workspace_id})
        return response

    async def remove_workspace_port(self, workspace_id: str, host_port: int) -> results.RemovedPort:
        """Stop publishing a port of a workspace

        The host's port is released, and its open connections are closed. The workspace may be stopped.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            host_port: Port of the host, as `list_workspace_ports` shows it

        Returns:
            A port that is no longer published.
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
        """Open an interactive shell in a workspace, which stays open after this call

        The shell keeps its directory, variables and running programs between writes, and does not
        depend on a client: any process can read from it, write to it and attach to it. The prompt is
        `pyro$ `. A workspace whose shells only wait, also in a built-in command such as `read`, is
        paused like any other; the next write resumes it.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            cwd: Initial working directory: an absolute path, or one relative to /workspace
            cols: Columns of the terminal, 1 to 1000
            rows: Rows of the terminal, 1 to 1000
            env: Environment variables of the shell, by name
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """List the shells of a workspace, including those that have ended

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The shells of a workspace.
                count: How many there are.
                running_count: How many of them are running.
                shells: The shells, the oldest first.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Shells = await self._call("shell_list", {"workspace_id": workspace_id})
        return response

    async def read_shell(self, workspace_id: str, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read the output of a shell

        A cursor is a position in the output, in characters: to continue after a read, pass its
        `next_cursor`. With `plain`, the text is rendered as a terminal shows it, without control
        sequences. To get the result of a command, wait until the shell has printed nothing for a while,
        or until the output matches a pattern.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            cursor: Position to read from, in characters; 0 is the beginning
            max_chars: Maximum number of characters to read, 1 to 1048576
            plain: Render the output as lines of text, as a terminal shows it, without control sequences
            wait_for_idle_ms: Wait until nothing has been printed for this many milliseconds, 1 to 10000
            wait_for: Wait until the output after the cursor matches this regular expression
            wait_seconds: Maximum number of seconds to wait

        Returns:
            The output of a shell.
                cols: The columns of its terminal.
                cursor: The requested position.
                cwd: Its initial working directory.
                dropped_chars: Present if old output was dropped: how many characters after the cursor are missing.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                matched: Present if a pattern was given: whether the output matched it.
                next_cursor: The position at which the next read continues.
                output: The output from there on.
                plain: Whether `output` was rendered without control sequences.
                rows: The rows of its terminal.
                shell_id: Its id.
                started_at: When it was opened, in seconds since the Unix epoch.
                state: `running`, or `stopped` once it has ended.
                truncated: Whether there is more output than `max_chars`.
                wait_for_idle_ms: The requested idle time, in milliseconds.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ShellOutput = await self._call("shell_read", {"workspace_id": workspace_id, "shell_id": shell_id, "cursor": cursor, "max_chars": max_chars, "plain": plain, "wait_for_idle_ms": wait_for_idle_ms, "wait_for": wait_for, "wait_seconds": wait_seconds})
        return response

    async def write_shell(self, workspace_id: str, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type text into a shell, followed by Enter

        Control characters act as keys: `\\u0003` in JSON is Ctrl-C, `\\u0004` is Ctrl-D, `\\u001b` is
        Escape. A paused workspace is resumed.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            input: Text to type
            append_newline: Whether to type Enter at the end

        Returns:
            The result of a write.
                append_newline: Whether Enter was typed at the end.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                input_length: How many characters were typed, including Enter.
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
        """Send a signal to the programs in a shell

        The signal goes to the program in the foreground, as with Ctrl-C; KILL ends the shell with all its
        processes.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it
            signal_name: Signal to send

        Returns:
            The result of sending a signal.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """End a shell with all its processes

        Its processes get SIGHUP, as when a terminal window is closed, and are killed if they do not end
        then. The output can still be read. A shell that has already ended is left as it is.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell that is closed.
                closed: Always true.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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
        """Attach this terminal to a shell, until the shell ends or Ctrl-] is typed

        Several terminals may be attached to the same shell: all show the same output.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            shell_id: Id of the shell, as `open_shell` returned it

        Returns:
            A shell.
                cols: The columns of its terminal.
                cwd: Its initial working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
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

        Returns when the service is ready, as the requested readiness check determines, or has failed to
        become ready. The newest 2 million characters of each of its output streams are kept. The service
        does not depend on the client that started it. While it runs, the workspace is not paused, unless
        the service is `pausable`.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service: letters, digits, `.`, `_` and `-`
            command: Shell command to run, for example `python3 -m http.server 8000`
            cwd: Working directory: an absolute path, or one relative to /workspace
            env: Environment variables of the service, by name; they are stored on the host's disk
            secret_env: Secrets of the workspace to pass as environment variables: the name of each secret with the
                name of its variable
            user: User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
                the default is root
            ready_file: Ready when this file exists: an absolute path, or one relative to /workspace
            ready_tcp: Ready when this TCP port of the guest accepts connections: `8000` or `127.0.0.1:8000`
            ready_http: Ready when a request in the guest for this URL is answered with a status below 400:
                `http://127.0.0.1:8000/health`
            ready_command: Ready when this shell command exits with 0
            ready_timeout_seconds: Seconds after which the service is ended if it is not ready
            ready_interval_ms: Milliseconds between two readiness checks, 10 to 60000
            published_ports: Publish a TCP port of the guest on this host until the service has ended, by itself or not, as
                `add_workspace_port` does; one that is started again keeps it
            restart: When to restart the service after it has exited: `no`, or `on-failure`, if its exit code was
                not 0. The first restart is after 1 second; the delay doubles with each further one
            max_restarts: Maximum number of consecutive restarts
            pausable: Allow the workspace to be paused while the service runs, if it is otherwise idle
            autostart: Start the service whenever the workspace is started again
            readiness: The readiness check as one object, instead of the four properties: `type` is `file`, `tcp`,
                `http` or `command`, with `path`, `address`, `url` or `command`

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_start", {"workspace_id": workspace_id, "service_name": service_name, "command": command, "cwd": cwd, "env": env, "secret_env": secret_env, "user": user, "ready_file": ready_file, "ready_tcp": ready_tcp, "ready_http": ready_http, "ready_command": ready_command, "ready_timeout_seconds": ready_timeout_seconds, "ready_interval_ms": ready_interval_ms, "published_ports": published_ports, "restart": restart, "max_restarts": max_restarts, "pausable": pausable, "autostart": autostart, "readiness": readiness})
        return response

    async def list_services(self, workspace_id: str) -> results.Services:
        """List the services of a workspace, including those that have ended

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            The services of a workspace.
                count: How many there are.
                running_count: How many of them are running.
                services: The services, by name.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Services = await self._call("service_list", {"workspace_id": workspace_id})
        return response

    async def status_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Show the state of a service, and why it ended if it has

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_status", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    async def logs_service(self, workspace_id: str, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show the output of a service

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service
            tail_lines: Show only the last N lines of each output
            all: Show all the output that is kept
            follow: Show further output as it is printed, until the service ends

        Returns:
            The output of a service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stderr: Its standard error, unless that was streamed.
                stdout: Its standard output, unless that was streamed.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                tail_lines: The number of lines that was requested for each output; null for all.
                truncated: Whether earlier output was left out.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ServiceLogs = await self._call("service_logs", {"workspace_id": workspace_id, "service_name": service_name, "tail_lines": tail_lines, "all": all, "follow": follow})
        return response

    async def stop_service(self, workspace_id: str, service_name: str) -> results.Service:
        """Stop a service of a workspace

        The service gets SIGTERM; if it has not ended after 10 seconds, it is killed with all its
        processes. A service that is not running is left as it is. Its output can still be read. Ports
        that were published with it are released.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            service_name: Name of the service

        Returns:
            A service.
                autostart: Whether it is started when its workspace is started again.
                command: The command.
                cwd: Its working directory.
                ended_at: When it ended; null if it is running, or if it ended with its workspace.
                execution_mode: Where it runs.
                exit_code: Its exit code; 128 + N if signal N ended it; null if it has none.
                pausable: Whether the workspace may be paused while it runs.
                pid: Its process id in the guest.
                published_ports: The ports that are published with it, until it has ended.
                readiness: Its readiness check; null if it is ready at once.
                ready_at: When it became ready; null if it never did.
                restart: When it is restarted: `no` or `on-failure`.
                restart_count: How many times in a row it was restarted.
                service_name: Its name.
                started_at: When it was started last, in seconds since the Unix epoch.
                state: `running`, `exited` by itself, `stopped`, or `failed` to become ready.
                stop_reason: Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
            `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
            itself.
                workspace_id: The workspace it is in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Service = await self._call("service_stop", {"workspace_id": workspace_id, "service_name": service_name})
        return response

    async def delete_workspace(self, workspace_id: str) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, even if commands are running

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it

        Returns:
            A deleted workspace.
                deleted: Whether it was deleted.
                reason: Why.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.WorkspaceDeleted = await self._call("workspace_delete", {"workspace_id": workspace_id})
        return response

    async def pull_environment(self, environment: str, *, pull: str = "always") -> results.Pulled:
        """Install an environment, or check that it is installed

        An environment of the catalog is built from the Debian archive for which the host's apt is
        configured; this takes about half a minute. Another name is that of an image: of a registry
        (`docker.io/library/alpine:3.20`), in a file or directory (`docker-archive:FILE[:TAG]`,
        `oci-archive:FILE[:TAG]`, `oci-layout:DIRECTORY[:TAG]`), or of Docker or Podman on this host
        (`docker:NAME`, `podman:NAME`). What is complete and unaltered is not made again.

        Args:
            environment: Environment to install, for example `debian:12`
            pull: Whether to ask what the name of an image stands for now: `always`; `missing`, only if that is
                not known yet; `never`, and fail if it is not installed. It does not matter to the catalog

        Returns:
            An installed environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                kernel_image: Its kernel.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                rootfs_image: The image of its root file system.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source: The source from which it was built.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pulled = await self._call("env_pull", {"environment": environment, "pull": pull})
        return response

    async def inspect_environment(self, environment: str) -> results.Environment:
        """Show what an environment consists of and where it is installed

        Args:
            environment: Environment to show, for example `debian:12`

        Returns:
            The description of an environment.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Environment = await self._call("env_inspect", {"environment": environment})
        return response

    async def build_environment(self, *, name: str, context: str | os.PathLike[str] | None = None, file: str | os.PathLike[str] | None = None, target: str | None = None, build_arg: list[str] | None = None, from_: str | None = None, packages: list[str] | None = None, run: list[str] | None = None, network: bool = False, no_cache: bool = False, pull: str = "missing", vcpu_count: int = 1, mem_mib: int = 2048) -> results.BuildResult:
        """Build an environment from a Dockerfile, or from packages and commands

        The environment is called `local:NAME`. Each instruction that changes files runs in a microVM,
        without a network unless network is given, and its result is kept: a repeated build runs only
        what has changed. Without a Dockerfile, from names the environment to begin with, packages is
        installed from the network by the package manager that is in it, and each run is a command.

        Args:
            name: Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`
            context: Directory whose files COPY may take; its `.dockerignore` is respected
            file: Dockerfile; by default the one in the directory
            target: Stage to end with, by its name; by default the last one
            build_arg: Value of an ARG of the Dockerfile, as NAME=VALUE
            from_: Environment to begin with, instead of a Dockerfile
            packages: Packages to install, with commas between them
            run: Shell command to run after the packages are installed; may be given several times
            network: Let RUN and run reach the Internet, but neither this host nor private networks
            no_cache: Run all instructions again, whatever was kept
            pull: When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
                `never`, and use only what is installed
            vcpu_count: Virtual processors, 1 to 8
            mem_mib: Memory in MiB, 256 to 32768

        Returns:
            An environment that was built.
                cache_dir: The environment cache.
                cached_count: How many of those that change files were found in the cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                run_count: How many of those that change files were carried out.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                step_count: How many instructions it is made of.
                version: Its version.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.BuildResult = await self._call("env_build", {"name": name, "context": context, "file": file, "target": target, "build_arg": build_arg, "from": from_, "packages": packages, "run": run, "network": network, "no_cache": no_cache, "pull": pull, "vcpu_count": vcpu_count, "mem_mib": mem_mib})
        return response

    async def save_environment(self, workspace_id: str, name: str) -> results.Saved:
        """Save a workspace as an environment of this host

        The environment has the root file system of the workspace as it is now, with everything that was
        installed, written and left there, and is called `local:NAME`. The workspace goes on, and may be
        deleted afterwards. What is in the memory of its machine is not saved, such as processes, secrets
        and the contents of /run. If the name stands for another environment already, that one keeps only
        its digest as a name.

        Args:
            workspace_id: Id of the workspace, as `create_workspace` returned it
            name: Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`

        Returns:
            An environment that was saved.
                cache_dir: The environment cache.
                catalog_version: Version of the catalog it is in.
                compatibility: Versions of pyro that can use it.
                default_packages: The packages that it is guaranteed to contain.
                description: Its purpose.
                distribution: The distribution.
                distribution_version: The distribution's version.
                entry_count: How many files, directories, links and other entries it has.
                install_dir: The directory in which it is or would be installed.
                install_manifest: The record of its installation, if it is installed.
                installed: Whether it is installed.
                left_out_count: How many sockets were left out.
                name: Its name.
                oci_reference: The tag or the digest of its image.
                oci_registry: The registry of its image; null if it is built from the distribution's archive, or its image is
            of this host.
                oci_repository: The repository of its image.
                platform: The platform it runs on.
                size_bytes: How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
            be those of other environments, too.
                source_digest: SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
                version: Its version.
                workspace_id: The workspace.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Saved = await self._call("env_save", {"workspace_id": workspace_id, "name": name})
        return response

    async def export_environment(self, environment: str, *, oci_path: str | os.PathLike[str] | None = None, docker_path: str | os.PathLike[str] | None = None, force: bool = False) -> results.ImageExport:
        """Export an image into a file that container tools read

        The image is one that was pulled from a registry, imported, or saved with `save_environment`. The file
        appears at its path only when it is complete.

        Args:
            environment: Name of the image, for example `local:mine`
            oci_path: Path of an OCI layout in a tar file, with layers as they are in the cache
            docker_path: Path of a file in the form of `docker save`, with layers that are not compressed
            force: Replace an existing file or directory at the path, with everything in it

        Returns:
            An image that was exported.
                bytes_written: The length of the file in bytes.
                environment: The image.
                format: `oci-archive` or `docker-archive`: what is before the colon where container tools read it.
                output_path: The path of the file on this host.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.ImageExport = await self._call("env_export", {"environment": environment, "oci_path": oci_path, "docker_path": docker_path, "force": force})
        return response

    async def remove_environment(self, environment: str) -> results.Removed:
        """Remove an installed environment from the cache

        One that a workspace or a VM uses is not removed. An image that has several names goes with the
        last of them, together with the layers that no other image has.

        Args:
            environment: Environment to remove, for example `debian:12-build`

        Returns:
            What was removed.
                deleted_environment_dirs: Names of the removed directories, sorted; none if the image has other names.
                environment: The environment.
                freed_bytes: How many bytes are free again on the disk, about.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Removed = await self._call("env_remove", {"environment": environment})
        return response

    async def prune_environments(self, *, unused_days: int | None = None) -> results.Pruned:
        """Remove cached environments, kernels and templates that are incomplete, damaged or outdated

        So are images that have no name any more, layers that no image needs, and what interrupted pulls
        have left, and steps of builds that were not used for 14 days. What a workspace or a VM uses is never removed, nor is a complete environment, unless
        unused_days asks for it.

        Args:
            unused_days: Also remove environments that were not used for so many days, 1 to 3650

        Returns:
            What was removed.
                count: How many were removed.
                deleted_environment_dirs: Names of the removed directories, sorted.
                freed_bytes: How many bytes are free again on the disk, about, without those of templates.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Pruned = await self._call("env_prune", {"unused_days": unused_days})
        return response

    async def list_vms(self) -> results.Vms:
        """List the VMs

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
        """Check whether this machine can run guests, and report what is missing

        The exit status is 0 only if a guest can run. `boot` proves it by booting one.

        Args:
            platform: Platform to check
            boot: Boot a guest, after building its environment if necessary

        Returns:
            The report about the host.
                accelerator: The accelerator for guests.
                boot: The guest that was booted, if one was asked for.
                build_requirements: Programs that environments are built with.
                disk: Directories and their free space.
                isolation: The isolation between the VMM and the host, by mechanism.
                issues: Problems and possible improvements.
                kernels: Kernels in the cache.
                kvm: The KVM device.
                networking: The requirements of networking.
                parked_machines: The number of machines that are parked now.
                platform: The platform.
                qemu: The VMM.
                remedies: Commands that solve the problems.
                runtime: The parts of the runtime.
                runtime_ok: Whether a guest can run.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Report = await self._call("doctor", {"platform": platform, "boot": boot})
        return response

    async def demo(self, *, network: bool = False) -> results.Demonstration:
        """Demonstrate pyro: run git in a new microVM

        The result is that of `run`. On a terminal, each step is shown as it happens; otherwise, and
        with `--json`, the result is printed as JSON.

        With `network`, a second microVM then requests https://example.com/, and the result is the
        output of that microVM: the status of the response. If the Internet cannot be reached, the
        result is that of the first microVM and contains the reason.

        Args:
            network: Also show that a guest can reach the Internet

        Returns:
            The result of the demonstration.
                cleanup: The end of the microVM.
                command: The command.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                network_unreachable: Present if the Internet was requested and cannot be reached: why.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                vm_id: The microVM it ran in.

        Raises:
            PyroValueError: The request cannot be meant, or names what does not exist.
            PyroRuntimeError: The request is sound, but was not carried out.
        """
        response: results.Demonstration = await self._call("demo", {"network": network})
        return response

    async def demo_ollama(self, *, base_url: str = "http://localhost:11434/v1", model: str = "llama3.2:3b", timeout_seconds: int = 90, stream: bool = False) -> results.ModelRun:
        """Let a language model run a command in a microVM, with the tools of an agent

        The model's server is Ollama or any other server with OpenAI's chat completions API and tool
        calls. pyro connects to it directly, not through a proxy, and sends the key in PYRO_MODEL_API_KEY
        if that is set. The model is asked to clone a git repository in a guest and to check the result.
        It can only call a few tools for microVMs: no command runs on the host, no file of the host is
        read, and microVMs that the model leaves behind are deleted. An invalid tool call is answered
        with an explanation of the mistake.

        The demonstration succeeds if the last command of the model printed the expected text. It fails
        if the model ran no command or another one, if it still calls tools after 12 rounds, or if its
        server does not reply.

        Args:
            base_url: Base URL of the model's server, to which `/chat/completions` is appended
            model: Name of the model on the server; the model must support tool calls
            timeout_seconds: Time limit in seconds for each reply of the model; with stream, for each chunk of a reply
            stream: Request streamed replies

        Returns:
            The command that a model ran.
                cleanup: The end of the microVM.
                command: The command.
                corrected: Present if at least one tool call failed.
                duration_ms: How long it ran, in milliseconds.
                environment: The environment.
                environment_version: The environment's version.
                execution_mode: Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
                exit_code: Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
                fallback_used: Always false: no command is run in place of the model.
                model: The model.
                oom_killed: Present if the command failed and the guest's kernel killed one of its processes because
            memory was exhausted.
                rounds: How many replies it sent.
                signal: Present if a signal ended the command: its number.
                stderr: Its standard error, unless that was streamed.
                stderr_lossy: Present if bytes in `stderr` that are not UTF-8 were replaced.
                stderr_lossy_from_bytes: Present with `stderr_lossy`: the number of bytes before the replacement.
                stderr_truncated_from_bytes: Present if `stderr` is truncated: how many bytes the command printed.
                stdout: Its standard output, unless that was streamed.
                stdout_lossy: Present if bytes in `stdout` that are not UTF-8 were replaced.
                stdout_lossy_from_bytes: Present with `stdout_lossy`: the number of bytes before the replacement.
                stdout_truncated_from_bytes: Present if `stdout` is truncated: how many bytes the command printed.
                timed_out: Present if the command was ended at its time limit.
                tool_calls: How many tool calls it requested.
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
        """Run a command in a workspace: see `Pyro.exec_workspace`."""
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
        """Show the state of a workspace: see `Pyro.status_workspace`."""
        return self._pyro.status_workspace(self.id)

    def stop(self) -> results.Workspace:
        """Shut down a workspace; its files and logs are kept: see `Pyro.stop_workspace`."""
        return self._pyro.stop_workspace(self.id)

    def start(self, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files: see `Pyro.start_workspace`."""
        return self._pyro.start_workspace(self.id, secrets=secrets)

    def logs(self, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output: see `Pyro.read_workspace_logs`."""
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
        """Save the files of a workspace, to restore them later with `reset_workspace`: see `Pyro.create_snapshot`."""
        return self._pyro.create_snapshot(self.id, snapshot_name)

    def list_snapshots(self) -> results.Snapshots:
        """List the snapshots of a workspace: see `Pyro.list_snapshots`."""
        return self._pyro.list_snapshots(self.id)

    def delete_snapshot(self, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace: see `Pyro.delete_snapshot`."""
        return self._pyro.delete_snapshot(self.id, snapshot_name)

    def reset(self, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Restore the files of a workspace to its initial state or to a snapshot: see `Pyro.reset_workspace`."""
        return self._pyro.reset_workspace(self.id, snapshot=snapshot, secrets=secrets)

    def add_port(self, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host: see `Pyro.add_workspace_port`."""
        return self._pyro.add_workspace_port(self.id, port)

    def list_ports(self) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host: see `Pyro.list_workspace_ports`."""
        return self._pyro.list_workspace_ports(self.id)

    def remove_port(self, host_port: int) -> results.RemovedPort:
        """Stop publishing a port of a workspace: see `Pyro.remove_workspace_port`."""
        return self._pyro.remove_workspace_port(self.id, host_port)

    def open_shell(self, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open an interactive shell in a workspace, which stays open after this call: see `Pyro.open_shell`."""
        return self._pyro.open_shell(self.id, cwd=cwd, cols=cols, rows=rows, env=env, secret_env=secret_env, user=user)

    def list_shells(self) -> results.Shells:
        """List the shells of a workspace, including those that have ended: see `Pyro.list_shells`."""
        return self._pyro.list_shells(self.id)

    def read_shell(self, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read the output of a shell: see `Pyro.read_shell`."""
        return self._pyro.read_shell(self.id, shell_id, cursor=cursor, max_chars=max_chars, plain=plain, wait_for_idle_ms=wait_for_idle_ms, wait_for=wait_for, wait_seconds=wait_seconds)

    def write_shell(self, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type text into a shell, followed by Enter: see `Pyro.write_shell`."""
        return self._pyro.write_shell(self.id, shell_id, input=input, append_newline=append_newline)

    def signal_shell(self, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to the programs in a shell: see `Pyro.signal_shell`."""
        return self._pyro.signal_shell(self.id, shell_id, signal_name=signal_name)

    def resize_shell(self, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal: see `Pyro.resize_shell`."""
        return self._pyro.resize_shell(self.id, shell_id, cols=cols, rows=rows)

    def close_shell(self, shell_id: str) -> results.ClosedShell:
        """End a shell with all its processes: see `Pyro.close_shell`."""
        return self._pyro.close_shell(self.id, shell_id)

    def attach_shell(self, shell_id: str) -> results.Shell:
        """Attach this terminal to a shell, until the shell ends or Ctrl-] is typed: see `Pyro.attach_shell`."""
        return self._pyro.attach_shell(self.id, shell_id)

    def start_service(self, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped: see `Pyro.start_service`."""
        return self._pyro.start_service(self.id, service_name, command=command, cwd=cwd, env=env, secret_env=secret_env, user=user, ready_file=ready_file, ready_tcp=ready_tcp, ready_http=ready_http, ready_command=ready_command, ready_timeout_seconds=ready_timeout_seconds, ready_interval_ms=ready_interval_ms, published_ports=published_ports, restart=restart, max_restarts=max_restarts, pausable=pausable, autostart=autostart, readiness=readiness)

    def list_services(self) -> results.Services:
        """List the services of a workspace, including those that have ended: see `Pyro.list_services`."""
        return self._pyro.list_services(self.id)

    def status_service(self, service_name: str) -> results.Service:
        """Show the state of a service, and why it ended if it has: see `Pyro.status_service`."""
        return self._pyro.status_service(self.id, service_name)

    def logs_service(self, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show the output of a service: see `Pyro.logs_service`."""
        return self._pyro.logs_service(self.id, service_name, tail_lines=tail_lines, all=all, follow=follow)

    def stop_service(self, service_name: str) -> results.Service:
        """Stop a service of a workspace: see `Pyro.stop_service`."""
        return self._pyro.stop_service(self.id, service_name)

    def delete(self) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, even if commands are running: see `Pyro.delete_workspace`."""
        return self._pyro.delete_workspace(self.id)

    def save_environment(self, name: str) -> results.Saved:
        """Save a workspace as an environment of this host: see `Pyro.save_environment`."""
        return self._pyro.save_environment(self.id, name)


class AsyncWorkspaceOperations:
    """Every operation on a workspace as a method of it to await."""

    _pyro: AsyncOperations
    id: str

    async def update(self, *, name: str | None = None, clear_name: bool = False, labels: dict[str, str] | None = None, clear_labels: list[str] | None = None) -> results.Workspace:
        """Change the name and the labels of a workspace: see `Pyro.update_workspace`."""
        return await self._pyro.update_workspace(self.id, name=name, clear_name=clear_name, labels=labels, clear_labels=clear_labels)

    async def exec(self, *, command: str, env: dict[str, str] | None = None, cwd: str | None = None, user: str | None = None, secret_env: dict[str, str] | None = None, detach: bool = False, timeout_seconds: int = 30, stdin: str | None = None) -> results.ExecResult:
        """Run a command in a workspace: see `Pyro.exec_workspace`."""
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
        """Show the state of a workspace: see `Pyro.status_workspace`."""
        return await self._pyro.status_workspace(self.id)

    async def stop(self) -> results.Workspace:
        """Shut down a workspace; its files and logs are kept: see `Pyro.stop_workspace`."""
        return await self._pyro.stop_workspace(self.id)

    async def start(self, *, secrets: list[dict[str, object]] | None = None) -> results.Workspace:
        """Start a stopped workspace again, with its files: see `Pyro.start_workspace`."""
        return await self._pyro.start_workspace(self.id, secrets=secrets)

    async def logs(self, *, sequence: int | None = None, tail: int | None = None, follow: bool = False, offset: int = 0, limit: int = 16777216) -> results.WorkspaceLogs:
        """Show the commands of a workspace, with their output: see `Pyro.read_workspace_logs`."""
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
        """Save the files of a workspace, to restore them later with `reset_workspace`: see `Pyro.create_snapshot`."""
        return await self._pyro.create_snapshot(self.id, snapshot_name)

    async def list_snapshots(self) -> results.Snapshots:
        """List the snapshots of a workspace: see `Pyro.list_snapshots`."""
        return await self._pyro.list_snapshots(self.id)

    async def delete_snapshot(self, snapshot_name: str) -> results.SnapshotDeleted:
        """Delete a snapshot of a workspace: see `Pyro.delete_snapshot`."""
        return await self._pyro.delete_snapshot(self.id, snapshot_name)

    async def reset(self, *, snapshot: str = "baseline", secrets: list[dict[str, object]] | None = None) -> results.ResetWorkspace:
        """Restore the files of a workspace to its initial state or to a snapshot: see `Pyro.reset_workspace`."""
        return await self._pyro.reset_workspace(self.id, snapshot=snapshot, secrets=secrets)

    async def add_port(self, port: str | int) -> results.AddedPort:
        """Publish a TCP port of a running workspace on this host: see `Pyro.add_workspace_port`."""
        return await self._pyro.add_workspace_port(self.id, port)

    async def list_ports(self) -> results.PublishedPorts:
        """List the ports of a workspace that are published on this host: see `Pyro.list_workspace_ports`."""
        return await self._pyro.list_workspace_ports(self.id)

    async def remove_port(self, host_port: int) -> results.RemovedPort:
        """Stop publishing a port of a workspace: see `Pyro.remove_workspace_port`."""
        return await self._pyro.remove_workspace_port(self.id, host_port)

    async def open_shell(self, *, cwd: str = "/workspace", cols: int = 120, rows: int = 30, env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None) -> results.Shell:
        """Open an interactive shell in a workspace, which stays open after this call: see `Pyro.open_shell`."""
        return await self._pyro.open_shell(self.id, cwd=cwd, cols=cols, rows=rows, env=env, secret_env=secret_env, user=user)

    async def list_shells(self) -> results.Shells:
        """List the shells of a workspace, including those that have ended: see `Pyro.list_shells`."""
        return await self._pyro.list_shells(self.id)

    async def read_shell(self, shell_id: str, *, cursor: int = 0, max_chars: int = 65536, plain: bool = False, wait_for_idle_ms: int | None = None, wait_for: str | None = None, wait_seconds: int = 30) -> results.ShellOutput:
        """Read the output of a shell: see `Pyro.read_shell`."""
        return await self._pyro.read_shell(self.id, shell_id, cursor=cursor, max_chars=max_chars, plain=plain, wait_for_idle_ms=wait_for_idle_ms, wait_for=wait_for, wait_seconds=wait_seconds)

    async def write_shell(self, shell_id: str, *, input: str, append_newline: bool = True) -> results.ShellWritten:
        """Type text into a shell, followed by Enter: see `Pyro.write_shell`."""
        return await self._pyro.write_shell(self.id, shell_id, input=input, append_newline=append_newline)

    async def signal_shell(self, shell_id: str, *, signal_name: str = "INT") -> results.ShellSignalled:
        """Send a signal to the programs in a shell: see `Pyro.signal_shell`."""
        return await self._pyro.signal_shell(self.id, shell_id, signal_name=signal_name)

    async def resize_shell(self, shell_id: str, *, cols: int, rows: int) -> results.Shell:
        """Change the size of a shell's terminal: see `Pyro.resize_shell`."""
        return await self._pyro.resize_shell(self.id, shell_id, cols=cols, rows=rows)

    async def close_shell(self, shell_id: str) -> results.ClosedShell:
        """End a shell with all its processes: see `Pyro.close_shell`."""
        return await self._pyro.close_shell(self.id, shell_id)

    async def attach_shell(self, shell_id: str) -> results.Shell:
        """Attach this terminal to a shell, until the shell ends or Ctrl-] is typed: see `Pyro.attach_shell`."""
        return await self._pyro.attach_shell(self.id, shell_id)

    async def start_service(self, service_name: str, *, command: str, cwd: str = "/workspace", env: dict[str, str] | None = None, secret_env: dict[str, str] | None = None, user: str | None = None, ready_file: str | None = None, ready_tcp: str | None = None, ready_http: str | None = None, ready_command: str | None = None, ready_timeout_seconds: int = 30, ready_interval_ms: int = 500, published_ports: list[str | int] | None = None, restart: str = "no", max_restarts: int = 5, pausable: bool = False, autostart: bool = False, readiness: dict[str, object] | None = None) -> results.Service:
        """Start a service in a workspace: a program that runs until it is stopped: see `Pyro.start_service`."""
        return await self._pyro.start_service(self.id, service_name, command=command, cwd=cwd, env=env, secret_env=secret_env, user=user, ready_file=ready_file, ready_tcp=ready_tcp, ready_http=ready_http, ready_command=ready_command, ready_timeout_seconds=ready_timeout_seconds, ready_interval_ms=ready_interval_ms, published_ports=published_ports, restart=restart, max_restarts=max_restarts, pausable=pausable, autostart=autostart, readiness=readiness)

    async def list_services(self) -> results.Services:
        """List the services of a workspace, including those that have ended: see `Pyro.list_services`."""
        return await self._pyro.list_services(self.id)

    async def status_service(self, service_name: str) -> results.Service:
        """Show the state of a service, and why it ended if it has: see `Pyro.status_service`."""
        return await self._pyro.status_service(self.id, service_name)

    async def logs_service(self, service_name: str, *, tail_lines: int = 200, all: bool = False, follow: bool = False) -> results.ServiceLogs:
        """Show the output of a service: see `Pyro.logs_service`."""
        return await self._pyro.logs_service(self.id, service_name, tail_lines=tail_lines, all=all, follow=follow)

    async def stop_service(self, service_name: str) -> results.Service:
        """Stop a service of a workspace: see `Pyro.stop_service`."""
        return await self._pyro.stop_service(self.id, service_name)

    async def delete(self) -> results.WorkspaceDeleted:
        """Delete a workspace with its files and logs, even if commands are running: see `Pyro.delete_workspace`."""
        return await self._pyro.delete_workspace(self.id)

    async def save_environment(self, name: str) -> results.Saved:
        """Save a workspace as an environment of this host: see `Pyro.save_environment`."""
        return await self._pyro.save_environment(self.id, name)

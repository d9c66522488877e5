# Written by `cargo run -p pyro-dev -- generate` from the table of operations; edit that instead.
"""What the operations return: dictionaries with these keys."""

from __future__ import annotations

from typing import TypedDict


class AcceleratorReport(TypedDict):
    """The accelerator for guests."""

    reason: str
    """Why."""

    selected: str | None
    """`kvm` or `tcg`; null if what was asked for cannot be had."""


class AddedPort(TypedDict):
    """A port that was published."""

    published_port: PublishedPort
    """Where it is published."""

    workspace_id: str
    """The workspace."""


class AppliedPatch(TypedDict):
    """A patch that was applied."""

    changed: bool
    """Whether any file was changed, or would be."""

    check: bool
    """Whether nothing was done, but only seen whether it fits."""

    entries: list[PatchEntry]
    """What was changed, sorted by path."""

    execution_mode: str
    """Where it was applied."""

    moved: list[MovedHunk]
    """Hunks that were not at the line that the patch says."""

    summary: PatchSummary
    """How many files there are of each kind."""

    workspace_id: str
    """The workspace."""


class Boot(TypedDict):
    """A guest that was booted."""

    environment: str
    """What it is."""

    error: str | None
    """Why it did not answer."""

    kernel: str | None
    """Its kernel, if it answered."""

    ok: bool
    """Whether it answered."""

    total_ms: int
    """From the start of the operation to the answer, in milliseconds."""


class BuildRequirement(TypedDict):
    """A program that environments are built with."""

    package: str
    """The Debian package it is in."""

    path: str | None
    """Where it is."""

    purpose: str
    """What it is for."""

    tool: str
    """Its name."""


class Capabilities(TypedDict):
    """What guests can do."""

    reason: str | None
    """Why not, where one of them is false."""

    supports_guest_exec: bool
    """Run commands."""

    supports_guest_network: bool
    """Use the network."""

    supports_vm_boot: bool
    """Boot."""


class Cleanup(TypedDict):
    """What became of a microVM."""

    deleted: bool
    """Whether it is gone."""

    reason: str
    """Why."""

    vm_id: str
    """The microVM."""


class ClosedShell(TypedDict):
    """A shell that is closed."""

    closed: bool
    """Always true."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """The directory it began in."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    workspace_id: str
    """The workspace it is in."""


class Created(TypedDict):
    """A snapshot that was made."""

    execution_mode: str
    """Where the workspace's commands run."""

    snapshot: Snapshot
    """The snapshot."""

    workspace_id: str
    """The workspace."""


class Deleted(TypedDict):
    """A VM that is gone."""

    deleted: bool
    """Whether it is gone."""

    reason: str
    """Why."""

    vm_id: str
    """The VM."""


class _DemonstrationAlways(TypedDict):
    """What was shown. These keys are always there."""

    cleanup: Cleanup
    """What became of the microVM."""

    command: str
    """The command."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    environment: str
    """The environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where it ran: `guest_vsock` in the microVM, `host_compat` on the host."""

    exit_code: int
    """Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    vm_id: str
    """The microVM it ran in."""


class Demonstration(_DemonstrationAlways, total=False):
    """What was shown."""

    network_unreachable: str | None
    """Present if the outside was to be reached and cannot be: why."""

    oom_killed: bool
    """Present if the command did not end well, and the guest's kernel killed a process of it
because the memory was used up."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: how many bytes there were before some were replaced."""

    stderr_truncated_from_bytes: int | None
    """Present if not all of it is in `stderr`: how many bytes there were."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: how many bytes there were before some were replaced."""

    stdout_truncated_from_bytes: int | None
    """Present if not all of it is in `stdout`: how many bytes there were."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class DiffEntry(TypedDict):
    """A path that differs."""

    artifact_type: str
    """What is there now, or was there: `file`, `directory`, `symlink` or `other`."""

    in_patch: bool
    """Whether it is in the patch, as text or not."""

    lines_added: int | None
    """How many lines were added, if it is in the patch as text."""

    lines_removed: int | None
    """How many lines were removed, if it is in the patch as text."""

    new_mode: str | None
    """Its permissions now; null if it is gone."""

    old_mode: str | None
    """Its permissions before, in octal digits, for example `0644`; null if it was not there."""

    path: str
    """The path, relative to /workspace."""

    status: str
    """`added`, `modified`, `deleted` or `type_changed`."""

    text_patch: str | None
    """Its part of the patch, if that is text."""


class DiffSummary(TypedDict):
    """How many entries differ, and how."""

    added: int
    """Those that were not there before."""

    deleted: int
    """Those that are gone."""

    modified: int
    """Those whose content, link target or permissions are different."""

    non_text: int
    """The others."""

    text_patched: int
    """Those that are in the patch as text."""

    total: int
    """All."""

    type_changed: int
    """Those that are of another type."""


class DiskExport(TypedDict):
    """An image that was made."""

    bytes_written: int
    """How many bytes the image takes of the host's disk."""

    disk_format: str
    """`ext4`."""

    entry_count: int
    """How many files, directories, links and others it has."""

    output_path: str
    """Where the image is on this host."""

    size_bytes: int
    """How long the image is, with its holes."""

    workspace_id: str
    """The workspace."""


class DiskReport(TypedDict):
    """A directory and its free space."""

    free_mib: int | None
    """Free space, in MiB."""

    path: str
    """The directory."""

    purpose: str
    """What it is for: `environments` or `machines`."""

    writable: bool
    """Whether this user may write there."""


class _EnvironmentAlways(TypedDict):
    """What is known about one environment. These keys are always there."""

    cache_dir: str
    """The environment cache."""

    catalog_version: str
    """Version of the catalog it is in."""

    compatibility: str
    """Versions of pyro that can use it."""

    default_packages: list[str]
    """The packages it promises."""

    description: str
    """What it is for."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    install_dir: str
    """Where it is, or would be, installed."""

    installed: bool
    """Whether it is installed."""

    name: str
    """Its name."""

    oci_reference: str | None
    """Reference of a published image."""

    oci_registry: str | None
    """Registry of a published image; null: it is built from the distribution's archive."""

    oci_repository: str | None
    """Repository of a published image."""

    platform: str
    """The platform it runs on."""

    source_digest: str
    """SHA-256 of its recipe, in hexadecimal."""

    version: str
    """Its version."""


class Environment(_EnvironmentAlways, total=False):
    """What is known about one environment."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""


class EnvironmentList(TypedDict):
    """The environments."""

    catalog_version: str
    """Version of the catalog."""

    environments: list[Environment]
    """The environments, by name."""


class _ExecResultAlways(TypedDict):
    """What came of a command. These keys are always there."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    environment: str
    """The environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where it ran."""

    sequence: int
    """Its number in the workspace's log."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    workspace_id: str
    """The workspace it ran in."""


class ExecResult(_ExecResultAlways, total=False):
    """What came of a command."""

    detached: bool
    """Present if the command goes on."""

    exit_code: int
    """Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
it runs on."""

    oom_killed: bool
    """Present if the command did not end well, and the guest's kernel killed a process of it
because the memory was used up."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: how many bytes there were before some were replaced."""

    stderr_truncated_from_bytes: int | None
    """Present if not all of it is in `stderr`: how many bytes there were."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: how many bytes there were before some were replaced."""

    stdout_truncated_from_bytes: int | None
    """Present if not all of it is in `stdout`: how many bytes there were."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class _ExportedAlways(TypedDict):
    """What was copied. These keys are always there."""

    artifact_type: str
    """`file`, `directory` or `symlink`."""

    bytes_written: int
    """How many bytes its files have."""

    entry_count: int
    """How many files, directories and links it has, with itself."""

    execution_mode: str
    """Where the workspace runs."""

    output_path: str
    """Where it is on this host."""

    workspace_id: str
    """The workspace."""

    workspace_path: str
    """What was copied, as an absolute path in the guest."""


class Exported(_ExportedAlways, total=False):
    """What was copied."""

    changed_count: int
    """Present if files grew or shrank while they were read: how many. They have the size that they
had first."""

    left_out_count: int
    """Present if there were devices, pipes or sockets: how many, and they were not copied."""


class _FileContentAlways(TypedDict):
    """What a file holds. These keys are always there."""

    content: str
    """What was read, as text."""

    max_bytes: int
    """The most bytes that were to be read."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    offset: int
    """The byte of the file with which `content` begins."""

    path: str
    """The file's absolute path."""

    size_bytes: int
    """How many bytes the whole file holds."""

    truncated: bool
    """Whether the file holds more after what was read."""

    workspace_id: str
    """The workspace."""


class FileContent(_FileContentAlways, total=False):
    """What a file holds."""

    content_base64: str | None
    """Present if it was asked for: what was read, in Base64."""

    content_lossy: bool
    """Present if bytes in `content` that are not UTF-8 were replaced."""

    next_offset: int | None
    """Present if there is more: the byte with which the next part begins."""

    sha256: str | None
    """Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it."""


class _FileListingAlways(TypedDict):
    """What is in a directory. These keys are always there."""

    entries: list[ListedFile]
    """Its entries, sorted by name; a directory comes before its contents."""

    path: str
    """The directory."""

    recursive: bool
    """Whether what is in its directories is listed, too."""

    workspace_id: str
    """The workspace."""


class FileListing(_FileListingAlways, total=False):
    """What is in a directory."""

    truncated: bool
    """Present if there are more entries: only the first 10,000 are listed."""


class IsolationReport(TypedDict):
    """A piece of what is between the VMM and the host."""

    detail: str
    """Its extent, or why it is not in force."""

    in_force: bool
    """Whether it is in force on this host."""

    piece: str
    """Its name, as for `--require-isolation`."""


class Killed(TypedDict):
    """What became of a signal."""

    sent: bool
    """Whether the command ran, so that the signal was sent."""

    sequence: int
    """The number of the command."""

    signal: str
    """The name of the signal."""

    workspace_id: str
    """The workspace."""


class Kvm(TypedDict):
    """The KVM device."""

    exists: bool
    """It exists."""

    readable: bool
    """This user may read it."""

    writable: bool
    """This user may write it."""


class LastCommand(TypedDict):
    """A command that has ended."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    execution_mode: str
    """Where it ran."""

    exit_code: int | None
    """Its exit code; null if it was interrupted."""

    sequence: int
    """Its number."""


class LeftOut(TypedDict):
    """What was not copied."""

    count: int
    """How many; a directory counts as one, whatever is in it."""

    entries: list[LeftOutEntry]
    """The first of them."""

    reasons: dict[str, int]
    """How many for each reason: `excluded`, `git_ignored`, `unreadable`, `vanished`, `socket`,
`device`."""


class LeftOutEntry(TypedDict):
    """Something that was not copied."""

    path: str
    """Where it is in the source."""

    reason: str
    """Why it was left out."""


class Listed(TypedDict):
    """A workspace in a list."""

    command_count: int
    """How many commands were run in it."""

    created_at: float
    """When it was made, in seconds since the Unix epoch."""

    environment: str
    """Its environment."""

    expires_at: float | None
    """When its time is over, in seconds since the Unix epoch; null for never."""

    labels: dict[str, str]
    """Its labels."""

    last_activity_at: float
    """When it was made or last used, in seconds since the Unix epoch."""

    name: str | None
    """Its name, if it has one."""

    running_service_count: int
    """How many of them run."""

    service_count: int
    """How many services it has."""

    state: str
    """`starting`, `started`, `stopped`, `failed` or `expired`."""

    workspace_id: str
    """Its id."""


class ListedFile(TypedDict):
    """One entry of a directory."""

    artifact_type: str
    """`file`, `directory`, `symlink` or `other`."""

    link_target: str | None
    """Where it points to, if it is a symbolic link."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    modified_at: int
    """When it was changed last, in seconds since the Unix epoch."""

    path: str
    """Its absolute path."""

    size_bytes: int
    """How many bytes it holds; 0 for directories and devices."""


class _LogEntryAlways(TypedDict):
    """One command. These keys are always there."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    execution_mode: str
    """Where it ran."""

    exit_code: int | None
    """Its exit code; null if it runs, or was interrupted."""

    recorded_at: float
    """When it was started, in seconds since the Unix epoch."""

    sequence: int
    """Its number."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stderr_file: str
    """The file with its standard error, with exact bytes."""

    stdout: str
    """Its standard output, unless that was streamed."""

    stdout_file: str
    """The file with its standard output, with exact bytes."""


class LogEntry(_LogEntryAlways, total=False):
    """One command."""

    dropped_bytes: int | None
    """Present if the command printed more than is kept, or its output made room for that of newer
ones: how many bytes were dropped."""

    interrupted: str | None
    """Present if it has no exit code: `running`, or why it was interrupted."""

    oom_killed: bool
    """Present if the command did not end well, and the guest's kernel killed a process of it
because the memory was used up."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: how many bytes there were before some were replaced."""

    stderr_truncated_from_bytes: int | None
    """Present if not all of it is in `stderr`: how many bytes there were."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: how many bytes there were before some were replaced."""

    stdout_truncated_from_bytes: int | None
    """Present if not all of it is in `stdout`: how many bytes there were."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class _ModelRunAlways(TypedDict):
    """What a model had run. These keys are always there."""

    cleanup: Cleanup
    """What became of the microVM."""

    command: str
    """The command."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    environment: str
    """The environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where it ran: `guest_vsock` in the microVM, `host_compat` on the host."""

    exit_code: int
    """Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it."""

    fallback_used: bool
    """Always false: nothing is run in the model's place."""

    model: str
    """The model."""

    rounds: int
    """How many replies it gave."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    tool_calls: int
    """How many calls of tools it asked for."""

    vm_id: str
    """The microVM it ran in."""


class ModelRun(_ModelRunAlways, total=False):
    """What a model had run."""

    corrected: bool
    """Present if it called a tool in vain at least once."""

    oom_killed: bool
    """Present if the command did not end well, and the guest's kernel killed a process of it
because the memory was used up."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: how many bytes there were before some were replaced."""

    stderr_truncated_from_bytes: int | None
    """Present if not all of it is in `stderr`: how many bytes there were."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: how many bytes there were before some were replaced."""

    stdout_truncated_from_bytes: int | None
    """Present if not all of it is in `stdout`: how many bytes there were."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class MovedHunk(TypedDict):
    """A hunk that was not at its line."""

    by: int
    """How many lines further down it was."""

    hunk: int
    """The number of the hunk in the file, from 1."""

    path: str
    """The path, relative to /workspace."""


class Networking(TypedDict):
    """What networking needs, or might need."""

    enabled_by_default: bool
    """Whether guests have a network without being given one."""

    ip_binary: str | None
    """Where `ip` is."""

    ip_forward_enabled: bool
    """Whether this host forwards IPv4."""

    iptables_binary: str | None
    """Where `iptables` is."""

    nft_binary: str | None
    """Where `nft` is."""

    passt_binary: str | None
    """Where `passt` is, which guests with a network need; null also if the host has no way out."""

    tun_available: bool
    """Whether there is a TUN device."""


class PatchEntry(TypedDict):
    """A file that a patch has changed."""

    path: str
    """The path, relative to /workspace."""

    status: str
    """`added`, `modified` or `deleted`."""


class PatchSummary(TypedDict):
    """How many files a patch has changed."""

    added: int
    """Those that were not there before."""

    deleted: int
    """Those that are gone."""

    modified: int
    """Those whose content or permissions are different."""

    total: int
    """All."""


class Pruned(TypedDict):
    """What was removed."""

    count: int
    """How many they are."""

    deleted_environment_dirs: list[str]
    """Names of the removed directories, sorted."""


class PublishedPort(TypedDict):
    """A port of a guest that is published on the host."""

    guest_port: int
    """The port in the guest."""

    host: str
    """The address on which the host listens."""

    host_port: int
    """The host's port."""

    protocol: str
    """Always `tcp`."""


class PublishedPorts(TypedDict):
    """The ports of a workspace that are published."""

    count: int
    """How many there are."""

    published_ports: list[PublishedPort]
    """In the order in which they were published."""

    workspace_id: str
    """The workspace."""


class PullEntry(TypedDict):
    """What is done about a path."""

    action: str
    """`add`, `modify`, `delete`, `merge`, `mark`, `keep`, `skip` or `conflict`."""

    path: str
    """The path below the directory."""

    reason: str | None
    """Why, if it is not obvious."""


class PullSummary(TypedDict):
    """How many paths there are of each kind."""

    added: int
    """Those that are new in the directory."""

    conflicts: int
    """Those that both have changed."""

    deleted: int
    """Those that are gone."""

    kept: int
    """Those that stay as they are."""

    merged: int
    """Texts that were merged, with or without marks."""

    modified: int
    """Those that are different."""

    skipped: int
    """Those that are not taken over: devices, and what must be named."""


class _PulledAlways(TypedDict):
    """An installed environment. These keys are always there."""

    cache_dir: str
    """The environment cache."""

    catalog_version: str
    """Version of the catalog it is in."""

    compatibility: str
    """Versions of pyro that can use it."""

    default_packages: list[str]
    """The packages it promises."""

    description: str
    """What it is for."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    install_dir: str
    """Where it is, or would be, installed."""

    installed: bool
    """Whether it is installed."""

    kernel_image: str
    """Its kernel."""

    name: str
    """Its name."""

    oci_reference: str | None
    """Reference of a published image."""

    oci_registry: str | None
    """Registry of a published image; null: it is built from the distribution's archive."""

    oci_repository: str | None
    """Repository of a published image."""

    platform: str
    """The platform it runs on."""

    rootfs_image: str
    """The image of its root file system."""

    source: str
    """Where it came from."""

    source_digest: str
    """SHA-256 of its recipe, in hexadecimal."""

    version: str
    """Its version."""


class Pulled(_PulledAlways, total=False):
    """An installed environment."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""


class _PulledChangesAlways(TypedDict):
    """What was taken over. These keys are always there."""

    changed: bool
    """Whether anything in the directory was changed, or would be."""

    check: bool
    """Whether nothing was done, but only shown."""

    entries: list[PullEntry]
    """What was done about which path. What is the same already is not listed."""

    summary: PullSummary
    """How many paths there are of each kind."""

    target_path: str
    """The directory of this host."""

    undo: bool
    """Whether this took a pull back."""

    workspace_id: str
    """The workspace."""


class PulledChanges(_PulledChangesAlways, total=False):
    """What was taken over."""

    changed_count: int
    """Present if files grew or shrank in the workspace while they were read: how many."""

    has_conflicts: bool
    """Present if it cannot be done as it is: there are conflicts."""

    truncated: bool
    """Present if there are more: only 5,000 paths are listed, conflicts first."""


class Pushed(TypedDict):
    """What was done."""

    execution_mode: str
    """Where it runs."""

    workspace_id: str
    """The workspace."""

    workspace_sync: Sync
    """What was copied."""


class QemuReport(TypedDict):
    """The VMM."""

    minimum_version: str
    """The oldest version that is supported."""

    path: str | None
    """Where it is."""

    tried_versions: list[str]
    """The versions that pyro was tested with; others from the oldest on may work as well."""

    version: str | None
    """Its version."""


class Reaped(TypedDict):
    """The VMs that were deleted."""

    count: int
    """How many there were."""

    deleted_vm_ids: list[str]
    """Their ids."""


class RemovedPort(TypedDict):
    """A port that is published no more."""

    host_port: int
    """The port of the host."""

    removed: bool
    """Always true."""

    workspace_id: str
    """The workspace."""


class _ReportAlways(TypedDict):
    """What was found. These keys are always there."""

    accelerator: AcceleratorReport
    """The accelerator for guests."""

    build_requirements: list[BuildRequirement]
    """Programs that environments are built with."""

    disk: list[DiskReport]
    """Directories and their free space."""

    isolation: list[IsolationReport]
    """What is between the VMM and the host, piece by piece."""

    issues: list[str]
    """What is wrong or could be better."""

    kernels: list[str]
    """Kernels in the cache."""

    kvm: Kvm
    """The KVM device."""

    networking: Networking
    """What networking needs, or might need."""

    parked_machines: int
    """Machines that are kept ahead of their use at this moment."""

    platform: str
    """The platform."""

    qemu: QemuReport
    """The VMM."""

    remedies: list[str]
    """What to do about it, command by command."""

    runtime: Runtime
    """What guests consist of."""

    runtime_ok: bool
    """Whether a guest can run."""


class Report(_ReportAlways, total=False):
    """What was found."""

    boot: Boot | None
    """The guest that was booted, if one was asked for."""


class _ResetWorkspaceAlways(TypedDict):
    """A workspace that was reset. These keys are always there."""

    allow_host_compat: bool
    """Whether commands were allowed to run on the host."""

    command_count: int
    """How many commands were run in it."""

    created_at: float
    """When it was made, in seconds since the Unix epoch."""

    disk_bytes: int
    """How many bytes its disk, its seed and its snapshots take of the host's disk."""

    environment: str
    """Its environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where commands run."""

    expires_at: float | None
    """When its time is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its address, if it has access to the network."""

    labels: dict[str, str]
    """Its labels."""

    last_activity_at: float
    """When it was made or last used, in seconds since the Unix epoch."""

    last_command: LastCommand | None
    """The last one that has ended."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """More about it."""

    name: str | None
    """Its name, if it has one."""

    network_enabled: bool
    """Whether it has access to the network."""

    network_policy: str
    """What its network is: `off`, `egress` or `egress+published-ports`."""

    published_ports: list[PublishedPort]
    """Its ports that are published on the host whenever it runs."""

    running_service_count: int
    """How many of them run."""

    secrets: list[SecretKind]
    """Its secrets, without their values."""

    service_count: int
    """How many services it has."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """How long it may exist, in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    workspace_id: str
    """Its id."""

    workspace_path: str
    """Where its files are in the guest."""

    workspace_reset: Restored
    """What it has now."""

    workspace_seed: Seed
    """What it began with."""


class ResetWorkspace(_ResetWorkspaceAlways, total=False):
    """A workspace that was reset."""

    state_reason: str | None
    """Present if it did not end in order: why."""


class Restored(TypedDict):
    """What a workspace was reset to."""

    bytes_written: int | None
    """How many bytes its files have; null if that is not known."""

    destination: str
    """Where its files are in the guest."""

    entry_count: int | None
    """How many files, directories and links the snapshot has there; null if that is not known."""

    kind: str
    """`baseline` or `named`."""

    snapshot_name: str
    """The snapshot."""


class _RunResultAlways(TypedDict):
    """What came of a command. These keys are always there."""

    cleanup: Cleanup
    """What became of the microVM."""

    command: str
    """The command."""

    duration_ms: int
    """How long it ran, in milliseconds."""

    environment: str
    """The environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where it ran: `guest_vsock` in the microVM, `host_compat` on the host."""

    exit_code: int
    """Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    vm_id: str
    """The microVM it ran in."""


class RunResult(_RunResultAlways, total=False):
    """What came of a command."""

    oom_killed: bool
    """Present if the command did not end well, and the guest's kernel killed a process of it
because the memory was used up."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: how many bytes there were before some were replaced."""

    stderr_truncated_from_bytes: int | None
    """Present if not all of it is in `stderr`: how many bytes there were."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: how many bytes there were before some were replaced."""

    stdout_truncated_from_bytes: int | None
    """Present if not all of it is in `stdout`: how many bytes there were."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class Runtime(TypedDict):
    """What guests consist of."""

    artifacts_dir: str
    """Directory of the environments."""

    artifacts_present: bool
    """Whether that directory exists."""

    bundle_root: str | None
    """Directory of a runtime bundle; null: the guest agent is part of the program."""

    bundle_version: str
    """Version of the runtime."""

    cache_dir: str
    """The environment cache."""

    capabilities: Capabilities
    """What guests can do."""

    catalog_version: str
    """Version of the catalog."""

    component_versions: dict[str, str]
    """Versions of its parts."""

    environments: list[Environment]
    """The environments."""

    firecracker_bin: str | None
    """Firecracker, which is not used."""

    guest_agent_path: str | None
    """The guest agent's file; null: it is part of the program."""

    jailer_bin: str | None
    """Firecracker's jailer, which is not used."""

    manifest_path: str | None
    """Manifest of a runtime bundle."""

    notice_path: str | None
    """Notices of a runtime bundle."""


class SecretKind(TypedDict):
    """What is recorded of a secret, and shown of it."""

    name: str
    """Its name."""

    source_kind: str
    """`literal` if its value was given, `file` if it was read from a file."""


class _SeedAlways(TypedDict):
    """What a workspace began with. These keys are always there."""

    bytes_written: int
    """How many bytes its files have."""

    destination: str
    """Where it is in the guest."""

    entry_count: int
    """How many files, directories and links it has."""

    mode: str
    """`empty`, `directory`, `tar_archive` or `zip_archive`."""

    seed_path: str | None
    """Where it came from; null if it began empty."""


class Seed(_SeedAlways, total=False):
    """What a workspace began with."""

    left_out: LeftOut | None
    """What was not copied."""

    warnings: list[TransferWarning]
    """What should be known of it."""


class Service(TypedDict):
    """A service."""

    autostart: bool
    """Whether it is started with its workspace."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    pausable: bool
    """Whether the workspace may be paused while it runs."""

    pid: int | None
    """Its process id in the guest."""

    published_ports: list[PublishedPort]
    """The ports that are published with it, until it has ended."""

    readiness: ServiceReadiness | None
    """What it has to do to be ready; null if it is ready at once."""

    ready_at: float | None
    """When it was ready; null if it never was."""

    restart: str
    """Whether it is started again when it fails: `no` or `on-failure`."""

    restart_count: int
    """How often it was started again in a row."""

    service_name: str
    """Its name."""

    started_at: float
    """When it was started last, in seconds since the Unix epoch."""

    state: str
    """`running`, `exited` by itself, `stopped`, or `failed` to become ready."""

    stop_reason: str | None
    """Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
`process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself."""

    workspace_id: str
    """The workspace it is in."""


class ServiceLogs(TypedDict):
    """What a service has printed."""

    autostart: bool
    """Whether it is started with its workspace."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    pausable: bool
    """Whether the workspace may be paused while it runs."""

    pid: int | None
    """Its process id in the guest."""

    published_ports: list[PublishedPort]
    """The ports that are published with it, until it has ended."""

    readiness: ServiceReadiness | None
    """What it has to do to be ready; null if it is ready at once."""

    ready_at: float | None
    """When it was ready; null if it never was."""

    restart: str
    """Whether it is started again when it fails: `no` or `on-failure`."""

    restart_count: int
    """How often it was started again in a row."""

    service_name: str
    """Its name."""

    started_at: float
    """When it was started last, in seconds since the Unix epoch."""

    state: str
    """`running`, `exited` by itself, `stopped`, or `failed` to become ready."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    stop_reason: str | None
    """Why it does not run: `sigterm`, `sigkill`, `readiness_timeout`,
`process_exited_before_ready` or `workspace_stopped`; null if it runs, or exited by itself."""

    tail_lines: int | None
    """How many lines of each were asked for; null for all."""

    truncated: bool
    """Whether there was more."""

    workspace_id: str
    """The workspace it is in."""


class _ServiceReadinessAlways(TypedDict):
    """What a service has to do to be ready. These keys are always there."""

    type: str
    """`file`, `tcp`, `http` or `command`."""


class ServiceReadiness(_ServiceReadinessAlways, total=False):
    """What a service has to do to be ready."""

    address: str | None
    """With `tcp`: where connections are accepted then."""

    command: str | None
    """With `command`: the command that exits with 0 then."""

    path: str | None
    """With `file`: the file that exists then."""

    url: str | None
    """With `http`: what is answered then, with a status below 400."""


class Services(TypedDict):
    """The services of a workspace."""

    count: int
    """How many there are."""

    running_count: int
    """How many of them run."""

    services: list[Service]
    """The services, by name."""

    workspace_id: str
    """The workspace."""


class Shell(TypedDict):
    """A shell."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """The directory it began in."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    workspace_id: str
    """The workspace it is in."""


class _ShellOutputAlways(TypedDict):
    """What a shell has printed. These keys are always there."""

    cols: int
    """The columns of its terminal."""

    cursor: int
    """The place that was asked for."""

    cwd: str
    """The directory it began in."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    next_cursor: int
    """The place where the next read goes on."""

    output: str
    """What was printed from there on."""

    plain: bool
    """Whether `output` is what a person would see."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    truncated: bool
    """Whether there was more than `max_chars`."""

    wait_for_idle_ms: int | None
    """How long nothing was to be printed."""

    workspace_id: str
    """The workspace it is in."""


class ShellOutput(_ShellOutputAlways, total=False):
    """What a shell has printed."""

    dropped_chars: int | None
    """Present if old output was dropped: how many characters after the cursor are missing."""

    matched: bool | None
    """Present if a pattern was waited for: whether it was printed."""


class ShellSignalled(TypedDict):
    """What was signalled."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """The directory it began in."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    signal: str
    """The signal."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    workspace_id: str
    """The workspace it is in."""


class ShellWritten(TypedDict):
    """What was typed."""

    append_newline: bool
    """Whether Enter was typed at the end."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """The directory it began in."""

    ended_at: float | None
    """When it ended; null if it runs, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    input_length: int
    """How many characters were typed, Enter included."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    workspace_id: str
    """The workspace it is in."""


class Shells(TypedDict):
    """The shells of a workspace."""

    count: int
    """How many there are."""

    running_count: int
    """How many of them run."""

    shells: list[Shell]
    """The shells, the oldest first."""

    workspace_id: str
    """The workspace."""


class Snapshot(TypedDict):
    """A snapshot."""

    bytes_written: int | None
    """How many bytes its files had; null if the workspace did not run then, or /workspace was no
directory."""

    created_at: float
    """When it was made, in seconds since the Unix epoch."""

    deletable: bool
    """Whether it can be deleted."""

    disk_bytes: int
    """How many bytes it takes of the host's disk; blocks that it shares with others are counted,
too."""

    entry_count: int | None
    """How many files, directories and links /workspace had; null if the workspace did not run
then, or /workspace was no directory."""

    kind: str
    """`baseline`, what the workspace began with, or `named`."""

    snapshot_name: str
    """Its name."""

    workspace_id: str
    """The workspace."""


class SnapshotDeleted(TypedDict):
    """A snapshot that was deleted."""

    deleted: bool
    """Always true."""

    snapshot_name: str
    """The name that the snapshot had."""

    workspace_id: str
    """The workspace."""


class Snapshots(TypedDict):
    """The snapshots of a workspace."""

    count: int
    """How many there are."""

    snapshots: list[Snapshot]
    """`baseline`, then the others, the newest first."""

    workspace_id: str
    """The workspace."""


class _SyncAlways(TypedDict):
    """What was copied into a workspace. These keys are always there."""

    bytes_written: int
    """How many bytes its files have."""

    destination: str
    """Where it is in the guest."""

    entry_count: int
    """How many files, directories and links it has."""

    mode: str
    """`directory`, `tar_archive` or `zip_archive`."""

    source_path: str
    """Where it came from."""


class Sync(_SyncAlways, total=False):
    """What was copied into a workspace."""

    left_out: LeftOut | None
    """What was not copied."""

    warnings: list[TransferWarning]
    """What should be known of it."""


class TransferWarning(TypedDict):
    """What should be known of what was copied."""

    code: str
    """A stable name for programs."""

    message: str
    """What it is."""

    remedy: str
    """What to do about it."""


class _VmAlways(TypedDict):
    """A VM that outlives the call that made it. These keys are always there."""

    allow_host_compat: bool
    """Whether commands were allowed to run on the host."""

    created_at: float
    """When it was made, in seconds since the Unix epoch."""

    environment: str
    """Its environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where commands run."""

    expires_at: float | None
    """When its time is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its address, if it has access to the network."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """More about it."""

    network_enabled: bool
    """Whether it has access to the network."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """How long it may exist, in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    vm_id: str
    """Its id."""


class Vm(_VmAlways, total=False):
    """A VM that outlives the call that made it."""

    state_reason: str | None
    """Present if it did not end in order: why."""


class _VmNetworkAlways(TypedDict):
    """The network of a VM. Without one there are no addresses, but a reason. These keys are always there."""

    network_enabled: bool
    """Whether it has access to the network."""

    outbound_connectivity_expected: bool
    """Whether connections to the outside should work."""

    vm_id: str
    """The VM."""


class VmNetwork(_VmNetworkAlways, total=False):
    """The network of a VM. Without one there are no addresses, but a reason."""

    dns_servers: list[str]
    """Its name servers."""

    gateway_ip: str
    """Its way out."""

    guest_ip: str
    """Its own address."""

    mac_address: str
    """The hardware address of its network card."""

    reason: str | None
    """Why there is no network."""

    subnet_cidr: str
    """Its network."""

    tap_name: str | None
    """Always null: no device of the host is needed."""


class Vms(TypedDict):
    """All VMs."""

    count: int
    """How many there are."""

    vms: list[Vm]
    """The VMs, the newest first."""


class _WorkspaceAlways(TypedDict):
    """A workspace. These keys are always there."""

    allow_host_compat: bool
    """Whether commands were allowed to run on the host."""

    command_count: int
    """How many commands were run in it."""

    created_at: float
    """When it was made, in seconds since the Unix epoch."""

    disk_bytes: int
    """How many bytes its disk, its seed and its snapshots take of the host's disk."""

    environment: str
    """Its environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where commands run."""

    expires_at: float | None
    """When its time is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its address, if it has access to the network."""

    labels: dict[str, str]
    """Its labels."""

    last_activity_at: float
    """When it was made or last used, in seconds since the Unix epoch."""

    last_command: LastCommand | None
    """The last one that has ended."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """More about it."""

    name: str | None
    """Its name, if it has one."""

    network_enabled: bool
    """Whether it has access to the network."""

    network_policy: str
    """What its network is: `off`, `egress` or `egress+published-ports`."""

    published_ports: list[PublishedPort]
    """Its ports that are published on the host whenever it runs."""

    running_service_count: int
    """How many of them run."""

    secrets: list[SecretKind]
    """Its secrets, without their values."""

    service_count: int
    """How many services it has."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """How long it may exist, in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    workspace_id: str
    """Its id."""

    workspace_path: str
    """Where its files are in the guest."""

    workspace_seed: Seed
    """What it began with."""


class Workspace(_WorkspaceAlways, total=False):
    """A workspace."""

    state_reason: str | None
    """Present if it did not end in order: why."""


class WorkspaceDeleted(TypedDict):
    """A workspace that is gone."""

    deleted: bool
    """Whether it is gone."""

    reason: str
    """Why."""

    workspace_id: str
    """The workspace."""


class _WorkspaceDiffAlways(TypedDict):
    """What was changed in a workspace. These keys are always there."""

    against: str
    """The snapshot that it was compared with; `baseline` is what it began with."""

    changed: bool
    """Whether anything was."""

    entries: list[DiffEntry]
    """What differs, sorted by path."""

    patch: str
    """All differences that git knows, as a patch that `git apply` takes."""

    summary: DiffSummary
    """How many entries there are of each kind."""

    workspace_id: str
    """The workspace."""


class WorkspaceDiff(_WorkspaceDiffAlways, total=False):
    """What was changed in a workspace."""

    changed_count: int
    """Present if files grew or shrank while they were read: how many. The patch may not have what
they hold now."""

    git_entries_left_out: int
    """Present if there are differences in directories `.git`: how many, and they were left out."""

    patch_base64: str | None
    """Present if bytes in `patch` that are not UTF-8 were replaced: the exact patch, in Base64."""


class WorkspaceLogs(TypedDict):
    """What was run in a workspace."""

    count: int
    """How many commands there are in this answer."""

    entries: list[LogEntry]
    """The commands, the first first."""

    workspace_id: str
    """The workspace."""


class Workspaces(TypedDict):
    """All workspaces."""

    count: int
    """How many there are."""

    workspaces: list[Listed]
    """The workspaces, the last used first."""


class WrittenFile(TypedDict):
    """A file that was written."""

    bytes_written: int
    """How many bytes were written: all that it holds."""

    created: bool
    """Whether it did not exist before."""

    execution_mode: str
    """Where it was written."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    path: str
    """The file's absolute path."""

    sha256: str
    """SHA-256 of what it holds, in hexadecimal, as `if_match` takes it."""

    size_bytes: int
    """How many bytes it holds."""

    workspace_id: str
    """The workspace."""

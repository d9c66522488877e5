# Written by `cargo run -p pyro-dev -- generate` from the table of operations; edit that instead.
"""What the operations return: dictionaries with these keys."""

from __future__ import annotations

from typing import TypedDict


class AcceleratorReport(TypedDict):
    """The accelerator for guests."""

    reason: str
    """Why."""

    selected: str | None
    """`kvm` or `tcg`; null if the requested one is not available."""


class AddedPort(TypedDict):
    """A port that was published."""

    published_port: PublishedPort
    """The ports and the address."""

    workspace_id: str
    """The workspace."""


class AppliedPatch(TypedDict):
    """A patch that was applied."""

    changed: bool
    """Whether any file was changed, or would be."""

    check: bool
    """Whether the patch was only checked and nothing was changed."""

    entries: list[PatchEntry]
    """The changes, sorted by path."""

    execution_mode: str
    """Where it was applied."""

    moved: list[MovedHunk]
    """Hunks that were applied at another line than the patch says."""

    summary: PatchSummary
    """How many files were changed, by kind of change."""

    workspace_id: str
    """The workspace."""


class Boot(TypedDict):
    """A guest that was booted."""

    environment: str
    """Its environment."""

    error: str | None
    """Why it did not answer."""

    kernel: str | None
    """The version of its kernel, if it answered."""

    ok: bool
    """Whether its agent answered."""

    total_ms: int
    """From the start of the operation to the answer, in milliseconds."""


class BuildRequirement(TypedDict):
    """A program that environments are built with."""

    package: str
    """The Debian package that contains it."""

    path: str | None
    """Its path."""

    purpose: str
    """Its purpose."""

    tool: str
    """Its name."""


class _BuildResultAlways(TypedDict):
    """An environment that was built. These keys are always there."""

    cache_dir: str
    """The environment cache."""

    cached_count: int
    """How many of those that change files were found in the cache."""

    catalog_version: str
    """Version of the catalog it is in."""

    compatibility: str
    """Versions of pyro that can use it."""

    default_packages: list[str]
    """The packages that it is guaranteed to contain."""

    description: str
    """Its purpose."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    install_dir: str
    """The directory in which it is or would be installed."""

    installed: bool
    """Whether it is installed."""

    name: str
    """Its name."""

    oci_reference: str | None
    """The tag or the digest of its image."""

    oci_registry: str | None
    """The registry of its image; null if it is built from the distribution's archive, or its image is
of this host."""

    oci_repository: str | None
    """The repository of its image."""

    platform: str
    """The platform it runs on."""

    run_count: int
    """How many of those that change files were carried out."""

    source_digest: str
    """SHA-256 of its recipe, or of its image's manifest, in hexadecimal."""

    step_count: int
    """How many instructions it is made of."""

    version: str
    """Its version."""


class BuildResult(_BuildResultAlways, total=False):
    """An environment that was built."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""

    size_bytes: int | None
    """How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
be those of other environments, too."""


class Capabilities(TypedDict):
    """The capabilities of guests."""

    reason: str | None
    """Why not, where one of them is false."""

    supports_guest_exec: bool
    """Run commands."""

    supports_guest_network: bool
    """Use the network."""

    supports_vm_boot: bool
    """Boot."""


class Cleanup(TypedDict):
    """The end of a microVM."""

    deleted: bool
    """Whether it was deleted."""

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
    """Its initial working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

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
    """A snapshot that was created."""

    execution_mode: str
    """Where the workspace's commands run."""

    snapshot: Snapshot
    """The snapshot."""

    workspace_id: str
    """The workspace."""


class Deleted(TypedDict):
    """A deleted VM."""

    deleted: bool
    """Whether it was deleted."""

    reason: str
    """Why."""

    vm_id: str
    """The VM."""


class _DemonstrationAlways(TypedDict):
    """The result of the demonstration. These keys are always there."""

    cleanup: Cleanup
    """The end of the microVM."""

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
    """The result of the demonstration."""

    network_unreachable: str | None
    """Present if the Internet was requested and cannot be reached: why."""

    oom_killed: bool
    """Present if the command failed and the guest's kernel killed one of its processes because
memory was exhausted."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: the number of bytes before the replacement."""

    stderr_truncated_from_bytes: int | None
    """Present if `stderr` is truncated: how many bytes the command printed."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: the number of bytes before the replacement."""

    stdout_truncated_from_bytes: int | None
    """Present if `stdout` is truncated: how many bytes the command printed."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class DiffEntry(TypedDict):
    """A path that differs."""

    artifact_type: str
    """The type now, or before if it was deleted: `file`, `directory`, `symlink` or `other`."""

    in_patch: bool
    """Whether it is in the patch, as text or not."""

    lines_added: int | None
    """How many lines were added, if it is in the patch as text."""

    lines_removed: int | None
    """How many lines were removed, if it is in the patch as text."""

    new_mode: str | None
    """Its permissions now; null if it was deleted."""

    old_mode: str | None
    """Its permissions before, in octal digits, for example `0644`; null if it did not exist."""

    path: str
    """The path, relative to /workspace."""

    status: str
    """`added`, `modified`, `deleted` or `type_changed`."""

    text_patch: str | None
    """Its part of the patch, if it is text."""


class DiffSummary(TypedDict):
    """How many entries differ, by kind of difference."""

    added: int
    """Those that were not there before."""

    deleted: int
    """Those that are gone."""

    modified: int
    """Entries whose content, link target or permissions are different."""

    non_text: int
    """The others."""

    text_patched: int
    """Entries that are in the patch as text."""

    total: int
    """All."""

    type_changed: int
    """Entries that changed their type."""


class DiskExport(TypedDict):
    """An image that was exported."""

    bytes_written: int
    """How many bytes the image occupies on the host's disk."""

    disk_format: str
    """`ext4`."""

    entry_count: int
    """How many files, directories, links and other entries it has."""

    output_path: str
    """The path of the image on this host."""

    size_bytes: int
    """The length of the image in bytes, holes included."""

    workspace_id: str
    """The workspace."""


class DiskReport(TypedDict):
    """A directory and its free space."""

    free_mib: int | None
    """Free space, in MiB."""

    path: str
    """The directory."""

    purpose: str
    """Its purpose: `environments` or `machines`."""

    writable: bool
    """Whether this user may write there."""


class _EnvironmentAlways(TypedDict):
    """The description of an environment. These keys are always there."""

    cache_dir: str
    """The environment cache."""

    catalog_version: str
    """Version of the catalog it is in."""

    compatibility: str
    """Versions of pyro that can use it."""

    default_packages: list[str]
    """The packages that it is guaranteed to contain."""

    description: str
    """Its purpose."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    install_dir: str
    """The directory in which it is or would be installed."""

    installed: bool
    """Whether it is installed."""

    name: str
    """Its name."""

    oci_reference: str | None
    """The tag or the digest of its image."""

    oci_registry: str | None
    """The registry of its image; null if it is built from the distribution's archive, or its image is
of this host."""

    oci_repository: str | None
    """The repository of its image."""

    platform: str
    """The platform it runs on."""

    source_digest: str
    """SHA-256 of its recipe, or of its image's manifest, in hexadecimal."""

    version: str
    """Its version."""


class Environment(_EnvironmentAlways, total=False):
    """The description of an environment."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""

    size_bytes: int | None
    """How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
be those of other environments, too."""


class EnvironmentList(TypedDict):
    """The environments."""

    catalog_version: str
    """Version of the catalog."""

    environments: list[Environment]
    """The environments, by name."""


class _ExecResultAlways(TypedDict):
    """The result of a command. These keys are always there."""

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
    """The result of a command."""

    detached: bool
    """Present if the command is still running."""

    exit_code: int
    """Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
it is still running."""

    oom_killed: bool
    """Present if the command failed and the guest's kernel killed one of its processes because
memory was exhausted."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: the number of bytes before the replacement."""

    stderr_truncated_from_bytes: int | None
    """Present if `stderr` is truncated: how many bytes the command printed."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: the number of bytes before the replacement."""

    stdout_truncated_from_bytes: int | None
    """Present if `stdout` is truncated: how many bytes the command printed."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class _ExportedAlways(TypedDict):
    """What was copied. These keys are always there."""

    artifact_type: str
    """`file`, `directory` or `symlink`."""

    bytes_written: int
    """The total size of its files, in bytes."""

    entry_count: int
    """How many files, directories and links were copied."""

    execution_mode: str
    """Where the workspace runs."""

    output_path: str
    """The path of the copy on this host."""

    workspace_id: str
    """The workspace."""

    workspace_path: str
    """The absolute path in the guest."""


class Exported(_ExportedAlways, total=False):
    """What was copied."""

    changed_count: int
    """Present if files grew or shrank while they were read: how many. Each copy has the size that
the file had first."""

    left_out_count: int
    """Present if there were devices, pipes or sockets, which are not copied: how many."""


class _FileContentAlways(TypedDict):
    """The content of a file. These keys are always there."""

    content: str
    """The content as text."""

    max_bytes: int
    """The maximum number of bytes that was requested."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    offset: int
    """The byte offset at which `content` begins."""

    path: str
    """The file's absolute path."""

    size_bytes: int
    """The size of the whole file in bytes."""

    truncated: bool
    """Whether the file continues after this part."""

    workspace_id: str
    """The workspace."""


class FileContent(_FileContentAlways, total=False):
    """The content of a file."""

    content_base64: str | None
    """Present if it was requested: the exact content, in Base64."""

    content_lossy: bool
    """Present if `content` is not exact, because bytes that are not UTF-8 were replaced."""

    next_offset: int | None
    """Present if the file continues: the byte offset of the next part."""

    sha256: str | None
    """Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it."""


class _FileListingAlways(TypedDict):
    """The contents of a directory. These keys are always there."""

    entries: list[ListedFile]
    """Its entries, sorted by name; a directory comes before its contents."""

    path: str
    """The directory."""

    recursive: bool
    """Whether subdirectories were listed recursively."""

    workspace_id: str
    """The workspace."""


class FileListing(_FileListingAlways, total=False):
    """The contents of a directory."""

    truncated: bool
    """Present if there are more entries: only the first 10,000 are listed."""


class ImageExport(TypedDict):
    """An image that was exported."""

    bytes_written: int
    """The length of the file in bytes."""

    environment: str
    """The image."""

    format: str
    """`oci-archive` or `docker-archive`: what is before the colon where container tools read it."""

    output_path: str
    """The path of the file on this host."""


class IsolationReport(TypedDict):
    """An isolation mechanism between the VMM and the host."""

    detail: str
    """Details, or why it is not in force."""

    in_force: bool
    """Whether it is in force on this host."""

    piece: str
    """Its name, as for `--require-isolation`."""


class Killed(TypedDict):
    """The result of sending a signal."""

    sent: bool
    """Whether the signal was sent: false if the command had already ended."""

    sequence: int
    """The number of the command."""

    signal: str
    """The name of the signal."""

    workspace_id: str
    """The workspace."""


class Kvm(TypedDict):
    """The KVM device."""

    exists: bool
    """Whether it exists."""

    readable: bool
    """Whether this user can read it."""

    writable: bool
    """Whether this user can write it."""


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
    """The files that were not copied."""

    count: int
    """How many; a directory counts as one, regardless of its contents."""

    entries: list[LeftOutEntry]
    """The first few of them."""

    reasons: dict[str, int]
    """How many for each reason: `excluded`, `git_ignored`, `unreadable`, `vanished`, `socket`,
`device`."""


class LeftOutEntry(TypedDict):
    """A file that was not copied."""

    path: str
    """Its path in the source."""

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
    """How many of them are running."""

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
    """The target, if it is a symbolic link."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    modified_at: int
    """When it was changed last, in seconds since the Unix epoch."""

    path: str
    """Its absolute path."""

    size_bytes: int
    """Its size in bytes; 0 for directories and devices."""


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
    """Its exit code; null if it is running, or was interrupted."""

    recorded_at: float
    """When it was started, in seconds since the Unix epoch."""

    sequence: int
    """Its number."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stderr_file: str
    """The path of the file with its exact standard error."""

    stdout: str
    """Its standard output, unless that was streamed."""

    stdout_file: str
    """The path of the file with its exact standard output."""


class LogEntry(_LogEntryAlways, total=False):
    """One command."""

    dropped_bytes: int | None
    """Present if output was dropped, because the command printed more than is kept, or to make
room for newer commands: how many bytes."""

    interrupted: str | None
    """Present if it has no exit code: `running`, or why it was interrupted."""

    oom_killed: bool
    """Present if the command failed and the guest's kernel killed one of its processes because
memory was exhausted."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: the number of bytes before the replacement."""

    stderr_truncated_from_bytes: int | None
    """Present if `stderr` is truncated: how many bytes the command printed."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: the number of bytes before the replacement."""

    stdout_truncated_from_bytes: int | None
    """Present if `stdout` is truncated: how many bytes the command printed."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class _ModelRunAlways(TypedDict):
    """The command that a model ran. These keys are always there."""

    cleanup: Cleanup
    """The end of the microVM."""

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
    """Always false: no command is run in place of the model."""

    model: str
    """The model."""

    rounds: int
    """How many replies it sent."""

    stderr: str
    """Its standard error, unless that was streamed."""

    stdout: str
    """Its standard output, unless that was streamed."""

    tool_calls: int
    """How many tool calls it requested."""

    vm_id: str
    """The microVM it ran in."""


class ModelRun(_ModelRunAlways, total=False):
    """The command that a model ran."""

    corrected: bool
    """Present if at least one tool call failed."""

    oom_killed: bool
    """Present if the command failed and the guest's kernel killed one of its processes because
memory was exhausted."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: the number of bytes before the replacement."""

    stderr_truncated_from_bytes: int | None
    """Present if `stderr` is truncated: how many bytes the command printed."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: the number of bytes before the replacement."""

    stdout_truncated_from_bytes: int | None
    """Present if `stdout` is truncated: how many bytes the command printed."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class MovedHunk(TypedDict):
    """A hunk that was applied at another line than the patch says."""

    by: int
    """How many lines further down it was applied."""

    hunk: int
    """The number of the hunk in the file, from 1."""

    path: str
    """The path, relative to /workspace."""


class Networking(TypedDict):
    """The requirements of networking."""

    enabled_by_default: bool
    """Whether guests have a network by default."""

    ip_binary: str | None
    """The path of `ip`."""

    ip_forward_enabled: bool
    """Whether this host forwards IPv4."""

    iptables_binary: str | None
    """The path of `iptables`."""

    nft_binary: str | None
    """The path of `nft`."""

    passt_binary: str | None
    """The path of `passt`, which guests with a network need; also null if the host has no default
route."""

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
    """Files that did not exist before."""

    deleted: int
    """Files that were deleted."""

    modified: int
    """Files whose content or permissions were changed."""

    total: int
    """All."""


class Pruned(TypedDict):
    """What was removed."""

    count: int
    """How many were removed."""

    deleted_environment_dirs: list[str]
    """Names of the removed directories, sorted."""

    freed_bytes: int
    """How many bytes are free again on the disk, about, without those of templates."""


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
    """The ports, in the order in which they were published."""

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
    """The packages that it is guaranteed to contain."""

    description: str
    """Its purpose."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    install_dir: str
    """The directory in which it is or would be installed."""

    installed: bool
    """Whether it is installed."""

    kernel_image: str
    """Its kernel."""

    name: str
    """Its name."""

    oci_reference: str | None
    """The tag or the digest of its image."""

    oci_registry: str | None
    """The registry of its image; null if it is built from the distribution's archive, or its image is
of this host."""

    oci_repository: str | None
    """The repository of its image."""

    platform: str
    """The platform it runs on."""

    rootfs_image: str
    """The image of its root file system."""

    source: str
    """The source from which it was built."""

    source_digest: str
    """SHA-256 of its recipe, or of its image's manifest, in hexadecimal."""

    version: str
    """Its version."""


class Pulled(_PulledAlways, total=False):
    """An installed environment."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""

    size_bytes: int | None
    """How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
be those of other environments, too."""


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
    """The result of a push."""

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
    """Its path."""

    tried_versions: list[str]
    """The versions that pyro was tested with; other versions from the minimum on may work as well."""

    version: str | None
    """Its version."""


class Reaped(TypedDict):
    """The VMs that were deleted."""

    count: int
    """How many there were."""

    deleted_vm_ids: list[str]
    """Their ids."""


class Removed(TypedDict):
    """What was removed."""

    deleted_environment_dirs: list[str]
    """Names of the removed directories, sorted; none if the image has other names."""

    environment: str
    """The environment."""

    freed_bytes: int
    """How many bytes are free again on the disk, about."""


class RemovedPort(TypedDict):
    """A port that is no longer published."""

    host_port: int
    """The port of the host."""

    removed: bool
    """Always true."""

    workspace_id: str
    """The workspace."""


class _ReportAlways(TypedDict):
    """The report about the host. These keys are always there."""

    accelerator: AcceleratorReport
    """The accelerator for guests."""

    build_requirements: list[BuildRequirement]
    """Programs that environments are built with."""

    disk: list[DiskReport]
    """Directories and their free space."""

    isolation: list[IsolationReport]
    """The isolation between the VMM and the host, by mechanism."""

    issues: list[str]
    """Problems and possible improvements."""

    kernels: list[str]
    """Kernels in the cache."""

    kvm: Kvm
    """The KVM device."""

    networking: Networking
    """The requirements of networking."""

    parked_machines: int
    """The number of machines that are parked now."""

    platform: str
    """The platform."""

    qemu: QemuReport
    """The VMM."""

    remedies: list[str]
    """Commands that solve the problems."""

    runtime: Runtime
    """The parts of the runtime."""

    runtime_ok: bool
    """Whether a guest can run."""


class Report(_ReportAlways, total=False):
    """The report about the host."""

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
    """How many bytes its disk, its seed and its snapshots occupy on the host's disk."""

    environment: str
    """Its environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where commands run."""

    expires_at: float | None
    """When its time to live is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its IP address, if it has access to the network."""

    labels: dict[str, str]
    """Its labels."""

    last_activity_at: float
    """When it was made or last used, in seconds since the Unix epoch."""

    last_command: LastCommand | None
    """The last command that has ended."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """Further metadata."""

    name: str | None
    """Its name, if it has one."""

    network_enabled: bool
    """Whether it has access to the network."""

    network_policy: str
    """Its network policy: `off`, `egress` or `egress+published-ports`."""

    published_ports: list[PublishedPort]
    """The ports that are published on the host while it runs."""

    running_service_count: int
    """How many of them are running."""

    secrets: list[SecretKind]
    """Its secrets, without their values."""

    service_count: int
    """How many services it has."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """Its time to live in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    workspace_id: str
    """Its id."""

    workspace_path: str
    """The directory of its files in the guest."""

    workspace_reset: Restored
    """The state that was restored."""

    workspace_seed: Seed
    """The files that it began with."""


class ResetWorkspace(_ResetWorkspaceAlways, total=False):
    """A workspace that was reset."""

    state_reason: str | None
    """Present if it was not shut down properly: why."""


class Restored(TypedDict):
    """The state to which a workspace was reset."""

    bytes_written: int | None
    """The total size of its files, in bytes; null if unknown."""

    destination: str
    """The directory of its files in the guest."""

    entry_count: int | None
    """How many files, directories and links the snapshot has in it; null if unknown."""

    kind: str
    """`baseline` or `named`."""

    snapshot_name: str
    """The snapshot."""


class _RunResultAlways(TypedDict):
    """The result of a command. These keys are always there."""

    cleanup: Cleanup
    """The end of the microVM."""

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
    """The result of a command."""

    oom_killed: bool
    """Present if the command failed and the guest's kernel killed one of its processes because
memory was exhausted."""

    signal: int | None
    """Present if a signal ended the command: its number."""

    stderr_lossy: bool
    """Present if bytes in `stderr` that are not UTF-8 were replaced."""

    stderr_lossy_from_bytes: int | None
    """Present with `stderr_lossy`: the number of bytes before the replacement."""

    stderr_truncated_from_bytes: int | None
    """Present if `stderr` is truncated: how many bytes the command printed."""

    stdout_lossy: bool
    """Present if bytes in `stdout` that are not UTF-8 were replaced."""

    stdout_lossy_from_bytes: int | None
    """Present with `stdout_lossy`: the number of bytes before the replacement."""

    stdout_truncated_from_bytes: int | None
    """Present if `stdout` is truncated: how many bytes the command printed."""

    timed_out: bool
    """Present if the command was ended at its time limit."""


class Runtime(TypedDict):
    """The parts of the runtime."""

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
    """The capabilities of guests."""

    catalog_version: str
    """Version of the catalog."""

    component_versions: dict[str, str]
    """Versions of its components."""

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


class _SavedAlways(TypedDict):
    """An environment that was saved. These keys are always there."""

    cache_dir: str
    """The environment cache."""

    catalog_version: str
    """Version of the catalog it is in."""

    compatibility: str
    """Versions of pyro that can use it."""

    default_packages: list[str]
    """The packages that it is guaranteed to contain."""

    description: str
    """Its purpose."""

    distribution: str
    """The distribution."""

    distribution_version: str
    """The distribution's version."""

    entry_count: int
    """How many files, directories, links and other entries it has."""

    install_dir: str
    """The directory in which it is or would be installed."""

    installed: bool
    """Whether it is installed."""

    left_out_count: int
    """How many sockets were left out."""

    name: str
    """Its name."""

    oci_reference: str | None
    """The tag or the digest of its image."""

    oci_registry: str | None
    """The registry of its image; null if it is built from the distribution's archive, or its image is
of this host."""

    oci_repository: str | None
    """The repository of its image."""

    platform: str
    """The platform it runs on."""

    source_digest: str
    """SHA-256 of its recipe, or of its image's manifest, in hexadecimal."""

    version: str
    """Its version."""

    workspace_id: str
    """The workspace."""


class Saved(_SavedAlways, total=False):
    """An environment that was saved."""

    install_manifest: str | None
    """The record of its installation, if it is installed."""

    size_bytes: int | None
    """How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
be those of other environments, too."""


class SecretKind(TypedDict):
    """The part of a secret that is recorded and shown."""

    name: str
    """Its name."""

    source_kind: str
    """`literal` if its value was given, `file` if it was read from a file."""


class _SeedAlways(TypedDict):
    """The files that a workspace began with. These keys are always there."""

    bytes_written: int
    """The total size of its files, in bytes."""

    destination: str
    """The path of the files in the guest."""

    entry_count: int
    """How many files, directories and links were copied."""

    mode: str
    """`empty`, `directory`, `tar_archive` or `zip_archive`."""

    seed_path: str | None
    """The path of the source on the host; null if the workspace began empty."""


class Seed(_SeedAlways, total=False):
    """The files that a workspace began with."""

    left_out: LeftOut | None
    """The files that were not copied."""

    warnings: list[TransferWarning]
    """Warnings."""


class Service(TypedDict):
    """A service."""

    autostart: bool
    """Whether it is started when its workspace is started again."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

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
    """Its readiness check; null if it is ready at once."""

    ready_at: float | None
    """When it became ready; null if it never did."""

    restart: str
    """When it is restarted: `no` or `on-failure`."""

    restart_count: int
    """How many times in a row it was restarted."""

    service_name: str
    """Its name."""

    started_at: float
    """When it was started last, in seconds since the Unix epoch."""

    state: str
    """`running`, `exited` by itself, `stopped`, or `failed` to become ready."""

    stop_reason: str | None
    """Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
`process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
itself."""

    workspace_id: str
    """The workspace it is in."""


class ServiceLogs(TypedDict):
    """The output of a service."""

    autostart: bool
    """Whether it is started when its workspace is started again."""

    command: str
    """The command."""

    cwd: str
    """Its working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

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
    """Its readiness check; null if it is ready at once."""

    ready_at: float | None
    """When it became ready; null if it never did."""

    restart: str
    """When it is restarted: `no` or `on-failure`."""

    restart_count: int
    """How many times in a row it was restarted."""

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
    """Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
`process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
itself."""

    tail_lines: int | None
    """The number of lines that was requested for each output; null for all."""

    truncated: bool
    """Whether earlier output was left out."""

    workspace_id: str
    """The workspace it is in."""


class _ServiceReadinessAlways(TypedDict):
    """The readiness check of a service. These keys are always there."""

    type: str
    """`file`, `tcp`, `http` or `command`."""


class ServiceReadiness(_ServiceReadinessAlways, total=False):
    """The readiness check of a service."""

    address: str | None
    """With `tcp`: the address that must accept connections."""

    command: str | None
    """With `command`: the command that must exit with 0."""

    path: str | None
    """With `file`: the file that must exist."""

    url: str | None
    """With `http`: the URL that must be answered with a status below 400."""


class Services(TypedDict):
    """The services of a workspace."""

    count: int
    """How many there are."""

    running_count: int
    """How many of them are running."""

    services: list[Service]
    """The services, by name."""

    workspace_id: str
    """The workspace."""


class Shell(TypedDict):
    """A shell."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """Its initial working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

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
    """The output of a shell. These keys are always there."""

    cols: int
    """The columns of its terminal."""

    cursor: int
    """The requested position."""

    cwd: str
    """Its initial working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    next_cursor: int
    """The position at which the next read continues."""

    output: str
    """The output from there on."""

    plain: bool
    """Whether `output` was rendered without control sequences."""

    rows: int
    """The rows of its terminal."""

    shell_id: str
    """Its id."""

    started_at: float
    """When it was opened, in seconds since the Unix epoch."""

    state: str
    """`running`, or `stopped` once it has ended."""

    truncated: bool
    """Whether there is more output than `max_chars`."""

    wait_for_idle_ms: int | None
    """The requested idle time, in milliseconds."""

    workspace_id: str
    """The workspace it is in."""


class ShellOutput(_ShellOutputAlways, total=False):
    """The output of a shell."""

    dropped_chars: int | None
    """Present if old output was dropped: how many characters after the cursor are missing."""

    matched: bool | None
    """Present if a pattern was given: whether the output matched it."""


class ShellSignalled(TypedDict):
    """The result of sending a signal."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """Its initial working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

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
    """The result of a write."""

    append_newline: bool
    """Whether Enter was typed at the end."""

    cols: int
    """The columns of its terminal."""

    cwd: str
    """Its initial working directory."""

    ended_at: float | None
    """When it ended; null if it is running, or if it ended with its workspace."""

    execution_mode: str
    """Where it runs."""

    exit_code: int | None
    """Its exit code; 128 + N if signal N ended it; null if it has none."""

    input_length: int
    """How many characters were typed, including Enter."""

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
    """How many of them are running."""

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
    """How many bytes it occupies on the host's disk, including blocks that it shares with other
files."""

    entry_count: int | None
    """How many files, directories and links /workspace had; null if the workspace did not run
then, or /workspace was no directory."""

    kind: str
    """`baseline`, with the files that the workspace began with, or `named`."""

    snapshot_name: str
    """Its name."""

    workspace_id: str
    """The workspace."""


class SnapshotDeleted(TypedDict):
    """A snapshot that was deleted."""

    deleted: bool
    """Always true."""

    snapshot_name: str
    """The name of the snapshot."""

    workspace_id: str
    """The workspace."""


class Snapshots(TypedDict):
    """The snapshots of a workspace."""

    count: int
    """How many there are."""

    snapshots: list[Snapshot]
    """`baseline`, then the other snapshots, the newest first."""

    workspace_id: str
    """The workspace."""


class _SyncAlways(TypedDict):
    """What was copied into a workspace. These keys are always there."""

    bytes_written: int
    """The total size of its files, in bytes."""

    destination: str
    """The path of the files in the guest."""

    entry_count: int
    """How many files, directories and links were copied."""

    mode: str
    """`directory`, `tar_archive` or `zip_archive`."""

    source_path: str
    """The path of the source on the host."""


class Sync(_SyncAlways, total=False):
    """What was copied into a workspace."""

    left_out: LeftOut | None
    """The files that were not copied."""

    warnings: list[TransferWarning]
    """Warnings."""


class TransferWarning(TypedDict):
    """A warning about the copied files."""

    code: str
    """A stable code for programs."""

    message: str
    """The message."""

    remedy: str
    """The remedy."""


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
    """When its time to live is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its IP address, if it has access to the network."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """Further metadata."""

    network_enabled: bool
    """Whether it has access to the network."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """Its time to live in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    vm_id: str
    """Its id."""


class Vm(_VmAlways, total=False):
    """A VM that outlives the call that made it."""

    state_reason: str | None
    """Present if it was not shut down properly: why."""


class _VmNetworkAlways(TypedDict):
    """The network of a VM. A VM without a network has no addresses, but a reason. These keys are always there."""

    network_enabled: bool
    """Whether it has access to the network."""

    outbound_connectivity_expected: bool
    """Whether outgoing connections should work."""

    vm_id: str
    """The VM."""


class VmNetwork(_VmNetworkAlways, total=False):
    """The network of a VM. A VM without a network has no addresses, but a reason."""

    dns_servers: list[str]
    """Its name servers."""

    gateway_ip: str
    """Its default gateway."""

    guest_ip: str
    """Its own address."""

    mac_address: str
    """The hardware address of its network card."""

    reason: str | None
    """Why there is no network."""

    subnet_cidr: str
    """Its subnet."""

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
    """How many bytes its disk, its seed and its snapshots occupy on the host's disk."""

    environment: str
    """Its environment."""

    environment_version: str | None
    """The environment's version."""

    execution_mode: str
    """Where commands run."""

    expires_at: float | None
    """When its time to live is over, in seconds since the Unix epoch; null for never."""

    guest_ip: str | None
    """Its IP address, if it has access to the network."""

    labels: dict[str, str]
    """Its labels."""

    last_activity_at: float
    """When it was made or last used, in seconds since the Unix epoch."""

    last_command: LastCommand | None
    """The last command that has ended."""

    mem_mib: int
    """Memory, in MiB."""

    metadata: dict[str, str]
    """Further metadata."""

    name: str | None
    """Its name, if it has one."""

    network_enabled: bool
    """Whether it has access to the network."""

    network_policy: str
    """Its network policy: `off`, `egress` or `egress+published-ports`."""

    published_ports: list[PublishedPort]
    """The ports that are published on the host while it runs."""

    running_service_count: int
    """How many of them are running."""

    secrets: list[SecretKind]
    """Its secrets, without their values."""

    service_count: int
    """How many services it has."""

    state: str
    """`created`, `starting`, `started`, `stopped`, `failed` or `expired`."""

    tap_name: str | None
    """Always null: no device of the host is needed."""

    ttl_seconds: int
    """Its time to live in seconds; 0 for no limit."""

    vcpu_count: int
    """Virtual processors."""

    workspace_id: str
    """Its id."""

    workspace_path: str
    """The directory of its files in the guest."""

    workspace_seed: Seed
    """The files that it began with."""


class Workspace(_WorkspaceAlways, total=False):
    """A workspace."""

    state_reason: str | None
    """Present if it was not shut down properly: why."""


class WorkspaceDeleted(TypedDict):
    """A deleted workspace."""

    deleted: bool
    """Whether it was deleted."""

    reason: str
    """Why."""

    workspace_id: str
    """The workspace."""


class _WorkspaceDiffAlways(TypedDict):
    """What was changed in a workspace. These keys are always there."""

    against: str
    """The snapshot that it was compared with; `baseline` has the files that it began with."""

    changed: bool
    """Whether anything was changed."""

    entries: list[DiffEntry]
    """The differences, sorted by path."""

    patch: str
    """All differences that git can express, as a patch for `git apply`."""

    summary: DiffSummary
    """How many entries were changed, by kind of change."""

    workspace_id: str
    """The workspace."""


class WorkspaceDiff(_WorkspaceDiffAlways, total=False):
    """What was changed in a workspace."""

    changed_count: int
    """Present if files grew or shrank while they were read: how many. The patch may not have their
current content."""

    git_entries_left_out: int
    """Present if there are differences in `.git` directories, which are left out: how many."""

    patch_base64: str | None
    """Present if `patch` is not exact, because bytes that are not UTF-8 were replaced: the exact
patch, in Base64."""


class WorkspaceLogs(TypedDict):
    """The commands of a workspace."""

    count: int
    """How many commands are in this result."""

    entries: list[LogEntry]
    """The commands, the oldest first."""

    workspace_id: str
    """The workspace."""


class Workspaces(TypedDict):
    """All workspaces."""

    count: int
    """How many there are."""

    workspaces: list[Listed]
    """The workspaces, the most recently used first."""


class WrittenFile(TypedDict):
    """A file that was written."""

    bytes_written: int
    """How many bytes were written: the whole content."""

    created: bool
    """Whether the file did not exist before."""

    execution_mode: str
    """Where it was written."""

    mode: str
    """Its permissions, in octal digits, for example `0644`."""

    path: str
    """The file's absolute path."""

    sha256: str
    """SHA-256 of its content, in hexadecimal, as `if_match` takes it."""

    size_bytes: int
    """Its size in bytes."""

    workspace_id: str
    """The workspace."""

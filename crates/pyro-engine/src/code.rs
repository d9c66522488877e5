//! The *codes* of errors: stable names for programs. The meaning of a published code does not
//! change.

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal)*) => {
        /// The code of an error.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $variant,)*
        }

        impl ErrorCode {
            /// All codes, sorted by name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the name, which is the same in every frontend.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the meaning, without a capital letter and a full stop.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

codes! {
    ArchiveChanged "archive_changed" "a file changed while it was read"
    ArchiveDamaged "archive_damaged" "an archive is cut or altered"
    ArchiveEntryRefused "archive_entry_refused" "a member of an archive is not allowed: a path that leads elsewhere, a link to nothing"
    ArchiveNotConfigured "archive_not_configured" "this host has no package source to build environments from"
    ArchiveNotFound "archive_not_found" "a file or directory of the host does not exist"
    ArchiveOtherKind "archive_other_kind" "a file is not an archive, although its name says so"
    ArchiveTooLarge "archive_too_large" "a source has more members or bytes than the limit"
    ArchiveUnreachable "archive_unreachable" "the package archive does not answer"
    ArchiveUnreadable "archive_unreadable" "a file of the host cannot be read"
    ArchiveUntrusted "archive_untrusted" "the signature or a digest of the package archive is wrong"
    ArchiveWithoutGit "archive_without_git" "git's ignore rules were requested for a source that is not a git work tree"
    ArchiveWriteFailed "archive_write_failed" "an archive cannot be written to its destination"
    ArchiveWrongKind "archive_wrong_kind" "a source is neither a directory nor an archive"
    BadPath "bad_path" "a path leads out of the workspace, or has a parent that is not a directory"
    BootFailed "boot_failed" "the guest ended before its agent answered"
    BootTimedOut "boot_timed_out" "the guest's agent did not answer in time"
    BrokenRecord "broken_record" "a record on disk cannot be read"
    BuildStepFailed "build_step_failed" "a command of a build failed"
    BuildStepGone "build_step_gone" "a kept step of a build was removed while it was needed"
    CacheUnusable "cache_unusable" "the environment cache cannot be read or written"
    Cancelled "cancelled" "the caller cancelled the call"
    CommandInterrupted "command_interrupted" "the workspace ended while a command ran"
    CommandNeedsShell "command_needs_shell" "a command needs a shell, and its image has none"
    CommandNotStarted "command_not_started" "the guest did not start the command"
    CommandRequired "command_required" "no command was given"
    ContentCut "content_cut" "the content of a file did not arrive completely"
    DiffTooLarge "diff_too_large" "the files that differ are too large for one result"
    DirectoryNotPrivate "directory_not_private" "other users can write to a directory that pyro uses"
    DiskLimit "disk_limit" "all machines together use too much of the host's disk"
    DiskUnavailable "disk_unavailable" "a machine's disk cannot be created or opened"
    EnvironmentBuildFailed "environment_build_failed" "a step of building an environment failed"
    EnvironmentChanged "environment_changed" "the environment of an instance was removed, or rebuilt with another image"
    EnvironmentInUse "environment_in_use" "an environment that is to be removed has workspaces or VMs"
    EnvironmentNoImage "environment_no_image" "an environment of the catalog is no image that could be exported"
    EnvironmentNotInstalled "environment_not_installed" "an environment that is to be removed is not installed"
    EnvironmentToolsMissing "environment_tools_missing" "programs that are needed to build environments are not installed"
    FileChanged "file_changed" "a file does not have the content that the call expects"
    FileFailed "file_failed" "the guest's kernel cannot read or write a file"
    FileMissing "file_missing" "an instance's disk or seed was removed"
    GuestClocksWrong "guest_clocks_wrong" "the guest's kernel measured its clocks wrongly in every boot"
    GuestProtocolBroken "guest_protocol_broken" "the guest's agent violated the protocol"
    GuestSetupFailed "guest_setup_failed" "the guest's agent could not set the machine up"
    HostCompatDeclined "host_compat_declined" "a person who was asked did not allow a command on the host"
    HostCompatFailed "host_compat_failed" "a command could not be run on the host"
    ImageInvalid "image_invalid" "an image contradicts its digests or itself, or is of an unknown kind"
    ImageNameInvalid "image_name_invalid" "a text is not the name of an image"
    ImageNotFound "image_not_found" "a registry does not have such an image or show it to this user, or an archive has none or several of that name"
    ImageNotPulled "image_not_pulled" "an image was not pulled before, and this call may not pull it"
    ImagePlatformMissing "image_platform_missing" "an image is only there for other platforms"
    ImageStorageFailed "image_storage_failed" "Docker or Podman did not hand an image over"
    ImageUnreadable "image_unreadable" "a file or directory of the host, in which an image should be, cannot be read"
    InputFailed "input_failed" "the input of a command cannot be read"
    InvalidInput "invalid_input" "the request is invalid"
    InvalidPattern "invalid_pattern" "an exclude pattern is invalid"
    InvalidVariable "invalid_variable" "an environment variable has an invalid value"
    IsolationMissing "isolation_missing" "a required isolation mechanism is not in force"
    KvmUnavailable "kvm_unavailable" "KVM was requested and cannot be used"
    MachineStopped "machine_stopped" "the machine ended during the call"
    ModelAddressInvalid "model_address_invalid" "the address of a model's server is invalid"
    ModelCommandFailed "model_command_failed" "the command that a model ran did not print the expected text"
    ModelFailed "model_failed" "a model's server failed"
    ModelKeyInvalid "model_key_invalid" "the key of a model's server cannot be sent"
    ModelRanNothing "model_ran_nothing" "a model ran no command"
    ModelRanSomethingElse "model_ran_something_else" "a model ran another command than the requested one"
    ModelRefused "model_refused" "a model's server refused the request"
    ModelReplyCutOff "model_reply_cut_off" "the connection ended before a model's reply was complete"
    ModelReplyInvalid "model_reply_invalid" "a model's server sent an invalid reply"
    ModelReplyTooLong "model_reply_too_long" "a model's reply is longer than the limit"
    ModelRoundsExceeded "model_rounds_exceeded" "a model still calls tools after its last round"
    ModelTimedOut "model_timed_out" "a model's server did not answer in time"
    ModelUnreachable "model_unreachable" "a model's server cannot be reached"
    NetworkUnavailable "network_unavailable" "the guest's network cannot be set up"
    NewerFormat "newer_format" "a record on disk was written by a newer version of pyro"
    NoHome "no_home" "the user has no home directory"
    NoSpace "no_space" "there is not enough free space on the host"
    NoSuchCommand "no_such_command" "a workspace has no command with this number"
    NoSuchFile "no_such_file" "there is no such file in the workspace"
    NoSuchPort "no_such_port" "a workspace does not publish this port of the host"
    NoSuchSecret "no_such_secret" "a running workspace has no secret of this name"
    NoSuchService "no_such_service" "a workspace has no service of this name"
    NoSuchShell "no_such_shell" "a workspace has no shell with this id"
    NoSuchSnapshot "no_such_snapshot" "a workspace has no snapshot of this name"
    NoSuchUser "no_such_user" "the guest has no user or group of this name"
    NoSupervisor "no_supervisor" "the supervisor of an instance cannot be started or used"
    NotAFile "not_a_file" "a path in a workspace is not a regular file"
    NotAllowedByOperator "not_allowed_by_operator" "the operator of the server does not allow the request"
    NotControlled "not_controlled" "QEMU does not pause or resume the machine"
    NotFlushed "not_flushed" "not all data that was written in the guest is on its disk"
    NotFound "not_found" "there is no such instance, command or resource"
    NotShutDown "not_shut_down" "the guest did not power off in time"
    NotStarted "not_started" "the instance is not started"
    NotUnpacked "not_unpacked" "the guest did not unpack an archive"
    NothingListens "nothing_listens" "nothing in the guest listens on a port"
    NothingToChange "nothing_to_change" "an update would change nothing"
    NothingToUndo "nothing_to_undo" "there is no pull that can be undone"
    OtherVersion "other_version" "the supervisor of an instance is of another version of pyro"
    OutputClosed "output_closed" "the reader of the output went away"
    OutputDropped "output_dropped" "part of a command's output could not be stored"
    OutputFailed "output_failed" "the output of a command cannot be written to its destination"
    OutsideAllowedDirectories "outside_allowed_directories" "a file is outside of the directories that the operator allows"
    PasstMissing "passt_missing" "passt, which networks need, is not installed"
    PatchMisfit "patch_misfit" "a patch does not match the files that it changes"
    PatchUnreadable "patch_unreadable" "a patch cannot be read"
    PlatformUnsupported "platform_unsupported" "pyro does not support this platform"
    PortTaken "port_taken" "a port of the host is in use"
    PortUnavailable "port_unavailable" "the host cannot listen on an address"
    PullConflicts "pull_conflicts" "a pull finds paths that both sides have changed"
    QemuMissing "qemu_missing" "QEMU is not installed"
    QemuTooOld "qemu_too_old" "QEMU is too old"
    QemuUnusable "qemu_unusable" "QEMU does not run"
    RegistryCredentialsUnusable "registry_credentials_unusable" "the credentials for a registry cannot be read"
    RegistryRateLimited "registry_rate_limited" "a registry refuses more requests for now"
    RegistryRefused "registry_refused" "a registry does not accept the user"
    RegistryUnavailable "registry_unavailable" "a registry cannot be reached, or does not work"
    ResourceLimit "resource_limit" "a limit of this process, such as the limit on open files, is too low"
    ServiceExists "service_exists" "a service of this name is already running"
    ShellEnded "shell_ended" "a shell has ended and accepts no input"
    SnapshotExists "snapshot_exists" "a workspace already has a snapshot of this name"
    StoppedMeanwhile "stopped_meanwhile" "the instance was stopped during the call"
    StoreUnusable "store_unusable" "the state directory cannot be read or written"
    SubordinateIdsMissing "subordinate_ids_missing" "the user has no subordinate ids, which are needed to build environments"
    SupervisorDied "supervisor_died" "the supervisor of an instance ended while the instance started"
    SupervisorGone "supervisor_gone" "the supervisor of an instance ended during the call"
    TemplateUnusable "template_unusable" "a template cannot be created or used"
    TooManyActive "too_many_active" "the limit on active machines is reached"
    TooManyServices "too_many_services" "the limit on running services of a workspace is reached"
    TooManyShells "too_many_shells" "the limit on running shells of a workspace is reached"
    TransferFailed "transfer_failed" "files cannot be copied on the host"
    UnknownEnvironment "unknown_environment" "there is no environment of this name"
    UserNamespacesUnavailable "user_namespaces_unavailable" "this user cannot create user namespaces, which are needed to build environments"
    VmExpired "vm_expired" "the instance's time to live is over"
    VmmNotStarted "vmm_not_started" "QEMU or another program of the host cannot be started"
    WrongState "wrong_state" "the instance's state does not allow the operation"
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(ErrorCode::ALL.is_sorted_by(|one, other| one.name() < other.name()));
    }

    /// The errors of other crates have names that are in the table, too.
    #[test]
    fn every_code_is_in_the_table() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = 0;
        for name in ["archive", "chat", "environment", "machine", "oci"] {
            let path = crates.join(format!("pyro-{name}/src/error.rs"));
            let text = std::fs::read_to_string(&path).unwrap();
            let (_, after) = text.split_once("fn code(&self) -> &'static str {").unwrap();
            let (body, _) = after.split_once("\n    }\n").unwrap();
            for code in body.split('"').skip(1).step_by(2) {
                let is_known = ErrorCode::ALL.iter().any(|known| known.name() == code);
                assert!(is_known, "{code} of {} is in no table", path.display());
                found += 1;
            }
        }
        assert!(found > 50, "{found}");
    }
}

//! The *codes* of errors: stable names for programs. A code that was given out once keeps its meaning.

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal)*) => {
        /// A stable name of what failed.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $variant,)*
        }

        impl ErrorCode {
            /// All codes, sorted by name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the name, as errors have it in every frontend.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns what it means, as half a sentence.
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
    ArchiveOtherKind "archive_other_kind" "a file is no archive, whatever its name says"
    ArchiveTooLarge "archive_too_large" "a source has more members or bytes than are taken"
    ArchiveUnreachable "archive_unreachable" "the package archive does not answer"
    ArchiveUnreadable "archive_unreadable" "a file of the host cannot be read"
    ArchiveUntrusted "archive_untrusted" "the signature or a digest of the package archive is wrong"
    ArchiveWithoutGit "archive_without_git" "git's rules were asked for where there are none"
    ArchiveWriteFailed "archive_write_failed" "what is packed cannot be written to where it goes"
    ArchiveWrongKind "archive_wrong_kind" "a source is neither a directory nor an archive"
    BadPath "bad_path" "a path in a workspace leads out of it, or through something that is no directory"
    BootFailed "boot_failed" "the guest ended before its agent answered"
    BootTimedOut "boot_timed_out" "the guest's agent did not answer in time"
    BrokenRecord "broken_record" "a record on disk cannot be read"
    CacheUnusable "cache_unusable" "the environment cache cannot be read or written"
    Cancelled "cancelled" "the caller cancelled the call"
    CommandInterrupted "command_interrupted" "the workspace ended while a command ran"
    CommandNotStarted "command_not_started" "the guest did not start the command"
    CommandRequired "command_required" "no command was given"
    ContentCut "content_cut" "the content of a file did not arrive completely"
    DiffTooLarge "diff_too_large" "the files that differ are too large for one result"
    DirectoryNotPrivate "directory_not_private" "other users can write a directory that pyro works in"
    DiskLimit "disk_limit" "all machines take too much of the host's disk"
    DiskUnavailable "disk_unavailable" "a machine's disk cannot be made or opened"
    EnvironmentBuildFailed "environment_build_failed" "a step of building an environment failed"
    EnvironmentChanged "environment_changed" "the environment of an instance is gone, or was built anew with another image"
    EnvironmentToolsMissing "environment_tools_missing" "programs that build environments are not installed"
    FileChanged "file_changed" "a file does not hold what the call expects"
    FileFailed "file_failed" "the guest's kernel does not read or write a file"
    FileMissing "file_missing" "an instance's disk or seed was removed"
    GuestClocksWrong "guest_clocks_wrong" "the guest's kernel got its clocks wrong, as often as it was booted"
    GuestProtocolBroken "guest_protocol_broken" "the guest's agent broke the rules of the protocol"
    GuestSetupFailed "guest_setup_failed" "the guest's agent could not set the machine up"
    HostCompatFailed "host_compat_failed" "a command could not be run on the host"
    InputFailed "input_failed" "the input of a command cannot be read"
    InvalidInput "invalid_input" "the request is invalid"
    InvalidPattern "invalid_pattern" "a pattern of what to leave out is none"
    InvalidVariable "invalid_variable" "an environment variable has a value that it cannot have"
    IsolationMissing "isolation_missing" "a piece of isolation that is required is not in force"
    KvmUnavailable "kvm_unavailable" "KVM was asked for and cannot be used"
    MachineStopped "machine_stopped" "the machine ended while it was used"
    ModelAddressInvalid "model_address_invalid" "the address of a model's server is invalid"
    ModelCommandFailed "model_command_failed" "the command that a model ran did not print what it should"
    ModelFailed "model_failed" "a model's server failed"
    ModelKeyInvalid "model_key_invalid" "the key of a model's server cannot be sent"
    ModelRanNothing "model_ran_nothing" "a model ran no command"
    ModelRanSomethingElse "model_ran_something_else" "a model ran another command than it was asked to"
    ModelRefused "model_refused" "a model's server refused the request"
    ModelReplyCutOff "model_reply_cut_off" "a model's reply ended before its end"
    ModelReplyInvalid "model_reply_invalid" "a model's server answered with something that is no reply"
    ModelReplyTooLong "model_reply_too_long" "a model's reply is longer than is read"
    ModelRoundsExceeded "model_rounds_exceeded" "a model still calls tools after its last round"
    ModelTimedOut "model_timed_out" "a model's server did not answer in time"
    ModelUnreachable "model_unreachable" "a model's server cannot be reached"
    NetworkUnavailable "network_unavailable" "the guest's network cannot be set up"
    NewerFormat "newer_format" "a record on disk was written by a newer version of pyro"
    NoHome "no_home" "there is no home directory to keep files in"
    NoSpace "no_space" "there is not enough free space on the host"
    NoSuchCommand "no_such_command" "a workspace has no command with this number"
    NoSuchFile "no_such_file" "there is no such file in the workspace"
    NoSuchPort "no_such_port" "a workspace does not publish this port of the host"
    NoSuchSecret "no_such_secret" "a workspace has no secret of this name now"
    NoSuchService "no_such_service" "a workspace has no service of this name"
    NoSuchShell "no_such_shell" "a workspace has no shell with this id"
    NoSuchSnapshot "no_such_snapshot" "a workspace has no snapshot of this name"
    NoSuchUser "no_such_user" "the guest has no user or group of this name"
    NoSupervisor "no_supervisor" "the supervisor of an instance cannot be started or used"
    NotAFile "not_a_file" "a path in a workspace is no regular file"
    NotAllowedByOperator "not_allowed_by_operator" "the operator of the server does not allow it"
    NotControlled "not_controlled" "QEMU does not pause or resume the machine"
    NotFlushed "not_flushed" "what was written in the guest is not all on its disk"
    NotFound "not_found" "there is no such instance, command or resource"
    NotShutDown "not_shut_down" "the guest did not power off in time"
    NotStarted "not_started" "the instance is not started"
    NotUnpacked "not_unpacked" "the guest did not unpack an archive"
    NothingListens "nothing_listens" "nothing in the guest listens on a port"
    NothingToChange "nothing_to_change" "an update would change nothing"
    NothingToUndo "nothing_to_undo" "there is no pull that can be taken back"
    OtherVersion "other_version" "the supervisor of an instance is of another version of pyro"
    OutputClosed "output_closed" "the reader of the output went away"
    OutputDropped "output_dropped" "not all output of a command could be kept"
    OutputFailed "output_failed" "the output of a command cannot be written to where it goes"
    OutsideAllowedDirectories "outside_allowed_directories" "a file is outside of the directories that the operator allows"
    PasstMissing "passt_missing" "passt, which networks need, is not installed"
    PatchMisfit "patch_misfit" "a patch does not fit the files that it is to change"
    PatchUnreadable "patch_unreadable" "a patch cannot be read"
    PlatformUnsupported "platform_unsupported" "there are no machines for this platform"
    PortTaken "port_taken" "a port of the host is in use"
    PortUnavailable "port_unavailable" "the host cannot listen on an address"
    PullConflicts "pull_conflicts" "a pull finds paths that both sides have changed"
    QemuMissing "qemu_missing" "QEMU is not installed"
    QemuTooOld "qemu_too_old" "QEMU is older than is needed"
    QemuUnusable "qemu_unusable" "QEMU does not run"
    ResourceLimit "resource_limit" "a limit of this process, such as that of open files, is too low"
    ServiceExists "service_exists" "a service of this name runs already"
    ShellEnded "shell_ended" "a shell has ended, and takes no input"
    SnapshotExists "snapshot_exists" "a workspace has a snapshot of this name already"
    StoppedMeanwhile "stopped_meanwhile" "the instance was stopped while the call went on"
    StoreUnusable "store_unusable" "the state directory cannot be read or written"
    SubordinateIdsMissing "subordinate_ids_missing" "the user has no subordinate ids, which building an environment needs"
    SupervisorDied "supervisor_died" "the supervisor of an instance ended while it started"
    SupervisorGone "supervisor_gone" "the supervisor of an instance ended while it was used"
    TemplateUnusable "template_unusable" "a template cannot be made or used"
    TooManyActive "too_many_active" "as many machines are active as are allowed"
    TooManyServices "too_many_services" "a workspace has as many running services as it may have"
    TooManyShells "too_many_shells" "a workspace has as many running shells as it may have"
    TransferFailed "transfer_failed" "files cannot be copied on the host"
    UnknownEnvironment "unknown_environment" "there is no environment of this name"
    UserNamespacesUnavailable "user_namespaces_unavailable" "this user may not make user namespaces, which building an environment needs"
    VmExpired "vm_expired" "the instance's time to live is over"
    VmmNotStarted "vmm_not_started" "QEMU or another program of the host cannot be started"
    WrongState "wrong_state" "the instance's state does not allow it"
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
        for name in ["archive", "chat", "environment", "machine"] {
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

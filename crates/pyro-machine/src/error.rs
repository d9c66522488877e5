//! The *errors* between a specification and a guest that answers.

use std::path::{Path, PathBuf};

use pyro_protocol::{Refusal, RefusalReason};

use crate::cell::Piece;
use crate::vmm::qemu::{MINIMUM_VERSION, PROGRAM};

/// Why a machine did not start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No QEMU in the search path.
    #[error("{PROGRAM} is not installed")]
    QemuMissing,
    /// The installed QEMU is older than the versions that restore and boot reliably.
    #[error("{} is QEMU {version}, older than {MINIMUM_VERSION}", path.display())]
    QemuTooOld {
        /// Its path.
        path: PathBuf,
        /// Its version, in its own words.
        version: String,
    },
    /// The installed QEMU does not print its version.
    #[error("{} does not run: {output}", path.display())]
    QemuUnusable {
        /// Its path.
        path: PathBuf,
        /// Its output.
        output: String,
    },
    /// KVM was asked for and cannot be had.
    #[error("KVM cannot be used: {reason}")]
    KvmUnavailable {
        /// What is missing.
        reason: String,
    },
    /// A network was asked for, and the program for it is not in the search path.
    #[error("passt, which guests with a network need, is not installed")]
    PasstMissing,
    /// A network was asked for and cannot be had.
    #[error("the guest cannot have a network: {reason}")]
    NetworkUnavailable {
        /// What is missing.
        reason: String,
    },
    /// The VMM's process could not be started.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A piece of the VMM's cell was required, and is not in force on this host.
    #[error("{piece} is required for isolation and not in force here: {reason}")]
    IsolationMissing {
        /// The piece.
        piece: Piece,
        /// The reason.
        reason: String,
    },
    /// The private disk could not be made.
    #[error("cannot make the private disk {}: {detail}", path.display())]
    Disk {
        /// The disk's file.
        path: PathBuf,
        /// The reason.
        detail: String,
    },
    /// A template could not be made or read.
    #[error("cannot use the template {}: {detail}", path.display())]
    Template {
        /// Its directory.
        path: PathBuf,
        /// The reason.
        detail: String,
    },
    /// The file system that holds the machine's directory is full.
    #[error("no space left on the device that holds {}", path.display())]
    NoSpace {
        /// The file that could not be written.
        path: PathBuf,
    },
    /// The guest's agent did not answer in time.
    #[error(
        "the guest did not boot within {seconds} s under {accelerator} (waited for {waited_for})"
    )]
    BootTimedOut {
        /// The limit.
        seconds: u64,
        /// The step that was not reached.
        waited_for: &'static str,
        /// The accelerator in use.
        accelerator: &'static str,
        /// The last output of the guest's console and of QEMU.
        tails: Tails,
    },
    /// The VMM ended before the guest's agent answered.
    #[error("the machine stopped while booting (waited for {waited_for}): {status}")]
    BootFailed {
        /// The step that was not reached.
        waited_for: &'static str,
        /// How the VMM ended.
        status: String,
        /// The last output of the guest's console and of QEMU.
        tails: Tails,
    },
    /// The agent reported that it could not set the machine up.
    #[error("the guest could not be set up: {message}")]
    GuestSetup {
        /// The agent's message.
        message: String,
        /// The last output of the guest's console and of QEMU.
        tails: Tails,
    },
    /// The machine stopped while a command ran in it.
    #[error("the machine stopped while the command was running: {status}")]
    Stopped {
        /// How the VMM ended.
        status: String,
        /// The last output of the guest's console and of QEMU.
        tails: Tails,
    },
    /// The guest's kernel got its clocks wrong in every boot.
    #[error("the guest's clocks are wrong: {fault}")]
    GuestClocks {
        /// The fault.
        fault: String,
    },
    /// The guest refused the call or did not carry it out.
    #[error("the guest did not {}: {}", undone(.0.reason), .0.message)]
    Refused(Refusal),
    /// The guest's agent violated the protocol.
    #[error("the guest broke the protocol: {detail}")]
    Protocol {
        /// The violation.
        detail: String,
    },
    /// The limits of this process are too low.
    #[error("this process is limited to {has} {what}, but needs {needed}")]
    ResourceLimit {
        /// The resource.
        what: &'static str,
        /// The name of the limit in the shell.
        name: &'static str,
        /// The limit.
        has: u64,
        /// The amount needed.
        needed: u64,
    },
    /// All slots are taken.
    #[error("max active VMs reached ({limit}); delete old VMs first")]
    TooManyActive {
        /// The number of slots.
        limit: usize,
    },
    /// The guest did not write everything to its disk; the machine keeps running.
    #[error("the guest cannot write what it has cached: {message}")]
    NotFlushed {
        /// The reason.
        message: String,
    },
    /// QEMU did not stop or resume the guest's processors; the machine is unchanged.
    #[error("QEMU does not {action} the machine: {reason}")]
    NotControlled {
        /// The action.
        action: &'static str,
        /// The reason.
        reason: String,
    },
    /// The guest did not power off in time.
    #[error("the guest did not power off within {seconds} s")]
    NotShutDown {
        /// The limit.
        seconds: u64,
    },
    /// The reader of the command's output went away.
    #[error("the reader of the command's output is gone")]
    OutputClosed,
    /// The command's output cannot be written to its destination.
    #[error("the command's output cannot be written: {message}")]
    OutputFailed {
        /// The reason.
        message: String,
    },
    /// The command's input cannot be read, which is not its end: the command was killed.
    #[error("standard input cannot be read: {message}")]
    InputFailed {
        /// The reason.
        message: String,
    },
    /// The store could not be written.
    #[error(transparent)]
    Store(pyro_store::Error),
}

impl From<pyro_store::Error> for Error {
    fn from(error: pyro_store::Error) -> Self {
        if error.is_no_space() {
            return Self::NoSpace {
                path: error.path().to_owned(),
            };
        }
        Self::Store(error)
    }
}

/// The last output of a machine that failed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tails {
    /// The end of the guest's console.
    pub console: String,
    /// The end of QEMU's own messages.
    pub vmm: String,
}

impl Error {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QemuMissing => "qemu_missing",
            Self::QemuTooOld { .. } => "qemu_too_old",
            Self::QemuUnusable { .. } => "qemu_unusable",
            Self::Spawn { .. } => "vmm_not_started",
            Self::KvmUnavailable { .. } => "kvm_unavailable",
            Self::PasstMissing => "passt_missing",
            Self::NetworkUnavailable { .. } => "network_unavailable",
            Self::IsolationMissing { .. } => "isolation_missing",
            Self::Disk { .. } => "disk_unavailable",
            Self::Template { .. } => "template_unusable",
            Self::NoSpace { .. } => "no_space",
            Self::BootTimedOut { .. } => "boot_timed_out",
            Self::BootFailed { .. } => "boot_failed",
            Self::GuestSetup { .. } => "guest_setup_failed",
            Self::GuestClocks { .. } => "guest_clocks_wrong",
            Self::Stopped { .. } => "machine_stopped",
            Self::TooManyActive { .. } => "too_many_active",
            Self::ResourceLimit { .. } => "resource_limit",
            Self::NotFlushed { .. } => "not_flushed",
            Self::NotControlled { .. } => "not_controlled",
            Self::NotShutDown { .. } => "not_shut_down",
            Self::Refused(refusal) => match refusal.reason {
                RefusalReason::BadStream
                | RefusalReason::NotReady
                | RefusalReason::NotFound
                | RefusalReason::Refused => "command_not_started",
                RefusalReason::NotUnpacked => "not_unpacked",
                RefusalReason::NoSuchFile => "no_such_file",
                RefusalReason::NotAFile => "not_a_file",
                RefusalReason::BadPath => "bad_path",
                RefusalReason::Changed => "file_changed",
                RefusalReason::Cut => "content_cut",
                RefusalReason::FileFailed => "file_failed",
                RefusalReason::NothingListens => "nothing_listens",
                RefusalReason::NoSuchUser => "no_such_user",
            },
            Self::Protocol { .. } => "guest_protocol_broken",
            Self::OutputClosed => "output_closed",
            Self::OutputFailed { .. } => "output_failed",
            Self::InputFailed { .. } => "input_failed",
            Self::Store(error) if error.is_not_private() => "directory_not_private",
            Self::Store(_) => "store_unusable",
        }
    }

    /// What to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::QemuMissing => "install it: sudo apt-get install qemu-system-x86".into(),
            Self::QemuTooOld { .. } => format!(
                "install QEMU {MINIMUM_VERSION} or newer (Debian 12 has it): \
                 sudo apt-get install qemu-system-x86"
            ),
            Self::QemuUnusable { .. } => {
                "reinstall it: sudo apt-get install --reinstall qemu-system-x86".into()
            }
            Self::Spawn { .. } => {
                "check the limits of this process (`ulimit -a`) and what `pyro doctor` says \
                 about isolation"
                    .into()
            }
            Self::KvmUnavailable { .. } => {
                "leave out `--accel kvm` to run in software, or see `pyro doctor`".into()
            }
            Self::PasstMissing => "install it: sudo apt-get install passt".into(),
            Self::NetworkUnavailable { .. } => {
                "check that this host has a default route (`ip route`) and allows unprivileged user \
                 namespaces, which passt needs to confine itself; or leave out `--network`"
                    .into()
            }
            Self::IsolationMissing { .. } => {
                "`pyro doctor` shows which pieces of isolation are in force; require fewer, or use a \
                 host that has this one"
                    .into()
            }
            Self::Disk { .. } => {
                "check that e2fsprogs is installed and the directory can be written: \
                 `pyro doctor`"
                    .into()
            }
            Self::Template { .. } => "try again; pyro makes a missing template again".into(),
            Self::NoSpace { .. } => {
                "free some space (`pyro env prune` removes unneeded files), or set \
                 PYRO_BASE_DIR to a directory with more space"
                    .into()
            }
            Self::BootTimedOut { .. } => {
                "try again on a less busy machine or raise PYRO_BOOT_TIMEOUT_SECONDS; if guests run \
                 under KVM here (`pyro doctor`), `--accel tcg` avoids it; `pyro doctor --boot` tests \
                 the set-up"
                    .into()
            }
            Self::BootFailed { .. } | Self::GuestSetup { .. } => {
                "the cause shows what the machine printed last; `pyro doctor --boot` tests the set-up, \
                 and if guests run under KVM here, `--accel tcg` avoids it"
                    .into()
            }
            Self::GuestClocks { .. } => {
                "try again when the host is less busy: a kernel measures its clocks while it boots, and \
                 the measurement fails if it does not get enough processor time"
                    .into()
            }
            Self::Stopped { .. } => {
                "the command may have done part of its work; if it did not stop the machine \
                 itself, look at the console above and give it more memory with --mem-mib"
                    .into()
            }
            Self::TooManyActive { .. } => {
                "stop or delete one that is not needed (`pyro workspace list`, `pyro vm list`), or \
                 raise PYRO_MAX_ACTIVE_VMS".into()
            }
            Self::ResourceLimit { name, .. } => format!(
                "raise the limit where this process is started (`{name}` in a shell, Limit…= in a \
                 unit of systemd)"
            ),
            Self::NotFlushed { .. } => {
                "free space on the host's disk, or on the guest's; the output of commands is not \
                 affected"
                    .into()
            }
            Self::NotControlled { .. } => {
                "try again when the host is less busy; if it stays so, stop and start it".into()
            }
            Self::NotShutDown { .. } => "the machine was killed; check the files, because data that the guest had not written to its disk is lost".into(),
            Self::Refused(refusal) => after_refusal(refusal.reason).into(),
            Self::Protocol { .. } => {
                "the machine was ended; run the command again in a new one".into()
            }
            Self::OutputClosed => "keep reading until the command ends".into(),
            Self::OutputFailed { .. } => {
                "the command was ended and output is lost; free space where the output is written, or \
                 write it elsewhere"
                    .into()
            }
            Self::InputFailed { .. } => {
                "the command was ended; give it an input that can be read, or none (`</dev/null`)"
                    .into()
            }
            Self::Store(error) if error.is_not_private() => format!(
                "if its files are yours, remove the write permission of other users (chmod go-w {}); or choose another \
                 directory with PYRO_BASE_DIR or PYRO_ENVIRONMENT_CACHE_DIR",
                error.path().display()
            ),
            Self::Store(_) => "check the directory's owner and mode, or set PYRO_BASE_DIR".into(),
        }
    }

    /// The error of a command's output that cannot be written.
    pub fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::OutputFailed {
                message: error.to_string(),
            },
        }
    }

    /// The error of a command's input that cannot be read.
    pub fn input(error: &std::io::Error) -> Self {
        Self::InputFailed {
            message: error.to_string(),
        }
    }

    /// The error of a template's file that cannot be read or written.
    pub(crate) fn template(path: &Path, error: &std::io::Error) -> Self {
        if matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        ) {
            return Self::NoSpace {
                path: path.to_owned(),
            };
        }
        Self::Template {
            path: path.to_owned(),
            detail: error.to_string(),
        }
    }

    pub(crate) fn network(reason: impl std::fmt::Display) -> Self {
        Self::NetworkUnavailable {
            reason: reason.to_string(),
        }
    }

    /// Whether the failure came before any command was handed to the guest.
    pub fn before_dispatch(&self) -> bool {
        !matches!(
            self,
            Self::Stopped { .. }
                | Self::Protocol { .. }
                | Self::OutputClosed
                | Self::OutputFailed { .. }
                | Self::InputFailed { .. }
                | Self::NotShutDown { .. }
        )
    }

    /// Whether the error is an answer of a guest, or follows from one: then its machine is running.
    pub(crate) fn guest_has_answered(&self) -> bool {
        matches!(
            self,
            Self::GuestSetup { .. } | Self::GuestClocks { .. } | Self::Protocol { .. }
        )
    }

    /// Whether the same machine may start under another accelerator.
    pub(crate) fn is_of_the_accelerator(&self) -> bool {
        self.is_of_the_start() || matches!(self, Self::KvmUnavailable { .. })
    }

    /// Whether a machine failed to start, as opposed to a start that was never attempted.
    pub(crate) fn is_of_the_start(&self) -> bool {
        matches!(
            self,
            Self::BootTimedOut { .. }
                | Self::BootFailed { .. }
                | Self::GuestSetup { .. }
                | Self::GuestClocks { .. }
                | Self::Protocol { .. }
        )
    }

    /// The last output of the machine, if there is any.
    pub fn tails(&self) -> Option<&Tails> {
        match self {
            Self::BootTimedOut { tails, .. }
            | Self::BootFailed { tails, .. }
            | Self::GuestSetup { tails, .. }
            | Self::Stopped { tails, .. } => Some(tails),
            _ => None,
        }
    }
}

/// The failed action, for an error's message.
fn undone(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::BadStream
        | RefusalReason::NotReady
        | RefusalReason::NotFound
        | RefusalReason::NoSuchUser
        | RefusalReason::Refused => "start the command",
        RefusalReason::NothingListens => "connect",
        RefusalReason::NotUnpacked => "unpack it",
        RefusalReason::NoSuchFile
        | RefusalReason::NotAFile
        | RefusalReason::BadPath
        | RefusalReason::FileFailed => "open the file",
        RefusalReason::Changed | RefusalReason::Cut => "write the file",
    }
}

/// The remedy for a call that was not carried out.
fn after_refusal(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::BadStream
        | RefusalReason::NotReady
        | RefusalReason::NotFound
        | RefusalReason::Refused => "check the command's length and the environment",
        RefusalReason::NotUnpacked => {
            "nothing was changed, unless commands changed the same directories meanwhile; \
                     correct what is named and push again"
        }
        RefusalReason::NoSuchFile => "check the path: `pyro workspace file list` lists the files",
        RefusalReason::NotAFile => {
            "name a regular file; symbolic links are followed for reading, but not for writing"
        }
        RefusalReason::BadPath => {
            "name a path inside the workspace, without symbolic links that lead out of it"
        }
        RefusalReason::Changed => {
            "read the file again, decide whether your change still fits, and write it with \
                     the new checksum"
        }
        RefusalReason::NothingListens => {
            "start the server, listening on 127.0.0.1 or on all addresses of the guest"
        }
        RefusalReason::NoSuchUser => {
            "use a user of the environment, or a numeric id: `cat /etc/passwd` in the guest lists the users"
        }
        RefusalReason::Cut => "nothing was changed; write the file again",
        RefusalReason::FileFailed => {
            "nothing was changed; check the free space and the permissions in the guest"
        }
    }
}

//! A *message* is the JSON payload of a control frame.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// What the host says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HostMessage {
    /// Opens the connection (stream 0); answered by [`GuestMessage::Hello`]. A machine that was
    /// adopted has to be adopted again after it, and its stream numbers may be used anew: the
    /// host of a clone knows nothing of the template's.
    Hello {
        /// The newest generation the host speaks.
        generation: u32,
    },
    /// Assembles the root file system from the base image and the private disk (stream 0);
    /// answered by [`GuestMessage::Prepared`]. Nothing private may be in it. An
    /// [`Unpack`](Self::Unpack) that was committed on the disk but not finished is finished first.
    Prepare {
        /// Which private disk becomes the upper layer.
        disk: Disk,
        /// Whether the EROFS image on the disk with the serial `seed` lies above the base.
        #[serde(default)]
        seed: bool,
    },
    /// Makes this machine its own: entropy, clock and identity (stream 0); answered by
    /// [`GuestMessage::Adopted`]. No command runs before.
    Adopt {
        /// At least 32 bytes of host entropy, in hexadecimal.
        entropy_hex: String,
        /// The host's wall clock, in nanoseconds since the Unix epoch.
        unix_time_ns: u64,
        /// The machine's own host name.
        hostname: String,
        /// The machine's own machine-id: 32 hexadecimal digits.
        machine_id: String,
        /// The network card's own address, such as `02:00:5e:10:00:01`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<String>,
        /// What the network card is connected to; nothing, if it is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        network: Option<Network>,
    },
    /// Runs a command on a stream of its own; answered by [`GuestMessage::Started`] and later
    /// [`GuestMessage::Exited`], or by [`GuestMessage::ExecFailed`].
    Exec {
        /// Program and arguments; the program is searched in the guest's `PATH`. These, the variables'
        /// values and the directory are [octets](crate::octets).
        argv: Vec<String>,
        /// Environment variables added to the agent's defaults.
        #[serde(default)]
        env: Vec<(String, String)>,
        /// Working directory; the default is the home directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
        /// Whether the working directory is only a default: made anew if it is missing, and `/` if
        /// it cannot be had.
        #[serde(default, skip_serializing_if = "is_false")]
        cwd_optional: bool,
        /// After this many milliseconds the command is killed, with all that it has started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
        /// Whether [`Kind::Stdin`](crate::Kind::Stdin) frames will follow; if not, standard
        /// input is `/dev/null`.
        #[serde(default)]
        stdin: bool,
    },
    /// Unpacks the tar stream that follows as [`Kind::Stdin`](crate::Kind::Stdin) frames, on a
    /// stream of its own. All of it appears below the destination, or nothing. Answered by
    /// [`GuestMessage::Unpacked`] or [`GuestMessage::NotUnpacked`], or by
    /// [`GuestMessage::ExecFailed`].
    ///
    /// Parents come before their children; of several members with one path the last counts.
    /// There are directories, files, symbolic links, and hard links to earlier files. The last
    /// member is the file [`ARCHIVE_END`](crate::ARCHIVE_END).
    Unpack {
        /// An absolute path that passes through no symbolic link, as [octets](crate::octets). What is
        /// missing of it is made.
        destination: String,
    },
    /// Sends a signal to the process group of the stream's command; SIGKILL to all that it has
    /// started. Any signal ends an unpacking of which not everything has arrived.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// Sets the clock (stream 0), of a machine that was paused or that has set it late; answered by
    /// [`GuestMessage::ClockSet`].
    SetClock {
        /// The host's wall clock, in nanoseconds since the Unix epoch.
        unix_time_ns: u64,
    },
    /// Has a shell started ahead of its command (stream 0); answered by
    /// [`GuestMessage::Prestarted`]. The next [`Exec`](Self::Exec) of `/bin/sh -c LINE` becomes
    /// that shell's, if it can; any other ends it.
    Prestart,
    /// Writes what is cached to the private disk (stream 0); answered by
    /// [`GuestMessage::Synced`], in the order in which it was asked for.
    Sync,
    /// Writes everything to disk and powers the machine off (stream 0). There is no answer.
    Shutdown,
}

/// Which private disk [`HostMessage::Prepare`] mounts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// The ext4 disk with the serial `rw`, which holds the directories `upper` and `work`.
    Private,
}

/// The network that a machine's card is connected to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Network {
    /// The machine's address.
    pub address: Ipv4Addr,
    /// How many of its bits are the network's, at most 32.
    pub prefix_length: u8,
    /// Where everything goes that is not for the network itself.
    pub gateway: Ipv4Addr,
    /// Whom to ask for names, the first one first.
    #[serde(default)]
    pub name_servers: Vec<Ipv4Addr>,
    /// The longest packet, in bytes; the default is the card's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The most bytes of one TCP connection that may be under way to the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_window_bytes: Option<u32>,
}

/// What the agent says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GuestMessage {
    /// Answers [`HostMessage::Hello`].
    Hello {
        /// The generation both sides speak from now on.
        generation: u32,
        /// The agent's version.
        agent_version: String,
        /// Milliseconds from the kernel's start to the agent's first instruction.
        kernel_ms: u64,
        /// Milliseconds from the agent's first instruction to this answer.
        agent_ms: u64,
        /// The clocks that the kernel has settled on when it booted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clocks: Option<Clocks>,
    },
    /// Answers [`HostMessage::Prepare`].
    Prepared,
    /// Answers [`HostMessage::Adopt`]: entropy was credited and the generator reseeded, the
    /// clock and the identity are set.
    Adopted,
    /// Answers [`HostMessage::SetClock`].
    ClockSet {
        /// The guest's wall clock now, in nanoseconds since the Unix epoch, whether or not it could
        /// be set.
        unix_time_ns: u64,
    },
    /// Answers [`HostMessage::Prestart`].
    Prestarted {
        /// Whether a shell waits now. Not every shell can.
        waits: bool,
    },
    /// Answers [`HostMessage::Sync`].
    Synced {
        /// How many processes there are beside the agent and the kernel's, commands included;
        /// those that have ended do not count.
        processes: u32,
    },
    /// The command runs.
    Started {
        /// Its process id, which is also its process group.
        pid: i32,
    },
    /// The command ended and all its output was sent.
    Exited(Exit),
    /// Everything is in its place, and on the disk.
    Unpacked {
        /// Members of the archive, but for the last.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
    },
    /// Nothing was changed, unless commands changed the same directories at the same time, or the
    /// disk is full.
    NotUnpacked {
        /// The cause, for people; at most 5000 characters.
        message: String,
    },
    /// The command or the unpacking could not be started.
    ExecFailed {
        /// What kind of failure.
        failure: ExecFailure,
        /// The cause, for people.
        message: String,
    },
    /// The agent cannot do what a message on stream 0 asked; the machine is not usable.
    Failed {
        /// The cause, for people.
        message: String,
    },
}

/// What a machine tells the time by, and what wakes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clocks {
    /// The clock source in use, by the kernel's name.
    pub source: String,
    /// The timer of each processor, in their order.
    pub ticks: Vec<Tick>,
}

/// The timer of one processor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tick {
    /// The device, by the kernel's name; `<NULL>` if there is none.
    pub device: String,
    /// How fast it counts, as the kernel believes.
    pub hertz: u64,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exit {
    /// The exit status, if it exited by itself.
    #[serde(default)]
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Whether the agent killed it at its time limit.
    #[serde(default)]
    pub timed_out: bool,
    /// Whether it did not end well, and the guest's kernel has killed a process of it because there
    /// was no memory left.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
    /// Milliseconds from start to end, by the guest's monotonic clock.
    pub duration_ms: u64,
}

/// Why a command could not be started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExecFailure {
    /// The stream is in use, or was.
    BadStream,
    /// The machine was not adopted yet.
    NotReady,
    /// There is no such program in the guest.
    NotFound,
    /// The guest's kernel refused: no such directory, no memory, arguments too long, …
    Refused,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

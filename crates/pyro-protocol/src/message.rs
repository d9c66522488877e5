//! A *message* is the JSON payload of a control frame.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::call::{Answer, Call, Refusal, TerminalSize};

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
    /// [`Call::Unpack`] that was committed on the disk but not finished is finished first.
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
    /// Carries out a [`Call`] on a stream of its own; answered by [`GuestMessage::Answered`] or
    /// [`GuestMessage::Refused`].
    Call {
        /// What is to be done.
        call: Call,
    },
    /// Sends a signal to the process group of the stream's command; SIGKILL to all that it has
    /// started. Any signal ends another call whose input has not arrived completely, or whose output
    /// was not sent completely.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// Changes the size of the terminal of the stream's command, if it has one.
    Resize {
        /// The new size.
        size: TerminalSize,
    },
    /// Sets the clock (stream 0), of a machine that was paused or that has set it late; answered by
    /// [`GuestMessage::ClockSet`].
    SetClock {
        /// The host's wall clock, in nanoseconds since the Unix epoch.
        unix_time_ns: u64,
    },
    /// Has a shell started ahead of its command (stream 0); answered by
    /// [`GuestMessage::Prestarted`]. The next [`Call::Exec`] of `/bin/sh -c LINE` becomes
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
    /// A copy of such a disk, to be looked at: the root file system is read-only, and nothing of it
    /// is ever started. There are only calls that read.
    ReadOnly,
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
    Prepared {
        /// Why an unpacking that was committed on the disk is not finished.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unfinished: Option<String>,
    },
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
        /// those that have ended, and those
        /// whose command has a [`PauseRule`](crate::PauseRule) that says so, do not count.
        processes: u32,
    },
    /// The command of a [`Call::Exec`] runs.
    Started {
        /// Its process id, which is also its process group.
        pid: i32,
    },
    /// The call was carried out.
    Answered {
        /// How it ended.
        answer: Answer,
    },
    /// The call was not carried out.
    Refused(Refusal),
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

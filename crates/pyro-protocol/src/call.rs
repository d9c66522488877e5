//! A *call* is a request that runs in the guest, on a stream of its own, and ends with an
//! [`Answer`] or a [`Refusal`]. It is defined only here: supervisor and host relay it.
//!
//! A call takes its input as [`FrameKind::Stdin`](crate::FrameKind::Stdin) frames and sends its
//! output as [`FrameKind::Stdout`](crate::FrameKind::Stdout) frames, both with flow control. Paths,
//! command lines and the values of variables are [octets](crate::octets).

use serde::{Deserialize, Serialize};

/// The most characters of a [`Refusal`]'s message: it may quote a path.
pub const REFUSAL_CHARACTERS: usize = 5000;

/// The name in the stream of [`Call::Pack`] of what was asked for, whatever its own name is.
pub const PACKED_NAME: &str = "packed";

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Runs a command. [`GuestMessage::Started`](crate::GuestMessage::Started) comes first;
    /// [`Answer::Exited`] is the answer.
    Exec(Exec),
    /// Unpacks the tar stream that is its input. All of it appears below the destination, or
    /// nothing. [`Answer::Unpacked`] is the answer.
    ///
    /// Parents come before their children; of several members with one path the last counts.
    /// There are directories, files, symbolic links, and hard links to earlier files. The last
    /// member is the file [`ARCHIVE_END`](crate::ARCHIVE_END).
    Unpack {
        /// An absolute path that passes through no symbolic link. What is missing of it is made.
        destination: String,
        /// Who owns what is made: `USER` or `USER:GROUP`, each a name or a number. Directories that
        /// exist stay as they are then. Without it everything is root's, and directories get the
        /// mode that they have in the stream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// Follows the symbolic links on a path, within the root file system. [`Answer::Resolved`] is the
    /// answer.
    ResolvePath {
        /// An absolute path without `.` and `..`; it need not exist.
        path: String,
    },
    /// Lists a directory: the output is one line of JSON for each entry, a [`FileEntry`]. Or a
    /// file, which is its only entry. [`Answer::Listed`] is the answer.
    ListFiles {
        /// Which one.
        file: FilePath,
        /// Whether the contents of its directories are listed, too. Symbolic links are not
        /// followed.
        recursive: bool,
    },
    /// Reads a regular file: the output is what it holds. [`Answer::FileRead`] is the answer.
    ReadFile {
        /// Which one.
        file: FilePath,
        /// Where to begin, in bytes from the beginning of the file.
        offset: u64,
        /// The most bytes to read.
        max_bytes: u64,
    },
    /// Replaces what a regular file holds with the input, at once, or makes the file and the
    /// directories above it. A file that is replaced keeps its mode and its owner.
    /// [`Answer::FileWritten`] is the answer: then it is on the disk.
    WriteFile {
        /// Which one.
        file: FilePath,
        /// How many bytes the input has: one that ends before was cut.
        bytes: u64,
        /// Its permissions from now on, at most `0o7777`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
        /// The SHA-256 of what the file holds now, in lower-case hexadecimal, without which it is
        /// not replaced; an empty text, if it must not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_match: Option<String>,
    },
    /// Sends a file, a directory with all that is in it, or a symbolic link: the output is a tar
    /// stream. [`Answer::Packed`] is the answer.
    ///
    /// Every member is below [`PACKED_NAME`], which is the first one. Parents come before their
    /// children, and hard links are links to an earlier file.
    Pack {
        /// Which one. If its last part is a symbolic link, the link is sent.
        file: FilePath,
    },
    /// Sends the whole root file system, as a layer of an image: the output is a tar stream with
    /// owners, permissions, times, extended attributes (as `SCHILY.xattr.NAME`), links, devices and
    /// pipes; sockets and the agent's own directory are left out. [`Answer::Packed`] is the answer.
    PackRoot,
    /// Copies the whole root file system to the blank ext4 disk with the serial `output`: owners,
    /// permissions, times, extended attributes, links, devices and holes. [`Answer::RootCopied`] is
    /// the answer: then the disk is complete, and not mounted any more.
    CopyRoot,
    /// Compares a directory with how it was before anything was written to the private disk. The
    /// output is one line of JSON for each difference, a [`FileChange`], each followed by the
    /// contents it names. [`Answer::Compared`] is the answer.
    ///
    /// Times and owners are not compared. A directory's line comes before those of its contents.
    Compare {
        /// The absolute path of the directory.
        root: String,
        /// What is compared, as paths below it; nothing means all.
        #[serde(default)]
        paths: Vec<String>,
        /// Whether the contents of files are sent that differ.
        contents: bool,
        /// Whether it is compared with how it is on the ext4 disk with the serial `snapshot`, which
        /// is an earlier copy of the private disk. Only a machine of [`Disk::ReadOnly`] can do that.
        ///
        /// [`Disk::ReadOnly`]: crate::Disk::ReadOnly
        #[serde(default, skip_serializing_if = "is_false")]
        snapshot: bool,
    },
    /// Reads what is at some paths: the output is one [`FileChange`] for each, with nothing old,
    /// and the contents of the files. [`Answer::Compared`] is the answer. No symbolic link is
    /// followed.
    ReadFiles {
        /// The absolute path of the directory that they are in.
        root: String,
        /// The paths below it.
        paths: Vec<String>,
    },
    /// Changes files, all of them or none. The input is one line of JSON for each, a [`FileEdit`],
    /// followed by the new content if it is a file; removals come first. [`Answer::Edited`] is the
    /// answer: then they are on the disk.
    EditFiles {
        /// The absolute path of the directory that they are in.
        root: String,
        /// How many edits there are: fewer are incomplete.
        edits: u64,
    },
    /// Connects to a TCP port of the guest's own loopback: the input goes there, the output comes
    /// from there. The end of each ends only its own direction. [`Answer::Closed`] is the answer,
    /// when both have ended.
    Connect {
        /// The port.
        port: u16,
        /// Whether the connection is closed as soon as it is made.
        #[serde(default, skip_serializing_if = "is_false")]
        only_try: bool,
    },
    /// Keeps a secret in memory: the input becomes the file `/run/pyro-secrets/NAME`, which only
    /// root can read. [`Answer::SecretKept`] is the answer.
    KeepSecret {
        /// Its name: letters, digits and underscores.
        name: String,
        /// How many bytes the input has: one that ends before was cut.
        bytes: u64,
    },
}

impl Call {
    /// Whether `answer` is of the kind that this call gets.
    pub fn is_answered_by(&self, answer: &Answer) -> bool {
        matches!(
            (self, answer),
            (Self::Exec(_), Answer::Exited(_))
                | (Self::Unpack { .. }, Answer::Unpacked { .. })
                | (Self::ResolvePath { .. }, Answer::Resolved { .. })
                | (Self::ListFiles { .. }, Answer::Listed)
                | (Self::ReadFile { .. }, Answer::FileRead { .. })
                | (Self::WriteFile { .. }, Answer::FileWritten { .. })
                | (Self::Pack { .. } | Self::PackRoot, Answer::Packed { .. })
                | (Self::CopyRoot, Answer::RootCopied { .. })
                | (
                    Self::Compare { .. } | Self::ReadFiles { .. },
                    Answer::Compared { .. }
                )
                | (Self::EditFiles { .. }, Answer::Edited)
                | (Self::Connect { .. }, Answer::Closed)
                | (Self::KeepSecret { .. }, Answer::SecretKept)
        )
    }
}

/// A command.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exec {
    /// Program and arguments; the program is searched in the guest's `PATH`.
    pub argv: Vec<String>,
    /// Environment variables added to the agent's defaults.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Working directory; the default is the home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether the working directory is only a default: made anew if it is missing, and `/` if it
    /// cannot be entered.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cwd_optional: bool,
    /// After this many milliseconds the command is killed, with all that it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether it has input; if not, its standard input is `/dev/null`.
    #[serde(default)]
    pub stdin: bool,
    /// Who runs it: `USER` or `USER:GROUP`, each a name or a number. The default is root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The size of the terminal that is its standard input, output and error, if it has one. All
    /// that is printed there is standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
    /// How its processes count when the guest is asked whether any run.
    #[serde(default, skip_serializing_if = "PauseRule::is_default")]
    pub pause: PauseRule,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TerminalSize {
    /// Its columns.
    pub columns: u16,
    /// Its rows.
    pub rows: u16,
}

/// Whether a machine may be paused while a command runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseRule {
    /// No: its processes count.
    #[default]
    Never,
    /// If its first process is the only one and sleeps: a shell that waits for a line.
    WhenIdle,
    /// Yes: its processes do not count.
    Always,
}

impl PauseRule {
    /// Whether it is [`Never`](Self::Never).
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::Never
    }
}

/// A file in the guest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FilePath {
    /// An absolute path of a directory, which the file's path does not leave.
    pub root: String,
    /// The file's path below it, relative; the empty path is the directory itself. No symbolic
    /// link that leads out of the directory is followed.
    pub path: String,
}

/// One entry of a directory.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileEntry {
    /// Its path below the root of the [`FilePath`].
    pub path: String,
    /// What is there.
    #[serde(flatten)]
    pub state: FileState,
}

/// What is known of a file without reading it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileState {
    /// What it is.
    pub file_type: FileType,
    /// How many bytes it holds, if it is a regular file or a symbolic link.
    pub size: u64,
    /// Its permissions.
    pub mode: u32,
    /// When it was changed last, in seconds since the Unix epoch.
    pub modified: i64,
    /// Where it points to, if it is a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A difference at one path.
///
/// If contents are sent, those of both sides follow: as many bytes as the `size` of each side that
/// is a regular file, unless they are [the same](Self::same_content).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileChange {
    /// The path below the directory that is compared.
    pub path: String,
    /// What was there, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<FileState>,
    /// What is there now, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<FileState>,
    /// Whether both are regular files with the same content: only the permissions differ.
    #[serde(default, skip_serializing_if = "is_false")]
    pub same_content: bool,
}

/// An edit of one path, if what is there is still what it was when the edit was made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileEdit {
    /// The path below the directory.
    pub path: String,
    /// What is there, if anything is. Its size and time do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<FileState>,
    /// The SHA-256 of what it holds, in lower-case hexadecimal, if it is a regular file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_sha256: Option<String>,
    /// What it becomes: a regular file, whose content of `size` bytes follows, or a symbolic link.
    /// Nothing is a removal; directories that are empty then are removed, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<FileState>,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a pipe or a socket.
    Other,
}

/// How a call ended that was carried out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The command ended and all its output was sent.
    Exited(Exit),
    /// Everything is in its place, and on the disk.
    Unpacked {
        /// Members of the archive, but for the last.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
    },
    /// The path is known.
    Resolved {
        /// The absolute path without symbolic links: of what exists, and of what could be made.
        path: String,
        /// What is there, if anything is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_type: Option<FileType>,
    },
    /// All entries were sent.
    Listed,
    /// What was asked for was sent, or as much as there is of it.
    FileRead {
        /// How many bytes the whole file holds.
        size: u64,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds what was sent.
    FileWritten {
        /// Whether there was none before.
        created: bool,
        /// Its permissions.
        mode: u32,
    },
    /// The whole stream was sent.
    Packed {
        /// Its members.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
        /// Devices, pipes and sockets, which are not in it.
        left_out: u64,
        /// Files whose size changed while they were read: cut, or filled with zeros.
        changed: u64,
    },
    /// All edits were made.
    Edited,
    /// The disk holds a copy.
    RootCopied {
        /// Files, directories, links and others, without the root itself.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
    },
    /// All differences were sent.
    Compared {
        /// How many.
        changes: u64,
        /// Files whose size changed while they were read: cut, or filled with zeros.
        changed: u64,
    },
    /// The connection was closed.
    Closed,
    /// The file holds the secret.
    SecretKept,
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

/// Why a call was not carried out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// For programs.
    pub reason: RefusalReason,
    /// For people; at most [`REFUSAL_CHARACTERS`].
    pub message: String,
}

impl Refusal {
    /// Returns a refusal, with the message cut to its limit.
    pub fn new(reason: RefusalReason, message: impl AsRef<str>) -> Self {
        let message = message.as_ref().chars().take(REFUSAL_CHARACTERS).collect();
        Self { reason, message }
    }
}

/// Why a call was not carried out, for programs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The stream is in use, or was.
    BadStream,
    /// The machine was not adopted yet.
    NotReady,
    /// There is no such program in the guest.
    NotFound,
    /// The guest's kernel refused: no memory, arguments too long, a full disk, …
    Refused,
    /// An archive was not unpacked. Nothing was changed, unless commands changed the same
    /// directories at the same time, or the disk is full.
    NotUnpacked,
    /// There is no such file.
    NoSuchFile,
    /// It is no regular file.
    NotAFile,
    /// A part of the path is no directory, or a symbolic link that leads out of the root.
    BadPath,
    /// The file does not hold what the call expects.
    Changed,
    /// The input ended before its end.
    Cut,
    /// The guest's kernel does not read or write the file: its disk is full, say.
    FileFailed,
    /// Nothing in the guest listens on the port.
    NothingListens,
    /// There is no such user or group in the guest.
    NoSuchUser,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

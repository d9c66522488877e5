//! What the agent's loop waits for.

use pyro_protocol::FrameKind;

/// Where something happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The host sent something, or takes more.
    Port,
    /// The kernel has written to its log.
    KernelLog,
    /// Commands or tasks have ended.
    Bell,
    /// The private disk was flushed.
    Flush,
    /// A pipe of a stream has output, or takes more input.
    Stream(u32, FrameKind),
    /// A daemon of an ended command has written something.
    Leftover(usize),
}

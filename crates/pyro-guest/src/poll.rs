//! The events that the agent's loop waits for.

use pyro_protocol::FrameKind;

/// The source of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The host has sent data, or the port accepts more.
    Port,
    /// The kernel has written to its log.
    KernelLog,
    /// Commands or tasks have ended.
    Bell,
    /// The private disk was flushed.
    Flush,
    /// A pipe of a stream has output, or accepts more input.
    Stream(u32, FrameKind),
    /// A daemon of an ended command has written output.
    Leftover(usize),
}

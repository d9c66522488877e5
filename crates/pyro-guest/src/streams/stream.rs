//! The interface of all calls that run on a *stream*.

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pyro_protocol::{GuestMessage, TerminalSize};
use rustix::process::{Pid, Signal};

use super::channels::Channels;
use crate::group::Group;
use crate::reaper::Ended;
use crate::uncounted::Uncounted;

/// A call on a stream. It ends with its [answer](Self::answer), and can be ended by a signal or, if
/// the host violates the protocol, [aborted](Self::abort).
pub(super) trait Stream: fmt::Debug {
    /// The channels with its data.
    fn channels(&self) -> &Channels;

    /// The channels, mutable.
    fn channels_mut(&mut self) -> &mut Channels;

    /// Returns the last message, once the call has ended and all its output was passed on.
    fn answer(&mut self) -> Option<GuestMessage>;

    /// Handles a signal.
    fn signal(&mut self, signal: Signal);

    /// Changes the size of its terminal, if it has one.
    fn resize(&mut self, _size: TerminalSize) {}

    /// Returns which of its processes do not keep the machine from being paused.
    fn uncounted(&self) -> Option<Uncounted> {
        None
    }

    /// Ends the call, because the host exceeded its credit for the input.
    fn abort(&mut self);

    /// Returns the deadline.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Ends the call, because its deadline has passed.
    fn time_out(&mut self) {}

    /// Returns the main process, if it is a command.
    fn pid(&self) -> Option<Pid> {
        None
    }

    /// Whether a process belongs to it; `membership` is the content of `/proc/PID/cgroup`.
    fn has_process(&self, _pid: i32, _membership: &str) -> bool {
        false
    }

    /// Notes that the main process has ended.
    fn process_ended(&mut self, _ended: Ended) {}

    /// Notes that the kernel has killed one of its processes for lack of memory.
    fn note_killed_for_memory(&mut self) {}

    /// Returns the control group and the pipes that its daemons may still use.
    fn into_leftovers(self: Box<Self>) -> (Option<Group>, Vec<OwnedFd>);
}

//! What all that runs on a *stream* has in common.

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pyro_protocol::GuestMessage;
use rustix::process::{Pid, Signal};

use super::channels::Channels;
use crate::group::Group;
use crate::reaper::Ended;

/// What runs on a stream. It ends with its [answer](Self::answer), and is ended by a signal or,
/// where the host breaks the rules, [aborted](Self::abort).
pub(super) trait Stream: fmt::Debug {
    /// What carries its data.
    fn channels(&self) -> &Channels;

    /// The same, to be changed.
    fn channels_mut(&mut self) -> &mut Channels;

    /// Returns the last message, once it has ended and all its output was handed on.
    fn answer(&mut self) -> Option<GuestMessage>;

    /// Does what a signal does.
    fn signal(&mut self, signal: Signal);

    /// Ends it, because the host sent more input than it was granted.
    fn abort(&mut self);

    /// Returns when its time is over.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Ends it, because its time is over.
    fn time_out(&mut self) {}

    /// Returns its main process, if it is a command.
    fn pid(&self) -> Option<Pid> {
        None
    }

    /// Whether a process is one of its own; the membership is what `/proc/PID/cgroup` says.
    fn has_process(&self, _pid: i32, _membership: &str) -> bool {
        false
    }

    /// Notes that its main process has ended.
    fn process_ended(&mut self, _ended: Ended) {}

    /// Notes that the kernel has killed a process of it because there was no memory left.
    fn note_killed_for_memory(&mut self) {}

    /// Returns what daemons that it left behind may be in, or write to.
    fn into_leftovers(self: Box<Self>) -> (Option<Group>, Vec<OwnedFd>);
}

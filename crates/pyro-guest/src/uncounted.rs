//! Processes that are *uncounted*: they do not keep the machine from being paused.

use std::fs;
use std::os::fd::OwnedFd;

use pyro_protocol::PauseRule;
use rustix::process::Pid;

use crate::group::{self, Group};

/// The processes of a command that do not count, as far as its [`PauseRule`] says so.
#[derive(Debug)]
pub(crate) struct Uncounted {
    first: Pid,
    directory: OwnedFd,
    rule: PauseRule,
}

impl Uncounted {
    /// Of the command whose first process is `first`; `None` if all its processes count.
    pub(crate) fn of(first: Pid, group: &Group, rule: PauseRule) -> Option<Self> {
        if rule == PauseRule::Never {
            return None;
        }
        Some(Self {
            first,
            directory: group.directory().ok()?,
            rule,
        })
    }

    /// How many there are now.
    pub(crate) fn number(&self) -> u32 {
        let members = group::members(&self.directory);
        match self.rule {
            PauseRule::Never => 0,
            PauseRule::Always => u32::try_from(members.len()).unwrap_or(0),
            PauseRule::WhenIdle => {
                let first = self.first.as_raw_pid();
                u32::from(members == [first] && sleeps(first))
            }
        }
    }
}

/// Whether a process waits for something, a line of input for example.
fn sleeps(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program is in parentheses, and may contain others.
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('S'));
    state.unwrap_or(false)
}

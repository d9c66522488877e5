//! The *events* of the table, and their expected results.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyro_test::{Action, Scene};
use rustix::process::Signal;

use super::moments::{self, Client, Deed, Moment, When};
use crate::instances::{Instance, kill, signal};
use crate::templates::wait_until;

/// Longer than the limit for QEMU to stop a guest's processors.
const SILENCE: Duration = Duration::from_secs(6);

/// Not longer than the limit for a flush of the guest's disk; the next one follows within
/// [`Scene::wait_for`]'s limit.
const FLUSH_SILENCE: Duration = Duration::from_secs(50);

/// An event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum What {
    Nothing,
    Stop,
    SecondStop,
    Delete,
    Terminate,
    KillSupervisor,
    KillVmm,
    ClientGone,
    Expire,
    Exec,
    Push,
    /// The guest cannot flush its disk.
    FlushFails,
    /// The guest never answers a request to flush its disk.
    FlushSilent,
    /// QEMU refuses to stop the guest's processors.
    StopRefused,
    /// QEMU stops them, but never replies.
    StopSilent,
    /// QEMU refuses to resume them.
    ContRefused,
    /// The guest's disk fails all the time.
    Flood,
}

/// The expected result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It runs.
    Started,
    /// It was shut down properly.
    InOrder,
    /// It was ended; its record has the reason.
    Ended,
    /// It has expired.
    Expired,
    /// It was deleted.
    Deleted,
    /// Its start failed.
    Failed,
}

impl What {
    pub(super) const ALL: &[Self] = &[
        // The longest first.
        Self::FlushSilent,
        Self::StopSilent,
        Self::Expire,
        Self::Stop,
        Self::SecondStop,
        Self::Terminate,
        Self::Delete,
        Self::KillSupervisor,
        Self::KillVmm,
        Self::ClientGone,
        Self::Exec,
        Self::Push,
        Self::FlushFails,
        Self::StopRefused,
        Self::ContRefused,
        Self::Flood,
        Self::Nothing,
    ];

    /// Whether the event can happen at this moment, and differs from the same event at other
    /// moments.
    pub(super) fn is_possible(self, when: When) -> bool {
        let pausing = matches!(
            when,
            When::Idle | When::InFlush | When::AfterExec | When::DuringExec | When::DuringPush
        );
        match self {
            Self::Exec | Self::Push => when != When::BeforeShutdown && when != When::DuringStart,
            Self::FlushFails => pausing || when == When::Busy,
            // One moment is enough, because it takes a minute.
            Self::FlushSilent => when == When::AfterExec,
            Self::StopRefused | Self::StopSilent => pausing,
            Self::ContRefused => when == When::Paused,
            Self::Flood => when == When::Idle,
            Self::ClientGone => matches!(
                when,
                When::BeforeResume
                    | When::InResume
                    | When::DuringExec
                    | When::DuringPush
                    | When::BeforeShutdown
                    | When::DuringStart
            ),
            _ => true,
        }
    }

    /// Prepares the event before the moment is reached.
    pub(super) fn arrange(self, scene: &Scene) {
        match self {
            Self::StopRefused => scene.next("qmp:stop", Action::Refuse("not now".into())),
            Self::StopSilent => scene.next("qmp:stop", Action::Ignore),
            Self::ContRefused => scene.next("qmp:cont", Action::Refuse("not now".into())),
            Self::Flood => scene.next("qmp:stop:said", Action::Flood(50_000)),
            _ => {}
        }
    }

    /// Triggers the event, and lets the machine continue; returns the waiting clients.
    pub(super) fn happen(
        self,
        workspace: &Instance,
        scene: &Scene,
        moment: Moment,
        expires_at: f64,
    ) -> Vec<Client> {
        let Moment { hold, client } = moment;
        let mut clients: Vec<Client> = client.into_iter().collect();
        match self {
            Self::Nothing
            | Self::StopRefused
            | Self::StopSilent
            | Self::Flood
            | Self::FlushFails => {}
            Self::Stop => clients.push(moments::call(workspace, Deed::Stop)),
            Self::SecondStop => {
                clients.push(moments::call(workspace, Deed::Stop));
                settle();
                clients.push(moments::call(workspace, Deed::Stop));
            }
            Self::Delete => clients.push(moments::call(workspace, Deed::Delete)),
            Self::Terminate => signal(workspace.supervisor().unwrap(), Signal::TERM),
            Self::KillSupervisor => kill(workspace.supervisor().unwrap()),
            Self::KillVmm => kill(workspace.vmm().unwrap()),
            Self::ClientGone => clients
                .iter()
                .for_each(|client| client.run.signal(Signal::KILL)),
            Self::Expire => wait_until("its time is over", || now() > expires_at),
            Self::Exec | Self::ContRefused | Self::FlushSilent => {
                clients.push(moments::exec(workspace));
            }
            Self::Push => clients.push(moments::call(workspace, Deed::Push)),
        }
        // So that the event is noticed before the machine continues.
        settle();
        let full = Action::Refuse("no space left on device".into());
        if self == Self::FlushFails {
            scene.always("answer:synced", full.clone());
        }
        if let Some(hold) = hold {
            let flushes = hold.point() == "answer:synced";
            hold.release(match self {
                Self::FlushFails if flushes => full,
                Self::FlushSilent => Action::Ignore,
                _ => Action::Go,
            });
        }
        clients
    }

    /// Waits for the effect of the event, if it is delayed.
    pub(super) fn wait_for_effect(self, scene: &Scene) {
        match self {
            Self::FlushFails => {
                let so_far = scene.reached("answer:synced");
                scene.wait_for("answer:synced", so_far + 1);
                settle();
                scene.always("answer:synced", Action::Go);
            }
            // The flush is given up, and the next one is requested.
            Self::FlushSilent => {
                let so_far = scene.reached("answer:synced");
                thread::sleep(FLUSH_SILENCE);
                scene.wait_for("answer:synced", so_far + 1);
            }
            Self::StopRefused => scene.wait_for("qmp:stop", 1),
            Self::StopSilent => {
                scene.wait_for("qmp:stop", 1);
                thread::sleep(SILENCE);
            }
            Self::Flood => scene.wait_for("qmp:stop:said", 1),
            _ => return,
        }
        settle();
    }

    /// The expected result.
    pub(super) fn outcome(self, when: When) -> Outcome {
        let starting = when == When::DuringStart;
        match self {
            Self::Delete => Outcome::Deleted,
            Self::KillSupervisor | Self::Terminate if starting => Outcome::Failed,
            // The workspace is started again.
            Self::KillVmm if starting => Outcome::Started,
            Self::KillSupervisor | Self::KillVmm => Outcome::Ended,
            Self::Expire => Outcome::Expired,
            Self::Stop | Self::SecondStop | Self::Terminate => Outcome::InOrder,
            _ if when == When::BeforeShutdown => Outcome::InOrder,
            _ => Outcome::Started,
        }
    }
}

/// Long enough for a message to arrive.
pub(super) fn settle() {
    thread::sleep(Duration::from_millis(250));
}

pub(super) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs_f64()
}

//! The *moments* of a workspace's life, and how to reach them.

use std::thread;
use std::time::Duration;

use pyro_test::{Hold, Scene};

use crate::instances::Instance;
use crate::process::Running;

/// The moment of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum When {
    /// It is idle and running.
    Idle,
    /// The guest flushes its disk, before it is paused.
    InFlush,
    /// QEMU has received the command to stop the guest's processors, and has not executed it.
    BeforeStop,
    /// QEMU has stopped them, and has not replied.
    InStop,
    /// It is paused.
    Paused,
    /// A client waits; QEMU has received the command to resume the processors, and has not executed
    /// it.
    BeforeResume,
    /// QEMU has resumed them, and has not replied.
    InResume,
    /// A command runs.
    DuringExec,
    /// A command has ended; the guest flushes its disk.
    AfterExec,
    /// A process was left running.
    Busy,
    /// The files of a push are in place, and the client has no answer yet.
    DuringPush,
    /// The request to shut down was sent, and has not arrived.
    BeforeShutdown,
    /// It is starting; the guest has not been adopted yet.
    DuringStart,
}

impl When {
    pub(super) const ALL: &[Self] = &[
        Self::Idle,
        Self::InFlush,
        Self::BeforeStop,
        Self::InStop,
        Self::Paused,
        Self::BeforeResume,
        Self::InResume,
        Self::DuringExec,
        Self::AfterExec,
        Self::Busy,
        Self::DuringPush,
        Self::BeforeShutdown,
        Self::DuringStart,
    ];
}

/// The state at a moment.
#[derive(Default)]
pub(super) struct Moment {
    /// The point at which the machine waits.
    pub(super) hold: Option<Hold>,
    pub(super) client: Option<Client>,
}

/// A client's running call.
pub(super) struct Client {
    pub(super) deed: Deed,
    pub(super) run: Running,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deed {
    Exec,
    Push,
    Stop,
    Start,
    Delete,
}

/// The output of an `exec` of the table.
pub(super) const PRINTED: &str = "begun\nended\n";

pub(super) fn exec(workspace: &Instance) -> Client {
    let run = workspace.shell("echo begun; sleep 0.5; cat kept >/dev/null && echo ended");
    Client {
        deed: Deed::Exec,
        run: run.start(),
    }
}

pub(super) fn call(workspace: &Instance, deed: Deed) -> Client {
    let run = match deed {
        Deed::Exec => return exec(workspace),
        Deed::Push => workspace.push(workspace.context.path("source")),
        Deed::Stop => workspace.call(&["stop"]),
        Deed::Start => workspace.call(&["start"]),
        Deed::Delete => workspace.call(&["delete"]),
    };
    Client {
        deed,
        run: run.start(),
    }
}

/// Brings a workspace that has just run a command to a moment.
pub(super) fn reach(when: When, workspace: &Instance, scene: &Scene) -> Moment {
    let waiting = |hold: Hold, client: Option<Client>| {
        hold.wait();
        Moment {
            hold: Some(hold),
            client,
        }
    };
    match when {
        When::Idle => Moment::default(),
        When::InFlush => waiting(scene.hold("answer:synced"), None),
        When::BeforeStop => waiting(scene.hold("qmp:stop"), None),
        When::InStop => waiting(scene.hold("qmp:stop:obeyed"), None),
        When::Paused => {
            pause(scene);
            Moment::default()
        }
        When::BeforeResume | When::InResume => {
            pause(scene);
            let point = match when {
                When::BeforeResume => "qmp:cont",
                _ => "qmp:cont:obeyed",
            };
            let hold = scene.hold(point);
            waiting(hold, Some(exec(workspace)))
        }
        When::DuringExec => {
            let mut client = exec(workspace);
            client.run.wait_for_stdout("begun");
            Moment {
                hold: None,
                client: Some(client),
            }
        }
        When::AfterExec => {
            let hold = scene.hold("answer:synced");
            workspace.ask("echo once more");
            waiting(hold, None)
        }
        When::Busy => {
            workspace.ask("sleep 1000 >/dev/null 2>&1 & exit 0");
            Moment::default()
        }
        When::DuringPush => {
            let hold = scene.hold("answer:unpacked");
            waiting(hold, Some(call(workspace, Deed::Push)))
        }
        When::BeforeShutdown => {
            let hold = scene.hold("agent:shutdown");
            waiting(hold, Some(call(workspace, Deed::Stop)))
        }
        When::DuringStart => {
            workspace.call(&["stop"]).run().expect(0);
            let hold = scene.hold("agent:adopt");
            waiting(hold, Some(call(workspace, Deed::Start)))
        }
    }
}

fn pause(scene: &Scene) {
    scene.wait_for("qmp:stop:said", 1);
    // The message may take a moment to reach its supervisor.
    thread::sleep(Duration::from_millis(50));
}

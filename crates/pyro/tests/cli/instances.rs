//! *Workspaces* and *VMs* in tests, which are deleted on drop, and their processes.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::context::{TestContext, debian};
use crate::process::Pyro;

/// The kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Vm,
    Workspace,
}

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Workspace => "workspace",
        }
    }

    /// The directory of this kind, relative to the base directory.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Vm => "virtual-machines",
            Self::Workspace => "workspaces",
        }
    }
}

/// A workspace or VM of one test.
pub(crate) struct Instance<'a> {
    pub(crate) context: &'a TestContext,
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

impl<'a> Instance<'a> {
    /// `pyro workspace create debian:12` with these options.
    #[track_caller]
    pub(crate) fn workspace(context: &'a TestContext, options: &[impl AsRef<OsStr>]) -> Self {
        Self::create(context, Kind::Workspace, options)
    }

    /// `pyro vm create debian:12` with these options; it is not started.
    #[track_caller]
    pub(crate) fn vm(context: &'a TestContext, options: &[impl AsRef<OsStr>]) -> Self {
        Self::create(context, Kind::Vm, options)
    }

    #[track_caller]
    fn create(context: &'a TestContext, kind: Kind, options: &[impl AsRef<OsStr>]) -> Self {
        let run = context.pyro(&[kind.noun(), "create", debian(), "--json"]);
        let made = run.args(options).run().expect(0).json();
        Self::known(context, kind, id_in(&made, kind))
    }

    /// An existing workspace or VM.
    pub(crate) fn known(context: &'a TestContext, kind: Kind, id: String) -> Self {
        Self { context, kind, id }
    }

    /// A command with these words and its id.
    pub(crate) fn call(&self, words: &[&str]) -> Pyro {
        let run = self.context.pyro(&[self.kind.noun()]);
        run.args(words).args(&[&self.id])
    }

    /// `exec` with these options, to run `sh -c SCRIPT`.
    pub(crate) fn shell_with(&self, options: &[&str], script: &str) -> Pyro {
        let run = self.call(&["exec"]).args(options);
        run.args(&["--", "sh", "-c", script])
    }

    /// `exec` to run these words.
    pub(crate) fn exec(&self, words: &[&str]) -> Pyro {
        self.call(&["exec"]).args(&["--"]).args(words)
    }

    /// `exec` to run `sh -c SCRIPT`.
    pub(crate) fn shell(&self, script: &str) -> Pyro {
        self.shell_with(&[], script)
    }

    /// The output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, script: &str) -> String {
        self.shell(script).run().expect(0).out()
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.call(&["status", "--json"]).run().expect(0).json()
    }

    #[track_caller]
    pub(crate) fn state(&self) -> String {
        self.status()["state"].as_str().unwrap().to_owned()
    }

    /// All commands in its log.
    #[track_caller]
    pub(crate) fn logs(&self) -> Vec<Value> {
        let logs = self.call(&["logs", "--json"]).run().expect(0).json();
        let entries = logs["entries"].as_array().unwrap().clone();
        assert_eq!(logs["count"], entries.len());
        entries
    }

    /// `sync push SOURCE`.
    pub(crate) fn push(&self, source: impl AsRef<OsStr>) -> Pyro {
        self.call(&["sync", "push"]).args(&[source])
    }

    /// Its directory on the host.
    pub(crate) fn directory(&self) -> PathBuf {
        let base = self.context.base();
        base.join(self.kind.place()).join(&self.id)
    }

    /// Its supervisor's process.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        let text = fs::read_to_string(self.directory().join("owner.lock")).ok()?;
        living(text.parse().ok()?)
    }

    /// Its VMM's process. The test must have no other machine.
    pub(crate) fn vmm(&self) -> Option<u32> {
        vmms(self.context).into_iter().next()
    }
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        // If the test failed, its context ends everything. Otherwise it may already be deleted.
        if std::thread::panicking() || !self.directory().exists() {
            return;
        }
        let _ = self.call(&["delete"]).limit(60).run();
    }
}

/// The id in an output.
#[track_caller]
pub(crate) fn id_in(answer: &Value, kind: Kind) -> String {
    let id = answer[format!("{}_id", kind.noun())].as_str();
    id.unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

/// The VMMs of a test's machines.
pub(crate) fn vmms(context: &TestContext) -> Vec<u32> {
    let machines = fs::read_dir(context.base().join("vms"));
    let machines = machines.into_iter().flatten().flatten();
    machines
        .filter_map(|machine| fs::read_to_string(machine.path().join("vmm.lock")).ok())
        .filter_map(|text| living(text.parse().ok()?))
        .collect()
}

/// Returns the process if it is alive and not a zombie.
fn living(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = status.rsplit_once(") ")?.1.chars().next()?;
    (state != 'Z' && state != 'X').then_some(pid)
}

pub(crate) fn is_alive(pid: u32) -> bool {
    living(pid).is_some()
}

/// Ends a process.
pub(crate) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends a signal to a process that may already have ended.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

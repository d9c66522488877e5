//! The client, supervisor or VMM of a workspace is killed at random moments. `PYRO_TEST_FULL`
//! repeats this more often.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind, kill, vmms};
use crate::leftovers;
use crate::process::{Pyro, Running};
use crate::templates::wait_until;

/// More than all buffers in between can hold.
const CONTENT_BYTES: usize = 300_000;
const VICTIMS: &[&str] = &["client", "supervisor", "VMM"];
const DEEDS: &[&str] = &["create", "push", "exec", "delete"];

/// A random number generator, reproducible by its seed.
pub(crate) struct Chance(u64);

impl Chance {
    /// One that differs from run to run; its seed is shown.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = u64::from(now.subsec_nanos()) | 1;
        eprintln!("seed {seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The expected content of each file of a workspace: exactly one of these.
type Expected = BTreeMap<String, Vec<Vec<u8>>>;

#[test]
fn whoever_dies_nothing_that_was_acknowledged_is_lost() {
    let mut chance = Chance::new();
    let context = TestContext::with(debian());
    let source = context.path("source");
    fs::create_dir(&source).unwrap();
    let begun = Instance::workspace(&context, &[] as &[&str]);
    let whole = begun.call(&["stop"]).run().expect(0).elapsed;
    drop(begun);
    for round in 0..count(12, 100) {
        let deed = DEEDS[round % DEEDS.len()];
        let victim = VICTIMS[(round / DEEDS.len()) % VICTIMS.len()];
        let moment =
            Duration::from_millis(chance.below(u64::try_from(whole.as_millis()).unwrap().max(800)));
        eprintln!("round {round}: the {victim} dies {moment:?} into {deed}");
        one_round(&context, &source, round, (deed, victim, moment));
    }
}

/// A workspace with acknowledged work, and a call that is running when a process is killed.
fn one_round(
    context: &TestContext,
    source: &Path,
    round: usize,
    (deed, victim, moment): (&str, &str, Duration),
) {
    let mut expected = Expected::new();
    let workspace = (deed != "create").then(|| {
        let workspace = Instance::workspace(context, &[] as &[&str]);
        fill(source, round, "acknowledged", &mut expected);
        workspace.push(source).run().expect(0);
        workspace
    });
    let run = match (deed, &workspace) {
        ("push", Some(workspace)) => {
            fill(source, round, "under way", &mut expected);
            workspace.push(source)
        }
        ("exec", Some(workspace)) => workspace.shell("echo begun; sleep 0.4; echo ended"),
        ("delete", Some(workspace)) => workspace.call(&["delete"]),
        _ => {
            fill(source, round, "acknowledged", &mut expected);
            creation(context, source)
        }
    };
    let ended = strike(context, run, victim, moment).finish();
    if deed == "push" && ended.code == 0 {
        only_newest(&mut expected);
    }
    // The next call of any client removes leftovers.
    let list = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0)
        .json();
    let found = list["workspaces"].as_array().unwrap();
    let known = workspace.as_ref().map(|workspace| workspace.id.clone());
    assert!(found.len() <= 1, "{list}");
    let Some(listed) = found.first() else {
        assert!(
            deed == "delete" || deed == "create",
            "{victim} {deed}: {list}"
        );
        drop(workspace);
        assert_tidy(context);
        return;
    };
    let id = listed["workspace_id"].as_str().unwrap().to_owned();
    assert!(known.is_none_or(|known| known == id));
    let survivor = workspace.unwrap_or_else(|| Instance::known(context, Kind::Workspace, id));
    assert_whole(&survivor, deed, &expected);
    drop(survivor);
    assert_tidy(context);
}

fn creation(context: &TestContext, source: &Path) -> Pyro {
    let run = context.pyro(&["workspace", "create", debian(), "--seed-path"]);
    run.args(&[source])
}

/// Starts a run and kills a process after a while.
pub(crate) fn strike(context: &TestContext, run: Pyro, victim: &str, moment: Duration) -> Running {
    let run = run.start();
    thread::sleep(moment);
    match victim {
        // It may have ended.
        "client" => kill_running(&run),
        "supervisor" => supervisors(context).into_iter().for_each(kill),
        _ => vmms(context).into_iter().for_each(kill),
    }
    run
}

fn kill_running(run: &Running) {
    // A process that has ended is a zombie until it is waited for, and takes signals.
    run.signal(Signal::KILL);
}

fn supervisors(context: &TestContext) -> Vec<u32> {
    let processes = leftovers::scan(context.directory()).into_iter();
    processes
        .filter(|(_, arguments)| arguments.contains(" supervise "))
        .map(|(pid, _)| pid)
        .collect()
}

/// Writes files for a push, some of which were pushed before.
fn fill(source: &Path, round: usize, what: &str, expected: &mut Expected) {
    for number in 0..4 {
        let mut content = format!("{what} in round {round}, file {number}\n").into_bytes();
        content.resize(CONTENT_BYTES + number, b'.');
        let name = format!("file-{number}");
        fs::write(source.join(&name), &content).unwrap();
        expected.entry(name).or_default().push(content);
    }
}

/// After an acknowledged push, only its contents are allowed.
fn only_newest(expected: &mut Expected) {
    for contents in expected.values_mut() {
        contents.drain(..contents.len() - 1);
    }
}

/// Fails unless a workspace is usable, or reports a reason and can be started, with all its files.
#[track_caller]
fn assert_whole(workspace: &Instance, deed: &str, expected: &Expected) {
    let mut status = workspace.status();
    wait_until("it is in a instances state", || {
        workspace.state() != "starting"
    });
    if status["state"] == "starting" {
        status = workspace.status();
    }
    workspace.logs();
    match status["state"].as_str().unwrap() {
        // The supervisor needs a moment to notice the death of its VMM.
        "started" => {
            let run = workspace.shell("true").run();
            if run.code != 0 {
                wait_until("its end is written down", || workspace.state() == "stopped");
                workspace.call(&["start"]).run().expect(0);
            }
        }
        "stopped" | "failed" | "created" => {
            assert!(
                status["state"] == "created" || status["state_reason"].is_string(),
                "{status}"
            );
            workspace.call(&["start"]).run().expect(0);
        }
        state => panic!("{state}"),
    }
    let at_once: usize = expected.values().map(Vec::len).min().unwrap_or(0);
    let found: Vec<usize> = expected
        .iter()
        .map(|(name, contents)| {
            let found = workspace.exec(&["cat", name]).run().expect(0).stdout;
            let which = contents.iter().position(|content| *content == found);
            which.unwrap_or_else(|| panic!("{deed}: {name} has {} other bytes", found.len()))
        })
        .collect();
    assert!(
        at_once > 0 && found.windows(2).all(|pair| pair[0] == pair[1]),
        "{found:?}"
    );
    // A command whose client was killed runs to its end.
    wait_until("nothing runs", || {
        let entries = workspace.logs();
        entries
            .iter()
            .all(|entry| entry["interrupted"] != "running")
    });
    for entry in workspace.logs() {
        let text = entry["stdout"].as_str().unwrap();
        let command = entry["command"].as_str().unwrap();
        if command.contains("begun") {
            assert!(["", "begun\n", "begun\nended\n"].contains(&text), "{entry}");
            let ended = text.ends_with("ended\n") && entry["exit_code"] == 0;
            assert!(ended || entry["exit_code"] != 0, "{entry}");
        }
    }
}

/// Fails if anything is left over: processes, machines, incomplete or half-removed objects.
#[track_caller]
fn assert_tidy(context: &TestContext) {
    context.pyro(&["workspace", "list"]).run().expect(0);
    context.assert_nothing_is_left();
    let entries = fs::read_dir(context.base().join("workspaces"))
        .unwrap()
        .flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    assert_eq!(names, [".gate"]);
}

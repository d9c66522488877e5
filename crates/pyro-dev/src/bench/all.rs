//! Everything that is promised about *whole runs*, in one report: times from the start of the
//! process to its end, beside other programs that run the same commands in the same root file
//! systems; where the time goes; what an idle machine costs.
//!
//! All that is measured takes turns, so that whatever else the host does hits all alike.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pyro_engine::Engine;
use serde_json::Value;
use tempfile::TempDir;

use super::containers::{Container, RootFileSystem};
use super::phases::Phases;
use super::{Host, Table, engine, idle, workspaces};
use crate::Error;
use crate::finished::Finished;
use crate::program::Program;

/// The commands, and where they run.
const WORKLOADS: [(&str, &[&str]); 3] = [
    (EVERYDAY, &["true"]),
    (EVERYDAY, &["git", "--version"]),
    ("debian:12-build", &["python3", "-c", "1"]),
];
const EVERYDAY: &str = "debian:12";
/// Longer than a round takes.
const PARKED_SECONDS: u32 = 300;
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// The first run may have to build its environment.
const FIRST_LIMIT: Duration = Duration::from_secs(1800);
/// What QEMU and the guest's kernel do before there is anything of ours but the agent's answer.
const BARE_BOOT: [&str; 2] = ["vmm_spawn", "kernel_and_agent"];

const PARKED: &str = "pyro, parked";
const RESTORED: &str = "pyro, restored";
const COLD: &str = "pyro, cold";

/// Measures `count` runs of each kind with the program at `path` and returns a report in
/// Markdown. `tell` hears how far it is, and loudly what is not measured.
///
/// # Errors
/// When a run fails.
pub fn measure(count: u32, path: &Path, tell: impl Fn(&str)) -> Result<String, Error> {
    let host = measured_host()?;
    let restoring = Program::new(path, 0)?;
    let scratch = tempfile::Builder::new().prefix("pyro-dev-").tempdir()?;
    let mut not_measured = Vec::new();
    let mut environments: Vec<Environment> = Vec::new();
    for (name, _) in WORKLOADS {
        if environments.iter().any(|known| known.name == name) {
            continue;
        }
        tell(&format!("preparing {name}"));
        match Environment::prepare(name, path, &restoring, &scratch) {
            Ok(environment) => {
                not_measured.extend(environment.missing.iter().cloned());
                environments.push(environment);
            }
            Err(error) if name != EVERYDAY => not_measured.push(format!("{name}: {error}")),
            Err(error) => return Err(error),
        }
    }
    for what in &not_measured {
        tell(&format!("NOT MEASURED: {what}"));
    }

    let mut entries = Vec::new();
    for (name, words) in WORKLOADS {
        if let Some(environment) = environments.iter().find(|known| known.name == name) {
            entries.push(Workload::new(environment, words));
        }
    }
    let mut phases: [Phases; 3] = Default::default();
    for round in 0..=count {
        // The first round warms up: pages of files, and the host's caches.
        let counts = round > 0;
        for workload in &mut entries {
            workload.round(&restoring, counts)?;
        }
        trace(&restoring, &environments[0], counts.then_some(&mut phases))?;
        tell(&format!("{round} of {count}"));
    }
    tell("idle machines");
    environments[0].parking.settle()?;
    let idle = idle::measure(&restoring, &environments[0].parking, EVERYDAY)?;

    tell("workspaces");
    let workspaces = workspaces::measure(&restoring, EVERYDAY, count)?;

    let mut report = String::new();
    write!(
        report,
        "# Benchmarks\n\nMade by `make bench`, which runs `pyro-dev bench --count {count} \
         --write`. Nothing here is edited by hand.\n\n{host}\n\
         Times are those of whole processes, from before the start to after the end, in \
         milliseconds, {count} runs of each. Everything takes turns: each round runs each row \
         once, after one round that does not count. *Parked*: a machine was kept ahead \
         (`PYRO_PARKED_SECONDS` is not 0), and nothing goes on in the background when the run \
         begins. *Restored*: from the template, nothing is parked. *Cold*: `--cold`, a boot.\n"
    )?;
    for workload in &entries {
        workload.describe(&phases[2], &mut report)?;
    }
    write!(
        report,
        "\n## Workspaces in `{EVERYDAY}`\n\nEach round makes two, works in one of them, and \
         deletes both.\n\n{workspaces}"
    )?;
    describe_containers(&environments, &not_measured, &scratch, &mut report)?;
    write!(
        report,
        "\n## Where the time goes\n\nReported by `pyro run {EVERYDAY} -q --trace -- true`, in \
         runs of their own that took turns with those above.\n"
    )?;
    for (phases, how) in phases.iter().zip([PARKED, RESTORED, COLD]) {
        write!(report, "\n### {how}\n\n{phases}")?;
    }
    write!(report, "\n## What an idle machine costs\n\n{idle}")?;
    Ok(report)
}

/// Looks at this host.
pub(super) fn measured_host() -> Result<Host, Error> {
    host(&engine()?)
}

fn host(engine: &Engine) -> Result<Host, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(Host::examine(engine))
}

/// One environment, ready to be measured.
struct Environment {
    name: &'static str,
    parking: Program,
    root: Option<RootFileSystem>,
    containers: Vec<Container>,
    missing: Vec<String>,
}

impl Environment {
    fn prepare(
        name: &'static str,
        path: &Path,
        restoring: &Program,
        scratch: &TempDir,
    ) -> Result<Self, Error> {
        let mut first = restoring.command(["run", name, "-q", "--", "true"]);
        Finished::success(&mut first, FIRST_LIMIT)?;
        let parking = Program::new(path, PARKED_SECONDS)?;
        let mut park = parking.command(["run", name, "-q", "--", "true"]);
        Finished::success(&mut park, FIRST_LIMIT)?;
        parking.settle()?;

        let directory = scratch.path().join(name.replace(':', "-"));
        let root = image(name, restoring)
            .and_then(|image| RootFileSystem::extract(&image, directory))
            .map_err(|error| format!("podman and runsc in {name}: {error}"));
        let (root, containers, missing) = match root {
            Ok(root) => {
                let (found, missing) = Container::find(&root, &scratch.path().join("runsc"));
                let missing = missing.iter().map(|why| format!("{name}: {why}"));
                (Some(root), found, missing.collect())
            }
            Err(error) => (None, vec![], vec![error]),
        };
        Ok(Self {
            name,
            parking,
            root,
            containers,
            missing,
        })
    }
}

/// Asks the program where the image of an environment is.
pub(super) fn image(environment: &str, program: &Program) -> Result<PathBuf, Error> {
    let mut doctor = program.command(["doctor", "--json"]);
    let report: Value = serde_json::from_str(&Finished::success(&mut doctor, RUN_LIMIT)?.stdout)?;
    let known = report["runtime"]["environments"].as_array();
    let found = known
        .into_iter()
        .flatten()
        .find(|e| e["name"] == environment);
    let directory = found.and_then(|found| found["install_dir"].as_str());
    let directory = directory.ok_or("`pyro doctor` does not know where it is")?;
    Ok(Path::new(directory).join("rootfs.erofs"))
}

/// One command, run in all the ways there are.
struct Workload<'a> {
    environment: &'a Environment,
    words: &'static [&'static str],
    table: Table,
}

impl<'a> Workload<'a> {
    fn new(environment: &'a Environment, words: &'static [&'static str]) -> Self {
        Self {
            environment,
            words,
            table: Table::default(),
        }
    }

    /// Runs it once in every way.
    fn round(&mut self, restoring: &Program, counts: bool) -> Result<(), Error> {
        let Environment {
            name,
            parking,
            root,
            containers,
            ..
        } = self.environment;
        let pyro = |program: &Program, option: Option<&'static str>| {
            let options = ["run", name, "-q"].into_iter().chain(option);
            program.command(options.chain(["--"]).chain(self.words.iter().copied()))
        };
        let mut ways: Vec<(&str, Command)> = vec![
            (PARKED, pyro(parking, None)),
            (RESTORED, pyro(restoring, None)),
            (COLD, pyro(restoring, Some("--cold"))),
        ];
        for container in containers {
            let command = root
                .as_ref()
                .map(|root| container.command(root, self.words));
            ways.extend(command.map(|command| (container.name, command)));
        }
        for (way, mut command) in ways {
            let run = Finished::success(&mut command, RUN_LIMIT)?;
            if counts {
                self.table.add(way, run.wall);
            }
            // Off the clock: the next one begins when nothing else goes on.
            parking.settle()?;
            restoring.settle()?;
        }
        Ok(())
    }

    fn describe(&self, cold: &Phases, report: &mut String) -> Result<(), Error> {
        let name = self.environment.name;
        let words = self.words.join(" ");
        writeln!(report, "\n## `{words}` in `{name}`\n\n{}", self.table)?;
        let pairs = [(COLD, RESTORED), ("podman", PARKED), ("runsc", PARKED)];
        for (slow, fast) in pairs {
            let medians = (self.table.median(slow), self.table.median(fast));
            if let (Some(slow_time), Some(fast_time)) = medians {
                let times = slow_time.as_secs_f64() / fast_time.as_secs_f64().max(1e-9);
                writeln!(report, "* {slow}: {times:.1} times as long as {fast}")?;
            }
        }
        if let Some(boot) = cold.sum(&BARE_BOOT) {
            let milliseconds = boot.as_secs_f64() * 1e3;
            writeln!(
                report,
                "* QEMU's bare boot (its start, the kernel, the agent's first answer, from the \
                 phases of cold runs): {milliseconds:.1} ms"
            )?;
        }
        Ok(())
    }
}

/// Runs `true` parked, restored and cold, and has it say where the time went.
fn trace(
    restoring: &Program,
    environment: &Environment,
    mut phases: Option<&mut [Phases; 3]>,
) -> Result<(), Error> {
    let options = ["run", environment.name, "-q", "--trace"];
    let ways = [
        (&environment.parking, None),
        (restoring, None),
        (restoring, Some("--cold")),
    ];
    for (number, (program, option)) in ways.into_iter().enumerate() {
        let words = options.into_iter().chain(option).chain(["--", "true"]);
        let run = Finished::success(&mut program.command(words), RUN_LIMIT)?;
        if let Some(phases) = &mut phases {
            phases[number].add(&run)?;
        }
        program.settle()?;
    }
    Ok(())
}

fn describe_containers(
    environments: &[Environment],
    not_measured: &[String],
    scratch: &TempDir,
    report: &mut String,
) -> Result<(), Error> {
    writeln!(report, "\n## What was run beside it\n")?;
    writeln!(
        report,
        "In the root file system of the same image, copied out of it to the directory ROOT with \
         `fsck.erofs --extract=ROOT`:\n"
    )?;
    let state = scratch.path().join("runsc");
    for environment in environments {
        for container in &environment.containers {
            writeln!(
                report,
                "* `{}`: {}, `{}`",
                environment.name,
                container.version,
                container.shown(&state)
            )?;
        }
    }
    for what in not_measured {
        writeln!(report, "* **not measured**: {what}")?;
    }
    Ok(())
}

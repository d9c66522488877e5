//! What is done in *workspaces*: making one, with a seed and without, running a command in it,
//! copying files into it and out of it, comparing it, connecting to it, and what one costs while nobody
//! uses it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::Table;
use super::idle::usage;
use super::ports::{self, Sender};
use crate::Error;
use crate::finished::Finished;
use crate::program::Program;

const LIMIT: Duration = Duration::from_secs(120);
const FIRST_LIMIT: Duration = Duration::from_secs(1800);
/// Nothing is left to flush, and the machine is paused, this long after the last use.
const UNTIL_IDLE: Duration = Duration::from_secs(5);
/// As large a project as many are.
const SEED_FILES: u64 = 4191;
const SEED_FILE_BYTES: u64 = 25 * 1024;
const MANY_FILES: u64 = 40_000;
const MANY_FILE_BYTES: u64 = 64;
/// Three changes of a kind that most are, and the numbers of the files that they change.
const CHANGES: &str = "echo changed >> d0/f0; rm d1/f41; echo new > new";
const CHANGED: [u64; 2] = [0, 41];
const FEW_FILES: u64 = 20;
const FEW_FILES_BYTES: u64 = 3 * 1024;
const LARGE_FILE_BYTES: u64 = 100 * 1024 * 1024;
const MIB: f64 = 1024.0 * 1024.0;

const EMPTY: &str = "`workspace create`";
const SEEDED: &str = "`workspace create --seed-path`, 4191 files of 25 KiB";
const TRUE: &str = "`workspace exec -- true`";
const FEW: &str = "`workspace sync push`, 20 files of 3 KiB";
const AT_ONCE: &str = "the same push, as a workspace's first use";
const LARGE: &str = "`workspace sync push`, one file of 100 MiB";
const EXPORT: &str = "`workspace export` of that file";
const EXPORT_SEED: &str = "`workspace export`, 4191 files of 25 KiB";
const DIFF: &str = "`workspace diff` of 3 changes in 4191 files";
const DIFF_MANY: &str = "`workspace diff` of 3 changes in 40000 files";
const PORT: &str = "64 MiB from a server in the guest, through a published port";
const PRINTED: &str = "`workspace exec`, a command that prints 64 MiB";
const DELETE: &str = "`workspace delete`";

/// Measures `count` rounds with the program at `path` and nothing else, and returns a section in
/// Markdown.
///
/// # Errors
/// When something fails.
pub fn alone(count: u32, environment: &str, path: &Path) -> Result<String, Error> {
    let program = Program::new(path, 0)?;
    // The first run may have to build its environment.
    let mut first = program.command(["run", environment, "-q", "--", "true"]);
    Finished::success(&mut first, FIRST_LIMIT)?;
    measure(&program, environment, count)
}

/// Measures `count` rounds and returns a section in Markdown.
///
/// # Errors
/// When something fails.
pub(super) fn measure(program: &Program, environment: &str, count: u32) -> Result<String, Error> {
    let files = Files::make()?;
    let mut table = Table::default();
    let many = changed(program, environment, &files.many)?;
    let sender = Sender::start(program, environment)?;
    for round in 0..=count {
        // The first round warms up.
        let counts = round > 0;
        let mut run = |step: &str, words: &[&str]| -> Result<Finished, Error> {
            let mut command = program.command(words.iter().copied());
            let finished = Finished::success(&mut command, LIMIT)?;
            if counts {
                table.add(step, finished.wall);
            }
            Ok(finished)
        };
        let empty = run(EMPTY, &["workspace", "create", environment, "--json"])?;
        let seed = ["workspace", "create", environment, "--json", "--seed-path"];
        let seeded = run(SEEDED, &[&seed[..], &[&files.seed]].concat())?;
        let id = empty.workspace_id()?;
        // As an agent works: one command after the other.
        for _ in 0..4 {
            run(TRUE, &["workspace", "exec", &id, "-q", "--", "true"])?;
        }
        let push = ["workspace", "sync", "push", &id];
        run(FEW, &[&push[..], &[&files.few]].concat())?;
        run(LARGE, &[&push[..], &[&files.large]].concat())?;
        run(EXPORT, &export(&id, "file", &files.out))?;
        run(DELETE, &["workspace", "delete", &id])?;
        let unused = run(EMPTY, &["workspace", "create", environment, "--json"])?;
        let unused = unused.workspace_id()?;
        let push = ["workspace", "sync", "push", &unused, &files.few];
        run(AT_ONCE, &push)?;
        run(DELETE, &["workspace", "delete", &unused])?;
        let seeded = seeded.workspace_id()?;
        change(program, &seeded)?;
        for _ in 0..4 {
            run(DIFF, &["workspace", "diff", &seeded, "-q"])?;
            run(DIFF_MANY, &["workspace", "diff", &many, "-q"])?;
        }
        run(EXPORT_SEED, &export(&seeded, ".", &files.out))?;
        run(DELETE, &["workspace", "delete", &seeded])?;
        let (received, printed) = (sender.receive()?, sender.print(program)?);
        if counts {
            table.add(PORT, received);
            table.add(PRINTED, printed);
        }
    }

    for id in [&many, &sender.id] {
        Finished::success(&mut program.command(["workspace", "delete", id]), LIMIT)?;
    }

    let mut report = format!("{table}\n");
    if let (Some(diff), Some(many), Some(exec)) = (
        table.median(DIFF),
        table.median(DIFF_MANY),
        table.median(TRUE),
    ) {
        let times = diff.as_secs_f64() / exec.as_secs_f64();
        let more = many.as_secs_f64() / diff.as_secs_f64();
        writeln!(
            report,
            "* a diff takes {times:.2} times as long as `true`, and {more:.2} times that among 40000 files"
        )?;
    }
    for (step, what, bytes) in [
        (LARGE, "a large push", LARGE_FILE_BYTES),
        (EXPORT, "a large export", LARGE_FILE_BYTES),
        (PORT, "a published port", ports::BYTES),
        (PRINTED, "a command's standard output", ports::BYTES),
    ] {
        if let Some(time) = table.median(step) {
            let rate = bytes as f64 / time.as_secs_f64();
            let (binary, decimal) = (rate / MIB, rate / 1e6);
            writeln!(report, "* {what}: {binary:.0} MiB/s ({decimal:.0} MB/s)")?;
        }
    }
    if let (Some(seeded), Some(empty)) = (table.median(SEEDED), table.median(EMPTY)) {
        let more = seeded.saturating_sub(empty).as_secs_f64() * 1e3;
        writeln!(report, "* the seed adds {more:.0} ms")?;
    }
    report.push_str(&idle(program, environment)?);
    Ok(report)
}

fn export<'a>(id: &'a str, path: &'a str, output: &'a str) -> [&'a str; 7] {
    [
        "workspace",
        "export",
        id,
        path,
        "--force",
        "--output",
        output,
    ]
}

/// Makes a workspace with a seed, and changes something in it. Returns its id.
fn changed(program: &Program, environment: &str, seed: &str) -> Result<String, Error> {
    let words = [
        "workspace",
        "create",
        environment,
        "--json",
        "--seed-path",
        seed,
    ];
    let made = Finished::success(&mut program.command(words), LIMIT)?;
    let id = made.workspace_id()?;
    change(program, &id)?;
    Ok(id)
}

fn change(program: &Program, id: &str) -> Result<(), Error> {
    let words = ["workspace", "exec", id, "-q", "--", "sh", "-c", CHANGES];
    Finished::success(&mut program.command(words), LIMIT)?;
    Ok(())
}

/// What one costs that nobody uses.
fn idle(program: &Program, environment: &str) -> Result<String, Error> {
    let words = ["workspace", "create", environment, "--json"];
    let made = Finished::success(&mut program.command(words), LIMIT)?;
    let id = made.workspace_id()?;
    let exec = ["workspace", "exec", &id, "-q", "--", "true"];
    Finished::success(&mut program.command(exec), LIMIT)?;
    std::thread::sleep(UNTIL_IDLE);
    let lock = program
        .base()
        .join("workspaces")
        .join(&id)
        .join("owner.lock");
    let supervisor = fs::read_to_string(lock)?;
    let status = fs::read_to_string(format!("/proc/{supervisor}/status"))?;
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.map_or("unknown".into(), |line| {
            line[name.len()..].trim().to_owned()
        })
    };
    let machines = program.machines();
    let machine = machines.first().ok_or("no machine is there")?;
    let report = format!(
        "* idle: its supervisor has {} in memory ({} of it its own), its machine uses {} of the \
         processor\n",
        line("VmRSS:"),
        line("RssAnon:"),
        usage(machine)?
    );
    Finished::success(&mut program.command(["workspace", "delete", &id]), LIMIT)?;
    Ok(report)
}

/// What is copied.
struct Files {
    _directory: TempDir,
    seed: String,
    many: String,
    few: String,
    large: String,
    /// Where exports go.
    out: String,
}

impl Files {
    fn make() -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("pyro-dev-").tempdir()?;
        let below = |name: &str| directory.path().join(name);
        for number in 0..SEED_FILES {
            let path = below("seed").join(format!("d{}/f{number}", number / 40));
            random_file(&path, SEED_FILE_BYTES)?;
        }
        for number in 0..MANY_FILES {
            let path = below("many").join(format!("d{}/f{number}", number / 40));
            // A diff reads what was changed: that is as large as among few files.
            let bytes = if CHANGED.contains(&number) {
                SEED_FILE_BYTES
            } else {
                MANY_FILE_BYTES
            };
            random_file(&path, bytes)?;
        }
        for number in 0..FEW_FILES {
            random_file(&below("few").join(format!("f{number}")), FEW_FILES_BYTES)?;
        }
        random_file(&below("large").join("file"), LARGE_FILE_BYTES)?;
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Ok(Self {
            seed: text(below("seed")),
            many: text(below("many")),
            few: text(below("few")),
            large: text(below("large")),
            out: text(below("out")),
            _directory: directory,
        })
    }
}

fn random_file(path: &Path, bytes: u64) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut random = File::open("/dev/urandom")?.take(bytes);
    io::copy(&mut random, &mut File::create(path)?)?;
    Ok(())
}

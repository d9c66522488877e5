//! The *steady state*: how fast programs compute once their machine runs, beside the same programs
//! of the same root file system on the host, in podman and in runsc.
//!
//! Every guest's timers were checked before it was used: the product refuses one whose timers are
//! wrong, and has no way to use it. That the guest's clock agrees with the host's is checked here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::all::{image, measured_host};
use super::containers::{Container, RootFileSystem};
use super::{Samples, Table};
use crate::Error;
use crate::finished::Finished;
use crate::program::Program;

/// Where the programs come from.
const ENVIRONMENT: &str = "debian:12-build";
const EVERYDAY: &str = "debian:12";
const SCRIPT: &str = include_str!("steady.sh");
/// The programs, by their names in the script, and what they do.
const PROGRAMS: [(&str, &str); 9] = [
    ("loop", "a loop of dash, 50,000 times"),
    ("compute", "a loop of Python, 500,000 times"),
    ("digest", "`sha256sum` of 50 MB"),
    ("compile", "`gcc -O2` of three small files"),
    ("clone", "`git clone` of 1,000 commits"),
    ("look", "`find / -xdev`"),
    ("pack", "`tar` of Python's library"),
    ("processes", "`/bin/true`, 100 times"),
    ("write", "5,000 files of 1 kB, written by Python"),
];
/// The first run may have to build its environment.
const FIRST_LIMIT: Duration = Duration::from_secs(1800);
const LIMIT: Duration = Duration::from_secs(900);
/// How much of the time that a guest says it took may be more than the host saw.
const CLOCK_TOLERANCE: f64 = 1.02;
const HOST: &str = "host";
/// What the section is called in the report.
pub const HEADING: &str = "## Steady state";
/// Between these the README has the short form.
pub const SUMMARY_BEGIN: &str = "<!-- steady state: written by `make bench` -->\n";
/// See [`SUMMARY_BEGIN`].
pub const SUMMARY_END: &str = "<!-- end of steady state -->\n";

/// What is to be measured.
#[derive(Debug)]
pub struct Steady<'a> {
    /// How often.
    pub count: u32,
    /// The program.
    pub pyro: &'a Path,
    /// Directories with another QEMU each, that takes turns with the installed one.
    pub other_qemus: &'a [PathBuf],
}

/// What was found out.
#[derive(Debug)]
pub struct Findings {
    /// A section of the report.
    pub section: String,
    /// The same in few lines.
    pub summary: String,
}

/// One way to run the script.
struct Way {
    name: String,
    /// How long each program took, in the order of [`PROGRAMS`].
    samples: Vec<Samples>,
    kind: Kind,
}

enum Kind {
    Host,
    Container(Container),
    Pyro(Program),
}

impl Steady<'_> {
    /// Measures, and returns a section in Markdown. `tell` hears how far it is, and loudly what is
    /// not measured.
    ///
    /// # Errors
    /// When a run fails.
    pub fn measure(&self, tell: impl Fn(&str)) -> Result<Findings, Error> {
        let host = measured_host()?;
        let scratch = tempfile::Builder::new().prefix("pyro-dev-").tempdir()?;
        let programs = self.programs()?;
        for (name, program) in &programs {
            tell(&format!("preparing {ENVIRONMENT} with {name}"));
            let words = ["run", ENVIRONMENT, "-q", "--", "true"];
            Finished::success(&mut program.command(words), FIRST_LIMIT)?;
        }
        let first = &programs.first().ok_or("there is no program")?.1;
        let root =
            RootFileSystem::extract(&image(ENVIRONMENT, first)?, scratch.path().join("root"))?;
        let (containers, missing) = Container::find(&root, &scratch.path().join("runsc"));
        for what in &missing {
            tell(&format!("NOT MEASURED: {what}"));
        }
        let mut short = Table::default();
        let mut ways = vec![Way::new(HOST.to_owned(), Kind::Host)];
        for container in containers {
            ways.push(Way::new(
                container.name.to_owned(),
                Kind::Container(container),
            ));
        }
        for (name, program) in programs {
            ways.push(Way::new(name, Kind::Pyro(program)));
        }
        for round in 0..=self.count {
            // The first round warms up.
            let counts = round > 0;
            for way in &mut ways {
                let took = way.run(&root, &scratch)?;
                if counts {
                    for (samples, took) in way.samples.iter_mut().zip(took) {
                        samples.add(took);
                    }
                }
            }
            for way in &ways {
                if let Kind::Pyro(program) = &way.kind {
                    short_commands(program, &way.name, counts.then_some(&mut short))?;
                }
            }
            tell(&format!("{round} of {}", self.count));
        }
        let mut section = format!(
            "{HEADING}\n\nMade by `pyro-dev bench steady --count {}`. How long programs take once \
             their machine runs, in milliseconds; start-up is not in it. All take turns: each \
             round runs all programs once in every way, after one round that does not count. They \
             are those of `{ENVIRONMENT}` everywhere; on the *host* they run in the same root file \
             system, by `chroot`. Guests have one processor. The program refuses guests whose \
             timers are wrong, and the time that a guest says it took was compared with the \
             host's.\n\n{host}\n",
            self.count
        );
        table(&ways, &mut section)?;
        for what in &missing {
            writeln!(section, "* **not measured**: {what}")?;
        }
        write!(
            section,
            "\n### Short commands\n\nWhole processes, as above; *restored* in a machine of its own.\n\n{short}"
        )?;
        Ok(Findings {
            section,
            summary: summary(&ways)?,
        })
    }

    fn programs(&self) -> Result<Vec<(String, Program)>, Error> {
        let installed = Program::new(self.pyro, 0)?;
        let mut programs = vec![installed];
        for directory in self.other_qemus {
            programs.push(Program::new(self.pyro, 0)?.with_qemu(directory)?);
        }
        let named = programs.into_iter().map(|program| {
            let mut doctor = program.command(["doctor", "--json"]);
            let report = Finished::success(&mut doctor, LIMIT)?.stdout;
            let report: Value = serde_json::from_str(&report)?;
            let version = report["qemu"]["version"].as_str();
            let version = version.ok_or("`pyro doctor` does not know the version of QEMU")?;
            // Without what its packager added.
            let version = version.split(' ').next().unwrap_or(version);
            let accelerator = report["accelerator"]["selected"].as_str();
            let accelerator = accelerator.unwrap_or("unknown");
            Ok((format!("pyro, QEMU {version}, {accelerator}"), program))
        });
        named.collect()
    }
}

impl Way {
    fn new(name: String, kind: Kind) -> Self {
        let samples = vec![Samples::default(); PROGRAMS.len()];
        Self {
            name,
            samples,
            kind,
        }
    }

    /// Runs the script, and returns how long each program took.
    fn run(&self, root: &RootFileSystem, scratch: &TempDir) -> Result<Vec<Duration>, Error> {
        let words = ["sh", "-c", SCRIPT];
        let mut command = match &self.kind {
            Kind::Host => on_host(root, &scratch.path().join("layers"), &words)?,
            Kind::Container(container) => container.command(root, &words),
            Kind::Pyro(program) => {
                let run = ["run", ENVIRONMENT, "-q", "--timeout-seconds", "800", "--"];
                program.command(run.into_iter().chain(words))
            }
        };
        let finished = Finished::success(&mut command, LIMIT)
            .map_err(|error| format!("{}: {error}", self.name))?;
        let took = times(&finished.stdout)?;
        let sum: Duration = took.iter().sum();
        if sum > finished.wall.mul_f64(CLOCK_TOLERANCE) {
            return Err(format!(
                "{}: its clock is wrong: the programs took {sum:?} by it, and all together {:?}",
                self.name, finished.wall
            )
            .into());
        }
        Ok(took)
    }
}

/// Runs a command on the host in the same root file system, and keeps what it writes apart.
fn on_host(root: &RootFileSystem, layers: &Path, words: &[&str]) -> Result<Command, Error> {
    const ENTER: &str = "mount -t overlay -o lowerdir=$1,upperdir=$2/upper,workdir=$2/work overlay \
                         $2/merged && mount --rbind /dev $2/merged/dev && mount --rbind /proc \
                         $2/merged/proc && layers=$2 && shift 2 && exec chroot $layers/merged \"$@\"";
    if layers.exists() {
        fs::remove_dir_all(layers)?;
    }
    for name in ["upper", "work", "merged"] {
        fs::create_dir_all(layers.join(name))?;
    }
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--mount", "sh", "-c", ENTER, "sh"])
        .arg(root.directory())
        .arg(layers)
        .args(words)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", "/root");
    Ok(command)
}

/// Reads what the script prints.
fn times(printed: &str) -> Result<Vec<Duration>, Error> {
    let time_of = |name: &str| {
        let line = printed
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let microseconds = line.ok_or_else(|| format!("{name} did not say how long it took"))?;
        Ok(Duration::from_micros(microseconds.trim().parse()?))
    };
    PROGRAMS.iter().map(|(name, _)| time_of(name)).collect()
}

/// Measures what is over soon, to see what a QEMU costs there.
fn short_commands(
    program: &Program,
    name: &str,
    mut table: Option<&mut Table>,
) -> Result<(), Error> {
    let mut run = |step: &str, words: &[&str]| -> Result<Finished, Error> {
        let finished = Finished::success(&mut program.command(words.iter().copied()), LIMIT)?;
        if let Some(table) = &mut table {
            table.add(&format!("{step}, {name}"), finished.wall);
        }
        program.settle()?;
        Ok(finished)
    };
    run("`true`, restored", &["run", EVERYDAY, "-q", "--", "true"])?;
    let git = ["run", EVERYDAY, "-q", "--", "git", "--version"];
    run("`git --version`, restored", &git)?;
    let made = program.command(["workspace", "create", EVERYDAY, "--json"]);
    let id = Finished::success(&mut { made }, LIMIT)?.workspace_id()?;
    for words in [
        &["true"][..],
        &["git", "--version"],
        &["true"],
        &["git", "--version"],
    ] {
        let exec = ["workspace", "exec", &id, "-q", "--"];
        let mut command = program.command(exec.into_iter().chain(words.iter().copied()));
        let finished = Finished::success(&mut command, LIMIT)?;
        if let Some(table) = &mut table {
            let step = format!("`workspace exec -- {}`, {name}", words.join(" "));
            table.add(&step, finished.wall);
        }
    }
    Finished::success(&mut program.command(["workspace", "delete", &id]), LIMIT)?;
    program.settle()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How many times as long as on the host.
fn ratio(way: &Way, host: &Way, program: usize) -> f64 {
    let median = |way: &Way| way.samples[program].percentile(50).as_secs_f64();
    median(way) / median(host).max(1e-9)
}

/// Medians with the least beside them, and how many times as long as on the host each takes.
fn table(ways: &[Way], text: &mut String) -> Result<(), Error> {
    let host = &ways[0];
    write!(text, "| median (least) |")?;
    for way in ways {
        write!(text, " {} |", way.name)?;
    }
    write!(text, "\n|---|{}\n", "--:|".repeat(ways.len()))?;
    for (number, (_, what)) in PROGRAMS.iter().enumerate() {
        write!(text, "| {what} |")?;
        for way in ways {
            let samples = &way.samples[number];
            let median = milliseconds(samples.percentile(50));
            let least = milliseconds(samples.percentile(0));
            write!(text, " {median:.0} ({least:.0})")?;
            if way.name == HOST {
                write!(text, " |")?;
            } else {
                write!(text, ", **{:.1}×** |", ratio(way, host, number))?;
            }
        }
        writeln!(text)?;
    }
    let count = host.samples.first().map_or(0, Samples::count);
    writeln!(
        text,
        "\nn = {count}; × is how many times as long as on the host, by the medians."
    )?;
    Ok(())
}

/// What the README says.
fn summary(ways: &[Way]) -> Result<String, Error> {
    let host = &ways[0];
    let mut text = String::from("| times as long as on the host |");
    for way in &ways[1..] {
        write!(text, " {} |", way.name)?;
    }
    write!(text, "\n|---|{}\n", "--:|".repeat(ways.len() - 1))?;
    for (number, (_, what)) in PROGRAMS.iter().enumerate() {
        write!(text, "| {what} |")?;
        for way in &ways[1..] {
            write!(text, " {:.1} |", ratio(way, host, number))?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// Returns `report` with its section about the steady state replaced, or added at its end.
pub fn with_section(report: &str, section: &str) -> String {
    let section = section.trim_end();
    let Some(start) = report.find(HEADING) else {
        return format!("{}\n\n{section}\n", report.trim_end());
    };
    let rest = &report[start + HEADING.len()..];
    let after = rest.find("\n## ").map_or("", |end| &rest[end..]);
    let before = &report[..start];
    format!("{before}{section}\n{after}")
}

/// Returns `readme` with its short form replaced.
///
/// # Errors
/// When it has no place for it.
pub fn with_summary(readme: &str, summary: &str) -> Result<String, Error> {
    let place = readme.split_once(SUMMARY_BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(SUMMARY_END)?;
        Some((before, after))
    });
    let (before, after) = place.ok_or("README.md has no place for the steady state")?;
    Ok(format!(
        "{before}{SUMMARY_BEGIN}{summary}{SUMMARY_END}{after}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_says_how_long_it_took() {
        let lines = PROGRAMS.map(|(name, _)| format!("{name} 1500"));
        let printed = lines.join("\n");
        let all = times(&printed).unwrap();
        assert_eq!(all, [Duration::from_micros(1500); PROGRAMS.len()]);
        let error = times(&printed.replace("clone", "other")).unwrap_err();
        assert!(error.to_string().contains("clone"), "{error}");
        for (name, _) in PROGRAMS {
            assert!(SCRIPT.contains(&format!("\n{name}() {{")), "{name}");
        }
    }

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let old = format!("# Report\n\n{HEADING}\n\nold\n\n### more\n\n## Next\n\ntext\n");
        let section = format!("{HEADING}\n\nnew\n");
        assert_eq!(
            with_section(&old, &section),
            format!("# Report\n\n{HEADING}\n\nnew\n\n## Next\n\ntext\n")
        );
        let added = with_section("# Report\n", &section);
        assert_eq!(added, format!("# Report\n\n{HEADING}\n\nnew\n"));
        assert_eq!(with_section(&added, &section), added);
    }

    #[test]
    fn the_short_form_is_replaced() {
        let readme = format!("a\n{SUMMARY_BEGIN}old\n{SUMMARY_END}b\n");
        let new = with_summary(&readme, "new\n").unwrap();
        assert_eq!(new, format!("a\n{SUMMARY_BEGIN}new\n{SUMMARY_END}b\n"));
        assert!(with_summary("a\n", "new\n").is_err());
    }
}

//! A *soak* test: many whole runs, several at a time. Each run is checked, and then the host is
//! checked for leftovers.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_engine::variables;

use crate::bench::Samples;
use crate::finished::Finished;
use crate::program::Program;
use crate::{Error, Report};

/// The time limit of the first run, which may have to build the environment.
const FIRST_LIMIT: Duration = Duration::from_secs(1800);
/// How long processes may take to end after the last run.
const GRACE: Duration = Duration::from_secs(5);
/// The ratio between the lower bounds of adjacent bars of the histogram.
const GROWTH: f64 = 1.2;
const WIDTH: usize = 50;
/// How many failures are described; the others are counted.
const DESCRIBED: usize = 10;

/// The parameters of a soak test.
#[derive(Debug)]
pub struct Soak<'a> {
    /// How many runs.
    pub count: u32,
    /// The number of concurrent runs.
    pub parallel: u32,
    /// The number of threads that compute meanwhile.
    pub busy: u32,
    /// Environment to run in.
    pub environment: &'a str,
    /// The time after which a run counts as hanging.
    pub limit: Duration,
    /// The directory of templates, which must still exist afterwards.
    pub templates: &'a Path,
}

#[derive(Debug, Default)]
struct Tally {
    samples: Samples,
    hangs: usize,
    failures: usize,
    described: Vec<String>,
}

impl Soak<'_> {
    /// Runs the test with the program at `path`. Progress is reported to `report`.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn run(&self, path: &Path, report: impl Fn(&str) + Sync) -> Result<Report, Error> {
        let mut program = Program::new(path, 0)?;
        report("one run first, which makes what is missing");
        Finished::success(&mut self.command(&program, "0"), FIRST_LIMIT)?;
        let templates = self.templates();

        let tally = Mutex::new(Tally::default());
        let next = AtomicU32::new(1);
        let done = AtomicU32::new(0);
        let over = AtomicBool::new(false);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..self.busy {
                scope.spawn(|| compute_until(&over));
            }
            let runs = std::iter::repeat_with(|| {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number > self.count {
                            break;
                        }
                        self.one(&program, number, &tally);
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        if done.is_multiple_of((self.count / 10).max(1)) {
                            let seconds = begun.elapsed().as_secs();
                            report(&format!("{done} of {}, {seconds} s", self.count));
                        }
                    }
                })
            });
            let parallel = usize::try_from(self.parallel).unwrap_or(usize::MAX);
            let runs: Vec<_> = runs.take(parallel).collect();
            for run in runs {
                // A panic is reported when the scope ends.
                let _ = run.join();
            }
            over.store(true, Ordering::Relaxed);
        });
        let elapsed = begun.elapsed();
        let leftovers = leftovers(&program);
        let lost = templates.iter().filter(|path| !path.is_file()).count();
        let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let good = tally.hangs + tally.failures + leftovers.len() + lost == 0;
        if !leftovers.is_empty() {
            program.keep_base();
        }
        Ok(Report {
            text: self.report(&tally, &leftovers, lost, elapsed)?,
            good,
        })
    }

    fn command(&self, program: &Program, text: &str) -> std::process::Command {
        let script = format!("echo {text}");
        let mut command =
            program.command(["run", self.environment, "-q", "--", "sh", "-c", &script]);
        // All runs may be active at once, regardless of the host's size.
        command.env(variables::MAX_ACTIVE_VMS, self.parallel.to_string());
        command
    }

    /// The records of the existing templates. Discarding a good template would make the next run
    /// slow.
    fn templates(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.templates).into_iter().flatten().flatten();
        let records = entries.map(|entry| entry.path().join("template.json"));
        records.filter(|path| path.is_file()).collect()
    }

    fn one(&self, program: &Program, number: u32, tally: &Mutex<Tally>) {
        let text = number.to_string();
        let result = Finished::run(&mut self.command(program, &text), self.limit);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = match result {
            Ok(Some(run)) if run.status.success() && run.stdout.trim_end() == text => {
                tally.samples.add(run.wall);
                return;
            }
            Ok(None) => {
                tally.hangs += 1;
                format!("did not end within {} s", self.limit.as_secs())
            }
            Ok(Some(run)) => {
                tally.failures += 1;
                let (status, said) = (run.status, run.stderr.trim());
                format!("{status}, printed {:?}, said {said:?}", run.stdout)
            }
            Err(error) => {
                tally.failures += 1;
                error.to_string()
            }
        };
        if tally.described.len() < DESCRIBED {
            tally.described.push(format!("run {number}: {problem}"));
        }
    }

    fn report(
        &self,
        tally: &Tally,
        leftovers: &[String],
        lost: usize,
        elapsed: Duration,
    ) -> Result<String, Error> {
        let mut report = String::new();
        let Self {
            count,
            parallel,
            busy,
            environment,
            ..
        } = self;
        let seconds = elapsed.as_secs_f64();
        writeln!(
            report,
            "{count} runs of `pyro run {environment} -- sh -c 'echo N'`, {parallel} at a time, \
             nothing parked, {busy} threads busy beside them: {seconds:.0} s\n"
        )?;
        report.push_str(&histogram(&tally.samples)?);
        let at = |percent| tally.samples.percentile(percent).as_secs_f64() * 1e3;
        let (median, p95, max) = (at(50), at(95), at(100));
        writeln!(
            report,
            "\nmedian {median:.0} ms, p95 {p95:.0} ms, max {max:.0} ms"
        )?;
        writeln!(
            report,
            "{} hangs, {} failures, {} leftovers, {lost} templates lost",
            tally.hangs,
            tally.failures,
            leftovers.len()
        )?;
        for line in tally.described.iter().chain(leftovers) {
            writeln!(report, "  {line}")?;
        }
        Ok(report)
    }
}

/// Computes, to simulate other load on the host.
fn compute_until(over: &AtomicBool) {
    let mut number = 1_u64;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..1000 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005));
        }
    }
}

/// The leftovers of machines that are no longer used.
fn leftovers(program: &Program) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let directories = program.machines();
        let directories = directories.iter().map(|path| path.display().to_string());
        let found: Vec<String> = directories.chain(processes(program.base())).collect();
        if found.is_empty() || begun.elapsed() > GRACE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The processes whose command line contains `base`; this program's own does not.
fn processes(base: &Path) -> Vec<String> {
    let base = base.to_string_lossy();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let id = entry.file_name().into_string().ok()?;
        let is_process = id.bytes().all(|byte| byte.is_ascii_digit());
        (is_process && line.contains(&*base)).then(|| format!("process {id}: {line}"))
    });
    named.collect()
}

/// Draws a histogram of the durations.
fn histogram(samples: &Samples) -> Result<String, Error> {
    let milliseconds: Vec<f64> = samples.iter().map(|one| one.as_secs_f64() * 1e3).collect();
    let (Some(first), Some(last)) = (milliseconds.first(), milliseconds.last()) else {
        return Ok("nothing to draw\n".into());
    };
    let mut bars = Vec::new();
    let mut from = first.floor().max(1.0);
    while from <= *last {
        let to = (from * GROWTH).ceil();
        let inside = milliseconds.iter().filter(|one| (from..to).contains(one));
        bars.push((from, to, inside.count()));
        from = to;
    }
    let most = bars.iter().map(|(_, _, count)| *count).max().unwrap_or(1);
    let mut text = String::new();
    for (from, to, count) in bars {
        // A bar for at least one sample has at least one character.
        let bar = "#".repeat((count * WIDTH).div_ceil(most.max(1)));
        writeln!(text, "{from:>7.0} to {to:>6.0} ms {count:>6} {bar}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_one_bar() {
        let mut samples = Samples::default();
        for value in [100, 100, 101, 130, 500] {
            samples.add(Duration::from_millis(value));
        }
        let text = histogram(&samples).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("    100 to    120 ms      3 ####"));
        assert!(lines[1].starts_with("    120 to    144 ms      1 ###"));
        let counts: usize = lines
            .iter()
            .map(|line| {
                line.split_whitespace()
                    .nth(4)
                    .unwrap()
                    .parse::<usize>()
                    .unwrap()
            })
            .sum();
        assert_eq!(counts, 5);
        assert_eq!(histogram(&Samples::default()).unwrap(), "nothing to draw\n");
    }
}

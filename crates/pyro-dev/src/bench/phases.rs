//! *Phases* are the steps of a run as the program itself reports them with `--trace`.

use std::fmt;
use std::time::Duration;

use super::Table;
use crate::Error;
use crate::finished::Finished;

/// What the program reports of the time that belongs to no step.
const UNNAMED: &str = "between_steps";
const TOTAL: &str = "total";

/// The phases of several runs of one kind.
#[derive(Debug, Default)]
pub(super) struct Phases {
    table: Table,
    /// Of the total, in thousandths, in order.
    named: Vec<u64>,
}

impl Phases {
    /// Adds the phases of one run.
    ///
    /// # Errors
    /// When it did not report them.
    pub(super) fn add(&mut self, run: &Finished) -> Result<(), Error> {
        let steps = parse(&run.stderr);
        let total = steps.iter().find(|(name, _)| *name == TOTAL);
        let Some((_, total)) = total else {
            return Err(format!("`--trace` reported no total: {}", run.stderr).into());
        };
        let mut named = Duration::ZERO;
        for (name, duration) in &steps {
            if *name != TOTAL {
                self.table.add(&format!("`{name}`"), *duration);
            }
            if ![TOTAL, UNNAMED].contains(name) {
                named += *duration;
            }
        }
        self.table.add("**total**", *total);
        self.table.add("the whole process, from outside", run.wall);
        let share = named.as_micros() * 1000 / total.as_micros().max(1);
        self.named.push(u64::try_from(share)?);
        self.named.sort_unstable();
        Ok(())
    }

    /// Returns the sum of the medians of some phases.
    pub(super) fn sum(&self, names: &[&str]) -> Option<Duration> {
        let median = |name: &&str| self.table.median(&format!("`{name}`"));
        names.iter().map(median).sum()
    }
}

/// Markdown.
impl fmt::Display for Phases {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = self.named.get(self.named.len() / 2).copied();
        let share = median.unwrap_or_default() as f64 / 10.0;
        let verdict = if share >= 95.0 {
            "within 5 %"
        } else {
            "more than 5 % are missing"
        };
        writeln!(formatter, "{}", self.table)?;
        writeln!(
            formatter,
            "The named steps of a run are {share:.1} % of its total (median): {verdict}."
        )
    }
}

/// Finds the lines `[trace] NAME N ms`.
fn parse(text: &str) -> Vec<(&str, Duration)> {
    let lines = text.lines().filter_map(|line| {
        let line = line.strip_prefix("[trace] ")?.strip_suffix(" ms")?;
        let (name, milliseconds) = line.split_once(' ')?;
        let seconds = milliseconds.parse::<f64>().ok()? / 1e3;
        Some((name, Duration::try_from_secs_f64(seconds).ok()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_belongs_to_no_step_is_not_counted_as_named() {
        let run = Finished {
            status: ExitStatus::from_raw(0),
            stdout: String::new(),
            stderr: "noise\n[trace] disk 5.0 ms\n[trace] command 85.0 ms\n\
                     [trace] between_steps 10.0 ms\n[trace] total 100.0 ms\n"
                .into(),
            wall: Duration::from_millis(101),
        };
        let mut phases = Phases::default();
        phases.add(&run).unwrap();
        let text = phases.to_string();
        assert!(text.contains("| `disk` | 5.0 |"), "{text}");
        assert!(
            text.contains("90.0 % of its total (median): more than"),
            "{text}"
        );
        let sum = phases.sum(&["disk", "command"]);
        assert_eq!(sum, Some(Duration::from_millis(90)));
        assert_eq!(phases.sum(&["other"]), None);
    }
}

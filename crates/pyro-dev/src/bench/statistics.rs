//! *Samples* of one step, and the table that sums up many.

use std::fmt;
use std::time::Duration;

/// How long one step took, each time it was measured.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Samples {
    sorted: Vec<Duration>,
}

impl Samples {
    /// Adds one measurement.
    pub fn add(&mut self, duration: Duration) {
        let position = self.sorted.partition_point(|other| *other <= duration);
        self.sorted.insert(position, duration);
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Returns all, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = Duration> + '_ {
        self.sorted.iter().copied()
    }

    /// Returns the smallest value that at least `percent` of all values do not exceed, so always
    /// one that was measured: 50 is the median, 100 the maximum. Zero if there are no values.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

/// The samples of several steps, in the order in which they were first seen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    rows: Vec<(String, Samples)>,
}

impl Table {
    /// Adds one measurement of `step`.
    pub fn add(&mut self, step: &str, duration: Duration) {
        if let Some((_, samples)) = self.rows.iter_mut().find(|(name, _)| name == step) {
            samples.add(duration);
        } else {
            let mut samples = Samples::default();
            samples.add(duration);
            self.rows.push((step.to_owned(), samples));
        }
    }

    /// Returns the median of `step`, if it was measured.
    pub fn median(&self, step: &str) -> Option<Duration> {
        let (_, samples) = self.rows.iter().find(|(name, _)| name == step)?;
        Some(samples.percentile(50))
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Markdown, in milliseconds.
impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| step (ms) | median | min | p95 | max | n |")?;
        writeln!(formatter, "|---|--:|--:|--:|--:|--:|")?;
        for (step, samples) in &self.rows {
            write!(formatter, "| {step} |")?;
            for percent in [50, 0, 95, 100] {
                let milliseconds = samples.percentile(percent).as_secs_f64() * 1e3;
                write!(formatter, " {milliseconds:.1} |")?;
            }
            writeln!(formatter, " {} |", samples.count())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl IntoIterator<Item = u64>) -> Samples {
        let mut samples = Samples::default();
        for value in values {
            samples.add(Duration::from_millis(value));
        }
        samples
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred = samples((1..=100).rev());
        for (percent, expected) in [(0, 1), (50, 50), (95, 95), (100, 100)] {
            assert_eq!(
                hundred.percentile(percent),
                Duration::from_millis(expected),
                "{percent}"
            );
        }
        let three = samples([30, 10, 20]);
        assert_eq!(three.percentile(50), Duration::from_millis(20));
        assert_eq!(three.percentile(95), Duration::from_millis(30));
        assert_eq!(samples([7]).percentile(0), Duration::from_millis(7));
        assert_eq!(samples([]).percentile(50), Duration::ZERO);
    }

    #[test]
    fn steps_keep_their_order() {
        let mut table = Table::default();
        for (step, value) in [("b", 2), ("a", 1), ("b", 4)] {
            table.add(step, Duration::from_millis(value));
        }
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| b | 2.0 | 2.0 | 4.0 | 4.0 | 2 |",
                "| a | 1.0 | 1.0 | 1.0 | 1.0 | 1 |"
            ]
        );
    }
}

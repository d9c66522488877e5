//! A *transcript* is the output of a terminal as rendered text: lines without control sequences.

use std::num::NonZeroU16;

/// How many lines above the screen are kept.
const LINES_ABOVE: usize = 20_000;
/// The maximum size of a terminal: a larger one would need much memory, and no screen is that
/// large.
const MOST_COLUMNS: u16 = 1000;
const MOST_ROWS: u16 = 1000;

/// Renders output on a terminal of this size; returns the scrollback and the screen.
pub(crate) fn transcript(output: &str, columns: u16, rows: u16) -> String {
    let within = |size: u16, most| NonZeroU16::new(size.min(most)).unwrap_or(NonZeroU16::MIN);
    let (columns, rows) = (within(columns, MOST_COLUMNS), within(rows, MOST_ROWS));
    let mut terminal = vt100::Parser::new(rows, columns, LINES_ABOVE);
    terminal.process(output.as_bytes());
    let mut lines = Lines::default();
    let mut above = terminal.screen().scrollback_len();
    while above > 0 {
        terminal.screen_mut().set_scrollback(above);
        let shown = usize::from(rows.get()).min(above);
        lines.add(terminal.screen(), columns.get(), shown);
        above -= shown;
    }
    terminal.screen_mut().set_scrollback(0);
    lines.add(terminal.screen(), columns.get(), usize::from(rows.get()));
    lines.finish()
}

/// Joins rows to lines: a row that wraps into the next one is one line with it.
#[derive(Default)]
struct Lines {
    text: String,
    goes_on: bool,
}

impl Lines {
    fn add(&mut self, screen: &vt100::Screen, columns: u16, count: usize) {
        for (index, row) in screen.rows(0, columns).take(count).enumerate() {
            if !self.goes_on && !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(row.trim_end());
            self.goes_on = u16::try_from(index).is_ok_and(|index| screen.row_wrapped(index));
            if self.text.is_empty() {
                // An empty first row is also a line.
                self.text.push('\n');
                self.goes_on = true;
            }
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_obeyed_and_not_shown() {
        let output = "pyro$ ls\r\n\x1b[1;34mdir\x1b[0m  file\r\npyro$ ";
        assert_eq!(transcript(output, 80, 24), "pyro$ ls\ndir  file\npyro$\n");
        assert_eq!(transcript("10%\r20%\r100%\r\n", 80, 24), "100%\n");
        assert_eq!(
            transcript("one\r\ntwo\x1b[2J\x1b[Hthree", 80, 24),
            "three\n"
        );
        assert_eq!(transcript("\x1b]0;title\x07text", 80, 24), "text\n");
        assert_eq!(transcript("", 80, 24), "");
    }

    #[test]
    fn what_was_scrolled_off_is_there_and_long_lines_are_whole() {
        let numbers: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let expected = numbers.join("\n") + "\n";
        assert_eq!(transcript(&numbers.join("\r\n"), 80, 7), expected);
        let long = "x".repeat(200);
        assert_eq!(transcript(&long, 80, 24), format!("{long}\n"));
        assert_eq!(
            transcript(&format!("{long}\r\nend"), 80, 2),
            format!("{long}\nend\n")
        );
    }

    #[test]
    fn any_size_is_possible() {
        for size in [0, 1, u16::MAX] {
            assert!(!transcript("text\r\n\x1b[5;5Hmore", size, size).is_empty());
        }
    }
}

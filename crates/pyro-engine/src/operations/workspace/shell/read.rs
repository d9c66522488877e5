//! `workspace shell read`

use std::time::Duration;

use regex_lite::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Shell, find};
use crate::instance::{Instance, Part, TextLog, Watch};
use crate::operation::{Effect, Operation};
use crate::request::{half_a_minute, positive_seconds, within};
use crate::transcript::transcript;
use crate::{Context, Engine, Error};

const IDLE_MS: std::ops::RangeInclusive<i64> = 1..=10_000;
const CHARS: std::ops::RangeInclusive<i64> = 1..=1_048_576;
/// The limit on the compiled size of a regular expression, in bytes.
const PATTERN_LIMIT_BYTES: usize = 1024 * 1024;

/// Read the output of a shell
///
/// A cursor is a position in the output, in characters: to continue after a read, pass its
/// `next_cursor`. With `plain`, the text is rendered as a terminal shows it, without control
/// sequences. To get the result of a command, wait until the shell has printed nothing for a while,
/// or until the output matches a pattern.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell read 0123456789ab 6789abcdef01\n  \
    pyro workspace shell read 0123456789ab 6789abcdef01 --plain --wait-for-idle-ms 500 --cursor 1234\n  \
    pyro workspace shell read 0123456789ab 6789abcdef01 --wait-for 'pyro\\$ $' --wait-seconds 60")]
pub struct Read {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
    /// Position to read from, in characters; 0 is the beginning
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub cursor: i64,
    /// Maximum number of characters to read, 1 to 1048576
    #[arg(long, value_name = "N", default_value_t = max_chars(), allow_negative_numbers = true)]
    #[serde(default = "max_chars")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_chars: i64,
    /// Render the output as lines of text, as a terminal shows it, without control sequences
    #[arg(long)]
    #[serde(default)]
    pub plain: bool,
    /// Wait until nothing has been printed for this many milliseconds, 1 to 10000
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub wait_for_idle_ms: Option<i64>,
    /// Wait until the output after the cursor matches this regular expression
    #[arg(long, value_name = "REGEX")]
    #[serde(default)]
    pub wait_for: Option<String>,
    /// Maximum number of seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = half_a_minute(), allow_negative_numbers = true)]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub wait_seconds: i64,
}

fn max_chars() -> i64 {
    65_536
}

/// The output of a shell.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ShellOutput {
    /// The shell.
    #[serde(flatten)]
    pub shell: Shell,
    /// The requested position.
    pub cursor: u64,
    /// The position at which the next read continues.
    pub next_cursor: u64,
    /// The output from there on.
    pub output: String,
    /// Whether there is more output than `max_chars`.
    pub truncated: bool,
    /// Whether `output` was rendered without control sequences.
    pub plain: bool,
    /// The requested idle time, in milliseconds.
    pub wait_for_idle_ms: Option<i64>,
    /// Present if old output was dropped: how many characters after the cursor are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_chars: Option<u64>,
    /// Present if a pattern was given: whether the output matched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<bool>,
}

impl Operation for Read {
    const NAME: &'static str = "shell_read";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "read"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = ShellOutput;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<ShellOutput, Error> {
        let cursor =
            u64::try_from(self.cursor).map_err(|_| Error::invalid("cursor must be 0 or more"))?;
        let max_chars = within("max_chars", self.max_chars, &CHARS)?;
        let idle = self
            .wait_for_idle_ms
            .map(|ms| within("wait_for_idle_ms", ms, &IDLE_MS));
        let wish = Wish {
            cursor,
            max_chars,
            idle: idle.transpose()?.map(Duration::from_millis),
            pattern: self.wait_for.as_deref().map(pattern).transpose()?,
            limit: positive_seconds("wait_seconds", self.wait_seconds)?,
        };
        let (found, shell) = find(engine, &self.workspace_id, &self.shell_id)?;
        let log = found.shells().output(&self.shell_id);
        if shell.runs() {
            wish.wait(&found, &self.shell_id, &log).await?;
        }
        let part = wish.read(&log)?;
        // It may have ended in the meantime.
        let (_, shell) = find(engine, &self.workspace_id, &self.shell_id)?;
        let dropped = part.start.saturating_sub(cursor);
        Ok(ShellOutput {
            cursor,
            next_cursor: part.end,
            truncated: part.more,
            matched: wish
                .pattern
                .as_ref()
                .map(|pattern| pattern.is_match(&part.text)),
            output: if self.plain {
                transcript(&part.text, shell.cols, shell.rows)
            } else {
                part.text
            },
            plain: self.plain,
            wait_for_idle_ms: self.wait_for_idle_ms,
            dropped_chars: (dropped > 0).then_some(dropped),
            shell,
        })
    }
}

fn pattern(text: &str) -> Result<Regex, Error> {
    let built = RegexBuilder::new(text)
        .size_limit(PATTERN_LIMIT_BYTES)
        .build();
    built.map_err(|error| {
        let message = format!("wait_for is no regular expression: {error}");
        Error::invalid(pyro_text::line(&message))
    })
}

/// What to read, and what to wait for before that.
struct Wish {
    cursor: u64,
    max_chars: u64,
    idle: Option<Duration>,
    pattern: Option<Regex>,
    limit: Duration,
}

impl Wish {
    fn read(&self, log: &TextLog) -> Result<Part, Error> {
        log.read(self.cursor, self.max_chars)
            .map_err(|error| Error::unreadable_output(&error))
    }

    /// Whether no more output is needed.
    fn has_enough(&self, log: &TextLog) -> Result<bool, Error> {
        let part = self.read(log)?;
        let matches = |pattern: &Regex| pattern.is_match(&part.text);
        Ok(part.more || self.pattern.as_ref().is_some_and(matches))
    }

    /// Waits as requested, at most until the shell ends.
    async fn wait(&self, found: &Instance, id: &str, log: &TextLog) -> Result<(), Error> {
        if self.idle.is_none() && self.pattern.is_none() {
            return Ok(());
        }
        let end = Instant::now() + self.limit;
        let mut watch = Watch::shell(found, id).await?;
        loop {
            if self.has_enough(log)? {
                return Ok(());
            }
            let next = watch.grown();
            let grown = match self.idle {
                Some(idle) => match timeout_at(end, timeout(idle, next)).await {
                    Ok(Ok(grown)) => grown?,
                    Ok(Err(_)) | Err(_) => return Ok(()),
                },
                None => match timeout_at(end, next).await {
                    Ok(grown) => grown?,
                    Err(_) => return Ok(()),
                },
            };
            if !grown {
                return Ok(());
            }
        }
    }
}

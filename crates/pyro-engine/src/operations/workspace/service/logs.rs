//! `workspace service logs`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{Service, find};
use crate::command::streams;
use crate::instance::{Instance, TextLog, Watch};
use crate::operation::{Effect, Operation};
use crate::output::Capture;
use crate::request::within;
use crate::{Context, Engine, Error};

const LINES: std::ops::RangeInclusive<i64> = 1..=10_000_000;
/// How much is forwarded at once, in characters.
const READ_CHARS: u64 = 64 * 1024;

/// Show the output of a service
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace service logs 0123456789ab web\n  \
    pyro workspace service logs 0123456789ab web --follow\n  \
    pyro workspace service logs 0123456789ab web --all --json")]
pub struct Logs {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the service
    pub service_name: String,
    /// Show only the last N lines of each output
    #[arg(long, value_name = "N", default_value_t = two_hundred(), allow_negative_numbers = true)]
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1))]
    pub tail_lines: i64,
    /// Show all the output that is kept
    #[arg(long)]
    #[serde(default)]
    pub all: bool,
    /// Show further output as it is printed, until the service ends
    #[arg(long)]
    #[serde(default)]
    pub follow: bool,
}

fn two_hundred() -> i64 {
    200
}

/// The output of a service.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServiceLogs {
    /// The service.
    #[serde(flatten)]
    pub service: Service,
    /// Its standard output, unless that was streamed.
    pub stdout: String,
    /// Its standard error, unless that was streamed.
    pub stderr: String,
    /// The number of lines that was requested for each output; null for all.
    pub tail_lines: Option<i64>,
    /// Whether earlier output was left out.
    pub truncated: bool,
}

impl Operation for Logs {
    const NAME: &'static str = "service_logs";
    const COMMAND: &'static [&'static str] = &["workspace", "service", "logs"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = ServiceLogs;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ServiceLogs, Error> {
        let lines: usize = within("tail_lines", self.tail_lines, &LINES)?;
        let lines = if self.all { usize::MAX } else { lines };
        let (found, service) = find(engine, &self.workspace_id, &self.service_name)?;
        let files = found.services();
        let logs = [
            files.stdout(&self.service_name),
            files.stderr(&self.service_name),
        ];
        let mut truncated = false;
        let mut captures = [Capture::default(), Capture::default()];
        {
            let (_, stdout, stderr) = streams(context, &mut captures);
            let mut cursors = [0; 2];
            for ((log, output), cursor) in logs
                .iter()
                .zip([&mut *stdout, &mut *stderr])
                .zip(&mut cursors)
            {
                let tail = log
                    .tail(lines)
                    .map_err(|error| Error::unreadable_output(&error))?;
                pass_on(output, &tail.text).await?;
                *cursor = tail.end;
                truncated |= tail.more;
            }
            if self.follow && service.runs() {
                follow(&found, &self.service_name, &logs, cursors, [stdout, stderr]).await?;
            }
        }
        // It may have ended in the meantime.
        let (_, service) = find(engine, &self.workspace_id, &self.service_name)?;
        let [stdout, stderr] = captures.map(|capture| capture.finish().text);
        Ok(ServiceLogs {
            service,
            stdout,
            stderr,
            tail_lines: (!self.all).then_some(self.tail_lines),
            truncated,
        })
    }
}

fn read(log: &TextLog, cursor: u64, most: u64) -> Result<crate::instance::Part, Error> {
    log.read(cursor, most)
        .map_err(|error| Error::unreadable_output(&error))
}

async fn pass_on(output: &mut (dyn AsyncWrite + Send + Unpin), text: &str) -> Result<(), Error> {
    let written = async {
        output.write_all(text.as_bytes()).await?;
        output.flush().await
    };
    Ok(written
        .await
        .map_err(|error| pyro_machine::Error::output(&error))?)
}

/// Forwards output as it arrives, until the service ends.
async fn follow(
    found: &Instance,
    name: &str,
    logs: &[TextLog; 2],
    mut cursors: [u64; 2],
    mut outputs: [&mut (dyn AsyncWrite + Send + Unpin); 2],
) -> Result<(), Error> {
    let mut watch = Watch::service(found, name).await?;
    loop {
        let goes_on = watch.grown().await?;
        for ((log, output), cursor) in logs.iter().zip(&mut outputs).zip(&mut cursors) {
            loop {
                let part = read(log, *cursor, READ_CHARS)?;
                *cursor = part.end;
                pass_on(*output, &part.text).await?;
                if !part.more {
                    break;
                }
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}

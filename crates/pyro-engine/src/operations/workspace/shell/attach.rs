//! `workspace shell attach`

use std::pin::Pin;
use std::task::{self, Poll};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::{Shell, find, find_running};
use crate::instance::{self, Instance, TextLog, Watch};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::Capture;
use crate::{Context, Engine, Error, Terminal};

/// How much of the earlier output is shown, in characters: about a screen.
const SHOWN_BEFORE: u64 = 4096;
/// How much is read at once, in characters.
const READ_CHARS: u64 = 64 * 1024;

/// Attach this terminal to a shell, until the shell ends or Ctrl-] is typed
///
/// Several terminals may be attached to the same shell: all show the same output.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell attach 0123456789ab 6789abcdef01\n\n\
    Ctrl-] leaves the shell as it is and comes back to yours.")]
pub struct Attach {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
}

impl Operation for Attach {
    const NAME: &'static str = "shell_attach";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "attach"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Shell;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Shell, Error> {
        let (found, _) = find_running(engine, &self.workspace_id, &self.shell_id)?;
        let log = found.shells().output(&self.shell_id);
        let mut terminal = context.terminal.take();
        let mut input = context.stdin.take();
        let typed = async {
            if let Some(input) = &mut input {
                let mut keys = Keys { input, left: false };
                return instance::write_to_shell(&found, &self.shell_id, &mut keys).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            // The end of the output reports the end of the shell.
            biased;
            shown = show(&found, &self.shell_id, &log, context) => shown?,
            typed = typed => typed?,
            never = pass_sizes_on(&found, &self.shell_id, terminal.as_mut()) => never?,
        }
        Ok(find(engine, &self.workspace_id, &self.shell_id)?.1)
    }
}

/// Shows the output, beginning with the last screen, until the shell ends.
async fn show(
    found: &Instance,
    id: &str,
    log: &TextLog,
    context: &mut Context,
) -> Result<(), Error> {
    let mut nowhere = Capture::default();
    let output: &mut (dyn AsyncWrite + Send + Unpin) = match &mut context.output {
        Some(output) => output.stdout.as_mut(),
        None => &mut nowhere,
    };
    let read = |cursor, most| {
        log.read(cursor, most)
            .map_err(|error| Error::unreadable_output(&error))
    };
    let mut watch = Watch::shell(found, id).await?;
    let end = read(u64::MAX, 0)?.end;
    let mut cursor = end.saturating_sub(SHOWN_BEFORE);
    loop {
        let goes_on = watch.grown().await?;
        loop {
            let part = read(cursor, READ_CHARS)?;
            cursor = part.end;
            let written = async {
                output.write_all(part.text.as_bytes()).await?;
                output.flush().await
            };
            written
                .await
                .map_err(|error| pyro_machine::Error::output(&error))?;
            if !part.more {
                break;
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// Keeps the size of the shell's terminal equal to that of the caller's.
async fn pass_sizes_on(
    found: &Instance,
    id: &str,
    terminal: Option<&mut Terminal>,
) -> Result<(), Error> {
    if let Some(terminal) = terminal {
        instance::resize_shell(found, id, terminal.size).await?;
        while let Some(size) = terminal.sizes.recv().await {
            instance::resize_shell(found, id, size).await?;
        }
    }
    std::future::pending().await
}

/// The input up to Ctrl-].
struct Keys<'a> {
    input: &'a mut Box<dyn AsyncRead + Send + Unpin>,
    /// Whether Ctrl-] was typed.
    left: bool,
}

/// Ctrl-], as in telnet.
const DETACH: u8 = 0x1d;

impl AsyncRead for Keys<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.left {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut *self.input).poll_read(context, buffer);
        let typed = &buffer.filled()[before..];
        if let Some(place) = typed.iter().position(|key| *key == DETACH) {
            self.left = true;
            buffer.set_filled(before + place);
        }
        read
    }
}

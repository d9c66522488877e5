//! The *warm-up* of a machine that becomes a template or is parked.

use std::time::Duration;

use crate::Error;
use crate::guest::{Command, Streams};
use crate::instance::OwnedMachine;

/// Run once before the machine is saved, so that the most used pages are in its memory.
const WARM_UP: &str = "for program in true sh cat ls env uname id; do $program </dev/null; done; \
                       git --version; python3 -c 1; sh -c 'sh -c true'; true";
const WARM_UP_LIMIT: Duration = Duration::from_secs(30);

/// Runs the commands whose pages, and translations, clones need.
pub(super) async fn warm_up(machine: &mut OwnedMachine) -> Result<(), Error> {
    let command = Command {
        argv: vec!["/bin/sh".into(), "-c".into(), WARM_UP.into()],
        ..Command::default()
    };
    let (mut stdout, mut stderr) = (tokio::io::sink(), tokio::io::sink());
    let streams = Streams {
        stdin: None,
        stdout: &mut stdout,
        stderr: &mut stderr,
        controls: None,
        started: None,
    };
    let deadline = machine.deadline(WARM_UP_LIMIT);
    // Clones of a guest that is not warmed up do more, and still work.
    match deadline.bound(machine.run(&command, streams)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(Error::Refused(refusal))) => {
            tracing::debug!(?refusal, "the guest has no shell to warm it up");
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            tracing::warn!("the guest was not warmed up in time");
            Ok(())
        }
    }
}

//! A *retry*: what failed for a reason that may pass is tried again, after a while.

use std::time::Duration;

use tokio::time::sleep;

use crate::Error;

/// How often the same thing is tried without getting further.
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that a registry may ask for; one that wants more is told to the user.
const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// The attempts that were made without getting further.
#[derive(Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Something came that was not there before.
    pub(crate) fn got_further(&mut self) {
        self.0 = 0;
    }

    /// Waits before the next attempt; returns the error if there shall be none.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        self.0 += 1;
        let asked = error.retry_after().unwrap_or_default();
        if !error.is_transient() || self.0 >= ATTEMPTS || asked > WAIT_LIMIT {
            return Err(error);
        }
        let growing = FIRST_WAIT * 2u32.pow(self.0 - 1);
        sleep(growing.max(asked).min(WAIT_LIMIT)).await;
        Ok(())
    }
}

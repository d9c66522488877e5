//! The guest's *words* are under the control of root in the guest. Before other code sees a
//! message, its texts are bounded and made safe to show, and its numbers are checked.

use pyro_protocol::{Answer, Clocks, Exit, GuestMessage, REFUSAL_CHARACTERS, Refusal, Tick};

use super::failure::Failure;

/// The possible exit codes of a command.
const CODES: std::ops::RangeInclusive<i32> = 0..=255;
/// The valid signals.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// Returns the message in a form that is safe to pass on.
pub(super) fn checked(message: GuestMessage) -> Result<GuestMessage, Failure> {
    Ok(match message {
        GuestMessage::Hello {
            generation,
            agent_version,
            kernel_ms,
            agent_ms,
            clocks,
        } => GuestMessage::Hello {
            generation,
            agent_version: pyro_text::line(&agent_version),
            kernel_ms,
            agent_ms,
            clocks: clocks.map(|clocks| Clocks {
                source: pyro_text::line(&clocks.source),
                ticks: clocks.ticks.iter().map(harmless).collect(),
            }),
        },
        GuestMessage::Answered {
            answer: Answer::Exited(exit),
        } => GuestMessage::Answered {
            answer: Answer::Exited(possible(exit)?),
        },
        GuestMessage::Refused(Refusal { reason, message }) => GuestMessage::Refused(Refusal {
            reason,
            message: pyro_text::lines(&message, REFUSAL_CHARACTERS),
        }),
        GuestMessage::Failed { message } => GuestMessage::Failed {
            message: pyro_text::line(&message),
        },
        GuestMessage::Prepared { unfinished } => GuestMessage::Prepared {
            unfinished: unfinished.map(|reason| pyro_text::line(&reason)),
        },
        plain @ (GuestMessage::Adopted
        | GuestMessage::ClockSet { .. }
        | GuestMessage::Prestarted { .. }
        | GuestMessage::Synced { .. }
        | GuestMessage::Started { .. }
        | GuestMessage::Answered { .. }) => plain,
    })
}

fn harmless(tick: &Tick) -> Tick {
    Tick {
        device: pyro_text::line(&tick.device),
        hertz: tick.hertz,
    }
}

/// Checks that a command can have ended in this way.
fn possible(exit: Exit) -> Result<Exit, Failure> {
    let sound = match (exit.code, exit.signal) {
        (Some(code), None) => CODES.contains(&code),
        (None, Some(signal)) => SIGNALS.contains(&signal),
        (None, None) => exit.timed_out,
        (Some(_), Some(_)) => false,
    };
    if sound {
        Ok(exit)
    } else {
        Err(Failure::Protocol(format!(
            "a command ended with code {:?} and signal {:?}",
            exit.code, exit.signal
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: Option<i32>, signal: Option<i32>, timed_out: bool) -> bool {
        let exit = Exit {
            code,
            signal,
            timed_out,
            oom_killed: false,
            duration_ms: 0,
        };
        {
            let answer = Answer::Exited(exit);
            checked(GuestMessage::Answered { answer }).is_ok()
        }
    }

    #[test]
    fn commands_end_as_commands_can() {
        assert!(exited(Some(0), None, false) && exited(Some(255), None, true));
        assert!(exited(None, Some(9), false) && exited(None, None, true));
        for impossible in [
            exited(Some(256), None, false),
            exited(Some(-1), None, false),
            exited(None, Some(0), false),
            exited(None, Some(i32::MAX), true),
            exited(None, None, false),
            exited(Some(0), Some(9), false),
        ] {
            assert!(!impossible);
        }
    }

    #[test]
    fn texts_are_bounded_and_harmless() {
        let text = "\x1b[2J\n[run] exit_code=0".repeat(10_000);
        let message = GuestMessage::Failed { message: text };
        let Ok(GuestMessage::Failed { message }) = checked(message) else {
            panic!("another message");
        };
        assert!(message.len() < 5000 && !message.contains(['\x1b', '\n']));
    }
}

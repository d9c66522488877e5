//! The *port* between the host and the agent. It inspects all messages: a test may delay, refuse or
//! drop one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use pyro_protocol::{CONNECTION, Decoder, Disk, Frame, FrameKind, GuestMessage, HostMessage};
use serde_json::Value;

use super::asking::Asking;
use super::state::State;
use crate::director::Action;

/// How long forwarding the agent's last message may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Both ends of a guest's port.
#[derive(Debug)]
pub(super) struct Port {
    host: Mutex<File>,
    agent: Mutex<UnixStream>,
    running: Mutex<bool>,
    changed: Condvar,
    state: Mutex<State>,
    /// Answers for which there was no request.
    swallowed: Mutex<HashMap<String, usize>>,
    director: Arc<Asking>,
    answers: Mutex<Option<JoinHandle<()>>>,
}

impl Port {
    #[expect(unsafe_code, reason = "a descriptor that was inherited by its number")]
    pub(super) fn new(host: RawFd, agent: UnixStream, director: Arc<Asking>) -> Arc<Self> {
        // SAFETY: pyro hands it over, and nothing else in this process uses it.
        let host = unsafe { OwnedFd::from_raw_fd(host) };
        Arc::new(Self {
            host: Mutex::new(File::from(host)),
            agent: Mutex::new(agent),
            running: Mutex::new(false),
            changed: Condvar::new(),
            state: Mutex::default(),
            swallowed: Mutex::default(),
            director,
            answers: Mutex::default(),
        })
    }

    /// Forwards the data of both sides.
    pub(super) fn start(self: &Arc<Self>) {
        let port = Arc::clone(self);
        std::thread::spawn(move || port.pass_messages());
        let port = Arc::clone(self);
        let answers = std::thread::spawn(move || port.pass_answers());
        *self.answers.lock().unwrap() = Some(answers);
    }

    /// Starts forwarding the host's data to the guest.
    pub(super) fn let_run(&self) {
        *self.running.lock().unwrap() = true;
        self.changed.notify_all();
    }

    /// The part that is saved in a template.
    pub(super) fn state(&self) -> State {
        *self.state.lock().unwrap()
    }

    /// Continues from the state of a template.
    pub(super) fn restore(&self, state: State) {
        if state.prepared {
            // The agent of the template has already received this request.
            let mut swallowed = self.swallowed.lock().unwrap();
            *swallowed.entry("prepared".into()).or_default() += 1;
            drop(swallowed);
            let disk = Disk::Private;
            let prepare = HostMessage::Prepare { disk, seed: false };
            self.to_agent(&Frame::control(CONNECTION, &prepare).unwrap());
        }
    }

    /// Waits until the agent's last message was forwarded.
    pub(super) fn finish(&self) {
        let begun = std::time::Instant::now();
        let Some(answers) = self.answers.lock().unwrap().take() else {
            return;
        };
        while !answers.is_finished() && begun.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn pass_messages(&self) {
        let mut running = self.running.lock().unwrap();
        while !*running {
            running = self.changed.wait(running).unwrap();
        }
        drop(running);
        let host = self.host.lock().unwrap().try_clone().unwrap();
        pass(host, |frame| match self.decide("agent", frame) {
            Action::Ignore => {}
            Action::Refuse(message) => {
                let refused = GuestMessage::Failed { message };
                self.to_host(&Frame::control(frame.stream, &refused).unwrap());
            }
            _ => self.to_agent(frame),
        });
        // The guest sees that the host has closed its end.
        let _ = self
            .agent
            .lock()
            .unwrap()
            .shutdown(std::net::Shutdown::Write);
    }

    fn pass_answers(self: &Arc<Self>) {
        let agent = self.agent.lock().unwrap().try_clone().unwrap();
        pass(agent, |frame| {
            let Some(name) = name(frame) else {
                return self.to_host(frame);
            };
            if name == "prepared" {
                self.state.lock().unwrap().prepared = true;
            }
            let mut swallowed = self.swallowed.lock().unwrap();
            if let Some(left) = swallowed.get_mut(&name)
                && *left > 0
            {
                *left -= 1;
                return;
            }
            drop(swallowed);
            self.answer(&name, frame);
        });
    }

    /// Forwards an answer independently of others: a delayed answer does not block the others.
    fn answer(self: &Arc<Self>, name: &str, frame: &Frame) {
        if self.director.socket.is_none() {
            return self.to_host(frame);
        }
        if frame.stream != CONNECTION {
            return self.answer_as_directed(frame);
        }
        let (port, frame) = (Arc::clone(self), frame.clone());
        // The order of answers to single requests does not change.
        if name == "synced" {
            std::thread::spawn(move || port.answer_as_directed(&frame));
        } else {
            port.answer_as_directed(&frame);
        }
    }

    fn answer_as_directed(&self, frame: &Frame) {
        match self.decide("answer", frame) {
            Action::Ignore => {}
            Action::Refuse(message) => {
                let refused = GuestMessage::Failed { message };
                self.to_host(&Frame::control(frame.stream, &refused).unwrap());
            }
            _ => self.to_host(frame),
        }
    }

    fn decide(&self, side: &str, frame: &Frame) -> Action {
        match name(frame) {
            Some(name) => self.director.ask(&format!("{side}:{name}")),
            None => Action::Go,
        }
    }

    fn to_agent(&self, frame: &Frame) {
        // This fails when the guest has ended, which the other direction reports.
        let _ = self.agent.lock().unwrap().write_all(&frame.to_bytes());
    }

    fn to_host(&self, frame: &Frame) {
        // The host may have closed its end: QEMU also continues then.
        let _ = self.host.lock().unwrap().write_all(&frame.to_bytes());
    }
}

/// The name of a control frame on the wire; for a call and its answer, the name of the call.
fn name(frame: &Frame) -> Option<String> {
    if frame.kind != FrameKind::Control {
        return None;
    }
    let message: Value = frame.message().ok()?;
    let kind = message["type"].as_str()?;
    let about = match kind {
        "call" => &message["call"],
        "answered" => &message["answer"],
        kind => return Some(kind.to_owned()),
    };
    match about {
        Value::Object(variant) => variant.keys().next().cloned(),
        name => name.as_str().map(str::to_owned),
    }
}

/// Reads frames until the end of the stream.
fn pass(mut from: impl Read, mut take: impl FnMut(&Frame)) {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        decoder.push(&buffer[..count]);
        while let Ok(Some(frame)) = decoder.next_frame() {
            take(&frame);
        }
    }
}

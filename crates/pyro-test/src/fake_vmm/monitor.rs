//! The *monitor* is the fake VMM's QMP: the commands that pyro uses, answered as QEMU answers them.

#![expect(unsafe_code, reason = "a descriptor that was inherited by its number")]

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::asking::Asking;
use super::port::Port;
use super::processes::Guest;
use super::state::State;
use crate::director::Action;

/// The memory of a template: empty, because the agent's memory is in its process.
const MEMORY: &str = "the memory of a fake machine";

/// The control connection.
#[derive(Debug)]
pub(super) struct Monitor {
    connection: UnixStream,
    /// The output queue. It is unbounded, as in QEMU.
    say: Sender<Value>,
    guest: Arc<Guest>,
    port: Arc<Port>,
    director: Arc<Asking>,
    memory: Option<PathBuf>,
    /// The last received descriptor.
    descriptor: Mutex<Option<OwnedFd>>,
    stopped: Mutex<bool>,
}

impl Monitor {
    pub(super) fn new(
        arguments: &Arguments,
        guest: &Arc<Guest>,
        port: &Arc<Port>,
        director: Arc<Asking>,
    ) -> Self {
        // SAFETY: pyro hands it over, and nothing else in this process uses it.
        let connection = UnixStream::from(unsafe { OwnedFd::from_raw_fd(arguments.control) });
        let (say, said) = channel::<Value>();
        let mut writer = connection.try_clone().unwrap();
        std::thread::spawn(move || {
            for message in said {
                // The reader may be gone.
                let _ = writer.write_all(format!("{message}\n").as_bytes());
            }
        });
        Self {
            connection,
            say,
            guest: Arc::clone(guest),
            port: Arc::clone(port),
            director,
            memory: arguments.memory.clone(),
            descriptor: Mutex::default(),
            stopped: Mutex::default(),
        }
    }

    /// Answers commands until the connection ends.
    pub(super) fn start(self) {
        self.send(json!({"QMP": {"version": {}, "capabilities": []}}));
        std::thread::spawn(move || self.serve());
    }

    fn serve(&self) {
        let mut pending = Vec::new();
        while self.read(&mut pending) {
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                match serde_json::from_slice::<Value>(&line) {
                    Ok(command) => self.obey(&command),
                    Err(error) => self.send(refusal(&Value::Null, &error.to_string())),
                }
            }
        }
    }

    fn read(&self, pending: &mut Vec<u8>) -> bool {
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let Ok(received) = recvmsg(&self.connection, &mut parts, &mut ancillary, flags) else {
            return false;
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                *self.descriptor.lock().unwrap() = descriptors.last();
            }
        }
        pending.extend(&buffer[..received.bytes]);
        received.bytes > 0
    }

    fn obey(&self, command: &Value) {
        let name = command["execute"].as_str().unwrap_or_default();
        let id = &command["id"];
        match self.director.ask(&format!("qmp:{name}")) {
            Action::Ignore => return,
            Action::Refuse(words) => return self.send(refusal(id, &words)),
            Action::Flood(count) => self.flood(count),
            Action::Go | Action::Exit(_) => {}
        }
        let mut result = json!({});
        match name {
            "stop" => self.stop(),
            "cont" => self.go_on(),
            "query-status" => {
                let stopped = *self.stopped.lock().unwrap();
                let status = if stopped { "paused" } else { "running" };
                result = json!({"running": !stopped, "status": status});
            }
            "qmp_capabilities" | "migrate-set-capabilities" | "getfd" => {}
            "migrate" => self.save(),
            "migrate-incoming" => self.restore(),
            unknown => {
                let words = format!("The command {unknown} has not been found");
                return self.send(refusal(id, &words));
            }
        }
        let mut answer = json!({"return": result});
        if !id.is_null() {
            answer["id"] = id.clone();
        }
        self.send(answer);
        if let Action::Flood(count) = self.director.ask(&format!("qmp:{name}:said")) {
            self.flood(count);
        }
    }

    fn stop(&self) {
        self.guest.stop();
        let was_stopped = std::mem::replace(&mut *self.stopped.lock().unwrap(), true);
        self.director.ask("qmp:stop:obeyed");
        // QEMU sends no event if nothing changes.
        if !was_stopped {
            self.event("STOP", &json!({}));
        }
    }

    fn go_on(&self) {
        let was_stopped = std::mem::replace(&mut *self.stopped.lock().unwrap(), false);
        self.guest.go_on();
        self.director.ask("qmp:cont:obeyed");
        if was_stopped {
            self.event("RESUME", &json!({}));
        }
    }

    fn save(&self) {
        self.event("MIGRATION", &json!({"status": "active"}));
        self.guest.stop();
        if let Some(memory) = &self.memory {
            std::fs::write(memory, MEMORY).unwrap();
        }
        let state = serde_json::to_vec(&self.port.state()).unwrap();
        let mut to = File::from(self.descriptor.lock().unwrap().take().unwrap());
        to.write_all(&state).unwrap();
        drop(to);
        self.event("STOP", &json!({}));
        self.event("MIGRATION", &json!({"status": "completed"}));
    }

    fn restore(&self) {
        let mut from = File::from(self.descriptor.lock().unwrap().take().unwrap());
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        let Ok(state) = serde_json::from_slice::<State>(&bytes) else {
            eprintln!("the state is none of a fake machine");
            std::process::exit(1);
        };
        self.event("MIGRATION", &json!({"status": "completed"}));
        self.port.restore(state);
        self.port.let_run();
        self.event("RESUME", &json!({}));
    }

    fn flood(&self, count: u32) {
        let data = json!({"device": "rw", "operation": "write", "action": "report"});
        for _ in 0..count {
            self.event("BLOCK_IO_ERROR", &data);
        }
    }

    fn event(&self, name: &str, data: &Value) {
        self.send(
            json!({"event": name, "data": data, "timestamp": {"seconds": 0, "microseconds": 0}}),
        );
    }

    fn send(&self, message: Value) {
        let _ = self.say.send(message);
    }
}

fn refusal(id: &Value, words: &str) -> Value {
    let mut answer = json!({"error": {"class": "GenericError", "desc": words}});
    if !id.is_null() {
        answer["id"] = id.clone();
    }
    answer
}

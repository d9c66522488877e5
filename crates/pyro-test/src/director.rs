//! The *director* is the test's side: the fake VMM asks it at every *point*, such as `qmp:stop` or
//! `answer:synced`, and performs the action that the test has set for that point.
//!
//! Points are named in `fake_vmm`: `qmp:COMMAND` before a command is executed, `qmp:COMMAND:obeyed`
//! after it was executed and before the reply, `qmp:COMMAND:said` after the reply; `agent:MESSAGE`
//! for the host's messages, `answer:MESSAGE` for the agent's.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::SOCKET;

/// How long a test waits for a point to be reached, so that it cannot hang.
const LIMIT: Duration = Duration::from_secs(60);

/// The action of the fake VMM at a point.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Behaves as QEMU or the agent.
    Go,
    /// Refuses with this message: a QMP error, or the agent's `failed`.
    Refuse(String),
    /// Does nothing and sends no reply.
    Ignore,
    /// Exits with this status.
    Exit(i32),
    /// Sends this many QMP events of disk errors, then continues.
    Flood(u32),
}

/// The question of the fake VMM.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Question {
    /// The machine's private disk, which identifies the machine to a test.
    pub(crate) disk: PathBuf,
    pub(crate) point: String,
}

/// Answers all fake VMMs whose program is in one directory.
#[derive(Debug)]
pub struct Director {
    shared: Arc<Shared>,
}

/// The machines whose files are below one directory.
#[derive(Debug)]
pub struct Scene {
    shared: Arc<Shared>,
    directory: PathBuf,
}

/// A point at which a machine waits.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    number: u64,
    point: String,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    scenes: HashMap<PathBuf, Rules>,
    holds: HashMap<u64, Held>,
    last_hold: u64,
}

#[derive(Debug, Default)]
struct Rules {
    once: HashMap<String, VecDeque<Rule>>,
    always: HashMap<String, Action>,
    reached: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
enum Rule {
    Do(Action),
    Hold(u64),
}

#[derive(Debug, Default)]
struct Held {
    reached: bool,
    released: Option<Action>,
}

impl Director {
    /// Listens in the directory of the fake VMM's program.
    pub fn listen(directory: &Path) -> std::io::Result<Self> {
        let listener = UnixListener::bind(directory.join(SOCKET))?;
        let shared = Arc::<Shared>::default();
        let answering = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&answering);
                std::thread::spawn(move || shared.answer(&connection));
            }
        });
        Ok(Self { shared })
    }

    /// The machines whose private disks are below `directory`.
    pub fn scene(&self, directory: &Path) -> Scene {
        let directory = directory.to_owned();
        let mut state = self.shared.lock();
        state.scenes.insert(directory.clone(), Rules::default());
        drop(state);
        Scene {
            shared: Arc::clone(&self.shared),
            directory,
        }
    }
}

impl Scene {
    /// Sets the action for the next time that `point` is reached.
    pub fn next(&self, point: &str, action: Action) {
        self.add(point, Rule::Do(action));
    }

    /// Sets the action for every time that `point` is reached, unless one is set for the next time.
    pub fn always(&self, point: &str, action: Action) {
        let mut state = self.shared.lock();
        let rules = state.scenes.get_mut(&self.directory).unwrap();
        rules.always.insert(point.to_owned(), action);
    }

    /// Makes the machine wait when it next reaches `point`.
    pub fn hold(&self, point: &str) -> Hold {
        let mut state = self.shared.lock();
        state.last_hold += 1;
        let number = state.last_hold;
        state.holds.insert(number, Held::default());
        drop(state);
        self.add(point, Rule::Hold(number));
        Hold {
            shared: Arc::clone(&self.shared),
            number,
            point: point.to_owned(),
        }
    }

    /// Returns how often `point` was reached.
    pub fn reached(&self, point: &str) -> usize {
        let state = self.shared.lock();
        let rules = &state.scenes[&self.directory];
        rules.reached.get(point).copied().unwrap_or(0)
    }

    /// Waits until `point` was reached `times`.
    pub fn wait_for(&self, point: &str, times: usize) {
        let begun = Instant::now();
        let mut state = self.shared.lock();
        loop {
            let rules = &state.scenes[&self.directory];
            if rules.reached.get(point).is_some_and(|all| *all >= times) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{point} is not reached: {rules:?}");
            state = self.shared.wait(state);
        }
    }

    fn add(&self, point: &str, rule: Rule) {
        let mut state = self.shared.lock();
        let rules = state.scenes.get_mut(&self.directory).unwrap();
        let queue = rules.once.entry(point.to_owned()).or_default();
        queue.push_back(rule);
    }
}

impl Hold {
    /// Waits until the machine waits there.
    pub fn wait(&self) {
        let begun = Instant::now();
        let mut state = self.shared.lock();
        while !state.holds[&self.number].reached {
            assert!(begun.elapsed() < LIMIT, "{} is not reached", self.point);
            state = self.shared.wait(state);
        }
    }

    /// The point at which the machine waits.
    pub fn point(&self) -> &str {
        &self.point
    }

    /// Lets the machine continue with this action.
    pub fn release(self, action: Action) {
        self.set(action);
    }

    fn set(&self, action: Action) {
        let mut state = self.shared.lock();
        if let Some(held) = state.holds.get_mut(&self.number) {
            held.released.get_or_insert(action);
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // A failing test must not leave a machine waiting.
        self.set(Action::Go);
    }
}

impl Shared {
    fn answer(&self, connection: &UnixStream) {
        let mut line = String::new();
        if BufReader::new(connection).read_line(&mut line).is_err() {
            return;
        }
        let Ok(question) = serde_json::from_str::<Question>(&line) else {
            return;
        };
        let action = self.decide(&question);
        let text = serde_json::to_string(&action).unwrap();
        // Ignores the error if the VMM was killed.
        let _ = writeln!(&mut &*connection, "{text}");
    }

    fn decide(&self, question: &Question) -> Action {
        let mut state = self.lock();
        let mut scenes = state.scenes.iter_mut();
        let scene = scenes.find(|(directory, _)| question.disk.starts_with(directory));
        let Some((_, rules)) = scene else {
            return Action::Go;
        };
        *rules.reached.entry(question.point.clone()).or_default() += 1;
        let always = rules.always.get(&question.point).cloned();
        let next = rules.once.get_mut(&question.point);
        let next = next.and_then(VecDeque::pop_front);
        if let Some(Rule::Hold(number)) = next
            && let Some(held) = state.holds.get_mut(&number)
        {
            held.reached = true;
        }
        self.changed.notify_all();
        match next {
            Some(Rule::Do(action)) => action,
            Some(Rule::Hold(number)) => loop {
                match state.holds.get(&number) {
                    Some(Held {
                        released: Some(action),
                        ..
                    }) => break action.clone(),
                    Some(_) => state = self.wait(state),
                    None => break Action::Go,
                }
            },
            None => always.unwrap_or(Action::Go),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let limit = Duration::from_secs(1);
        self.changed.wait_timeout(state, limit).unwrap().0
    }
}

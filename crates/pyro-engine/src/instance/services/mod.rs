//! The *services* of a supervised VM: programs that run until they are stopped. The supervisor learns
//! of the end of each at once, starts those again that ask for it, and records what happened.

mod readiness;
mod record;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::{Command, Control, Outcome, PauseRule, SupervisedMachine};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Notify, watch};

use record::{EXITED_BEFORE_READY, NOT_READY_IN_TIME, SIGKILL, SIGTERM};
pub(crate) use record::{
    Readiness, Restart, ServiceDefinition, ServiceFiles, ServiceRecord, ServiceState,
    WORKSPACE_STOPPED,
};

use super::activity::Activity;
use super::ports::Ports;
use super::power::{KeepAwake, Power};
use super::process::{NewProcess, Process};
use super::redacted::Redacted;
use super::text_log::TextLogWriter;
use super::time::now;
use super::vault::Vault;
use super::wire::{Reply, write_line};
use crate::Error;
use crate::command::exit_code;
use crate::off_thread::off_thread;

/// The most services of one VM that run at once.
const RUNNING: usize = 64;
/// How long a service may take to end after SIGTERM.
const TERM_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before a restart; twice as long before each further one.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A service that ran so long has recovered: its restarts are counted anew.
const RECOVERED: f64 = 60.0;

const TERM_SIGNAL: i32 = 15;

/// The services of one VM.
#[derive(Debug)]
pub(super) struct Services {
    machine: Arc<SupervisedMachine>,
    power: Arc<Power>,
    activity: Activity,
    files: ServiceFiles,
    working_directory: &'static str,
    vault: Arc<Vault>,
    ports: Arc<Ports>,
    known: Mutex<HashMap<String, Arc<Service>>>,
}

/// A service that was started by this supervisor.
#[derive(Debug)]
struct Service {
    status: Mutex<Status>,
    /// Is told whenever its output grows, and when its state changes.
    grown: watch::Sender<()>,
    /// Whether it is over: neither runs nor will be started again.
    over: watch::Sender<bool>,
    /// Ends the wait before a restart.
    stop: Notify,
    /// Held while the record is written, so that an older state never follows a newer one.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Status {
    record: ServiceRecord,
    process: Option<Arc<Process>>,
    /// Why its end is wanted, if it is.
    ending: Option<&'static str>,
}

impl Service {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }
}

/// What became of a start.
enum Start {
    Ready,
    /// It has ended, or its end was asked for, before it was ready.
    Ended,
    /// It was not ready in time.
    Late,
}

impl Services {
    pub(super) fn new(
        machine: Arc<SupervisedMachine>,
        power: Arc<Power>,
        activity: Activity,
        files: ServiceFiles,
        working_directory: &'static str,
        vault: Arc<Vault>,
        ports: Arc<Ports>,
    ) -> Self {
        Self {
            machine,
            power,
            activity,
            files,
            working_directory,
            vault,
            ports,
            known: Mutex::default(),
        }
    }

    /// Starts a service, and returns when it is ready or has failed; the record says which.
    pub(super) async fn start(
        self: &Arc<Self>,
        definition: ServiceDefinition,
    ) -> Result<Reply, Error> {
        self.activity.note();
        let on = self.power.on(&self.machine).await?;
        let service = self.add(definition)?;
        // It goes on if the client goes away.
        let (this, started) = (Arc::clone(self), Arc::clone(&service));
        let start = tokio::spawn(async move { this.first_start(started, on).await });
        match start.await {
            Ok(started) => started.map(|()| Reply::Done),
            Err(error) => Err(Error::no_supervisor(&error.to_string())),
        }
    }

    /// Starts those that are started with their workspace. Does not wait for them.
    pub(super) fn autostart(self: &Arc<Self>) {
        for definition in self.files.begin_with_it() {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let name = definition.name.clone();
                if let Err(error) = this.start(definition).await {
                    tracing::warn!(%error, name, "a service was not started with its workspace");
                }
            });
        }
    }

    fn add(&self, definition: ServiceDefinition) -> Result<Arc<Service>, Error> {
        let mut known = self.known();
        let name = definition.name.clone();
        known.retain(|_, service| !service.is_over());
        if known.contains_key(&name) {
            return Err(Error::service_runs(&name));
        }
        if known.len() >= RUNNING {
            return Err(Error::too_many_services(RUNNING));
        }
        let record = ServiceRecord {
            definition,
            state: ServiceState::Running,
            started_at: now(),
            ended_at: None,
            exit_code: None,
            pid: None,
            ready_at: None,
            stop_reason: None,
            restarts: 0,
            restart_due: false,
        };
        let service = Arc::new(Service {
            status: Mutex::new(Status {
                record,
                process: None,
                ending: None,
            }),
            grown: watch::Sender::new(()),
            over: watch::Sender::new(false),
            stop: Notify::new(),
            writing: tokio::sync::Mutex::default(),
        });
        known.insert(name, Arc::clone(&service));
        Ok(service)
    }

    async fn first_start(
        self: Arc<Self>,
        service: Arc<Service>,
        on: KeepAwake,
    ) -> Result<(), Error> {
        let (record, files) = (service.status().record.clone(), self.files.clone());
        let name = record.definition.name.clone();
        let before = off_thread(move || {
            let before = files.record(&record.definition.name);
            files.begin(&record).map(|()| before)
        });
        let before = before.await;
        let started = match before {
            Ok(_) => self.spawn(&service).await,
            Err(ref error) => Err(error.clone()),
        };
        match started {
            Ok(process) => {
                self.wait_until_ready(&service, &process).await;
                drop(on);
                Ok(())
            }
            Err(error) => {
                let files = self.files.clone();
                let _ = off_thread(move || match before.ok().flatten() {
                    // The next start of the workspace may have the secret that is missing.
                    Some(before) if before.begins_with_its_instance() => files.write(&before),
                    // What never ran is no service.
                    _ => files.remove(&name),
                })
                .await;
                service.over.send_replace(true);
                Err(error)
            }
        }
    }

    /// Starts the process of a service. When this returns, the process may have ended already.
    async fn spawn(self: &Arc<Self>, service: &Arc<Service>) -> Result<Arc<Process>, Error> {
        let definition = service.status().record.definition.clone();
        let options = definition.options;
        let argv = options.argv(definition.command)?;
        let env = self.vault.env(&options)?;
        let command = Command {
            argv,
            cwd_optional: options.cwd.is_none(),
            cwd: Some(options.cwd.unwrap_or_else(|| self.working_directory.into())),
            env,
            user: options.user,
            pause: if definition.pausable {
                PauseRule::Always
            } else {
                PauseRule::Never
            },
            ..Command::default()
        };
        let grown = service.grown.clone();
        let log = |log| {
            let writer = TextLogWriter::append_to(log, grown.clone())?;
            Ok::<_, Error>(Redacted::new(self.vault.redactor(), writer))
        };
        let process = NewProcess {
            command,
            has_input: false,
            stdout: log(self.files.stdout(&definition.name))?,
            stderr: Some(log(self.files.stderr(&definition.name))?),
            grown: grown.clone(),
        };
        let (this, of) = (Arc::clone(self), Arc::clone(service));
        let end = move |outcome| async move { this.ended(of, outcome).await };
        let process = Process::start(Arc::clone(&self.machine), process, end).await?;
        {
            let mut status = service.status();
            status.record.pid = Some(process.pid);
            // Its end was asked for before it was there.
            if status.ending.is_some() {
                process.kill();
            }
            let has_ended = status.record.ended_at.is_some();
            status.process = (!has_ended).then(|| Arc::clone(&process));
        }
        self.write(service).await;
        Ok(process)
    }

    /// Waits until a service is ready; ends it if that takes too long.
    async fn wait_until_ready(self: &Arc<Self>, service: &Arc<Service>, process: &Process) {
        let definition = service.status().record.definition.clone();
        let limit = Duration::from_secs(definition.ready_timeout_seconds);
        let interval = Duration::from_millis(definition.ready_interval_ms);
        let directory = self.working_directory;
        let ready = async {
            while !readiness::is_ready(&self.machine, &self.vault, &definition, directory).await {
                tokio::time::sleep(interval).await;
            }
        };
        let start = tokio::select! {
            biased;
            () = process.ended() => Start::Ended,
            ready = tokio::time::timeout(limit, ready) => {
                if ready.is_ok() { Start::Ready } else { Start::Late }
            }
        };
        match start {
            Start::Ready => {
                service.status().record.ready_at = Some(now());
                self.write(service).await;
            }
            // Its end is recorded by then.
            Start::Ended => {}
            Start::Late => {
                self.end(service, NOT_READY_IN_TIME).await;
            }
        }
    }

    /// Notes the end of a service's process, and starts it again if it is to be.
    async fn ended(self: Arc<Self>, service: Arc<Service>, outcome: Option<Outcome>) {
        let delay = {
            let mut status = service.status();
            let was_ready =
                status.record.ready_at.is_some() || status.record.definition.readiness.is_none();
            let ran = now() - status.record.started_at;
            let record_end = outcome.as_ref().map(exit_code);
            let ending = status.ending;
            status.process = None;
            let record = &mut status.record;
            record.ended_at = Some(now());
            record.exit_code = record_end;
            record.stop_reason = ending.map(str::to_owned);
            record.state = match (ending, &outcome) {
                (Some(NOT_READY_IN_TIME), _) => ServiceState::Failed,
                (Some(_), _) => ServiceState::Stopped,
                (None, None) => {
                    record.stop_reason = Some(WORKSPACE_STOPPED.into());
                    ServiceState::Stopped
                }
                (None, Some(_)) if !was_ready => {
                    record.stop_reason = Some(EXITED_BEFORE_READY.into());
                    ServiceState::Failed
                }
                (None, Some(_)) => ServiceState::Exited,
            };
            if ran > RECOVERED {
                record.restarts = 0;
            }
            let again = record.state == ServiceState::Exited
                && record.exit_code != Some(0)
                && record.definition.restart == Restart::OnFailure
                && record.restarts < record.definition.max_restarts;
            record.restart_due = again;
            again.then(|| {
                let doubled = FIRST_DELAY.saturating_mul(1 << record.restarts.min(16));
                doubled.min(LONGEST_DELAY)
            })
        };
        if let Some(delay) = delay {
            self.write(&service).await;
            tokio::spawn(self.restart_after(service, delay));
        } else {
            self.over(&service).await;
        }
    }

    /// Notes that a service is over. Its ports are free before anybody can read that.
    async fn over(&self, service: &Service) {
        let (name, why) = {
            let record = &mut service.status().record;
            record.restart_due = false;
            (record.definition.name.clone(), record.stop_reason.clone())
        };
        // Those of one that ends with its workspace may be published again when both begin.
        if why.as_deref() != Some(WORKSPACE_STOPPED) {
            self.ports.take_back_all_of(&name).await;
        }
        self.write(service).await;
        service.over.send_replace(true);
        service.grown.send_replace(());
    }

    /// The same as [`restart`](Self::restart), with a type that does not contain itself.
    fn restart_after(
        self: Arc<Self>,
        service: Arc<Service>,
        delay: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.restart(service, delay))
    }

    /// Starts a service again after a delay, during which the machine is not paused.
    async fn restart(self: Arc<Self>, service: Arc<Service>, delay: Duration) {
        let Ok(_on) = self.power.on(&self.machine).await else {
            return self.over(&service).await;
        };
        let stopped = tokio::time::timeout(delay, service.stop.notified())
            .await
            .is_ok();
        let ending = service.status().ending;
        if stopped || ending.is_some() {
            {
                let mut status = service.status();
                status.record.state = ServiceState::Stopped;
                status.record.stop_reason = Some(ending.unwrap_or(SIGTERM).into());
            }
            return self.over(&service).await;
        }
        {
            let mut status = service.status();
            let record = &mut status.record;
            record.restarts += 1;
            record.restart_due = false;
            record.state = ServiceState::Running;
            record.started_at = now();
            record.ended_at = None;
            record.exit_code = None;
            record.ready_at = None;
        }
        match self.spawn(&service).await {
            Ok(process) => self.wait_until_ready(&service, &process).await,
            Err(error) => {
                tracing::warn!(%error, "a service is not started again");
                service.status().record.state = ServiceState::Failed;
                self.over(&service).await;
            }
        }
    }

    /// Ends a service: by SIGTERM, and by SIGKILL if it does not end then.
    pub(super) async fn stop(&self, name: &str) -> Result<Reply, Error> {
        let service = self.known().get(name).cloned();
        if let Some(service) = service.filter(|service| !service.is_over()) {
            self.activity.note();
            let _on = self.power.on(&self.machine).await?;
            self.end(&service, SIGTERM).await;
        }
        Ok(Reply::Done)
    }

    /// Notes that the workspace ends: whatever ends from now on ends with it.
    pub(super) fn workspace_ends(&self) {
        for service in self.known().values() {
            service.status().ending.get_or_insert(WORKSPACE_STOPPED);
            service.stop.notify_one();
        }
    }

    async fn end(&self, service: &Service, why: &'static str) {
        let process = {
            let mut status = service.status();
            status.ending.get_or_insert(why);
            status.process.clone()
        };
        service.stop.notify_one();
        if let Some(process) = process {
            process.control(Control::Signal(TERM_SIGNAL));
            let ended = tokio::time::timeout(TERM_LIMIT, process.ended()).await;
            if ended.is_err() {
                if why == SIGTERM {
                    service.status().ending = Some(SIGKILL);
                }
                process.kill();
                process.ended().await;
            }
        }
        let mut over = service.over.subscribe();
        // It fails if the service is gone.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Reports when a service's output grows, until the service is over.
    pub(super) async fn follow(
        &self,
        name: &str,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Reply, Error> {
        let Some(service) = self.known().get(name).cloned() else {
            return Ok(Reply::Done);
        };
        let mut grown = service.grown.subscribe();
        // Output may have come since the client has looked.
        grown.mark_changed();
        while !service.is_over() {
            // It fails if the service is gone.
            if grown.changed().await.is_err() || write_line(writer, &Reply::Grown).await.is_err() {
                break;
            }
        }
        Ok(Reply::Done)
    }

    async fn write(&self, service: &Service) {
        let _writing = service.writing.lock().await;
        let (record, files) = (service.status().record.clone(), self.files.clone());
        if let Err(error) = off_thread(move || files.write(&record)).await {
            tracing::warn!(%error, "the state of a service is not recorded");
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Service>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

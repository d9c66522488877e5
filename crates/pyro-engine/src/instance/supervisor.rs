//! The *supervisor* is the process that owns a running instance: it starts the VM, serves clients,
//! watches the lifetime, and ends the VM. However the supervisor ends, the VM ends with it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_machine::{Accelerator, KeptFiles, LaunchEvent, SupervisedMachine};
use pyro_store::{Object, Ownership, SocketDirectory};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::activity::Activity;
use super::commands::Commands;
use super::diagnostics;
use super::files::{discard, disk, history, seed_in};
use super::kind::InstanceKind;
use super::ports::{self, Ports};
use super::power::Power;
use super::record::{INTERRUPTED, State, VmRecord};
use super::services::{ServiceFiles, Services};
use super::shell_record::ShellFiles;
use super::shells::Shells;
use super::snapshots::finish_reset;
use super::start::Description;
use super::time::until;
use super::vault::Vault;
use super::warm_up::warm_up;
use super::wire::{SOCKET, StartEvent, VERSION, line};
use crate::disk_limit::{DiskLimit, Exceeded, allocated_bytes};
use crate::off_thread::off_thread;
use crate::{Engine, Error};

/// How long to wait for a free slot. Short runs free theirs within this time; instances do not.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for processes that copy the disk, and after how long to report the wait.
const HOLD_PATIENCE: Duration = Duration::from_secs(30);
const HOLD_UNTOLD: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long it may take to record the ends of commands and to answer their clients.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) kind: InstanceKind,
    pub(super) object: Object,
    pub(super) machine: Arc<SupervisedMachine>,
    pub(super) power: Arc<Power>,
    pub(super) activity: Activity,
    pub(super) commands: Arc<Commands>,
    pub(super) ports: Arc<Ports>,
    pub(super) shells: Arc<Shells>,
    pub(super) services: Arc<Services>,
    pub(super) ends: mpsc::Sender<End>,
    /// The end of the lifetime, in seconds since the Unix epoch.
    pub(super) expires_at: Option<f64>,
    /// Every command and every answer in progress holds a receiver.
    pub(super) under_way: watch::Sender<()>,
}

/// Why the VM ends.
#[derive(Debug)]
pub(super) enum End {
    /// A client requested it.
    Stop { discard: bool },
    /// Its lifetime is over.
    Expired,
    /// This process received SIGTERM.
    Terminated,
    /// The VM ended.
    Died,
    /// It has grown, and all machines together exceed the disk limit.
    TooBig(Exceeded),
}

/// Supervises the instance that `description` names, until its end. Reports events of the start
/// through `news`.
pub(crate) async fn supervise(
    engine: &Engine,
    description: &Description,
    news: impl Write + Send,
) -> Result<(), Error> {
    let news = Mutex::new(news);
    let report = |piece: &StartEvent| {
        let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
        // The process that started this one may be gone; the VM keeps running for other clients.
        let _ = news.write_all(&line(piece)).and_then(|()| news.flush());
    };
    let started = begin(engine, description, &report).await;
    let (object, supervisor, listener, ends, owner) = match started {
        Ok(started) => started,
        Err(error) => {
            report(&StartEvent::Failed(error.clone().into()));
            return Err(error);
        }
    };
    report(&StartEvent::Ready);
    drop(news);
    if description.kind == InstanceKind::Workspace
        && supervisor.machine.accelerator() == Accelerator::Tcg
    {
        let (machine, power) = (supervisor.machine.clone(), supervisor.power.clone());
        tokio::spawn(async move { warm_up(&machine, &power).await });
    }
    let (limit, disk) = (DiskLimit::of(&engine.config), disk(&object));
    let end = tokio::select! {
        end = serve(&supervisor, &listener, ends) => end,
        exceeded = supervisor.watch(&limit, &disk) => End::TooBig(exceeded),
    };
    tracing::info!(?end, "the VM ends");
    finish(&supervisor, &object, end).await;
    drop(owner);
    Ok(())
}

type Started = (
    Object,
    Arc<Supervisor>,
    UnixListener,
    mpsc::Receiver<End>,
    Ownership,
);

/// Becomes the owner and starts the VM.
async fn begin(
    engine: &Engine,
    description: &Description,
    report: &(dyn Fn(&StartEvent) + Send + Sync),
) -> Result<Started, Error> {
    let kind = description.kind;
    let missing = || Error::no_such(kind.noun(), &description.id);
    let object = engine
        .objects(kind)
        .find(&description.id)
        .ok_or_else(missing)?;
    let owner = own(kind, &object, report).await?;
    diagnostics::begin(object.path());
    let unreadable = |error| Error::unreadable_record(kind.noun(), &description.id, &error);
    // Before the confinement, which forbids it, and before anything has changed.
    let mut record: VmRecord = object.record().map_err(unreadable)?;
    record.ports = ServiceFiles::of(object.path()).ports_at_start(&record);
    let listeners = ports::open_all(&description.id, &record, |text| {
        report(&StartEvent::Notice(text));
    })?;
    let record: VmRecord = object
        .update(|record: &mut VmRecord| {
            record.state = State::Starting;
            record.is_ending = false;
            record.reason = None;
            record.wire = Some(VERSION);
        })
        .map_err(unreadable)?;
    // Must be done before other threads exist.
    let confined = pyro_machine::confine_keeper(record.spec.network)
        .map_err(|error| Error::no_supervisor(&format!("it cannot be confined: {error}")));
    let result = match confined {
        Ok(()) => reset_and_launch(engine, record, description, &object, report).await,
        Err(error) => Err(error),
    };
    let (supervisor, listener, ends) = match result {
        Ok(started) => started,
        Err(error) => {
            let reason = error.message.clone();
            // A start that fails removes its socket.
            let _ = std::fs::remove_file(object.path().join(SOCKET));
            let _ = object.update(|record: &mut VmRecord| {
                record.state = State::Failed;
                record.is_ending = true;
                record.reason = Some(reason);
            });
            return Err(error);
        }
    };
    object
        .update(|record: &mut VmRecord| {
            record.state = State::Started;
            record.has_disk = true;
            record.ports = listeners.iter().map(|(_, port)| port.clone()).collect();
        })
        .map_err(unreadable)?;
    for listener in listeners {
        supervisor.ports.serve(listener)?;
    }
    // After that: a service that ends takes its ports back.
    supervisor.services.autostart();
    Ok((object, supervisor, listener, ends, owner))
}

/// Becomes the owner. Waits for processes that copy the disk.
async fn own(
    kind: InstanceKind,
    object: &Object,
    report: &(dyn Fn(&StartEvent) + Send + Sync),
) -> Result<Ownership, Error> {
    let (noun, id) = (kind.noun(), object.id().as_str());
    let begun = Instant::now();
    let mut told = false;
    loop {
        if let Some(owner) = object.own()? {
            return Ok(owner);
        }
        if !object.is_only_held() {
            // The holder may have just exited.
            match object.own()? {
                Some(owner) => return Ok(owner),
                None if object.is_only_held() => {}
                None => return Err(Error::already_started(noun, id)),
            }
        }
        if begun.elapsed() > HOLD_PATIENCE {
            return Err(Error::disk_is_copied(noun, id));
        }
        if !told && begun.elapsed() > HOLD_UNTOLD {
            told = true;
            report(&StartEvent::Notice(
                "waiting for a process that copies the disk".into(),
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn reset_and_launch(
    engine: &Engine,
    record: VmRecord,
    description: &Description,
    object: &Object,
    report: &(dyn Fn(&StartEvent) + Send + Sync),
) -> Result<(Arc<Supervisor>, UnixListener, mpsc::Receiver<End>), Error> {
    let reset = object.clone();
    let record = off_thread(move || finish_reset(&reset, &record)).await?;
    launch(engine, &record, description, object, report).await
}

async fn launch(
    engine: &Engine,
    record: &VmRecord,
    description: &Description,
    object: &Object,
    report: &(dyn Fn(&StartEvent) + Send + Sync),
) -> Result<(Arc<Supervisor>, UnixListener, mpsc::Receiver<End>), Error> {
    let kind = description.kind;
    let (disk, seed) = (disk(object), seed_in(object.path()));
    let missing = [(record.has_disk, &disk), (record.seed.is_some(), &seed)]
        .into_iter()
        .find(|(must_be_there, path)| *must_be_there && !path.exists());
    if let Some((_, path)) = missing {
        return Err(Error::file_missing(kind.noun(), object.id().as_str(), path));
    }
    let listener = listen(object.path())
        .map_err(|error| Error::no_supervisor(&format!("cannot listen: {error}")))?;
    let files = KeptFiles {
        name: object.id(),
        disk: &disk,
        seed: record.seed.as_ref().map(|_| &*seed),
    };
    let launch_listener = |event: LaunchEvent<'_>| match event {
        LaunchEvent::Starting(_) => {}
        LaunchEvent::Notice(text) => report(&StartEvent::Notice(text)),
    };
    let machine = engine
        .machines
        .launch_supervised(
            &record.spec,
            engine.config.start,
            files,
            PATIENCE,
            &launch_listener,
        )
        .await?;
    for phase in machine.phases() {
        report(&StartEvent::Timing {
            name: phase.name.into(),
            seconds: phase.duration.as_secs_f64(),
        });
    }
    if let Some(reason) = machine.unfinished_push() {
        let text = format!(
            "an earlier push was interrupted, and not all of its files are in their places: {reason}; \
             push them again"
        );
        tracing::warn!("{text}");
        report(&StartEvent::Warning(text));
    }
    let (sender, ends) = mpsc::channel(4);
    let supervisor = Supervisor::new(machine, object, record, description, sender).await?;
    Ok((Arc::new(supervisor), listener, ends))
}

/// Listens in the object's directory, whose path may be longer than the limit for socket addresses.
fn listen(directory: &Path) -> std::io::Result<UnixListener> {
    let path = directory.join(SOCKET);
    let _ = std::fs::remove_file(&path);
    let short = SocketDirectory::open(directory)?;
    let listener = UnixListener::bind(short.path(SOCKET))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until something ends the VM.
async fn serve(
    supervisor: &Arc<Supervisor>,
    listener: &UnixListener,
    mut ends: mpsc::Receiver<End>,
) -> End {
    let mut terminate = signal(SignalKind::terminate()).ok();
    // The hangup of a terminal must not end the supervisor.
    let _hang_up = signal(SignalKind::hangup());
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    let under_way = supervisor.under_way.subscribe();
                    tokio::spawn(Arc::clone(supervisor).answer(connection, under_way));
                }
                // For example: no free descriptors. They become free when other connections close.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let terminated = async {
        match &mut terminate {
            Some(arrivals) => arrivals.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = accept => unreachable!("it accepts for ever"),
        Some(end) = ends.recv() => end,
        () = until(supervisor.expires_at) => End::Expired,
        _ = terminated => End::Terminated,
        () = supervisor.machine.ended() => End::Died,
        never = supervisor.power.save(&supervisor.machine) => match never {},
    }
}

/// Ends the VM as `end` requires, and records the end.
async fn finish(supervisor: &Arc<Supervisor>, object: &Object, end: End) {
    let (noun, id) = (supervisor.kind.noun(), object.id().as_str());
    // A start waits for the end, instead of finding a machine that seems to run.
    let begun = object.update(|record: &mut VmRecord| record.is_ending = true);
    if let Err(error) = begun {
        tracing::warn!(%error, "that it is ending could not be written down");
    }
    supervisor.ports.close();
    supervisor.services.workspace_ends();
    // Clients of unfinished commands receive this error, and not one that follows from it.
    match &end {
        End::Stop { .. } | End::Terminated => {
            supervisor.commands.set_last_error(Error::stopped(noun, id));
        }
        End::Expired => {
            let ttl = object
                .record()
                .map_or(0, |record: VmRecord| record.ttl_seconds);
            supervisor
                .commands
                .set_last_error(Error::expired(noun, id, ttl));
        }
        End::TooBig(exceeded) => {
            let error = exceeded.clone().ended(&format!("{noun} {id}"));
            supervisor.commands.set_last_error(error);
        }
        End::Died => {}
    }
    let (state, reason) = match end {
        // Only seen if the deleting process died before it removed the object.
        End::Stop { discard: true } => (
            State::Stopped,
            Some("its deletion, or a reset, was begun".to_owned()),
        ),
        End::Stop { discard: false } => {
            let failed = supervisor.shut_down().await.err();
            (State::Stopped, failed.map(|error| not_in_order(&error)))
        }
        End::Terminated => {
            let reason = "its supervisor was told to end (SIGTERM)".to_owned();
            (State::Stopped, Some(supervisor.end_in_order(reason).await))
        }
        End::TooBig(exceeded) => {
            // The guest may still write its page cache: at most the size of its memory.
            let reason = exceeded.reason();
            (State::Stopped, Some(supervisor.end_in_order(reason).await))
        }
        End::Expired => (State::Expired, None),
        End::Died => (State::Stopped, Some(supervisor.cause_of_death().await)),
    };
    // The VMM must be gone before the end is recorded.
    let _ = supervisor.machine.last_words().await;
    // Commands are recorded as ended, and their clients answered, once the VM is gone.
    let _ = tokio::time::timeout(END_LIMIT, supervisor.under_way.closed()).await;
    if state == State::Expired {
        discard(object);
    }
    let written = object.update(|record: &mut VmRecord| {
        record.state = state;
        record.reason = reason;
    });
    if let Err(error) = written {
        tracing::warn!(%error, "the end could not be written down");
    }
    let _ = std::fs::remove_file(object.path().join(SOCKET));
}

fn not_in_order(error: &Error) -> String {
    tracing::warn!(%error, "the guest was not shut down in order");
    format!("it was not shut down in order: {}", error.message)
}

impl Supervisor {
    /// Prepares the state for a machine that has started. All processes of an earlier machine have
    /// ended.
    async fn new(
        machine: SupervisedMachine,
        object: &Object,
        record: &VmRecord,
        description: &Description,
        ends: mpsc::Sender<End>,
    ) -> Result<Self, Error> {
        let kind = description.kind;
        let vault = Arc::new(Vault::new(description.secrets.clone()));
        vault.bring_to(&machine).await?;
        let history = history(object);
        history.close(INTERRUPTED)?;
        let (machine, power) = (Arc::new(machine), Arc::<Power>::default());
        let activity = Activity::of(object);
        activity.note();
        let commands = Commands::new(
            kind,
            Arc::clone(&machine),
            Arc::clone(&power),
            history,
            activity.clone(),
            Arc::clone(&vault),
        );
        let ports = Arc::new(Ports::new(
            object.clone(),
            Arc::clone(&machine),
            Arc::clone(&power),
            activity.clone(),
        ));
        let shell_files = ShellFiles::of(object.path());
        shell_files.close()?;
        let shells = Shells::new(
            Arc::clone(&machine),
            Arc::clone(&power),
            activity.clone(),
            shell_files,
            Arc::clone(&vault),
        );
        let service_files = ServiceFiles::of(object.path());
        service_files.close()?;
        let services = Arc::new(Services::new(
            Arc::clone(&machine),
            Arc::clone(&power),
            activity.clone(),
            service_files,
            kind.working_directory().unwrap_or("/root"),
            vault,
            Arc::clone(&ports),
        ));
        Ok(Self {
            kind,
            object: object.clone(),
            machine,
            power,
            activity,
            commands: Arc::new(commands),
            ports,
            shells: Arc::new(shells),
            services,
            ends,
            expires_at: record.expires_at,
            under_way: watch::Sender::new(()),
        })
    }

    /// Returns when the VM has grown and all machines together exceed the disk limit.
    async fn watch(&self, limit: &DiskLimit, disk: &Path) -> Exceeded {
        let directory = self.machine.directory();
        let own = || allocated_bytes(disk) + allocated_bytes(directory) + self.commands.log_bytes();
        limit.watch(own, async || self.power.awake().await).await
    }

    /// Makes the guest write everything to its disk and power off.
    async fn shut_down(&self) -> Result<(), Error> {
        let _on = self.power.on(&self.machine).await?;
        Ok(self.machine.shut_down().await?)
    }

    /// Shuts down for this reason. Returns the reason to record.
    async fn end_in_order(&self, reason: String) -> String {
        match self.shut_down().await {
            Ok(()) => reason,
            Err(error) => format!("{reason}; {}", not_in_order(&error)),
        }
    }

    /// Why the VM ended by itself, in one line.
    async fn cause_of_death(&self) -> String {
        let (status, tails) = self.machine.last_words().await;
        let last = [tails.console.lines().last(), tails.vmm.lines().last()];
        let said: Vec<_> = last.into_iter().flatten().collect();
        if said.is_empty() {
            return format!("the machine ended: {status}");
        }
        format!("the machine ended: {status} ({})", said.join("; "))
    }
}

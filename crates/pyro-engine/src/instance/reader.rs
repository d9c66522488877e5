//! A *reader* is a temporary machine that reads the disk of a stopped instance. A file system that
//! a guest has written is parsed by a guest's kernel, never by the host's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyro_machine::{Answer, Call, CopiedFiles, MachineSpec, copy_disk, make_image};
use pyro_store::{MachineDirectory, Object, Ownership, RecordError};
use tokio::io::AsyncWrite;

use super::client;
use super::files::{disk, disk_in, seed_in};
use super::find::Instance;
use super::kind::InstanceKind;
use super::record::{State, VmRecord};
use super::snapshots::{BASELINE, disk_of, missing};
use super::start::environment_of;
use super::time::now;
use super::wire::Request;
use crate::off_thread::off_thread;
use crate::request::{DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT, path_text};
use crate::temporary_machine::{TemporaryMachine, notices};
use crate::{Engine, Error, Event, Listener};

/// How long to wait for other processes that copy the same disk.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The further disk of a reader, besides the disk of the instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside<'a> {
    Nothing,
    /// Nothing. The instance may be running: the reader gets a copy of its disk, as a new snapshot
    /// would.
    Running,
    /// A blank image of this size.
    Output {
        mib: u64,
    },
    /// The disk of the snapshot with this name. In this case the instance may be running: the reader
    /// gets a copy of its disk, as a new snapshot would.
    Snapshot(&'a str),
}

/// A machine with a copy of the disk; both are removed on drop.
pub(crate) struct Reader {
    machine: TemporaryMachine,
    /// The instance's.
    id: String,
}

impl Reader {
    /// Starts a machine that reads the disk of an instance. `purpose` is the operation, for error
    /// messages.
    pub(crate) async fn start(
        engine: &Engine,
        instance: &Instance,
        purpose: &'static str,
        beside: Beside<'_>,
        listener: &Listener,
    ) -> Result<Self, Error> {
        let mut bytes = instance.disk_bytes(None);
        match beside {
            Beside::Snapshot(name) => bytes += instance.disk_bytes(Some(name)),
            Beside::Running => instance.require_not_expired()?,
            Beside::Nothing | Beside::Output { .. } => instance.require_stopped(purpose)?,
        }
        engine.check_room(bytes).await?;
        let ready = environment_of(engine, instance, listener).await?;
        let files = engine.machines.directory_for_files()?;
        instance.activity().note();
        let begun = Instant::now();
        let (output, snapshot) = (output_in(files.path()), snapshot_in(files.path()));
        match beside {
            Beside::Nothing | Beside::Running => {}
            Beside::Output { mib } => {
                let image = output.clone();
                off_thread(move || make_image(&image, mib)).await?;
            }
            // Opened first: the snapshot may be deleted during the following steps.
            Beside::Snapshot(name) => instance.copy_snapshot_disk(name, &snapshot).await?,
        }
        instance.copy_files(purpose, files.path()).await?;
        listener.took("copy", begun);
        let spec = MachineSpec {
            vcpu_count: DEFAULT_VCPU_COUNT,
            mem_mib: DEFAULT_MEM_MIB,
            kernel: ready.kernel,
            initramfs: ready.initramfs,
            rootfs: ready.rootfs,
            network: false,
        };
        let seed = seed_in(files.path());
        let copied = CopiedFiles {
            disk: &disk_in(files.path()),
            seed: instance.record.seed.as_ref().map(|_| &*seed),
            output: matches!(beside, Beside::Output { .. }).then_some(&*output),
            snapshot: matches!(beside, Beside::Snapshot(_)).then_some(&*snapshot),
        };
        let machine = engine
            .machines
            .launch_reader(&spec, engine.config.start, copied, &notices(listener))
            .await?;
        for phase in machine.phases() {
            listener.report(Event::Timing {
                name: phase.name.into(),
                duration: phase.duration,
            });
        }
        Ok(Self {
            machine: TemporaryMachine::new(
                engine,
                machine,
                files,
                "the machine that reads the disk",
            ),
            id: instance.id().to_owned(),
        })
    }

    /// Carries out a call; its output is passed to `output` as it arrives.
    pub(crate) async fn call(
        &self,
        call: &Call,
        output: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Answer, Error> {
        let answer = async {
            let answer = self.machine.read(call, output).await;
            answer.map_err(|error| Error::on_disk(error, &self.id))
        };
        self.machine.within_limit(answer).await
    }

    /// The machine itself.
    pub(crate) fn into_machine(self) -> TemporaryMachine {
        self.machine
    }

    /// Ends the machine, and returns its files.
    pub(crate) fn end(self) -> MachineDirectory {
        self.machine.end()
    }

    /// The image that it was started with.
    pub(crate) fn output(&self) -> PathBuf {
        output_in(self.machine.directory())
    }
}

fn output_in(directory: &Path) -> PathBuf {
    directory.join("output.ext4")
}

fn snapshot_in(directory: &Path) -> PathBuf {
    directory.join("snapshot.ext4")
}

impl Instance {
    /// Copies the disk to a directory, and links the seed there. The instance is locked against
    /// starts in the meantime; if it is running, its supervisor copies the disk as it does for a
    /// snapshot.
    async fn copy_files(&self, purpose: &'static str, directory: &Path) -> Result<(), Error> {
        let runs = self.state == State::Started;
        if runs {
            let to = path_text(&disk_in(directory));
            client::ask(self, &Request::CopyDisk { to }).await?;
        }
        let (kind, object, directory) = (self.kind, self.object.clone(), directory.to_owned());
        let has_seed = self.record.seed.is_some();
        off_thread(move || {
            let gone = |path: &Path| Error::file_missing(kind.noun(), object.id().as_str(), path);
            if !runs {
                let (_held, record) = hold(kind, &object, purpose)?;
                if let Some(source) = current_disk(&object, &record)? {
                    if !source.exists() {
                        return Err(gone(&source));
                    }
                    copy_disk(&source, &disk_in(&directory))?;
                }
            }
            if has_seed {
                // A seed is never written and never replaced.
                let source = seed_in(object.path());
                let linked = fs::hard_link(&source, seed_in(&directory));
                linked.map_err(|_| gone(&source))?;
            }
            Ok(())
        })
        .await
    }
}

/// Locks an instance against starts, and returns its record. Waits for other processes that do the
/// same, and for an instance that is starting.
fn hold(
    kind: InstanceKind,
    object: &Object,
    purpose: &str,
) -> Result<(Ownership, VmRecord), Error> {
    let (noun, id) = (kind.noun(), object.id().as_str());
    let unreadable = |error: RecordError| Error::unreadable_record(noun, id, &error);
    let begun = Instant::now();
    loop {
        if let Some(held) = object.hold()? {
            let record: VmRecord = object.record().map_err(unreadable)?;
            if record.is_over(now()) {
                return Err(Error::expired(noun, id, record.ttl_seconds));
            }
            return Ok((held, record));
        }
        let found = Instance::read(kind, object.clone()).map_err(unreadable)?;
        if found.state == State::Started || begun.elapsed() > PATIENCE {
            return Err(Error::not_stopped(noun, id, found.state.name(), purpose));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The disk with which the instance would start, if there is one; a reset may be pending.
fn current_disk(object: &Object, record: &VmRecord) -> Result<Option<PathBuf>, Error> {
    match record.reset_to.as_deref() {
        Some(BASELINE) => Ok(None),
        Some(name) => {
            let found = disk_of(object, name);
            found.ok_or_else(|| missing(object, name)).map(Some)
        }
        None => {
            let disk = disk(object);
            Ok((record.has_disk || disk.exists()).then_some(disk))
        }
    }
}

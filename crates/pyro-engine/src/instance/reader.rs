//! A *reader* is a throw-away machine that shows the disk of an instance that does not run. What a
//! guest has written is parsed by a guest's kernel, never by the host's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyro_machine::{
    Answer, Call, CopiedFiles, LaunchEvent, MachineSpec, Streams, SupervisedMachine, copy_disk,
    make_image,
};
use pyro_store::{MachineDirectory, Object, Ownership, RecordError};
use tokio::io::AsyncWrite;

use super::files::{disk, disk_in, seed_in};
use super::find::Instance;
use super::kind::InstanceKind;
use super::record::{State, VmRecord};
use super::snapshots::{BASELINE, disk_of};
use super::start::environment_of;
use super::time::now;
use crate::disk_limit::{DiskLimit, allocated_bytes};
use crate::off_thread::off_thread;
use crate::request::{DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT};
use crate::{Engine, Error, Event, Listener};

/// How long to wait for others that copy the same disk.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A machine with a copy of the disk; both are gone when it is dropped.
pub(crate) struct Reader {
    // Dropped in this order.
    machine: SupervisedMachine,
    files: MachineDirectory,
    limit: DiskLimit,
}

impl Reader {
    /// Starts a machine that shows the disk of an instance. `purpose` is the operation, for its
    /// error. If there is an `output_mib`, it has a blank image of this size, too.
    pub(crate) async fn start(
        engine: &Engine,
        instance: &Instance,
        purpose: &'static str,
        output_mib: Option<u64>,
        listener: &Listener,
    ) -> Result<Self, Error> {
        instance.require_stopped(purpose)?;
        engine.check_room(instance.disk_bytes(None))?;
        let ready = environment_of(engine, instance, listener).await?;
        let files = engine.machines.directory_for_files()?;
        instance.activity().note();
        let begun = Instant::now();
        instance.copy_files(purpose, files.path()).await?;
        if let Some(mib) = output_mib {
            let image = output_in(files.path());
            off_thread(move || make_image(&image, mib)).await?;
        }
        listener.took("copy", begun);
        let spec = MachineSpec {
            vcpu_count: DEFAULT_VCPU_COUNT,
            mem_mib: DEFAULT_MEM_MIB,
            kernel: ready.kernel,
            initramfs: ready.initramfs,
            rootfs: ready.rootfs,
            network: false,
        };
        let (seed, output) = (seed_in(files.path()), output_in(files.path()));
        let copied = CopiedFiles {
            disk: &disk_in(files.path()),
            seed: instance.record.seed.as_ref().map(|_| &*seed),
            output: output_mib.map(|_| &*output),
        };
        let launch_listener = |event: LaunchEvent<'_>| match event {
            LaunchEvent::Starting(_) => {}
            LaunchEvent::Notice(text) => listener.tell(Event::Notice(text)),
        };
        let machine = engine
            .machines
            .launch_reader(&spec, engine.config.start, copied, &launch_listener)
            .await?;
        for phase in machine.phases() {
            listener.tell(Event::Timing {
                name: phase.name.into(),
                duration: phase.duration,
            });
        }
        Ok(Self {
            machine,
            files,
            limit: DiskLimit::of(&engine.config),
        })
    }

    /// Carries out a call, whose output goes to `output` as it comes.
    pub(crate) async fn call(
        &self,
        call: &Call,
        output: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Answer, Error> {
        let streams = Streams {
            stdin: None,
            stdout: output,
            stderr: &mut tokio::io::sink(),
            controls: None,
            started: None,
        };
        let grown_too_big = self
            .limit
            .watch(|| allocated_bytes(self.files.path()), async || {});
        tokio::select! {
            answer = self.machine.call(call, streams) => Ok(answer?),
            exceeded = grown_too_big => Err(exceeded.ended("the machine that reads the disk")),
        }
    }

    /// Ends the machine, and returns its files.
    pub(crate) fn end(self) -> MachineDirectory {
        self.files
    }

    /// The image that it was started with.
    pub(crate) fn output(&self) -> PathBuf {
        output_in(self.files.path())
    }
}

fn output_in(directory: &Path) -> PathBuf {
    directory.join("output.ext4")
}

impl Instance {
    /// Copies the disk to a directory, and links the seed there. Nobody starts the instance
    /// meanwhile.
    async fn copy_files(&self, purpose: &'static str, directory: &Path) -> Result<(), Error> {
        let (kind, object, directory) = (self.kind, self.object.clone(), directory.to_owned());
        off_thread(move || {
            let missing =
                |path: &Path| Error::file_missing(kind.noun(), object.id().as_str(), path);
            let (_held, record) = hold(kind, &object, purpose)?;
            if let Some(source) = current_disk(&object, &record)? {
                if !source.exists() {
                    return Err(missing(&source));
                }
                copy_disk(&source, &disk_in(&directory))?;
            }
            if record.seed.is_some() {
                // A seed is never written.
                let source = seed_in(object.path());
                let linked = fs::hard_link(&source, seed_in(&directory));
                linked.map_err(|_| missing(&source))?;
            }
            Ok(())
        })
        .await
    }
}

/// Keeps an instance from being started, and returns its record. Waits for others that do the same;
/// for one that starts, until it has started.
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

/// The disk with which the instance would start, if there is one: it may be about to be reset.
fn current_disk(object: &Object, record: &VmRecord) -> Result<Option<PathBuf>, Error> {
    match record.reset_to.as_deref() {
        Some(BASELINE) => Ok(None),
        Some(name) => {
            let missing = || Error::no_such_snapshot(object.id().as_str(), name);
            disk_of(object, name).ok_or_else(missing).map(Some)
        }
        None => {
            let disk = disk(object);
            Ok((record.has_disk || disk.exists()).then_some(disk))
        }
    }
}

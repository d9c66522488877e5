//! The *machine of a build*: one in which the instructions of a stage run, one after the other, on a
//! disk of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pyro_archive::{PathLimits, Source, write_tar};
use pyro_environment::Ready;
use pyro_machine::{
    Answer, Call, Command, CopiedFiles, FileType, KeptFiles, MachineSpec, Outcome, Streams,
    UNPACKED_LIST_BYTES, UNPACKED_PATH_BYTES,
};
use tokio::io::AsyncWrite;

use super::cache::StepCache;
use crate::off_thread::pipe;
use crate::request::{DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT};
use crate::temporary_machine::{TemporaryMachine, notices};
use crate::transfer::progress_to;
use crate::{Engine, Error, Listener};

/// How long to wait for a slot: other machines may run for long.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a machine needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resources {
    pub(super) vcpu_count: u32,
    pub(super) mem_mib: u32,
    pub(super) network: bool,
}

impl Resources {
    /// Those that most machines have, for which there is a template.
    const FOR_READING: Self = Self {
        vcpu_count: DEFAULT_VCPU_COUNT,
        mem_mib: DEFAULT_MEM_MIB,
        network: false,
    };
}

/// What a machine is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// To run instructions, which write to its disk.
    Run(Resources),
    /// To read what is on the disk: nothing of it runs.
    Read,
}

/// A running machine with its disk; both are removed on drop.
pub(super) struct BuildMachine {
    machine: TemporaryMachine,
    pub(super) network: bool,
}

impl BuildMachine {
    /// Starts a machine above an environment, with the disk of a step, or a blank one.
    pub(super) async fn start(
        engine: &Engine,
        ready: &Ready,
        steps: &StepCache,
        step: Option<&str>,
        purpose: Purpose,
        listener: &Listener,
    ) -> Result<Self, Error> {
        engine.check_disk_limit().await?;
        let files = engine.machines.directory_for_files()?;
        let disk = &disk_in(files.path());
        if let Some(step) = step
            && !steps.copy(step, disk.clone()).await?
        {
            return Err(Error::build_step_gone());
        }
        let resources = match purpose {
            Purpose::Run(resources) => resources,
            Purpose::Read => Resources::FOR_READING,
        };
        let spec = MachineSpec {
            vcpu_count: resources.vcpu_count,
            mem_mib: resources.mem_mib,
            kernel: ready.kernel.clone(),
            initramfs: ready.initramfs.clone(),
            rootfs: ready.rootfs.clone(),
            network: resources.network,
        };
        let told = notices(listener);
        let (machines, start) = (&engine.machines, engine.config.start);
        let machine = match purpose {
            Purpose::Run(_) => {
                let name = files.id();
                let kept = KeptFiles {
                    name,
                    disk,
                    seed: None,
                };
                machines
                    .launch_supervised(&spec, start, kept, PATIENCE, &told)
                    .await?
            }
            Purpose::Read => {
                let copied = CopiedFiles {
                    disk,
                    seed: None,
                    output: None,
                    snapshot: None,
                };
                machines.launch_reader(&spec, start, copied, &told).await?
            }
        };
        Ok(Self {
            machine: TemporaryMachine::new(engine, machine, files, "the machine of the build"),
            network: resources.network,
        })
    }

    /// Runs a command to its end.
    pub(super) async fn run(
        &self,
        command: &Command,
        output: [&mut (dyn AsyncWrite + Send + Unpin); 2],
    ) -> Result<Outcome, Error> {
        let [stdout, stderr] = output;
        let streams = Streams {
            stdin: None,
            stdout,
            stderr,
            controls: None,
            started: None,
        };
        let run = self.machine.machine.run(command, streams);
        self.machine.within_limit(run).await
    }

    /// Follows the links on a path in the guest.
    pub(super) async fn resolve(&self, path: &str) -> Result<(String, Option<FileType>), Error> {
        let call = Call::ResolvePath {
            path: path.to_owned(),
        };
        match self.call(&call, &mut tokio::io::sink()).await? {
            Answer::Resolved { path, file_type } => Ok((path, file_type)),
            other => Err(Error::guest_output("a path", &format!("{other:?}"))),
        }
    }

    /// Carries out a call that reads.
    pub(super) async fn call(
        &self,
        call: &Call,
        output: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Answer, Error> {
        let read = self.machine.read(call, output);
        self.machine.within_limit(read).await
    }

    /// Copies what is in a directory of the host to one in the guest. It belongs to `owner` there;
    /// directories that exist stay as they are.
    pub(super) async fn push(
        &self,
        directory: &Path,
        destination: &str,
        owner: &str,
        listener: &Listener,
    ) -> Result<(), Error> {
        let source = Source::open("context", directory)?;
        let limits = PathLimits {
            path_bytes: UNPACKED_PATH_BYTES,
            list_bytes: UNPACKED_LIST_BYTES - destination.len() as u64 - 1,
        };
        let (mut input, output) = pipe().map_err(|error| Error::transfer(&error))?;
        let listener = listener.clone();
        let sending = tokio::task::spawn_blocking(move || {
            write_tar(&source, output, limits, &progress_to("copy", &listener))
        });
        let call = Call::Unpack {
            destination: destination.to_owned(),
            owner: Some(owner.to_owned()),
        };
        let answer = {
            let streams = Streams {
                stdin: Some(&mut input),
                stdout: &mut tokio::io::sink(),
                stderr: &mut tokio::io::sink(),
                controls: None,
                started: None,
            };
            let unpacked = self.machine.machine.call(&call, streams);
            self.machine.within_limit(unpacked).await
        };
        // The thread ends when nobody reads.
        drop(input);
        let sent = sending.await.map_err(|error| Error::transfer(&error))?;
        match (answer, sent) {
            (Err(error), Err(pyro_archive::Error::Write { .. }) | Ok(_)) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Ok(_), Ok(_)) => Ok(()),
        }
    }

    /// Keeps the disk as that of a step. Returns how many processes the step has left running.
    pub(super) async fn keep(
        &self,
        steps: &StepCache,
        key: &str,
        text: &str,
    ) -> Result<u32, Error> {
        let machine = &self.machine.machine;
        let left = machine.flush().await?;
        machine.pause().await?;
        let disk = disk_in(self.machine.directory());
        let added = steps.add(key, text, disk).await;
        machine.resume().await?;
        added.map(|()| left)
    }

    /// The machine itself.
    pub(super) fn into_machine(self) -> TemporaryMachine {
        self.machine
    }
}

fn disk_in(directory: &Path) -> PathBuf {
    directory.join("disk.ext4")
}

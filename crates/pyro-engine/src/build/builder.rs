//! The *builder* carries out the instructions of stages, one after the other.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use pyro_environment::{Process, PullPolicy, Ready};
use pyro_machine::{Command, FileType};

use super::cache::StepCache;
use super::context::Tree;
use super::copying::{Copying, Laid};
use super::dockerfile::{self, Instruction, Network, Step, find_stage, refused};
use super::finished::{Finished, Key};
use super::lines::Lines;
use super::machine::{BuildMachine, Purpose, Resources};
use super::order::Order;
use super::stage::{Args, StageState};
use crate::command::exit_code;
use crate::environment;
use crate::output::Each;
use crate::{Engine, Error, Event, Listener};

/// A base without files.
const SCRATCH: &str = "scratch";
/// The environment that stands for it: an image with an empty layer.
const SCRATCH_ENVIRONMENT: &str = "local:pyro/scratch";

/// A build that is under way.
pub(super) struct Builder<'a> {
    pub(super) engine: &'a Engine,
    pub(super) order: &'a Order,
    pub(super) listener: &'a Listener,
    pub(super) context: Option<Arc<Tree>>,
    pub(super) args: Args,
    pub(super) cache: StepCache,
    /// The earlier stages; none for those that are not needed.
    pub(super) finished: Vec<Option<Finished>>,
    pub(super) names: Vec<Option<String>>,
    /// How many steps were begun.
    pub(super) number: usize,
    pub(super) total: usize,
    pub(super) cached: usize,
    pub(super) run: usize,
}

/// An instruction that changes files, ready to be carried out.
enum Change {
    /// A command, and whether it has the network.
    Run(Command, bool),
    Copy(Copying),
}

impl Builder<'_> {
    pub(super) async fn stage(&mut self, stage: &dockerfile::Stage) -> Result<Finished, Error> {
        let base = self.args.base(&stage.base);
        let base = base.map_err(|why| refused(stage.place, &why))?;
        let mut at = self.base(&base).await?;
        let mut now = StageState::new(std::mem::take(&mut at.process));
        let mut machine: Option<BuildMachine> = None;
        for step in &stage.steps {
            self.number += 1;
            let failed = |why: String| refused(step.place, &why);
            now.apply(&step.instruction, &self.args).map_err(failed)?;
            let Some((change, key)) = self.change(step, &now, &at.key).await? else {
                self.tell(step, "");
                continue;
            };
            if self.order.use_cache && self.cache.has(&key.0) {
                self.tell(step, " (from the cache)");
                self.cached += 1;
                // What runs has another disk.
                machine = None;
            } else {
                self.tell(step, "");
                let before = at.has_disk.then_some(&*at.key.0);
                let running = match (machine.take(), &change) {
                    (Some(machine), Change::Copy(_)) => machine,
                    (Some(machine), Change::Run(_, network)) if machine.network == *network => {
                        machine
                    }
                    (_, change) => {
                        let network = matches!(change, Change::Run(_, true));
                        self.start(&at.ready, before, self.to_run(network)).await?
                    }
                };
                self.carry_out(step, change, &running).await?;
                let left = running.keep(&self.cache, &key.0, &step.text).await?;
                self.run += 1;
                // What a step leaves running is not part of its result.
                machine = Some(running).filter(|_| left == 0);
            }
            (at.key, at.has_disk) = (key, true);
        }
        at.process = now.process;
        Ok(at)
    }

    fn tell(&self, step: &Step, what: &str) {
        let (number, total) = (self.number, self.total);
        let text = format!("step {number}/{total}: {}{what}", step.text);
        self.listener.report(Event::Notice(text));
    }

    pub(super) async fn start(
        &self,
        ready: &Ready,
        step: Option<&str>,
        purpose: Purpose,
    ) -> Result<BuildMachine, Error> {
        BuildMachine::start(
            self.engine,
            ready,
            &self.cache,
            step,
            purpose,
            self.listener,
        )
        .await
    }

    fn to_run(&self, network: bool) -> Purpose {
        Purpose::Run(Resources {
            vcpu_count: self.order.vcpu_count,
            mem_mib: self.order.mem_mib,
            network,
        })
    }

    /// Finds what a stage, or a `--from`, names.
    pub(super) async fn base(&self, name: &str) -> Result<Finished, Error> {
        if let Some(number) = find_stage(&self.names[..self.finished.len()], name)
            && let Some(finished) = &self.finished[number]
        {
            return Ok(finished.clone());
        }
        let ready = if name == SCRATCH {
            self.scratch().await?
        } else {
            environment::ready(self.engine, self.listener, name, self.order.pull).await?
        };
        let process = ready.image.as_ref().map(|image| image.process.clone());
        Ok(Finished {
            key: Key::of_base(&ready),
            has_disk: false,
            process: process.unwrap_or_default(),
            ready,
        })
    }

    async fn scratch(&self) -> Result<Ready, Error> {
        let (engine, name) = (self.engine, SCRATCH_ENVIRONMENT);
        if engine.environments.status(name)?.installation.is_none() {
            let directory = engine.machines.directory_for_files()?;
            let layer = directory.path().join("received");
            // The end of a tar file, and nothing before it.
            fs::write(&layer, [0; 1024]).map_err(|error| Error::transfer(&error))?;
            let process = Process::default();
            let saved = engine.environments.save(name, layer, process, &|_| ());
            saved.await?;
        }
        environment::ready(engine, self.listener, name, PullPolicy::Missing).await
    }

    /// Returns what an instruction changes, and the key of the result; nothing if it changes no file.
    async fn change(
        &self,
        step: &Step,
        state: &StageState,
        before: &Key,
    ) -> Result<Option<(Change, Key)>, Error> {
        match &step.instruction {
            Instruction::Run { words, network } => {
                let network = match network {
                    Network::OfBuild => self.order.network,
                    Network::Never => false,
                    Network::Always => true,
                };
                let process = &state.process;
                let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
                let command = Command {
                    argv: state.argv(words),
                    env: state.env(),
                    cwd: some(&process.working_dir).or_else(|| Some("/".into())),
                    user: some(&process.user),
                    ..Command::default()
                };
                let parts = (&command.argv, &command.env, &command.cwd, &command.user);
                let key = before.then(&("run", parts, network));
                Ok(Some((Change::Run(command, network), key)))
            }
            Instruction::Copy(copy) => {
                let mut copying = self.copying(step, copy, state).await?;
                let content = self.content(step, &mut copying).await?;
                let parts = (&copying.destination, &copying.owner, content);
                let key = before.then(&("copy", parts));
                Ok(Some((Change::Copy(copying), key)))
            }
            Instruction::Workdir(_) => {
                let copying = Copying::directory(&state.process);
                let key = before.then(&("directory", &copying.destination));
                Ok(Some((Change::Copy(copying), key)))
            }
            _ => Ok(None),
        }
    }

    async fn carry_out(
        &self,
        step: &Step,
        change: Change,
        machine: &BuildMachine,
    ) -> Result<(), Error> {
        match change {
            Change::Run(command, network) => {
                let lines = Arc::new(Mutex::new(Lines::new(self.listener.clone())));
                let take = |lines: &Arc<Mutex<Lines>>| {
                    let lines = Arc::clone(lines);
                    Each(move |bytes: &[u8]| {
                        lines
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .take(bytes);
                        Ok(())
                    })
                };
                let (mut stdout, mut stderr) = (take(&lines), take(&lines));
                let outcome = machine.run(&command, [&mut stdout, &mut stderr]).await?;
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.end();
                let code = exit_code(&outcome);
                if code == 0 {
                    return Ok(());
                }
                let output = lines.last.iter().cloned().collect::<Vec<_>>().join("\n");
                let error = Error::build_step_failed(step.place, &step.text, code, output);
                Err(match (outcome.oom_killed, network) {
                    (true, _) => error.remedy(format!(
                        "the machine's memory was used up: build with more than --mem-mib {}",
                        self.order.mem_mib
                    )),
                    (false, false) => error.remedy(
                        "mend the command; if it needs the network, build with `--network`",
                    ),
                    (false, true) => error.remedy("mend the command"),
                })
            }
            Change::Copy(mut copying) => {
                let laid = match copying.laid.take() {
                    Some(laid) => laid,
                    None => self.lay_out(step, &copying).await?,
                };
                let copied = self.copy(&copying, &laid, machine).await;
                copied.map_err(|error| step.place.of(error))
            }
        }
    }

    async fn copy(
        &self,
        copying: &Copying,
        laid: &Laid,
        machine: &BuildMachine,
    ) -> Result<(), Error> {
        let (path, kind) = machine.resolve(&copying.destination).await?;
        let directory = laid.directory.path();
        let destination = if laid.into || kind == Some(FileType::Directory) {
            path
        } else {
            // The only file gets the name of the destination.
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let only = fs::read_dir(&directory).ok().and_then(|mut all| all.next());
            let renamed = match only {
                Some(entry) => {
                    entry.and_then(|entry| fs::rename(entry.path(), directory.join(name)))
                }
                None => Ok(()),
            };
            renamed.map_err(|error| Error::transfer(&error))?;
            if parent.is_empty() { "/" } else { parent }.to_owned()
        };
        machine
            .push(&directory, &destination, &copying.owner, self.listener)
            .await
    }

    /// Makes an environment of a stage.
    pub(super) async fn save(&self, last: &Finished) -> Result<(), Error> {
        let (environments, name) = (&self.engine.environments, &self.order.name);
        let key = last.key.then(&("image", &last.process));
        if self.order.use_cache
            && let Some(image) = self.cache.known(&key.0)
            && environments.name_image(name, &image, &|_| ()).await?
        {
            return Ok(());
        }
        self.listener.phase("build", "read", ("environment", name));
        let step = last.has_disk.then_some(&*last.key.0);
        let machine = self.start(&last.ready, step, Purpose::Read).await?;
        let (engine, process) = (self.engine, last.process.clone());
        let machine = machine.into_machine();
        let saved = environment::save(engine, self.listener, machine, "build", name, process);
        self.cache.add_known(&key.0, &saved.await?.digest).await
    }
}

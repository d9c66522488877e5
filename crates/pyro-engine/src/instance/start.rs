//! Creating an instance, and starting the process that supervises it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};

use pyro_environment::{PullPolicy, Ready};
use pyro_machine::MachineSpec;
use pyro_store::{NewObject, Record};
use serde::{Deserialize, Serialize};

use super::diagnostics;
use super::files::disk_in;
use super::find::Instance;
use super::kind::InstanceKind;
use super::published::Published;
use super::record::{SeedRecord, State, VmRecord};
use super::time::now;
use super::wire::StartEvent;
use crate::command_options::CommandOptions;
use crate::config::SUPERVISE_COMMAND;
use crate::detached::{reap, run_detached};
use crate::environment;
use crate::network_policy::NetworkPolicy;
use crate::secrets::{SecretKind, Secrets};
use crate::{Config, Engine, Error, Event, Listener};

/// The parameters of a new instance.
pub(crate) struct NewInstance<'a> {
    pub(crate) kind: InstanceKind,
    pub(crate) ready: &'a Ready,
    pub(crate) vcpu_count: u32,
    pub(crate) mem_mib: u32,
    /// The lifetime; 0 if it is unlimited.
    pub(crate) ttl_seconds: u64,
    pub(crate) network: bool,
    /// The requested network policy, if one was given.
    pub(crate) network_policy: Option<NetworkPolicy>,
    pub(crate) ports: Vec<Published>,
    pub(crate) allow_host_compat: bool,
    pub(crate) name: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) secrets: Vec<SecretKind>,
}

/// The input of a supervisor process.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Description {
    pub(super) kind: InstanceKind,
    pub(super) id: String,
    pub(crate) config: Config,
    #[serde(default)]
    pub(super) secrets: Secrets,
}

impl Description {
    /// Parses the input of a supervisor process.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::malformed(SUPERVISE_COMMAND, &error))
    }
}

/// Creates a stopped instance from the files in `object`.
pub(crate) fn create(
    object: NewObject,
    new: &NewInstance<'_>,
    seed: Option<SeedRecord>,
) -> Result<Instance, Error> {
    let created_at = now();
    let record = VmRecord {
        format: VmRecord::FORMAT,
        environment: new.ready.name.clone(),
        environment_version: new.ready.version.clone(),
        environment_digest: new.ready.digest.clone(),
        environment_source: new.ready.source.clone(),
        spec: MachineSpec {
            vcpu_count: new.vcpu_count,
            mem_mib: new.mem_mib,
            kernel: new.ready.kernel.clone(),
            initramfs: new.ready.initramfs.clone(),
            rootfs: new.ready.rootfs.clone(),
            network: new.network,
        },
        ttl_seconds: new.ttl_seconds,
        created_at,
        expires_at: (new.ttl_seconds > 0).then_some(created_at + new.ttl_seconds as f64),
        allow_host_compat: new.allow_host_compat,
        name: new.name.clone(),
        labels: new.labels.clone(),
        secrets: new.secrets.clone(),
        state: State::Created,
        is_ending: false,
        reason: None,
        seed,
        has_disk: disk_in(object.path()).exists(),
        reset_to: None,
        defaults: new
            .ready
            .image
            .as_ref()
            .map_or_else(CommandOptions::default, |image| {
                CommandOptions::of_image(image, new.kind == InstanceKind::Workspace)
            }),
        network_policy: new.network_policy,
        ports: new.ports.clone(),
        wire: None,
    };
    let object = object.commit(&record)?;
    Ok(Instance {
        kind: new.kind,
        object,
        record,
        state: State::Created,
        reason: None,
    })
}

/// Starts the supervisor of a stopped instance, and returns when its guest is ready.
pub(crate) async fn start(
    engine: &Engine,
    instance: &Instance,
    secrets: Secrets,
    listener: &Listener,
) -> Result<(), Error> {
    engine.check_disk_limit().await?;
    refresh(engine, instance, listener).await?;
    let description = Description {
        kind: instance.kind,
        id: instance.id().to_owned(),
        config: engine.config.clone(),
        secrets,
    };
    let news = spawn(engine, instance, &description)?;
    let listener = listener.clone();
    let told = tokio::task::spawn_blocking(move || {
        let mut outcome = None;
        for line in BufReader::new(news).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(StartEvent::Notice(text)) => listener.report(Event::Notice(text)),
                Ok(StartEvent::Warning(text)) => listener.report(Event::Warning(text)),
                Ok(StartEvent::Timing { name, seconds }) => listener.report(Event::Timing {
                    name: Cow::Owned(name),
                    duration: std::time::Duration::from_secs_f64(seconds),
                }),
                Ok(StartEvent::Ready) => outcome = Some(Ok(())),
                Ok(StartEvent::Failed(error)) => outcome = Some(Err(error.into())),
                Err(error) => tracing::debug!(%error, line, "not news"),
            }
        }
        outcome
    });
    if let Ok(Some(outcome)) = told.await {
        return outcome;
    }
    let words = diagnostics::last_words(instance.object.path());
    Err(Error::supervisor_died(instance.kind.noun(), instance.id()).with_log_end(words))
}

/// Looks up the environment again, and records it.
async fn refresh(engine: &Engine, instance: &Instance, listener: &Listener) -> Result<(), Error> {
    let ready = environment_of(engine, instance, listener).await?;
    instance
        .object
        .update(|record: &mut VmRecord| {
            record.spec.kernel = ready.kernel;
            record.spec.initramfs = ready.initramfs;
            record.spec.rootfs = ready.rootfs;
        })
        .map(|_| ())
        .map_err(|error| Error::unreadable_record(instance.kind.noun(), instance.id(), &error))
}

/// Looks up the environment of an instance again. Its kernel and agent may be newer than when the VM
/// was created; its image must be the same, because the VM's disk is a layer above it.
pub(super) async fn environment_of(
    engine: &Engine,
    instance: &Instance,
    listener: &Listener,
) -> Result<Ready, Error> {
    let (noun, id, record) = (instance.kind.noun(), instance.id(), &instance.record);
    let changed = || Error::environment_changed(noun, id, &record.environment);
    if !engine.environments.status(&record.environment)?.installed() {
        return Err(changed());
    }
    let ready =
        environment::ready(engine, listener, &record.environment, PullPolicy::Never).await?;
    if ready.digest != record.environment_digest {
        return Err(changed());
    }
    Ok(ready)
}

/// Starts the supervisor process, which outlives this one.
fn spawn(
    engine: &Engine,
    instance: &Instance,
    description: &Description,
) -> Result<ChildStdout, Error> {
    let failed = |error: std::io::Error| Error::no_supervisor(&error.to_string());
    let Some(program) = &engine.config.program else {
        return Err(Error::no_supervisor("no program is set"));
    };
    let text = serde_json::to_string(description)
        .map_err(|error| Error::no_supervisor(&error.to_string()))?;
    // The id is shown in the list of processes.
    let words = [SUPERVISE_COMMAND, description.id.as_str()];
    let stderr = diagnostics::stderr(instance.object.path());
    let config = &engine.config;
    let mut child =
        run_detached(config, program, &words, &text, Stdio::piped(), stderr).map_err(failed)?;
    let news = child.stdout.take();
    reap(child);
    news.ok_or_else(|| Error::no_supervisor("it has no output"))
}

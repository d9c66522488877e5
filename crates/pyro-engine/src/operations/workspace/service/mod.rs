//! Services in a workspace: programs that run until they are stopped.

mod list;
mod logs;
mod start;
mod status;
mod stop;

pub use list::{List, Services};
pub use logs::{Logs, ServiceLogs};
pub use start::Start;
pub use status::Status;
pub use stop::Stop;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port::PublishedPort;
use crate::instance;
use crate::instance::{
    Instance, InstanceKind, Published, Readiness, Restart, ServiceRecord, ServiceState, State,
    WORKSPACE_STOPPED,
};
use crate::request::check_plain_name;
use crate::{Engine, Error};

/// A service.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Service {
    /// The workspace it is in.
    pub workspace_id: String,
    /// Its name.
    pub service_name: String,
    /// `running`, `exited` by itself, `stopped`, or `failed` to become ready.
    pub state: String,
    /// The command.
    pub command: String,
    /// Its working directory.
    pub cwd: String,
    /// When it was started last, in seconds since the Unix epoch.
    pub started_at: f64,
    /// When it ended; null if it is running, or if it ended with its workspace.
    pub ended_at: Option<f64>,
    /// Its exit code; 128 + N if signal N ended it; null if it has none.
    pub exit_code: Option<i32>,
    /// Its process id in the guest.
    pub pid: Option<i32>,
    /// Where it runs.
    pub execution_mode: String,
    /// Its readiness check; null if it is ready at once.
    pub readiness: Option<ServiceReadiness>,
    /// When it became ready; null if it never did.
    pub ready_at: Option<f64>,
    /// Why it is not running: `sigterm`, `sigkill`, `readiness_timeout`,
    /// `process_exited_before_ready` or `workspace_stopped`; null if it is running, or exited by
    /// itself.
    pub stop_reason: Option<String>,
    /// When it is restarted: `no` or `on-failure`.
    pub restart: String,
    /// How many times in a row it was restarted.
    pub restart_count: u32,
    /// Whether the workspace may be paused while it runs.
    pub pausable: bool,
    /// Whether it is started when its workspace is started again.
    pub autostart: bool,
    /// The ports that are published with it, until it has ended.
    pub published_ports: Vec<PublishedPort>,
}

/// The readiness check of a service.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServiceReadiness {
    /// `file`, `tcp`, `http` or `command`.
    #[serde(rename = "type")]
    pub kind: String,
    /// With `file`: the file that must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// With `tcp`: the address that must accept connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// With `http`: the URL that must be answered with a status below 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// With `command`: the command that must exit with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl From<Readiness> for ServiceReadiness {
    fn from(readiness: Readiness) -> Self {
        let [mut path, mut address, mut url, mut command] = [const { None }; 4];
        let kind = match readiness {
            Readiness::File { path: file } => {
                path = Some(file);
                "file"
            }
            Readiness::Tcp {
                address: wanted, ..
            } => {
                address = Some(wanted);
                "tcp"
            }
            Readiness::Http { url: wanted, .. } => {
                url = Some(wanted);
                "http"
            }
            Readiness::Command { command: line } => {
                command = Some(line);
                "command"
            }
        };
        Self {
            kind: kind.into(),
            path,
            address,
            url,
            command,
        }
    }
}

impl Service {
    fn of(instance: &Instance, record: ServiceRecord) -> Self {
        let ended_with_workspace = record.is_alive() && instance.state != State::Started;
        let definition = record.definition;
        let ports = instance.ports();
        let published_ports = of_service(&ports, &definition.name)
            .map(PublishedPort::from)
            .collect();
        let (state, stop_reason) = if ended_with_workspace {
            (ServiceState::Stopped, Some(WORKSPACE_STOPPED.to_owned()))
        } else {
            (record.state, record.stop_reason)
        };
        Self {
            workspace_id: instance.id().to_owned(),
            service_name: definition.name,
            state: state.name().into(),
            command: definition.command,
            cwd: definition
                .options
                .cwd
                .unwrap_or_else(|| crate::request::WORKSPACE.into()),
            started_at: record.started_at,
            ended_at: record.ended_at,
            exit_code: record.exit_code,
            pid: record.pid,
            execution_mode: "guest_vsock".into(),
            readiness: definition.readiness.map(ServiceReadiness::from),
            ready_at: record.ready_at,
            stop_reason,
            restart: match definition.restart {
                Restart::No => "no",
                Restart::OnFailure => "on-failure",
            }
            .into(),
            restart_count: record.restarts,
            pausable: definition.pausable,
            autostart: definition.autostart,
            published_ports,
        }
    }

    fn runs(&self) -> bool {
        self.state == ServiceState::Running.name()
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    check_plain_name("service_name", name)
}

/// Finds a service with its workspace.
fn find(engine: &Engine, workspace_id: &str, name: &str) -> Result<(Instance, Service), Error> {
    check_name(name)?;
    let found = engine.instance(InstanceKind::Workspace, workspace_id)?;
    let record = found.services().record(name);
    let record = record.ok_or_else(|| Error::no_such_service(workspace_id, name))?;
    let service = Service::of(&found, record);
    Ok((found, service))
}

/// Takes back the ports that were published with a service, as far as they still are.
async fn take_ports_back(found: &Instance, service: &str) -> Result<(), Error> {
    for port in of_service(&found.record.ports, service) {
        instance::take_back(found, port.host_port).await?;
    }
    Ok(())
}

fn of_service<'a>(
    ports: &'a [Published],
    service: &'a str,
) -> impl Iterator<Item = &'a Published> + 'a {
    ports
        .iter()
        .filter(move |port| port.service.as_deref() == Some(service))
}

/// How many services a workspace has, and how many of them run.
pub(super) fn counts(instance: &Instance) -> (usize, usize) {
    let services = instance.services().all();
    let running = |record: &&ServiceRecord| {
        record.state == ServiceState::Running && instance.state == State::Started
    };
    (services.len(), services.iter().filter(running).count())
}

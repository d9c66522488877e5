//! `workspace service start`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Service, ServiceReadiness, check_name, find, take_ports_back};
use crate::command_options::CommandOptions;
use crate::instance::{
    self, Instance, InstanceKind, Published, Readiness, Restart, ServiceDefinition,
};
use crate::operation::{Effect, Operation};
use crate::port_rule::PortRule;
use crate::request::{
    ShellCommand, WORKSPACE, guest_path, half_a_minute, octets_parser, positive_seconds, within,
};
use crate::{Context, Engine, Error, SecretVariables, Variables};

const INTERVAL_MS: std::ops::RangeInclusive<i64> = 10..=60_000;
const RESTARTS: std::ops::RangeInclusive<i64> = 0..=1_000_000;
const RESTART_RULES: [&str; 2] = ["no", "on-failure"];

/// Start a service in a workspace: a program that runs until it is stopped
///
/// Returns when the service is ready, as the requested readiness check determines, or has failed to
/// become ready. The newest 2 million characters of each of its output streams are kept. The service
/// does not depend on the client that started it. While it runs, the workspace is not paused, unless
/// the service is `pausable`.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace service start 0123456789ab web --ready-tcp 8000 --publish 8080:8000 -- python3 -m http.server 8000\n  \
    pyro workspace service start 0123456789ab db --ready-command 'pg_isready -q' \\\n    \
    --restart on-failure --autostart --user postgres -- /usr/lib/postgresql/15/bin/postgres -D /srv/db -k /tmp\n\n\
    /run is in the guest's memory, and empty after each start of the workspace.\n\n\
    Exit status: 0 if the service is ready, 1 if it failed.")]
pub struct Start {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the service: letters, digits, `.`, `_` and `-`
    pub service_name: String,
    /// Shell command to run, for example `python3 -m http.server 8000`
    #[command(flatten)]
    #[serde(default)]
    pub command: ShellCommand,
    /// Working directory: an absolute path, or one relative to /workspace
    #[arg(long, value_name = "PATH", default_value_t = workspace(), value_parser = octets_parser())]
    #[serde(default = "workspace")]
    pub cwd: String,
    /// Environment variables of the service, by name; they are stored on the host's disk
    #[command(flatten)]
    #[serde(default)]
    pub env: Variables,
    /// Secrets of the workspace to pass as environment variables: the name of each secret with the
    /// name of its variable
    #[command(flatten)]
    #[serde(default)]
    pub secret_env: SecretVariables,
    /// User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
    /// the default is root
    #[arg(long, value_name = "USER")]
    #[serde(default)]
    pub user: Option<String>,
    /// Ready when this file exists: an absolute path, or one relative to /workspace
    #[arg(long, value_name = "PATH", group = "ready", value_parser = octets_parser())]
    #[serde(default)]
    pub ready_file: Option<String>,
    /// Ready when this TCP port of the guest accepts connections: `8000` or `127.0.0.1:8000`
    #[arg(long, value_name = "ADDRESS", group = "ready")]
    #[serde(default)]
    pub ready_tcp: Option<String>,
    /// Ready when a request in the guest for this URL is answered with a status below 400:
    /// `http://127.0.0.1:8000/health`
    #[arg(long, value_name = "URL", group = "ready")]
    #[serde(default)]
    pub ready_http: Option<String>,
    /// Ready when this shell command exits with 0
    #[arg(long, value_name = "COMMAND", group = "ready")]
    #[serde(default)]
    pub ready_command: Option<String>,
    /// The readiness check as one object, instead of the four properties: `type` is `file`, `tcp`,
    /// `http` or `command`, with `path`, `address`, `url` or `command`
    #[arg(skip)]
    #[serde(default)]
    pub readiness: Option<ServiceReadiness>,
    /// Seconds after which the service is ended if it is not ready
    #[arg(long, value_name = "SECONDS", default_value_t = half_a_minute(), allow_negative_numbers = true)]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub ready_timeout_seconds: i64,
    /// Milliseconds between two readiness checks, 10 to 60000
    #[arg(long, value_name = "MS", default_value_t = half_a_second(), allow_negative_numbers = true)]
    #[serde(default = "half_a_second")]
    #[schemars(range(min = 10, max = 60_000))]
    pub ready_interval_ms: i64,
    /// Publish a TCP port of the guest on this host until the service has ended, by itself or not, as
    /// `workspace port add` does; one that is started again keeps it
    #[arg(long = "publish", value_name = "[[ADDRESS:]HOST_PORT:]GUEST_PORT")]
    #[serde(default)]
    pub published_ports: Option<Vec<PortRule>>,
    /// When to restart the service after it has exited: `no`, or `on-failure`, if its exit code was
    /// not 0. The first restart is after 1 second; the delay doubles with each further one
    #[arg(long, value_name = "WHEN", default_value_t = no(), value_parser = RESTART_RULES)]
    #[serde(default = "no")]
    #[schemars(extend("enum" = RESTART_RULES))]
    pub restart: String,
    /// Maximum number of consecutive restarts
    #[arg(long, value_name = "N", default_value_t = five(), allow_negative_numbers = true)]
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_restarts: i64,
    /// Allow the workspace to be paused while the service runs, if it is otherwise idle
    #[arg(long)]
    #[serde(default)]
    pub pausable: bool,
    /// Start the service whenever the workspace is started again
    #[arg(long)]
    #[serde(default)]
    pub autostart: bool,
}

fn workspace() -> String {
    WORKSPACE.into()
}

fn half_a_second() -> i64 {
    500
}

fn no() -> String {
    "no".into()
}

fn five() -> i64 {
    5
}

impl Start {
    fn definition(self) -> Result<ServiceDefinition, Error> {
        check_name(&self.service_name)?;
        let readiness = self.readiness()?;
        // The default directory is created again if a command has removed it.
        let cwd = Some(self.cwd.as_str()).filter(|path| *path != WORKSPACE);
        let timeout = positive_seconds("ready_timeout_seconds", self.ready_timeout_seconds)?;
        Ok(ServiceDefinition {
            command: self.command.line()?,
            options: CommandOptions::checked(self.env, cwd, self.user)?
                .with_secrets(self.secret_env)?,
            readiness,
            ready_timeout_seconds: timeout.as_secs(),
            ready_interval_ms: within("ready_interval_ms", self.ready_interval_ms, &INTERVAL_MS)?,
            restart: match self.restart.as_str() {
                "no" => Restart::No,
                "on-failure" => Restart::OnFailure,
                _ => return Err(Error::invalid("restart must be 'no' or 'on-failure'")),
            },
            max_restarts: within("max_restarts", self.max_restarts, &RESTARTS)?,
            pausable: self.pausable,
            autostart: self.autostart,
            name: self.service_name,
        })
    }

    fn readiness(&self) -> Result<Option<Readiness>, Error> {
        let checks = [
            self.ready_file.as_deref().map(file),
            self.ready_tcp.as_deref().map(tcp),
            self.ready_http.as_deref().map(http),
            self.ready_command.as_deref().map(command),
        ];
        let object = self.readiness.as_ref().map(of_object);
        let mut checks = checks.into_iter().chain([object]).flatten();
        let first = checks.next().transpose()?;
        if checks.next().is_some() {
            let message = "of ready_file, ready_tcp, ready_http, ready_command and readiness, one can be \
                           given";
            return Err(Error::invalid(message));
        }
        Ok(first)
    }
}

fn of_object(readiness: &ServiceReadiness) -> Result<Readiness, Error> {
    let needs = |value: &'_ Option<String>, key| {
        let value = value.clone();
        value.ok_or_else(|| {
            let kind = &readiness.kind;
            Error::invalid(format!("readiness of type '{kind}' needs {key}"))
        })
    };
    match readiness.kind.as_str() {
        "file" => file(&needs(&readiness.path, "path")?),
        "tcp" => tcp(&needs(&readiness.address, "address")?),
        "http" => http(&needs(&readiness.url, "url")?),
        "command" => command(&needs(&readiness.command, "command")?),
        _ => Err(Error::invalid(
            "readiness must have the type file, tcp, http or command",
        )),
    }
}

fn file(path: &str) -> Result<Readiness, Error> {
    Ok(Readiness::File {
        path: guest_path("ready_file", path)?,
    })
}

fn command(line: &str) -> Result<Readiness, Error> {
    Ok(Readiness::Command {
        command: ShellCommand::from(line).line()?,
    })
}

fn tcp(address: &str) -> Result<Readiness, Error> {
    let port = port_of(address).ok_or_else(|| {
        let address = pyro_text::line(address);
        Error::invalid(format!(
            "ready_tcp must be a port of the guest itself, such as 8000 or 127.0.0.1:8000, not \
             '{address}'"
        ))
    })?;
    Ok(Readiness::Tcp {
        address: address.to_owned(),
        port,
    })
}

fn http(url: &str) -> Result<Readiness, Error> {
    let wrong = || {
        let url = pyro_text::line(url);
        Error::invalid(format!(
            "ready_http must be a URL of the guest itself, such as http://127.0.0.1:8000/health, not \
             '{url}'"
        ))
    };
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (address, path) = match rest.find(['/', '?']) {
        Some(place) => rest.split_at(place),
        None => (rest, ""),
    };
    let is_plain = |character: char| character.is_ascii_graphic();
    if !path.chars().all(is_plain) {
        return Err(wrong());
    }
    let port = match port_of(address) {
        Some(port) => port,
        None if is_loopback(address) => 80,
        None => return Err(wrong()),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = path.split('#').next().unwrap_or_default();
    Ok(Readiness::Http {
        url: url.to_owned(),
        port,
        target: format!("{slash}{path}"),
    })
}

/// Returns the port of `PORT` or `HOST:PORT`. The host must be the guest itself.
fn port_of(address: &str) -> Option<u16> {
    let port = match address.rsplit_once(':') {
        Some((host, port)) if is_loopback(host) => port,
        Some(_) => return None,
        None => address,
    };
    port.parse().ok().filter(|port| *port > 0)
}

fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "::1"].contains(&host)
}

/// Publishes all these ports, or none.
async fn publish_all(
    found: &Instance,
    service: &str,
    rules: &[PortRule],
) -> Result<Vec<Published>, Error> {
    let mut published = Vec::new();
    for rule in rules {
        match instance::publish(found, Published::from(*rule).with(service)).await {
            Ok(port) => published.push(port),
            Err(error) => {
                take_all_back(found, &published).await;
                return Err(error);
            }
        }
    }
    Ok(published)
}

async fn take_all_back(found: &Instance, ports: &[Published]) {
    for port in ports {
        // It fails if somebody else has done it.
        if let Err(error) = instance::take_back(found, port.host_port).await {
            tracing::debug!(%error, "a port is not taken back");
        }
    }
}

impl Operation for Start {
    const NAME: &'static str = "service_start";
    const COMMAND: &'static [&'static str] = &["workspace", "service", "start"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    type Output = Service;

    fn exit_status(output: &Self::Output) -> u8 {
        u8::from(output.state == "failed")
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Service, Error> {
        let workspace_id = self.workspace_id.clone();
        let rules = self.published_ports.clone().unwrap_or_default();
        context.permissions.check_ports(&rules)?;
        let definition = self.definition()?;
        let name = definition.name.clone();
        let found = engine.instance(InstanceKind::Workspace, &workspace_id)?;
        found.require_started("service_start")?;
        let known = found.services().record(&name);
        if known.is_some_and(|record| record.is_alive()) {
            return Err(Error::service_runs(&name));
        }
        // Of a start whose caller was killed before there was a service.
        take_ports_back(&found, &name).await?;
        // First: a service whose port is taken must not run.
        let published = publish_all(&found, &name, &rules).await?;
        let started = instance::start_service(&found, definition).await;
        if let Err(error) = started {
            take_all_back(&found, &published).await;
            return Err(error);
        }
        Ok(find(engine, &workspace_id, &name)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_concerns_the_guest_itself() {
        for (address, port) in [
            ("80", 80),
            ("127.0.0.1:8000", 8000),
            ("[::1]:1", 1),
            ("localhost:9", 9),
        ] {
            assert!(
                matches!(tcp(address), Ok(Readiness::Tcp { port: found, .. }) if found == port)
            );
        }
        for wrong in ["", "0", "65536", "example.org:80", "127.0.0.1:", "a:b:c"] {
            assert!(tcp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_has_a_port_and_a_target() {
        let parsed = |url| match http(url) {
            Ok(Readiness::Http { port, target, .. }) => Some((port, target)),
            _ => None,
        };
        assert_eq!(
            parsed("http://127.0.0.1:8000/a?b=c#d"),
            Some((8000, "/a?b=c".into()))
        );
        assert_eq!(parsed("http://localhost"), Some((80, "/".into())));
        assert_eq!(parsed("http://localhost?x"), Some((80, "/?x".into())));
        for wrong in [
            "https://localhost/",
            "localhost",
            "http://",
            "http://example.org/",
            "http://localhost/a b",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}

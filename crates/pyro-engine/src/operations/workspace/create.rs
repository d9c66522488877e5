//! `workspace create`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::{GIT_IGNORED, UNREADABLE, Wanted, fail, include};
use super::snapshot::check_any_name;
use super::{Workspace, labels};
use crate::environment;
use crate::instance::{self, BASELINE, DeleteOnDrop, Instance, InstanceKind, NewInstance};
use crate::network_policy::{self, NetworkPolicy};
use crate::operation::{Effect, Operation, ToolSet};
use crate::port_rule::PortRule;
use crate::pull_choice;
use crate::request::{
    DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT, MEM_MIB, VCPU_COUNT, octets_parser, one_gibibyte,
    one_vcpu, ten_minutes, within, workspace_ttl,
};
use crate::{Context, Engine, Error, SecretsGiven, transfer};

/// Create and start a workspace: a microVM for many commands
///
/// Its files are in /workspace, which is empty at first unless --seed-path is given. The workspace
/// exists until it is deleted or its time to live is over; while nothing runs in it, it is paused
/// and uses no processor time. Any process of the same user can use it by its id.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace create debian:12 --seed-path .\n  \
    pyro workspace create debian:12 --seed-path . --git-ignored exclude --exclude '*.log'\n  \
    pyro workspace create debian:12 --seed-path . --publish 8080:80\n  \
    pyro workspace create debian:12 --from-snapshot 0123456789ab:built\n  \
    pyro workspace create debian:12 --name 'fix the parser' --label issue=123 --id-only\n  \
    pyro workspace create debian:12 --secret-file API_KEY=key.txt\n  \
    pyro workspace create debian:12-build --seed-path src.tar.gz --ttl-seconds 0 --json")]
pub struct Create {
    /// Environment to boot, for example `debian:12`
    pub environment: String,
    /// Virtual processors, 1 to 8
    #[arg(long, default_value_t = DEFAULT_VCPU_COUNT.into(), value_name = "N", allow_negative_numbers = true)]
    #[serde(default = "one_vcpu")]
    #[schemars(range(min = 1, max = 8))]
    pub vcpu_count: i64,
    /// Memory in MiB, 256 to 32768
    #[arg(long, default_value_t = DEFAULT_MEM_MIB.into(), value_name = "MIB", allow_negative_numbers = true)]
    #[serde(default = "one_gibibyte")]
    #[schemars(range(min = 256, max = 32768))]
    pub mem_mib: i64,
    /// Time to live in seconds, after which the workspace ends even if commands are running; at
    /// least 60, or 0 for no limit
    #[arg(long, default_value_t = ten_minutes(), value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 0))]
    pub ttl_seconds: i64,
    /// Let the guest reach the Internet, but neither this host nor private networks
    #[arg(long)]
    #[serde(default)]
    pub network: bool,
    /// Network policy: `off`; `egress`, the same as --network; or `egress+published-ports`. Ports
    /// can be published with any of them
    #[arg(long, value_name = "POLICY", value_parser = network_policy::NAMES)]
    #[serde(default)]
    #[schemars(extend("enum" = network_policy::CHOICES))]
    pub network_policy: Option<String>,
    /// Publish a TCP port of the guest on this host. The default address is the loopback address;
    /// the default host port is a free one (1025 to 65535)
    #[arg(long = "publish", value_name = "[[ADDRESS:]HOST_PORT:]GUEST_PORT")]
    #[serde(default)]
    pub published_ports: Option<Vec<PortRule>>,
    /// Accepted for compatibility, without effect: VMs and workspaces never run on the host
    #[arg(long)]
    #[serde(default)]
    pub allow_host_compat: bool,
    /// Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy into the new
    /// workspace
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    #[serde(default)]
    pub seed_path: Option<String>,
    /// Begin with the files of a snapshot of another workspace of this environment, `ID:NAME`;
    /// `ID:baseline` has the files that workspace began with
    #[arg(long, value_name = "ID:NAME")]
    #[serde(default)]
    pub from_snapshot: Option<String>,
    /// Name of up to 120 characters, shown in lists; it need not be unique
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub name: Option<String>,
    /// Labels, each a key with a value: `issue=123`
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = labels::parse)]
    #[serde(default, with = "labels")]
    #[schemars(with = "labels::Schema")]
    pub labels: Option<Vec<(String, String)>>,
    /// Secrets of the workspace: files in /run/pyro-secrets that only root can read, in the guest's
    /// memory
    #[command(flatten)]
    #[serde(default)]
    pub secrets: SecretsGiven,
    /// Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
    /// `/build`; the last matching pattern decides
    #[arg(long, value_name = "PATTERN")]
    #[serde(default)]
    pub exclude: Option<Vec<String>>,
    /// Leave out files that match a pattern in this file, which has one pattern on each line
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = octets_parser())]
    #[serde(default)]
    pub exclude_from: Option<String>,
    /// Whether to copy files that git ignores, according to the .gitignore files of the directory:
    /// `include` or `exclude`
    #[arg(long, default_value_t = include(), value_name = "WHETHER", value_parser = GIT_IGNORED)]
    #[serde(default = "include")]
    #[schemars(extend("enum" = GIT_IGNORED))]
    pub git_ignored: String,
    /// What to do with files that cannot be read: `fail`, or `skip` them
    #[arg(long, default_value_t = fail(), value_name = "WHAT", value_parser = UNREADABLE)]
    #[serde(default = "fail")]
    #[schemars(extend("enum" = UNREADABLE))]
    pub unreadable: String,
    /// When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
    /// `never`, and use only what is installed
    #[arg(long, default_value_t = pull_choice::missing(), value_name = "WHEN", value_parser = pull_choice::CHOICES)]
    #[serde(default = "pull_choice::missing")]
    #[schemars(extend("enum" = pull_choice::CHOICES))]
    pub pull: String,
}

impl Create {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            exclude: self.exclude.as_deref(),
            exclude_from: self.exclude_from.as_deref(),
            git_ignored: &self.git_ignored,
            unreadable: &self.unreadable,
        }
    }
}

impl Create {
    /// Finds the snapshot that `text` names, and its workspace.
    async fn snapshot<'a>(
        &self,
        engine: &Engine,
        text: &'a str,
    ) -> Result<(Instance, &'a str), Error> {
        let Some((id, name)) = text.split_once(':') else {
            return Err(Error::invalid(
                "from_snapshot must be ID:NAME, a workspace and its snapshot",
            ));
        };
        check_any_name(name)?;
        let other = engine.instance(InstanceKind::Workspace, id)?;
        if other.record.environment != self.environment {
            return Err(Error::invalid(format!(
                "from_snapshot names a workspace of {}, whose disk does not fit {}",
                other.record.environment, self.environment
            )));
        }
        if name != BASELINE {
            other.snapshot(name)?;
        }
        engine.check_room(other.disk_bytes(Some(name))).await?;
        Ok((other, name))
    }
}

impl Operation for Create {
    const NAME: &'static str = "workspace_create";
    const COMMAND: &'static [&'static str] = &["workspace", "create"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const HOST_PATHS: &'static [&'static str] = &["seed_path", "exclude_from"];
    const TOOL_SET: ToolSet = ToolSet::Core;
    const FULL_ONLY: &'static [&'static str] = &["network_policy", "secrets", "pull"];
    type Output = Workspace;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Workspace, Error> {
        let vcpu_count = within("vcpu_count", self.vcpu_count, &VCPU_COUNT)?;
        let mem_mib = within("mem_mib", self.mem_mib, &MEM_MIB)?;
        let ttl_seconds = workspace_ttl(self.ttl_seconds)?;
        if let Some(name) = &self.name {
            labels::check_name(name)?;
        }
        let labels = labels::checked(self.labels.clone())?;
        let pull = pull_choice::policy(&self.pull)?;
        let (secrets, kinds) = self.secrets.read(context)?;
        let policy = NetworkPolicy::of(self.network_policy.as_deref(), self.network)?;
        let network = self.network || policy.is_some_and(|policy| policy != NetworkPolicy::Off);
        let rules = self.published_ports.as_deref();
        context.permissions.check_ports(rules.unwrap_or_default())?;
        let ports = instance::checked_ports(rules)?;
        for port in &ports {
            // A port that is taken is told before a seed is copied; the supervisor tries again.
            port.clone().listen()?;
        }
        engine.environments.status(&self.environment)?;
        // Checked before the seed takes space.
        engine.check_disk_limit().await?;
        let source = match &self.seed_path {
            Some(path) => {
                let source = context.permissions.open("seed_path", path)?;
                Some(source.select(self.wanted().selection(context)?)?)
            }
            None if self.wanted().is_all() => None,
            None => {
                let message = "there is nothing to leave out where seed_path is not given";
                return Err(Error::invalid(message));
            }
        };
        let copied = match &self.from_snapshot {
            Some(_) if self.seed_path.is_some() => {
                let message =
                    "seed_path and from_snapshot exclude each other: a snapshot has its seed";
                return Err(Error::invalid(message));
            }
            Some(text) => Some(self.snapshot(engine, text).await?),
            None => None,
        };
        if network {
            engine.machines.check_network()?;
        }
        let listener = &context.listener;
        let permissions = &context.permissions;
        let pull = permissions.pull_policy(&self.environment, pull);
        let ready = environment::ready(engine, listener, &self.environment, pull).await?;
        let new = NewInstance {
            kind: InstanceKind::Workspace,
            ready: &ready,
            vcpu_count,
            mem_mib,
            ttl_seconds,
            network,
            network_policy: policy,
            ports,
            allow_host_compat: self.allow_host_compat,
            name: self.name,
            labels,
            secrets: kinds,
        };
        let object = engine.objects(InstanceKind::Workspace).create()?;
        let seed = match (source, copied) {
            (Some(source), _) => Some(transfer::seed(source, object.path(), listener).await?),
            (None, Some((other, name))) => {
                if other.record.environment_digest != ready.digest {
                    let environment = &self.environment;
                    return Err(Error::environment_changed(
                        "workspace",
                        other.id(),
                        environment,
                    ));
                }
                other.copy_snapshot(name, object.path()).await?
            }
            (None, None) => None,
        };
        let made = instance::create(object, &new, seed)?;
        // The caller gets the id only when the workspace runs, so a failed one must not remain.
        let unfinished = DeleteOnDrop::new(engine, made.object.clone());
        instance::start(engine, &made, secrets, listener).await?;
        unfinished.disarm();
        Ok(Workspace::from(
            &engine.instance(InstanceKind::Workspace, made.id())?,
        ))
    }
}

//! `run`

use std::convert::Infallible;
use std::time::{Duration, Instant};

use pyro_environment::{Image, PullPolicy, Ready};
use pyro_machine::{Command, Control, LaunchEvent, Machine, MachineSpec, Start, Streams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::finished::Finished;
use super::host_compat;
use crate::command::{
    exit_code, exit_status, milliseconds, out_of_memory, set_input, streams, time_limit,
};
use crate::command_line::line_to_run;
use crate::command_options::CommandOptions;
use crate::disk_limit::{DiskLimit, allocated_bytes};
use crate::environment;
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::{Capture, CommandOutput, is_false};
use crate::pull_choice;
use crate::request::{
    DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT, MEM_MIB, ShellCommand, TTL_SECONDS, VCPU_COUNT,
    half_a_minute, octets_parser, one_gibibyte, one_vcpu, ten_minutes, within,
};
use crate::{Context, Engine, Error, Event, Listener, Terminal, Variables};

/// Run one command in a new microVM, then discard the microVM
///
/// The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
/// ended it.
///
/// With `allow_host_compat`, on a host that cannot run guests, the command runs on the host itself,
/// WITHOUT ISOLATION, and may destroy the user's files.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro run debian:12 -- git --version\n  \
    pyro run debian:12-build --mem-mib 2048 -- sh -c 'gcc --version; nproc'\n  \
    tar c . | pyro run debian:12 -- sh -c 'tar x && ls'\n  \
    pyro run -it debian:12 -- bash\n  \
    pyro run debian:12 -e LANG=C --user www-data --cwd /tmp -- sh -c 'id; pwd'\n  \
    pyro run debian:12 --json --timeout-seconds 5 -- uname -r\n  \
    pyro run --network docker.io/curlimages/curl --with-entrypoint -- -sI https://example.org/\n\n\
    Output is shown as it is printed. Standard input is passed to the command unless it is a \
    terminal.")]
pub struct Run {
    /// Environment to boot, for example `debian:12`
    pub environment: String,
    /// Shell command to run, for example `git --version`; without one, what the image of a registry
    /// is made to run
    #[command(flatten)]
    #[serde(default)]
    pub command: ShellCommand,
    /// Run the image's entry point with the command as its arguments
    #[arg(long)]
    #[serde(default)]
    pub with_entrypoint: bool,
    /// Environment variables of the command, by name
    #[command(flatten)]
    #[serde(default)]
    pub env: Variables,
    /// Working directory: an absolute path; /root is the default
    #[arg(long, value_name = "PATH", value_parser = octets_parser())]
    #[serde(default)]
    pub cwd: Option<String>,
    /// User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
    /// the default is root
    #[arg(long, value_name = "USER")]
    #[serde(default)]
    pub user: Option<String>,
    /// Text for the command's standard input
    #[arg(skip)]
    #[serde(default)]
    pub stdin: Option<String>,
    /// Virtual processors, 1 to 8
    #[arg(
        long,
        default_value_t = one_vcpu(),
        value_name = "N",
        allow_negative_numbers = true
    )]
    #[serde(default = "one_vcpu")]
    #[schemars(range(min = 1, max = 8))]
    pub vcpu_count: i64,
    /// Memory in MiB, 256 to 32768
    #[arg(
        long,
        default_value_t = one_gibibyte(),
        value_name = "MIB",
        allow_negative_numbers = true
    )]
    #[serde(default = "one_gibibyte")]
    #[schemars(range(min = 256, max = 32768))]
    pub mem_mib: i64,
    /// Time limit of the command in seconds; the default of 30 does not apply to commands with a
    /// terminal, which have no limit by default
    #[arg(
        long,
        default_value_t = 30,
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
    /// Seconds after which the microVM is ended even if the command is running; 60 to 3600; with a
    /// terminal, the default is 3600 instead of 600
    #[arg(
        long,
        default_value_t = 600,
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 60, max = 3600))]
    pub ttl_seconds: i64,
    /// Let the guest reach the Internet, but neither this host nor private networks
    #[arg(long)]
    #[serde(default)]
    pub network: bool,
    /// Run the command on the host, WITHOUT ISOLATION, if this host cannot run guests
    #[arg(long)]
    #[serde(default)]
    pub allow_host_compat: bool,
    /// When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
    /// `never`, and use only what is installed
    #[arg(long, default_value_t = pull_choice::missing(), value_name = "WHEN", value_parser = pull_choice::CHOICES)]
    #[serde(default = "pull_choice::missing")]
    #[schemars(extend("enum" = pull_choice::CHOICES))]
    pub pull: String,
}

/// The result of a command.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RunResult {
    /// The microVM it ran in.
    pub vm_id: String,
    /// The environment.
    pub environment: String,
    /// The environment's version.
    pub environment_version: Option<String>,
    /// The command.
    pub command: String,
    /// Its output.
    #[serde(flatten)]
    pub printed: CommandOutput,
    /// Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
    pub exit_code: i32,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Where it ran: `guest_vsock` in the microVM, `host_compat` on the host.
    pub execution_mode: String,
    /// The end of the microVM.
    pub cleanup: Cleanup,
    /// Present if the command was ended at its time limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub timed_out: bool,
    /// Present if the command failed and the guest's kernel killed one of its processes because
    /// memory was exhausted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
    /// Present if a signal ended the command: its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

/// The end of a microVM.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Cleanup {
    /// The microVM.
    pub vm_id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Why.
    pub reason: String,
}

/// A request whose values are in range.
struct Checked {
    environment: String,
    line: Option<String>,
    with_entrypoint: bool,
    timeout: Option<Duration>,
    ttl: Duration,
    options: CommandOptions,
    vcpu_count: u32,
    mem_mib: u32,
    network: bool,
}

impl Run {
    /// Returns a request with the default limits.
    pub fn new(environment: &str, command: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            command: command.into(),
            with_entrypoint: false,
            env: Variables::default(),
            cwd: None,
            user: None,
            stdin: None,
            vcpu_count: one_vcpu(),
            mem_mib: one_gibibyte(),
            timeout_seconds: half_a_minute(),
            ttl_seconds: ten_minutes(),
            network: false,
            allow_host_compat: false,
            pull: pull_choice::missing(),
        }
    }

    fn check(self, terminal: bool) -> Result<Checked, Error> {
        let wanted = match self.ttl_seconds {
            seconds if terminal && seconds == ten_minutes() => *TTL_SECONDS.end(),
            seconds => seconds,
        };
        let ttl_seconds = within("ttl_seconds", wanted, &TTL_SECONDS)?;
        let needs_guest = terminal || self.cwd.is_some() || self.user.is_some();
        if self.allow_host_compat && needs_guest {
            let message = "a terminal, cwd and user are those of a guest; with allow_host_compat there \
                           may be none";
            return Err(Error::invalid(message));
        }
        Ok(Checked {
            vcpu_count: within("vcpu_count", self.vcpu_count, &VCPU_COUNT)?,
            mem_mib: within("mem_mib", self.mem_mib, &MEM_MIB)?,
            ttl: Duration::from_secs(ttl_seconds),
            timeout: time_limit(self.timeout_seconds, terminal)?,
            options: CommandOptions::checked(self.env, self.cwd.as_deref(), self.user)?,
            network: self.network,
            line: self.command.line_if_any()?,
            with_entrypoint: self.with_entrypoint,
            environment: self.environment,
        })
    }
}

impl Checked {
    /// Completes the request with what its image says of how programs run. Returns the words to run.
    fn complete(&mut self, image: Option<&Image>) -> Result<Vec<String>, Error> {
        let process = image.map(|image| &image.process);
        let line = line_to_run(self.line.take(), self.with_entrypoint, process)?;
        let line = self.line.insert(line).clone();
        if let Some(image) = image {
            let options = std::mem::take(&mut self.options);
            self.options = options.or(&CommandOptions::of_image(image, false));
        }
        self.options.argv(line)
    }
}

impl Operation for Run {
    const NAME: &'static str = "vm_run";
    const COMMAND: &'static [&'static str] = &["run"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const ON_HOST: bool = true;
    const TOOL_SET: ToolSet = ToolSet::Run;
    const FULL_ONLY: &'static [&'static str] = &["pull"];
    type Output = RunResult;

    fn exit_status(output: &Self::Output) -> u8 {
        exit_status(output.exit_code)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<RunResult, Error> {
        let allow_host_compat = self.allow_host_compat;
        let pull = pull_choice::policy(&self.pull)?;
        set_input(context, self.stdin.as_deref());
        let mut request = self.check(context.terminal.is_some())?;
        let status = engine.environments.status(&request.environment)?;
        if !status.is_image {
            // Before it is built, which takes long.
            line_to_run(request.line.clone(), request.with_entrypoint, None)?;
        }
        if request.network {
            engine.machines.check_network()?;
        }
        let permissions = &context.permissions;
        let policy = permissions.pull_policy(&request.environment, pull);
        let mut version = None;
        let finished = match start(engine, &mut request, policy, &context.listener).await {
            Ok((machine, spec, argv, ready)) => {
                version = Some(ready.version);
                let finished = in_guest(engine, machine, &request, argv, context).await?;
                if !spec.network {
                    let begun = Instant::now();
                    engine.park_successor(&spec);
                    context.listener.took("successor", begun);
                }
                finished
            }
            Err(error) if error.means_no_guest() && allow_host_compat => {
                let line = line_to_run(request.line.clone(), request.with_entrypoint, None)?;
                let (env, timeout) = (&request.options.env, request.timeout);
                host_compat::run(request.line.insert(line), env, timeout, &error, context).await?
            }
            // A caller without this permission gets no hint about it.
            Err(error) if error.means_no_guest() && context.permissions.host_compat => {
                return Err(error.guest_unavailable());
            }
            Err(error) => return Err(error),
        };
        Ok(RunResult {
            environment: request.environment,
            environment_version: version,
            command: request.line.unwrap_or_default(),
            printed: finished.printed.into(),
            exit_code: exit_code(&finished.outcome),
            duration_ms: milliseconds(finished.outcome.duration),
            execution_mode: finished.execution_mode.into(),
            cleanup: Cleanup {
                vm_id: finished.vm_id.clone(),
                deleted: true,
                reason: "post_exec_cleanup".into(),
            },
            vm_id: finished.vm_id,
            timed_out: finished.outcome.timed_out,
            oom_killed: finished.outcome.oom_killed,
            signal: finished
                .outcome
                .signal
                .filter(|_| !finished.outcome.timed_out),
        })
    }
}

/// Starts a machine from the environment.
async fn start(
    engine: &Engine,
    request: &mut Checked,
    policy: PullPolicy,
    listener: &Listener,
) -> Result<(Machine, MachineSpec, Vec<String>, Ready), Error> {
    let begun = Instant::now();
    listener.phase("run", "create", ("environment", &request.environment));
    engine.check_disk_limit().await?;
    let ready = environment::ready(engine, listener, &request.environment, policy).await?;
    listener.took("lookup", begun);
    let argv = request.complete(ready.image.as_ref())?;
    let spec = MachineSpec {
        network: request.network,
        ..spec(&ready, request.vcpu_count, request.mem_mib)
    };
    let launch_listener = |event: LaunchEvent<'_>| match event {
        LaunchEvent::Starting(id) => listener.phase("run", "start", ("vm_id", id.as_str())),
        LaunchEvent::Notice(text) => listener.report(Event::Notice(text)),
    };
    let begun = Instant::now();
    let machine = engine
        .machines
        .launch(&spec, engine.config.start, &launch_listener)
        .await?;
    // The time for waiting for a slot, determining the platform, and finding a template or a parked
    // machine.
    let admission = begun.elapsed();
    let phases = machine.phases().iter().map(|phase| phase.duration).sum();
    listener.report(Event::Timing {
        name: "admission".into(),
        duration: admission.saturating_sub(phases),
    });
    for phase in machine.phases() {
        listener.report(Event::Timing {
            name: phase.name.into(),
            duration: phase.duration,
        });
    }
    listener.report(Event::Started {
        vm_id: machine.id().to_string(),
        accelerator: machine.accelerator().name(),
        origin: origin(&machine),
    });
    Ok((machine, spec, argv, ready))
}

/// How a machine was made, in the words of its start.
fn origin(machine: &Machine) -> &'static str {
    let had = |name| machine.phases().iter().any(|phase| phase.name == name);
    if had("claim") {
        "kept ready from before"
    } else if had("restore") {
        "restored from a template"
    } else {
        "booted"
    }
}

/// The specification of a machine of this size.
fn spec(ready: &Ready, vcpu_count: u32, mem_mib: u32) -> MachineSpec {
    MachineSpec {
        vcpu_count,
        mem_mib,
        kernel: ready.kernel.clone(),
        initramfs: ready.initramfs.clone(),
        rootfs: ready.rootfs.clone(),
        network: false,
    }
}

/// Prepares the template for a run with the default size. A run also works without one.
pub(in crate::operations) async fn prepare_template(engine: &Engine, ready: &Ready) {
    if engine.config.start != Start::Restore {
        return;
    }
    let spec = spec(ready, DEFAULT_VCPU_COUNT, DEFAULT_MEM_MIB);
    if let Err(error) = engine.machines.prepare(&spec).await {
        tracing::debug!(%error, "no template could be made");
    }
}

/// Forwards changes of the size of the caller's terminal.
async fn pass_sizes_on(
    terminal: Option<Terminal>,
    controls: mpsc::UnboundedSender<Control>,
) -> Infallible {
    if let Some(mut terminal) = terminal {
        while let Some(size) = terminal.sizes.recv().await {
            // This fails if the command has ended.
            let _ = controls.send(Control::Resize(size));
        }
    }
    std::future::pending().await
}

/// Runs the command; the machine is gone when this returns.
async fn in_guest(
    engine: &Engine,
    mut machine: Machine,
    request: &Checked,
    argv: Vec<String>,
    context: &mut Context,
) -> Result<Finished, Error> {
    let vm_id = machine.id().to_string();
    context.listener.phase("run", "execute", ("vm_id", &vm_id));
    let command = Command {
        argv,
        timeout: request.timeout,
        env: request.options.env.clone().into_iter().collect(),
        cwd: request.options.cwd.clone(),
        user: request.options.user.clone(),
        terminal: context.terminal.as_ref().map(|terminal| terminal.size),
        ..Command::default()
    };
    let (controls, mut arrivals) = mpsc::unbounded_channel();
    let sizes = pass_sizes_on(context.terminal.take(), controls);
    let mut captures = [Capture::default(), Capture::default()];
    let files = engine.machines.directory_of(machine.id());
    let limit = DiskLimit::of(&engine.config);
    let grown_too_big = limit.watch(|| allocated_bytes(&files), async || {});
    let begun = Instant::now();
    let outcome = {
        let (stdin, stdout, stderr) = streams(context, &mut captures);
        let stdin = stdin.map(|stdin| stdin as _);
        let run = machine.run(
            &command,
            Streams {
                stdin,
                stdout,
                stderr,
                controls: Some(&mut arrivals),
                started: None,
            },
        );
        tokio::select! {
            ended = tokio::time::timeout(request.ttl, run) => {
                ended.map_err(|_| Error::expired("vm", &vm_id, request.ttl.as_secs()))??
            }
            never = sizes => match never {},
            exceeded = grown_too_big => return Err(exceeded.ended("the machine")),
        }
    };
    context.listener.took("command", begun);
    if outcome.oom_killed {
        context.listener.report(out_of_memory(request.mem_mib));
    }
    let begun = Instant::now();
    drop(machine);
    context.listener.took("teardown", begun);
    Ok(Finished {
        vm_id,
        outcome,
        printed: captures.map(Capture::finish),
        execution_mode: "guest_vsock",
    })
}

//! `pyro mcp`: starting the MCP server, and configuring MCP hosts to start it.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use pyro_engine::{Config, HostDirectories, Permissions, variables};
use pyro_mcp::{
    Directories, Endpoint, Host, HttpServer, Offer, Profile, Registration, Scope, Stdio,
    serve_stdio,
};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::setup::{configuration, runtime};
use crate::signals;
use crate::standard::{self, to_stderr};
use crate::styles::ERROR;
use crate::token;

const LISTEN: &str = "127.0.0.1:8765";

/// The commands.
pub(crate) fn command() -> Command {
    Command::new("mcp")
        .about("Offer the operations to agents, as an MCP server")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(serve())
        .subcommand(config())
}

fn serve() -> Command {
    Command::new("serve")
        .about("Serve one client on standard input and output, or many over HTTP")
        .long_about(
            "Serve one client on standard input and output, or many over HTTP\n\n\
             When the client closes standard input, the server completes and answers the requests \
             that it has received, for at most ten minutes; then it exits and ends all running \
             commands. On a signal, or when its output is closed, it exits immediately.",
        )
        .after_help(
            "Examples:\n  pyro mcp serve\n  pyro mcp serve --profile vm-run\n  \
             pyro mcp serve --transport http --listen 127.0.0.1:8765",
        )
        .arg(profile())
        .arg(
            Arg::new("files")
                .long("files")
                .value_name("DIRECTORY")
                .value_parser(clap::value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath)
                .action(ArgAction::Append)
                .help(
                    "Directory from which agents may copy files into guests, and in which they may \
                     create files (`workspace_export`); may be repeated [default: the current \
                     directory and, on standard input, the client's roots]",
                ),
        )
        .arg(
            Arg::new("allow-host-compat")
                .long("allow-host-compat")
                .action(ArgAction::SetTrue)
                .help(
                    "Let agents run commands on this host, WITHOUT ISOLATION, if it cannot run \
                     guests at all; clients that can ask their user ask first",
                ),
        )
        .arg(
            Arg::new("allow-pull")
                .long("allow-pull")
                .action(ArgAction::SetTrue)
                .help(
                    "Let agents change and remove files in these directories \
                     (`workspace_sync_pull`); without it they can only see the plan",
                ),
        )
        .arg(
            Arg::new("allow-public-ports")
                .long("allow-public-ports")
                .action(ArgAction::SetTrue)
                .help(
                    "Let agents publish ports on addresses that other machines can reach; \
                     without it, only on the loopback address",
                ),
        )
        .arg(
            Arg::new("transport")
                .long("transport")
                .value_name("TRANSPORT")
                .value_parser(["stdio", "http"])
                .default_value("stdio")
                .help("Transport between clients and the server"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS:PORT")
                .value_parser(clap::value_parser!(SocketAddr))
                .default_value(LISTEN)
                .help("Address and port for HTTP; port 0 selects a free one"),
        )
        .arg(
            Arg::new("token-file")
                .long("token-file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help(format!(
                    "File with the bearer token that HTTP clients must present; one is made and \
                     printed if there is none [environment variable: {}]",
                    variables::MCP_TOKEN
                )),
        )
        .arg(
            Arg::new("allow-host")
                .long("allow-host")
                .value_name("NAME")
                .action(ArgAction::Append)
                .value_hint(ValueHint::Hostname)
                .help(
                    "Host name that HTTP clients may use for the server, besides its own address",
                ),
        )
}

fn config() -> Command {
    let hosts = Host::ALL.iter().map(|host| host.name());
    Command::new("config")
        .about("Print the configuration with which a host starts the server, or write it to the host's file")
        .after_help(
            "Examples:\n  pyro mcp config claude-code\n  pyro mcp config codex --write\n  \
             pyro mcp config vscode --project --write --profile workspace-full",
        )
        .arg(
            Arg::new("host")
                .required(true)
                .value_name("HOST")
                .value_parser(PossibleValuesParser::new(hosts))
                .help("Program that runs the agent"),
        )
        .arg(profile().default_value(Profile::WorkspaceCore.name()))
        .arg(
            Arg::new("project")
                .long("project")
                .action(ArgAction::SetTrue)
                .help("Configure the host only for the current directory, not for the whole user account"),
        )
        .arg(
            Arg::new("write")
                .long("write")
                .action(ArgAction::SetTrue)
                .help("Write it to the host's own configuration file, and change nothing else there"),
        )
}

fn profile() -> Arg {
    let names = Profile::ALL.iter().map(|profile| profile.name());
    Arg::new("profile")
        .long("profile")
        .value_name("PROFILE")
        .value_parser(PossibleValuesParser::new(names))
        .default_value(Profile::default().name())
        .help("Set of tools to offer")
}

/// Carries out the command.
pub(crate) fn main(matches: &ArgMatches) -> ExitCode {
    let done = match matches.subcommand() {
        Some(("serve", matches)) => run_server(matches).map(|()| 0),
        Some(("config", matches)) => register(matches),
        _ => unreachable!("clap requires one of the subcommands"),
    };
    let failure = match done {
        Ok(status) => return ExitCode::from(status),
        Err(failure) => failure,
    };
    let mut lines = vec![format!("{ERROR}[error]{ERROR:#} {}", failure.message)];
    let cause = failure.cause.map(|cause| cause.replace('\n', "\n    "));
    lines.extend(cause.map(|cause| format!("  caused by: {cause}")));
    lines.extend(failure.remedy.map(|remedy| format!("  hint: {remedy}")));
    to_stderr(&format!("{}\n", lines.join("\n")));
    ExitCode::FAILURE
}

fn run_server(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches)?;
    let over_http = text(matches, "transport") == "http";
    let mut offer = Offer::new(chosen_profile(matches), permissions(matches, &config)?);
    // Over HTTP, a client's roots may be on another machine, or another user's.
    offer.client_roots = !over_http && matches.get_many::<PathBuf>("files").is_none();
    let runtime = runtime()?;
    let stop = CancellationToken::new();
    let served = if over_http {
        let endpoint = endpoint(matches)?;
        runtime.block_on(serve_http(config, offer, endpoint, stop))
    } else {
        if std::io::stdin().is_terminal() {
            note("an MCP client is expected on standard input; see `pyro mcp config --help`");
        }
        let stdio = Stdio::take()?;
        runtime.block_on(async {
            stop_on_signals(&stop);
            serve_stdio(config, offer, stdio, stop).await
        })
    };
    // A thread may still wait for the client's next message.
    runtime.shutdown_background();
    Ok(served?)
}

/// The permissions of agents on this host.
fn permissions(matches: &ArgMatches, config: &Config) -> Result<Permissions, Failure> {
    let named = matches.get_many::<PathBuf>("files").unwrap_or_default();
    let mut directories: Vec<&Path> = named.map(PathBuf::as_path).collect();
    if directories.is_empty() {
        directories.push(Path::new("."));
    }
    let home = std::env::var_os(variables::HOME).filter(|home| !home.is_empty());
    let home = home.map(PathBuf::from).filter(|home| home.is_absolute());
    Ok(Permissions {
        host_compat: matches.get_flag("allow-host-compat"),
        files: Some(HostDirectories::open_all(directories)?.with_home(home)),
        pull: matches.get_flag("allow-pull"),
        images: Some(config.registries.for_models.clone()),
        public_ports: matches.get_flag("allow-public-ports"),
    })
}

async fn serve_http(
    config: Config,
    offer: Offer,
    endpoint: Endpoint,
    stop: CancellationToken,
) -> Result<(), pyro_mcp::Error> {
    stop_on_signals(&stop);
    let server = HttpServer::bind(endpoint).await?;
    note(&format!("listening on {}", server.url()));
    if let Some(token) = server.made_token() {
        note(&format!(
            "clients must send `Authorization: Bearer {token}`"
        ));
    }
    server.serve(config, offer, stop).await
}

fn endpoint(matches: &ArgMatches) -> Result<Endpoint, Failure> {
    let file = matches.get_one::<PathBuf>("token-file");
    let token = token::read(file.map(PathBuf::as_path))?;
    let hosts = matches.get_many("allow-host").unwrap_or_default();
    Ok(Endpoint {
        listen: *matches.get_one("listen").expect("it has a default"),
        token,
        hosts: hosts.cloned().collect(),
    })
}

fn stop_on_signals(stop: &CancellationToken) {
    let stop = stop.clone();
    signals::on_end(move |_| stop.cancel());
}

/// Prints or writes the configuration; returns the exit status.
fn register(matches: &ArgMatches) -> Result<u8, Failure> {
    let host = Host::find(text(matches, "host")).expect("clap lets only these values through");
    let profile = chosen_profile(matches);
    let program = std::env::current_exe().map_err(|error| Failure {
        message: "cannot find out where this program is".into(),
        cause: Some(error.to_string()),
        remedy: None,
    })?;
    let mut arguments = vec!["mcp".to_owned(), "serve".to_owned()];
    if profile != Profile::default() {
        arguments.extend(["--profile".to_owned(), profile.to_string()]);
    }
    let Some(program) = program.to_str() else {
        return Err(Failure {
            message: format!("{} is no text, and hosts read text", program.display()),
            cause: None,
            remedy: Some("install the program in a directory whose name is UTF-8".into()),
        });
    };
    let registration = Registration {
        host,
        program: program.to_owned(),
        arguments,
    };
    let scope = if matches.get_flag("project") {
        Scope::Project
    } else {
        Scope::User
    };
    let file = host.file(scope, &directories(scope)?);
    if !matches.get_flag("write") {
        let printed = standard::print(registration.text().as_bytes());
        note(&format!(
            "this goes into {}; --write puts it there",
            file.display()
        ));
        return Ok(standard::status(printed, 0));
    }
    let changed = registration.write(&file)?;
    let done = if changed { "wrote" } else { "already in" };
    let printed = standard::print(format!("{done} {}\n", file.display()).as_bytes());
    Ok(standard::status(printed, 0))
}

fn directories(scope: Scope) -> Result<Directories, Failure> {
    let path = |name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let home = match (path(variables::HOME), scope) {
        (Some(home), _) => home,
        // The path is relative to the project, independent of the home directory.
        (None, Scope::Project) => PathBuf::new(),
        (None, Scope::User) => {
            return Err(Failure {
                message: "there is no home directory".into(),
                cause: None,
                remedy: Some("set HOME, or use --project".into()),
            });
        }
    };
    Ok(Directories {
        config: path(variables::XDG_CONFIG_HOME)
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| home.join(".config")),
        codex: path(variables::CODEX_HOME).unwrap_or_else(|| home.join(".codex")),
        home,
    })
}

fn chosen_profile(matches: &ArgMatches) -> Profile {
    let name = text(matches, "profile");
    name.parse().expect("clap lets only these values through")
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches
        .get_one::<String>(name)
        .expect("it is required or has a default")
}

fn note(text: &str) {
    to_stderr(&format!("note: {text}\n"));
}

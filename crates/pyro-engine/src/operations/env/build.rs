//! `env build`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::build::{self, Instructions, Order, Recipe};
use crate::environment;
use crate::operation::{Effect, Operation, ToolSet};
use crate::operations::vm;
use crate::pull_choice;
use crate::request::{MEM_MIB, VCPU_COUNT, octets_parser, one_vcpu, within};
use crate::{Context, Engine, Error};

const DOCKERFILES: [&str; 2] = ["Dockerfile", "Containerfile"];
/// Compilers and package managers need more than a command.
const BUILD_MEM_MIB: i64 = 2048;
/// The most that a Dockerfile may have.
const DOCKERFILE_BYTES: u64 = 1024 * 1024;

/// Build an environment from a Dockerfile, or from packages and commands
///
/// The environment is called `local:NAME`. Each instruction that changes files runs in a microVM,
/// without a network unless --network is given, and its result is kept: a repeated build runs only
/// what has changed. Without a Dockerfile, --from names the environment to begin with, --packages is
/// installed from the network by the package manager that is in it, and each --run is a command.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env build . -t app\n  \
                        pyro env build . -f deploy/Dockerfile -t app:2 --target test --build-arg V=2\n  \
                        pyro env build --from debian:13 --packages jq,ripgrep -t tools\n  \
                        pyro run local:app -- make test\n\n\
                        Output of the instructions is shown on standard error.")]
pub struct Build {
    /// Directory whose files COPY may take; its `.dockerignore` is respected
    #[arg(value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath, value_parser = octets_parser(), required_unless_present = "from")]
    #[serde(default)]
    pub context: Option<String>,
    /// Dockerfile; by default the one in the directory
    #[arg(short = 'f', long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = octets_parser(), conflicts_with = "from")]
    #[serde(default)]
    pub file: Option<String>,
    /// Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`
    #[arg(short = 't', long, alias = "tag")]
    pub name: String,
    /// Stage to end with, by its name; by default the last one
    #[arg(long, value_name = "STAGE", conflicts_with = "from")]
    #[serde(default)]
    pub target: Option<String>,
    /// Value of an ARG of the Dockerfile, as NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(default)]
    pub build_arg: Option<Vec<String>>,
    /// Environment to begin with, instead of a Dockerfile
    #[arg(long, value_name = "ENVIRONMENT")]
    #[serde(default)]
    pub from: Option<String>,
    /// Packages to install, with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "from")]
    #[serde(default)]
    pub packages: Option<Vec<String>>,
    /// Shell command to run after the packages are installed; may be given several times
    #[arg(long, value_name = "COMMAND", requires = "from")]
    #[serde(default)]
    pub run: Option<Vec<String>>,
    /// Let RUN and --run reach the Internet, but neither this host nor private networks
    #[arg(long)]
    #[serde(default)]
    pub network: bool,
    /// Run all instructions again, whatever was kept
    #[arg(long)]
    #[serde(default)]
    pub no_cache: bool,
    /// When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
    /// `never`, and use only what is installed
    #[arg(long, default_value_t = pull_choice::missing(), value_name = "WHEN", value_parser = pull_choice::CHOICES)]
    #[serde(default = "pull_choice::missing")]
    #[schemars(extend("enum" = pull_choice::CHOICES))]
    pub pull: String,
    /// Virtual processors, 1 to 8
    #[arg(long, default_value_t = one_vcpu(), value_name = "N", allow_negative_numbers = true)]
    #[serde(default = "one_vcpu")]
    #[schemars(range(min = 1, max = 8))]
    pub vcpu_count: i64,
    /// Memory in MiB, 256 to 32768
    #[arg(long, default_value_t = build_memory(), value_name = "MIB", allow_negative_numbers = true)]
    #[serde(default = "build_memory")]
    #[schemars(range(min = 256, max = 32768))]
    pub mem_mib: i64,
}

fn build_memory() -> i64 {
    BUILD_MEM_MIB
}

/// An environment that was built.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct BuildResult {
    /// Its description.
    #[serde(flatten)]
    pub environment: Environment,
    /// How many instructions it is made of.
    pub step_count: usize,
    /// How many of those that change files were found in the cache.
    pub cached_count: usize,
    /// How many of those that change files were carried out.
    pub run_count: usize,
}

impl Build {
    fn instructions(&self, directory: Option<&Path>) -> Result<Instructions, Error> {
        if let Some(from) = &self.from {
            if self.file.is_some() || self.target.is_some() {
                let message = "from is instead of a Dockerfile: leave out file and target";
                return Err(Error::invalid(message));
            }
            return Ok(Instructions::Recipe(Recipe {
                from: from.clone(),
                packages: self.packages()?,
                run: self.run.clone().unwrap_or_default(),
            }));
        }
        if self.packages.is_some() || self.run.is_some() {
            let error = Error::invalid("packages and run need from");
            return Err(error.remedy("name the environment to begin with: `--from debian:13`"));
        }
        let Some(directory) = directory else {
            let error = Error::invalid("there is neither a directory to build nor from");
            return Err(error.remedy("name a directory with a Dockerfile, or use `--from`"));
        };
        let path = if let Some(file) = &self.file {
            PathBuf::from(file)
        } else {
            let paths = DOCKERFILES.map(|name| directory.join(name));
            let found = paths.into_iter().find(|path| path.exists());
            found.ok_or_else(|| no_dockerfile(directory))?
        };
        Ok(Instructions::Dockerfile(read(&path)?))
    }

    fn packages(&self) -> Result<Vec<String>, Error> {
        let packages = self.packages.clone().unwrap_or_default();
        let is_name = |name: &String| {
            let mut chars = name.chars();
            let first = chars
                .next()
                .is_some_and(|first| first.is_ascii_alphanumeric());
            first && chars.all(|other| other.is_ascii_alphanumeric() || "+-._:=~@".contains(other))
        };
        match packages.iter().find(|name| !is_name(name)) {
            None => Ok(packages),
            Some(wrong) => Err(Error::invalid(format!(
                "'{}' is no name of a package",
                pyro_text::line(wrong)
            ))),
        }
    }

    fn args(&self) -> Result<BTreeMap<String, String>, Error> {
        let words = self.build_arg.iter().flatten();
        words
            .map(|word| match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
                _ => Err(Error::invalid(format!(
                    "build_arg must be NAME=VALUE, not '{}'",
                    pyro_text::line(word)
                ))),
            })
            .collect()
    }
}

fn no_dockerfile(directory: &Path) -> Error {
    let directory = pyro_text::line(&directory.to_string_lossy());
    let error = Error::invalid(format!("there is no Dockerfile in {directory}"));
    error.remedy("name one with `--file`, or build without one: `--from`")
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |error| Error::unreadable_source("file", path, error);
    if fs::metadata(path).map_err(failed)?.len() > DOCKERFILE_BYTES {
        let message = "the Dockerfile has more than 1 MiB";
        return Err(Error::invalid(message));
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| Error::invalid("the Dockerfile is not UTF-8 text"))
}

impl Operation for Build {
    const NAME: &'static str = "env_build";
    const COMMAND: &'static [&'static str] = &["env", "build"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    const OPEN_WORLD: bool = true;
    const HOST_PATHS: &'static [&'static str] = &["context", "file"];
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = BuildResult;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<BuildResult, Error> {
        let name = build::name(&self.name)?;
        let directory = match &self.context {
            None => None,
            Some(path) => Some(context.permissions.open_directory("context", path)?.1),
        };
        let order = Order {
            instructions: self.instructions(directory.as_deref())?,
            context: directory,
            args: self.args()?,
            target: self.target.clone(),
            network: self.network,
            use_cache: !self.no_cache,
            pull: pull_choice::policy(&self.pull)?,
            vcpu_count: within("vcpu_count", self.vcpu_count, &VCPU_COUNT)?,
            mem_mib: within("mem_mib", self.mem_mib, &MEM_MIB)?,
            name: name.clone(),
        };
        let listener = &context.listener;
        listener.phase("build", "begin", ("environment", &name));
        let pull = order.pull;
        let built = build::build(engine, order, listener).await?;
        let ready = environment::ready(engine, listener, &name, pull).await?;
        vm::prepare_template(engine, &ready).await;
        Ok(BuildResult {
            environment: engine.environments.status(&name)?.into(),
            step_count: built.steps,
            cached_count: built.cached,
            run_count: built.run,
        })
    }
}

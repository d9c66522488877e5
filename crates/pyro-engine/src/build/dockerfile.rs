//! A *Dockerfile*, read into stages of instructions. What cannot be built is refused here, by its
//! name, before anything is run.

use std::fmt;

use parse_dockerfile::{Command, Flag, JsonOrStringArray};
use serde::Serialize;

use super::words::pairs;
use crate::Error;

/// What is built from: the stages, and the arguments before the first one.
#[derive(Debug, Default)]
pub(super) struct Dockerfile {
    pub(super) args: Vec<Argument>,
    pub(super) stages: Vec<Stage>,
}

/// An `ARG`: its name and its default. The default may have variables.
pub(super) type Argument = (String, Option<String>);

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    /// An environment or an earlier stage. It may have variables.
    pub(super) base: String,
    pub(super) place: Place,
    pub(super) steps: Vec<Step>,
}

/// An instruction, and how people see it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    /// The first line of its text.
    pub(super) text: String,
    pub(super) instruction: Instruction,
}

/// Where people find what they have asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A line of the Dockerfile, from 1.
    Line(usize),
    /// An option, in a build without a Dockerfile.
    Option(&'static str),
}

impl Place {
    /// The error, with the place at its beginning.
    pub(super) fn of(self, error: Error) -> Error {
        Error {
            message: format!("{self}: {}", error.message),
            ..error
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line} of the Dockerfile"),
            Self::Option(name) => write!(formatter, "option {name}"),
        }
    }
}

/// Texts may have variables and quotes, unless something else is said.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Instruction {
    Run {
        words: Words,
        network: Network,
    },
    Copy(Copy),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Arg(Vec<Argument>),
    Workdir(String),
    User(String),
    StopSignal(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    /// The words that a line is given to.
    Shell(Vec<String>),
    Entrypoint(Words),
    Cmd(Words),
}

/// Whether a command has the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Network {
    /// If the build has.
    OfBuild,
    Never,
    Always,
}

/// What a program is started with. Neither form has variables.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Words {
    Exec(Vec<String>),
    /// A line for the shell.
    Line(String),
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Copy {
    /// An environment or an earlier stage; none for the context.
    pub(super) from: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) sources: Vec<Source>,
    pub(super) destination: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) enum Source {
    Path(String),
    /// A here-document, and whether it has variables.
    Document(String, bool),
}

/// Reads a Dockerfile.
pub(super) fn parse(text: &str) -> Result<Dockerfile, Error> {
    let parsed = parse_dockerfile::parse(text)
        .map_err(|error| Error::invalid(format!("the Dockerfile cannot be read: {error}")))?;
    let mut dockerfile = Dockerfile::default();
    for instruction in &parsed.instructions {
        let (instruction, start) = match instruction {
            parse_dockerfile::Instruction::From(from) => {
                let place = Place::Line(line_of(text, from.from.span.start));
                for flag in &from.options {
                    platform(flag).map_err(|why| refused(place, &why))?;
                }
                let name = from.as_.as_ref();
                dockerfile.stages.push(Stage {
                    name: name.map(|(_, name)| name.value.to_lowercase()),
                    base: from.image.value.to_string(),
                    place,
                    steps: Vec::new(),
                });
                continue;
            }
            other => read(other),
        };
        let place = Place::Line(line_of(text, start));
        let instruction = instruction.map_err(|why| refused(place, &why))?;
        match (dockerfile.stages.last_mut(), instruction) {
            (_, None) => {}
            (Some(stage), Some(instruction)) => stage.steps.push(Step {
                place,
                text: shown(&text[start..]),
                instruction,
            }),
            (None, Some(Instruction::Arg(args))) => dockerfile.args.extend(args),
            (None, Some(_)) => return Err(refused(place, "there is no FROM before it")),
        }
    }
    Ok(dockerfile)
}

/// The number of the stage with a name, or with a number.
pub(super) fn find_stage(names: &[Option<String>], wanted: &str) -> Option<usize> {
    let lower = wanted.to_lowercase();
    let found = names
        .iter()
        .rposition(|name| name.as_deref() == Some(&*lower));
    found.or_else(|| {
        let number = wanted.parse::<usize>().ok();
        number.filter(|number| *number < names.len())
    })
}

/// The error for a place.
pub(super) fn refused(place: Place, why: &str) -> Error {
    Error::invalid(format!("{place}: {why}"))
}

/// Reads an instruction, but no `FROM`. Returns nothing for what has no effect, and its position.
fn read(
    instruction: &parse_dockerfile::Instruction<'_>,
) -> (Result<Option<Instruction>, String>, usize) {
    use parse_dockerfile::Instruction as Parsed;
    let some = |instruction| Ok(Some(instruction));
    match instruction {
        Parsed::Run(run) => {
            let read = network(&run.options).map(|network| {
                let document = run.here_docs.first();
                let words = match document {
                    Some(document) => Words::Line(document.value.to_string()),
                    None => words(&run.arguments),
                };
                Some(Instruction::Run { words, network })
            });
            (read, run.run.span.start)
        }
        Parsed::Copy(copy) => {
            let read = read_copy(&copy.options, &copy.src, &copy.dest.value);
            (read.map(Some), copy.copy.span.start)
        }
        Parsed::Add(add) => {
            let read = read_copy(&add.options, &add.src, &add.dest.value).and_then(added);
            (read.map(Some), add.add.span.start)
        }
        Parsed::Env(env) => {
            let read = pairs(&env.arguments.value).map(|pairs| Some(Instruction::Env(pairs)));
            (read, env.env.span.start)
        }
        Parsed::Label(label) => {
            let read = pairs(&label.arguments.value).map(|pairs| Some(Instruction::Label(pairs)));
            (read, label.label.span.start)
        }
        Parsed::Arg(arg) => {
            let words = super::words::split(&arg.arguments.value);
            let read = words.map(|words| {
                let argument = |word: &String| match word.split_once('=') {
                    Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
                    None => (word.clone(), None),
                };
                Some(Instruction::Arg(words.iter().map(argument).collect()))
            });
            (read, arg.arg.span.start)
        }
        Parsed::Workdir(workdir) => {
            let path = workdir.arguments.value.to_string();
            (some(Instruction::Workdir(path)), workdir.workdir.span.start)
        }
        Parsed::User(user) => {
            let name = user.arguments.value.to_string();
            (some(Instruction::User(name)), user.user.span.start)
        }
        Parsed::Stopsignal(signal) => {
            let name = signal.arguments.value.to_string();
            let start = signal.stopsignal.span.start;
            (some(Instruction::StopSignal(name)), start)
        }
        Parsed::Expose(expose) => {
            let ports = strings(&expose.arguments);
            (some(Instruction::Expose(ports)), expose.expose.span.start)
        }
        Parsed::Volume(volume) => {
            let paths = match &volume.arguments {
                JsonOrStringArray::Json(words) => strings(&words.value),
                JsonOrStringArray::String(words) => strings(words),
            };
            (some(Instruction::Volume(paths)), volume.volume.span.start)
        }
        Parsed::Shell(shell) => {
            let words = strings(&shell.arguments);
            (some(Instruction::Shell(words)), shell.shell.span.start)
        }
        Parsed::Entrypoint(entrypoint) => {
            let words = words(&entrypoint.arguments);
            let start = entrypoint.entrypoint.span.start;
            (some(Instruction::Entrypoint(words)), start)
        }
        Parsed::Cmd(cmd) => {
            let words = words(&cmd.arguments);
            (some(Instruction::Cmd(words)), cmd.cmd.span.start)
        }
        // Nobody can ask an environment for it.
        Parsed::Maintainer(maintainer) => (Ok(None), maintainer.maintainer.span.start),
        Parsed::Healthcheck(check) => {
            let why = "HEALTHCHECK is not supported: environments have no health checks";
            (Err(why.into()), check.healthcheck.span.start)
        }
        Parsed::Onbuild(onbuild) => {
            let why = "ONBUILD is not supported: write the instruction where it is to run";
            (Err(why.into()), onbuild.onbuild.span.start)
        }
        _ => (Err("the instruction is not supported".into()), 0),
    }
}

fn read_copy(
    options: &[Flag<'_>],
    sources: &[parse_dockerfile::Source<'_>],
    destination: &str,
) -> Result<Instruction, String> {
    let mut copy = Copy {
        from: None,
        owner: None,
        mode: None,
        sources: Vec::new(),
        destination: destination.to_owned(),
    };
    for flag in options {
        let value = flag.value.as_ref().map(|value| value.value.to_string());
        match &*flag.name.value {
            "from" => copy.from = value,
            "chown" => copy.owner = value,
            "chmod" => copy.mode = value,
            // It changes how layers are kept, not what is in them.
            "link" => {}
            other => return Err(format!("--{other} is not supported")),
        }
    }
    for source in sources {
        copy.sources.push(match source {
            parse_dockerfile::Source::Path(path) => Source::Path(path.value.to_string()),
            parse_dockerfile::Source::HereDoc(document) => {
                if destination.ends_with('/') || sources.len() > 1 {
                    let why = "a here-document is copied to a file, so the destination must be one";
                    return Err(why.into());
                }
                Source::Document(document.value.to_string(), document.expand)
            }
            _ => return Err("the source is not supported".into()),
        });
    }
    Ok(Instruction::Copy(copy))
}

/// Refuses what `ADD` does beyond `COPY`.
fn added(instruction: Instruction) -> Result<Instruction, String> {
    let Instruction::Copy(copy) = &instruction else {
        return Ok(instruction);
    };
    for source in &copy.sources {
        let Source::Path(path) = source else {
            continue;
        };
        let name = path.to_ascii_lowercase();
        if name.contains("://") || name.starts_with("git@") {
            return Err(format!(
                "ADD of {path} is not supported: download it in a RUN with --network, or copy a file"
            ));
        }
        let packed = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst"];
        if packed.iter().any(|end| name.ends_with(end)) {
            return Err(format!(
                "ADD does not unpack {path} here: COPY it, and unpack it with `tar` in a RUN"
            ));
        }
    }
    Ok(instruction)
}

fn network(options: &[Flag<'_>]) -> Result<Network, String> {
    let mut network = Network::OfBuild;
    for flag in options {
        let value = flag.value.as_ref().map(|value| &*value.value);
        network = match (&*flag.name.value, value) {
            ("network", Some("none")) => Network::Never,
            ("network", Some("default")) => Network::OfBuild,
            ("mount", _) => {
                let why =
                    "RUN --mount is not supported: use COPY for files; a cache may be left out";
                return Err(why.into());
            }
            (other, _) => return Err(format!("RUN --{other} is not supported")),
        };
    }
    Ok(network)
}

/// Accepts the only platform there is.
fn platform(flag: &Flag<'_>) -> Result<(), String> {
    let value = flag.value.as_ref().map_or("", |value| &*value.value);
    match &*flag.name.value {
        "platform" if value.contains('$') || value.starts_with("linux/amd64") => Ok(()),
        "platform" => Err(format!("--platform={value}: only linux/amd64 can be built")),
        other => Err(format!("--{other} is not supported")),
    }
}

fn words(command: &Command<'_>) -> Words {
    match command {
        Command::Exec(words) => Words::Exec(strings(&words.value)),
        Command::Shell(line) => Words::Line(without_comments(line.value)),
        // The crate may learn another form, which would be one for a shell.
        _ => Words::Line(String::new()),
    }
}

/// Removes the comments and empty lines between the parts of a continued line, which a shell would
/// take for its end.
fn without_comments(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    lines
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .fold(first, |text, line| text + "\n" + line)
}

fn strings(words: &[parse_dockerfile::UnescapedString<'_>]) -> Vec<String> {
    words.iter().map(|word| word.value.to_string()).collect()
}

fn line_of(text: &str, position: usize) -> usize {
    let before = text.get(..position).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// The first line of an instruction, shortened.
fn shown(text: &str) -> String {
    const CHARACTERS: usize = 72;
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dockerfile_becomes_stages_of_steps() {
        let text = "ARG V=12\n\
            FROM --platform=$BUILDPLATFORM debian:$V AS Build\n\
            RUN apt-get update \\\n  # a comment\n\n && ls\n\
            RUN [\"ls\", \"a b\"]\n\
            RUN <<END\nset -e\nls\nEND\n\
            FROM scratch\n\
            COPY --from=build --chown=1:2 a* b /x/\n\
            CMD [\"/x/a\"]\n";
        let dockerfile = parse(text).unwrap();
        assert_eq!(dockerfile.args, [("V".to_owned(), Some("12".to_owned()))]);
        let [build, last] = &*dockerfile.stages else {
            panic!("two stages");
        };
        assert_eq!(
            (build.name.as_deref(), &*build.base),
            (Some("build"), "debian:$V")
        );
        let places: Vec<_> = build.steps.iter().map(|step| step.place).collect();
        assert_eq!(places, [3, 7, 8].map(Place::Line));
        let run = |words| Instruction::Run {
            words,
            network: Network::OfBuild,
        };
        let found: Vec<_> = build.steps.iter().map(|step| &step.instruction).collect();
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            found,
            [
                &run(Words::Line("apt-get update \\\n && ls".into())),
                &run(Words::Exec(own(&["ls", "a b"]))),
                &run(Words::Line("set -e\nls\n".into())),
            ]
        );
        let Instruction::Copy(copy) = &last.steps[0].instruction else {
            panic!("a COPY");
        };
        assert_eq!(copy.from.as_deref(), Some("build"));
        assert_eq!(copy.owner.as_deref(), Some("1:2"));
        assert_eq!((copy.sources.len(), &*copy.destination), (2, "/x/"));
    }

    #[test]
    fn what_cannot_be_built_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "FROM a\nRUN --mount=type=cache,target=/x ls",
                "line 2 of the Dockerfile: RUN --mount",
            ),
            (
                "FROM a\nADD https://example.org/x /x",
                "download it in a RUN",
            ),
            ("FROM a\nADD x.tar.gz /x", "ADD does not unpack"),
            ("FROM a\nHEALTHCHECK NONE", "HEALTHCHECK is not supported"),
            ("FROM a\nONBUILD RUN ls", "ONBUILD is not supported"),
            ("FROM --platform=linux/arm64 a", "only linux/amd64"),
            ("FROM a\nENV A", "'A' has no value"),
            ("FROM a\nCOPY --parents a b", "--parents is not supported"),
            ("FROM a\nWRONG x", "the Dockerfile cannot be read"),
        ] {
            let message = parse(text).unwrap_err().message;
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
